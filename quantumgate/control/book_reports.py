"""What ``qgate book`` shows: the address book in numbers, and one peer of it. JSON names are a contract with users.

Not for: how it is asked for (``commands.py``), or what the numbers mean (``core/discovery``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct


class BookReport(Struct, frozen=True, kw_only=True):
    """``known`` peers, of them ``tried`` were reached, ``named`` by our rules; in so many ``groups`` of networks.

    ``exchanging``: sessions that exchange; ``outcomes``: what became of records, since the start; ``connections``:
    UUIDs of those that this node made by itself; ``peers``: UUIDs of all, those reached last in front.
    """

    enabled: bool = False
    known: int = 0
    tried: int = 0
    named: int = 0
    public: int = 0
    groups: int = 0
    bytes_held: int = 0
    exchanging: int = 0
    outcomes: Mapping[str, int] = {}
    connections: Sequence[str] = ()
    peers: Sequence[str] = ()


class BookEntryReport(Struct, frozen=True, kw_only=True):
    """One peer. Times are unix seconds, 0 = never; ``source``: the group of networks of who told us.

    ``why_not_called``: why this node does not connect to it by itself, "" = it does, when it is its turn.
    """

    uuid: str
    endpoints: Sequence[str]
    anchors: Sequence[str]
    relay: bool
    public: bool
    named: bool
    tried: bool
    made: int
    not_after: int
    reached: int
    failures: int
    source: str
    groups: Sequence[str]
    two_faced: bool
    why_not_called: str
