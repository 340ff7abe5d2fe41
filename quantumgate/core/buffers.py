"""Buffers that records are received, sealed and opened in, lent while bytes are under way.

An idle session holds none: at thousands of sessions a buffer each would be the greater part of the memory (spec of
the node: at most 40 KiB an idle session). Not for: queues, whose bounds are in ``wire/limits.py``.
"""

from __future__ import annotations

KEPT_BUFFERS = 4
"""Free buffers that are kept for the next borrower; more are given back to the allocator."""


CROWDED_BUFFERS = 64
"""With more lent at once, borrowers that wait for the network keep only the bytes they have."""


class BufferPool:
    """Lends bytearrays of one size. Not thread safe: one pool per reactor."""

    __slots__ = ("_free", "_lent", "size_bytes")

    def __init__(self, size_bytes: int = 640 * 1024) -> None:
        self.size_bytes = size_bytes
        self._free: list[bytearray] = []
        self._lent = 0

    @property
    def crowded(self) -> bool:
        """Whether so many are lent that waiting with one in hand is too much."""
        return self._lent > CROWDED_BUFFERS

    def borrow(self, least_bytes: int = 0) -> bytearray:
        """A bytearray of at least ``least_bytes`` (and at least the pool's size), with unknown content."""
        if least_bytes > self.size_bytes:
            return bytearray(least_bytes)
        self._lent += 1
        return self._free.pop() if self._free else bytearray(self.size_bytes)

    def give_back(self, buffer: bytearray) -> None:
        """The borrower holds no view of it any more."""
        if len(buffer) == self.size_bytes:
            self._lent -= 1
            if len(self._free) < KEPT_BUFFERS:
                self._free.append(buffer)
