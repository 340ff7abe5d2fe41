"""The store's benchmark (bench/bench_store.py) with its bounds: half of bare sqlite3, a reactor that hardly waits."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

from tests.acceptance.report import ROOT, Figure, at_least, at_most, noted

MOST_SECONDS = 300


def figures() -> Iterator[Figure]:
    """One run, on the disk where temporary files lie."""
    done = subprocess.run([sys.executable, str(ROOT / "bench" / "bench_store.py")], cwd=ROOT, capture_output=True,
                          text=True, timeout=MOST_SECONDS, check=True)
    found = json.loads(done.stdout)
    yield at_least("durable writes a second, to those of bare sqlite3", 0.5, found["ratio"])
    yield at_most("reactor gap, 99.9th percentile", 50, found["gap_milliseconds_99.9"], " ms")
    yield noted("longest gap of so many", f"{found['gap_milliseconds_longest']} ms of {found['gaps']:,}")
    yield noted("the same of a reactor that has nothing to do, on that machine",
                f"{found['quiet_gap_milliseconds_99.9']} ms")
    for name, words in (("bare", "bare sqlite3"), ("open", f"{found['tasks']} tasks"),
                        ("sealed", f"{found['tasks']} tasks, sealed"), ("alone", "one task alone")):
        yield noted(f"a second: {words}", f"{found[f'{name}_per_second']:,.0f}")
