"""LZ4 per message: when it is tried, what it looks like on the wire, and how a hostile one is met.

Spec: docs/spec/messages.md, section 3. ``u32 raw_len || u32 lz4_len || block || zeros to PADME``. [A2] [A38]
Per message and without dictionaries, so that no message's length depends on another's content.
"""

from __future__ import annotations

import struct

import lz4.block

from quantumgate.core.padding import padme
from quantumgate.errors import MalformedError, ViolationError
from quantumgate.wire import limits

_LENGTHS = struct.Struct(">II")
BLOCK_HEAD_BYTES = _LENGTHS.size


class CompressionChoice:
    """Decides message by message whether to try, for one channel: what gained nothing twice is left alone for a while."""

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
        block = lz4.block.compress(message, store_size=False)
        wire_bytes = padme(BLOCK_HEAD_BYTES + len(block))
        if wire_bytes > len(message) * (1 - limits.COMPRESS_MIN_GAIN):
            self._missed()
            return None
        self._misses, self._skip_next = 0, limits.COMPRESS_SKIP_MIN
        head = _LENGTHS.pack(len(message), len(block))
        return head + block + bytes(wire_bytes - BLOCK_HEAD_BYTES - len(block))

    def _missed(self) -> None:
        self._misses += 1
        if self._misses == 2:
            self._misses = 0
            self._skip = self._skip_next
            self._skip_next = min(self._skip_next * 2, limits.COMPRESS_SKIP_MAX)


def inflate(data: bytes, max_message_bytes: int) -> bytes:
    """The message. Every length is checked before anything is allocated. Raises MalformedError or ViolationError."""
    if len(data) < BLOCK_HEAD_BYTES:
        raise MalformedError("a compressed message without its lengths")
    raw_bytes, block_bytes = _LENGTHS.unpack_from(data)
    if raw_bytes > max_message_bytes:
        raise ViolationError(f"a compressed message claims {raw_bytes} bytes, max_message is {max_message_bytes}")
    if block_bytes > len(data) - BLOCK_HEAD_BYTES or padme(BLOCK_HEAD_BYTES + block_bytes) != len(data):
        raise MalformedError("the length of a compressed block does not fit its message")
    if raw_bytes > limits.INFLATE_RATIO_FROM_BYTES and raw_bytes > block_bytes * limits.INFLATE_RATIO_MAX:
        raise ViolationError(f"a compressed message of ratio {raw_bytes // max(block_bytes, 1)}")
    block = data[BLOCK_HEAD_BYTES : BLOCK_HEAD_BYTES + block_bytes]
    try:
        message: bytes = lz4.block.decompress(block, uncompressed_size=raw_bytes)
    except (lz4.block.LZ4BlockError, ValueError, MemoryError) as error:
        raise MalformedError("a compressed block that does not decode") from error
    if len(message) != raw_bytes:
        raise MalformedError("a compressed message is not as long as it claims")
    return message
