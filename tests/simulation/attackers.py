"""Nodes that lie: what an attacker with addresses, and with as many keys as it likes, does to searches.

All of them know one another, see every question that reaches one of them, and answer as their plan says.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from quantumgate.core.discovery.directory import Answer
from quantumgate.core.discovery.positions import Chart, Located, Ring, apart, day_of, position_of
from quantumgate.core.peer_records import KnownRecord
from quantumgate.wire.directory_frames import Kind, Left
from quantumgate.wire.limits import ANSWER_NODES
from tests.simulation.node import Node
from tests.simulation.people import EXTENDER, record_of

if TYPE_CHECKING:
    from tests.simulation.town import Town

FORGED_FROM = 1_000_000
"""Numbers of identities that have no node."""


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


def surround(town: Town, victim: Node, networks: int, kind: type[Node]) -> None:
    """The attacker rents addresses in this many of the networks nearest to one UUID, today, and is online there."""
    day = day_of(town.queue.now)
    populated = Ring()
    for node in town.online:
        one = town.charts.locate(node.known, day) if node.keeper else None
        if one is not None:
            populated.add(one)
    key = town.charts.chart(day).peer(victim.uuid)
    nearest: list[Any] = town.plot.nearest(day, key, networks)
    for network in nearest:
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
