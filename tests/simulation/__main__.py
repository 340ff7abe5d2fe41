"""All runs of the report: ``python -m tests.simulation`` writes docs/simulation (rows, plots, tables).

A run that has its row already is not made again: ``--fresh`` begins anew. ``--seeds 4`` is a quick look. Each run is a
process's work of half a minute; ``--jobs`` at a time.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator
from multiprocessing import Pool
from pathlib import Path
from typing import Any

from tests.simulation import report, runs
from tests.simulation.providers import CASES, providers
from tests.simulation.slots import slots

SEEDS = 40
FEW = 3
RENTED = (2, 4, 6, 7, 8, 10)
FOLDER = Path(__file__).parents[2] / "docs" / "simulation"
Job = tuple[str, tuple[Any, ...]]


def plan(seeds: int = SEEDS) -> list[Job]:
    """Names of scenarios with their arguments, the seed first."""
    few = range(min(FEW, seeds))
    jobs: list[Job] = [("steady", (seed,)) for seed in range(seeds)]
    jobs += [("slots", (seed,)) for seed in range(seeds)]
    jobs += [("lies", (seed, liars)) for liars in runs.LIARS for seed in few]
    jobs += [("parted", (seed,)) for seed in few]
    jobs += [("flooded", (seed,)) for seed in few]
    jobs += [("eclipsed", (seed, rented)) for rented in RENTED for seed in few]
    jobs += [("providers", (seed, case)) for case in CASES for seed in few]
    return jobs


def run(job: Job) -> dict[str, Any]:
    """One row, with what it is the row of."""
    name, arguments = job
    made = {"slots": slots, "providers": providers}.get(name) or getattr(runs, name)
    return {"job": [name, list(arguments)], **made(*arguments)}


def rows_in(file: Path) -> list[dict[str, Any]]:
    """What is there already."""
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def missing(jobs: Iterable[Job], rows: list[dict[str, Any]]) -> Iterator[Job]:
    """Those that have no row."""
    done = {json.dumps(row["job"]) for row in rows}
    return (job for job in jobs if json.dumps([job[0], list(job[1])]) not in done)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--fresh", action="store_true")
    given = parser.parse_args()
    file = given.folder / "rows.jsonl"
    if given.fresh:
        file.unlink(missing_ok=True)
    given.folder.mkdir(parents=True, exist_ok=True)
    todo = list(missing(plan(given.seeds), rows_in(file)))
    with Pool(given.jobs) as pool, file.open("a") as lines:
        for row in pool.imap_unordered(run, todo):
            lines.write(json.dumps(row, sort_keys=True) + "\n")
            lines.flush()
    report.write(given.folder, rows_in(file))


if __name__ == "__main__":
    main()
