"""The whole simulation: nodes that come and go, questions between them, and what is counted.

``carry`` is the seam of verification: the lean one hands the verified records of one node to the next as they are, the
full one spells them, reads them and verifies every signature. ``test_town.py`` shows that both come to the same.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from quantumgate.core.discovery.directory import Answer
from quantumgate.core.discovery.positions import Charts, Located, day_of
from quantumgate.core.peer_records import KnownRecord, judge
from quantumgate.ids import PeerUUID
from quantumgate.testing.seeded import SeededRandom
from quantumgate.wire.directory_frames import Found
from tests.simulation.attackers import Plot, Withholding
from tests.simulation.law import Law, Queue
from tests.simulation.node import Node
from tests.simulation.people import EXTENDER, NETWORK, Addresses, record_of

T = TypeVar("T")
NOON = 1_700_049_600.0
"""2023-11-15, 12:00 UTC."""

MIDNIGHT = NOON + 43_200


@dataclass(frozen=True, slots=True)
class Size:
    """How many nodes in how many networks; which share keeps records, or wants to be found; ``providers``: of these."""

    nodes: int = 5000
    networks: int = 1000
    keepers: float = 0.4
    findable: float = 0.5
    attackers: float = 0.0
    attacked_networks: float = 0.0
    told: int = 64
    providers: float = 0.0


class Town:
    """One run."""

    def __init__(
        self, seed: int, size: Size, law: Law | None = None, *, full: bool = False, start: float = NOON,
        attacker: type[Node] = Withholding,
    ) -> None:
        self.attacker, self.plot = attacker, Plot(self)
        self.size, self.law, self.full = size, law or Law(), full
        self.luck, self.random = random.Random(seed), SeededRandom(("town", seed))
        self._who_provides = random.Random(seed)  # of its own, so that nobody else's luck is another by it
        self.queue, self.charts = Queue(start), Charts(NETWORK, remembered=1 << 20)
        self.addresses = Addresses.drawn(self.luck, size.networks, size.attacked_networks)
        self.nodes: dict[PeerUUID, Node] = {}
        self.counts: Counter[str] = Counter()
        self.parted: Callable[[Node, Node], bool] = lambda one, other: False
        self._made = 0
        self._online: list[Node] = []
        self._keepers: list[Node] = []

    # -- who is there --------------------------------------------------------------------------------------------

    def newcomer(self, kind: type[Node], host: str) -> Node:
        """A new one, not online yet. Attackers keep records, or say so, and are not looked for."""
        keeper = kind.attacks or self.luck.random() < self.size.keepers
        findable = not kind.attacks and (keeper or self.luck.random() < self.size.findable)
        extender = EXTENDER if findable and self._who_provides.random() < self.size.providers else None
        known = record_of(self._made, host, self.queue.now, keeper=keeper, extender=extender)
        node = kind(self, known, keeper=keeper, findable=findable)
        self._made += 1
        self.nodes[node.uuid] = node
        return node

    def populate(self, spread_seconds: float) -> None:
        """Everybody comes in this time, evenly, in an order of luck."""
        attackers = round(self.size.nodes * self.size.attackers)
        kinds = [True] * attackers + [False] * (self.size.nodes - attackers)
        self.luck.shuffle(kinds)
        for number, attacks in enumerate(kinds):
            self.queue.later(spread_seconds * number / len(kinds), self.arrive, attacks)

    def arrive(self, attacks: bool) -> Node:
        """Somebody comes, at an address as luck has it."""
        host = self.addresses.attacking() if attacks else self.addresses.honest()
        return self.settle(self.attacker if attacks else Node, host)

    def settle(self, kind: type[Node], host: str) -> Node:
        """A newcomer is told of so many by somebody who is there."""
        node = self.newcomer(kind, host)
        told = self.sample()
        self._online.append(node)
        if node.keeper:
            self._keepers.append(node)
        node.join(told)
        return node

    def sample(self) -> list[KnownRecord]:
        """What an exchange with somebody brings."""
        some = [self.luck.choice(self._keepers) for _ in range(self.size.told if self._keepers else 0)]
        return list({one.uuid: one.known for one in some}.values())

    def depart(self, node: Node) -> None:
        """Without a word."""
        node.online = False
        self._online.remove(node)
        if node.keeper:
            self._keepers.remove(node)

    def churn(self, until: float) -> None:
        """Honest nodes leave at the law's rate, and for each another one comes."""
        rate = self.law.churn_per_hour * len(self._online) / 3600
        if rate <= 0:
            return
        wait = self.luck.expovariate(rate)
        if self.queue.now + wait < until:
            self.queue.later(wait, self._change, until)

    def _change(self, until: float) -> None:
        gone = self.luck.choice(self._online)
        if not gone.attacks:
            self.depart(gone)
            self.arrive(False)
        self.churn(until)

    def honest(self) -> Node:
        """One that is online."""
        while True:
            node = self.luck.choice(self._online)
            if not node.attacks:
                return node

    @property
    def online(self) -> Sequence[Node]:
        """All of them."""
        return self._online

    # -- questions -----------------------------------------------------------------------------------------------

    def ask(
        self, asker: Node, uuid: PeerUUID, question: Callable[[Node], T | None], answered: Callable[[Any], None],
        *, again: bool = False,
    ) -> None:
        """``answered`` gets what ``question`` comes to there, or None. ``again``: the session stands already."""
        other, law = self.nodes.get(uuid), self.law
        self.counts["questions"] += 1
        if other is None or self.parted(asker, other) or (other.online and self.luck.random() < law.loss):
            self.queue.later(law.dial_seconds, answered, None)
            return
        if not other.online:
            refused = self.luck.random() < law.refusing
            self.queue.later(2 * (asker.latency + other.latency) if refused else law.dial_seconds, answered, None)
            return
        flights = 2 if again else law.flights
        self.queue.later(flights * (asker.latency + other.latency), self._answer, other, question, answered)

    def _answer(self, other: Node, question: Callable[[Node], Any], answered: Callable[[Any], None]) -> None:
        answered(question(other) if other.online else None)

    def carry(self, answer: Answer, key: bytes, day: int) -> tuple[list[KnownRecord], list[Located]]:
        """What an answer is worth to who asked: records that belong to the key, and nodes with a place."""
        if self.full:
            answer = self._spelt(answer)
        chart = self.charts.chart(day)
        shared = key == chart.extender(EXTENDER)
        records = [one for one in answer.records
                   if (one.runs(EXTENDER) if shared else chart.peer(one.identity.uuid) == key)]
        places = [self.charts.locate(one.known, day) for one in answer.nearer if one.known is not None]
        return records, [one for one in places if one is not None]

    def _spelt(self, answer: Answer) -> Answer:
        """Through every byte of it."""
        records, nodes = (
            tuple(one.signed.encode() for one in many)
            for many in (answer.records, [one.known for one in answer.nearer if one.known is not None])
        )
        read = Found.decode(Found(1, records, nodes).encode())
        now_ms = int(self.queue.now * 1000)
        known = [judge(one, network=NETWORK, now_ms=now_ms) for one in (*read.records, *read.nodes)]
        day = day_of(self.queue.now)
        nearer = (self.charts.locate(one, day) for one in known[len(read.records):])
        return Answer(tuple(known[: len(read.records)]), tuple(one for one in nearer if one is not None))
