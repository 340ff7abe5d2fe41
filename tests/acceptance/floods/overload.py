"""More good first flights than the budget for answers, by far: what the overload ladder is for. Row 13.

A connection that is not answered is in no budget, and costs, so here the echo rate is told and not judged.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.acceptance.floods.handshakes import Handshakes
from tests.acceptance.floods.stage import FLOOD_SECONDS, Flood, flooded
from tests.acceptance.report import Figure

HELD = 350
FLOOD = Flood("overload", f"600 good first flights a second from as many networks, {HELD} sockets held", measured=True,
              seconds=min(FLOOD_SECONDS, 60.0))


class Overload(Handshakes):
    """Three times as many."""

    per_second = 600.0
    held = HELD


attack = Overload


def figures() -> Iterator[Figure]:
    yield from flooded(FLOOD)
