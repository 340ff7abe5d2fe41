"""Frame types that two sides agree on in FEATURES: each with its number there, its form, and what reads it.

A type that both did not name is malformed like one that was never given away. Not for: what the frames mean. Spec:
docs/spec/frames.md section 7. [A36]
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from quantumgate.wire import directory_frames, exchange_frames, reach_frames

EXCHANGE = 1
DIRECTORY = 2
REACH = 3

OF_CLIENTS = frozenset({DIRECTORY})
"""What a session of a relay's client may agree on; all others are for sessions of peers with names."""

_PEER, _RELAY_CLIENT = 1, 2
"""ROLE of a session's initiator. Carriers agree on nothing."""


def agreed_on(role: int, ours: Iterable[int], theirs: Iterable[int], *, named: bool) -> frozenset[int]:
    """The numbers that both sides name, and that are for sessions of this role. ``named``: both have names, as all have
    to but the clients of relays."""
    both = frozenset(ours) & frozenset(theirs)
    of_peers = both - OF_CLIENTS if named else frozenset()
    return {_PEER: of_peers, _RELAY_CLIENT: both & OF_CLIENTS}.get(role, frozenset())


@dataclass(frozen=True, slots=True)
class Agreed:
    """One type, on channel 0. ``long``: it comes in pieces; ``decode`` raises MalformedError."""

    feature: int
    long: bool
    decode: Callable[[bytes], Any]


TYPES: Mapping[int, Agreed] = {
    exchange_frames.PEX_GET: Agreed(EXCHANGE, False, exchange_frames.decode_get),
    exchange_frames.PEX: Agreed(EXCHANGE, True, exchange_frames.Told.decode),
    directory_frames.FIND: Agreed(DIRECTORY, False, directory_frames.Find.decode),
    directory_frames.FOUND: Agreed(DIRECTORY, True, directory_frames.Found.decode),
    directory_frames.LEAVE: Agreed(DIRECTORY, True, directory_frames.Leave.decode),
    directory_frames.LEFT: Agreed(DIRECTORY, False, directory_frames.LeftAnswer.decode),
    reach_frames.REACH_ASK: Agreed(REACH, False, reach_frames.decode_ask),
    reach_frames.REACH_ANSWER: Agreed(REACH, False, reach_frames.ReachAnswer.decode),
    reach_frames.PLACES: Agreed(REACH, False, reach_frames.decode_places),
}
