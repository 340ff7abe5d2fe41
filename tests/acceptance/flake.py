"""``make test`` five times in a row in a fresh clone of what is committed: green each time, in bounded time.

The clone makes its own environment, as a newcomer's does, so the first run needs a package registry. What is not
committed is not tested. QG_FLAKE_RUNS changes the number of runs.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.acceptance.processes import discard, scratch
from tests.acceptance.report import ROOT, Figure, at_most, exactly, noted

RUNS = int(os.environ.get("QG_FLAKE_RUNS", "5"))
RUN_SECONDS = 240.0
PATIENCE_SECONDS = 1800
SAID_CHARACTERS = 20_000
_SUMMARY = re.compile(r"^Ran (\d+) tests in ([\d.]+)s\s+^(PASSED|FAILED)(.*)$", re.MULTILINE)


def figures() -> Iterator[Figure]:
    place = scratch()
    try:
        yield from runs(place / "clone")
    finally:
        discard(place)


def runs(clone: Path) -> Iterator[Figure]:
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(clone)], check=True, timeout=300)
    yield noted("commit of the clone", git(clone, "rev-parse", "--short", "HEAD"))
    make(clone, ".venv/ok")
    green, longest, told = 0, 0.0, []
    for _ in range(RUNS):
        began = time.monotonic()
        done = make(clone, "test")
        longest = max(longest, time.monotonic() - began)
        found = _SUMMARY.search(done.stdout + done.stderr)
        told.append(f"{found[1]} in {float(found[2]):.0f} s {found[3]}{found[4]}" if found else "no end")
        green += done.returncode == 0
        if done.returncode:
            print(done.stdout[-SAID_CHARACTERS:], done.stderr[-SAID_CHARACTERS:], flush=True)
            yield noted("failed", " ".join(failures(done.stdout + done.stderr)))
    yield exactly("runs of make test that passed", RUNS, green)
    yield at_most("longest run, s", RUN_SECONDS, longest)
    yield noted("each", "; ".join(told))
    yield exactly("files that the runs left or changed", "", git(clone, "status", "--porcelain"))


def git(clone: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=clone, capture_output=True, text=True, check=True).stdout.strip()


def make(clone: Path, target: str) -> subprocess.CompletedProcess[str]:
    """``make TARGET`` in the clone, without what this process was told of an environment."""
    ours = ("PYTHON", "VIRTUAL_ENV", "QG_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    words = ["make", target]
    return subprocess.run(words, cwd=clone, env=inherited, capture_output=True, text=True,
                          timeout=PATIENCE_SECONDS, check=False)  # fmt: skip


def failures(said: str) -> list[str]:
    """The tests below trial's failures and errors; skips are listed in the same way."""
    sections = re.split(r"^={70,}$", said, flags=re.MULTILINE)
    broken = [section for section in sections if section.lstrip().startswith(("[FAIL]", "[ERROR]"))]
    return sorted({name for section in broken for name in re.findall(r"^tests\.[\w.]+$", section, re.MULTILINE)})
