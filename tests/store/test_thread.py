"""The store's thread: one call after the other, results in the reactor's thread, and a start that can be waited for."""

from __future__ import annotations

import threading
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import SynchronousTestCase, TestCase

from quantumgate.errors import LocalError
from quantumgate.store.thread import Inline, OwnThread


class Idle:
    """A reactor that does not run yet."""

    running = False


def failing() -> None:
    raise LocalError("no")


class BeforeTheReactorTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.thread = OwnThread(Idle())
        self.addCleanup(self.thread.stop)

    def test_a_call_is_waited_for_in_a_thread_of_its_own(self) -> None:
        name = self.successResultOf(self.thread.run(lambda: threading.current_thread().name))
        self.assertTrue(name.startswith("store"))

    def test_its_failure_is_there_at_once(self) -> None:
        self.failureResultOf(self.thread.run(failing), LocalError)


class WhileItRunsTests(TestCase):
    def setUp(self) -> None:
        self.thread = OwnThread(reactor)
        self.addCleanup(self.thread.stop)

    def test_in_order_and_answered_in_our_thread(self) -> Deferred[Any]:
        here, done, order = threading.current_thread(), [], []

        def noted(number: int) -> int:
            order.append(number)
            return number

        def answered(number: int) -> None:
            self.assertIs(threading.current_thread(), here)
            done.append(number)

        def look(_: Any) -> None:
            self.assertEqual((order, done), (list(range(20)), list(range(20))))

        return gatherResults([self.thread.run(noted, n).addCallback(answered) for n in range(20)]).addCallback(look)

    def test_a_failure(self) -> Deferred[Any]:
        return self.assertFailure(self.thread.run(failing), LocalError)


class InlineTests(SynchronousTestCase):
    def test_at_once(self) -> None:
        inline = Inline()
        self.assertEqual(self.successResultOf(inline.run(max, 1, 2)), 2)
        self.failureResultOf(inline.run(failing), LocalError)
        inline.stop()
