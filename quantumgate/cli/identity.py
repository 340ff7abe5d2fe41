"""`qgate init` and `qgate id`: make a configuration and an identity, show it, move it.

Not for: the key file's format (``crypto/identity.py``) or its directory (``node/data_directory.py``).
"""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from quantumgate.cli import keys, output, place
from quantumgate.cli.place import Place
from quantumgate.errors import LocalError

if TYPE_CHECKING:
    from quantumgate.crypto.identity import Identity, PeerIdentity


@click.command(short_help="Make a configuration and an identity.")
@click.option("--kind", type=click.Choice(keys.KINDS), help="The identity's kind.  [default: by the security level]")
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
    directory = keys.directory_of(where)
    directory.lock()
    try:
        default_kind, passphrase = _by_configuration(config)
        identity = directory.identity(kind or default_kind, passphrase)
    finally:
        directory.unlock()
    if kind and identity.public.kind_name != kind:
        raise LocalError(f"{where.data} holds an identity of kind {identity.public.kind_name} already",
                         advice="use another data directory with --data, or leave --kind out")
    report = {**keys.described(identity.public), "config": str(config), "data": str(where.data),
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
    if context.invoked_subcommand is not None:
        return
    online = keys.directory_of(where).online_key()
    if online is not None:
        report = keys.described_online(online, where)
    else:
        report = keys.described(keys.read_root(where.data / keys.root_name())[0].public)
    if where.json:
        output.as_json(report)
    else:
        _show(report)


@id_.command("export", short_help="Copy the identity to a file, sealed under a passphrase.")
@click.argument("file")
@click.option("--passphrase-file", metavar="FILE", help="Read the passphrase from a file instead of asking.")
@click.option("--no-passphrase", is_flag=True, help="Write the key unsealed.")
@click.option("--offline", is_flag=True, help="Keep only an online key here: the root is in FILE alone from then on.")
@keys.days
@place.options
@place.passed
def export_(
    where: Place, file: str, passphrase_file: str | None, no_passphrase: bool, offline: bool, days: int
) -> None:
    """Write the private identity to FILE (mode 0600, never over an existing file).

    With --offline it is put away: FILE belongs on something that lies in a drawer, with a second copy elsewhere. What
    stays here signs for it for --days; then qgate id rotate --root FILE makes another.

    \b
    Example:
      qgate id export backup.key
      qgate id export --offline /media/stick/root.key
    """
    if no_passphrase and passphrase_file:
        raise click.UsageError("--no-passphrase and --passphrase-file exclude each other")
    directory = keys.directory_of(where)
    with keys.alone(directory) if offline else nullcontext():
        identity, opened_with = keys.read_root(where.data / keys.root_name())
        if offline:
            keys.check_seal(directory, opened_with)
        passphrase = None if no_passphrase else keys.passphrase_of(passphrase_file, confirm=True)
        _write_copy(Path(file), identity, passphrase)
        if offline:
            keys.write_online_key(directory, identity, days, opened_with)
            directory.forget(keys.root_name())
    _report_move(where, identity.public, "is now only in" if offline else "written to", file)


def _write_copy(file: Path, identity: Identity, passphrase: str | None) -> None:
    """Read again before anybody relies on it."""
    from quantumgate.crypto.identity import Identity
    from quantumgate.node.data_directory import write_new

    write_new(file, identity.to_file_bytes(passphrase))
    if Identity.from_file_bytes(file.read_bytes(), passphrase).public != identity.public:
        raise LocalError(f"{file}: does not read back as it was written", advice="try another medium")


@id_.command("import", short_help="Take an identity from a file.")
@click.argument("file")
@click.option("--passphrase-file", metavar="FILE", help="Read the passphrase from a file instead of asking.")
@click.option("--sealed", is_flag=True, help="Keep it sealed; node.identity_passphrase_file then opens it.")
@click.option("--online", is_flag=True, help="Make an online key for it here, and leave the identity in FILE alone.")
@keys.days
@place.options
@place.passed
def import_(where: Place, file: str, passphrase_file: str | None, sealed: bool, online: bool, days: int) -> None:
    """Put the identity in FILE into the data directory, which must not hold one and must not be in use.

    FILE may be an online.key that was made on the machine of the root: it takes the place of an older one for the same
    root, and a node that runs takes it up at once.

    \b
    Example:
      qgate --data /srv/qg id import backup.key
      qgate --data /srv/qg id import --online /media/stick/root.key
      qgate --data /srv/qg id import /media/stick/online.key
    """
    from quantumgate.core.online_key import is_online_key
    from quantumgate.crypto.identity import needs_passphrase
    from quantumgate.node.data_directory import write_atomically

    data = Path(file).read_bytes()
    if is_online_key(data):
        if online:
            raise click.UsageError(f"{file} is an online key; --online makes one with a root")
        _take_online_key(where, file, data, passphrase_file, sealed=sealed)
        return
    if sealed and not needs_passphrase(data):
        raise LocalError(f"{file}: this key file is not sealed", advice="qgate id export seals a copy")
    identity, opened_with = keys.read_root(Path(file), passphrase_file)
    directory = keys.directory_of(where)
    with keys.alone(directory):
        if directory.has_identity:
            raise LocalError(f"{where.data}: there is an identity already",
                             advice="export and remove it first, or use another data directory with --data")
        if online:
            keys.write_online_key(directory, identity, days, opened_with if sealed else None)
        else:
            write_atomically(directory.file(keys.root_name()), data if sealed else identity.to_file_bytes())
    _report_move(where, identity.public, "has an online key in" if online else "now in", str(where.data))


def _take_online_key(where: Place, file: str, data: bytes, passphrase_file: str | None, *, sealed: bool) -> None:
    from quantumgate.cli.rotation import report_new_key
    from quantumgate.node.data_directory import ONLINE_KEY_FILE, write_atomically

    new = keys.read_online_key(file, data, passphrase_file, sealed=sealed)
    directory = keys.directory_of(where)
    with keys.changed(directory) as running:
        keys.check_follows(directory, new)
        write_atomically(directory.file(ONLINE_KEY_FILE), new.encode())
    report_new_key(where, new, running=running)


def _report_move(where: Place, public: PeerIdentity, verb: str, file: str) -> None:
    if where.json:
        output.as_json({**keys.described(public), "file": file})
    else:
        click.echo(f"identity {public.uuid} {verb} {file}")


def _show(report: dict[str, Any]) -> None:
    shown = {name: str(value) for name, value in report.items()}
    if "not_after" in report:
        shown["not_after"] = output.time_text(report["not_after"])
    output.facts(shown)
