"""The runs of the report: each is one seed of one scenario, and comes to one row of numbers.

``python -m tests.simulation`` runs them all (``__main__.py``); the short ones of ``make test`` are smaller towns of the
same kind. Not for: plots (``plots.py``) or bounds (``tests/acceptance/simulation.py``).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from quantumgate.core.discovery.positions import day_of
from quantumgate.core.discovery.search import Search
from tests.simulation.attackers import Forging, Silent, Withholding, flood, surround
from tests.simulation.law import Law
from tests.simulation.node import Node
from tests.simulation.town import MIDNIGHT, NOON, Size, Town

SETTLE_SECONDS = 900.0
WARM_SECONDS = 1800.0
MEASURED_SECONDS = 1200.0
LOOKUPS = 500
Row = dict[str, Any]

LIARS: dict[str, type[Node]] = {"withholding": Withholding, "forging": Forging, "silent": Silent}


@dataclass(frozen=True, slots=True)
class Tally:
    """What look-ups came to: (end, questions, failures, seconds) each."""

    rows: list[tuple[str, int, int, float]]

    def row(self) -> Row:
        """Share of successes, and quantiles."""
        return {
            "lookups": len(self.rows),
            "found": sum(one[0] == "found" for one in self.rows),
            "ends": dict(Counter(one[0] for one in self.rows)),
            "questions": quantiles([one[1] for one in self.rows]),
            "unanswered": round(sum(one[2] for one in self.rows) / max(1, len(self.rows)), 3),
            "seconds": quantiles([one[3] for one in self.rows]),
            "each_questions": dict(Counter(one[1] for one in self.rows)),
            "each_tenths": dict(Counter(int(one[3] * 10) for one in self.rows)),
        }


def quantiles(values: list[Any]) -> dict[str, Any]:
    """Median, 95th and 99th percentile, most."""
    ordered = sorted(values) or [0]
    last = len(ordered) - 1
    return {name: round(ordered[int(last * share)], 3) for name, share in
            (("median", 0.5), ("p95", 0.95), ("p99", 0.99), ("most", 1.0))}


def grown(seed: int, size: Size, law: Law | None = None, *, start: float = NOON, **more: Any) -> Town:
    """A town whose nodes came within 15 minutes, and have met and published twice; churn has begun."""
    town = Town(seed, size, law, start=start, **more)
    town.populate(SETTLE_SECONDS)
    town.queue.run_until(start + SETTLE_SECONDS)
    town.churn(float("inf"))
    town.queue.run_until(start + WARM_SECONDS)
    return town


def look_up(town: Town, tally: Tally, asker: Node, target: Node) -> None:
    """It counts where the record that is found is the one that the target has now."""
    day, began = day_of(town.queue.now), town.queue.now

    def over(search: Search) -> None:
        found = search.records.get(target.uuid)
        end = "found" if found == target.known else "found an older one" if found is not None else search.end.value
        tally.rows.append((end, search.questions, search.failures, town.queue.now - began))

    asker.search(day, town.charts.chart(day).peer(target.uuid), over)


def pair(town: Town, fits: Callable[[Node, Node], bool] = lambda asker, target: True) -> tuple[Node, Node]:
    """Somebody honest who asks, and somebody who has been published and is online."""
    while True:
        asker, target = town.honest(), town.honest()
        if target.published_at is not None and asker is not target and fits(asker, target):
            return asker, target


def measured(
    town: Town, lookups: int, seconds: float, fits: Callable[[Node, Node], bool] = lambda asker, target: True
) -> Tally:
    """So many look-ups, spread over this time."""
    tally = Tally([])
    for number in range(lookups):
        town.queue.later(seconds * number / lookups, lambda: look_up(town, tally, *pair(town, fits)))
    town.queue.run_until(town.queue.now + seconds + 60)
    return tally


# -- scenarios -------------------------------------------------------------------------------------------------------


def steady(seed: int, nodes: int = 5000, networks: int = 1000, lookups: int = LOOKUPS) -> Row:
    """Honest nodes, 20 % of which leave in an hour while as many come. In every eighth run midnight passes."""
    began = time.process_time()
    midnight = seed % 8 == 7
    start = MIDNIGHT - WARM_SECONDS - MEASURED_SECONDS / 2 if midnight else NOON
    town = grown(seed, Size(nodes=nodes, networks=networks), start=start)
    before = Counter(town.counts)
    tally = measured(town, lookups, MEASURED_SECONDS)
    hours = MEASURED_SECONDS / 3600
    keepers = [one for one in town.online if one.keeper]
    return {
        "scenario": "steady", "seed": seed, "nodes": len(town.online), "midnight": midnight, **tally.row(),
        "questions_per_node_hour": round((town.counts["questions"] - before["questions"]) / hours / nodes, 1),
        "kept_per_keeper": quantiles([len(one.directory) for one in keepers]),
        "met_per_keeper": quantiles([len(one.acquaintances) for one in keepers]),
        "cpu_seconds": round(time.process_time() - began, 1),
    }


def lies(seed: int, liars: str, nodes: int = 5000, networks: int = 1000, lookups: int = LOOKUPS) -> Row:
    """A fifth of the nodes, in a twentieth of the networks, is one attacker's."""
    size = Size(nodes=nodes, networks=networks, attackers=0.2, attacked_networks=0.05)
    town = grown(seed, size, attacker=LIARS[liars])
    tally = measured(town, lookups, MEASURED_SECONDS / 2)
    honest = [one for one in town.online if one.keeper and not one.attacks]
    theirs = sum(one.acquaintances_of(Withholding) for one in honest)
    return {"scenario": "lies", "liars": liars, "seed": seed, **tally.row(),
            "met_share": round(theirs / max(1, sum(len(one.acquaintances) for one in honest)), 3)}


def parted(seed: int, nodes: int = 5000, networks: int = 1000, lookups: int = LOOKUPS) -> Row:
    """Half of the networks lose the other half for forty minutes."""
    town = grown(seed, Size(nodes=nodes, networks=networks))
    town.parted = apart_from
    within = measured(town, lookups, MEASURED_SECONDS, lambda one, other: not apart_from(one, other))
    town.parted = lambda one, other: False
    healed = measured(town, lookups // 2, 60.0, apart_from)
    later = measured(town, lookups // 2, 1800.0, apart_from)
    return {"scenario": "parted", "seed": seed, "within": within.row(), "healed": healed.row(), "later": later.row()}


def apart_from(one: Node, other: Node) -> bool:
    """Whether they are on two sides of the partition."""
    return one.side != other.side


def eclipsed(seed: int, rented: int, nodes: int = 1500, networks: int = 400, lookups: int = 40) -> Row:
    """An attacker rents addresses in the networks of all IPv4 that are nearest to one UUID, on that day.

    What was left before they came is gone, as it would be after some hours: the worst that this can come to.
    """
    town = grown(seed, Size(nodes=nodes, networks=networks), Law(churn_per_hour=0.0))
    _, victim = pair(town)
    surround(town, town.charts.chart(day_of(town.queue.now)).peer(victim.uuid), rented, Withholding)
    town.queue.run_until(town.queue.now + 4500)  # everybody near has met them
    for node in town.online:
        node.forget_all()
    victim.publish(day_of(town.queue.now))
    town.queue.run_until(town.queue.now + 60)
    tally = Tally([])
    for _ in range(lookups):
        look_up(town, tally, town.honest(), victim)
    town.queue.run_until(town.queue.now + 60)
    return {"scenario": "eclipsed", "seed": seed, "rented": rented, **tally.row()}


def flooded(seed: int, nodes: int = 1500, networks: int = 400, records: int = 20_000) -> Row:
    """Records in any number, left with whoever keeps one victim's, from a twentieth of the networks."""
    town = grown(seed, Size(nodes=nodes, networks=networks, attackers=0.2, attacked_networks=0.05))
    _, victim = pair(town)
    flood(town, victim, [one for one in town.online if one.attacks], records)
    tally = Tally([])
    for _ in range(20):
        look_up(town, tally, town.honest(), victim)
    town.queue.run_until(town.queue.now + 60)
    most = max(len(one.directory) for one in town.online if one.keeper)
    return {"scenario": "flooded", "seed": seed, "kept_most": most, **tally.row()}
