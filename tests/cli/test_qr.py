"""QR codes in a terminal: every module where it belongs, a quiet zone, and a word where one does not fit."""

from __future__ import annotations

import segno
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.cli.qr import QUIET_MODULES, lines_of, modules_of, why_not
from tests.control.fakenode import INVITATION

_PIXELS = {" ": (0, 0), "\u2580": (1, 0), "\u2584": (0, 1), "\u2588": (1, 1)}


class QrTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.modules = modules_of(INVITATION.text)

    def test_the_lines_show_every_module(self) -> None:
        shown: list[list[int]] = []
        for line in lines_of(self.modules, coloured=False):
            pairs = [_PIXELS[letter] for letter in line]
            shown += [[pair[0] for pair in pairs], [pair[1] for pair in pairs]]
        self.assertEqual(shown[: len(self.modules)], self.modules)
        self.assertEqual(sum(map(sum, shown[len(self.modules) :])), 0)

    def test_capitals_make_the_smaller_code(self) -> None:
        """Letters and digits alone take 5.5 bits each, not 8."""
        self.assertLess(len(self.modules), len(list(segno.make(INVITATION.text, error="l").matrix)) + 2 * QUIET_MODULES)
        self.assertLessEqual(len(self.modules), 53, "it fits into a terminal of 80 columns")

    def test_a_quiet_zone_all_around(self) -> None:
        edge = [*self.modules[:QUIET_MODULES], *self.modules[-QUIET_MODULES:]]
        edge += [[*row[:QUIET_MODULES], *row[-QUIET_MODULES:]] for row in self.modules]
        self.assertEqual(sum(map(sum, edge)), 0)

    def test_colours_are_given_in_each_line(self) -> None:
        plain, coloured = (lines_of(self.modules, coloured=one) for one in (False, True))
        for bare, line in zip(plain, coloured, strict=True):
            self.assertEqual(line, f"\033[38;5;16;48;5;231m{bare}\033[0m")

    def test_why_not(self) -> None:
        width = len(self.modules[0])
        self.assertEqual(why_not(self.modules, width, "utf-8"), "")
        self.assertIn(f"{width - 1} columns", why_not(self.modules, width - 1, "utf-8"))
        self.assertIn("ascii", why_not(self.modules, width, "ascii"))
