"""The verdicts of bench/ratios.py: medians, missing results, and both directions of a bound."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

from twisted.trial import unittest

_PATH = Path(__file__).resolve().parents[1] / "bench" / "ratios.py"
_SPEC = importlib.util.spec_from_file_location("bench_ratios", _PATH)
assert _SPEC and _SPEC.loader
ratios = importlib.util.module_from_spec(_SPEC)
sys.modules["bench_ratios"] = ratios
_SPEC.loader.exec_module(ratios)


def runs(ours: list[dict[str, Any]], theirs: list[dict[str, Any]], metric: str = "a") -> Any:
    return {"ours": {metric: ours}, "twisted-tcp": {metric: theirs}}


class VerdictTests(unittest.SynchronousTestCase):
    bound = ratios.Bound("rate", "a", "MBps", "twisted-tcp", least=0.5)

    def verdict(self, ours: list[dict[str, Any]], theirs: list[dict[str, Any]], bound: Any = None) -> Any:
        self.patch(ratios, "BOUNDS", (bound or self.bound,))
        return next(ratios.verdicts(runs(ours, theirs)))

    def test_a_ratio_of_medians_at_the_bound_holds(self) -> None:
        verdict = self.verdict([{"MBps": 1.0}, {"MBps": 50.0}, {"MBps": 900.0}], [{"MBps": 100.0}])
        self.assertEqual((verdict.ratio, verdict.holds), (0.5, True))

    def test_below_the_bound_is_broken(self) -> None:
        self.assertFalse(self.verdict([{"MBps": 49.0}], [{"MBps": 100.0}]).holds)

    def test_an_upper_bound_is_broken_above(self) -> None:
        most = ratios.Bound("cpu", "a", "MBps", "twisted-tcp", most=1.0)
        self.assertFalse(self.verdict([{"MBps": 101.0}], [{"MBps": 100.0}], most).holds)
        self.assertTrue(self.verdict([{"MBps": 99.0}], [{"MBps": 100.0}], most).holds)

    def test_of_several_peers_the_one_that_makes_it_hardest_counts(self) -> None:
        figures = {"ours": 400.0, "slow": 10.0, "fast": 100.0}
        measured = {name: {"a": [{"MBps": figure}]} for name, figure in figures.items()}
        for direction, wanted in (({"least": 4.0}, 4.0), ({"most": 40.0}, 40.0)):
            self.patch(ratios, "BOUNDS", (ratios.Bound("of both", "a", "MBps", "fast/slow/absent", **direction),))
            self.assertEqual([verdict.ratio for verdict in ratios.verdicts(measured)], [wanted])

    def test_only_what_was_measured_is_judged(self) -> None:
        self.assertEqual(list(ratios.verdicts({}, ["nothing"])), [])
        self.assertEqual({verdict.bound.metric for verdict in ratios.verdicts({}, ["b", "f3"])}, {"b", "f3"})

    def test_failed_runs_do_not_count_and_nothing_left_is_broken(self) -> None:
        verdict = self.verdict([{"failed": "why"}], [{"MBps": 100.0}])
        self.assertFalse(verdict.holds)
        self.assertIn("ours: why", verdict.text())

    def test_memory_is_said_in_kibibytes(self) -> None:
        value = ratios.median(runs([{"kB_per_conn": 40.96}], [], "e"), "ours", "e", "KiB")
        self.assertEqual(value, 40.0)

    def test_every_bound_points_one_way(self) -> None:
        for bound in ratios.BOUNDS:
            self.assertEqual((bound.least is None) + (bound.most is None), 1, bound.name)
