"""Random bytes as first flights, from everywhere, and the sockets held. Row 1 of docs/attacks.md."""

from __future__ import annotations

from collections.abc import Iterator

from tests.acceptance.floods.attacker import Lines, Strikes, Target
from tests.acceptance.floods.places import anywhere
from tests.acceptance.floods.stage import Flood, flooded
from tests.acceptance.report import Figure

MOST_BYTES = 3000
HELD = 2000
FLOOD = Flood("garbage", f"200 connections a second with 1 to {MOST_BYTES} random bytes, {HELD} held")


class Garbage(Strikes):
    """Every length, as luck has it."""

    per_second = 200.0

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._lines = Lines(target, self.counts, HELD)

    def strike(self) -> None:
        self._lines.open(anywhere(self.luck), self.luck.randbytes(self.luck.randint(1, MOST_BYTES)))

    def tend(self) -> None:
        self._lines.tend()


attack = Garbage


def figures() -> Iterator[Figure]:
    yield from flooded(FLOOD)
