"""Frames of the directory: to ask a keeper, and to leave a record with it. Spec: docs/spec/discovery.md section 8.

FIND is answered by FOUND, LEAVE by LEFT, each under the number that the asker gave it. Not for: what is near, or
whether a record is true (``core/discovery``, ``core/peer_records.py``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from quantumgate.errors import MalformedError
from quantumgate.wire.limits import ANSWER_NODES, ANSWER_RECORDS, CONTROL_MESSAGE_BYTES, PEER_RECORD_DELEGATED_BYTES
from quantumgate.wire.reader import Reader
from quantumgate.wire.writer import u8, u16, u32

FIND = 0x54
FOUND = 0x55
LEAVE = 0x56
LEFT = 0x57
KEY_BYTES = 32


class Kind(IntEnum):
    """What a record is left as."""

    PEER = 1
    """To be found by who knows the UUID."""

    EXTENDER = 2
    """To be found by who knows the UUID of an extender that it runs."""

    NODE = 3
    """A node that keeps records, where it stands itself."""


class Left(IntEnum):
    """What became of it."""

    KEPT = 0
    FAR = 1
    FULL = 2
    REFUSED = 3


@dataclass(frozen=True, slots=True)
class Find:
    """A question. ``day``: of which day's ring ``key`` is."""

    number: int
    day: int
    key: bytes

    def encode(self) -> bytes:
        """Number, day, key."""
        return u32(self.number) + u32(self.day) + self.key

    @classmethod
    def decode(cls, data: bytes) -> Find:
        """Raises MalformedError."""
        cursor = Reader(data)
        found = cls(cursor.u32(), cursor.u32(), cursor.take(KEY_BYTES))
        cursor.finish()
        return found


@dataclass(frozen=True, slots=True)
class Found:
    """An answer: records kept under the key, and records of nodes nearer to it, as they travel, unread."""

    number: int
    records: tuple[bytes, ...] = ()
    nodes: tuple[bytes, ...] = ()

    def encode(self) -> bytes:
        """Number; each list with its count in front, each record with its length. What is too much is left out: of the
        records so much that half is left for nodes, else long records would end everybody's search here."""
        room = CONTROL_MESSAGE_BYTES - 6
        wanted = sum(2 + len(node) for node in self.nodes[:ANSWER_NODES])
        records = _fitting(self.records[:ANSWER_RECORDS], room - min(wanted, room // 2))
        nodes = _fitting(self.nodes[:ANSWER_NODES], room - len(records) + 1)
        return u32(self.number) + records + nodes

    @classmethod
    def decode(cls, data: bytes) -> Found:
        """Raises MalformedError."""
        cursor = Reader(data)
        found = cls(cursor.u32(), _list(cursor, ANSWER_RECORDS), _list(cursor, ANSWER_NODES))
        cursor.finish()
        return found


@dataclass(frozen=True, slots=True)
class Leave:
    """A record to be kept under ``key``."""

    number: int
    day: int
    kind: Kind
    key: bytes
    record: bytes

    def encode(self) -> bytes:
        """Number, day, kind, key, record."""
        return u32(self.number) + u32(self.day) + u8(self.kind) + self.key + self.record

    @classmethod
    def decode(cls, data: bytes) -> Leave:
        """Raises MalformedError."""
        cursor = Reader(data)
        number, day, kind, key = cursor.u32(), cursor.u32(), cursor.u8(), cursor.take(KEY_BYTES)
        record = cursor.rest()
        if kind not in set(Kind) or not 0 < len(record) <= PEER_RECORD_DELEGATED_BYTES:
            raise MalformedError(f"LEAVE of kind {kind} with a record of {len(record)} bytes")
        return cls(number, day, Kind(kind), key, record)


@dataclass(frozen=True, slots=True)
class LeftAnswer:
    """What became of what was left."""

    number: int
    code: Left

    def encode(self) -> bytes:
        """Number, code."""
        return u32(self.number) + u8(self.code)

    @classmethod
    def decode(cls, data: bytes) -> LeftAnswer:
        """Raises MalformedError, for an unknown code, too."""
        cursor = Reader(data)
        number, code = cursor.u32(), cursor.u8()
        cursor.finish()
        if code not in set(Left):
            raise MalformedError(f"LEFT with code {code}")
        return cls(number, Left(code))


def _fitting(records: Iterable[bytes], room_bytes: int) -> bytes:
    """As many as fit, with their number in front."""
    parts: list[bytes] = []
    used = 1
    for record in records:
        used += 2 + len(record)
        if used > room_bytes:
            break
        parts.append(u16(len(record)) + record)
    return u8(len(parts)) + b"".join(parts)


def _list(cursor: Reader, most: int) -> tuple[bytes, ...]:
    count = cursor.u8()
    if count > most:
        raise MalformedError(f"{count} records in one list of FOUND")
    found = []
    for _ in range(count):
        size = cursor.u16()
        if not 0 < size <= PEER_RECORD_DELEGATED_BYTES:
            raise MalformedError(f"a record of {size} bytes in FOUND")
        found.append(cursor.take(size))
    return tuple(found)
