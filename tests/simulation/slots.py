"""The outbound connections of one honest node, over a day: how many of them an attacker gets.

The node's book and strategy are the real ones; the others are a crowd with a law: honest ones come and go, and tell of
whom there is, attackers stay for ever, answer every call, come to push themselves, and tell of attackers alone. Not
for: look-ups (``runs.py``).
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

from quantumgate.core.discovery.book import Book
from quantumgate.core.discovery.strategy import Aim, Call, Standing, Strategy
from quantumgate.core.peer_records import KnownRecord
from quantumgate.core.places import group_of
from quantumgate.ids import PeerUUID
from quantumgate.testing.seeded import SeededRandom
from quantumgate.wire.limits import DEFAULT_LIMITS, PEX_RECORDS
from quantumgate.wire.peer_records import SignedPeerRecord
from tests.simulation.law import Law
from tests.simulation.people import Addresses, record_of
from tests.simulation.town import NOON

CONNECTIONS = 8
HOURS = 24.0
SETTLED_HOURS = 6
OBSERVERS = 4
STEP_SECONDS = 30.0
RENEWED_SECONDS = 3 * 3600
DIAL_SECONDS = 2.0
PUSHES_PER_HOUR = 60
"""Attackers that come to a node in an hour, to say that they are there."""


@dataclass(slots=True)
class Other:
    """One of the crowd."""

    known: KnownRecord
    attacks: bool
    online: bool = True

    def current(self, now: float) -> KnownRecord:
        """A new one is made at half the life of the one before. Nobody here looks at the signature."""
        record = self.known.record
        if now - record.seq_ms / 1000 > RENEWED_SECONDS:
            record = replace(record, seq_ms=int(now * 1000), not_after_seconds=int(now) + 2 * RENEWED_SECONDS)
            self.known = KnownRecord(SignedPeerRecord(record, b"", bytes(64)), self.known.identity)
        return self.known

    @property
    def group(self) -> str:
        """Where it is."""
        return group_of(self.known.record.endpoints[0].host)


@dataclass(slots=True)
class Crowd:
    """All the others. Of those that went, records stay in books."""

    luck: random.Random
    law: Law
    addresses: Addresses
    now: float = NOON
    made: int = 0
    all: dict[PeerUUID, Other] = field(default_factory=dict)
    honest: list[Other] = field(default_factory=list)
    attackers: list[Other] = field(default_factory=list)

    def come(self, attacks: bool) -> None:
        """One more."""
        host = self.addresses.attacking() if attacks else self.addresses.honest()
        other = Other(record_of(self.made, host, self.now, keeper=True), attacks)
        self.made += 1
        self.all[other.known.identity.uuid] = other
        (self.attackers if attacks else self.honest).append(other)

    def change(self, seconds: float) -> None:
        """Honest ones leave at the law's rate, and others come."""
        self.now += seconds
        expected = len(self.honest) * self.law.churn_per_hour * seconds / 3600
        for _ in range(int(expected) + (self.luck.random() < expected % 1)):
            at = self.luck.randrange(len(self.honest))
            self.honest[at].online = False
            self.honest[at] = self.honest[-1]
            self.honest.pop()
            self.come(False)

    def told_by(self, other: Other) -> list[KnownRecord]:
        """Attackers tell of attackers; honest nodes of whoever there is, as their books are: some are gone already."""
        if other.attacks:
            told = self.luck.sample(self.attackers, min(PEX_RECORDS, len(self.attackers)))
        else:
            told = [self.luck.choice(self.somebody()) for _ in range(PEX_RECORDS)]
        return [one.current(self.now) for one in told]

    def somebody(self) -> list[Other]:
        """Honest nodes or attackers, as often as there are of each."""
        of_all = self.luck.randrange(len(self.honest) + len(self.attackers))
        return self.honest if of_all < len(self.honest) else self.attackers


class Observer:
    """The honest node."""

    def __init__(self, crowd: Crowd, seed: int) -> None:
        luck = SeededRandom(("observer", seed))
        self.crowd, self.standing = crowd, list[Standing]()
        own = record_of(9_999_999, "203.0.113.9", crowd.now, keeper=True).identity.uuid
        self.book = Book(own, luck.bytes(32), luck.branch("book"))
        self.strategy = Strategy(
            self.book, luck.branch("strategy"), DEFAULT_LIMITS, crowd.now, connections=CONNECTIONS,
            may_call=lambda uuid: True, named=lambda uuid: False,
        )
        self._asked: set[PeerUUID] = set()
        self.filled: list[int] = []
        self.theirs: list[int] = []

    def hear(self, records: list[KnownRecord], source: str) -> None:
        """Records that somebody brought."""
        for known in records:
            self.book.add(known, source, self.crowd.now)

    def step(self) -> None:
        """What is over goes, calls are made, peers are asked once they stand for ten minutes."""
        crowd, now = self.crowd, self.crowd.now
        over = self.strategy.to_leave(self.standing, now)
        self.standing = [one for one in self.standing if crowd.all[one.uuid].online and one not in over]
        for _ in range(int(STEP_SECONDS / DIAL_SECONDS)):
            busy = {one.uuid for one in self.standing}
            call = self.strategy.next_call(self.standing, busy.__contains__, now)
            if call is None:
                break
            self._call(call)
        for one in self.standing:
            if one.uuid not in self._asked and now - one.since >= DEFAULT_LIMITS.pex_stranger_seconds:
                self._asked.add(one.uuid)
                self.hear(crowd.told_by(crowd.all[one.uuid]), crowd.all[one.uuid].group)
        self.filled.append(len(self.standing))
        self.theirs.append(sum(crowd.all[one.uuid].attacks for one in self.standing))

    def _call(self, call: Call) -> None:
        uuid, now = call.known.identity.uuid, self.crowd.now
        entry = self.book.entry(uuid)
        suggested = entry is not None and self.strategy.suggested(entry, now)
        self.book.tried(uuid, now)
        if not self.crowd.all[uuid].online:
            self.book.failed(uuid, now)
            return
        self.book.succeeded(uuid, now)
        if call.aim is Aim.CONNECTION:
            groups = () if entry is None else entry.groups
            until = self.strategy.until(now, named=False)
            self.standing.append(Standing(uuid, groups, now, suggested=suggested, until=until))


def slots(
    seed: int, nodes: int = 5000, networks: int = 1000, hours: float = HOURS, observers: int = OBSERVERS,
) -> dict[str, object]:
    """Some honest nodes that begin at one moment: the attacker's share of their connections, hour by hour."""
    luck = random.Random(seed)
    crowd = Crowd(luck, Law(), Addresses.drawn(luck, networks, 0.05))
    for attacks in [True] * (nodes // 5) + [False] * (nodes - nodes // 5):
        crowd.come(attacks)
    watching = [Observer(crowd, seed * 100 + number) for number in range(observers)]
    for observer in watching:
        first = luck.choice(crowd.honest)
        observer.hear(crowd.told_by(first), first.group)
    for _ in range(int(hours * 3600 / STEP_SECONDS)):
        crowd.change(STEP_SECONDS)
        for observer in watching:
            if luck.random() < PUSHES_PER_HOUR * STEP_SECONDS / 3600:
                one = luck.choice(crowd.attackers)
                observer.hear([one.current(crowd.now)], one.group)
            observer.step()
    return {"scenario": "slots", "seed": seed, **_row(watching)}


def _row(watching: list[Observer]) -> dict[str, object]:
    """Shares over all observers, by hour and from hour SETTLED_HOURS on; and of each observer."""
    an_hour = int(3600 / STEP_SECONDS)
    settled = slice(SETTLED_HOURS * an_hour, None)
    hours = range(0, len(watching[0].filled), an_hour)
    return {
        "share": _share(watching, settled), "from_the_start": _share(watching, slice(0, None)),
        "by_hour": [_share(watching, slice(at, at + an_hour)) for at in hours],
        "each": [_share([one], settled) for one in watching],
        "filled": round(sum(sum(one.filled) for one in watching) / sum(len(one.filled) for one in watching), 2),
        "known": round(sum(len(one.book) for one in watching) / len(watching)),
    }


def _share(watching: list[Observer], when: slice) -> float:
    theirs, filled = (sum(sum(getattr(one, name)[when]) for one in watching) for name in ("theirs", "filled"))
    return round(theirs / max(1, filled), 4)
