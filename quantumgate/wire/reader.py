"""A strict cursor over received bytes: every length is checked before it is used.

Not for: meaning. It raises MalformedError and nothing else. Spec: docs/spec/handshake.md section 1 (conventions).
"""

from __future__ import annotations

from quantumgate.errors import MalformedError

Bytes = bytes | bytearray | memoryview


class Reader:
    """Reads big-endian integers and byte strings from the front; ``finish`` insists that nothing is left."""

    __slots__ = ("_at", "_data", "_end")

    def __init__(self, data: Bytes) -> None:
        self._data = data
        self._at = 0
        self._end = len(data)

    @property
    def remaining(self) -> int:
        """Bytes not read yet."""
        return self._end - self._at

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes, as a copy. Raises MalformedError where fewer are left."""
        start = self._at
        stop = start + count
        if count < 0 or stop > self._end:
            raise MalformedError(f"{count} bytes wanted, {self._end - start} left")
        self._at = stop
        return bytes(self._data[start:stop])

    def _number(self, count: int) -> int:
        return int.from_bytes(self.take(count), "big")

    def u8(self) -> int:
        """One octet."""
        return self._number(1)

    def u16(self) -> int:
        """Two octets, big-endian."""
        return self._number(2)

    def u24(self) -> int:
        """Three octets, big-endian."""
        return self._number(3)

    def u32(self) -> int:
        """Four octets, big-endian."""
        return self._number(4)

    def u64(self) -> int:
        """Eight octets, big-endian."""
        return self._number(8)

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(self.remaining)

    def finish(self) -> None:
        """Raises MalformedError if anything is left."""
        if self.remaining:
            raise MalformedError(f"{self.remaining} bytes too many")
