"""A circuit's hour and its day: when it is to be succeeded, and when it ends."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.relay.lifetime import QUIET_SECONDS, Lifetime, Wish
from quantumgate.wire.limits import DEFAULT_LIMITS
from tests.core.handshake.duel import SeededRandom

BEGAN = 1000.0
HOUR_SECONDS, DAY_SECONDS = 3600.0, 86_400.0


class LifetimeTests(SynchronousTestCase):
    def lifetime(self, seed: object = 0) -> Lifetime:
        return Lifetime(DEFAULT_LIMITS, BEGAN, SeededRandom(("lifetime", seed)))

    def test_an_hour_more_or_less_drawn_anew_for_each(self) -> None:
        """Begun as early as building takes, so that the successor stands within 20 % of an hour."""
        hours = sorted((self.lifetime(seed).succeed_at - BEGAN + 60) / HOUR_SECONDS for seed in range(400))
        self.assertTrue(0.8 <= hours[0] < 0.81 and 1.19 < hours[-1] <= 1.2, (hours[0], hours[-1]))
        self.assertTrue(0.97 < sum(hours) / len(hours) < 1.03)

    def test_it_waits_for_its_successor(self) -> None:
        life = self.lifetime()
        self.assertIs(life.wish(life.succeed_at - 1, in_use=True), Wish.NOTHING)
        for later in (0, 1, 10_000):
            self.assertIs(life.wish(life.succeed_at + later, in_use=False), Wish.SUCCESSOR)

    def test_what_runs_keeps_it_for_a_day(self) -> None:
        life = self.lifetime()
        life.succeed()
        for hour in range(1, 24):
            self.assertIs(life.wish(BEGAN + hour * HOUR_SECONDS, in_use=True), Wish.NOTHING)
        self.assertIs(life.wish(BEGAN + DAY_SECONDS, in_use=True), Wish.END_OLD)

    def test_without_a_successor_it_ends_after_a_day_all_the_same(self) -> None:
        self.assertIs(self.lifetime().wish(BEGAN + DAY_SECONDS, in_use=True), Wish.END_OLD)

    def test_it_ends_when_it_has_been_quiet(self) -> None:
        """Only behind a successor, and only after a minute in one piece."""
        life, now = self.lifetime(), BEGAN + HOUR_SECONDS
        life.succeed()
        self.assertIs(life.wish(now, in_use=False), Wish.NOTHING)
        self.assertIs(life.wish(now + QUIET_SECONDS - 1, in_use=False), Wish.NOTHING)
        self.assertIs(life.wish(now + QUIET_SECONDS, in_use=True), Wish.NOTHING)
        self.assertIs(life.wish(now + QUIET_SECONDS + 1, in_use=False), Wish.NOTHING)
        self.assertIs(life.wish(now + 2 * QUIET_SECONDS + 1, in_use=False), Wish.END_QUIET)

    def test_one_whose_successor_was_lost_is_due_for_another(self) -> None:
        life = self.lifetime()
        life.succeed()
        life.wish(BEGAN + HOUR_SECONDS, in_use=False)
        life.reinstate()
        self.assertFalse(life.succeeded)
        self.assertIs(life.wish(BEGAN + 2 * HOUR_SECONDS, in_use=False), Wish.SUCCESSOR)

    def test_a_lifetime_shorter_than_building_is_due_at_once(self) -> None:
        limits = replace(DEFAULT_LIMITS, circuit_lifetime_seconds=10)
        self.assertEqual(Lifetime(limits, BEGAN, SeededRandom("short")).succeed_at, BEGAN)
