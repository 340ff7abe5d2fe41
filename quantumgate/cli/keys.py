"""Private keys at the command line: opened, made, described. What ``qgate id`` and ``qgate init`` share.

Not for: formats (``crypto/identity.py``, ``core/online_key.py``) or the data directory (``node/data_directory.py``).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from quantumgate.cli.place import Place
from quantumgate.errors import LocalError

if TYPE_CHECKING:
    from quantumgate.core.online_key import OnlineKeyFile
    from quantumgate.crypto.identity import Identity, PeerIdentity
    from quantumgate.node.data_directory import DataDirectory

KINDS = ("ed25519", "ed25519+mldsa65", "ed448", "ed448+mldsa87")
DAY_SECONDS = 86_400
DAYS_MAX = 90

days = click.option("--days", type=click.IntRange(1, DAYS_MAX), default=DAYS_MAX, show_default=True,
                    help="How long an online key is good.")


def directory_of(where: Place) -> DataDirectory:
    """The data directory, not locked."""
    from quantumgate.node.data_directory import DataDirectory

    return DataDirectory(where.data)


@contextmanager
def alone(directory: DataDirectory) -> Iterator[None]:
    """No node runs on it, and nobody else changes its keys. Raises LocalError, DirectoryInUse where one does."""
    with directory.keys_alone():
        directory.lock()
        try:
            yield
        finally:
            directory.unlock()


@contextmanager
def changed(directory: DataDirectory) -> Iterator[bool]:
    """Its online key may be replaced meanwhile, and by nobody else. Yields whether a node runs on it."""
    from quantumgate.node.data_directory import DirectoryInUse

    with directory.keys_alone():
        try:
            directory.lock()
        except DirectoryInUse:
            yield True
            return
        try:
            yield False
        finally:
            directory.unlock()


def take_up(where: Place) -> None:
    """The node that runs here takes the key that was just written. Raises LocalError where it does not."""
    from quantumgate.control.client import NodeRefused, NoNodeRunning

    try:
        where.ask("key.renew")
    except NoNodeRunning:
        raise LocalError("the new key is there, but the node that runs here does not answer", advice="start it again"
                         ) from None
    except NodeRefused as error:
        raise LocalError(f"the new key is there, but the node that runs here did not take it: {error}",
                         advice=error.advice or "start it again") from None


def passphrase_of(file: str | None, *, confirm: bool = False, prompt: str = "Passphrase") -> str:
    """From a file, or from whoever sits there."""
    if file is None:
        return str(click.prompt(prompt, hide_input=True, confirmation_prompt=confirm, err=True))
    text = Path(file).read_text(encoding="utf-8").removesuffix("\n")
    if not text:
        raise LocalError(f"{file}: expected a passphrase, found an empty file")
    return text


def root_name() -> str:
    """The file of the root in a data directory."""
    from quantumgate.node.data_directory import IDENTITY_FILE

    return IDENTITY_FILE


def read_root(path: Path, passphrase_file: str | None = None) -> tuple[Identity, str | None]:
    """The root in a key file, and the passphrase that opened it, None = it was not sealed."""
    from quantumgate.crypto.identity import Identity, needs_passphrase
    from quantumgate.node.data_directory import ONLINE_KEY_FILE

    try:
        data = path.read_bytes()
    except FileNotFoundError:
        if path.with_name(ONLINE_KEY_FILE).exists():
            raise LocalError(f"{path}: the root key is not here, only an online key",
                             advice="give the file that it was exported to") from None
        raise LocalError(f"{path}: there is no identity yet", advice="qgate init makes one") from None
    passphrase = passphrase_of(passphrase_file, prompt=f"Passphrase of {path.name}") if needs_passphrase(data) else None
    return Identity.from_file_bytes(data, passphrase), passphrase


def check_seal(directory: DataDirectory, passphrase: str | None) -> None:
    """Raises LocalError where an online key that is sealed would be followed by one that lies open."""
    from quantumgate.crypto.identity import needs_passphrase

    former = directory.online_key()
    if former is not None and passphrase is None and needs_passphrase(former.key_file):
        raise LocalError(
            "the online key here is sealed, and the one in its place would lie open, for the root here is not sealed",
            advice="qgate id rotate --online-passphrase-file, then qgate id export, and remove identity.key",
        )


def write_online_key(directory: DataDirectory, root: Identity, days: int, passphrase: str | None) -> OnlineKeyFile:
    """A fresh online key in the place of the one that is there. Sealed where there is a passphrase."""
    from quantumgate.core.online_key import make
    from quantumgate.node.data_directory import ONLINE_KEY_FILE, write_atomically

    former = directory.online_key()
    online = make(root, now_seconds=int(time.time()), life_seconds=days * DAY_SECONDS, passphrase=passphrase,
                  last_serial=former.delegation.serial if former else 0)
    write_atomically(directory.file(ONLINE_KEY_FILE), online.encode())
    return online


def read_online_key(file: str, data: bytes, passphrase_file: str | None, *, sealed: bool) -> OnlineKeyFile:
    """An online key that was made elsewhere, opened for a look whether it is whole; unsealed unless ``sealed``."""
    from quantumgate.core.delegations import FOR_HANDSHAKE, check_terms
    from quantumgate.core.online_key import OnlineKeyFile
    from quantumgate.crypto.identity import needs_passphrase
    from quantumgate.errors import ViolationError
    from quantumgate.node.data_directory import ROTATE

    found = OnlineKeyFile.decode(data)
    try:
        check_terms(found.delegation, usage=FOR_HANDSHAKE, now_ms=int(time.time() * 1000))
    except ViolationError as error:
        raise LocalError(f"{file}: no peer would take it: {error}", advice=ROTATE) from None
    closed = needs_passphrase(found.key_file)
    if sealed and not closed:
        raise LocalError(f"{file}: this online key is not sealed", advice="leave --sealed out, or make one that is")
    words = passphrase_of(passphrase_file, prompt=f"Passphrase of {Path(file).name}") if closed else None
    opened = found.identity(words)
    return found if sealed or not closed else replace(found, key_file=opened.to_file_bytes())


def check_follows(directory: DataDirectory, new: OnlineKeyFile) -> None:
    """Raises LocalError where it cannot take the place of what is in the directory."""
    from quantumgate.crypto.identity import needs_passphrase
    from quantumgate.node.data_directory import ROTATE

    former = directory.online_key()
    if former is None:
        if directory.has_identity:
            raise LocalError(f"{directory.path}: the root itself is here", advice="qgate id rotate makes an online key")
        return
    if former.root != new.root:
        raise LocalError(f"this online key is for {new.root.uuid}, the identity here is {former.root.uuid}",
                         advice="use another data directory with --data")
    if new.delegation.serial <= former.delegation.serial:
        raise LocalError(f"this online key is not newer than the one here (serial {new.delegation.serial}, here is "
                         f"{former.delegation.serial})", advice=ROTATE)
    if needs_passphrase(former.key_file) and not needs_passphrase(new.key_file):
        raise LocalError("the online key here is sealed, and its successor is to be sealed as well",
                         advice="--sealed keeps it as it is in the file")


def described_online(online: OnlineKeyFile, where: Place) -> dict[str, Any]:
    """An identity whose root may be elsewhere."""
    from quantumgate.crypto.identity import PeerIdentity

    one = online.delegation
    return {
        **described(online.root),
        "root": "here" if (where.data / root_name()).exists() else "elsewhere",
        "online_key": PeerIdentity.from_bundle(one.online_bundle).fingerprint_text,
        "serial": one.serial,
        "not_after": one.not_after_seconds,
        "days_left": max(0, -((int(time.time()) - one.not_after_seconds) // DAY_SECONDS)),
    }


def described(public: PeerIdentity) -> dict[str, Any]:
    """An identity as people see it."""
    return {"uuid": str(public.uuid), "kind": public.kind_name, "fingerprint": public.fingerprint_text,
            "address": f"qg://{public.uuid}.{public.fingerprint_text}@HOST:9999"}
