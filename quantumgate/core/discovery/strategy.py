"""Whom a node calls by itself: connections that nobody can choose for it, and short calls to see who is there.

Strangers are taken each from another group of networks, and half of them are ones that nobody named within the last
hour; so whoever fills our book with his own nodes, or just told us of them, does not get all of our connections. Peers
that our rules name are trusted: they need neither. Pure; times are unix seconds. Not for: dialling
(``node/discovery.py``). Spec: docs/spec/discovery.md section 4. After Heilman, Kendler, Zohar and Goldberg, 2015.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from quantumgate.core.discovery.book import Book
from quantumgate.core.discovery.entries import Entry, Group
from quantumgate.core.peer_records import KnownRecord
from quantumgate.crypto.random import RandomSource
from quantumgate.ids import PeerUUID
from quantumgate.wire.limits import OUTBOUND_SUGGESTED_SECONDS, OUTBOUND_SUGGESTED_SHARE, Limits

SEARCH_SECONDS = 60.0
"""After looking in vain for somebody to connect to, until the next look, unless something has changed."""

ANCHORS = 2
"""Connections that are made again first after a restart."""

CALLS_OF_A_GROUP = 4
"""So many peers of a group are called before it is another group's turn."""

VAIN_CALLS = 8


class Aim(Enum):
    """What a call is for."""

    CONNECTION = "to stay connected"
    FEELER = "to see whether it is there"
    TEST = "to see whether it is still there"


@dataclass(frozen=True, slots=True)
class Call:
    """One call that is to be made."""

    known: KnownRecord
    aim: Aim


@dataclass(frozen=True, slots=True)
class Standing:
    """A connection that the node made by itself. ``suggested``: whom it leads to was news when it was chosen;
    ``until``: when another one takes its place."""

    uuid: PeerUUID
    groups: tuple[Group, ...]
    since: float
    named: bool = False
    suggested: bool = False
    until: float = float("inf")


class Strategy:
    """One node's. ``may_call(uuid)``: whether the rules let it call that peer by itself; ``named``: they name it."""

    def __init__(
        self, book: Book, random: RandomSource, limits: Limits, now_s: float, *, connections: int,
        may_call: Callable[[PeerUUID], bool], named: Callable[[PeerUUID], bool],
    ) -> None:
        self._book, self._random, self._limits, self._most = book, random, limits, connections
        self.may_call, self._named = may_call, named
        self._search_at = float("-inf")
        self._feeler_at = now_s + self._feeler_gap()
        self._under_way: dict[PeerUUID, tuple[Group, int]] = {}
        self._again: list[tuple[Group, int]] = []
        self._in_vain = 0

    def look_again(self) -> None:
        """Somebody was heard of who may be called, or a connection has ended."""
        self._search_at = float("-inf")

    def next_call(self, standing: Sequence[Standing], busy: Callable[[PeerUUID], bool], now_s: float) -> Call | None:
        """What to do now. ``busy``: who is connected or being called, for whatever reason."""
        if len(standing) < self._most and now_s >= self._search_at:
            known = self._connection(standing, busy, now_s)
            if known is not None:
                return Call(known, Aim.CONNECTION)
            self._search_at = now_s + SEARCH_SECONDS
        contested = self._book.to_test()
        if contested is not None and not busy(contested.identity.uuid) and self.may_call(contested.identity.uuid):
            return Call(contested, Aim.TEST)
        if now_s < self._feeler_at:
            return None
        self._feeler_at = now_s + self._feeler_gap()
        return self._feeler(busy, now_s)

    def suggested(self, entry: Entry, now_s: float) -> bool:
        """Whether it is one that somebody else brought us within the last hour."""
        return not self._named(entry.uuid) and now_s - entry.heard_at < OUTBOUND_SUGGESTED_SECONDS

    def _connection(
        self, standing: Sequence[Standing], busy: Callable[[PeerUUID], bool], now_s: float
    ) -> KnownRecord | None:
        avoided = {group for one in standing if not one.named for group in one.groups}
        suggestions_left = int(self._most * OUTBOUND_SUGGESTED_SHARE) - sum(one.suggested for one in standing)
        self._look_at_calls(busy)

        def fits(entry: Entry) -> bool:
            if busy(entry.uuid) or not self.may_call(entry.uuid) or self.resting(entry, now_s):
                return False
            if self._named(entry.uuid):
                return True
            return not avoided.intersection(entry.groups) and (
                suggestions_left > 0 or not self.suggested(entry, now_s))

        return self._of_the_same_group(fits, now_s) or self._of_another_group(fits, now_s)

    def _look_at_calls(self, busy: Callable[[PeerUUID], bool]) -> None:
        """A group whose turn it was keeps it while there is somebody else in it to call, a few times: else those
        whose nodes never leave would win the turn of each group whose nodes come and go."""
        for uuid, (group, calls) in list(self._under_way.items()):
            entry = self._book.entry(uuid)
            if entry is not None and entry.succeeded_at >= entry.called_at > 0:
                del self._under_way[uuid]
                self._in_vain = 0
            elif not busy(uuid):
                del self._under_way[uuid]
                self._in_vain += 1
                if calls < CALLS_OF_A_GROUP:
                    self._again.append((group, calls))

    def _of_the_same_group(self, fits: Callable[[Entry], bool], now_s: float) -> KnownRecord | None:
        while self._again:
            group, calls = self._again.pop()
            known = self._book.choose(now_s, accept=fits, group=group)
            if known is not None:
                self._under_way[known.identity.uuid] = group, calls + 1
                return known
        return None

    def _of_another_group(self, fits: Callable[[Entry], bool], now_s: float) -> KnownRecord | None:
        """After many calls in vain it is one that was reached before: made-up addresses cost us calls, not peers."""
        known = None
        if self._in_vain and not self._in_vain % VAIN_CALLS:
            known = self._book.choose(now_s, accept=lambda one: one.succeeded_at > 0 and fits(one))
        known = known or self._book.choose(now_s, accept=fits)
        if known is not None:
            self._under_way[known.identity.uuid] = self._book.groups_called(known)[0], 1
        return known

    def until(self, now_s: float, *, named: bool) -> float:
        """How long a new connection stands. With a stranger half an hour or so: a place that is left only by who
        goes offline belongs in the end to who never does."""
        return float("inf") if named else now_s + self._random.uniform(*self._limits.outbound_seconds)

    def to_leave(self, standing: Sequence[Standing], now_s: float) -> list[Standing]:
        """Those whose time is over, where all places are taken."""
        return [one for one in standing if one.until <= now_s] if len(standing) >= self._most else []

    def resting(self, entry: Entry, now_s: float) -> bool:
        """Called a short while ago: the pause doubles with every failure."""
        pause_seconds = min(self._limits.redial_max_seconds * 2**min(entry.failures, 6), OUTBOUND_SUGGESTED_SECONDS)
        return entry.called_at > 0 and 0 <= now_s - entry.called_at < pause_seconds

    def _feeler(self, busy: Callable[[PeerUUID], bool], now_s: float) -> Call | None:
        known = self._book.choose(
            now_s, only_new=True, accept=lambda one: not busy(one.uuid) and self.may_call(one.uuid))
        return None if known is None else Call(known, Aim.FEELER)

    def _feeler_gap(self) -> float:
        return self._random.uniform(*self._limits.feeler_seconds)


def anchors_of(standing: Sequence[Standing]) -> tuple[Standing, ...]:
    """The connections that stood longest: who tries to be all of ours after a restart has to be those, too."""
    return tuple(sorted(standing, key=lambda one: one.since)[:ANCHORS])
