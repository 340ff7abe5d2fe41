"""Look-ups of an extender: how many who run it are found, and how many of the found are an attacker's inventions.

Not for: look-ups of one peer (``runs.py``). Design: docs/simulation/README.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from quantumgate.core.discovery import sampling
from quantumgate.core.discovery.positions import day_of
from quantumgate.core.discovery.search import Search
from tests.simulation.attackers import Crowding, Withholding, crowd, surround
from tests.simulation.node import Node
from tests.simulation.people import EXTENDER
from tests.simulation.runs import Row, Tally, grown, quantiles
from tests.simulation.town import Size, Town

FIRST = 8
"""Of what is found so many are looked at: as many as somebody would call."""

CROWD = 1000
SPREAD_SECONDS = 300.0
FEW, MANY = 0.02, 0.3
"""Of those who want to be found: about a dozen, and some two hundred."""


@dataclass(slots=True)
class Haul:
    """What look-ups brought: living providers in all, and living and invented ones among the first."""

    tally: Tally = field(default_factory=lambda: Tally([]))
    living: list[int] = field(default_factory=list)
    first_living: list[int] = field(default_factory=list)
    first_theirs: list[int] = field(default_factory=list)

    def row(self) -> Row:
        """As ``Tally``'s, and shares of the first eight."""
        first = FIRST * max(1, len(self.living))
        return {**self.tally.row(), "living": quantiles(self.living), "living_least": min(self.living, default=0),
                "living_share": round(sum(self.first_living) / first, 4),
                "theirs_share": round(sum(self.first_theirs) / first, 4)}


def look_up(town: Town, haul: Haul) -> None:
    """Somebody honest asks; it succeeds where one of the first eight is there, and runs it."""
    asker, day, began = town.honest(), day_of(town.queue.now), town.queue.now

    def over(search: Search) -> None:
        drawn = sampling.providers(search.told, town.random)
        there = [_lives(town, one.identity.uuid) for one in drawn]
        good = sum(there[:FIRST])
        haul.living.append(sum(there))
        haul.first_living.append(good)
        haul.first_theirs.append(sum(one.identity.uuid not in town.nodes for one in drawn[:FIRST]))
        end = "found" if good else "nobody of the first eight is there" if drawn else search.end.value
        haul.tally.rows.append((end, search.questions, search.failures, town.queue.now - began))

    asker.search(day, town.charts.chart(day).extender(EXTENDER), over, several=True)


def _lives(town: Town, uuid: Any) -> bool:
    node = town.nodes.get(uuid)
    return node is not None and node.online and node.provides


def online(town: Town) -> int:
    """How many run it."""
    return sum(node.provides for node in town.online)


def _lists(town: Town) -> list[Node]:
    day = day_of(town.queue.now)
    key = town.charts.chart(day).extender(EXTENDER)
    return [node for node in town.online if node.keeper and node.directory.find(day, key, town.queue.now).records]


# -- scenarios -------------------------------------------------------------------------------------------------------


def _alone(town: Town, key: bytes) -> None:
    """Nobody attacks."""


def _crowded(town: Town, key: bytes) -> None:
    """An attacker leaves 1,000 inventions with each keeper, from its own networks, now and half-way through."""
    attackers = [one for one in town.online if one.attacks]
    crowd(town, key, attackers, CROWD)
    town.queue.later(SPREAD_SECONDS / 2, crowd, town, key, attackers, CROWD)


def _surrounded(town: Town, key: bytes) -> None:
    """It has four of the eight networks that stand nearest, and tells of inventions alone."""
    surround(town, key, 4, Crowding)
    town.queue.run_until(town.queue.now + 4500)


ATTACKED = {"attackers": 0.2, "attacked_networks": 0.05}
CASES: dict[str, tuple[dict[str, Any], type[Node], Callable[[Town, bytes], None]]] = {
    "few": ({"providers": FEW}, Withholding, _alone),
    "many": ({"providers": MANY}, Withholding, _alone),
    "withholding": ({"providers": FEW, **ATTACKED}, Withholding, _alone),
    "crowding": ({"providers": FEW, **ATTACKED}, Crowding, _alone),
    "flooded few": ({"providers": FEW, **ATTACKED}, Withholding, _crowded),
    "flooded many": ({"providers": MANY, **ATTACKED}, Withholding, _crowded),
    "surrounded": ({"providers": FEW}, Crowding, _surrounded),
}
"""Who is there, who attacks, and what happens before the look-ups."""


def providers(seed: int, case: str, nodes: int = 1000, networks: int = 400, lookups: int = 60) -> Row:
    """One town, and look-ups of one extender in it."""
    began = time.process_time()
    more, attacker, happens = CASES[case]
    town = grown(seed, Size(nodes=nodes, networks=networks, **more), attacker=attacker)
    happens(town, town.charts.chart(day_of(town.queue.now)).extender(EXTENDER))
    haul = Haul()
    for number in range(lookups):
        town.queue.later(SPREAD_SECONDS * number / lookups, look_up, town, haul)
    town.queue.run_until(town.queue.now + SPREAD_SECONDS + 60)
    return {"scenario": "providers", "case": case, "seed": seed, "online": online(town), "lists": len(_lists(town)),
            **haul.row(), "cpu_seconds": round(time.process_time() - began, 1)}
