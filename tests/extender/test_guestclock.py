"""The guest's clock: the node's time, contained calls, and nothing left when the guest is gone."""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock, LoopingCall
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from quantumgate.extender.guestclock import GuestClock


class GuestClockTests(SynchronousTestCase):
    """On a fake clock of the node."""

    def setUp(self) -> None:
        self.node = Clock()
        self.faults: list[tuple[str, BaseException]] = []
        self.clock = GuestClock(self.node, lambda where, error: self.faults.append((where, error)))

    def test_interface(self) -> None:
        verifyObject(IReactorTime, self.clock)
        self.node.advance(3)
        self.assertEqual(self.clock.seconds(), 3)

    def test_calls(self) -> None:
        """A call comes at its time with its arguments; a cancelled one does not."""
        seen: list[object] = []
        self.clock.callLater(1, seen.append, "a")
        self.clock.callLater(1, seen.append, "b").cancel()
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.node.advance(1)
        self.assertEqual((seen, self.clock.getDelayedCalls()), (["a"], []))

    def test_raising_call(self) -> None:
        """It is the guest's fault and stops there; the calls after it come."""
        self.clock.callLater(1, int, "x")
        self.clock.callLater(1, {}.__getitem__, "x")
        self.node.advance(1)
        self.assertEqual([type(error) for _, error in self.faults], [ValueError, KeyError])
        self.assertEqual({where for where, _ in self.faults}, {"a delayed call"})

    def test_exit_in_a_call(self) -> None:
        def leave() -> None:
            raise SystemExit(3)

        self.clock.callLater(1, leave)
        self.node.advance(1)
        self.assertIsInstance(self.faults[0][1], SystemExit)

    def test_interrupt_passes(self) -> None:
        """Ctrl-C belongs to the operator."""

        def interrupt() -> None:
            raise KeyboardInterrupt

        self.clock.callLater(1, interrupt)
        self.assertRaises(KeyboardInterrupt, self.node.advance, 1)

    def test_nothing_outlives_the_guest(self) -> None:
        """What waits is cancelled, and what is still asked for never comes."""
        seen: list[str] = []
        self.clock.callLater(1, seen.append, "a")
        self.clock.callLater(1, seen.append, "b").cancel()
        self.clock.cancel_all()
        late = self.clock.callLater(1, seen.append, "c")
        self.assertFalse(late.active())
        self.node.advance(5)
        self.assertEqual((seen, self.node.getDelayedCalls()), ([], []))

    def test_cancelled_calls_are_forgotten(self) -> None:
        """A guest that sets and cancels a time-out for every message does not grow the list."""
        for _ in range(2000):
            self.clock.callLater(60, lambda: None).cancel()
        self.assertLess(len(self.clock._waiting), 300)

    def test_looping_call(self) -> None:
        """Twisted's own tools take it for a clock."""
        seen: list[int] = []
        loop = LoopingCall(lambda: seen.append(1))
        loop.clock = self.clock
        loop.start(1, now=False)
        self.node.pump([1, 1, 1])
        self.assertEqual(len(seen), 3)
        loop.stop()
