"""The file of an online key: whose it is, the delegation, and the key itself, in one piece, so that they always fit.

Bytes in and bytes out; the caller keeps them (mode 0600). Not for: roots' key files (``crypto/identity.py``). Spec:
docs/spec/identity.md, section 9.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from quantumgate.core.delegations import FOR_ALL, Delegation, check_form, check_signature, delegate
from quantumgate.crypto.identity import Identity, PeerIdentity
from quantumgate.crypto.random import RandomSource
from quantumgate.errors import KeyFileError, MalformedError, RemoteProtocolError
from quantumgate.wire.limits import ONLINE_KEY_FILE_BYTES
from quantumgate.wire.reader import Reader
from quantumgate.wire.writer import lp, u8

FORMAT = 2
_DAMAGED = "a damaged online key file"
_ADVICE = "make a new one: qgate id rotate"


@dataclass(frozen=True, slots=True)
class OnlineKeyFile:
    """What the file says openly, and ``key_file``: an ordinary key file of the online key, sealed or not."""

    root: PeerIdentity
    delegation: Delegation
    key_file: bytes = field(repr=False)

    def encode(self) -> bytes:
        """The file's bytes."""
        return u8(FORMAT) + lp(self.root.bundle) + lp(self.delegation.encode()) + self.key_file

    @classmethod
    def decode(cls, data: bytes) -> OnlineKeyFile:
        """Raises KeyFileError unless the root signed the delegation in it; its times are not looked at."""
        try:
            cursor = Reader(data)
            if len(data) > ONLINE_KEY_FILE_BYTES or cursor.u8() != FORMAT:
                raise MalformedError("another format")
            root = PeerIdentity.from_bundle(cursor.take(cursor.u32()))
            delegation = Delegation.decode(cursor.take(cursor.u32()))
            check_form(delegation, root)
            check_signature(delegation, root)
        except RemoteProtocolError as error:
            raise KeyFileError(f"{_DAMAGED}: {error}", advice=_ADVICE) from None
        return cls(root, delegation, cursor.rest())

    def identity(self, passphrase: str | None = None) -> Identity:
        """The online key, speaking for its root. Raises KeyFileError, also for a wrong or missing passphrase."""
        online = Identity.from_file_bytes(self.key_file, passphrase)
        if online.own.bundle != self.delegation.online_bundle:
            raise KeyFileError(f"{_DAMAGED}: another key than the one that was delegated to", advice=_ADVICE)
        return online.act_for(self.root, self.delegation.encode())


def is_online_key(data: bytes) -> bool:
    """Whether a file is meant as one."""
    return data[:1] == u8(FORMAT)


def make(
    root: Identity, *, now_seconds: int, life_seconds: int, last_serial: int = 0, passphrase: str | None = None,
    random: RandomSource | None = None,
) -> OnlineKeyFile:
    """A fresh online key for this root, good from now on. Its serial is larger than the last one, and is never reused.

    ``now_seconds``: unix time. The serial is that time in ms: a root that forgot its last serial goes on where it was.
    """
    online = Identity.generate(root.kind, random)
    delegation = delegate(
        root, online.public, serial=max(now_seconds * 1000, last_serial + 1), not_before_seconds=now_seconds,
        not_after_seconds=now_seconds + life_seconds, usages=FOR_ALL,
    )
    key_file = online.to_file_bytes(passphrase, random)
    online.wipe()
    return OnlineKeyFile(root.own, delegation, key_file)
