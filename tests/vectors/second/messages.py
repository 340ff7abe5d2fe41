"""What MSG frames carry: messages in parts, and the compressed form (messages.md).

Not for credit: channels.py.
"""
from __future__ import annotations

import lz4.block

from .frames import COMPRESSED, FIN, FIRST, LAST, Frame
from .octets import Reader, Refused, require
from .records import padme

RATIO_MAX = 64
RATIO_FROM_OCTETS = 1_048_576
MALFORMED = "malformed"
VIOLATION = "violation"


class Parts:
    """The messages of one channel, part by part."""

    def __init__(self, max_message: int, takes_compressed: bool) -> None:
        self.max_message = max_message
        self.takes_compressed = takes_compressed
        self._partial: bytes | None = None
        self._total = 0
        self._compressed = False

    def take(self, frame: Frame) -> bytes | None:
        """A whole message with its last part."""
        flags, data = frame.flags, frame.data
        if flags == FIN and self._partial is None:
            require(data == b"", MALFORMED, "fin alone carries data")
            return None
        require(bool(flags & FIRST) == (self._partial is None), MALFORMED, "first part")
        require(flags & FIRST != 0 or not flags & COMPRESSED, MALFORMED, "compressed without first")
        require(flags & LAST != 0 or not flags & FIN, MALFORMED, "fin in a part that is not the last")
        if flags & FIRST:
            data = self._begin(frame)
        partial = (self._partial or b"") + data
        require(len(data) > 0 or flags & LAST != 0, MALFORMED, "an empty part")
        require(len(partial) <= self._total, MALFORMED, "more than the total")
        self._partial = partial
        return self._end() if flags & LAST else None

    def _begin(self, frame: Frame) -> bytes:
        reader = Reader(frame.data, MALFORMED)
        self._total = reader.u(4)
        require(self._total <= self.max_message, VIOLATION, "a message too large")
        self._compressed = frame.flags & COMPRESSED != 0
        return reader.rest()

    def _end(self) -> bytes:
        whole, self._partial = self._partial or b"", None
        require(len(whole) == self._total, MALFORMED, "last before the total")
        if not self._compressed:
            return whole
        require(self.takes_compressed, VIOLATION, "compression where none is taken")
        return inflate(whole, self.max_message)


def inflate(form: bytes, max_message: int) -> bytes:
    """The message in a compressed form."""
    reader = Reader(form, VIOLATION)
    raw_octets, block_octets = reader.u(4), reader.u(4)
    require(raw_octets <= max_message, VIOLATION, "too large")
    block = reader.take(block_octets)
    require(padme(8 + block_octets) == len(form), VIOLATION, "not PADME")
    require(raw_octets <= RATIO_FROM_OCTETS or raw_octets <= RATIO_MAX * block_octets, VIOLATION, "ratio")
    require(not any(reader.rest()), VIOLATION, "padding that is not zero")
    try:
        raw = lz4.block.decompress(block, uncompressed_size=raw_octets)
    except lz4.block.LZ4BlockError as error:
        raise Refused(VIOLATION, "a block that does not decode") from error
    require(len(raw) == raw_octets, VIOLATION, "another length")
    return bytes(raw)
