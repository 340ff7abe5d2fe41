"""LZ4 per message: what it looks like on the wire, and how a hostile one is met. Spec: docs/spec/messages.md, 3.

``u32 raw_len || u32 lz4_len || block || zeros to PADME``. [A2] Per message and without dictionaries, so that no
message's length depends on another's content. Not for: when to try (``core/compression.py``).
"""

from __future__ import annotations

import struct

import lz4.block

from quantumgate.errors import ViolationError
from quantumgate.wire import limits
from quantumgate.wire.padme import padme

_LENGTHS = struct.Struct(">II")
BLOCK_HEAD_BYTES = _LENGTHS.size


def deflate(message: bytes) -> bytes | None:
    """The compressed form, or None where it gains less than COMPRESS_MIN_GAIN."""
    block: bytes = lz4.block.compress(message, store_size=False)
    wire_bytes = padme(BLOCK_HEAD_BYTES + len(block))
    if wire_bytes > len(message) * (1 - limits.COMPRESS_MIN_GAIN):
        return None
    head = _LENGTHS.pack(len(message), len(block))
    return head + block + bytes(wire_bytes - BLOCK_HEAD_BYTES - len(block))


def inflate(data: bytes, max_message_bytes: int) -> bytes:
    """The message. Every length is checked before anything is allocated. Raises ViolationError.

    A violation, not a dead channel: the frames were well-formed, and the message may be opened long after its record.
    """
    if len(data) < BLOCK_HEAD_BYTES:
        raise ViolationError("a compressed message without its lengths")
    raw_bytes, block_bytes = _LENGTHS.unpack_from(data)
    if raw_bytes > max_message_bytes:
        raise ViolationError(f"a compressed message claims {raw_bytes} bytes, max_message is {max_message_bytes}")
    if block_bytes > len(data) - BLOCK_HEAD_BYTES or padme(BLOCK_HEAD_BYTES + block_bytes) != len(data):
        raise ViolationError("the length of a compressed block does not fit its message")
    if raw_bytes > limits.INFLATE_RATIO_FROM_BYTES and raw_bytes > block_bytes * limits.INFLATE_RATIO_MAX:
        raise ViolationError(f"a compressed message of ratio {raw_bytes // max(block_bytes, 1)}")
    end = BLOCK_HEAD_BYTES + block_bytes
    if data.count(0, end) != len(data) - end:
        raise ViolationError("the padding of a compressed message is not zero")
    block = data[BLOCK_HEAD_BYTES:end]
    try:
        message: bytes = lz4.block.decompress(block, uncompressed_size=raw_bytes)
    except (lz4.block.LZ4BlockError, ValueError, MemoryError) as error:
        raise ViolationError("a compressed block that does not decode") from error
    if len(message) != raw_bytes:
        raise ViolationError("a compressed message is not as long as it claims")
    return message
