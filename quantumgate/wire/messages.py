"""The five handshake messages as plaintext: header, TLVs and bodies.

Not for: sealing them (``core/handshake``), lengths of keys (they belong to the group), policy. Everything here raises
MalformedError for what a peer must not send and nothing else. Spec: docs/spec/handshake.md sections 3 to 8.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache

from quantumgate.errors import MalformedError
from quantumgate.wire.limits import OFFER_LIST_IDS, PUZZLE_COUNT, TOKEN_BYTES, VERSION_LIST_IDS
from quantumgate.wire.reader import Reader
from quantumgate.wire.writer import tlv, u8, u16, u16_list, u64

SALT_BYTES = 32
HEADER_BYTES = 16
CONFIRM_BYTES = 64
VERSION = 1
_HEADER = struct.Struct(">BBBBQI")
_SELECT = struct.Struct(">BHHH")
PUZZLE_SEED_BYTES = 32
PUZZLE_NONCE_BYTES = 8
OFFERS_REMEMBERED = 64
ADDRESSED = 1
"""Bit 0 of the flags of an INIT."""


class MessageType(IntEnum):
    """Octet 0 of a header."""

    INIT = 1
    RESP = 2
    FIN = 3
    RETRY = 4
    REFUSE = 5


class Tlv(IntEnum):
    """Types of TLVs. Those below 0x80 are critical: unknown or misplaced ones are a failure."""

    PRIMARIES = 0x01
    SECONDARIES = 0x02
    AEADS = 0x03
    KE_PRIMARY = 0x06
    KE_SECONDARY = 0x07
    COOKIE = 0x08  # reserved, refused
    POW = 0x09
    TOKEN = 0x0A
    ROLE = 0x0B
    VERSIONS = 0x0C
    SELECT = 0x11
    IDENTITY = 0x20
    DELEGATION = 0x21
    SIGNATURE = 0x22
    CONFIRM = 0x23
    ANONYMOUS = 0x24
    SESSION = 0x30
    PAD = 0x80


_TYPES = {int(kind): kind for kind in MessageType}
FIRST_IGNORED_TLV = 0x80
IN_INIT = frozenset(
    {Tlv.PRIMARIES, Tlv.SECONDARIES, Tlv.AEADS, Tlv.KE_PRIMARY, Tlv.KE_SECONDARY, Tlv.TOKEN, Tlv.VERSIONS}
)
IN_INIT_SOLVED = IN_INIT | {Tlv.POW}
IN_EXCHANGE = frozenset({Tlv.KE_PRIMARY, Tlv.KE_SECONDARY, Tlv.SELECT})
IN_PROOF = frozenset({Tlv.IDENTITY, Tlv.SIGNATURE, Tlv.CONFIRM})
IN_PROOF_DELEGATED = IN_PROOF | {Tlv.DELEGATION}
IN_FIN_NAMED = IN_PROOF | {Tlv.ROLE, Tlv.SESSION}
IN_FIN_DELEGATED = IN_FIN_NAMED | {Tlv.DELEGATION}
IN_FIN_ANONYMOUS = frozenset({Tlv.ROLE, Tlv.CONFIRM, Tlv.ANONYMOUS, Tlv.SESSION})
IN_RETRY = frozenset({Tlv.SELECT})
IN_RETRY_PUZZLE = IN_RETRY | {Tlv.POW}
_NOT_IN_EXT = frozenset({Tlv.IDENTITY, Tlv.DELEGATION, Tlv.SIGNATURE, Tlv.CONFIRM, Tlv.ANONYMOUS, Tlv.SESSION, Tlv.PAD})


# -- header --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Header:
    """The 16 bytes of plaintext in front of every message. ``a``: INIT unix ms, RESP bytes of BODY2B, else 0."""

    type: MessageType
    body_bytes: int
    a: int = 0
    flags: int = 0
    version: int = VERSION

    def encode(self) -> bytes:
        """16 bytes."""
        return _HEADER.pack(self.type, self.version, self.flags, 0, self.a, self.body_bytes)

    @classmethod
    def parse(cls, data: bytes) -> Header:
        """Raises MalformedError for an unknown type and for any bit that the type does not define."""
        if len(data) != HEADER_BYTES:
            raise MalformedError(f"a header of {len(data)} bytes")
        kind, version, flags, zero, a, body_bytes = _HEADER.unpack(data)
        if not MessageType.INIT <= kind <= MessageType.REFUSE:
            raise MalformedError(f"message type {kind}")
        if zero or flags & ~(ADDRESSED if kind == MessageType.INIT else 0):
            raise MalformedError("undefined header bits")
        if a and kind > MessageType.RESP:
            raise MalformedError("undefined header field")
        return cls(_TYPES[kind], body_bytes, a, flags, version)


# -- TLVs ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tlvs:
    """``values`` by type (critical ones only); ``ext`` = the TLVs that have no transcript tag of their own, as sent."""

    values: dict[int, bytes]
    ext: bytes


def parse_tlvs(body: bytes, *allowed: frozenset[Tlv]) -> Tlvs:
    """The TLVs of a body, which must hold exactly one of the ``allowed`` sets. Raises MalformedError."""
    values: dict[int, bytes] = {}
    ext = []
    at, end, last = 0, len(body), -1
    while at < end:
        head = int.from_bytes(body[at : at + 4], "big")
        kind, stop = head >> 24, at + 4 + (head & 0xFFFFFF)
        if end - at < 4 or stop > end:
            raise MalformedError("a TLV longer than its body")
        if kind <= last or kind >= FIRST_IGNORED_TLV:
            _check_order(kind, last)
        if kind < FIRST_IGNORED_TLV:
            values[kind] = body[at + 4 : stop]
        if kind not in _NOT_IN_EXT:
            ext.append(body[at:stop])
        at, last = stop, kind
    if values.keys() not in allowed:
        raise MalformedError("TLVs missing or out of place: " + " ".join(f"{kind:#04x}" for kind in values))
    return Tlvs(values, b"".join(ext))


def _check_order(kind: int, last: int) -> None:
    """Ascending, critical ones once, PAD at most once and after all others."""
    if last == Tlv.PAD:
        raise MalformedError("a TLV after PAD")
    if kind != Tlv.PAD and (kind < last or (kind == last and kind < FIRST_IGNORED_TLV)):
        raise MalformedError(f"TLV {kind:#04x} after {last:#04x}")


def pad(value_bytes: int) -> bytes:
    """A PAD TLV of 4 + ``value_bytes`` bytes; nothing for a negative number."""
    return tlv(Tlv.PAD, bytes(value_bytes)) if value_bytes >= 0 else b""


def _ids(value: bytes, width: int, limit: int) -> tuple[int, ...]:
    count, odd = divmod(len(value), width)
    ids = tuple([int.from_bytes(value[i * width : (i + 1) * width], "big") for i in range(count)])
    if odd or not 1 <= count <= limit or len(set(ids)) != count:
        raise MalformedError("a list that is empty, too long, of odd length or with an id twice")
    return ids


@dataclass(frozen=True, slots=True)
class KeyShare:
    """KE_PRIMARY or KE_SECONDARY: u16 group, then a share, key or ciphertext whose length the group knows."""

    group: int
    data: bytes

    def encode(self, kind: Tlv) -> bytes:
        """The whole TLV."""
        return tlv(kind, u16(self.group) + self.data)

    @classmethod
    def parse(cls, value: bytes) -> KeyShare:
        """Of the TLV's value."""
        if len(value) < 2:
            raise MalformedError("a share without its group")
        return cls(int.from_bytes(value[:2], "big"), value[2:])


@dataclass(frozen=True, slots=True)
class Select:
    """What R chose: u8 version, u16 primary, u16 secondary, u16 AEAD."""

    primary: int
    secondary: int
    aead: int
    version: int = VERSION

    def encode(self) -> bytes:
        """The whole TLV, 11 bytes."""
        return tlv(Tlv.SELECT, _SELECT.pack(self.version, self.primary, self.secondary, self.aead))

    @classmethod
    def parse(cls, value: bytes) -> Select:
        """Of the TLV's value."""
        if len(value) != _SELECT.size:
            raise MalformedError(f"a SELECT of {len(value)} bytes")
        version, primary, secondary, aead = _SELECT.unpack(value)
        return cls(primary, secondary, aead, version)


# -- bodies --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Lists:
    """The offer lists: ids in order of preference."""

    primaries: tuple[int, ...]
    secondaries: tuple[int, ...]
    aeads: tuple[int, ...]


@lru_cache(OFFERS_REMEMBERED)
def _lists(primaries: bytes, secondaries: bytes, aeads: bytes) -> Lists:
    """Nearly everybody offers the same. Raises MalformedError."""
    return Lists(*(_ids(value, 2, OFFER_LIST_IDS) for value in (primaries, secondaries, aeads)))


@lru_cache(OFFERS_REMEMBERED)
def _lists_tlvs(lists: Lists) -> bytes:
    return b"".join((
        tlv(Tlv.PRIMARIES, u16_list(lists.primaries)),
        tlv(Tlv.SECONDARIES, u16_list(lists.secondaries)),
        tlv(Tlv.AEADS, u16_list(lists.aeads)),
    ))


@dataclass(frozen=True, slots=True)
class Init:
    """BODY1: the offer and the shares of the preferred pair; ``solution`` of the puzzle of a RETRY, b"" = none."""

    lists: Lists
    primary: KeyShare
    secondary: KeyShare
    token: bytes
    versions: tuple[int, ...] = (VERSION,)
    solution: bytes = b""

    def encode(self, pad_bytes: int) -> bytes:
        """The body; ``pad_bytes`` is the length of the PAD's value."""
        return b"".join((
            _lists_tlvs(self.lists),
            self.primary.encode(Tlv.KE_PRIMARY),
            self.secondary.encode(Tlv.KE_SECONDARY),
            tlv(Tlv.POW, self.solution) if self.solution else b"",
            tlv(Tlv.TOKEN, self.token),
            tlv(Tlv.VERSIONS, bytes(self.versions)),
            pad(pad_bytes),
        ))

    @classmethod
    def parse(cls, body: bytes) -> Init:
        """Raises MalformedError; a share for a group that is not in its list counts as malformed."""
        values = parse_tlvs(body, IN_INIT, IN_INIT_SOLVED).values
        lists = _lists(values[Tlv.PRIMARIES], values[Tlv.SECONDARIES], values[Tlv.AEADS])
        primary, secondary = KeyShare.parse(values[Tlv.KE_PRIMARY]), KeyShare.parse(values[Tlv.KE_SECONDARY])
        if primary.group not in lists.primaries or secondary.group not in lists.secondaries:
            raise MalformedError("a share for a group that is not offered")
        if len(values[Tlv.TOKEN]) != TOKEN_BYTES:
            raise MalformedError("a token of another length")
        solution = values.get(Tlv.POW, b"")
        if Tlv.POW in values and len(solution) != PUZZLE_COUNT * PUZZLE_NONCE_BYTES:
            raise MalformedError(f"a solution of {len(solution)} bytes")
        versions = _ids(values[Tlv.VERSIONS], 1, VERSION_LIST_IDS)
        return cls(lists, primary, secondary, values[Tlv.TOKEN], versions, solution)


@dataclass(frozen=True, slots=True)
class Exchange:
    """BODY2A: R's share, R's ciphertext and the choice."""

    primary: KeyShare
    secondary: KeyShare
    select: Select

    def encode(self) -> bytes:
        """The body."""
        return self.primary.encode(Tlv.KE_PRIMARY) + self.secondary.encode(Tlv.KE_SECONDARY) + self.select.encode()

    @classmethod
    def parse(cls, body: bytes) -> Exchange:
        """Raises MalformedError; the shares must be for the selected groups."""
        values = parse_tlvs(body, IN_EXCHANGE).values
        primary, secondary = KeyShare.parse(values[Tlv.KE_PRIMARY]), KeyShare.parse(values[Tlv.KE_SECONDARY])
        select = Select.parse(values[Tlv.SELECT])
        if (primary.group, secondary.group) != (select.primary, select.secondary):
            raise MalformedError("shares for other groups than the selected ones")
        return cls(primary, secondary, select)


@dataclass(frozen=True, slots=True)
class Proof:
    """BODY2B: who R is, and that it is so. ``delegation``: whose online key signs, b"" = the bundle's own."""

    bundle: bytes
    signature: bytes
    confirm: bytes
    ext: bytes = b""
    delegation: bytes = b""

    def encode(self, pad_bytes: int) -> bytes:
        """The body; ``pad_bytes`` is the length of the PAD's value, negative for none."""
        return b"".join((
            tlv(Tlv.IDENTITY, self.bundle),
            tlv(Tlv.DELEGATION, self.delegation) if self.delegation else b"",
            tlv(Tlv.SIGNATURE, self.signature),
            tlv(Tlv.CONFIRM, self.confirm),
            pad(pad_bytes),
        ))

    @classmethod
    def parse(cls, body: bytes) -> Proof:
        """Raises MalformedError."""
        tlvs = parse_tlvs(body, IN_PROOF, IN_PROOF_DELEGATED)
        values = tlvs.values
        return cls(values[Tlv.IDENTITY], values[Tlv.SIGNATURE], _confirm(values), tlvs.ext, _delegation(values))


@dataclass(frozen=True, slots=True)
class Fin:
    """BODY3: who I is (``bundle`` and ``signature`` empty: nobody), what it comes as, and its SESSION.

    ``delegation``: whose online key signs, b"" = the bundle's own.
    """

    role: int
    bundle: bytes
    signature: bytes
    confirm: bytes
    session: bytes
    ext: bytes = field(default=b"")
    delegation: bytes = b""

    @property
    def anonymous(self) -> bool:
        """Whether ANONYMOUS stands in place of IDENTITY and SIGNATURE."""
        return not self.bundle

    def encode(self, pad_bytes: int) -> bytes:
        """The body; ``pad_bytes`` is the length of the PAD's value, negative for none."""
        return b"".join((
            role_tlv(self.role),
            b"" if self.anonymous else tlv(Tlv.IDENTITY, self.bundle),
            tlv(Tlv.DELEGATION, self.delegation) if self.delegation else b"",
            b"" if self.anonymous else tlv(Tlv.SIGNATURE, self.signature),
            tlv(Tlv.CONFIRM, self.confirm),
            tlv(Tlv.ANONYMOUS, b"") if self.anonymous else b"",
            tlv(Tlv.SESSION, self.session),
            pad(pad_bytes),
        ))

    @classmethod
    def parse(cls, body: bytes) -> Fin:
        """Raises MalformedError."""
        tlvs = parse_tlvs(body, IN_FIN_NAMED, IN_FIN_ANONYMOUS, IN_FIN_DELEGATED)
        values = tlvs.values
        role, bundle = values[Tlv.ROLE], values.get(Tlv.IDENTITY, b"")
        if len(role) != 1 or values.get(Tlv.ANONYMOUS) or (Tlv.IDENTITY in values and not bundle):
            raise MalformedError("ROLE, IDENTITY or ANONYMOUS of another length")
        signature = values.get(Tlv.SIGNATURE, b"")
        return cls(role[0], bundle, signature, _confirm(values), values[Tlv.SESSION], tlvs.ext, _delegation(values))


def role_tlv(role: int) -> bytes:
    """ROLE as sent; it is all of I's ``ext`` that we send."""
    return tlv(Tlv.ROLE, u8(role))


def _delegation(values: dict[int, bytes]) -> bytes:
    if Tlv.DELEGATION in values and not values[Tlv.DELEGATION]:
        raise MalformedError("an empty DELEGATION")
    return values.get(Tlv.DELEGATION, b"")


def _confirm(values: dict[int, bytes]) -> bytes:
    if len(values[Tlv.CONFIRM]) != CONFIRM_BYTES:
        raise MalformedError("CONFIRM of another length")
    return values[Tlv.CONFIRM]


@dataclass(frozen=True, slots=True)
class Puzzle:
    """POW of a RETRY: the seed, and how many leading zero bits each of the sixteen hashes must have."""

    seed: bytes
    bits: int

    def encode(self) -> bytes:
        """The whole TLV."""
        return tlv(Tlv.POW, self.seed + u8(self.bits))

    @classmethod
    def parse(cls, value: bytes) -> Puzzle:
        """Of the TLV's value. How hard a puzzle may be is for whoever would solve it to say."""
        if len(value) != PUZZLE_SEED_BYTES + 1 or not value[-1]:
            raise MalformedError("a puzzle of another length, or of no bits")
        return cls(value[:-1], value[-1])


@dataclass(frozen=True, slots=True)
class Retry:
    """The body of a RETRY: the pair of groups that R wants shares for, in a SELECT, and perhaps a puzzle."""

    select: Select
    puzzle: Puzzle | None = None

    def encode(self, pad_bytes: int) -> bytes:
        """The body; ``pad_bytes`` is the length of the PAD's value, negative for none."""
        asked = b"" if self.puzzle is None else self.puzzle.encode()
        return asked + self.select.encode() + pad(pad_bytes)

    @classmethod
    def parse(cls, body: bytes) -> Retry:
        """Raises MalformedError."""
        values = parse_tlvs(body, IN_RETRY, IN_RETRY_PUZZLE).values
        puzzle = Puzzle.parse(values[Tlv.POW]) if Tlv.POW in values else None
        return cls(Select.parse(values[Tlv.SELECT]), puzzle)


@dataclass(frozen=True, slots=True)
class Refuse:
    """The body of a REFUSE: no TLVs, then zero bytes. ``clock_seconds`` is R's unix time."""

    code: int
    retry_after_seconds: int
    clock_seconds: int

    def encode(self, body_bytes: int) -> bytes:
        """The body, filled with zeros to ``body_bytes``."""
        return (u16(self.code) + u16(self.retry_after_seconds) + u64(self.clock_seconds)).ljust(body_bytes, b"\0")

    @classmethod
    def parse(cls, body: bytes) -> Refuse:
        """Raises MalformedError."""
        reader = Reader(body)
        refuse = cls(reader.u16(), reader.u16(), reader.u64())
        if any(reader.rest()):
            raise MalformedError("REFUSE is filled with zeros")
        return refuse
