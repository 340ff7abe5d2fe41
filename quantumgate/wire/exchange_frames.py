"""PEX_GET and PEX: to ask a peer for records of others, and to be given some. Spec: docs/spec/discovery.md section 2.

Not for: what a record says or whether it is true (``wire/peer_records.py``, ``core/peer_records.py``), nor who is told
of whom (``core/discovery``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from quantumgate.errors import MalformedError
from quantumgate.wire.limits import CONTROL_MESSAGE_BYTES, PEER_RECORD_DELEGATED_BYTES, PEX_RECORDS
from quantumgate.wire.reader import Reader
from quantumgate.wire.writer import u8, u16

PEX_GET = 0x50
PEX = 0x51

OWN = 1
"""What a PEX holds: its sender's own record."""

ANSWER = 2
"""What a PEX holds: records of anybody, for whoever sent PEX_GET."""


def encode_get(count: int) -> bytes:
    """The data of PEX_GET: at most so many records, 1 to PEX_RECORDS."""
    return u8(count)


def decode_get(data: bytes) -> int:
    """Raises MalformedError."""
    if len(data) != 1 or not 1 <= data[0] <= PEX_RECORDS:
        raise MalformedError(f"PEX_GET {data.hex():.8}")
    return data[0]


@dataclass(frozen=True, slots=True)
class Told:
    """The data of PEX: records as they travel, none of them looked at. With ``own`` it is one: the sender's."""

    records: tuple[bytes, ...]
    own: bool = False

    def encode(self) -> bytes:
        """What it holds, then each record behind its u16 length."""
        return u8(OWN if self.own else ANSWER) + b"".join(u16(len(one)) + one for one in self.records)

    @classmethod
    def decode(cls, data: bytes) -> Told:
        """Raises MalformedError, for a record that is longer than any may be before it is looked at."""
        cursor = Reader(data)
        what, records = cursor.u8(), list[bytes]()
        while cursor.remaining:
            size = cursor.u16()
            if not 0 < size <= PEER_RECORD_DELEGATED_BYTES or len(records) == PEX_RECORDS:
                raise MalformedError(f"a PEX with a record of {size} bytes after {len(records)} others")
            records.append(cursor.take(size))
        if what not in (OWN, ANSWER) or (what == OWN and len(records) != 1):
            raise MalformedError(f"a PEX of kind {what} with {len(records)} records")
        return cls(tuple(records), what == OWN)


def that_fit(records: Iterable[bytes]) -> Told:
    """An answer with as many of them as a control message holds, the first ones."""
    room, chosen = CONTROL_MESSAGE_BYTES - 1, []
    for one in records:
        room -= len(one) + 2
        if room < 0:
            break
        chosen.append(one)
    return Told(tuple(chosen))
