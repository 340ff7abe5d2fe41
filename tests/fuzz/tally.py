"""How much was fuzzed: executions of long runs, each with the code it ran on, kept in ``tally.json``.

The code is named by a digest of wire/ and core/, since commits of other things change nothing here. Not for: what was
found, which is a fix and a test or a failing run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.house import ROOT

TALLY = Path(__file__).resolve().parent / "tally.json"
PARTS = ("quantumgate/core", "quantumgate/wire")


def code(parts: Sequence[str] = PARTS) -> str:
    """12 hex digits that change with any byte of wire/ or core/, or of other ``parts``: directories or files."""
    digest = hashlib.sha256()
    for part in parts:
        place = ROOT / part
        for path in (place,) if place.is_file() else sorted(place.rglob("*.py")):
            digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def kept() -> list[dict[str, Any]]:
    """The runs so far: run (target and seed), target, code, commit, executions, findings, date, and a note where
    a finding was not one or was mended."""
    return list(json.loads(TALLY.read_text(encoding="utf-8"))) if TALLY.exists() else []


def add(work: Path) -> list[dict[str, Any]]:
    """Put the states of ``work`` in; a run that went on since replaces its older row."""
    runs = {row["run"]: row for row in kept()}
    for path in sorted(work.glob("state-*.json")):
        state = json.loads(path.read_text(encoding="utf-8"))
        names = ("run", "target", "code", "commit", "executions", "findings", "date", "note")
        runs[state["run"]] = {name: state[name] for name in names if name in state}
    rows = sorted(runs.values(), key=lambda row: (row["date"], row["run"]))
    TALLY.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n", encoding="utf-8")
    return rows
