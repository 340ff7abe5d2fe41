"""Invitations as text: one word that can be copied, typed or scanned, and that tells a slip of the pen as such.

Base32 in small letters, for a telephone as well as for a QR code, whose densest letters are capitals: case is ignored,
and so are blanks and ends of lines that a chat put in. The check at the end finds mistakes; whoever alters the rest on
purpose alters the keys that are derived from all of it. Not for: those keys (``core/invitations.py``). Spec:
docs/spec/addresses.md section 3.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from uuid import UUID

from quantumgate.errors import MalformedError
from quantumgate.ids import PeerUUID
from quantumgate.wire.limits import (
    ANCHORS_MAX,
    INVITATION_BYTES,
    INVITATION_SECRET_BYTES,
    PEER_RECORD_ENDPOINTS,
    PETNAME_LETTERS,
    RENDEZVOUS_KEY_BYTES,
)
from quantumgate.wire.link_frames import PEER_UUID_VERSION, LinkEndpoint, read_endpoint
from quantumgate.wire.reader import Reader
from quantumgate.wire.writer import u8, u16, u32

SCHEME = "qgi:"
FORMAT = 1
NETWORK_CHECK_BYTES = 8
FINGERPRINT_BYTES = 32
CHECK_BYTES = 4
INVITATION_LETTERS = len(SCHEME) + -(-INVITATION_BYTES * 8 // 5)
TEXT_LETTERS_MAX = 2 * INVITATION_LETTERS
"""With the blanks and ends of lines that somebody may have put between."""

_SHARED_SECRET = 1
_WITH_FINGERPRINT = 1
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz234567")


@dataclass(frozen=True, slots=True)
class InvitingAnchor:
    """A relay through which the inviter is reached. ``fingerprint`` is empty where the inviter does not know it."""

    uuid: PeerUUID
    fingerprint: bytes
    endpoints: tuple[LinkEndpoint, ...]


@dataclass(frozen=True, slots=True)
class Invitation:
    """What an invitation says. ``network``: 8 bytes that tell one network from another; ``expires``: unix seconds.

    ``shared_secret``: whoever has no shared secret in its configuration cannot come; the secret itself is nowhere here.
    ``name``: what the inviter proposes to be called, or "". ``rendezvous`` goes with ``anchors``.
    """

    uuid: PeerUUID
    fingerprint: bytes
    network: bytes
    expires: int
    secret: bytes = field(repr=False)
    shared_secret: bool = False
    name: str = ""
    endpoints: tuple[LinkEndpoint, ...] = ()
    anchors: tuple[InvitingAnchor, ...] = ()
    rendezvous: bytes = field(default=b"", repr=False)

    @property
    def public_part(self) -> bytes:
        """All but the secret and the check, as it is spelt: what the keys of the invitation are bound to."""
        return self._head() + self._tail()

    def _head(self) -> bytes:
        flags = _SHARED_SECRET * self.shared_secret
        return bytes((FORMAT, flags)) + self.uuid.bytes + self.fingerprint + self.network + u32(self.expires)

    def _tail(self) -> bytes:
        name = self.name.encode("ascii")
        parts = [u8(len(name)), name, _endpoints_bytes(self.endpoints), u8(len(self.anchors))]
        if self.anchors:
            parts += [self.rendezvous, *map(_anchor_bytes, self.anchors)]
        return b"".join(parts)

    def encode(self) -> bytes:
        """The bytes, with the check behind them. Raises ValueError for more than an invitation holds."""
        bare = self._head() + self.secret + self._tail()
        if len(bare) + CHECK_BYTES > INVITATION_BYTES:
            raise ValueError(f"an invitation of {len(bare) + CHECK_BYTES} bytes; {INVITATION_BYTES} is the most")
        return bare + u32(binascii.crc32(bare))

    @property
    def text(self) -> str:
        """The word."""
        return SCHEME + base64.b32encode(self.encode()).decode().rstrip("=").lower()


def is_invitation_text(text: str) -> bool:
    """Whether this is meant as an invitation."""
    return text.strip()[: len(SCHEME)].lower() == SCHEME


def read_invitation(text: str) -> Invitation:
    """The invitation in a text; nothing in it is believed by that. Raises MalformedError, in words for people."""
    if len(text) > TEXT_LETTERS_MAX:
        raise MalformedError(f"longer than any invitation: {len(text)} letters")
    word = "".join(text.split()).lower()
    if not word.startswith(SCHEME):
        raise MalformedError(f"an invitation begins with {SCHEME}")
    data = _bytes_of(word.removeprefix(SCHEME))
    if data[0] != FORMAT:
        raise MalformedError(f"an invitation of format {data[0]}, which a newer version made: update this node")
    found = _parse(Reader(data))
    if found.text != word:
        raise MalformedError("an invitation that is spelt in another way than it was made")
    return found


def _bytes_of(letters: str) -> bytes:
    """Raises MalformedError where the check does not fit: somebody mistyped it, or copied a part."""
    for at, letter in enumerate(letters, 1):
        if letter not in _LETTERS:
            raise MalformedError(f"letter {at} behind {SCHEME} is {letter!r}; there are a-z and 2-7 only")
    try:
        data = base64.b32decode(letters.upper() + "=" * (-len(letters) % 8))
    except binascii.Error:
        raise MalformedError("a part of it is missing") from None
    if len(data) <= CHECK_BYTES or binascii.crc32(data[:-CHECK_BYTES]).to_bytes(4, "big") != data[-CHECK_BYTES:]:
        raise MalformedError("a letter is wrong, missing or too many")
    return data


def _parse(reader: Reader) -> Invitation:
    reader.u8()
    flags = reader.u8()
    if flags & ~_SHARED_SECRET:
        raise MalformedError(f"flags {flags:#x}")
    uuid, fingerprint = _uuid(reader), reader.take(FINGERPRINT_BYTES)
    network, expires = reader.take(NETWORK_CHECK_BYTES), reader.u32()
    secret, name = reader.take(INVITATION_SECRET_BYTES), _name(reader)
    endpoints, anchors = _endpoints(reader), reader.u8()
    if anchors > ANCHORS_MAX:
        raise MalformedError(f"{anchors} anchors")
    rendezvous = reader.take(RENDEZVOUS_KEY_BYTES) if anchors else b""
    behind = tuple(_anchor(reader) for _ in range(anchors))
    reader.take(CHECK_BYTES)
    reader.finish()
    return Invitation(uuid, fingerprint, network, expires, secret, bool(flags & _SHARED_SECRET), name, endpoints,
                      behind, rendezvous)


def _uuid(reader: Reader) -> PeerUUID:
    uuid = UUID(bytes=reader.take(16))
    if uuid.version != PEER_UUID_VERSION:
        raise MalformedError("what is no peer's UUID")
    return PeerUUID(uuid)


def _name(reader: Reader) -> str:
    name = reader.take(reader.u8())
    if len(name) > PETNAME_LETTERS or not name.isascii():
        raise MalformedError(f"a name of {len(name)} bytes")
    return name.decode("ascii")


def _endpoints_bytes(endpoints: tuple[LinkEndpoint, ...]) -> bytes:
    data = b"".join(one.encode() for one in endpoints)
    return u16(len(data)) + data


def _endpoints(reader: Reader) -> tuple[LinkEndpoint, ...]:
    data, at = reader.take(reader.u16()), 0
    found: list[LinkEndpoint] = []
    while at < len(data):
        one, at = read_endpoint(data, at)
        found.append(one)
    if len(found) > PEER_RECORD_ENDPOINTS:
        raise MalformedError(f"{len(found)} endpoints")
    return tuple(found)


def _anchor_bytes(anchor: InvitingAnchor) -> bytes:
    flags = u8(_WITH_FINGERPRINT if anchor.fingerprint else 0)
    return anchor.uuid.bytes + flags + anchor.fingerprint + _endpoints_bytes(anchor.endpoints)


def _anchor(reader: Reader) -> InvitingAnchor:
    uuid, flags = _uuid(reader), reader.u8()
    if flags & ~_WITH_FINGERPRINT:
        raise MalformedError(f"flags {flags:#x} of an anchor")
    fingerprint = reader.take(FINGERPRINT_BYTES) if flags else b""
    endpoints = _endpoints(reader)
    if not endpoints:
        raise MalformedError("an anchor without an endpoint")
    return InvitingAnchor(uuid, fingerprint, endpoints)
