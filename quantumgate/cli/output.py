"""How answers look: rich tables where a person looks, plain columns in a pipe, JSON where it is asked for.

Not for: errors (``main.py``).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click

Row = Sequence[str]


def as_json(value: Any) -> None:
    """One JSON document on stdout."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def table(columns: Row, rows: Iterable[Row], empty: str) -> None:
    """A table, or the sentence ``empty`` where there are no rows."""
    rows = [tuple(printable(cell) for cell in row) for row in rows]
    if not rows:
        click.echo(empty)
    elif sys.stdout.isatty():
        _rich_table(columns, rows)
    else:
        _plain_table((tuple(column.upper() for column in columns), *rows))


def facts(pairs: Mapping[str, str]) -> None:
    """Names and values, one a line; those without a value are left out."""
    shown = {name: printable(value) for name, value in pairs.items() if value}
    width = max(map(len, shown), default=0)
    for name, value in shown.items():
        label = click.style(f"{name:<{width}}", bold=True) if sys.stdout.isatty() else f"{name:<{width}}"
        click.echo(f"{label}  {value}")


def printable(text: str) -> str:
    """Text from elsewhere without control characters, which could move the cursor or forge lines."""
    return "".join(character if character.isprintable() else "?" for character in text)


def duration_text(seconds: float) -> str:
    """``45 s``, ``2 min 5 s``, ``3 h 2 min``, ``4 d 1 h``."""
    whole = int(seconds)
    for unit, size, smaller, small in (("d", 86_400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // small} {smaller}"
    return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"


def time_text(unix_seconds: float) -> str:
    """2026-11-21 20:43 UTC."""
    return datetime.fromtimestamp(unix_seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def bytes_text(number: float) -> str:
    """``512 B``, ``1.5 kB``, ``20.0 MB``: powers of ten, as network people count."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} B" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


def milliseconds_text(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds * 1000:.2f} ms"


def _plain_table(rows: Sequence[Row]) -> None:
    widths = [max(len(row[number]) for row in rows) for number in range(len(rows[0]))]
    for row in rows:
        click.echo("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())


def _rich_table(columns: Row, rows: Sequence[Row]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in rows:
        shown.add_row(*(Text(cell) for cell in row))  # Text: brackets in a name are not markup
    Console().print(shown)
