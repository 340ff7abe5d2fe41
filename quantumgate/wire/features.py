"""Frame types that two sides agree on in FEATURES: each with its number there, its form, and what reads it.

A type that both did not name is malformed like one that was never given away. Not for: what the frames mean. Spec:
docs/spec/frames.md section 7. [A36]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from quantumgate.wire import exchange_frames, reach_frames

EXCHANGE = 1
REACH = 3


@dataclass(frozen=True, slots=True)
class Agreed:
    """One type, on channel 0. ``long``: it comes in pieces; ``decode`` raises MalformedError."""

    feature: int
    long: bool
    decode: Callable[[bytes], Any]


TYPES: Mapping[int, Agreed] = {
    exchange_frames.PEX_GET: Agreed(EXCHANGE, False, exchange_frames.decode_get),
    exchange_frames.PEX: Agreed(EXCHANGE, True, exchange_frames.Told.decode),
    reach_frames.REACH_ASK: Agreed(REACH, False, reach_frames.decode_ask),
    reach_frames.REACH_ANSWER: Agreed(REACH, False, reach_frames.ReachAnswer.decode),
    reach_frames.PLACES: Agreed(REACH, False, reach_frames.decode_places),
}
