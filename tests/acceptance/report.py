"""Figures with their bounds, and the table in docs/acceptance.md that keeps the newest of each.

A point yields figures; a figure that breaks its bound fails the run. Not for: measuring (each point's module does).
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "docs" / "acceptance.md"
HEAD = """# Acceptance: what was seen by running it

Written by `make acceptance [NAME...]` (tests/acceptance): one row for each figure, the newest run of each. A bold
figure broke its bound. The commit is the one the tree stood at; `+` marks a tree with changes on top of it.

| point | figure | bound | seen | date (UTC) | commit |
|---|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Figure:
    """One thing that was seen: ``seen`` and ``bound`` are text for people, ``holds`` is the verdict."""

    name: str
    bound: str
    seen: str
    holds: bool


def at_least(name: str, least: float, seen: float, unit: str = "", digits: int = 2) -> Figure:
    return Figure(name, f"≥ {_number(least, digits)}{unit}", f"{_number(seen, digits)}{unit}", seen >= least)


def at_most(name: str, most: float, seen: float, unit: str = "", digits: int = 2) -> Figure:
    return Figure(name, f"≤ {_number(most, digits)}{unit}", f"{_number(seen, digits)}{unit}", seen <= most)


def exactly(name: str, wanted: object, seen: object) -> Figure:
    return Figure(name, str(wanted), str(seen), seen == wanted)


def noted(name: str, seen: object) -> Figure:
    """A figure without a bound: said, not judged."""
    return Figure(name, "-", str(seen), True)


def _number(value: float, digits: int) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.{digits}f}"


def keep(point: str, figures: Iterable[Figure]) -> None:
    """Put this point's rows into the table in place of its older ones; the other points' rows stay."""
    moment, commit = datetime.now(UTC).strftime("%Y-%m-%d %H:%M"), _commit()
    rows = [row for row in _rows() if row.split("|")[1].strip() != point]
    for figure in figures:
        seen = figure.seen if figure.holds else f"**{figure.seen}**"
        cells = (point, figure.name, figure.bound, seen, moment, commit)
        rows.append("| " + " | ".join(cell.replace("|", "/").replace("\n", " ") for cell in cells) + " |")
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text(HEAD + "\n".join(rows) + "\n", encoding="utf-8")


def _rows() -> list[str]:
    if not TABLE.exists():
        return []
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    start = next((at for at, line in enumerate(lines) if line.startswith("|---")), len(lines))
    return [line for line in lines[start + 1 :] if line.startswith("| ")]


def _commit() -> str:
    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    measured = ("quantumgate", "twisted", "extenders", "setup.cfg")
    changed = git("status", "--porcelain", "--untracked-files=no", "--", *measured)
    return (git("rev-parse", "--short", "HEAD") or "unknown") + ("+" if changed else "")
