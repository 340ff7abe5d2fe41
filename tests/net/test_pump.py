"""What pumps share, on a connection that has only a deadline and events (``test_protocol``, ``test_linkpump``)."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.net.pump import Pump


class DeadlineConnection:
    """As much of a core Connection as a pump's events and timer touch."""

    def __init__(self) -> None:
        self.at = float("inf")
        self.waiting: list[str] = []
        self.expired: list[float] = []

    def deadline(self) -> float:
        return self.at

    def expire(self, now: float) -> None:
        self.expired.append(now)

    def next_event(self) -> str | None:
        return self.waiting.pop(0) if self.waiting else None


class BarePump(Pump):
    """Counts its turns."""

    turns = 0

    def wake(self) -> None: ...
    def abort(self) -> None: ...
    def hang_up(self) -> None: ...
    def read_slowly(self, bytes_per_second: int) -> None: ...

    def _pump(self) -> None:
        self.turns += 1
        self._give_events()
        self._set_timer()


class PumpTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.connection, self.told = Clock(), DeadlineConnection(), []
        self.pump = BarePump(self.connection, self, self.clock)  # type: ignore[arg-type]

    def connection_event(self, protocol: Any, event: Any) -> None:
        self.told.append((protocol, event))
        if event == "first":
            self.connection.waiting.append("second")

    def test_events_go_to_the_owner_until_there_are_none(self) -> None:
        self.connection.waiting.append("first")
        self.pump._pump()
        self.assertEqual(self.told, [(self.pump, "first"), (self.pump, "second")])

    def test_no_deadline_is_no_timer(self) -> None:
        self.pump._pump()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_later_deadline_leaves_the_timer_and_an_earlier_one_moves_it(self) -> None:
        for at, due in ((5.0, 5.0), (9.0, 5.0), (2.0, 2.0)):
            self.connection.at = at
            self.pump._pump()
            self.assertEqual([call.getTime() for call in self.clock.getDelayedCalls()], [due])

    def test_what_is_due_expires_and_the_timer_is_set_again(self) -> None:
        self.connection.at = 3.0
        self.pump._pump()
        self.connection.at = 7.0
        self.clock.advance(3)
        self.assertEqual((self.connection.expired, self.pump.turns), ([3.0], 2))
        self.assertEqual([call.getTime() for call in self.clock.getDelayedCalls()], [7.0])

    def test_a_timer_is_forgotten(self) -> None:
        self.connection.at = 3.0
        self.pump._pump()
        self.pump._forget_timer()
        self.clock.advance(10)
        self.assertEqual(self.connection.expired, [])
