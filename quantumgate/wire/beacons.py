"""The plaintext of a beacon on the local network: who sends it, where it listens, and when.

Spec: docs/spec/discovery.md section 6. Not for: sealing, or who is believed (``core/discovery/beacon.py``).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from uuid import UUID

from quantumgate.errors import MalformedError
from quantumgate.ids import PeerUUID
from quantumgate.wire.limits import BEACON_PAD_BYTES

FORMAT = 1
_BODY = struct.Struct(">BH16sQQ")
BODY_BYTES = _BODY.size


@dataclass(frozen=True, slots=True)
class Beacon:
    """``port``: where the sender takes connections at the address that the datagram comes from, 0 = nowhere.

    ``epoch``: drawn by the sender's process when it began; ``sent_ms``: its unix time, greater in each beacon of one
    process than in the one before.
    """

    uuid: PeerUUID
    port: int
    epoch: int
    sent_ms: int

    def encode(self, pad: bytes = b"") -> bytes:
        """The body with its padding, which is at most 255 bytes and means nothing."""
        return _BODY.pack(FORMAT, self.port, self.uuid.bytes, self.epoch, self.sent_ms) + pad

    @classmethod
    def decode(cls, data: bytes) -> Beacon:
        """Raises MalformedError."""
        if not BODY_BYTES <= len(data) <= BODY_BYTES + BEACON_PAD_BYTES:
            raise MalformedError(f"a beacon of {len(data)} bytes")
        form, port, name, epoch, sent_ms = _BODY.unpack_from(data)
        if form != FORMAT:
            raise MalformedError(f"a beacon of format {form}")
        uuid = UUID(bytes=name)
        if uuid.version != 8:
            raise MalformedError("a beacon of nobody")
        return cls(PeerUUID(uuid), port, epoch, sent_ms)
