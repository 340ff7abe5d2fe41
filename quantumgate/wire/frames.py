"""Frames: what a record's body is made of. Spec: docs/spec/records.md, sections 3 and 4.

``frame = u8 type | u24 channel | u8 flags | u24 length, data``. The two 32-bit words are packed and unpacked as such,
for this is the hot path. Not for: what a frame means (``core/incoming.py``).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from quantumgate.errors import MalformedError
from quantumgate.wire import limits

HEAD = struct.Struct(">II")
HEAD_AND_TOTAL = struct.Struct(">III")
U16 = struct.Struct(">H")
U32 = struct.Struct(">I")
U64 = struct.Struct(">Q")
_OPEN = struct.Struct(">16sBB")

PADDING = 0x00
NOISE = 0x01
PING = 0x02
PONG = 0x03
CLOSE = 0x04
CH_OPEN = 0x10
CH_ACCEPT = 0x11
CH_RESET = 0x12
MSG = 0x13
WINDOW = 0x14
REKEY_REQ = 0x20
REKEY_RSP = 0x21
KEY_SWITCH = 0x22
SESSION = 0x30
EXT_UPDATE = 0x31
RESERVE = 0x45
RESERVED = 0x46

FIRST = 1
LAST = 2
COMPRESSED = 4
FIN = 8
WHOLE = FIRST | LAST
MSG_FLAGS = FIRST | LAST | COMPRESSED | FIN

LONG_TYPES = frozenset({REKEY_REQ, REKEY_RSP, SESSION, EXT_UPDATE})
CHANNEL_TYPES = frozenset({CH_OPEN, CH_ACCEPT, CH_RESET, MSG, WINDOW})
SINGLE_TYPES = frozenset({NOISE, PING, PONG, CLOSE, KEY_SWITCH, RESERVE, RESERVED})
"""Frames of one piece on channel 0 without flags."""

MESSAGES = 1
BYTE_STREAM = 2
PRIORITIES = (1, 2, 3)
SHORT_LIST_BYTES = 256
"""Lists of extenders up to this length are shared: thousands of sessions hear the same one."""


def frame(kind: int, data: bytes = b"", channel: int = 0, flags: int = 0) -> bytes:
    """One whole frame as bytes. ``data`` is at most 2^24-1 bytes."""
    return HEAD.pack(kind << 24 | channel, flags << 24 | len(data)) + data


@dataclass(frozen=True, slots=True)
class ChannelOpen:
    """The data of CH_OPEN."""

    extender: UUID
    stream: bool
    priority: int
    label: bytes

    def encode(self) -> bytes:
        kind = BYTE_STREAM if self.stream else MESSAGES
        return _OPEN.pack(self.extender.bytes, kind, self.priority) + self.label

    @classmethod
    def decode(cls, data: bytes) -> ChannelOpen:
        """Raises MalformedError."""
        if not _OPEN.size <= len(data) <= _OPEN.size + limits.LABEL_BYTES:
            raise MalformedError(f"CH_OPEN of {len(data)} bytes")
        name, kind, priority = _OPEN.unpack_from(data)
        if kind not in (MESSAGES, BYTE_STREAM) or priority not in PRIORITIES:
            raise MalformedError(f"CH_OPEN of kind {kind}, priority {priority}")
        return cls(extender_of(name), kind == BYTE_STREAM, priority, data[_OPEN.size :])


def encode_reason(code: int, text: str, text_bytes: int) -> bytes:
    """Data of CLOSE and CH_RESET: u16 code, then at most ``text_bytes`` bytes of UTF-8, cut at a character."""
    raw = text.encode(errors="replace")[:text_bytes]
    return U16.pack(code) + raw.decode(errors="ignore").encode()


def decode_reason(data: bytes, text_bytes: int) -> tuple[int, str]:
    """Code and text. What cannot be shown is replaced: the text is for people. Raises MalformedError."""
    if not U16.size <= len(data) <= U16.size + text_bytes:
        raise MalformedError(f"a reason of {len(data)} bytes")
    text = data[U16.size :].decode(errors="replace")
    return U16.unpack_from(data)[0], "".join(c if c.isprintable() else "�" for c in text)


def decode_u64(data: bytes, name: str) -> int:
    """The whole data as u64. Raises MalformedError."""
    if len(data) != U64.size:
        raise MalformedError(f"{name} of {len(data)} bytes")
    value: int = U64.unpack(data)[0]
    return value


def encode_extenders(extenders: tuple[UUID, ...]) -> bytes:
    """A list of extender UUIDs, 16 bytes each."""
    return b"".join(extender.bytes for extender in extenders)


def decode_extenders(data: bytes) -> frozenset[UUID]:
    """Raises MalformedError on a torn or repeated entry."""
    if len(data) % 16:
        raise MalformedError(f"an extender list of {len(data)} bytes")
    return _short_list(bytes(data)) if len(data) <= SHORT_LIST_BYTES else _list_of(data)


def _list_of(data: bytes) -> frozenset[UUID]:
    found = [extender_of(bytes(data[at : at + 16])) for at in range(0, len(data), 16)]
    if len(set(found)) != len(found):
        raise MalformedError("an extender twice in one list")
    return frozenset(found)


_short_list = lru_cache(64)(_list_of)


@lru_cache(256)
def extender_of(name: bytes) -> UUID:
    """The UUID of these 16 bytes."""
    return UUID(bytes=name)
