"""Small towns in which an extender is looked for: who runs it is found, and an attacker has no more than its share."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.simulation.__main__ import plan, run
from tests.simulation.providers import CASES, FIRST, providers
from tests.simulation.report import PROVIDER_WORDS

SMALL = {"nodes": 250, "networks": 100, "lookups": 20}


class ProviderTests(SynchronousTestCase):
    def test_honest(self) -> None:
        row = providers(1, "many", **SMALL)
        self.assertEqual((row["found"], row["theirs_share"]), (20, 0.0), row)
        self.assertGreater(row["living"]["median"], 0.6 * row["online"], row)

    def test_flooded(self) -> None:
        """Left by an attacker in five networks: a few of the first eight are its own, not all."""
        row = providers(2, "flooded many", **SMALL)
        self.assertEqual(row["found"], 20, row)
        self.assertTrue(0 < row["theirs_share"] < 0.4, row)

    def test_surrounded(self) -> None:
        """Four of the eight nearest networks are an attacker's, and so are at most as many of the first eight."""
        row = providers(3, "surrounded", **SMALL)
        self.assertTrue(0.2 < row["theirs_share"] <= 0.5 + 1 / FIRST, row)

    def test_each_is_run_and_reported(self) -> None:
        planned = [arguments[1] for name, arguments in plan(1) if name == "providers"]
        self.assertEqual((planned, list(PROVIDER_WORDS)), (list(CASES), list(CASES)))
        row = run(("providers", (4, "few", 60, 40, 2)))
        self.assertEqual((row["job"], row["case"]), (["providers", [4, "few", 60, 40, 2]], "few"))
