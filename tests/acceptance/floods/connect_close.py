"""Connections that are closed at once: half of them from one address, half from everywhere.

The first of the original's attack tests (docs/design reference 4.2: connect and disconnect).
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.acceptance.floods.attacker import Lines, Strikes, Target
from tests.acceptance.floods.places import anywhere
from tests.acceptance.floods.stage import Flood, flooded
from tests.acceptance.report import Figure

FLOOD = Flood("connect_close", "300 connections a second, closed at once, half of them from one address")
ONE = "24.7.7.7"


class ConnectClose(Strikes):
    """In turns."""

    per_second = 300.0

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._lines, self._turn = Lines(target, self.counts, 500), 0

    def strike(self) -> None:
        self._turn += 1
        self._lines.open(ONE if self._turn % 2 else anywhere(self.luck), close=True)

    def tend(self) -> None:
        self._lines.tend()


attack = ConnectClose


def figures() -> Iterator[Figure]:
    yield from flooded(FLOOD)
