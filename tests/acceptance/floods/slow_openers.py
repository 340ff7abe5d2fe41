"""5,000 sockets that are held and say a byte now and then; each that is closed is opened again. Row 16."""

from __future__ import annotations

from collections.abc import Iterator

from tests.acceptance.floods.attacker import Lines, Strikes, Target
from tests.acceptance.floods.places import anywhere
from tests.acceptance.floods.stage import Flood, flooded
from tests.acceptance.report import Figure

HELD = 5000
BYTES_EACH_TIME = 2
FLOOD = Flood("slow_openers", f"{HELD} sockets from as many addresses, opened at 150 a second, 300 bytes a second "
                              "over all of them")


class SlowOpeners(Strikes):
    """Opens while there are fewer, and drips."""

    per_second = 150.0

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._lines = Lines(target, self.counts, HELD)

    def strike(self) -> None:
        if len(self._lines) < HELD:
            self._lines.open(anywhere(self.luck), b"\0")
        self._lines.drip(BYTES_EACH_TIME, self.luck)
        self.counts["held"] = len(self._lines)

    def tend(self) -> None:
        self._lines.tend()


attack = SlowOpeners


def figures() -> Iterator[Figure]:
    yield from flooded(FLOOD)
