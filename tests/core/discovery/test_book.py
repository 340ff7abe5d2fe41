"""The address book: what is taken, what has to go, who is chosen, and what is told to whom."""

from __future__ import annotations

import tracemalloc
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.discovery.book import Added, Book, Rejected
from quantumgate.core.discovery.entries import BEHIND_ANCHORS, OURSELVES, groups_of
from quantumgate.core.places import BY_NAME, group_of
from quantumgate.ids import PeerUUID
from quantumgate.testing.seeded import SeededRandom
from quantumgate.wire.limits import (
    BOOK_CONTEST_SECONDS,
    BOOK_CONTESTS,
    BOOK_FAILURES,
    BOOK_NEW,
    BOOK_NEW_LANES,
    BOOK_QUARTER,
    BOOK_REMEMBERED_SECONDS,
    BOOK_SAMPLES,
    BOOK_STANDING_SECONDS,
    BOOK_TRIED,
    BOOK_TRIED_LANES,
    DEFAULT_LIMITS,
    PEX_CACHE_SECONDS,
    PEX_RECORDS,
)
from tests.core.discovery.people import NOW_S, by_key, known, peer, uuid

SECRET = b"k" * 32
TELLER = group_of("203.0.66.1")


def book(**settings: Any) -> Book:
    """Of somebody who is nobody else here."""
    return Book(uuid("me"), SECRET, SeededRandom("book"), **settings)


def naming(*names: object) -> Any:
    """Rules that speak of these."""
    return frozenset(map(uuid, names)).__contains__


def address(n: int) -> str:
    """Each in a group of its own."""
    return f"{11 + n // 250}.{n % 250}.0.1"


def filled(count: int, **settings: Any) -> Book:
    """With so many peers, each in a group of its own, told by as many groups."""
    whole = book(**settings)
    for n in range(count):
        whole.add(known(n, address(n)), f"4:{n:x}", NOW_S)
    return whole


class TakenTests(SynchronousTestCase):
    def test_one_record_for_each_peer_and_the_newest_counts(self) -> None:
        one = book()
        first, second = known("a", "192.0.66.1"), known("a", "192.0.66.2", seq_s=NOW_S + 1)
        self.assertIs(one.add(first, TELLER, NOW_S), Added.NEW)
        self.assertIs(one.add(first, TELLER, NOW_S), Added.KNOWN)
        self.assertIs(one.add(second, TELLER, NOW_S), Added.NEWER)
        self.assertIs(one.add(first, TELLER, NOW_S), Rejected.OLDER)
        self.assertEqual((len(one), one.record(uuid("a"))), (1, second))
        self.assertIsNone(one.record(uuid("b")))

    def test_a_stolen_online_key_does_not_write_over_its_successor(self) -> None:
        one, stolen = book(), by_key(known("a", "192.0.66.1", seq_s=NOW_S + 500), 7)
        new = by_key(known("a", "192.0.66.2"), 8)
        self.assertIs(one.add(stolen, TELLER, NOW_S), Added.NEW)
        self.assertIs(one.add(new, TELLER, NOW_S), Added.NEWER)
        same_number = by_key(known("a", "192.0.66.1"), 7)
        for older in (stolen, same_number):
            self.assertIs(one.add(older, TELLER, NOW_S), Rejected.OLDER)
        entry = one.entry(uuid("a"))
        assert entry is not None
        self.assertEqual((entry.known, entry.two_faced), (new, False))

    def test_our_own_and_what_is_over(self) -> None:
        one = book()
        self.assertIs(one.add(known("me", "192.0.66.1"), TELLER, NOW_S), Rejected.OURS)
        self.assertIs(one.add(known("a", "192.0.66.1", life_s=60), TELLER, NOW_S + 60), Rejected.OVER)
        self.assertEqual(len(one), 0)

    def test_two_bodies_with_one_number_are_an_equivocation(self) -> None:
        one = book()
        first = known("a", "192.0.66.1")
        one.add(first, TELLER, NOW_S)
        self.assertIs(one.add(known("a", "192.0.66.2"), TELLER, NOW_S), Rejected.EQUIVOCATION)
        self.assertEqual(one.record(uuid("a")), first)
        self.assertIsNone(one.choose(NOW_S))
        self.assertEqual(one.sample(8, TELLER, NOW_S), [])
        one.add(known("a", "192.0.66.1", seq_s=NOW_S + 1), TELLER, NOW_S)
        self.assertIsNotNone(one.choose(NOW_S), "who says one thing again is believed again")

    def test_what_is_not_public_is_kept_of_named_peers_only(self) -> None:
        one = book(named=naming("friend"))
        self.assertIs(one.add(known("stranger", "192.0.66.1", public=False), TELLER, NOW_S), Rejected.PRIVATE)
        self.assertIs(one.add(known("friend", "192.0.66.1", public=False), TELLER, NOW_S), Added.NEW)

    def test_another_key_with_the_same_uuid(self) -> None:
        from dataclasses import replace  # a collision of 118 bits is made up

        one = book()
        one.add(known("a", "192.0.66.1"), TELLER, NOW_S)
        twin = replace(peer("b"), uuid=uuid("a"))
        self.assertIs(one.add(known("b", "192.0.66.1", seq_s=NOW_S + 9, who=twin), TELLER, NOW_S), Rejected.ANOTHER_KEY)


class BoundsTests(SynchronousTestCase):
    def test_four_of_a_24(self) -> None:
        """Row 24: 1000 records from one /24."""
        one = book()
        results = [one.add(known(n, f"192.0.66.{n % 250}"), f"4:{n:x}", NOW_S) for n in range(1000)]
        self.assertEqual(len(one), BOOK_QUARTER)
        self.assertEqual(set(results), {Added.NEW, Rejected.CROWDED})

    def test_a_record_in_many_24s_counts_in_each(self) -> None:
        one = book()
        for n in range(BOOK_QUARTER):
            one.add(known(n, "192.0.66.1", f"198.51.{n}.1"), f"4:{n:x}", NOW_S)
        self.assertIs(one.add(known("more", "203.0.66.9", "192.0.66.9"), TELLER, NOW_S), Rejected.CROWDED)
        one.add(known("mover", "203.0.66.9"), TELLER, NOW_S)
        moved = known("mover", "192.0.66.77", seq_s=NOW_S + 1)
        self.assertIs(one.add(moved, TELLER, NOW_S), Rejected.CROWDED)
        self.assertEqual(one.record(uuid("mover")), known("mover", "203.0.66.9"))

    def test_who_is_hopeless_makes_room(self) -> None:
        one = book()
        for n in range(BOOK_QUARTER):
            one.add(known(n, "192.0.66.1"), f"4:{n:x}", NOW_S)
        one.add(known("good", "198.51.44.1"), TELLER, NOW_S)
        for n in range(BOOK_FAILURES):
            one.succeeded(uuid("good"), NOW_S + 2 * n)
            one.failed(uuid(2), NOW_S + 2 * n + 1)
        self.assertIs(one.add(known("more", "192.0.66.9"), TELLER, NOW_S + 9), Added.NEW)
        self.assertIsNone(one.record(uuid(2)))

    def test_one_source_gets_to_few_places_however_much_it_says(self) -> None:
        one = book()
        for n in range(6000):
            one.add(known(n % 3000, address(n % 3000)), TELLER, NOW_S)
        self.assertLessEqual(len(one), BOOK_NEW_LANES * BOOK_NEW[1])
        self.assertGreater(len(one), BOOK_NEW_LANES * BOOK_NEW[1] * 0.8)

    def test_records_without_an_address_get_what_one_network_gets(self) -> None:
        one = book()
        for n in range(600):
            one.add(known(n), TELLER, NOW_S)
        self.assertEqual(one.groups(), [BEHIND_ANCHORS])
        self.assertLessEqual(len(one), BOOK_NEW[1])
        names = book()
        for n in range(600):
            names.add(known(n, f"n{n}.example"), TELLER, NOW_S)
        self.assertEqual(names.groups(), [BY_NAME])
        self.assertLessEqual(len(names), BOOK_NEW[1])

    def test_named_peers_are_bound_by_neither(self) -> None:
        one = book(named=naming(*range(20)))
        for n in range(20):
            self.assertIs(one.add(known(n, "192.0.66.1", public=False), TELLER, NOW_S), Added.NEW)
        self.assertEqual(len(one), 20)

    def test_bytes_are_bounded(self) -> None:
        size = filled(1).bytes_held
        one = filled(200, most_bytes=size * 50)
        self.assertLessEqual(one.bytes_held, size * 50)
        self.assertGreater(len(one), 40)
        all_tried = book(most_bytes=size * 2, named=naming("friend"))
        for n in range(2):
            all_tried.add(known(n, address(n)), TELLER, NOW_S)
            all_tried.succeeded(uuid(n), NOW_S)
        self.assertIs(all_tried.add(known("c", address(9)), TELLER, NOW_S), Rejected.FULL)
        self.assertIs(all_tried.add(known("friend", address(9)), TELLER, NOW_S), Added.NEW)
        self.assertEqual(len(all_tried), 2)
        while len(all_tried):
            all_tried.remove(next(iter(all_tried)).uuid)
        self.assertEqual(all_tried.bytes_held, 0)

    def test_records_that_grow_are_bounded_too(self) -> None:
        """Who is in with a short one and then has a long one."""
        size, long = filled(1).bytes_held, {"extras": ((0x80, bytes(7000)),), "seq_s": NOW_S + 1}
        one = filled(50, most_bytes=size * 50)
        for n in range(50):
            one.add(known(n, address(n), **long), TELLER, NOW_S + 1)
            self.assertLessEqual(one.bytes_held, size * 50)
        self.assertGreater(len(one), 10)
        all_tried = book(most_bytes=size * 2, named=naming("friend"))
        for name in (0, 1, "friend"):
            all_tried.add(known(name, "192.0.66.1" if name else "198.51.44.1"), TELLER, NOW_S)
            all_tried.succeeded(uuid(name), NOW_S)
        self.assertIs(all_tried.add(known(0, "198.51.44.1", **long), TELLER, NOW_S + 1), Rejected.FULL)
        self.assertNotIn(uuid(0), all_tried, "who grows pays for it, where nobody else is there who was never reached")
        self.assertIs(all_tried.add(known("friend", "192.0.66.1", **long), TELLER, NOW_S + 1), Added.NEWER)
        self.assertIn(uuid("friend"), all_tried)

    def test_what_it_says_it_holds_is_no_less_than_what_it_holds(self) -> None:
        records = [known(n, address(n), address(n + 1000)) for n in range(1000)]
        bodies = [(one.signed.body[:], one.signed.record) for one in records]
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            one = book()
            for n in range(1000):
                one.add(known(f"w{n}", address(n), address(n + 1000)), f"4:{n:x}", NOW_S)
            used = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
        self.assertEqual(len(bodies), 1000)
        self.assertLess(used, one.bytes_held)

    def test_the_defaults_are_no_more_than_sixty_four_mebibytes(self) -> None:
        self.assertEqual(DEFAULT_LIMITS.book_bytes, 64 << 20)
        self.assertEqual((BOOK_NEW, BOOK_TRIED), ((256, 64), (64, 64)))


class TimeTests(SynchronousTestCase):
    def test_somebody_is_remembered_for_a_month_after_its_record(self) -> None:
        one = book()
        one.add(known("a", "192.0.66.1", life_s=60), TELLER, NOW_S)
        one.expire(NOW_S + 60 + BOOK_REMEMBERED_SECONDS - 1)
        self.assertIsNotNone(one.record(uuid("a")))
        self.assertIsNotNone(one.choose(NOW_S + 3600), "where it was is the best guess where it is")
        self.assertEqual(one.sample(8, TELLER, NOW_S + 3600), [], "but nobody is told any more")
        one.expire(NOW_S + 60 + BOOK_REMEMBERED_SECONDS)
        self.assertEqual(len(one), 0)

    def test_what_is_over_gives_its_place_away(self) -> None:
        one = book()
        for n in range(400):
            one.add(known(n, life_s=60), TELLER, NOW_S)
        before = len(one)
        one.add(known("late"), TELLER, NOW_S + 61)
        places = [entry.place for entry in one]
        self.assertEqual((len(one), len(set(places))), (before, before))
        self.assertIsNotNone(one.record(uuid("late")))

    def test_rules_that_change(self) -> None:
        friends: set[PeerUUID] = set()
        one = book(named=friends.__contains__)
        one.add(known("a", "192.0.66.1"), TELLER, NOW_S)
        one.succeeded(uuid("a"), NOW_S)
        friends.add(uuid("a"))
        one.add(known("a", "192.0.66.1", seq_s=NOW_S + 1), TELLER, NOW_S)
        self.assertEqual([entry.place for entry in one], [None])
        one.add(known("b", "192.0.66.2", public=False), TELLER, NOW_S)
        friends.add(uuid("b"))
        one.add(known("b", "192.0.66.2", public=False), TELLER, NOW_S)
        friends.clear()
        one.expire(NOW_S)
        self.assertEqual([entry.uuid for entry in one], [uuid("a")], "the one that is public stays")
        self.assertIsNotNone(next(iter(one)).place)


class CallsTests(SynchronousTestCase):
    def rivals(self, count: int = 2) -> tuple[Book, list[int]]:
        """A book, and numbers of peers that have one place among the reached."""
        one = book()
        place = one._places.tried(uuid(0), group_of("192.0.66.1"))
        found = [n for n in range(9000) if one._places.tried(uuid(n), group_of("192.0.66.1")) == place][:count]
        for n in found:
            one.add(known(n, f"192.0.66.{n % 250}"), f"4:{n:x}", NOW_S)
        return one, found

    def test_who_was_reached_stands_in_tried(self) -> None:
        one = filled(10)
        one.succeeded(uuid(3), NOW_S)
        self.assertEqual((one.tried_count, len(one)), (1, 10))
        self.assertEqual(one.entry(uuid(3)).succeeded_at, NOW_S)  # type: ignore[union-attr]

    def test_a_place_is_contested_only_after_hours_and_lost_only_after_a_call(self) -> None:
        one, (first, second) = self.rivals()
        one.succeeded(uuid(first), NOW_S)
        one.succeeded(uuid(second), NOW_S + 60)
        self.assertIsNone(one.to_test(), "the first was reached a minute ago")
        later = NOW_S + BOOK_STANDING_SECONDS
        one.succeeded(uuid(second), later)
        self.assertEqual(one.to_test().identity.uuid, uuid(first))  # type: ignore[union-attr]
        one.succeeded(uuid(first), later + 1)
        self.assertIsNone(one.to_test())
        self.assertEqual([entry.uuid for entry in one if entry.tried], [uuid(first)])

    def test_who_does_not_answer_gives_way(self) -> None:
        one, (first, second) = self.rivals()
        one.succeeded(uuid(first), NOW_S)
        later = NOW_S + BOOK_STANDING_SECONDS
        one.succeeded(uuid(second), later)
        one.failed(uuid(first), later + 1)
        self.assertIsNone(one.to_test())
        self.assertEqual([entry.uuid for entry in one if entry.tried], [uuid(second)])
        self.assertEqual(len(one), 2, "it is remembered as one that we were told of")

    def test_who_was_reached_elsewhere_stands_in_tried_for_nothing(self) -> None:
        """One machine, whatever its records say: places in tried are of the groups where somebody answered."""
        one = book()
        for n in range(40):
            one.add(known(n, address(n), f"n{n}.example"), f"4:{n:x}", NOW_S)
            one.succeeded(uuid(n), NOW_S, "45.33.32.1")
            self.assertEqual((one.entry(uuid(n)).tried, one.entry(uuid(n)).succeeded_at), (False, NOW_S))
        one.add(known("a", "45.33.32.7", "11.0.0.1"), TELLER, NOW_S)
        one.succeeded(uuid("a"), NOW_S, "11.0.0.1")
        self.assertEqual((one.tried_count, one.entry(uuid("a")).reached), (1, "4:b00"))
        alike = book(diverse=False)
        alike.add(known("a", "192.168.1.1"), TELLER, NOW_S)
        alike.succeeded(uuid("a"), NOW_S, "192.168.1.1")
        self.assertEqual(alike.tried_count, 1)

    def test_nobody_asked_in_time(self) -> None:
        one, (first, second) = self.rivals()
        one.succeeded(uuid(first), NOW_S)
        later = NOW_S + BOOK_STANDING_SECONDS
        one.succeeded(uuid(second), later)
        one.expire(later + BOOK_CONTEST_SECONDS - 1)
        self.assertIsNotNone(one.to_test())
        one.expire(later + BOOK_CONTEST_SECONDS)
        self.assertEqual([entry.uuid for entry in one if entry.tried], [uuid(second)])

    def test_contests_are_bounded(self) -> None:
        one = book()
        for n in range(3000):
            one.add(known(n, f"192.0.{n % 250}.{n // 250}"), f"4:{n:x}", NOW_S)
            one.succeeded(uuid(n), NOW_S + n * BOOK_STANDING_SECONDS)
        self.assertEqual(len(one._contests), BOOK_CONTESTS)
        self.assertLessEqual(one.tried_count, BOOK_TRIED_LANES * BOOK_TRIED[1])

    def test_a_node_without_a_network_forgets_nobody(self) -> None:
        one = filled(3)
        for n in range(20):
            one.failed(uuid(0), NOW_S + n)
        self.assertEqual(one.entry(uuid(0)).failures, 1)  # type: ignore[union-attr]
        one.succeeded(uuid(1), NOW_S + 30)
        one.failed(uuid(0), NOW_S + 31)
        self.assertEqual(one.entry(uuid(0)).failures, 2)  # type: ignore[union-attr]

    def test_who_moved_to_another_network_is_to_be_reached_again(self) -> None:
        one = filled(3)
        one.succeeded(uuid(0), NOW_S, address(0))
        one.add(known(0, address(0), address(70), seq_s=NOW_S + 1), TELLER, NOW_S)
        self.assertEqual(one.tried_count, 1)
        one.add(known(0, address(70), seq_s=NOW_S + 2), TELLER, NOW_S)
        self.assertEqual((one.tried_count, len(one)), (0, 3))

    def test_calls_of_unknown_peers_change_nothing(self) -> None:
        one = filled(1)
        for happens in (one.tried, one.failed, one.succeeded):
            happens(uuid("unknown"), NOW_S)
        self.assertEqual((len(one), one.tried_count), (1, 0))


class ChoiceTests(SynchronousTestCase):
    def test_groups_are_avoided(self) -> None:
        one = filled(3)
        avoid = [group_of(address(0)), group_of(address(2))]
        chosen = {one.choose(NOW_S, avoid_groups=avoid) for _ in range(20)}
        self.assertEqual(chosen, {one.record(uuid(1))})
        one.add(known("both", address(9), address(0)), TELLER, NOW_S)
        self.assertEqual({one.choose(NOW_S, avoid_groups=avoid) for _ in range(20)}, {one.record(uuid(1))})
        self.assertIsNone(one.choose(NOW_S, avoid_groups=[*avoid, group_of(address(1)), group_of(address(9))]))

    def test_only_new(self) -> None:
        one = filled(30)
        for n in range(29):
            one.succeeded(uuid(n), NOW_S)
        self.assertEqual({one.choose(NOW_S, only_new=True) for _ in range(10)}, {one.record(uuid(29))})

    def test_each_group_is_as_likely_whoever_is_many_in_one(self) -> None:
        one = filled(10)
        for n in range(1000, 1030):
            one.add(known(n, f"198.51.{n % 250}.7"), f"4:{n:x}", NOW_S)
        chosen = [one.choose(NOW_S) for _ in range(1100)]
        crowd = sum("4:c633" in groups_of(each.record) for each in chosen)  # type: ignore[union-attr]
        self.assertTrue(60 < crowd < 140, crowd)

    def test_a_group_whose_peers_come_and_go_keeps_its_turn(self) -> None:
        """In nine of ten groups nine of ten peers have not been heard of for long; in the tenth nobody ever leaves."""
        one = book()
        for n in range(90):
            gone = known(("gone", n), f"{11 + n % 9}.7.{n}.1", seq_s=NOW_S - 20_000)
            one.add(gone, f"4:{n:x}", NOW_S - 20_000)
        for n in range(9):
            one.add(known(n, f"{11 + n}.7.200.1"), f"4:{n:x}", NOW_S)
        for n in range(1000, 1010):
            one.add(known(n, f"198.51.{n % 250}.7"), f"4:{n:x}", NOW_S)
        chosen = [groups_of(each.record)[0] for _ in range(1000) if (each := one.choose(NOW_S)) is not None]
        self.assertEqual(len(one.groups()), 10)
        self.assertLess(chosen.count(group_of("198.51.0.7")), 150)

    def test_of_one_group_alone(self) -> None:
        one = filled(10)
        (group,) = one.entry(uuid(3)).groups  # type: ignore[union-attr]
        self.assertEqual({one.choose(NOW_S, group=group) for _ in range(9)}, {one.record(uuid(3))})
        self.assertIsNone(one.choose(NOW_S, group="4:0"))

    def test_who_was_just_called_in_vain_comes_later(self) -> None:
        one = filled(10)
        one.failed(uuid(0), NOW_S)
        chosen = [one.choose(NOW_S + 1) for _ in range(200)]
        self.assertLess(chosen.count(one.record(uuid(0))), 5)
        alone = filled(1)
        alone.failed(uuid(0), NOW_S)
        self.assertIsNotNone(alone.choose(NOW_S + 1), "but it comes, where there is nobody else")

    def test_whom_the_caller_does_not_want(self) -> None:
        one = filled(3, named=naming(1))
        self.assertEqual(one.choose(NOW_S, accept=lambda entry: entry.uuid == uuid(1)), one.record(uuid(1)))
        self.assertIsNone(one.choose(NOW_S, accept=lambda entry: False))

    def test_nobody_without_an_endpoint(self) -> None:
        one = book()
        one.add(known("a"), TELLER, NOW_S)
        self.assertIsNone(one.choose(NOW_S))
        self.assertIsNone(book().choose(NOW_S))

    def test_the_book_of_a_machine_of_its_own(self) -> None:
        one = book(diverse=False)
        for n in range(20):
            one.add(known(n, "127.0.0.1", port=2000 + n), TELLER, NOW_S)
        self.assertEqual((len(one), len(one.groups())), (20, 20))
        self.assertIsNotNone(one.choose(NOW_S, avoid_groups=["127.0.0.1:2003"]))
        one.succeeded(uuid(3), NOW_S, "127.0.0.1")
        self.assertEqual(one.entry(uuid(3)).reached, "127.0.0.1:2003")  # type: ignore[union-attr]


class TellingTests(SynchronousTestCase):
    def asked(self, one: Book, prefix: str = TELLER, count: int = PEX_RECORDS, now_s: float = NOW_S) -> set[PeerUUID]:
        return {each.identity.uuid for each in one.sample(count, prefix, now_s)}

    def test_asking_again_shows_no_more(self) -> None:
        """Row 24: PEX to enumerate."""
        one = filled(1000)
        first = self.asked(one)
        self.assertEqual(len(first), PEX_RECORDS)
        for hour in range(24):
            self.assertEqual(self.asked(one, now_s=NOW_S + hour), first)
        self.assertLess(len(self.asked(one, "4:other") & first), 20)
        self.assertLessEqual(self.asked(one, count=5), first)

    def test_a_day_later_it_is_another_sample(self) -> None:
        one = book()
        for n in range(1000):
            one.add(known(n, address(n), life_s=PEX_CACHE_SECONDS), f"4:{n:x}", NOW_S)
        first = self.asked(one)
        self.assertEqual(self.asked(one, now_s=NOW_S + PEX_CACHE_SECONDS - 1), first)
        for n in range(1000):
            one.add(known(n, address(n), seq_s=NOW_S + 1, life_s=PEX_CACHE_SECONDS), f"4:{n:x}", NOW_S)
        self.assertEqual(self.asked(one, now_s=NOW_S + PEX_CACHE_SECONDS - 1), first, "newer records of the same peers")
        self.assertNotEqual(self.asked(one, now_s=NOW_S + PEX_CACHE_SECONDS), first)

    def test_a_sample_of_a_small_book_grows_to_its_size_and_no_further(self) -> None:
        one = filled(10)
        self.assertEqual(len(self.asked(one)), 10)
        for n in range(10, 500):
            one.add(known(n, address(n)), f"4:{n:x}", NOW_S)
        told = self.asked(one)
        for entry in list(one)[:400]:
            one.remove(entry.uuid)
        told |= self.asked(one)
        self.assertEqual(len(told), PEX_RECORDS)

    def test_samples_are_bounded(self) -> None:
        one = filled(1)
        for n in range(BOOK_SAMPLES + 10):
            one.sample(1, f"4:{n:x}", NOW_S)
        self.assertEqual(len(one._samples), BOOK_SAMPLES)

    def test_nobody_is_told_of_a_friend_of_before(self) -> None:
        """From the moment the rule is gone, not when the book next looks at its rules."""
        friends = {uuid("friend")}
        one = book(named=friends.__contains__)
        one.add(known("friend", "192.0.66.1", public=False), TELLER, NOW_S)
        self.assertEqual(len(one.news(8, {}, NOW_S)), 1)
        friends.clear()
        self.assertEqual(one.news(8, {}, NOW_S), [])

    def test_nobody_is_told_of_what_is_not_public(self) -> None:
        one = book(named=naming("friend", "open"))
        one.add(known("friend", "192.0.66.1", public=False), TELLER, NOW_S)
        one.add(known("open", "192.0.66.1"), TELLER, NOW_S)
        self.assertEqual(self.asked(one), {uuid("open")})

    def test_news_for_a_named_peer(self) -> None:
        one = book(named=naming("friend"))
        one.add(known("friend", "192.0.66.1", public=False), TELLER, NOW_S)
        for n in range(100):
            one.add(known(n, address(n)), f"4:{n:x}", NOW_S)
        first = one.news(PEX_RECORDS, {}, NOW_S)
        self.assertEqual(len(first), PEX_RECORDS)
        self.assertEqual(first[0].identity.uuid, uuid("friend"))
        told = {each.identity.uuid: each.record.seq_ms for each in first}
        rest = one.news(PEX_RECORDS, told, NOW_S)
        self.assertEqual(len(rest), 101 - PEX_RECORDS)
        self.assertFalse(told.keys() & {each.identity.uuid for each in rest})
        one.add(known("friend", "192.0.66.1", public=False, seq_s=NOW_S + 1), TELLER, NOW_S)
        told |= {each.identity.uuid: each.record.seq_ms for each in rest}
        self.assertEqual([each.identity.uuid for each in one.news(8, told, NOW_S)], [uuid("friend")])


class KeptTests(SynchronousTestCase):
    def again(self, one: Book, now_s: float = NOW_S, **settings: Any) -> Book:
        other = book(**settings)
        other.restore(one.rows(), now_s)
        return other

    def test_rows_and_back(self) -> None:
        one = filled(40, named=naming(39))
        for n in range(10):
            one.succeeded(uuid(n), NOW_S + n)
        one.failed(uuid(20), NOW_S + 30)
        other = self.again(one, NOW_S + 40, named=naming(39))
        self.assertEqual({row[0]: row for row in other.rows()}, {row[0]: row for row in one.rows()})
        self.assertEqual((len(other), other.tried_count, other.bytes_held), (40, 10, one.bytes_held))
        self.assertEqual(other.changes(), ([], []))

    def test_what_changed_since(self) -> None:
        one = filled(5)
        self.assertEqual(len(one.changes()[0]), 5)
        self.assertEqual(one.changes(), ([], []))
        one.succeeded(uuid(2), NOW_S)
        one.remove(uuid(3))
        changed, removed = one.changes()
        self.assertEqual(([row[0] for row in changed], removed), ([uuid(2).bytes], [uuid(3).bytes]))
        one.remove(uuid(2))
        one.add(known(2, address(2)), TELLER, NOW_S)
        changed, removed = one.changes()
        self.assertEqual(([row[0] for row in changed], removed), ([uuid(2).bytes], []))

    def test_rows_that_are_spoilt_or_too_old(self) -> None:
        one = filled(3)
        rows = one.rows()
        name, data, *rest = rows[0]
        spoilt = (name, data[:-5], *rest)
        other = book()
        self.assertEqual(other.restore([spoilt, (b"", b"", 0.0, 0, "", False), *rows[1:]], NOW_S), 2)
        self.assertEqual(len(self.again(one, NOW_S + BOOK_REMEMBERED_SECONDS + 86_400)), 0)
        mine = Book(uuid(1), SECRET, SeededRandom(0))
        self.assertEqual(mine.restore(rows, NOW_S), 2, "a record of our own is not kept")

    def test_a_last_success_in_the_future_is_none(self) -> None:
        one = filled(1)
        one.succeeded(uuid(0), NOW_S + 99_999)
        (entry,) = self.again(one)
        self.assertEqual(entry.succeeded_at, NOW_S)

    def test_what_an_operator_gave_stays_beside_the_rest(self) -> None:
        one = book()
        self.assertIs(one.add(known("a", "192.0.66.1"), OURSELVES, NOW_S), Added.NEW)
        self.assertEqual(one.entry(uuid("a")).source, OURSELVES)  # type: ignore[union-attr]
