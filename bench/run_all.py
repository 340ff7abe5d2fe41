"""Ours and its peers in one run, each metric with the pins that it needs, and the ratios that must hold.

    python bench/run_all.py --venv VENV [--runs 3] [--metrics a,b,c,d,e,f1,f3,g,h] [--json FILE]

VENV holds the peers (bench/peers/requirements.txt); ours runs with the interpreter that runs this. a, d and e are
measured with responder and initiator on a core each, b and c with both on one, f1, f3, g and h with every process where
the kernel puts it. Exit code 1 when a bound is broken.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ratios import Runs, verdicts

HERE = Path(__file__).resolve().parent
DIRECT = "raw-sockets,twisted-tcp,twisted-tls,zeromq-curve"
RELAYED = "libp2p,tor-vanilla"
"""Tor's default scheduler was three to five times slower than Vanilla in every run so far: ``peers/run.py`` has it."""

GROUPS = (
    ("split", DIRECT, ("a", "d", "e"), 1),
    ("same", DIRECT, ("b", "c"), 1),
    ("none", RELAYED, ("f1", "f3", "h"), 1),
    ("none", "ssh-D", ("g",), 3),
)
"""Pin, peers, metrics, how many times the rounds: a fetch of g takes half a second and varies by a factor of two."""

METRICS = tuple(metric for _, _, metrics, _ in GROUPS for metric in metrics)
ADDED = (
    ("thin", "thin.py", "", "a+b+c"),
    ("ours", "bench_ours.py", "", "a+b+c+d+e+f1+f3+g+h"),
    ("ours-lz4", "bench_ours.py", "lz4", "a+b+c"),
    ("ours-unpadded", "bench_ours.py", "plain", "a+b+c"),
    ("ours-5000", "bench_ours.py", "5000", "e"),
    ("ours-1hop", "bench_ours.py", "1hop", "g"),
    ("ours-3hops", "bench_ours.py", "3hops", "g"),
)


def measure(venv: Path, metrics: Sequence[str], rounds: int, results: Path, names: Sequence[str]) -> Runs:
    """Run everything, group by group, appending to one JSON file; returns its runs."""
    results.unlink(missing_ok=True)
    for pin, peers, grouped, times in GROUPS:
        chosen = [metric for metric in grouped if metric in metrics]
        if not chosen:
            continue
        words = [sys.executable, str(HERE / "peers" / "run.py"), "--venv", str(venv), "--peers", peers]
        words += ["--metrics", ",".join(chosen), "--pin", pin, "--runs", str(rounds * times), "--json", str(results)]
        words += ["--append", "--limit", "300", "--add-python", sys.executable]
        for name, script, variant, its in ADDED:
            if name in names and set(its.split("+")) & set(chosen):
                words += ["--add", f"{name}={HERE / script}:{variant}:{its}"]
        print(f"== {'+'.join(chosen)}, --pin {pin}", flush=True)
        subprocess.run(words, check=True)
    runs: Runs = json.loads(results.read_text())["runs"]
    return runs


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--venv", type=Path, default=Path(sys.prefix), help="where the peers are installed")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--metrics", default=",".join(METRICS))
    parser.add_argument("--added", default=",".join(name for name, *_ in ADDED), help="which of ours, by name")
    parser.add_argument("--json", type=Path, default=Path(tempfile.gettempdir()) / "quantumgate-bench.json")
    wanted = parser.parse_args()
    metrics = wanted.metrics.split(",")
    runs = measure(wanted.venv, metrics, wanted.runs, wanted.json.resolve(), wanted.added.split(","))
    broken = 0
    print(f"{'':8}{'bound':60}{'wanted':24}seen")
    for verdict in verdicts(runs, metrics):
        broken += not verdict.holds
        mark = "ok" if verdict.holds else "BROKEN"
        print(f"{mark:8}{verdict.bound.name:60}{verdict.bound.text():24}{verdict.text()}")
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
