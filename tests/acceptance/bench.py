"""The benchmarks beside the peers, in one run, as the ratios that must hold (bench/ratios.py); about ten minutes.

Needs the peers' packages: ``make bench`` installs them into ``.venv``; ``QUANTUMGATE_PEERS_VENV`` names another
environment that has them. Rounds: ``QUANTUMGATE_BENCH_RUNS`` (3); figures are medians over them, their spread beside.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests import house
from tests.acceptance.report import ROOT, Figure, noted

BENCH = ROOT / "bench"
MEASURED = ("ours", "ours-5000")
NOTED = (
    ("a", "MBps", "bulk, MB/s"),
    ("a", "cpu_s_per_GB", "bulk, CPU s/GB"),
    ("b", "p50_us", "echo, median us"),
    ("c", "msgs_per_s", "100-byte messages a second"),
    ("d", "per_s", "handshakes a second"),
)


def figures() -> Iterator[Figure]:
    yield from compared(("a", "b", "c", "d", "e"), MEASURED, NOTED)


def compared(
    metrics: Sequence[str], measured: Sequence[str], noted_too: Sequence[tuple[str, str, str]]
) -> Iterator[Figure]:
    """These metrics of ours (by the names in run_all.py) and the peers: the bounds, then (metric, key, name) of all."""
    sys.path.insert(0, str(BENCH))  # its scripts import one another by name
    try:
        run_all, ratios = (house.load_script(BENCH / name) for name in ("run_all.py", "ratios.py"))
    finally:
        sys.path.remove(str(BENCH))
    venv = Path(os.environ.get("QUANTUMGATE_PEERS_VENV", sys.prefix))
    rounds = int(os.environ.get("QUANTUMGATE_BENCH_RUNS", "3"))
    with tempfile.TemporaryDirectory() as scratch:
        runs = run_all.measure(venv, metrics, rounds, Path(scratch) / "runs.json", measured)
    for verdict in ratios.verdicts(runs, metrics):
        yield Figure(verdict.bound.name, verdict.bound.text(), verdict.text(), verdict.holds)
    for metric, key, name in noted_too:
        for peer, found in runs.items():
            if good := [run[key] for run in found.get(metric, ()) if key in run]:
                yield noted(f"{name}: {peer}", spread(good))


def spread(values: list[Any]) -> str:
    """Median (least - most) of the rounds."""
    return f"{statistics.median(values):,.4g} ({min(values):,.4g} - {max(values):,.4g})"
