"""The parsers that need no keys to be reached: executions so far, what the kept corpora reach, and a fresh run.

Sessions, handshakes and signed records have a point of their own (``fuzz``), whose ten millions these do not count in.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.acceptance.processes import discard, scratch
from tests.acceptance.report import ROOT, Figure, at_least, exactly, noted
from tests.fuzz import tally
from tests.fuzz.targets import PARSERS, Target

EXECUTIONS = 10_000
FRESH_EXECUTIONS = int(os.environ.get("QG_FUZZ_PARSER_EXECUTIONS", "1000"))


def figures() -> Iterator[Figure]:
    place = scratch()
    try:
        for target in PARSERS.values():
            yield so_far(target)
            yield reached(target, place)
            yield fresh(target, place)
        yield exactly("findings that are open", 0, sum(row["findings"] for row in rows() if "note" not in row))
        yield noted("findings that are settled", "; ".join(row["note"] for row in rows() if "note" in row) or "none")
    finally:
        discard(place)


def rows(*names: str) -> list[dict[str, object]]:
    return [row for row in tally.kept() if row["target"] in (names or PARSERS)]


def so_far(target: Target) -> Figure:
    executions = sum(int(str(row["executions"])) for row in rows(target.name))
    return at_least(f"{target.name}: executions in all tallied runs", EXECUTIONS, executions)


def reached(target: Target, place: Path) -> Figure:
    """Seeds and corpus, measured by coverage.py on the files that the target is about."""
    told = place / f"{target.name}.json"
    environment = {**os.environ, "COVERAGE_FILE": str(place / f"coverage-{target.name}")}
    coverage = [sys.executable, "-m", "coverage"]
    include = f"--include={','.join(target.parts)}"
    for words in (
        [*coverage, "run", "--branch", include, "-m", "tests.fuzz", "--replay", target.name, "--work", str(place)],
        [*coverage, "json", "-q", "-o", str(told)],
    ):
        subprocess.run(words, cwd=ROOT, env=environment, check=True, timeout=300, stdout=subprocess.DEVNULL)
    totals = json.loads(told.read_text(encoding="utf-8"))["totals"]
    share = 100 * totals["covered_branches"] / totals["num_branches"]
    return noted(f"{target.name}: branches that the corpus takes",
                 f"{totals['covered_branches']} of {totals['num_branches']} ({share:.0f} %)")


def fresh(target: Target, place: Path) -> Figure:
    words = [sys.executable, "-m", "tests.fuzz", "--target", target.name, "--executions", str(FRESH_EXECUTIONS)]
    done = subprocess.run([*words, "--work", str(place)], cwd=ROOT, check=False, timeout=600, capture_output=True)
    states = [json.loads(path.read_text()) for path in place.glob(f"state-{target.name}-*.json")]
    findings = states[0]["findings"] if states and not done.returncode else "some"
    return exactly(f"{target.name}: {FRESH_EXECUTIONS:,} more executions now, findings", 0, findings)
