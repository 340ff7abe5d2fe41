"""More good first flights than the budget for answers, from everywhere; each socket is closed half a second later.

Row 13: what the overload ladder is for. Loopback would be outside every count, so this comes over other networks.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.acceptance.floods.attacker import Lines, Strikes, Target
from tests.acceptance.floods.flights import Flights
from tests.acceptance.floods.places import anywhere
from tests.acceptance.floods.stage import Flood, flooded
from tests.acceptance.report import Figure

HELD = 350
FLOOD = Flood("handshakes", f"700 good first flights a second from as many networks, {HELD} sockets held")


class Handshakes(Strikes):
    """Half a second each."""

    per_second = 700.0

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._lines = Lines(target, self.counts, HELD)
        self._flights = Flights(target, self.luck)

    def strike(self) -> None:
        self._lines.open(anywhere(self.luck), self._flights.fresh())

    def tend(self) -> None:
        self._lines.tend()


attack = Handshakes


def figures() -> Iterator[Figure]:
    yield from flooded(FLOOD)
