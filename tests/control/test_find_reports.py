"""The report of a look-up keeps its JSON names."""

from __future__ import annotations

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.control.find_reports import FindReport


class FindReportTests(SynchronousTestCase):
    def test_names(self) -> None:
        report = FindReport(uuid="u", found=False, end="nobody knows it", asked=3, answered=2, seconds=0.5)
        self.assertEqual(set(msgspec.to_builtins(report)), {
            "uuid", "found", "end", "asked", "answered", "seconds", "endpoints", "anchors", "record", "advice"})
