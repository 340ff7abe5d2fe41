"""Private keys at the command line: opened, made, described. What ``qgate id`` and ``qgate init`` share.

Not for: formats (``crypto/identity.py``, ``core/online_key.py``) or the data directory (``node/data_directory.py``).
"""

from __future__ import annotations

import time
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


def write_online_key(directory: DataDirectory, root: Identity, days: int, passphrase: str | None) -> OnlineKeyFile:
    """A fresh online key in the place of the one that is there. Sealed where there is a passphrase."""
    from quantumgate.core.online_key import make
    from quantumgate.node.data_directory import ONLINE_KEY_FILE, write_atomically

    former = directory.online_key()
    online = make(root, now_seconds=int(time.time()), life_seconds=days * DAY_SECONDS, passphrase=passphrase,
                  last_serial=former.delegation.serial if former else 0)
    write_atomically(directory.file(ONLINE_KEY_FILE), online.encode())
    return online


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
