"""Nodes that lie: what an attacker with addresses, and with as many keys as it likes, does to searches.

All of them know one another, see every question that reaches one of them, and answer as their plan says.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING

from quantumgate.core.discovery.directory import Answer
from quantumgate.core.discovery.positions import Chart, Located, Ring, apart, day_of, position_of
from quantumgate.core.peer_records import KnownRecord
from quantumgate.wire.directory_frames import Kind, Left
from quantumgate.wire.limits import ANSWER_NODES, ANSWER_RECORDS
from tests.simulation.node import Node
from tests.simulation.people import EXTENDER, record_of

if TYPE_CHECKING:
    from tests.simulation.town import Town

FORGED_FROM = 1_000_000
"""Numbers of identities that have no node."""

PROVIDERS_FORGED = 2048


class Withholding(Node):
    """Keeps nothing, and names only its own kind: real nodes at their real addresses."""

    attacks = True

    def find(self, day: int, key: bytes) -> Answer | None:
        """Nothing, and eight of ours that are nearest."""
        return Answer((), tuple(self.town.plot.ring(day).nearest(position_of(key), ANSWER_NODES)))

    def leave(self, kind: Kind, day: int, key: bytes, known: KnownRecord, source: str) -> Left:
        """It says yes."""
        return Left.KEPT


class Forging(Withholding):
    """Names nodes that are nearer than any other could be, and are not there: signed, with addresses made up."""

    def find(self, day: int, key: bytes) -> Answer | None:
        """Eight that stand in the eight networks of all that are nearest, populated or not."""
        return Answer((), tuple(self.town.plot.forged(day, key)))


class Crowding(Withholding):
    """Whoever is looked for, by an extender: it tells of eight that are its own, signed, naming it, and not there."""

    def find(self, day: int, key: bytes) -> Answer | None:
        """Others each time."""
        said = super().find(day, key)
        if said is None or key != self.town.charts.chart(day).extender(EXTENDER):
            return said
        return Answer(tuple(self.town.plot.provider() for _ in range(ANSWER_RECORDS)), said.nearer)


class Silent(Withholding):
    """Takes the connection and says nothing until the asker's time is over."""

    def find(self, day: int, key: bytes) -> Answer | None:
        """None."""
        return None


class Plot:
    """What the attackers of one town share."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self._rings: dict[int, Ring] = {}
        self._everywhere: dict[int, list[tuple[int, int]]] = {}
        self._forged: dict[tuple[int, bytes], list[Located]] = {}
        self._providers: list[KnownRecord] = []

    def ring(self, day: int) -> Ring:
        """All of ours, on the ring of that day."""
        if day not in self._rings:
            ring = self._rings[day] = Ring()
            for node in self.town.online:
                one = self.town.charts.locate(node.known, day) if node.attacks else None
                if one is not None:
                    ring.add(one)
        return self._rings[day]

    def forged(self, day: int, key: bytes) -> Sequence[Located]:
        """Made once for each key: every one with an identity of its own."""
        if (day, key) not in self._forged:
            self._forged[day, key] = [self._forge(network, day) for network in self.nearest(day, key, ANSWER_NODES)]
        return self._forged[day, key]

    def _forge(self, network: int, day: int) -> Located:
        self.town.counts["forged"] += 1
        number = FORGED_FROM + self.town.counts["forged"] % 4096
        host = self.town.addresses.at(network)
        one = self.town.charts.locate(record_of(number, host, self.town.queue.now, keeper=True), day)
        assert one is not None
        return one

    def provider(self) -> KnownRecord:
        """One that says that it runs the extender; of all of them the next."""
        if not self._providers:
            now, addresses = self.town.queue.now, self.town.addresses
            host = addresses.attacking if addresses.attackers else addresses.honest
            self._providers = [record_of(FORGED_FROM + n, host(), now, keeper=False, extender=EXTENDER)
                               for n in range(PROVIDERS_FORGED)]
        self.town.counts["told"] += 1
        return self._providers[self.town.counts["told"] % PROVIDERS_FORGED]

    def nearest(self, day: int, key: bytes, count: int) -> list[int]:
        """Of all networks that IPv4 has, those that stand nearest to a key."""
        everywhere = self.everywhere(day)
        target = position_of(key)
        at, size = bisect_left(everywhere, (target, 0)), len(everywhere)
        around = [everywhere[(at + step) % size] for step in range(-count, count)]
        return [network for _, network in sorted(around, key=lambda one: apart(one[0], target))[:count]]

    def everywhere(self, day: int) -> list[tuple[int, int]]:
        """Positions of all networks that nodes can have, in order, with the network."""
        if day not in self._everywhere:
            chart: Chart = self.town.charts.chart(day)
            self._everywhere[day] = sorted((chart.group(f"4:{network:x}"), network) for network in range(256, 57_344))
        return self._everywhere[day]


def surround(town: Town, key: bytes, networks: int, kind: type[Node]) -> None:
    """The attacker rents addresses in this many of the networks nearest to a key, today, and is online there."""
    for network in town.plot.nearest(day_of(town.queue.now), key, networks):
        town.settle(kind, town.addresses.at(network))


def flood(town: Town, victim: Node, attackers: Sequence[Node], records: int) -> None:
    """Records that all belong to positions near the victim's, left with everybody who keeps the victim's."""
    day = day_of(town.queue.now)
    key = town.charts.chart(day).peer(victim.uuid)
    keepers = [node for node in town.online if node.keeper and node.directory.find(day, key, town.queue.now).records]
    for number in range(records):
        known = record_of(FORGED_FROM + number % 4096, town.addresses.attacking(), town.queue.now, keeper=False,
                          extender=EXTENDER)
        source = attackers[number % len(attackers)].source
        for keeper in keepers:
            other = number.to_bytes(24, "big")
            keeper.leave(Kind.EXTENDER, day, key[:8] + other, known, source)


def crowd(town: Town, key: bytes, attackers: Sequence[Node], records: int) -> None:
    """Records of peers that say that they run the extender, left with all who keep those of its key."""
    day = day_of(town.queue.now)
    keepers = [node for node in town.online if node.keeper and node.directory.find(day, key, town.queue.now).records]
    for number in range(records):
        known, source = town.plot.provider(), attackers[number % len(attackers)].source
        for keeper in keepers:
            keeper.leave(Kind.EXTENDER, day, key, known, source)
