"""From the rows of the runs: what they come to together, the tables of the report, and its plots.

``python -m tests.simulation.report`` writes them again from the rows that are there. Not for: the sentences around them
(docs/simulation/README.md stands between two marks), or bounds (``tests/acceptance/simulation.py``).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from tests.simulation import plots

Row = dict[str, Any]
MARKS = "<!-- figures: written by python -m tests.simulation -->", "<!-- end of figures -->"


def of(rows: Sequence[Row], scenario: str, **wanted: Any) -> list[Row]:
    """Those of one scenario."""
    return [row for row in rows if row["scenario"] == scenario
            and all(row.get(name) == value for name, value in wanted.items())]


def success(rows: Sequence[Row]) -> float:
    """Share of look-ups that found the newest record."""
    return float(sum(row["found"] for row in rows) / max(1, sum(row["lookups"] for row in rows)))


def together(rows: Sequence[Row], name: str) -> Counter[int]:
    """One distribution of all runs; JSON made its numbers to text."""
    counted: Counter[int] = Counter()
    for row in rows:
        counted.update({int(value): count for value, count in row[name].items()})
    return counted


def quantile(counted: Counter[int], share: float) -> int:
    """The value below which this share of all lies."""
    left = share * counted.total()
    for value in sorted(counted):
        left -= counted[value]
        if left <= 0:
            return value
    return max(counted, default=0)


def held(rows: Sequence[Row], most: float = 1 / 8) -> float:
    """Share of runs in which the attacker had fewer of the connections than that."""
    return float(sum(row["share"] < most for row in rows) / max(1, len(rows)))


def figures(rows: Sequence[Row]) -> str:
    """The tables, in Markdown."""
    tables = (_lookup_table(rows), _attack_table(rows), _provider_table(rows), _slot_table(rows))
    return "\n\n".join("\n".join(lines) for lines in tables if lines)


def _lookup_table(rows: Sequence[Row]) -> list[str]:
    lines = ["| look-ups | runs | asked for | found | questions: median, 95 %, 99 % | seconds: median, 95 %, 99 % |",
             "|---|---|---|---|---|---|"]
    parted = of(rows, "parted")
    groups: list[tuple[str, list[Row]]] = [
        ("honest nodes, 20 % leave and come in an hour", of(rows, "steady")),
        ("of these: runs over midnight", of(rows, "steady", midnight=True)),
        *((f"a fifth of the nodes {words}", of(rows, "lies", liars=kind)) for kind, words in
          (("withholding", "says no and names only its own"), ("forging", "names nodes that are not there"),
           ("silent", "takes connections and says nothing"))),
        ("within one half of a parted network", [row["within"] for row in parted]),
        ("across, in the minute after it healed", [row["healed"] for row in parted]),
        ("across, half an hour later", [row["later"] for row in parted]),
        ("a victim whose keepers are flooded with 20,000 records", of(rows, "flooded")),
    ]
    return lines + [_lookup_line(words, some) for words, some in groups if some]


def _lookup_line(words: str, rows: Sequence[Row]) -> str:
    asked, tenths = together(rows, "each_questions"), together(rows, "each_tenths")
    questions = ", ".join(str(quantile(asked, share)) for share in (0.5, 0.95, 0.99))
    seconds = ", ".join(f"{(quantile(tenths, share) + 1) / 10:.1f}" for share in (0.5, 0.95, 0.99))
    total = sum(row["lookups"] for row in rows)
    return f"| {words} | {len(rows)} | {total} | {success(rows):.2%} | {questions} | {seconds} |"


def _attack_table(rows: Sequence[Row]) -> list[str]:
    lines = ["| networks rented, of the nearest to one UUID | runs | its look-ups that succeed |", "|---|---|---|"]
    for rented in sorted({row["rented"] for row in of(rows, "eclipsed")}):
        some = of(rows, "eclipsed", rented=rented)
        lines.append(f"| {rented} | {len(some)} | {success(some):.0%} |")
    return lines


PROVIDER_WORDS = {
    "few": "a dozen run it", "many": "two hundred run it",
    "withholding": "a dozen, and a fifth of the nodes says no and names only its own",
    "crowding": "a dozen, and a fifth of the nodes tells of inventions",
    "flooded few": "a dozen, and keepers are flooded from a twentieth of the networks",
    "flooded many": "two hundred, and the same",
    "surrounded": "a dozen, and four of the eight nearest networks tell of inventions",
}


def _provider_table(rows: Sequence[Row]) -> list[str]:
    some = [(words, of(rows, "providers", case=case)) for case, words in PROVIDER_WORDS.items()]
    if not any(each for _, each in some):
        return []
    head = (
        "| look-ups of an extender | runs | run it | succeed | found: median, least | first eight: there, invented "
        "| questions: median, 95 % | seconds: median, 95 % |"
    )
    return [head, "|---|---|---|---|---|---|---|---|", *(_provider_line(words, each) for words, each in some if each)]


def _provider_line(words: str, rows: Sequence[Row]) -> str:
    asked, tenths = together(rows, "each_questions"), together(rows, "each_tenths")
    questions = ", ".join(str(quantile(asked, share)) for share in (0.5, 0.95))
    seconds = ", ".join(f"{(quantile(tenths, share) + 1) / 10:.1f}" for share in (0.5, 0.95))
    found = ", ".join(str(number) for number in (median(row["living"]["median"] for row in rows),
                                                 min(row["living_least"] for row in rows)))
    online = "-".join(str(number) for number in sorted({min(row["online"] for row in rows),
                                                        max(row["online"] for row in rows)}))
    return (f"| {words} | {len(rows)} | {online} | {success(rows):.1%} | {found} | {mean(rows, 'living_share'):.0%}, "
            f"{mean(rows, 'theirs_share'):.0%} | {questions} | {seconds} |")


def mean(rows: Sequence[Row], name: str) -> float:
    """Of the runs."""
    return float(sum(row[name] for row in rows) / max(1, len(rows)))


def _slot_table(rows: Sequence[Row]) -> list[str]:
    some = of(rows, "slots")
    if not some:
        return []
    shares = sorted(row["share"] for row in some)
    each = sorted(share for row in some for share in row["each"])
    return [
        "| outbound connections, attacker with 20 % of nodes in 5 % of networks | |", "|---|---|",
        f"| runs | {len(some)}, of {len(some[0]['each'])} honest nodes each |",
        f"| attacker's share from hour 6 on: median, 95 %, most of the runs | {_shares(shares)} |",
        f"| runs with fewer than 1 in 8 | {held(some):.0%} |",
        f"| the same of single nodes: median, 95 %, most | {_shares(each)} |",
        f"| from the first minute on: mean | {sum(row['from_the_start'] for row in some) / len(some):.1%} |",
    ]


def _shares(ordered: Sequence[float]) -> str:
    last = len(ordered) - 1
    return ", ".join(f"{ordered[int(last * share)]:.1%}" for share in (0.5, 0.95, 1.0))


def write(folder: Path, rows: Sequence[Row]) -> None:
    """Plots, and the figures between the marks of README.md where that is there."""
    for name, picture in plots.all_of(rows).items():
        (folder / name).write_text(picture)
    page = folder / "README.md"
    if page.exists():
        between = f"{MARKS[0]}\n{figures(rows)}\n{MARKS[1]}"
        pattern = re.escape(MARKS[0]) + ".*?" + re.escape(MARKS[1])
        page.write_text(re.sub(pattern, lambda _: between, page.read_text(), flags=re.DOTALL))


if __name__ == "__main__":
    here = Path(__file__).parents[2] / "docs" / "simulation"
    write(here, [json.loads(line) for line in (here / "rows.jsonl").read_text().splitlines()])
