"""Records: two boxes each, counted per key and direction (records.md sections 1, 2 and 5).

Not for what is in a body: frames.py.
"""
from __future__ import annotations

from .crypto import TAG_OCTETS
from .octets import require, u
from .schedule import Ledger

HEADER_BOX_OCTETS = 4 + TAG_OCTETS
RECORD_OVERHEAD = HEADER_BOX_OCTETS + TAG_OCTETS
PADME_LEAST = 256


class Way:
    """One direction under one key, for its sender or for a receiver; `s` counts its records."""

    def __init__(self, ledger: Ledger, way: str, epoch: int, aead: int) -> None:
        self.ledger = ledger
        self.behind = f" epoch {epoch}" if epoch else ""
        self.keys = f"ap {way}{self.behind}"
        self.way = way
        self.aead = aead
        self.s = 0

    def _names(self) -> tuple[str, str]:
        number = f"{self.way} {self.s}{self.behind}"
        return f"record header {number}", f"record body {number}"

    def seal(self, body: bytes) -> bytes:
        """The next record with this body."""
        header_name, body_name = self._names()
        box = self.ledger.seal(header_name, self.keys, 2 * self.s, b"", u(3, len(body)) + b"\0", self.aead)
        record = box + self.ledger.seal(body_name, self.keys, 2 * self.s + 1, box, body, self.aead)
        self.s += 1
        return record

    def open(self, wire: bytes, max_record: int, *, least: int = 1) -> tuple[bytes, bytes]:
        """The body of the next record, and what stands behind it. Only a sample of boxes may be of 0 octets."""
        header_name, body_name = self._names()
        require(len(wire) >= HEADER_BOX_OCTETS, "record", "too few octets")
        box = wire[:HEADER_BOX_OCTETS]
        header = self.ledger.unseal(header_name, self.keys, 2 * self.s, b"", box, self.aead)
        length = int.from_bytes(header[:3], "big")
        require(least <= length <= max_record and header[3] == 0, "record", f"a header for {length} octets")
        end = HEADER_BOX_OCTETS + length + TAG_OCTETS
        require(len(wire) >= end, "record", "too few octets")
        body = self.ledger.unseal(body_name, self.keys, 2 * self.s + 1, box, wire[HEADER_BOX_OCTETS:end], self.aead)
        self.s += 1
        return body, wire[end:]


def padme(length: int) -> int:
    """PADME of a length."""
    if length < 2:
        return length
    e = length.bit_length() - 1
    low = e - e.bit_length()
    return (length + (1 << low) - 1) >> low << low


def padded(body: bytes, mode: int, largest: int) -> bytes:
    """The body with the padding of a mode, for a sender whose largest record has so many octets."""
    if mode == 0:
        return body
    total = max(padme(len(body) + RECORD_OVERHEAD), PADME_LEAST)
    return body.ljust(max(min(total, largest) - RECORD_OVERHEAD, len(body)), b"\0")
