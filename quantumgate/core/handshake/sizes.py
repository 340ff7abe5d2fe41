"""How long messages are on the wire, so that lengths do not tell who dials. Spec: docs/spec/handshake.md section 9.

Not for: padding of records (``core/padding.py``).
"""

from __future__ import annotations

from quantumgate.crypto.random import RandomSource
from quantumgate.wire.limits import MESSAGE_STEP_BYTES, MSG1_PAD_BYTES, TAG_BYTES
from quantumgate.wire.messages import HEADER_BYTES, SALT_BYTES

HEADER_BOX_BYTES = HEADER_BYTES + TAG_BYTES
OPENING_BYTES = SALT_BYTES + HEADER_BOX_BYTES
"""What INIT, RESP, RETRY and REFUSE start with: a salt and a header box."""
TLV_HEAD_BYTES = PAD_HEAD_BYTES = 4
NO_PAD = -1


def draw(random: RandomSource, bounds: tuple[int, int]) -> int:
    """U(a, b): a whole number from a to b, both included."""
    return bounds[0] + random.below(bounds[1] - bounds[0] + 1)


def init_pad_bytes(random: RandomSource) -> int:
    """The length of the PAD's value in an INIT."""
    return draw(random, MSG1_PAD_BYTES)


def total_bytes(least_bytes: int, drawn_bytes: int) -> int:
    """The length of a message that needs ``least_bytes`` without PAD, where ``drawn_bytes`` was drawn.

    What is longer than the drawn total goes to the next multiple of 4096, and so does a gap of 1 to 3 bytes, too
    small for a PAD.
    """
    total = drawn_bytes
    while total < least_bytes or 0 < total - least_bytes < PAD_HEAD_BYTES:
        total = (total // MESSAGE_STEP_BYTES + 1) * MESSAGE_STEP_BYTES
    return total


def pad_value_bytes(least_bytes: int, drawn_bytes: int) -> int:
    """The length of the PAD's value that brings a message to its total, or NO_PAD where it fits exactly."""
    gap = total_bytes(least_bytes, drawn_bytes) - least_bytes
    return gap - PAD_HEAD_BYTES if gap else NO_PAD


def pad_tlv_bytes(value_bytes: int) -> int:
    """The length of the whole PAD TLV."""
    return 0 if value_bytes == NO_PAD else PAD_HEAD_BYTES + value_bytes
