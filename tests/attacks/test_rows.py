"""The attacks that this implementation must survive, row by row, and which tests play them.

Rows are those of the table in docs/attacks.md. Here a row without its tests, a class of tests without its row, and a
page that says something else are failures.
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.house import ROOT

EXCHANGE, FIRST_FLIGHT, IDENTITY = (f"test_rows_01_13_{name}" for name in ("exchange", "first_flight", "identity"))
OVERLOAD = "test_row_13_overload"
RELAYS, NAMELESS = "test_rows_21_23_relays", "test_row_25_nameless"
SLOW, FLOODS, SQUEEZED, REKEY = (
    "test_row_16_slow", "test_row_17_floods", "test_rows_18_19_compression", "test_row_20_rekey",
)  # fmt: skip

ROWS: dict[int, tuple[str, ...]] = {
    1: (f"{FIRST_FLIGHT}.Row1Tests",),
    2: (f"{FIRST_FLIGHT}.Row2Tests",),
    3: (f"{FIRST_FLIGHT}.Row3Tests",),
    4: (f"{FIRST_FLIGHT}.Row4Tests",),
    5: (f"{EXCHANGE}.Row5Tests",),
    6: (f"{EXCHANGE}.Row6Tests",),
    7: (f"{EXCHANGE}.Row7Tests",),
    8: (f"{EXCHANGE}.Row8Tests",),
    9: (f"{IDENTITY}.Row9Tests",),
    10: (f"{IDENTITY}.Row10Tests",),
    11: (f"{IDENTITY}.Row11Tests",),
    12: (f"{IDENTITY}.Row12Tests",),
    13: (f"{IDENTITY}.Row13Tests", *(f"{OVERLOAD}.Row13{part}Tests" for part in ("Token", "Puzzle", "Ladder"))),
    14: ("test_row_14_damage.Row14Tests",),
    15: ("test_row_15_lengths.Row15Tests",),
    16: tuple(f"{SLOW}.Row16{part}Tests" for part in ("Handshake", "Session", "Window", "Reader")),
    17: tuple(f"{FLOODS}.Row17{part}Tests" for part in ("Credit", "Channel", "Flood", "Busy")),
    18: (f"{SQUEEZED}.Row18Tests",),
    19: (f"{SQUEEZED}.Row19Tests",),
    20: tuple(f"{REKEY}.Row20{part}Tests" for part in ("Asking", "Switch", "Crossing", "HardStop")),
    21: (f"{RELAYS}.Row21Tests", "test_row_21_records.Row21RecordTests", "test_row_21_pace.Row21PaceTests",
         "test_row_21_pace.Row21FullTests"),
    22: (f"{RELAYS}.Row22Tests", f"{RELAYS}.Row22FramesTests"),
    23: (f"{RELAYS}.Row23Tests",),
    24: ("test_row_24_records.Row24RecordTests", "test_row_24_records.Row24ListTests",
         "test_row_24_keepers.Row24FloodTests", "test_row_24_keepers.Row24LiarTests"),
    25: (*(f"{NAMELESS}.Row25{part}Tests" for part in ("Handshake", "Channel", "Clock")),
         *(f"test_row_25_delegation.Row25Delegation{part}Tests" for part in ("", "Node"))),
}
LATER: frozenset[int] = frozenset()
"""Rows of what is not built."""


class RowsTests(SynchronousTestCase):
    """Table, tests and page say the same."""

    def test_every_row_has_its_tests(self) -> None:
        self.assertEqual(set(ROWS) | LATER, set(range(1, 26)))
        for row, names in ROWS.items():
            self.assertTrue(names, row)
            for name in names:
                module, _, case = name.partition(".")
                found = getattr(importlib.import_module(f"tests.attacks.{module}"), case)
                self.assertTrue(issubclass(found, SynchronousTestCase), name)
                self.assertNotEqual([one for one in dir(found) if one.startswith("test")], [], name)

    def test_every_class_named_after_a_row_is_in_the_table(self) -> None:
        named = set()
        for path in Path(__file__).parent.glob("test_*.py"):
            for found in re.finditer(r"^class (Row(\d+)\w*Tests)\(", path.read_text(encoding="utf-8"), re.M):
                named.add((int(found[2]), f"{path.stem}.{found[1]}"))
        self.assertEqual(named, {(row, name) for row, names in ROWS.items() for name in names})

    def test_the_page_tells_of_every_row(self) -> None:
        """``| 7 | attack | reaction | module: classes |``, in order; what is not built says so."""
        page = (ROOT / "docs/attacks.md").read_text(encoding="utf-8")
        rows = re.findall(r"^\| \d.*", page, re.M)
        lines = [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows]
        self.assertEqual([int(line[0]) for line in lines], sorted({*ROWS, *LATER}))
        for number, attack, reaction, where in lines:
            self.assertTrue(attack and reaction, number)
            told = ROWS.get(int(number))
            self.assertEqual(set(re.findall(r"`([\w.]+)`", where)), set(told or ()), number)
