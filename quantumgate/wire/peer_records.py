"""Signed peer records as bytes: who a peer is, where it listens, what it does for others, and until when.

One spelling for each record: what is not exactly how ``encode`` spells it is malformed. Not for: signatures and times,
which ``core/peer_records.py`` judges. Spec: docs/spec/peer-records.md, sections 1 and 2. [A18]
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from quantumgate.errors import MalformedError
from quantumgate.ids import PeerUUID
from quantumgate.wire import limits
from quantumgate.wire.link_frames import PEER_UUID_VERSION, LinkEndpoint, read_endpoint
from quantumgate.wire.reader import Reader
from quantumgate.wire.writer import tlv, u8, u16, u64

FORMAT = 1

NETWORK = 0x01
BUNDLE = 0x02
DELEGATION = 0x03
SEQ = 0x04
NOT_AFTER = 0x05
CAPABILITIES = 0x06
ENDPOINTS = 0x07
VIA = 0x08
RENDEZVOUS = 0x09
FAMILY = 0x0A
EXTENDERS = 0x0B
IGNORED_FROM = 0x80
SIGNATURE = 0xFF

CAPABLE_OF_RELAY = 0x0001
PUBLIC = 0x0002
"""Anybody may be told of it: else it is passed on among peers who name its owner, and to nobody else."""
NETWORK_BYTES, FINGERPRINT_BYTES, RENDEZVOUS_BYTES, EXTENDER_BYTES = 32, 32, 32, 16
_EXACT = {NETWORK: NETWORK_BYTES, SEQ: 8, NOT_AFTER: 8, CAPABILITIES: 2, RENDEZVOUS: RENDEZVOUS_BYTES}
_NEEDED = (NETWORK, BUNDLE, SEQ, NOT_AFTER, CAPABILITIES)
_KNOWN = frozenset((*_NEEDED, DELEGATION, ENDPOINTS, VIA, RENDEZVOUS, FAMILY, EXTENDERS))

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Anchor:
    """Through whom a peer that cannot be dialled is reached. ``voucher`` may be empty where it would not fit."""

    uuid: PeerUUID
    fingerprint: bytes
    voucher: bytes = b""

    def encode(self) -> bytes:
        """UUID, fingerprint, voucher with its length."""
        return self.uuid.bytes + self.fingerprint + u16(len(self.voucher)) + self.voucher


@dataclass(frozen=True, slots=True)
class PeerRecord:
    """What a peer says of itself. ``seq_ms``: unix time; ``not_after_seconds``: the same in seconds; newest seq counts.

    ``network``: the 32 bytes that name the network. ``delegation``: what the root, whose bundle this is, signed for the
    online key that signs the record, b"" = none. ``extenders``: hashes, ascending. ``extras``: TLVs of types from 0x80
    that we do not know, kept so that the record stays what was signed.
    """

    network: bytes
    bundle: bytes
    seq_ms: int
    not_after_seconds: int
    capabilities: int = 0
    endpoints: tuple[LinkEndpoint, ...] = ()
    via: tuple[Anchor, ...] = ()
    rendezvous: bytes = b""
    family: str = ""
    extenders: tuple[bytes, ...] = ()
    extras: tuple[tuple[int, bytes], ...] = ()
    delegation: bytes = b""

    @property
    def relay(self) -> bool:
        """Whether it says that it carries links for others."""
        return bool(self.capabilities & CAPABLE_OF_RELAY)

    @property
    def public(self) -> bool:
        """Whether its owner wants anybody to be told of it."""
        return bool(self.capabilities & PUBLIC)

    def encode(self) -> bytes:
        """The signed part: format, then TLVs ascending; empty ones are left out."""
        optional = (
            (ENDPOINTS, b"".join(one.encode() for one in self.endpoints)),
            (VIA, b"".join(one.encode() for one in self.via)),
            (RENDEZVOUS, self.rendezvous),
            (FAMILY, self.family.encode()),
            (EXTENDERS, b"".join(self.extenders)),
        )
        parts = [
            u8(FORMAT),
            tlv(NETWORK, self.network),
            tlv(BUNDLE, self.bundle),
            tlv(DELEGATION, self.delegation) if self.delegation else b"",
            tlv(SEQ, u64(self.seq_ms)),
            tlv(NOT_AFTER, u64(self.not_after_seconds)),
            tlv(CAPABILITIES, u16(self.capabilities)),
        ]
        parts += [tlv(kind, value) for kind, value in optional if value]
        return b"".join(parts + [tlv(kind, value) for kind, value in self.extras])

    @classmethod
    def decode(cls, data: bytes) -> PeerRecord:
        """Of the signed part. Raises MalformedError for anything that ``encode`` would not have spelt so."""
        found = dict(_split(data))
        missing = [kind for kind in _NEEDED if kind not in found]
        if missing:
            raise MalformedError(f"a peer record without TLV {missing[0]:#x}")
        record = cls(
            network=found[NETWORK],
            bundle=found[BUNDLE],
            seq_ms=int.from_bytes(found[SEQ], "big"),
            not_after_seconds=int.from_bytes(found[NOT_AFTER], "big"),
            capabilities=int.from_bytes(found[CAPABILITIES], "big"),
            endpoints=_many(found.get(ENDPOINTS, b""), _endpoint, limits.PEER_RECORD_ENDPOINTS, "endpoints"),
            via=_many(found.get(VIA, b""), _anchor, limits.PEER_RECORD_VIA, "anchors"),
            rendezvous=found.get(RENDEZVOUS, b""),
            family=_family(found.get(FAMILY, b"")),
            extenders=_many(found.get(EXTENDERS, b""), _extender, limits.PEER_RECORD_EXTENDERS, "extenders"),
            delegation=found.get(DELEGATION, b""),
            extras=tuple((kind, value) for kind, value in found.items() if kind >= IGNORED_FROM),
        )
        _check(record)
        if record.encode() != data:
            raise MalformedError("a peer record in another spelling")
        return record


@dataclass(frozen=True, slots=True)
class SignedPeerRecord:
    """A record and the signature under it. ``body`` is what was signed, byte for byte."""

    record: PeerRecord
    body: bytes
    signature: bytes

    def encode(self) -> bytes:
        """As it travels."""
        return self.body + tlv(SIGNATURE, self.signature)

    @classmethod
    def decode(cls, data: bytes) -> SignedPeerRecord:
        """Well formed, no more: nothing is verified. Raises MalformedError, for more than 16 KiB before it reads."""
        if len(data) > limits.PEER_RECORD_DELEGATED_BYTES:
            raise MalformedError(f"a peer record of {len(data)} bytes")
        at = 1
        while at + 4 <= len(data) and data[at] != SIGNATURE:
            at += 4 + int.from_bytes(data[at + 1 : at + 4], "big")
        cursor = Reader(data[at:])
        if cursor.remaining < 4 or cursor.u8() != SIGNATURE:
            raise MalformedError("a peer record without a signature")
        signature = cursor.take(cursor.u24())
        cursor.finish()
        if not signature:
            raise MalformedError("a peer record with an empty signature")
        body = bytes(data[:at])
        return cls(PeerRecord.decode(body), body, signature)


def _split(data: bytes) -> Iterator[tuple[int, bytes]]:
    cursor, last = Reader(data), 0
    if not data or cursor.u8() != FORMAT:
        raise MalformedError("a peer record of no known format")
    while cursor.remaining:
        kind, size = cursor.u8(), cursor.u24()
        value = cursor.take(size)
        if kind <= last or (kind < IGNORED_FROM and kind not in _KNOWN) or kind == SIGNATURE:
            raise MalformedError(f"TLV {kind:#x} after {last:#x} in a peer record")
        if _EXACT.get(kind, size) != size:
            raise MalformedError(f"TLV {kind:#x} of {size} bytes in a peer record")
        last = kind
        yield kind, value


def _many(data: bytes, read: Callable[[bytes, int], tuple[_T, int]], most: int, name: str) -> tuple[_T, ...]:
    found: list[_T] = []
    at = 0
    while at < len(data):
        if len(found) == most:
            raise MalformedError(f"more than {most} {name} in a peer record")
        one, at = read(data, at)
        found.append(one)
    return tuple(found)


def _endpoint(data: bytes, at: int) -> tuple[LinkEndpoint, int]:
    endpoint, end = read_endpoint(data, at)
    if not endpoint.port:
        raise MalformedError("port 0 in a peer record")
    return endpoint, end


def _anchor(data: bytes, at: int) -> tuple[Anchor, int]:
    cursor = Reader(data[at:])
    uuid, fingerprint = UUID(bytes=cursor.take(16)), cursor.take(FINGERPRINT_BYTES)
    voucher = cursor.take(cursor.u16())
    if uuid.version != PEER_UUID_VERSION:
        raise MalformedError("an anchor that is no peer's UUID in a peer record")
    return Anchor(PeerUUID(uuid), fingerprint, voucher), len(data) - cursor.remaining


def _extender(data: bytes, at: int) -> tuple[bytes, int]:
    return Reader(data[at:]).take(EXTENDER_BYTES), at + EXTENDER_BYTES


def _family(data: bytes) -> str:
    if len(data) > limits.PEER_RECORD_FAMILY_BYTES:
        raise MalformedError(f"a family of {len(data)} bytes in a peer record")
    try:
        family = data.decode()
    except UnicodeDecodeError:
        raise MalformedError("a family that is not UTF-8 in a peer record") from None
    if not family.isprintable():
        raise MalformedError("a family with unprintable characters in a peer record")
    return family


def _check(record: PeerRecord) -> None:
    """What order and doubling would make ambiguous."""
    names = [one.uuid for one in record.via]
    if len(set(names)) != len(names) or len(set(record.endpoints)) != len(record.endpoints):
        raise MalformedError("an endpoint or an anchor twice in a peer record")
    if list(record.extenders) != sorted(set(record.extenders)):
        raise MalformedError("extenders out of order in a peer record")
