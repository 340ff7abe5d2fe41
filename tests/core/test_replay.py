"""The replay window of docs/spec/handshake.md section 10: every edge of time, the floor, the capacity, the budget."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.overload import PLAIN_COST
from quantumgate.core.replay import MINUTE_MS, ReplayWindow

NOW_MS = 1_700_000_040_000
HOUR_MS = 60 * MINUTE_MS


def made(wall_ms: int = NOW_MS - 30 * HOUR_MS, **changes: float) -> ReplayWindow:
    """A window that began long ago."""
    return ReplayWindow(b"k" * 32, wall_ms, **changes)  # type: ignore[arg-type]


def salt(number: int) -> bytes:
    """A salt."""
    return number.to_bytes(32, "big")


class ReplayTests(SynchronousTestCase):
    """``fresh`` and ``enter``."""

    def test_an_answered_salt_is_not_fresh(self) -> None:
        window = made()
        self.assertTrue(window.fresh(salt(1), NOW_MS, NOW_MS))
        self.assertTrue(window.fresh(salt(1), NOW_MS, NOW_MS))  # looking changes nothing
        window.enter(salt(1), NOW_MS, NOW_MS)
        self.assertFalse(window.fresh(salt(1), NOW_MS, NOW_MS))
        self.assertTrue(window.fresh(salt(2), NOW_MS, NOW_MS))

    def test_edges_of_time(self) -> None:
        window = made()
        for a_ms, expected in (
            (NOW_MS + 6 * MINUTE_MS, True),
            (NOW_MS + 7 * MINUTE_MS, False),
            (NOW_MS - 26 * HOUR_MS, True),
            (NOW_MS - 26 * HOUR_MS - MINUTE_MS, False),
            (NOW_MS + 1, False),
            (NOW_MS + 30_000, False),
            (0, False),
            ((1 << 64) - (1 << 64) % MINUTE_MS, False),
        ):
            self.assertEqual(window.fresh(salt(1), a_ms, NOW_MS), expected, a_ms)

    def test_after_a_start_without_a_saved_floor(self) -> None:
        window = made(NOW_MS)
        self.assertFalse(window.fresh(salt(1), NOW_MS - MINUTE_MS, NOW_MS))
        self.assertTrue(window.fresh(salt(1), NOW_MS, NOW_MS))
        self.assertFalse(made(NOW_MS, saved_floor_ms=NOW_MS).fresh(salt(1), NOW_MS, NOW_MS))

    def test_over_capacity_the_oldest_minute_becomes_the_floor(self) -> None:
        window = made(capacity=4, answers_per_second=0)
        old = NOW_MS - 5 * MINUTE_MS
        for number in range(3):
            window.enter(salt(number), old, NOW_MS)
        window.enter(salt(10), NOW_MS, NOW_MS)
        self.assertEqual((window.count, window.floor_ms < old), (4, True))
        window.enter(salt(11), NOW_MS, NOW_MS)
        self.assertEqual((window.count, window.floor_ms), (2, old))
        for number in range(4):
            self.assertFalse(window.fresh(salt(number), old, NOW_MS))
        self.assertTrue(window.fresh(salt(12), old + MINUTE_MS, NOW_MS))

    def test_capacity_covers_twelve_minutes_of_the_budget(self) -> None:
        window = made(capacity=1, answers_per_second=1)
        most = int(720 / PLAIN_COST)
        for number in range(most):
            window.enter(salt(number), NOW_MS, NOW_MS, PLAIN_COST)
        self.assertEqual(window.count, most)

    def test_a_salt_entered_twice_counts_once(self) -> None:
        window = made()
        window.enter(salt(1), NOW_MS, NOW_MS)
        window.enter(salt(1), NOW_MS, NOW_MS)
        self.assertEqual(window.count, 1)

    def test_old_minutes_are_forgotten_and_stay_shut_when_the_clock_goes_back(self) -> None:
        window = made()
        window.enter(salt(1), NOW_MS, NOW_MS)
        later = NOW_MS + 27 * HOUR_MS
        window.enter(salt(2), later, later)
        self.assertEqual(window.count, 1)
        self.assertFalse(window.fresh(salt(1), NOW_MS, NOW_MS))

    def test_a_clock_far_ahead_empties_it_and_goes_on(self) -> None:
        window = made()
        window.enter(salt(1), NOW_MS, NOW_MS + 27 * HOUR_MS)
        self.assertEqual((window.count, window.floor_ms), (0, NOW_MS))


class BudgetTests(SynchronousTestCase):
    """200 answers a second, RESP, RETRY and REFUSE together."""

    def test_a_burst_then_the_rate(self) -> None:
        window = made()
        for number in range(200):
            self.assertTrue(window.may_answer(7.0))
            window.enter(salt(number), NOW_MS, NOW_MS)
        self.assertFalse(window.may_answer(7.0))
        self.assertFalse(window.may_answer(7.0049))
        self.assertTrue(window.may_answer(7.0051))
        self.assertTrue(window.may_answer(6.0))  # a clock that steps back takes nothing away

    def test_each_answer_takes_what_it_costs(self) -> None:
        for cost, answered in ((0.5, 7), (1.0, 4), (2.0, 2)):
            window, count = made(answers_per_second=4), 0
            while window.may_answer(7.0):
                window.enter(salt(count), NOW_MS, NOW_MS, cost)
                count += 1
            self.assertEqual(count, answered)
        window.charge(8.0)
        self.assertFalse(window.may_answer(9.0))
        self.assertTrue(window.may_answer(9.5))

    def test_a_small_budget_has_one_for_strangers_too(self) -> None:
        window = made(answers_per_second=0.1)
        self.assertTrue(window.may_answer(7.0, 0.5))
        window.enter(salt(1), NOW_MS, NOW_MS)
        window.enter(salt(2), NOW_MS, NOW_MS)
        self.assertFalse(window.may_answer(16.0))
        self.assertTrue(window.may_answer(17.1))

    def test_without_a_budget_every_one_may_be_answered_and_the_window_stays_as_small(self) -> None:
        window = made(answers_per_second=float("inf"), capacity=3)
        for number in range(5):
            self.assertTrue(window.may_answer(7.0))
            window.enter(salt(number), NOW_MS - MINUTE_MS * (5 - number), NOW_MS)
        self.assertEqual(window.count, 3)
        self.assertEqual(window.floor_ms, NOW_MS - 4 * MINUTE_MS)

    def test_asking_takes_nothing_and_saving_up_ends_at_one_second(self) -> None:
        window = made(answers_per_second=2)
        self.assertTrue(all(window.may_answer(1000.0 + hour) for hour in range(9)))
        window.enter(salt(1), NOW_MS, NOW_MS)
        window.enter(salt(2), NOW_MS, NOW_MS)
        self.assertFalse(window.may_answer(1008.0))
