"""Invitations (addresses.md sections 3 to 5): their text, their keys, the proof of who has one.

Not for what an inviter answers: that is between it and its people.
"""
from __future__ import annotations

import base64
import re
import zlib
from dataclasses import dataclass

from .crypto import expand, extract, sha512
from .identity import Identity, verify
from .octets import Reader, Refused, lp, require, u
from .peer_records import Place, is_address, read_place

CHECK, MALFORMED, UNKNOWN = "check", "malformed", "unknown"
SECRET_AT, SECRET_OCTETS = 62, 20
ED25519 = 1


@dataclass(frozen=True)
class Behind:
    """One anchor; the fingerprint is empty where none was given."""

    uuid: bytes
    fingerprint: bytes
    places: tuple[Place, ...]


@dataclass(frozen=True)
class Invitation:
    """What an invitation says; `body` is all of it but the check."""

    body: bytes
    with_psk: bool
    uuid: bytes
    fingerprint: bytes
    network: bytes
    expires: int
    secret: bytes
    name: str
    places: tuple[Place, ...]
    rendezvous: bytes
    anchors: tuple[Behind, ...]


def read_text(text: str) -> Invitation:
    """The invitation in a text, or Refused."""
    word = re.sub(r"\s", "", text).lower()
    require(word.startswith("qgi:"), MALFORMED, "another scheme")
    letters = word[4:]
    require(re.fullmatch("[a-z2-7]*", letters) is not None, CHECK, "another letter")
    require(len(letters) % 8 not in (1, 3, 6), CHECK, "no length of base32")
    octets = base64.b32decode(letters.upper() + "=" * (-len(letters) % 8))
    require(base64.b32encode(octets).decode().lower().rstrip("=") == letters, CHECK, "bits left over")
    body, check = octets[:-4], octets[-4:]
    require(u(4, zlib.crc32(body)) == check, CHECK, "the CRC")
    require(len(octets) <= 2048, MALFORMED, "too long")
    return _read(body)


def _read(body: bytes) -> Invitation:
    reader = Reader(body, MALFORMED)
    require(reader.take(1) == b"\x01", MALFORMED, "another format")
    flags = reader.take(1)[0]
    require(flags in (0, 1), MALFORMED, "flags")
    uuid, fingerprint, network = _peer(reader), reader.take(32), reader.take(8)
    expires, secret = int.from_bytes(reader.take(4), "big"), reader.take(SECRET_OCTETS)
    name = reader.take(reader.take(1)[0])
    require(len(name) <= 32 and name.isascii(), MALFORMED, "the name")
    places, count = _places(reader), reader.take(1)[0]
    require(count <= 3, MALFORMED, "too many anchors")
    rendezvous = reader.take(32) if count else b""
    anchors = tuple(_behind(reader) for _ in range(count))
    require(not reader.left, MALFORMED, "more behind")
    return Invitation(body, bool(flags), uuid, fingerprint, network, expires, secret, name.decode(), places, rendezvous,
                      anchors)


def _peer(reader: Reader) -> bytes:
    uuid = reader.take(16)
    require(uuid[6] >> 4 == 8 and uuid[8] >> 6 == 2, MALFORMED, "no peer's UUID")
    return uuid


def _places(reader: Reader) -> tuple[Place, ...]:
    inside = Reader(reader.take(int.from_bytes(reader.take(2), "big")), MALFORMED)
    found = []
    while inside.left:
        named = inside.data[inside.at] == 1
        found.append(read_place(inside))
        require(not (named and is_address(found[-1][0])), MALFORMED, "an address as a name")
    require(len(found) <= 8, MALFORMED, "too many endpoints")
    return tuple(found)


def _behind(reader: Reader) -> Behind:
    uuid, flags = _peer(reader), reader.take(1)[0]
    require(flags in (0, 1), MALFORMED, "flags of an anchor")
    fingerprint = reader.take(32) if flags else b""
    places = _places(reader)
    require(bool(places), MALFORMED, "an anchor without an endpoint")
    return Behind(uuid, fingerprint, places)


def keys_of(invitation: Invitation) -> tuple[bytes, bytes]:
    """(id, seed)."""
    rest = invitation.body[:SECRET_AT] + invitation.body[SECRET_AT + SECRET_OCTETS:]
    start, bound = extract(b"QuantumGate/1 invitation", invitation.secret), lp(sha512(rest))
    return expand(start, b"qg1 invitation id" + bound, 16), expand(start, b"qg1 invitation key" + bound, 32)


def proof(invitation: Invitation, transcript: bytes) -> bytes:
    """The value of TLV 0x52."""
    name, seed = keys_of(invitation)
    return name + Identity.from_seeds(ED25519, seed).sign("invitation", sha512(name + transcript), b"")


def check_proof(value: bytes, known: dict[bytes, bytes], transcript: bytes) -> bytes:
    """The id of the invitation that is proved; `known` maps ids to bundles. Refused where there is none."""
    require(len(value) == 80 and value[:16] in known, UNKNOWN)
    try:
        verify(known[value[:16]], "invitation", sha512(value[:16] + transcript), value[16:], UNKNOWN)
    except Refused:
        raise Refused(UNKNOWN) from None
    return value[:16]
