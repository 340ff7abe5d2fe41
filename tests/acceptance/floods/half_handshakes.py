"""Good first flights by somebody who knows the UUID, from everywhere, who then say no more. Row 16."""

from __future__ import annotations

from collections.abc import Iterator

from tests.acceptance.floods.attacker import Lines, Strikes, Target
from tests.acceptance.floods.flights import Flights
from tests.acceptance.floods.places import anywhere
from tests.acceptance.floods.stage import Flood, flooded
from tests.acceptance.report import Figure

HELD = 3000
FLOOD = Flood("half_handshakes", f"120 good first flights a second, each answer left alone, {HELD} sockets held")


class HalfHandshakes(Strikes):
    """Never a FIN."""

    per_second = 120.0

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._lines = Lines(target, self.counts, HELD)
        self._flights = Flights(target, self.luck)

    def strike(self) -> None:
        self._lines.open(anywhere(self.luck), self._flights.fresh())

    def tend(self) -> None:
        self._lines.tend()


attack = HalfHandshakes


def figures() -> Iterator[Figure]:
    yield from flooded(FLOOD)
