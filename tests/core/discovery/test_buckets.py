"""Buckets: where a peer may stand, and that nobody chooses it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.discovery.buckets import Places, Table
from quantumgate.testing.seeded import SeededRandom
from quantumgate.wire.limits import BOOK_NEW, BOOK_NEW_LANES, BOOK_TRIED, BOOK_TRIED_LANES
from tests.core.discovery.people import uuid

SECRET = b"s" * 32


class PlacesTests(SynchronousTestCase):
    def test_one_source_reaches_few_buckets(self) -> None:
        places = Places(SECRET)
        found = {places.new(uuid(n % 8), f"4:{n:x}", "4:c000")[0] for n in range(2000)}
        self.assertLessEqual(len(found), BOOK_NEW_LANES)
        self.assertGreater(len(found), BOOK_NEW_LANES // 2)
        many = {places.new(uuid(0), "4:c000", f"4:{n:x}")[0] for n in range(2000)}
        self.assertGreater(len(many), BOOK_NEW[0] * 0.9)

    def test_one_group_is_tried_in_few_buckets(self) -> None:
        places = Places(SECRET)
        self.assertEqual(len({places.tried(uuid(n), "4:c000")[0] for n in range(64)}), BOOK_TRIED_LANES)
        self.assertGreater(len({places.tried(uuid(0), f"4:{n:x}")[0] for n in range(1000)}), BOOK_TRIED[0] * 0.9)

    def test_slots_are_spread_and_within_bounds(self) -> None:
        places = Places(SECRET)
        new = [places.new(uuid(n), "4:c000", "4:c001") for n in range(500)]
        tried = [places.tried(uuid(n), "4:c000") for n in range(500)]
        self.assertLess(max(slot for _, slot in new), BOOK_NEW[1])
        self.assertLess(max(slot for _, slot in tried), BOOK_TRIED[1])
        self.assertGreater(len({slot for _, slot in new}), BOOK_NEW[1] * 0.9)
        self.assertGreater(len({slot for _, slot in tried}), BOOK_TRIED[1] * 0.9)

    def test_another_secret_another_place(self) -> None:
        wanted = [(uuid(n), f"4:{n:x}", "4:c001") for n in range(50)]
        one, other = Places(SECRET), Places(b"t" * 32)
        self.assertEqual([one.new(*each) for each in wanted], [Places(SECRET).new(*each) for each in wanted])
        same = sum(one.new(*each) == other.new(*each) for each in wanted)
        self.assertLess(same, 5)

    def test_words_are_not_confused_with_their_neighbours(self) -> None:
        self.assertNotEqual(Places(SECRET)._draw(1 << 60, "a", "bc"), Places(SECRET)._draw(1 << 60, "ab", "c"))


class TableTests(SynchronousTestCase):
    def test_stand_and_leave(self) -> None:
        table = Table()
        table.put((3, 5), uuid("a"))
        table.put((3, 6), uuid("b"))
        table.put((9, 5), uuid("c"))
        self.assertEqual((len(table), table.at((3, 5)), table.at((3, 7))), (3, uuid("a"), None))
        table.take((3, 5))
        self.assertEqual((len(table), table.at((3, 5)), set(table)), (2, None, {uuid("b"), uuid("c")}))

    def test_a_full_bucket_is_drawn_no_more_often_than_another(self) -> None:
        table, luck = Table(), SeededRandom("draws")
        table.put((0, 0), uuid("alone"))
        for slot in range(60):
            table.put((1, slot), uuid(slot))
        alone = sum(table.drawn(luck) == uuid("alone") for _ in range(1000))
        self.assertTrue(400 < alone < 600, alone)

    def test_nobody_is_drawn_of_an_empty_one(self) -> None:
        table = Table()
        table.put((0, 0), uuid("a"))
        table.take((0, 0))
        self.assertIsNone(table.drawn(SeededRandom(1)))
