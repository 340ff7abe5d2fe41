"""Plots of the report as SVG, in a few lines of our own: bars and steps on two axes. Not for: anything else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import ceil, floor, log10
from typing import Any

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 640, 320, 60, 44, 34
INK, LINE, SECOND = "#222222", "#2b6cb0", "#c05621"
Row = dict[str, Any]
Series = Sequence[tuple[float, float]]


def all_of(rows: Sequence[Row]) -> dict[str, str]:
    """Every plot for which there are rows, by file name."""
    from tests.simulation.report import of, success, together

    steady, slots, eclipsed = of(rows, "steady"), of(rows, "slots"), of(rows, "eclipsed")
    pictures: dict[str, str] = {}
    if steady:
        asked, tenths = together(steady, "each_questions"), together(steady, "each_tenths")
        pictures["questions.svg"] = chart("Questions of a look-up", "questions", "share of look-ups",
                                          {"share": shares(asked, 1)}, bars=True)
        pictures["seconds.svg"] = chart("Seconds of a look-up", "seconds", "share that is over",
                                        {"over": summed(shares(tenths, 10))})
    if slots:
        by_hour = {"mean of all runs": mean_by_hour(slots, sum_share), "the run at 95 %": mean_by_hour(slots, high)}
        limit = [(0.0, 0.125), (float(len(slots[0]["by_hour"])), 0.125)]
        pictures["slots.svg"] = chart("Outbound connections that are the attacker's", "hours since the start", "share",
                                      {**by_hour, "one in eight": limit})
    if eclipsed:
        rented = sorted({row["rented"] for row in eclipsed})
        found = [(float(one), success(of(eclipsed, "eclipsed", rented=one))) for one in rented]
        pictures["eclipse.svg"] = chart("A UUID whose nearest networks are rented", "networks rented",
                                        "look-ups that succeed", {"found": found})
    return pictures


def shares(counted: Mapping[int, int], scale: int) -> list[tuple[float, float]]:
    """Of all, each value."""
    total = max(1, sum(counted.values()))
    return [(value / scale, counted[value] / total) for value in sorted(counted)]


def summed(series: Series) -> list[tuple[float, float]]:
    """Step by step, up to the 99.9th percentile."""
    sums, over = [], 0.0
    for at, share in series:
        over += share
        sums.append((at, over))
        if over > 0.999:
            break
    return sums


def mean_by_hour(rows: Sequence[Row], of: Any) -> list[tuple[float, float]]:
    """One value for each hour, of all runs'."""
    hours = range(min(len(row["by_hour"]) for row in rows))
    return [(hour + 0.5, of(sorted(row["by_hour"][hour] for row in rows))) for hour in hours]


def sum_share(values: Sequence[float]) -> float:
    """The mean."""
    return sum(values) / len(values)


def high(values: Sequence[float]) -> float:
    """Of ordered ones, the one that 95 % do not pass."""
    return values[int(0.95 * (len(values) - 1))]


def chart(title: str, across: str, up: str, lines: Mapping[str, Series], *, bars: bool = False) -> str:
    """One plot. Axes begin at 0 and end at a round number."""
    x_marks = marks(max(x for line in lines.values() for x, _ in line))
    y_marks = marks(max(y for line in lines.values() for _, y in line))
    right, top = x_marks[-1], y_marks[-1]
    parts = [*_axes(title, across, up, x_marks, y_marks)]
    for number, (name, line) in enumerate(lines.items()):
        colour = (LINE, SECOND, INK)[number % 3]
        parts += _bars(line, right, top) if bars else [_path(line, right, top, colour)]
        if len(lines) > 1:
            parts.append(_text(WIDTH - 12, TOP + 16 * number + 4, name, anchor="end", colour=colour))
    body = "\n".join(parts)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
            f'font-size="12" role="img" aria-label="{escape(title)}">\n'
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>\n{body}\n</svg>\n')


def marks(most: float) -> list[float]:
    """Round numbers from 0 to ``most`` or a little more, seven of them or fewer."""
    if most <= 0:
        return [0.0, 1.0]
    power = floor(log10(most)) - 1
    step = next(round_one * 10.0**power for round_one in (1, 2, 5, 10, 20, 50) if 6 * round_one * 10.0**power >= most)
    return [number * step for number in range(ceil(most / step - 1e-9) + 1)]


def _x(value: float, right: float) -> float:
    return round(LEFT + value / right * (WIDTH - LEFT - 12), 1)


def _y(value: float, top: float) -> float:
    return round(HEIGHT - BOTTOM - value / top * (HEIGHT - BOTTOM - TOP), 1)


def _axes(title: str, across: str, up: str, x_marks: Sequence[float], y_marks: Sequence[float]) -> list[str]:
    parts = [_text(LEFT, 18, f"{title} ({up})", size=14)]
    for mark in y_marks:
        y = _y(mark, y_marks[-1])
        parts.append(f'<line x1="{LEFT}" y1="{y}" x2="{WIDTH - 12}" y2="{y}" stroke="#dddddd"/>')
        parts.append(_text(LEFT - 6, y + 4, f"{mark:.4g}", anchor="end"))
    for mark in x_marks:
        parts.append(_text(_x(mark, x_marks[-1]), HEIGHT - BOTTOM + 16, f"{mark:.4g}", anchor="middle"))
    parts.append(_text((LEFT + WIDTH) / 2, HEIGHT - 8, across, anchor="middle"))
    return parts


def _bars(line: Series, right: float, top: float) -> list[str]:
    width = max(1.0, 0.8 * (_x(1, right) - _x(0, right)))
    return [f'<rect x="{_x(x, right) - width / 2:.1f}" y="{_y(y, top)}" width="{width:.1f}" '
            f'height="{round(_y(0, top) - _y(y, top), 1)}" fill="{LINE}"/>' for x, y in line]


def _path(line: Series, right: float, top: float, colour: str) -> str:
    points = " ".join(f"{_x(x, right)},{_y(y, top)}" for x, y in line)
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'


def _text(x: float, y: float, words: str, *, anchor: str = "start", size: int = 12, colour: str = INK) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-size="{size}" fill="{colour}">{escape(words)}</text>'
