"""`qgate id rotate` and `qgate id succeed`: the next online key, and the next root.

Not for: moving an identity as it is (``identity.py``). Spec: docs/spec/identity.md, sections 7 to 9.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from quantumgate.cli import keys, output, place
from quantumgate.cli.place import Place
from quantumgate.errors import LocalError

if TYPE_CHECKING:
    from quantumgate.core.online_key import OnlineKeyFile
    from quantumgate.crypto.identity import Identity
    from quantumgate.node.data_directory import DataDirectory

_root = click.option("--root", "root_file", metavar="FILE", help="The root's key file, where it is not here.")
_words = click.option("--passphrase-file", metavar="FILE",
                      help="Read the root's passphrase from a file instead of asking.")
_seal = click.option("--online-passphrase-file", metavar="FILE", help="Seal the online key under what this file holds.")


@click.command(short_help="Make a new online key with the root.")
@_root
@_words
@_seal
@keys.days
@place.options
@place.passed
def rotate(
    where: Place, root_file: str | None, passphrase_file: str | None, online_passphrase_file: str | None, days: int
) -> None:
    """Let a fresh online key sign in the place of the old one, for --days. The UUID stays; no peer need do anything.

    The root is that of the data directory, or lies in the file that it was exported to, which is only read. A node that
    runs takes it up at once, and keeps its sessions; peers that know the new key refuse the old one.

    \b
    Example:
      qgate id rotate --root /media/stick/root.key
    """
    directory = keys.directory_of(where)
    with keys.changed(directory) as running:
        root, opened_with = _the_root(directory, root_file, passphrase_file)
        passphrase = _sealed_as_before(directory, root_file, opened_with, online_passphrase_file)
        online = keys.write_online_key(directory, root, days, passphrase)
    report_new_key(where, online, running=running)


def report_new_key(where: Place, online: OnlineKeyFile, *, running: bool) -> None:
    """Of a key that was just written; first the node that runs takes it."""
    if running:
        keys.take_up(where)
    report = {**keys.described_online(online, where), "taken_up": running}
    if where.json:
        output.as_json(report)
        return
    click.echo(f"identity {report['uuid']} has a new online key, good until {output.time_text(report['not_after'])}")
    if running:
        click.echo("the node that runs here signs with it from now on")


def _the_root(directory: DataDirectory, root_file: str | None, words: str | None) -> tuple[Identity, str | None]:
    """Raises LocalError for a root of another identity than the one that lives here."""
    if not directory.has_identity:
        raise LocalError(f"{directory.path}: there is no identity yet", advice="qgate id import --online brings one")
    root, opened_with = keys.read_root(Path(root_file) if root_file else directory.file(keys.root_name()), words)
    online = directory.online_key()
    if online is not None and online.root != root.public:
        raise LocalError(f"this root is {root.public.uuid}, the identity here is {online.root.uuid}",
                         advice="give its root with --root; qgate id succeed passes an identity on to another")
    beside = directory.file(keys.root_name())
    if online is None and root_file and keys.read_root(beside)[0].public != root.public:
        raise LocalError(f"{root_file}: not the root of the identity in {beside}", advice="leave --root out")
    return root, opened_with


def _sealed_as_before(
    directory: DataDirectory, root_file: str | None, opened_with: str | None, words_file: str | None
) -> str | None:
    """Under what the online key is sealed: a key that was sealed is not replaced by one that lies open."""
    from quantumgate.crypto.identity import needs_passphrase

    if words_file:
        return keys.passphrase_of(words_file)
    former = directory.online_key()
    if former is None:
        return None if root_file else opened_with
    if needs_passphrase(former.key_file):
        raise LocalError("the online key here is sealed, and its successor is to be sealed as well",
                         advice="--online-passphrase-file, with the file that node.identity_passphrase_file names")
    return None


@click.command(short_help="Pass this identity on to a new root.")
@click.argument("file")
@click.option("--kind", type=click.Choice(keys.KINDS), help="The new identity's kind.  [default: as before]")
@_root
@_words
@place.options
@place.passed
def succeed(where: Place, file: str, kind: str | None, root_file: str | None, passphrase_file: str | None) -> None:
    """Make a new root here, a new UUID, and write to FILE what proves to peers that it is the heir of the old one.

    Peers take it with qgate id accept FILE, within 90 days. Until then the new identity is a stranger to them. The old
    root stays beside the new one, in a file of its own name. Stop the node first.

    \b
    Example:
      qgate id succeed heir.qgs
    """
    directory = keys.directory_of(where)
    with keys.alone(directory):
        old, opened_with = _the_root(directory, root_file, passphrase_file)
        new = _make_heir(directory, Path(file), old, kind, opened_with)
    report = {**keys.described(new.public), "former_uuid": str(old.public.uuid), "file": file}
    if where.json:
        output.as_json(report)
        return
    click.echo(f"identity {old.public.uuid} is succeeded by {new.public.uuid}")
    click.echo(f"fingerprint {new.public.fingerprint_text}")
    click.echo(f"give {file} to your peers: qgate id accept {Path(file).name}")
    click.echo("to put the new root away: qgate id export --offline")


def _make_heir(
    directory: DataDirectory, file: Path, old: Identity, kind: str | None, passphrase: str | None
) -> Identity:
    """In an order that never leaves a succession whose new root is lost, nor the old root without a file."""
    from quantumgate.core.successions import succeed as sign_succession
    from quantumgate.crypto.identity import Identity
    from quantumgate.node.data_directory import ONLINE_KEY_FILE, write_atomically, write_new

    new = Identity.generate(kind or old.kind)
    here = directory.file(keys.root_name())
    staged = here.with_name(f"{new.public.uuid}.key")
    write_new(staged, new.to_file_bytes(passphrase))
    write_new(file, sign_succession(old, new, now_seconds=int(time.time())).text.encode() + b"\n")
    if here.exists():
        write_atomically(here.with_name(f"{old.public.uuid}.key"), here.read_bytes())
    write_atomically(here, staged.read_bytes())
    directory.forget(ONLINE_KEY_FILE)
    directory.forget(staged.name)
    return new


@click.command(short_help="Take the heir of a peer for that peer.")
@click.argument("file")
@click.option("--yes", is_flag=True, help="Do not ask.")
@place.options
@place.passed
def accept(where: Place, file: str, yes: bool) -> int:
    """Let a peer's new identity stand for the old one: FILE is what it made with qgate id succeed, or that text itself.

    Both roots have signed it. The new one gets the pin, the name and the rules by hand; compare its fingerprint with
    its owner first, for whoever stole the old root could have written such a file, too.

    \b
    Example:
      qgate id accept bob.qgs
    """
    from quantumgate.core.successions import SCHEME

    text = file if file.startswith(SCHEME) else Path(file).read_text(encoding="ascii", errors="replace").strip()
    report = where.ask("succession", text=text)
    if not yes:
        for name in ("old_uuid", "old_fingerprint", "new_uuid", "new_fingerprint", "new_kind", "name"):
            click.echo(f"{name}: {output.printable(report[name])}", err=True)
        if not click.confirm("Has its owner confirmed the new fingerprint?", err=True):
            click.echo("nothing was changed", err=True)
            return 1
    report = where.ask("succession", text=text, take=True)
    if where.json:
        output.as_json(report)
        return 0
    click.echo(f"{report['old_uuid']} is succeeded by {report['new_uuid']}")
    if report["configured"]:
        click.echo("the configuration names the old one: change it there as well, and restart")
    return 0
