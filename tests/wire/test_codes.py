"""Codes: the page and the module name the same numbers, and a number without a name still has words."""

from __future__ import annotations

import re
from enum import IntEnum

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.wire.codes import FIRST_GUEST_RESET_CODE, CloseCode, LinkCode, RefuseCode, ResetCode, describe
from tests.house import ROOT


def rows(section: str) -> dict[int, str]:
    """Number and name of each row of one section of the page."""
    page = (ROOT / "docs/spec/codes.md").read_text(encoding="utf-8")
    text = page.split(f"\n## {section}\n")[1].split("\n## ")[0]
    found = re.findall(r"^\| (\d+) \| ([A-Z_]+) \|", text, flags=re.M)
    return {int(number): name for number, name in found}


class PageTests(SynchronousTestCase):
    def check(self, section: str, family: type[IntEnum]) -> None:
        self.assertEqual(rows(section), {int(code): code.name for code in family})

    def test_close(self) -> None:
        self.check("1 CLOSE", CloseCode)

    def test_reset(self) -> None:
        self.check("2 CH_RESET", ResetCode)

    def test_refuse(self) -> None:
        self.check("3 REFUSE", RefuseCode)

    def test_links(self) -> None:
        self.check("4 LINK_STATUS, LINK_CLOSE", LinkCode)

    def test_the_extenders_own(self) -> None:
        page = (ROOT / "docs/spec/codes.md").read_text(encoding="utf-8")
        self.assertIn(f"Codes from {FIRST_GUEST_RESET_CODE:#x} to 0xFFFF belong to the extender", page)


class DescribeTests(SynchronousTestCase):
    def test_a_known_number(self) -> None:
        self.assertEqual(describe(5, CloseCode), "too many sessions")
        self.assertEqual(describe(5, ResetCode), "timeout")

    def test_an_unknown_number_is_no_error(self) -> None:
        self.assertEqual(describe(4711, CloseCode), "unknown reason 4711")
