"""How long a record is on the wire. Spec: docs/spec/records.md, section 5 (``off``, ``padme``, ``cells``). [A20]

Not for: ``random`` and noise, which come with the privacy levels.
"""

from __future__ import annotations

from quantumgate.wire.limits import (
    BULK_WIRE_BYTES,
    CELL_WIRE_BYTES,
    CIRCUIT_HOPS_MAX,
    LINK_LAYER_BYTES,
    PADME_FLOOR_BYTES,
    RECORD_OVERHEAD_BYTES,
)
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


def cell_body_bytes(depth: int) -> tuple[int, int]:
    """Bodies of the small and the large cell ``depth`` layers inside a circuit: on the wire all are T bytes. [A20]"""
    small, large = (wire - RECORD_OVERHEAD_BYTES - depth * LINK_LAYER_BYTES for wire in CELL_WIRE_BYTES)
    return small, large


WIRE_CELLS = cell_body_bytes(0)


def cell_of(cells: tuple[int, int], body_bytes: int) -> int:
    """The cell that ``body_bytes`` of frames go into."""
    return cells[0] if body_bytes <= cells[0] else cells[1]


def wanted_cells(depth: int) -> tuple[int, int] | None:
    """The cells of a responder whose peer named this depth; None for what is no depth."""
    return cell_body_bytes(depth) if 0 <= depth <= CIRCUIT_HOPS_MAX else None
