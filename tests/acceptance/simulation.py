"""5,000 nodes of core/discovery over a law of links, 40 seeds, liars, partitions, eclipses; and 100 real cores beside.

Writes docs/simulation: rows, tables and plots. Two processes need about ten minutes of a quiet machine, and it breaks
off after thirty. QG_SIMULATION_SEEDS shortens it for a look, then without its bounds on how many there were. Design:
docs/simulation/README.md.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing import Pool
from statistics import median
from typing import Any

from tests.acceptance.report import Figure, at_least, at_most, exactly, noted
from tests.simulation import runs
from tests.simulation.__main__ import FOLDER, SEEDS, missing, plan, run
from tests.simulation.cores import SETTLE_SECONDS, Cores
from tests.simulation.report import held, mean, of, quantile, success, together, write
from tests.simulation.town import Size

SECONDS = 1800.0
LOOKUPS = 100
RELAYS, NODES = 60, 100


def figures() -> Iterator[Figure]:
    began, seeds = time.monotonic(), int(os.environ.get("QG_SIMULATION_SEEDS", SEEDS))
    yield from real_cores()
    rows = all_rows(seeds, began + SECONDS)
    yield exactly("runs made", len(plan(seeds)), len(rows))
    if len(rows) < len(plan(seeds)):
        return
    write(FOLDER, rows)
    yield from steady(of(rows, "steady"), seeds)
    yield from attacked(rows)
    yield from providers(of(rows, "providers"))
    yield from slots(of(rows, "slots"))
    yield at_most("minutes for all of it", SECONDS / 60, (time.monotonic() - began) / 60, digits=1)


def all_rows(seeds: int, until: float) -> list[dict[str, Any]]:
    """Every run; what is not made in time is missing, which breaks a bound."""
    rows: list[dict[str, Any]] = []
    with Pool(os.cpu_count()) as pool, suppress(multiprocessing.TimeoutError):
        made = pool.imap_unordered(run, missing(plan(seeds), []))
        while len(rows) < len(plan(seeds)):
            rows.append(made.next(timeout=max(0.0, until - time.monotonic())))
    return rows


def steady(rows: list[dict[str, Any]], seeds: int) -> Iterator[Figure]:
    asked, tenths = together(rows, "each_questions"), together(rows, "each_tenths")
    yield exactly("seeds of 5,000 honest nodes, 20 % leaving and coming in an hour", seeds, len(rows))
    yield at_least("look-ups that find the newest record", 0.99, success(rows), digits=4)
    yield at_least("the same, in the worst run", 0.98, min(success([row]) for row in rows), digits=4)
    yield at_most("questions of a look-up, 95th percentile", 24, quantile(asked, 0.95))
    yield at_most("seconds of a look-up, 95th percentile", 5.0, (quantile(tenths, 0.95) + 1) / 10, digits=1)
    each = median(row["questions_per_node_hour"] for row in rows)
    yield at_most("questions that a node asks in an hour to be found, and to be a keeper", 60.0, each, digits=1)


def attacked(rows: list[dict[str, Any]]) -> Iterator[Figure]:
    for liars in runs.LIARS:
        yield at_least(f"found where a fifth of the nodes is {liars}", 0.97, success(of(rows, "lies", liars=liars)))
    parted = of(rows, "parted")
    for name, least in (("within", 0.95), ("healed", 0.97), ("later", 0.99)):
        yield at_least(f"found in a parted network: {name}", least, success([row[name] for row in parted]))
    yield at_least("found though 20,000 records were left with its keepers", 0.95, success(of(rows, "flooded")))
    for rented in (2, 4, 6):
        share = success(of(rows, "eclipsed", rented=rented))
        yield at_least(f"found though {rented} of its 8 networks are an attacker's", 0.8, share)
    yield noted("found where all 8 are", round(success(of(rows, "eclipsed", rented=8)), 3))


def providers(rows: list[dict[str, Any]]) -> Iterator[Figure]:
    """Look-ups of an extender. Of the first eight of what is found somebody is there, whatever an attacker tells."""
    for case, least, share in (("few", 0.99, 0.0), ("many", 0.99, 0.0), ("withholding", 0.97, 0.0),
                               ("crowding", 0.97, 0.2), ("flooded few", 0.9, 0.8), ("flooded many", 0.97, 0.35),
                               ("surrounded", 0.95, 0.52)):
        some = of(rows, "providers", case=case)
        yield at_least(f"extender, {case}: look-ups of which one of the first eight is there", least, success(some))
        yield at_most(f"extender, {case}: of the first eight an attacker's inventions, mean", share,
                      round(mean(some, "theirs_share"), 3), digits=3)
    for case, least_found in (("few", 8), ("many", 32), ("flooded few", 4), ("surrounded", 4)):
        found = median(row["living"]["median"] for row in of(rows, "providers", case=case))
        yield at_least(f"extender, {case}: found that are there, median", least_found, found)


def slots(rows: list[dict[str, Any]]) -> Iterator[Figure]:
    yield at_least("runs in which the attacker has fewer than 1 in 8 outbound connections", 0.95, held(rows))
    shares = [row["share"] for row in rows]
    yield noted("its share: least, median, most", [round(one, 3) for one in (min(shares), median(shares), max(shares))])
    yield noted("its share in the first six hours of a node, mean",
                round(sum(sum(row["by_hour"][:6]) / 6 for row in rows) / len(rows), 3))


def real_cores() -> Iterator[Figure]:
    """The same things from whole nodes, and from the town with the same number of them."""
    cores = Cores(NODES, RELAYS)
    cores.run_for(SETTLE_SECONDS)
    real = cores.look_ups(LOOKUPS).row()
    places = list(cores.nodes)
    halves = (places[::2], places[1::2])
    cores.network.part(*halves)
    within = cores.look_ups(20, lambda one, other: (one in halves[0]) == (other in halves[0])).row()
    cores.network.heal()
    cores.stop(cores.luck.sample(places, NODES // 5))
    left = cores.look_ups(40).row()
    cores.close()
    size = Size(nodes=NODES, networks=NODES, keepers=RELAYS / NODES, findable=1.0, told=16)
    law = runs.measured(runs.grown(1, size), LOOKUPS, 60.0).row()
    yield at_least(f"{NODES} real cores: look-ups that succeed", 0.99, real["found"] / real["lookups"])
    yield at_least("within one half when they are parted", 0.9, within["found"] / within["lookups"])
    yield at_least("after a fifth has gone without a word", 0.97, left["found"] / left["lookups"])
    asked, expected = real["questions"]["median"], law["questions"]["median"]
    yield at_most("questions, median: real against the law, apart by", 2, abs(asked - expected))
    yield noted("questions, median and 95 %: real; law", [[one["questions"][name] for name in ("median", "p95")]
                                                          for one in (real, law)])
    yield noted("seconds, median: real; law", [real["seconds"]["median"], law["seconds"]["median"]])
