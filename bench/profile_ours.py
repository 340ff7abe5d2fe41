"""Copies and calls per record, from a profile: where the time of a sealed byte goes.

    python bench/profile_ours.py [--script bench_ours.py|bench_core.py|thin.py] [--metric a|c] [--top 15]

Two runs: one under cProfile in each process (calls), one with ``copies.c`` preloaded (bytes copied in user space; needs
a C compiler). Printed as tables for docs/; not for: rates, which a profile distorts.
"""

from __future__ import annotations

import argparse
import json
import os
import pstats
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROLES = {"client": "sender", "server": "receiver"}
RECORD_CALL = {"client": ("seal",), "server": ("open_body", "open")}
"""One call of these is one record, by role; the first that the profile has."""


def run(script: Path, metric: str, **environment: str) -> dict[str, Any]:
    words = [sys.executable, str(script), "--metric", metric]
    path = os.pathsep.join(filter(None, (str(HERE.parent), os.environ.get("PYTHONPATH", ""))))
    surroundings = {**os.environ, "PYTHONPATH": path, **environment}
    done = subprocess.run(words, env=surroundings, capture_output=True, text=True, check=False)
    if not done.stdout.strip():
        raise SystemExit(done.stderr)
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    if "failed" in result:
        raise SystemExit(result["failed"])
    return result


def records_in(stats: Any, role: str) -> int:
    for wanted in RECORD_CALL[role]:
        found = ((file, row[0]) for (file, _, name), row in stats.items() if name == wanted)
        calls = [count for file, count in found if Path(file).name in ("records.py", "thin.py")]
        if calls:
            return max(calls)
    raise SystemExit(f"no record was counted at the {ROLES[role]}")


def print_calls(place: Path, top: int) -> None:
    for role, name in ROLES.items():
        profile: Any = pstats.Stats(str(place / f"{role}.prof"))
        records = records_in(profile.stats, role)
        rows = sorted(profile.stats.items(), key=lambda item: -item[1][1])
        total = sum(row[1] for _, row in rows)
        print(f"\n{name}: {records:,} records, {total / records:.1f} calls each (Python and C)\n")
        print("| calls a record | us a record | function |\n|---:|---:|---|")
        for (file, line, function), row in rows[:top]:
            where = function if file == "~" else f"{Path(file).name}:{line} {function}"
            print(f"| {row[1] / records:.2f} | {row[2] / records * 1e6:.2f} | {where.replace('|', '/')} |")


def print_copies(place: Path, result: dict[str, Any]) -> None:
    moved = float(result.get("MB", 0)) * 1e6
    if not moved:
        return
    found = [struct.unpack("QQ", path.read_bytes()) for path in sorted(place.glob("counted.*"))]
    print("\n| process | copies of 4 KiB and more | bytes copied for each payload byte |\n|---|---:|---:|")
    busiest = sorted(found, key=lambda one: one[1])[-2:]  # the others started these two, and moved nothing
    for name, (calls, size) in zip(("one end", "the other"), busiest, strict=False):
        print(f"| {name} | {calls:,} | {size / moved:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--script", default="bench_ours.py")
    parser.add_argument("--metric", default="a", choices=["a", "c"])
    parser.add_argument("--top", type=int, default=15)
    wanted = parser.parse_args()
    script = HERE / wanted.script
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        run(script, wanted.metric, BENCH_PROFILE=str(place))
        print_calls(place, wanted.top)
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            print("no C compiler: copies are not counted")
            return
        library = str(place / "copies.so")
        flags = ["-shared", "-fPIC", "-O2", "-fno-builtin", "-o", library, str(HERE / "copies.c"), "-ldl"]
        subprocess.run([compiler, *flags], check=True)
        print_copies(place, run(script, wanted.metric, LD_PRELOAD=library, COPIES_OUT=str(place / "counted")))


if __name__ == "__main__":
    main()
