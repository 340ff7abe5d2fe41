"""One simulated node: the real acquaintances, directory and searches of ``core/discovery``, driven by the queue.

What a ``node/finding.py`` does with sessions and timers, in as few steps. Not for: the law or the population.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from quantumgate.core.discovery.directory import Acquaintances, Answer, Directory
from quantumgate.core.discovery.positions import Located, day_of, host_of
from quantumgate.core.discovery.search import KEEPERS, Search
from quantumgate.core.peer_records import KnownRecord
from quantumgate.core.places import group_of
from quantumgate.ids import PeerUUID
from quantumgate.wire.directory_frames import Kind, Left
from tests.simulation.people import EXTENDER

if TYPE_CHECKING:
    from tests.simulation.town import Town

EVE_SECONDS = 7200
"""So long before midnight a record is left where tomorrow's searches will look, too."""


@dataclass(slots=True)
class Errand:
    """A search under way, and what to do when it is over."""

    search: Search
    day: int
    done: Callable[[Search], None]
    over: bool = False


class Node:
    """``keeper``: it can be dialled, and keeps records. ``findable``: it wants to be found; by the extender, too, where
    its record names it.
    """

    attacks = False

    def __init__(self, town: Town, known: KnownRecord, *, keeper: bool, findable: bool) -> None:
        self.town, self.known, self.keeper, self.findable = town, known, keeper, findable
        self.uuid: PeerUUID = known.identity.uuid
        self.host = host_of(known)
        self.source = group_of(self.host)
        self.latency = town.law.latency(town.luck)
        self.provides = known.runs(EXTENDER)
        self.online, self.side = False, town.luck.random() < 0.5
        self.published_at: float | None = None
        self.told: list[KnownRecord] = []
        self.acquaintances = Acquaintances(town.charts, self.host if keeper else "")
        self._to_meet: dict[PeerUUID, KnownRecord] = {}
        self.forget_all()

    def forget_all(self) -> None:
        """An empty directory, as of one that has just been started."""
        self.directory = Directory(self.town.charts, self.acquaintances, self.town.random, self._wish_to_meet)

    def acquaintances_of(self, kind: type[Node]) -> int:
        """How many of those that it has met are such nodes."""
        return sum(isinstance(self.town.nodes.get(uuid), kind) for uuid in self.acquaintances)

    # -- as one who is asked -------------------------------------------------------------------------------------

    def find(self, day: int, key: bytes) -> Answer | None:
        """None = no answer."""
        return self.directory.find(day, key, self.town.queue.now)

    def leave(self, kind: Kind, day: int, key: bytes, known: KnownRecord, source: str) -> Left:
        """What becomes of it."""
        return self.directory.leave(kind, day, key, known, source, self.town.queue.now)

    def _wish_to_meet(self, known: KnownRecord) -> None:
        """One dial to who says that it is near."""
        if known.identity.uuid in self._to_meet or len(self._to_meet) >= 64:
            return
        self._to_meet[known.identity.uuid] = known
        self.town.ask(self, known.identity.uuid, lambda other: True, lambda good: self._met(known, good))

    def _met(self, known: KnownRecord, good: object) -> None:
        self._to_meet.pop(known.identity.uuid, None)
        if good is not None and self.online:
            self.acquaintances.met(known, day_of(self.town.queue.now))

    # -- its own life --------------------------------------------------------------------------------------------

    def join(self, told: list[KnownRecord]) -> None:
        """It comes, knowing these."""
        self.online, self.told = True, told
        self._visit(first=True)

    def _visit(self, first: bool = False) -> None:
        """Meet the neighbours, tell them that we are here, and renew what we left: now, in ten minutes, every hour."""
        if not self.online:
            return
        town, day = self.town, day_of(self.town.queue.now)
        self.told = self.told if first and self.told else town.sample()
        town.queue.later((600 if first else 3600) * town.luck.uniform(0.8, 1.2), self._visit)
        for one in self._days(day):
            if self.keeper:
                at = self.acquaintances.own_position(one)
                self.search(one, at.to_bytes(8, "big") + bytes(24), self._introduce(one), wanted=False)
            if self.findable:
                self.publish(one)
            if self.provides:
                self._provide(one)

    def _days(self, day: int) -> tuple[int, ...]:
        eve = day_of(self.town.queue.now + EVE_SECONDS)
        return (day,) if eve == day else (day, eve)

    def _introduce(self, day: int) -> Callable[[Search], None]:
        def done(search: Search) -> None:
            for one in search.keepers:
                self._leave(one, Kind.NODE, day, search.key, lambda left: None)

        return done

    def publish(self, day: int) -> None:
        """Leave our record with its keepers of that day."""
        key = self.town.charts.chart(day).peer(self.uuid)
        self.search(day, key, lambda search: self._leave_all(search, day), wanted=False)

    def _leave_all(self, search: Search, day: int) -> None:
        kept: list[object] = []

        def left(code: object) -> None:
            kept.append(code)
            if kept.count(Left.KEPT) >= KEEPERS // 2 and self.published_at is None:
                self.published_at = self.town.queue.now

        for one in search.keepers:
            self._leave(one, Kind.PEER, day, search.key, left)

    def _provide(self, day: int) -> None:
        """The same with the keepers of the extender."""
        def done(search: Search) -> None:
            for one in search.keepers:
                self._leave(one, Kind.EXTENDER, day, search.key, lambda left: None)

        self.search(day, self.town.charts.chart(day).extender(EXTENDER), done, wanted=False)

    def _leave(self, one: Located, kind: Kind, day: int, key: bytes, left: Callable[[object], None]) -> None:
        self.town.counts["leave"] += 1
        known, source = self.known, self.source
        self.town.ask(self, one.uuid, lambda other: other.leave(kind, day, key, known, source), left, again=True)

    # -- searches ------------------------------------------------------------------------------------------------

    def start_of(self, key: bytes, day: int) -> list[Located]:
        """Whom to begin with: the nearest that we have met, and the nearest that we were told of."""
        position = int.from_bytes(key[:8], "big")
        met = self.acquaintances.ring(day).nearest(position, KEEPERS)
        told = (self.town.charts.locate(known, day) for known in self.told)
        known_of = sorted((one for one in told if one is not None), key=lambda one: one.distance(position))
        return met + known_of[: max(KEEPERS - len(met), KEEPERS // 2)]

    def search(
        self, day: int, key: bytes, done: Callable[[Search], None], *, wanted: bool = True, several: bool = False
    ) -> Search:
        """Begin one; ``done`` when it is over, unless we leave before. ``several``: who runs the extender."""
        start, now = self.start_of(key, day), self.town.queue.now
        search = Search(key, start, now, wanted=wanted, several=several, own=self.uuid)
        self._go_on(Errand(search, day, done))
        return search

    def _go_on(self, errand: Errand) -> None:
        """After each answer, and when patience ends."""
        queue, search = self.town.queue, errand.search
        if errand.over or not self.online:
            return
        for one in search.next_questions(queue.now):
            self.town.counts["find"] += 1
            self._ask(one, errand)
        if search.over(queue.now):
            errand.over = True
            errand.done(search)
        else:
            queue.later(search.deadline(queue.now) - queue.now, self._look, errand, search.questions)

    def _look(self, errand: Errand, questions: int) -> None:
        if questions == errand.search.questions:
            self._go_on(errand)

    def _ask(self, one: Located, errand: Errand) -> None:
        search, day = errand.search, errand.day

        def answered(answer: Answer | None) -> None:
            if answer is None:
                self.acquaintances.lost(one.uuid)
                search.failed(one.uuid)
            else:
                if one.known is not None:
                    self.acquaintances.met(one.known, day)
                search.answered(one.uuid, *self.town.carry(answer, search.key, day))
            self._go_on(errand)

        self.town.ask(self, one.uuid, lambda other: other.find(day, search.key), answered)
