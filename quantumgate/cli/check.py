"""`qgate check`: the configuration, without starting anything.

Not for: rules of the configuration (``settings/``). What passes here starts, as far as no port is in use.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from quantumgate.cli import output, place
from quantumgate.cli.place import Place
from quantumgate.errors import ConfigurationError

if TYPE_CHECKING:
    from quantumgate.extender.registry import Registration
    from quantumgate.settings.resolve import Resolved


@click.command(short_help="Check the configuration, without starting.")
@click.option("--config", "config_file", metavar="FILE", help="The file, instead of the usual one.")
@click.option("--limits", "show_limits", is_flag=True, help="List every limit with its value and range.")
@place.options
@place.passed
def check(where: Place, config_file: str | None, show_limits: bool) -> int:
    """Read the configuration as a node would, with its secret files and its extenders' tables.

    \b
    Example:
      qgate check --config quantumgate.toml
    """
    file = _file(config_file)
    name = str(file) if file else "built-in defaults"
    try:
        resolved, extenders = examine(file)
    except ConfigurationError as error:
        if where.json:
            output.as_json({"file": name, "ok": False, "error": str(error)})
        click.echo(str(error), err=True)
        return 1
    if where.json:
        output.as_json(_report(name, resolved, extenders))
    elif show_limits:
        _show_limits(resolved)
    else:
        click.echo(f"{name}: right")
        _show(resolved, extenders)
    return 0


def _file(config_file: str | None) -> Path | None:
    """The file that a node would read; None = it would run on the built-in defaults."""
    from quantumgate.settings.places import default_config_file

    if config_file:
        return Path(config_file)
    return default_config_file() if default_config_file().exists() else None


def examine(file: Path | None) -> tuple[Resolved, tuple[Registration, ...]]:
    """Everything that a start would check before it touches the data directory. Raises ConfigurationError."""
    from quantumgate.node.assemble import plan
    from quantumgate.node.world import real_world
    from quantumgate.settings.loader import load
    from quantumgate.settings.schema import Settings

    made = plan(load(file) if file else Settings(), str(file) if file else "settings", real_world())
    return made.resolved, made.registrations


def _names(resolved: Resolved) -> dict[str, list[str]]:
    from quantumgate.crypto.suites import AEADS, PRIMARIES, SECONDARIES

    return {
        "primary": [PRIMARIES[id_].name for id_ in resolved.primaries],
        "secondary": [SECONDARIES[id_].name for id_ in resolved.secondaries],
        "symmetric": [AEADS[id_].name for id_ in resolved.aeads],
    }


def _changed_limits(resolved: Resolved) -> dict[str, Any]:
    from quantumgate.settings.ranges import limit_names
    from quantumgate.wire.limits import DEFAULT_LIMITS

    values = {name: getattr(resolved.limits, name) for name in limit_names()}
    return {name: value for name, value in values.items() if value != getattr(DEFAULT_LIMITS, name)}


def _report(name: str, resolved: Resolved, extenders: tuple[Registration, ...]) -> dict[str, Any]:
    import msgspec

    from quantumgate.settings.ranges import limit_names

    settings = resolved.settings
    return {
        "file": name,
        "ok": True,
        "settings": msgspec.to_builtins(settings),
        "algorithms": _names(resolved),
        "identity_kind": resolved.identity_kind,
        "padding": resolved.padding,
        "limits": {limit: getattr(resolved.limits, limit) for limit in limit_names()},
        "extenders": [{"name": row.name, "enabled": row.enabled, "problem": row.problem} for row in extenders],
    }


def _show(resolved: Resolved, extenders: tuple[Registration, ...]) -> None:
    node = resolved.settings.node
    output.facts({
        "network": node.network,
        "listen": ", ".join(f"{one.endpoint} (lan)" if one.lan else one.endpoint for one in resolved.listen) or
        "no (dial only)",
        "kept connected": ", ".join(node.connect),
        "peers that no rule names": node.default_access,
        "shared secret": "yes" if node.shared_secret_file or node.shared_passphrase_file else "no",
        "security level": resolved.settings.security.level,
        **{name: ", ".join(names) for name, names in _names(resolved).items()},
        "compression": "lz4" if resolved.compression else "off",
        "padding": resolved.padding,
        "extenders": ", ".join(row.name for row in extenders if row.enabled) or "none enabled",
        "limits changed": ", ".join(f"{name} = {value}" for name, value in _changed_limits(resolved).items()),
    })
    for row in extenders:
        if row.enabled and row.problem:
            click.echo(f"note: extender {row.name} will not run: {output.printable(row.problem)}")


def _show_limits(resolved: Resolved) -> None:
    from quantumgate.settings.ranges import limit_names, range_of
    from quantumgate.settings.sample import toml_value
    from quantumgate.settings.wording import number_text
    from quantumgate.wire.limits import DEFAULT_LIMITS

    output.table(("limit", "value", "default", "from", "to"), (
        (name, toml_value(getattr(resolved.limits, name)), toml_value(getattr(DEFAULT_LIMITS, name)),
         *(number_text(bound) for bound in range_of(name))) for name in limit_names()), "")
