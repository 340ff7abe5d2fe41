"""The clock for many calls does what Twisted's own does: same calls, same moments, same order, also among equals."""

from __future__ import annotations

from random import Random

from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.testing.clock import OrderedClock

STEPS, SEEDS = 300, 40


def story(clock: Clock, seed: int) -> list[object]:
    """Calls that are made, moved, cancelled and that do the same to others; moments are few, so many are equal."""
    luck, told, calls = Random(seed), [], list[IDelayedCall]()

    def act(name: int) -> None:
        told.append((name, clock.seconds()))
        for _ in range(luck.randrange(2)):
            step()

    def step() -> None:
        active = [call for call in calls if call.active()]
        match luck.randrange(6 if active else 2):
            case 0 | 1 | 2:
                calls.append(clock.callLater(luck.randrange(4), act, len(calls)))
            case 3:
                luck.choice(active).reset(luck.randrange(4))
            case 4:
                luck.choice(active).delay(luck.randrange(-2, 4))
            case 5:
                luck.choice(active).cancel()

    for _ in range(STEPS):
        step()
        told.append(sorted(call.getTime() for call in clock.getDelayedCalls()))
        if luck.randrange(3) == 0:
            clock.advance(luck.randrange(3))
    clock.advance(20)
    return told


class OrderedClockTests(SynchronousTestCase):
    def test_as_twisteds_own(self) -> None:
        for seed in range(SEEDS):
            told = story(OrderedClock(), seed)
            self.assertEqual(told, story(Clock(), seed))
            self.assertGreater(len(told), STEPS)

    def test_step_by_step(self) -> None:
        """Each call at its own moment, to the end and not beyond."""
        clock, told = OrderedClock(), list[tuple[str, float]]()
        late, early = (clock.callLater(at, lambda at=at: told.append((at, clock.seconds()))) for at in (5, 3))
        clock.callLater(3, early.cancel)
        early.reset(4)
        self.assertFalse(clock.due)
        self.assertTrue(clock.step(5))
        self.assertEqual((clock.seconds(), told, early.active()), (3, [], False))
        self.assertFalse(clock.step(4.5))
        self.assertEqual((clock.seconds(), clock.due), (4.5, False))
        late.reset(0)
        self.assertTrue(clock.due)
        self.assertTrue(clock.step(9))
        self.assertEqual(told, [(5, 4.5)])
        self.assertFalse(clock.step(float("inf")))
        self.assertEqual(clock.seconds(), 4.5)
        self.assertFalse(clock.step(9))
        self.assertEqual(clock.seconds(), 9)
