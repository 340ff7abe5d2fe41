"""The names of ``qgate book``'s JSON are a contract: none is renamed."""

from __future__ import annotations

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.control.book_reports import BookEntryReport, BookReport


class NameTests(SynchronousTestCase):
    def test_the_book(self) -> None:
        self.assertEqual(set(msgspec.to_builtins(BookReport())), {
            "enabled", "known", "tried", "named", "public", "groups", "bytes_held", "exchanging", "outcomes",
            "connections", "peers"})

    def test_one_peer(self) -> None:
        self.assertEqual(set(BookEntryReport.__struct_fields__), {
            "uuid", "endpoints", "anchors", "relay", "public", "named", "tried", "made", "not_after", "reached",
            "failures", "source", "groups", "two_faced", "why_not_called"})
