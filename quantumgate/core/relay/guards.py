"""First and second hops that are kept: who is first learns where we are, who is second learns who is first. [A50]

Two first hops for months, always; four second hops for days, for nodes that others can make build circuits. Drawn
among the gateways that the operator named, never among peers that come and go. Not for: choosing a path (``path.py``),
keeping them over a restart (``node/state.py``). Spec: docs/spec/relays.md, 6.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from quantumgate.core.relay.path import Gateway, Luck
from quantumgate.ids import PeerUUID

DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Layer:
    """``count`` relays, each kept for the longest of ``draws`` times between the two that are given."""

    count: int
    least_seconds: int
    most_seconds: int
    draws: int = 1

    def draw_seconds(self, luck: Luck) -> int:
        """How long one is kept."""
        span_seconds = self.most_seconds - self.least_seconds
        return self.least_seconds + max(luck.below(span_seconds + 1) for _ in range(self.draws))


FIRST = Layer(2, 60 * DAY_SECONDS, 90 * DAY_SECONDS)
MIDDLE = Layer(4, 1 * DAY_SECONDS, 12 * DAY_SECONDS, draws=2)
"""Days, not months: who gets to be one of them learns our first hops, and must wait for its turn again and again."""


def refreshed(
    layer: Layer, kept: Mapping[PeerUUID, int], named: Sequence[Gateway], wall_seconds: float, luck: Luck
) -> dict[PeerUUID, int]:
    """The guards from now on, each with the unix time until which it is one: those of ``kept`` that still are, and new
    ones where they are too few. A time that lies further ahead than we ever set one counts as over."""
    now = int(wall_seconds)
    known = [one.uuid for one in named]
    latest = now + layer.most_seconds
    guards = {uuid: until for uuid, until in kept.items() if uuid in known and now < until <= latest}
    others = [uuid for uuid in known if uuid not in guards]
    while others and len(guards) < layer.count:
        guards[others.pop(luck.below(len(others)))] = now + layer.draw_seconds(luck)
    return guards
