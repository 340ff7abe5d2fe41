"""First hops that are kept for months: who is first learns where we are, so it had better be the same few. [A50]

Drawn once among the gateways that the operator named, never among peers that come and go. Not for: choosing a path
(``path.py``), keeping them over a restart (``node/state.py``). Spec: docs/spec/relays.md, 6.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from quantumgate.core.relay.path import Gateway, Luck
from quantumgate.ids import PeerUUID

GUARDS = 2
DAY_SECONDS = 86_400
KEPT_SECONDS = (60 * DAY_SECONDS, 90 * DAY_SECONDS)


def refreshed(
    kept: Mapping[PeerUUID, int], named: Sequence[Gateway], wall_seconds: float, luck: Luck
) -> dict[PeerUUID, int]:
    """The guards from now on, each with the unix time until which it is one: those of ``kept`` that still are, and new
    ones where they are too few. A time that lies further ahead than we ever set one counts as over."""
    now = int(wall_seconds)
    known = [one.uuid for one in named]
    guards = {uuid: until for uuid, until in kept.items() if uuid in known and now < until <= now + KEPT_SECONDS[1]}
    others = [uuid for uuid in known if uuid not in guards]
    while others and len(guards) < GUARDS:
        least, most = KEPT_SECONDS
        guards[others.pop(luck.below(len(others)))] = now + least + luck.below(most - least)
    return guards
