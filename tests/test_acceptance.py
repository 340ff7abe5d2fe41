"""The points of the acceptance run are all there: `make acceptance` without a name must not end at an empty chair."""

from __future__ import annotations

import importlib

from twisted.trial import unittest

from tests.acceptance.__main__ import POINTS, chosen, run_point
from tests.acceptance.floods import page
from tests.acceptance.report import TABLE, Figure, at_least, at_most, exactly, noted


class PointTests(unittest.SynchronousTestCase):
    def test_every_point_is_written(self) -> None:
        for name in POINTS:
            point = importlib.import_module(f"tests.acceptance.{name}")
            self.assertTrue(callable(point.figures), name)
            self.assertTrue(point.__doc__, name)
        self.assertEqual(len(POINTS), len(set(POINTS)))

    def test_a_word_names_one_point_or_all_of_a_kind(self) -> None:
        self.assertEqual(chosen(()), list(POINTS))
        self.assertEqual(chosen(("floods.garbage", "echo")), ["floods.garbage", "echo"])
        self.assertEqual(chosen(("floods",)), [name for name in POINTS if name.startswith("floods.")])
        self.assertRaises(KeyError, chosen, ("echo", "flood"))

    def test_every_flood_stands_on_the_page_with_its_newest_figures(self) -> None:
        floods = {name.removeprefix("floods.") for name in POINTS if name.startswith("floods.")}
        self.assertEqual(set(page.MUST), floods - {"weakened"})
        self.assertIn(page.table(TABLE.read_text(encoding="utf-8")), page.PAGE.read_text(encoding="utf-8"))

    def test_a_point_that_breaks_off_keeps_what_it_saw_and_is_broken(self) -> None:
        def figures() -> object:
            yield noted("seen", 1)
            raise TimeoutError("no end")

        self.patch(importlib.import_module("tests.acceptance.models"), "figures", figures)
        seen = run_point("models")
        self.assertEqual([(figure.name, figure.holds) for figure in seen], [("seen", True), ("finished", False)])
        self.assertEqual(len(self.flushLoggedErrors()), 0)

    def test_bounds(self) -> None:
        self.assertTrue(at_least("a", 2, 2).holds and at_most("a", 2.5, 2.5).holds and exactly("a", "x", "x").holds)
        self.assertFalse(at_least("a", 2, 1).holds or at_most("a", 2.5, 2.6).holds or exactly("a", 1, 2).holds)
        self.assertEqual(at_most("a", 64.0, 0.678, " MiB"), Figure("a", "≤ 64.00 MiB", "0.68 MiB", True))
