"""What is known of one peer: its weight, its chances, and when anybody else may have its place."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.discovery.entries import BEHIND_ANCHORS, RECENTLY_SECONDS, Entry, groups_of
from quantumgate.core.places import BY_NAME
from quantumgate.wire.limits import BOOK_ENTRY_BYTES, BOOK_FAILURES
from tests.core.discovery.people import NOW_S, known, uuid


def entry(*hosts: str, **changes: object) -> Entry:
    record = known("a", *hosts, **changes)
    return Entry(record, "4:c000", groups_of(record.record), ())


class EntryTests(SynchronousTestCase):
    def test_groups_of_a_record(self) -> None:
        several = ("192.0.2.1", "192.0.3.1", "n.example", "2001:db8::1", "m.example")
        self.assertEqual(entry(*several).groups, ("4:c000", BY_NAME, "6:20010db8"))
        self.assertEqual(entry().groups, (BEHIND_ANCHORS,))

    def test_weight(self) -> None:
        one = entry("192.0.2.1")
        self.assertEqual(one.bytes_held, BOOK_ENTRY_BYTES + len(one.known.signed.body) + 64 + 33)

    def test_fresh_until_it_is_over_and_while_it_says_one_thing(self) -> None:
        one = entry("192.0.2.1", life_s=60)
        self.assertTrue(one.fresh(NOW_S + 59))
        self.assertFalse(one.fresh(NOW_S + 60))
        one.two_faced = True
        self.assertFalse(one.fresh(NOW_S))

    def test_hopeless(self) -> None:
        one = entry("192.0.2.1", life_s=60)
        self.assertTrue(one.hopeless(NOW_S + 60))
        one.failures = BOOK_FAILURES
        self.assertTrue(one.hopeless(NOW_S))
        one.succeeded_at = NOW_S
        self.assertFalse(one.hopeless(NOW_S), "it was reached once: a call decides about its place")

    def test_chances_fall_with_failures_and_just_after_a_call(self) -> None:
        one = entry("192.0.2.1")
        self.assertEqual(one.chance(NOW_S), 1.0)
        one.called_at = NOW_S
        self.assertLess(one.chance(NOW_S + RECENTLY_SECONDS - 1), 0.02)
        self.assertEqual(one.chance(NOW_S + RECENTLY_SECONDS), 1.0)
        one.failures = 3
        self.assertAlmostEqual(one.chance(NOW_S + RECENTLY_SECONDS), 0.66**3)
        one.failures = 1000
        self.assertGreater(one.chance(NOW_S + RECENTLY_SECONDS), 0.03)

    def test_a_row_for_a_disk(self) -> None:
        one = entry("192.0.2.1")
        one.tried, one.succeeded_at, one.failures = True, 5.0, 2
        self.assertEqual(one.row, (uuid("a").bytes, one.known.signed.encode(), 5.0, 2, "4:c000", True))
