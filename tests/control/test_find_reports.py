"""The report of a look-up keeps its JSON names."""

from __future__ import annotations

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.control.find_reports import FindReport, ProviderReport, ProvidersReport


class FindReportTests(SynchronousTestCase):
    def test_names(self) -> None:
        report = FindReport(uuid="u", found=False, end="nobody knows it", asked=3, answered=2, seconds=0.5)
        self.assertEqual(set(msgspec.to_builtins(report)), {
            "uuid", "found", "end", "asked", "answered", "seconds", "endpoints", "anchors", "record", "advice"})

    def test_names_of_providers(self) -> None:
        one = ProviderReport(uuid="u", age_seconds=1.0)
        report = ProvidersReport(
            extender="e", found=True, end="found", asked=3, answered=2, seconds=0.5, providers=[one])
        self.assertEqual(set(msgspec.to_builtins(report)), {
            "extender", "found", "end", "asked", "answered", "seconds", "providers", "advice"})
        self.assertEqual(set(msgspec.to_builtins(one)), {"uuid", "age_seconds", "endpoints", "anchors", "record"})
