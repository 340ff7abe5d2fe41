"""Good first flights by somebody who knows the UUID, from everywhere, more than are answered; the sockets closed soon.

Row 13. Loopback would be outside every count, so this comes over other networks. What more of them do is seen in
``overload.py``.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.acceptance.floods.attacker import Lines, Strikes, Target
from tests.acceptance.floods.flights import Flights
from tests.acceptance.floods.places import anywhere
from tests.acceptance.floods.stage import Flood, flooded
from tests.acceptance.report import Figure

HELD = 100
FLOOD = Flood("handshakes", f"200 good first flights a second from as many networks, {HELD} sockets held")


class Handshakes(Strikes):
    """As many sockets as it may hold, the oldest closed."""

    per_second = 200.0
    held = HELD

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._lines = Lines(target, self.counts, self.held)
        self._flights = Flights(target, self.luck)

    def strike(self) -> None:
        self._lines.open(anywhere(self.luck), self._flights.fresh())

    def tend(self) -> None:
        self._lines.tend()


attack = Handshakes


def figures() -> Iterator[Figure]:
    yield from flooded(FLOOD)
