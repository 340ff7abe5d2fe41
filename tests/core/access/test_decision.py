"""The verdict is a value: it cannot be changed on the way from the judge to the door."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.access.decision import Decision, Rule
from tests.house import ROOT


class DecisionTests(SynchronousTestCase):
    def test_nobody_changes_a_verdict(self) -> None:
        decision = Decision(False, Rule.BAN, "banned by hand")
        with self.assertRaises(FrozenInstanceError):
            decision.admitted = True  # type: ignore[misc]

    def test_every_rule_stands_on_the_page(self) -> None:
        page = (Path(ROOT) / "docs/spec/access.md").read_text(encoding="utf-8")
        self.assertEqual(sorted(rule for rule in Rule if f"`{rule}`" not in page), [])
