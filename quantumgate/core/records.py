"""Records: a sealed four-byte header and a sealed body, counters for nonces, nothing in the clear.

Spec: docs/spec/records.md, sections 1 and 2. ``record = E(k, 2s, HDR4)(20) || E(k, 2s+1, BODY)(len+16)``.
Bodies are sealed and opened in place, in buffers of the caller. Not for: what is in a body (``core/incoming.py``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from quantumgate.errors import LocalError, MalformedError
from quantumgate.wire.limits import (
    RECORD_COUNTER_MAX,
    RECORD_HEADER_BYTES,
    RECORD_OVERHEAD_BYTES,
    TAG_BYTES,
)

if TYPE_CHECKING:
    from quantumgate.crypto.aead import AeadKey


class RecordSealer:
    """One direction under one key. ``sealed_bytes`` counts what the key has protected, for the hard stop."""

    __slots__ = ("_key", "records", "sealed_bytes")

    def __init__(self, key: AeadKey) -> None:
        self._key = key
        self.records = 0
        self.sealed_bytes = 0

    def seal(self, buffer: memoryview, body_bytes: int) -> int:
        """Seal in place: the body stands at RECORD_HEADER_BYTES; returns the bytes of the whole record."""
        counter = self.records
        if counter >= RECORD_COUNTER_MAX:
            raise LocalError("record counter exhausted")
        end = RECORD_OVERHEAD_BYTES + body_bytes
        header = buffer[:RECORD_HEADER_BYTES]
        self.records = counter + 1
        self.sealed_bytes += end
        self._key.seal_into(2 * counter, (body_bytes << 8).to_bytes(4, "big"), b"", header)
        body = buffer[RECORD_HEADER_BYTES : end - TAG_BYTES]
        self._key.seal_into(2 * counter + 1, body, header, buffer[RECORD_HEADER_BYTES:end])
        return end


class RecordOpener:
    """The other end of a sealer. Both methods raise AuthenticationError; after that the direction is dead."""

    __slots__ = ("_key", "opened_bytes", "records")

    def __init__(self, key: AeadKey) -> None:
        self._key = key
        self.records = 0
        self.opened_bytes = 0

    def body_bytes(self, header: memoryview, most_bytes: int) -> int:
        """Open a header box; the length of the body that follows. Raises MalformedError for 0, too much, or flags."""
        word = int.from_bytes(self._key.open(2 * self.records, header), "big")
        length = word >> 8
        if word & 0xFF or not 0 < length <= most_bytes:
            raise MalformedError(f"a record header with flags {word & 0xFF:#x}, {length} bytes")
        return length

    def open_body(self, header: memoryview, sealed: memoryview) -> memoryview:
        """Open a body in place; a view of its plaintext, valid until the buffer is used again."""
        counter = self.records
        if counter >= RECORD_COUNTER_MAX:
            raise MalformedError("record counter exhausted")
        plain = sealed[: len(sealed) - TAG_BYTES]
        self._key.open_into(2 * counter + 1, sealed, header, plain)
        self.records = counter + 1
        self.opened_bytes += len(sealed) + RECORD_HEADER_BYTES
        return plain
