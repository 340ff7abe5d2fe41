"""How far fuzzing with the keys in hand has come: executions so far, branches reached, and a fresh run meanwhile.

Ten million executions take hours, so they are run beside (``python -m tests.fuzz``) and tallied with the code they ran
on; here the tally is read, the kept corpora are replayed under coverage, and QG_FUZZ_EXECUTIONS more are run.
Spec: docs/spec/records.md, the invariant at its beginning.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.acceptance.processes import discard, scratch
from tests.acceptance.report import ROOT, Figure, at_least, exactly, noted
from tests.fuzz import tally
from tests.fuzz.targets import KEYED

EXECUTIONS_IN_ALL = 10_000_000
FRESH_EXECUTIONS = int(os.environ.get("QG_FUZZ_EXECUTIONS", "50000"))
BRANCH_SHARE = 90.0


def figures() -> Iterator[Figure]:
    place = scratch()
    try:
        yield from so_far()
        yield from replay(place)
        yield from fresh(place)
    finally:
        discard(place)


def so_far() -> Iterator[Figure]:
    rows = [row for row in tally.kept() if row["target"] in KEYED]
    by_target, by_code = Counter[str](), Counter[str]()
    for row in rows:
        by_target[row["target"]] += row["executions"]
        by_code[row["code"]] += row["executions"]
    yield at_least("executions in all tallied runs", EXECUTIONS_IN_ALL, sum(by_target.values()))
    yield noted("of which", ", ".join(f"{target} {count:,}" for target, count in sorted(by_target.items())))
    commits = f"{rows[0]['commit']} to {rows[-1]['commit']}" if rows else "none"
    yield noted("over commits", f"{commits}, {len(by_code)} states of wire/ and core/")
    yield noted("of which on wire/ and core/ as they are now", f"{by_code[tally.code()]:,} ({tally.code()})")
    notes = [f"{row['run']}: {row['note']}" for row in rows if "note" in row]
    yield noted("findings that are settled", "; ".join(notes) or "none")
    yield exactly("findings that are not", 0, sum(row["findings"] for row in rows if "note" not in row))


def replay(place: Path) -> Iterator[Figure]:
    """The seeds and the corpus, measured by coverage.py."""
    environment = {**os.environ, "COVERAGE_FILE": str(place / "coverage")}
    coverage = [sys.executable, "-m", "coverage"]
    parts = ",".join(tally.PARTS)
    for words in (
        [*coverage, "run", "--branch", f"--source={parts}", "-m", "tests.fuzz", "--replay", "keyed",
         "--work", str(place)],
        [*coverage, "json", "-q", "-o", str(place / "coverage.json")],
    ):
        subprocess.run(words, cwd=ROOT, env=environment, check=True, timeout=900, stdout=subprocess.DEVNULL)
    told = json.loads((place / "coverage.json").read_text(encoding="utf-8"))
    totals = told["totals"]
    share = 100 * totals["covered_branches"] / totals["num_branches"]
    yield at_least("corpus replayed: branches of wire/ and core/ taken, %", BRANCH_SHARE, share, digits=1)
    yield noted("corpus replayed: branches", f"{totals['covered_branches']:,} of {totals['num_branches']:,}")
    yield noted("corpus replayed: statements, %", f"{100 * totals['covered_lines'] / totals['num_statements']:.1f}")
    yield noted("branches not taken, by module", not_taken(told["files"]))


def not_taken(files: dict[str, Any]) -> str:
    missing = {name.removeprefix("quantumgate/").removesuffix(".py"): file["summary"]["missing_branches"]
               for name, file in files.items()}  # fmt: skip
    return ", ".join(f"{name} {count}" for name, count in sorted(missing.items(), key=lambda row: -row[1]) if count)


def fresh(place: Path) -> Iterator[Figure]:
    shares = (("session", 4, 5), ("handshake", 1, 6), ("record", 1, 30))
    for target, executions in ((name, FRESH_EXECUTIONS * part // of) for name, part, of in shares):
        words = [sys.executable, "-m", "tests.fuzz", "--target", target, "--executions", str(executions)]
        done = subprocess.run([*words, "--work", str(place)], cwd=ROOT, check=False, timeout=7200, capture_output=True)
        states = [json.loads(path.read_text()) for path in place.glob(f"state-{target}-*.json")]
        findings = states[0]["findings"] if states else "no end"
        yield exactly(f"{target}: {executions:,} more executions now, findings", 0, findings)
        yield exactly(f"{target}: exit code", 0, done.returncode)
