"""`qgate init` and `qgate id`: make a configuration and an identity, show it, move it.

Not for: the key file's format (``crypto/identity.py``) or its directory (``node/data_directory.py``).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from quantumgate.cli import output, place
from quantumgate.cli.place import Place
from quantumgate.errors import LocalError

if TYPE_CHECKING:
    from quantumgate.crypto.identity import Identity, PeerIdentity
    from quantumgate.node.data_directory import DataDirectory

KINDS = ("ed25519", "ed25519+mldsa65", "ed448", "ed448+mldsa87")


@click.command(short_help="Make a configuration and an identity.")
@click.option("--kind", type=click.Choice(KINDS), help="The identity's kind.  [default: by the security level]")
@click.option("--config", "config_file", metavar="FILE", help="Where the configuration goes.")
@place.options
@place.passed
def init(where: Place, kind: str | None, config_file: str | None) -> None:
    """Write a configuration in which every key stands with its default, and make the node's identity.

    What is there already stays as it is.

    \b
    Example:
      qgate init --kind ed25519+mldsa65
    """
    config, made_config = _config(config_file)
    directory = _directory(where)
    directory.lock()
    try:
        default_kind, passphrase = _by_configuration(config)
        identity = directory.identity(kind or default_kind, passphrase)
    finally:
        directory.unlock()
    if kind and identity.public.kind_name != kind:
        raise LocalError(f"{where.data} holds an identity of kind {identity.public.kind_name} already",
                         advice="use another data directory with --data, or leave --kind out")
    report = {**_described(identity.public), "config": str(config), "data": str(where.data),
              "made": [name for name, made in (("config", made_config), ("identity", directory.made_identity)) if made]}
    if where.json:
        output.as_json(report)
        return
    _show({**report, "made": ", ".join(report["made"]) or "nothing: both were there"})
    click.echo(f"next: twistd -n qgnode{_start_options(where, config_file)}")


def _start_options(where: Place, config_file: str | None) -> str:
    options = f" --config {config_file}" if config_file else ""
    return options + (f" --data {where.data}" if where.data_option else "")


def _config(config_file: str | None) -> tuple[Path, bool]:
    """The configuration's path, and whether it was written now."""
    from quantumgate.settings import sample
    from quantumgate.settings.places import default_config_file

    path = Path(config_file) if config_file else default_config_file()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with path.open("x", encoding="utf-8") as opened:
            opened.write(sample.full_text())
    except FileExistsError:
        return path, False
    return path, True


def _by_configuration(config: Path) -> tuple[str, str | None]:
    """The kind of a new identity, and the passphrase that its file is sealed under, if any."""
    from quantumgate.settings.loader import load, read_identity_passphrase
    from quantumgate.settings.resolve import resolve

    settings = load(config)
    return resolve(settings, str(config)).identity_kind, read_identity_passphrase(settings, str(config))


def _directory(where: Place) -> DataDirectory:
    from quantumgate.node.data_directory import DataDirectory

    return DataDirectory(where.data)


@click.group("id", invoke_without_command=True, short_help="Show or move the identity.")
@place.options
@place.passed
@click.pass_context
def id_(context: click.Context, where: Place) -> None:
    """Show the identity in the data directory; no node need run.

    \b
    Example:
      qgate id
      qgate id export backup.key
    """
    if context.invoked_subcommand is None:
        report = _described(_read(where.data / _key_name()).public)
        if where.json:
            output.as_json(report)
        else:
            _show(report)


@id_.command("export", short_help="Copy the identity to a file, sealed under a passphrase.")
@click.argument("file")
@click.option("--passphrase-file", metavar="FILE", help="Read the passphrase from a file instead of asking.")
@click.option("--no-passphrase", is_flag=True, help="Write the key unsealed.")
@place.options
@place.passed
def export_(where: Place, file: str, passphrase_file: str | None, no_passphrase: bool) -> None:
    """Write the private identity to FILE (mode 0600, never over an existing file).

    \b
    Example:
      qgate id export backup.key
    """
    if no_passphrase and passphrase_file:
        raise click.UsageError("--no-passphrase and --passphrase-file exclude each other")
    identity = _read(where.data / _key_name())
    passphrase = None if no_passphrase else _passphrase(passphrase_file, confirm=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(identity.to_file_bytes(passphrase))
    _report_move(where, identity.public, "written to", file)


@id_.command("import", short_help="Take an identity from a file.")
@click.argument("file")
@click.option("--passphrase-file", metavar="FILE", help="Read the passphrase from a file instead of asking.")
@click.option("--sealed", is_flag=True, help="Keep it sealed; node.identity_passphrase_file then opens it.")
@place.options
@place.passed
def import_(where: Place, file: str, passphrase_file: str | None, sealed: bool) -> None:
    """Put the identity in FILE into the data directory, which must not hold one and must not be in use.

    \b
    Example:
      qgate --data /srv/qg id import backup.key
    """
    from quantumgate.crypto.identity import Identity, needs_passphrase
    from quantumgate.node.data_directory import write_atomically

    data = Path(file).read_bytes()
    if sealed and not needs_passphrase(data):
        raise LocalError(f"{file}: this key file is not sealed", advice="qgate id export seals a copy")
    identity = Identity.from_file_bytes(
        data, _passphrase(passphrase_file, confirm=False) if needs_passphrase(data) else None)
    directory = _directory(where)
    directory.lock()
    try:
        target = directory.file(_key_name())
        if target.exists():
            raise LocalError(f"{target}: there is an identity already",
                             advice="export and remove it first, or use another data directory with --data")
        write_atomically(target, data if sealed else identity.to_file_bytes())
    finally:
        directory.unlock()
    _report_move(where, identity.public, "now in", str(where.data))


def _report_move(where: Place, public: PeerIdentity, verb: str, file: str) -> None:
    if where.json:
        output.as_json({**_described(public), "file": file})
    else:
        click.echo(f"identity {public.uuid} {verb} {file}")


def _passphrase(file: str | None, *, confirm: bool) -> str:
    if file is None:
        return str(click.prompt("Passphrase", hide_input=True, confirmation_prompt=confirm, err=True))
    text = Path(file).read_text(encoding="utf-8").removesuffix("\n")
    if not text:
        raise LocalError(f"{file}: expected a passphrase, found an empty file")
    return text


def _key_name() -> str:
    from quantumgate.node.data_directory import IDENTITY_FILE

    return IDENTITY_FILE


def _read(path: Path) -> Identity:
    from quantumgate.crypto.identity import Identity, needs_passphrase

    try:
        data = path.read_bytes()
        return Identity.from_file_bytes(data, _passphrase(None, confirm=False) if needs_passphrase(data) else None)
    except FileNotFoundError:
        raise LocalError(f"{path}: there is no identity yet", advice="qgate init makes one") from None


def _described(public: PeerIdentity) -> dict[str, Any]:
    return {"uuid": str(public.uuid), "kind": public.kind_name, "fingerprint": public.fingerprint_text,
            "address": f"qg://{public.uuid}.{public.fingerprint_text}@HOST:9999"}


def _show(report: dict[str, Any]) -> None:
    output.facts({name: str(value) for name, value in report.items()})
