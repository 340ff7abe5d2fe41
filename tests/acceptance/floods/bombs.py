"""Compressed messages: legal ones of 1 KiB that become 255, to be echoed, and every fortieth a lie. Row 18."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle

from quantumgate.wire import frames
from tests.acceptance.floods.attacker import Strikes, Target
from tests.acceptance.floods.intruder import Intruder, Refused, opening
from tests.acceptance.floods.places import anywhere
from tests.acceptance.floods.stage import Flood, flooded
from tests.acceptance.report import Figure
from tests.attacks.test_rows_18_19_compression import BOMB, COMPRESSED, packed, spelled

LEGAL = 40
"""For one peer: their credit is what a channel begins with."""

FLOOD = Flood("bombs", f"60 compressed messages a second, 1 KiB that is 255 KiB, each to be echoed; after {LEGAL} of "
                       "them one that claims what is not so")
GOOD = spelled(len(BOMB), packed(BOMB))
LIES = (
    spelled(1 << 30, packed(BOMB)), spelled(len(BOMB) - 1, packed(BOMB)), spelled(1 << 20, packed(BOMB)[:-5]),
    spelled(len(BOMB), packed(BOMB), 1 << 24, 2000), bytes(5), spelled(1 << 20, b"\xff" * 900),
)  # fmt: skip


class Bombs(Strikes):
    """One peer at a time; what is echoed is thrown away."""

    per_second = 60.0

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._who: Intruder | None = None
        self._said = 0
        self._lies = cycle(LIES)

    def strike(self) -> None:
        try:
            if self._who is None:
                self._who, self._said = Intruder(self.target, anywhere(self.luck)), 0
                self._who.say(opening(1))
            self.counts["bytes heard"] += self._who.deaf()
            wire = GOOD if self._said < LEGAL else next(self._lies)
            self._who.say(frames.frame(frames.MSG, frames.U32.pack(len(wire)) + wire, 1, COMPRESSED))
            self._said += 1
            self.counts["messages"] += 1
            if self._said > LEGAL:
                raise ConnectionError("it has lied")
        except Refused:
            self.counts["refused"] += 1
        except OSError:
            self.counts["peers"] += 1
            if self._who is not None:
                self._who.close()
            self._who = None


attack = Bombs


def figures() -> Iterator[Figure]:
    yield from flooded(FLOOD)
