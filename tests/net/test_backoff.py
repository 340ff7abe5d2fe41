"""Back-off: the schedule, the cap, the jitter's bounds, the reset."""

from __future__ import annotations

import random

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.net.backoff import JITTER_SHARE, Backoff


class Upper:
    """Luck that always draws the upper end."""

    def uniform(self, low: float, high: float) -> float:
        return high


class BackoffTests(SynchronousTestCase):
    def test_doubles_from_one_second_to_the_cap(self) -> None:
        backoff = Backoff(Upper())
        self.assertEqual([backoff.failed(0.0) for _ in range(9)], [1, 2, 4, 8, 16, 32, 60, 60, 60])

    def test_settable_first_and_cap(self) -> None:
        backoff = Backoff(Upper(), first_seconds=0.5, cap_seconds=3)
        self.assertEqual([backoff.failed(0.0) for _ in range(4)], [0.5, 1, 2, 3])

    def test_jitter_stays_below_the_step_and_differs(self) -> None:
        luck = random.Random(7)
        delays = []
        for _ in range(200):
            backoff = Backoff(luck)
            backoff.failures = 5
            delays.append(backoff.failed(0.0))
        self.assertTrue(all(32 * (1 - JITTER_SHARE) <= delay <= 32 for delay in delays))
        self.assertGreater(len(set(delays)), 190)

    def test_next_try_is_visible(self) -> None:
        backoff = Backoff(Upper())
        self.assertIsNone(backoff.seconds_left(100.0))
        backoff.failed(100.0)
        self.assertEqual(backoff.next_try, 101.0)
        self.assertEqual(backoff.seconds_left(100.25), 0.75)
        self.assertEqual(backoff.seconds_left(500.0), 0.0)

    def test_reset_by_hand_starts_over(self) -> None:
        backoff = Backoff(Upper())
        for _ in range(6):
            backoff.failed(0.0)
        backoff.reset()
        self.assertIsNone(backoff.next_try)
        self.assertEqual(backoff.failed(50.0), 1)

    def test_months_of_failures_do_not_overflow(self) -> None:
        backoff = Backoff(Upper())
        for _ in range(5000):
            delay = backoff.failed(0.0)
        self.assertEqual(delay, 60)
