"""A relay that goes no faster than it is told: what went on is paid for with credit that comes late."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.relay.link import Link, splice
from quantumgate.core.relay.rate import BURST_SECONDS, CarriedRate
from quantumgate.wire.limits import KIB, MIB
from tests.core.relay.tower import Tower


class Payee:
    """A link as far as its credit goes."""

    def __init__(self) -> None:
        self.paid: list[int] = []

    def consumed(self, size: int, *, late: bool) -> None:
        self.paid.append(size)


class RateTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.rate = CarriedRate(1000, 0.0)

    def moved(self, count: int, now: float) -> Any:
        payee: Any = Payee()
        self.rate.moved(payee, count, now)
        return payee

    def test_a_burst_is_paid_at_once_and_what_follows_as_the_rate_allows(self) -> None:
        self.assertEqual(1000 * BURST_SECONDS, 100)
        first, second, third = self.moved(100, 0.0), self.moved(500, 0.0), self.moved(7, 0.0)
        self.assertEqual((first.paid, second.paid, third.paid), ([100], [500], []))
        self.assertAlmostEqual(self.rate.due_in_seconds() or 0, 0.5)
        self.rate.release(0.4)
        self.assertEqual(third.paid, [])
        self.rate.release(0.5)
        self.assertEqual((third.paid, self.rate.due_in_seconds()), ([7], None))

    def test_a_pause_saves_no_more_than_a_burst(self) -> None:
        self.rate.release(1e6)
        paid = [self.moved(50, 1e6).paid for _ in range(5)]
        self.assertEqual(paid, [[50], [50], [50], [], []])

    def test_over_any_time_the_rate_is_kept(self) -> None:
        payees, now = [], 0.0
        for _ in range(400):
            payees.append(self.moved(100, now))
            now += 0.01
        paid = sum(sum(one.paid) for one in payees)
        self.assertTrue(3900 <= paid <= 4300, paid)


class CarriedTests(SynchronousTestCase):
    def test_a_slow_relay_stops_its_clients_after_a_window(self) -> None:
        tower = Tower()
        rate = CarriedRate(100 * KIB, tower.near.now)

        def give_back(link: Link, count: int) -> None:
            rate.moved(link, count, tower.near.now)

        ours, theirs = tower.ask(splice=lambda one, other: splice(one, other, give_back))
        ours.say(bytes(MIB))
        tower.pump(500)
        self.assertTrue(48 * KIB <= len(theirs.received) <= 128 * KIB, len(theirs.received))
        began = tower.near.now
        while (due := rate.due_in_seconds()) is not None:
            tower.near.now += due
            rate.release(tower.near.now)
            tower.pump(500)
            self.assertLessEqual(len(theirs.received), 128 * KIB + (tower.near.now - began) * 100 * KIB)
        self.assertEqual(len(theirs.received), MIB)
