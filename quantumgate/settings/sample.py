"""Writes ``conf/`` from the schema: ``python -m quantumgate.settings.sample conf``.

The full file holds every key with its default, commented out: it loads as the built-in configuration. The others are
recipes. A test keeps the directory in step. Not for: explaining (docs/guide/configuration.md).
"""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec

from quantumgate.settings.ranges import range_of
from quantumgate.settings.resolve import LEVEL_LIMITS, LEVEL_PRESETS
from quantumgate.settings.schema import ExtenderTable, Settings
from quantumgate.settings.wording import number_text
from quantumgate.wire.limits import DEFAULT_LIMITS, Limits

WIDTH = 116
FULL_NAME = "quantumgate.toml"
Recipe = dict[str, dict[str, Any]]

PRIVATE = """The private profile: hybrid identity, shorter key lives. Cover traffic and handshake delays belong to this
level but are not built yet; the two lines that waive them can go when they are. Both ends need the shared secret:
head -c 64 /dev/urandom > secret; chmod 600 secret"""

RECIPES: dict[str, tuple[str, Recipe]] = {
    "dial-only.toml": (
        "A node that dials and is never dialled: it opens no port. Put the peers to keep connected into connect.",
        {"node": {"listen": [], "connect": []}},
    ),
    "private.toml": (
        PRIVATE,
        {
            "node": {"network": "private", "shared_secret_file": "secret"},
            "security": {"level": "four", "handshake_delay_seconds": 0},
            "privacy": {"noise": "off"},
        },
    ),
    "lan.toml": (
        "For a trusted local network: peers there may dial without knowing the UUID; who is not denied comes in.",
        {"node": {"listen": [{"endpoint": "tcp:9999", "lan": True}], "default_access": "allow"}},
    ),
    "many-sessions.toml": (
        "For a node that serves many peers. It also needs as many open files (LimitNOFILE), and the memory.",
        {"limits": {"sessions": 32_768, "memory_bytes": 1024 * 1024 * 1024, "half_open": 1024}},
    ),
}


def full_text() -> str:
    """Every table and key with its reason, unit and default; all commented out."""
    lines = [*_comment("QuantumGate configuration: every key with its built-in default. Take away the # in front of a "
                       "key to change it; qgate check tells whether the file is right.")]
    for table, hint in get_type_hints(Settings, include_extras=True).items():
        lines += ["", "", *_comment(f"-- {_meta(hint).description}")]
        if table == "limits":
            lines += _limit_lines()
        elif table == "extenders":
            lines += _extender_lines()
        else:
            lines += _table_lines(table)
    return "\n".join(lines) + "\n"


def recipe_text(name: str) -> str:
    """One recipe: only the keys it sets, each with its reason."""
    title, tables = RECIPES[name]
    lines = [*_comment(title), *_comment(f"All keys: {FULL_NAME}")]
    for table, values in tables.items():
        lines += ["", f"[{table}]"]
        for key, value in values.items():
            if table != "limits":
                lines += _comment(_sentence(_meta_of(table, key).description or ""))
            lines.append(f"{key} = {toml_value(value)}")
    return "\n".join(lines) + "\n"


def write(directory: Path) -> list[Path]:
    """All files of ``conf/`` that come from the schema. Returns their paths."""
    texts = {FULL_NAME: full_text(), **{name: recipe_text(name) for name in RECIPES}}
    paths = []
    for name, text in texts.items():
        path = directory / name
        path.write_text(text, encoding="utf-8")
        paths.append(path)
    return paths


def toml_value(value: Any) -> str:
    """A value as TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int | float):
        return number_text(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml_value(one)}" for key, one in value.items()) + "}"
    if isinstance(value, msgspec.Struct):
        return toml_value(msgspec.to_builtins(value))
    return "[" + ", ".join(toml_value(one) for one in value) + "]"


def _table_lines(table: str) -> Iterator[str]:
    yield f"[{table}]"
    default = getattr(Settings(), table)
    for key in default.__struct_fields__:
        yield ""
        yield from _comment(_reason(table, key))
        value = getattr(default, key)
        yield f"#{key} = {toml_value(_level_one(key) if value is None else value)}"


def _extender_lines() -> Iterator[str]:
    """What each table of an extender may have beside its own keys; they are indented, for they need their table."""
    yield "#[extenders.echo]"
    for name, hint in get_type_hints(ExtenderTable, include_extras=True).items():
        yield from _comment(_words(_meta(hint)))
        yield f"#    {name} = {toml_value(getattr(ExtenderTable(), name))}"


def _reason(table: str, key: str) -> str:
    """``Why. What it may be.`` and whether it works yet."""
    return _words(_meta_of(table, key))


def _words(meta: msgspec.Meta) -> str:
    expected = (meta.extra or {})["expected"]
    parts = [meta.description or ""] + ([expected] if expected not in {"true or false", "a path"} else [])
    return " ".join(_sentence(part) for part in parts)


def _limit_lines() -> Iterator[str]:
    yield "[limits]"
    yield from _comment(f"{', '.join(LEVEL_LIMITS)} may stand here too, instead of in [security].")
    for key in Limits.__dataclass_fields__:
        if key not in LEVEL_LIMITS:
            low, high = range_of(key)
            line = f"#{key} = {toml_value(getattr(DEFAULT_LIMITS, key))}"
            yield f"{line:<48} # {number_text(low)} to {number_text(high)}"


def _level_one(key: str) -> Any:
    """What a key that is not given has at the default level."""
    return getattr(LEVEL_PRESETS["one"], key)


def _meta_of(table: str, key: str) -> msgspec.Meta:
    return _meta(get_type_hints(type(getattr(Settings(), table)), include_extras=True)[key])


def _meta(hint: Any) -> msgspec.Meta:
    branches = get_args(hint) if get_origin(hint) in {Union, UnionType} else (hint,)
    return next(meta for branch in branches if get_origin(branch) is Annotated for meta in get_args(branch)[1:]
                if isinstance(meta, msgspec.Meta))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(text, WIDTH)]


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "conf"))
