"""Racing: staggered starts, first success wins, losers are cancelled, late winners are discarded."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.net.racing import STAGGER_SECONDS, AllFailed, Race


class Track:
    """Attempts that the test ends by hand."""

    def __init__(self, count: int) -> None:
        self.clock = Clock()
        self.started: dict[int, Deferred[str]] = {}
        self.cancelled: list[int] = []
        self.discarded: list[str] = []
        self.race: Race[str] = Race([self._starter(n) for n in range(count)], self.clock, discard=self.discarded.append)

    def _starter(self, number: int) -> Callable[[], Deferred[str]]:
        def start() -> Deferred[str]:
            attempt: Deferred[str] = Deferred(lambda _: self.cancelled.append(number))
            self.started[number] = attempt
            return attempt

        return start


class RaceTests(SynchronousTestCase):
    def test_starts_are_staggered(self) -> None:
        track = Track(3)
        track.race.run()
        self.assertEqual(sorted(track.started), [0])
        track.clock.advance(STAGGER_SECONDS)
        self.assertEqual(sorted(track.started), [0, 1])
        track.clock.advance(STAGGER_SECONDS)
        self.assertEqual(sorted(track.started), [0, 1, 2])
        self.assertEqual(track.clock.getDelayedCalls(), [])

    def test_first_success_wins_and_the_others_are_cancelled(self) -> None:
        track = Track(3)
        result = track.race.run()
        track.clock.advance(STAGGER_SECONDS)
        track.started[1].callback("second")
        self.assertEqual(self.successResultOf(result), "second")
        self.assertEqual(track.cancelled, [0])
        track.clock.advance(10)
        self.assertNotIn(2, track.started)
        self.assertEqual(track.clock.getDelayedCalls(), [])

    def test_a_failure_starts_the_next_at_once(self) -> None:
        track = Track(2)
        result = track.race.run()
        track.started[0].errback(ConnectionError("refused"))
        self.assertEqual(sorted(track.started), [0, 1])
        track.started[1].callback("late")
        self.assertEqual(self.successResultOf(result), "late")

    def test_all_failures_are_told_in_order(self) -> None:
        track = Track(2)
        result = track.race.run()
        track.clock.advance(STAGGER_SECONDS)
        track.started[1].errback(ConnectionError("one"))
        self.assertNoResult(result)
        track.started[0].errback(ConnectionError("zero"))
        failure = self.failureResultOf(result, AllFailed)
        self.assertEqual([str(f.value) for f in failure.value.failures], ["zero", "one"])

    def test_cancelling_the_race_cancels_every_attempt(self) -> None:
        track = Track(3)
        result = track.race.run()
        track.clock.advance(STAGGER_SECONDS)
        result.cancel()
        self.failureResultOf(result, CancelledError)
        self.assertEqual(sorted(track.cancelled), [0, 1])
        self.assertEqual(track.clock.getDelayedCalls(), [])

    def test_a_success_that_its_cancellation_did_not_stop_is_discarded(self) -> None:
        clock, discarded = Clock(), []
        stubborn: Deferred[str] = Deferred(lambda d: d.callback("too late"))
        race = Race([lambda: stubborn, lambda: succeed("first")], clock, discard=discarded.append)
        result = race.run()
        clock.advance(STAGGER_SECONDS)
        self.assertEqual(self.successResultOf(result), "first")
        self.assertEqual(discarded, ["too late"])

    def test_attempts_that_end_while_they_start(self) -> None:
        race: Race[str] = Race(
            [lambda: fail(ConnectionError("no")), lambda: succeed("yes")], Clock(), discard=lambda _: None
        )
        self.assertEqual(self.successResultOf(race.run()), "yes")

    def test_no_attempt_is_a_mistake_of_the_caller(self) -> None:
        with self.assertRaises(ValueError):
            Race([], Clock(), discard=lambda _: None).run()
