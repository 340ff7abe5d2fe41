"""A good first flight that was answered once, again and again from everywhere, and the sockets held. Row 2."""

from __future__ import annotations

import socket
from collections.abc import Iterator

from tests.acceptance.floods.attacker import Lines, Strikes, Target
from tests.acceptance.floods.flights import Flights
from tests.acceptance.floods.places import anywhere
from tests.acceptance.floods.stage import Flood, flooded
from tests.acceptance.report import Figure

HELD = 2000
FLOOD = Flood("replays", f"a first flight that was answered, again 200 times a second, {HELD} sockets held")


class Replays(Strikes):
    """The same bytes each time."""

    per_second = 200.0

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._lines = Lines(target, self.counts, HELD)
        self._flight = Flights(target, self.luck).fresh()
        with socket.create_connection((target.host, target.port), 10) as line:
            line.sendall(self._flight)
            if not target.sink and not line.recv(1 << 16):
                raise ConnectionError("the first flight was not answered")

    def strike(self) -> None:
        self._lines.open(anywhere(self.luck), self._flight)

    def tend(self) -> None:
        self._lines.tend()


attack = Replays


def figures() -> Iterator[Figure]:
    yield from flooded(FLOOD)
