"""The SESSION block: what each side takes and offers, sent once per side. Spec: docs/spec/session.md, section 1.

``TLV = u8 type, u24 length, value``, ascending; unknown types are ignored at every number. [A25]
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from functools import lru_cache
from uuid import UUID

from quantumgate.errors import MalformedError
from quantumgate.wire import frames, limits

VERSION_NUMBER = 1
LZ4_BLOCK = 1

MAX_RECORD = 0x41
INITIAL_WINDOW = 0x42
MAX_CHANNELS = 0x43
MAX_MESSAGE = 0x44
COMPRESSION = 0x45
NOISE = 0x46
PADDING = 0x47
VERSION = 0x48
FEATURES = 0x49
RESUME = 0x4A
EXTENDERS = 0x4B
ENDPOINTS = 0x4C
RELAY = 0x4D
CLOCK = 0x4E
INSTANCE = 0x4F
REPLACES = 0x50
TOKEN = 0x51
INVITATION = 0x52
INVITATION_PROOF_BYTES = 80
"""Name of an invitation (16) and a signature by its key (64)."""

ENDPOINTS_MAX = 8
ENDPOINT_BYTES = 255
PADDING_MODES = {"off": 0, "padme": 1}
CELLS = 2
"""Cells at depth 0; a larger number is cells that many layers deeper inside a circuit. The other side follows. [A20]"""

_TLV = struct.Struct(">I")
_FOUR_NUMBERS = struct.Struct(">8I")
_TWO_BYTES = struct.Struct(">IBIB")
_INVITATION_HEAD = _TLV.pack(INVITATION << 24 | INVITATION_PROOF_BYTES)
_U32 = (MAX_RECORD, INITIAL_WINDOW, MAX_CHANNELS, MAX_MESSAGE)
_FIXED = {**dict.fromkeys(_U32, 4), PADDING: 1, VERSION: 1, RELAY: 1, CLOCK: 8, INSTANCE: 8, REPLACES: 32, TOKEN: 48,
          INVITATION: INVITATION_PROOF_BYTES}
_NUMBERS = frozenset({*_U32, PADDING, VERSION, RELAY, CLOCK, INSTANCE})


@dataclass(frozen=True, slots=True)
class SessionBlock:
    """The fields of SESSION. Numbers are what the sender *accepts*; the defaults are what an anonymous side sends."""

    max_record: int = 256 * limits.KIB
    initial_window: int = 64 * limits.KIB
    max_channels: int = 512
    max_message: int = limits.MIB
    compression: tuple[int, ...] = (LZ4_BLOCK,)
    padding: int = PADDING_MODES["padme"]
    version: int = VERSION_NUMBER
    features: tuple[int, ...] = ()
    extenders: frozenset[UUID] = frozenset()
    endpoints: tuple[str, ...] = ()
    relay: bool = False
    clock_ms: int | None = None
    instance: int | None = None
    replaces: bytes = field(default=b"", repr=False)
    token: bytes = field(default=b"", repr=False)

    def encode(self) -> bytes:
        """The whole block, types ascending."""
        parts = [
            _FOUR_NUMBERS.pack(
                MAX_RECORD << 24 | 4, self.max_record, INITIAL_WINDOW << 24 | 4, self.initial_window,
                MAX_CHANNELS << 24 | 4, self.max_channels, MAX_MESSAGE << 24 | 4, self.max_message,
            ),
            _tlv(COMPRESSION, _u16_list(self.compression)),
            _TWO_BYTES.pack(PADDING << 24 | 1, self.padding, VERSION << 24 | 1, self.version),
            _tlv(FEATURES, _u16_list(self.features)),
        ]
        if self.extenders:
            parts.append(_extenders_tlv(self.extenders))
        if self.endpoints:
            parts.append(_tlv(ENDPOINTS, b"".join(bytes([len(e.encode())]) + e.encode() for e in self.endpoints)))
        if self.relay:
            parts.append(_tlv(RELAY, b"\x01"))
        if self.clock_ms is not None:
            parts.append(_tlv(CLOCK, frames.U64.pack(self.clock_ms)))
        if self.instance is not None:
            parts.append(_tlv(INSTANCE, frames.U64.pack(self.instance)))
        if self.replaces:
            parts.append(_tlv(REPLACES, self.replaces))
        parts.append(token_tlv(self.token))
        return b"".join(parts)

    @classmethod
    def decode(cls, data: bytes) -> SessionBlock:
        """Raises MalformedError on torn, repeated, descending or out-of-range entries."""
        found = _split(data)
        number = {kind: int.from_bytes(value, "big") for kind, value in found.items() if kind in _NUMBERS}.get
        default = _DEFAULT
        block = cls(
            max_record=number(MAX_RECORD, default.max_record),
            initial_window=number(INITIAL_WINDOW, default.initial_window),
            max_channels=number(MAX_CHANNELS, default.max_channels),
            max_message=number(MAX_MESSAGE, default.max_message),
            compression=_numbers(found.get(COMPRESSION, b"")),
            padding=number(PADDING, 0),
            version=number(VERSION, VERSION_NUMBER),
            features=_numbers(found.get(FEATURES, b"")),
            extenders=frames.decode_extenders(found.get(EXTENDERS, b"")),
            endpoints=_texts(found.get(ENDPOINTS, b"")),
            relay=number(RELAY, 0) == 1,
            clock_ms=number(CLOCK),
            instance=number(INSTANCE),
            replaces=found.get(REPLACES, b""),
            token=found.get(TOKEN, b""),
        )
        _check_range(block)
        return block


_DEFAULT = SessionBlock()
"""The class itself holds slots, not the defaults."""


def _check_range(block: SessionBlock) -> None:
    low, high = limits.MAX_RECORD_RANGE_BYTES
    if not low <= block.max_record <= high:
        raise MalformedError(f"max_record {block.max_record}")
    if not 1 <= block.max_message <= limits.MAX_MESSAGE_CEILING_BYTES:
        raise MalformedError(f"max_message {block.max_message}")
    if block.initial_window < limits.FIRST_WINDOW_BYTES or block.max_channels < limits.FIRST_CHANNELS:
        raise MalformedError(f"initial window {block.initial_window} and {block.max_channels} channels are too few")


def _split(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    data = bytes(data)
    at, last, end, unpack, fixed = 0, -1, len(data), _TLV.unpack_from, _FIXED.get
    while at < end:
        if at + 4 > end:
            raise MalformedError("SESSION ends inside a TLV")
        (word,) = unpack(data, at)
        kind, length = word >> 24, word & 0xFFFFFF
        at += 4
        stop = at + length
        if kind <= last or stop > end:
            raise MalformedError(f"SESSION TLV {kind:#x} of {length} bytes after {last:#x}")
        if fixed(kind, length) != length:
            raise MalformedError(f"SESSION TLV {kind:#x} of {length} bytes")
        found[kind] = data[at:stop]
        at, last = stop, kind
    return found


def _tlv(kind: int, value: bytes) -> bytes:
    return _TLV.pack(kind << 24 | len(value)) + value


def invitation_tlv(proof: bytes) -> bytes:
    """INVITATION, which comes behind a dialler's whole block: it is made when the rest is settled."""
    return _tlv(INVITATION, proof)


def invitation_in(session: bytes) -> bytes:
    """The value of INVITATION in an encoded block; b"" where there is none, or the block is torn."""
    if _INVITATION_HEAD not in session:
        return b""
    try:
        return _split(session).get(INVITATION, b"")
    except MalformedError:
        return b""


@lru_cache(16)
def _extenders_tlv(extenders: frozenset[UUID]) -> bytes:
    """Our own list: one value for many sessions."""
    return _tlv(EXTENDERS, frames.encode_extenders(tuple(sorted(extenders))))


def token_tlv(token: bytes) -> bytes:
    """TOKEN, the last type of a listener's block: so one that is encoded already can be given one. b"" for none."""
    return _tlv(TOKEN, token) if token else b""


def _u16_list(values: tuple[int, ...]) -> bytes:
    return b"".join([value.to_bytes(2, "big") for value in values])


def _numbers(data: bytes) -> tuple[int, ...]:
    if len(data) % 2:
        raise MalformedError("a torn list of u16")
    return struct.unpack(f">{len(data) // 2}H", data)


def _texts(data: bytes) -> tuple[str, ...]:
    """Endpoints as ``u8 length, UTF-8``, at most ENDPOINTS_MAX."""
    texts: list[str] = []
    at = 0
    while at < len(data):
        end = at + 1 + data[at]
        if end > len(data) or len(texts) == ENDPOINTS_MAX:
            raise MalformedError("a torn or too long list of endpoints")
        try:
            texts.append(data[at + 1 : end].decode())
        except UnicodeDecodeError:
            raise MalformedError("an endpoint that is not UTF-8") from None
        at = end
    return tuple(texts)
