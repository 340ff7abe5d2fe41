"""A search: whom it asks in what order, what liars and the dead cost it, when it ends and what the end means."""

from __future__ import annotations

from collections.abc import Iterable

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.discovery.positions import Located
from quantumgate.core.discovery.search import (
    BRANCHES,
    FAILURES_MAX,
    KEEPERS,
    PATIENCE_SECONDS,
    QUESTIONS_MAX,
    SEARCH_SECONDS,
    End,
    Search,
)
from quantumgate.errors import BugError
from tests.core.discovery.people import by_key
from tests.core.discovery.test_positions import WALL_SECONDS, at
from tests.simulation.people import record_of

KEY = bytes(32)


def search(start: Iterable[Located], **more: object) -> Search:
    return Search(KEY, start, 0.0, **more)  # type: ignore[arg-type]


def exhaust(one: Search, now: float = 0.0) -> list[Located]:
    """Everybody says no; who was asked, in order."""
    asked: list[Located] = []
    while chosen := one.next_questions(now):
        asked += chosen
        for node in chosen:
            one.answered(node.uuid, [], [])
    return asked


class SearchTests(SynchronousTestCase):
    def test_each_branch_asks_one_at_a_time(self) -> None:
        one = search(at(n, 100 + n) for n in range(12))
        first = one.next_questions(0.0)
        self.assertEqual([node.at for node in first], [100, 101, 102, 103])
        self.assertEqual(one.next_questions(0.0), [])
        one.answered(first[1].uuid, [], [])
        self.assertEqual([node.at for node in one.next_questions(0.0)], [105])

    def test_patience_ends(self) -> None:
        one = search(at(n, 100 + n) for n in range(8))
        one.next_questions(0.0)
        self.assertEqual(one.deadline(0.0), PATIENCE_SECONDS)
        self.assertEqual(len(one.next_questions(PATIENCE_SECONDS)), BRANCHES)
        self.assertEqual(one.deadline(2 * PATIENCE_SECONDS), SEARCH_SECONDS)

    def test_it_ends_with_the_nearest(self) -> None:
        """Those that are farther than the eight nearest answers are not asked."""
        one = search(at(n, 100 + n) for n in range(40))
        asked = exhaust(one)
        self.assertTrue(one.over(0.0))
        self.assertLess(len(asked), 16)
        self.assertEqual([node.at for node in one.keepers], list(range(100, 100 + KEEPERS)))
        self.assertIs(one.end, End.NOBODY)

    def test_it_goes_where_it_is_led(self) -> None:
        one = search([at(0, 1000)], wanted=False)
        one.next_questions(0.0)
        one.answered(at(0, 1000).uuid, [], [at(1, 500), at(2, 600)])
        self.assertEqual([node.at for node in one.next_questions(0.0)], [500])

    def test_nobody_is_asked_twice_nor_two_of_a_network(self) -> None:
        one = search([at(0, 10), at(1, 20), at(2, 20, 5), at(3, 30)], own=at(3, 30).uuid)
        asked = one.next_questions(0.0)
        for node in asked:
            one.answered(node.uuid, [], [at(0, 10), at(2, 20, 5), at(3, 30)])
        self.assertEqual(one.next_questions(0.0), [])
        self.assertLessEqual({node.at for node in asked}, {10, 20})

    def test_another_of_the_network_where_the_first_is_gone(self) -> None:
        one = search([at(1, 20, 1)], wanted=False)
        one.next_questions(0.0)
        one.failed(at(1, 20, 1).uuid)
        self.assertTrue(one.over(0.0))
        other = search([at(1, 20, 1), at(5, 90)], wanted=False)
        other.next_questions(0.0)
        other.failed(at(1, 20, 1).uuid)
        other.answered(at(5, 90).uuid, [], [at(2, 20, 2)])
        self.assertEqual([node.within for node in other.next_questions(0.0)], [2])

    def test_an_answer_of_somebody_else_is_a_mistake_of_ours(self) -> None:
        one = search([])
        self.assertRaises(BugError, one.answered, at(1, 1).uuid, [], [])
        self.assertRaises(BugError, one.failed, at(1, 1).uuid)

    def test_a_second_answer_changes_nothing(self) -> None:
        one = search([at(1, 1)])
        one.next_questions(0.0)
        one.failed(at(1, 1).uuid)
        one.answered(at(1, 1).uuid, [], [at(2, 2)])
        self.assertEqual((one.answers, one.failures, one.next_questions(0.0)), (0, 1, []))


class LiarTests(SynchronousTestCase):
    def test_who_names_the_dead_is_not_followed(self) -> None:
        """After three names that lead nowhere the rest of what it named is dropped; what others named is not."""
        one = search([at(0, 1000), at(1, 2000)], wanted=False)
        one.next_questions(0.0)
        one.answered(at(0, 1000).uuid, [], [at(10 + n, n + 1) for n in range(8)])
        one.answered(at(1, 2000).uuid, [], [at(30, 400)])
        dead: list[int] = []
        while chosen := one.next_questions(0.0):
            for node in chosen:
                dead.append(node.at)
                one.failed(node.uuid) if node.at < 400 else one.answered(node.uuid, [], [])
        self.assertEqual(len([at for at in dead if at < 400]), FAILURES_MAX)
        self.assertIn(400, dead)

    def test_a_flood_of_names_is_bounded(self) -> None:
        """Liars that answer and name ever more of their own are asked so often, not more."""
        one, named = search([at(0, 1 << 40)], wanted=False), 1
        asked = 0
        while chosen := one.next_questions(0.0):
            for node in chosen:
                asked += 1
                nearer = [at(named + n, (1 << 40) - (named + n)) for n in range(8)]
                named += 8
                one.answered(node.uuid, [], nearer)
        self.assertLessEqual(asked, QUESTIONS_MAX)
        self.assertTrue(one.over(0.0))

    def test_the_words_for_the_end(self) -> None:
        nobody = search([])
        self.assertTrue(nobody.over(0.0))
        self.assertIs(nobody.end, End.TOO_FEW)
        few = search([at(n, n) for n in range(3)])
        exhaust(few)
        self.assertIs(few.end, End.TOO_FEW)
        silent = search([at(n, n) for n in range(8)])
        while chosen := silent.next_questions(0.0):
            for node in chosen:
                silent.answered(node.uuid, [], []) if node.at > 5 else silent.failed(node.uuid)
        self.assertIs(silent.end, End.WITHHELD)

    def test_time_ends_it(self) -> None:
        one = search([at(1, 1)])
        one.next_questions(0.0)
        self.assertFalse(one.over(SEARCH_SECONDS - 1))
        self.assertTrue(one.over(SEARCH_SECONDS))
        self.assertEqual(one.next_questions(SEARCH_SECONDS), [])


class FoundTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.old = record_of(500, "198.51.100.7", WALL_SECONDS, keeper=False)
        self.new = record_of(500, "198.51.100.8", WALL_SECONDS + 60, keeper=False)

    def test_two_that_agree_are_enough(self) -> None:
        one = search([at(n, n) for n in range(12)])
        asked = one.next_questions(0.0)
        one.answered(asked[0].uuid, [self.new], [])
        self.assertFalse(one.over(0.0))
        one.answered(asked[1].uuid, [self.new], [])
        self.assertTrue(one.over(0.0))
        self.assertIs(one.end, End.FOUND)

    def test_the_newest_counts(self) -> None:
        for order in ((self.old, self.new), (self.new, self.old)):
            one = search([at(n, n) for n in range(12)])
            for node, known in zip(one.next_questions(0.0), order, strict=False):
                one.answered(node.uuid, [known], [])
            self.assertEqual(list(one.records.values()), [self.new])

    def test_a_stolen_online_key_is_not_taken_for_its_successor(self) -> None:
        stolen, new = by_key(self.new, 7), by_key(self.old, 8)
        for order in ((stolen, new), (new, stolen)):
            one = search([at(n, n) for n in range(12)])
            for node, known in zip(one.next_questions(0.0), order, strict=False):
                one.answered(node.uuid, [known], [])
            self.assertEqual(list(one.records.values()), [new])

    def test_one_that_holds_it_alone_is_believed_in_the_end(self) -> None:
        one = search([at(n, n) for n in range(4)])
        asked = one.next_questions(0.0)
        for node in asked:
            one.answered(node.uuid, [self.new] if node is asked[0] else [], [])
        self.assertTrue(one.over(0.0))
        self.assertIs(one.end, End.FOUND)

    def test_of_several_all_are_taken_by_who_told_them(self) -> None:
        other = record_of(501, "198.51.100.9", WALL_SECONDS, keeper=False)
        one = search([at(n, n) for n in range(4)], several=True)
        asked = one.next_questions(0.0)
        for node in asked:
            one.answered(node.uuid, [self.new, other] if node is asked[0] else [other], [])
        self.assertEqual((len(one.records), one.end), (2, End.FOUND))
        self.assertEqual(one.told, {node.uuid: [self.new, other] if node is asked[0] else [other] for node in asked})

    def test_of_several_only_what_the_nearest_eight_told(self) -> None:
        """Who stands farther tells what it likes: it is not listened to where eight nearer ones answered."""
        one = search([at(n, 1000 + n) for n in range(4)], several=True)
        far = one.next_questions(0.0)
        for node in far:
            one.answered(node.uuid, [self.new], [at(10 + n, n) for n in range(KEEPERS)])
        while chosen := one.next_questions(0.0):
            for node in chosen:
                one.answered(node.uuid, [], [])
        self.assertEqual((one.told, one.end, len(one.keepers)), ({}, End.NOBODY, KEEPERS))

    def test_for_keepers_nothing_ends_early(self) -> None:
        one = search([at(n, 100 + n) for n in range(12)], wanted=False)
        while chosen := one.next_questions(0.0):
            for node in chosen:
                one.answered(node.uuid, [self.new], [])
        self.assertEqual(len(one.keepers), KEEPERS)
