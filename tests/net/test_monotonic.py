"""Sessions' time: steady with a real reactor, the fake one's own with a fake."""

from __future__ import annotations

import time

from twisted.internet import reactor
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.net.monotonic import seconds_of


class SecondsTests(SynchronousTestCase):
    def test_a_fake_clock_is_its_own_time(self) -> None:
        clock = Clock()
        seconds = seconds_of(clock)
        clock.advance(41.5)
        self.assertEqual(seconds(), 41.5)

    def test_a_real_reactor_lives_by_the_steady_clock(self) -> None:
        """Not by its own seconds(), which Twisted takes from the wall clock."""
        seconds = seconds_of(reactor)  # type: ignore[arg-type]
        before, now, after = time.monotonic(), seconds(), time.monotonic()
        self.assertTrue(before <= now <= after)
