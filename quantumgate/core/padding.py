"""How long a record is on the wire. Spec: docs/spec/records.md, section 5 (modes ``off`` and ``padme``). [A20]

Not for: ``cells``, ``random`` and noise, which come with relays and the privacy levels.
"""

from __future__ import annotations

from quantumgate.wire.limits import BULK_WIRE_BYTES, PADME_FLOOR_BYTES, RECORD_OVERHEAD_BYTES
from quantumgate.wire.padme import padme

_FIXPOINTS = frozenset(BULK_WIRE_BYTES)


def padded_body_bytes(body_bytes: int, most_bytes: int) -> int:
    """Length of the body after padding in mode ``padme``; never above ``most_bytes``, the peer's max_record."""
    wire = body_bytes + RECORD_OVERHEAD_BYTES
    if wire <= PADME_FLOOR_BYTES:
        return max(min(PADME_FLOOR_BYTES - RECORD_OVERHEAD_BYTES, most_bytes), body_bytes)
    if wire in _FIXPOINTS:
        return body_bytes
    return max(min(padme(wire) - RECORD_OVERHEAD_BYTES, most_bytes), body_bytes)
