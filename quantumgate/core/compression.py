"""When compression of a message is tried, and when a channel is left alone. Spec: docs/spec/messages.md, 3. [A38]

Not for: the compressed form and its checks (``wire/compressed.py``).
"""

from __future__ import annotations

from quantumgate.wire import limits
from quantumgate.wire.compressed import deflate


class CompressionChoice:
    """Decides message by message whether to try, for one channel: what gained nothing twice is left alone awhile."""

    __slots__ = ("_misses", "_skip", "_skip_next")

    def __init__(self) -> None:
        self._misses = 0
        self._skip = 0
        self._skip_next = limits.COMPRESS_SKIP_MIN

    def shrink(self, message: bytes) -> bytes | None:
        """The compressed form, or None where it does not pay."""
        if len(message) < limits.COMPRESS_MIN_BYTES:
            return None
        if self._skip:
            self._skip -= 1
            return None
        shrunk = deflate(message)
        if shrunk is None:
            self._missed()
        else:
            self._misses, self._skip_next = 0, limits.COMPRESS_SKIP_MIN
        return shrunk

    def _missed(self) -> None:
        self._misses += 1
        if self._misses == 2:
            self._misses = 0
            self._skip = self._skip_next
            self._skip_next = min(self._skip_next * 2, limits.COMPRESS_SKIP_MAX)
