"""The key farm: stock ahead, one at a time, waiting takers first, failures and stopping."""

from __future__ import annotations

import threading
import time
from typing import Any

from twisted.internet import reactor, threads
from twisted.internet.defer import CancelledError, Deferred, inlineCallbacks
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from quantumgate.errors import LocalError
from quantumgate.net.keyfarm import KeyFarm


class FakeKey:
    """A key that knows its group and whether it was wiped."""

    def __init__(self, group: int) -> None:
        self.group, self.wiped = group, False

    def wipe(self) -> None:
        self.wiped = True


class KeyFarmTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.jobs: list[tuple[int, Deferred[Any]]] = []
        self.farm = KeyFarm(FakeKey, self.elsewhere, stock_keys=2)

    def elsewhere(self, grow: Any, group: int) -> Deferred[Any]:
        job: Deferred[Any] = Deferred()
        self.jobs.append((group, job))
        return job

    def finish_one(self) -> FakeKey:
        group, job = self.jobs.pop(0)
        key = FakeKey(group)
        job.callback(key)
        return key

    def test_stocks_ahead_one_at_a_time(self) -> None:
        self.farm.start([32, 33])
        self.assertEqual(len(self.jobs), 1)
        for _ in range(4):
            self.finish_one()
        self.assertEqual((self.farm.stock(32), self.farm.stock(33), self.jobs), (2, 2, []))

    def test_taking_from_the_stock_is_immediate_and_refills(self) -> None:
        self.farm.start([32])
        made = [self.finish_one(), self.finish_one()]
        self.assertIs(self.successResultOf(self.farm.take(32)), made[0])
        self.assertEqual(len(self.jobs), 1)
        self.assertEqual(self.farm.stock(32), 1)

    def test_a_waiting_taker_goes_before_stock_and_before_other_groups(self) -> None:
        self.farm.start([32])
        taken = self.farm.take(33)
        self.finish_one()
        self.assertEqual(self.jobs[0][0], 33)
        key = self.finish_one()
        self.assertIs(self.successResultOf(taken), key)

    def test_no_key_is_handed_out_twice(self) -> None:
        taken = [self.farm.take(32) for _ in range(5)]
        while self.jobs:
            self.finish_one()
        keys = {id(self.successResultOf(each)) for each in taken}
        self.assertEqual(len(keys), 5)

    def test_a_failure_reaches_all_who_wait_and_does_not_loop(self) -> None:
        taken = [self.farm.take(32), self.farm.take(32)]
        self.jobs.pop()[1].errback(Failure(LocalError("no backend")))
        for each in taken:
            self.failureResultOf(each, LocalError)
        self.assertEqual(self.jobs, [])
        later = self.farm.take(32)
        self.finish_one()
        self.successResultOf(later)

    def test_a_failure_with_stock_left_keeps_the_stock(self) -> None:
        self.farm.start([32])
        self.finish_one()
        self.jobs.pop()[1].errback(Failure(LocalError("no memory")))
        self.assertEqual((self.farm.stock(32), self.jobs), (1, []))
        self.successResultOf(self.farm.take(32))
        self.assertEqual(len(self.jobs), 1)

    def test_who_gives_up_leaves_the_key_to_the_stock(self) -> None:
        taken = self.farm.take(32)
        taken.cancel()
        self.failureResultOf(taken, CancelledError)
        self.finish_one()
        self.assertEqual(self.farm.stock(32), 1)

    def test_stop_wipes_and_fails(self) -> None:
        self.farm.start([32])
        first = self.finish_one()
        waiting = self.farm.take(33)
        self.farm.stop()
        late = self.finish_one()
        self.assertTrue(first.wiped)
        self.assertTrue(late.wiped)
        self.failureResultOf(waiting, LocalError)
        self.failureResultOf(self.farm.take(32), LocalError)
        self.assertEqual(self.jobs, [])


class ThreadTests(TestCase):
    """With the reactor's own threads, and a job that, like liboqs through ctypes, lets go of the GIL."""

    @inlineCallbacks
    def test_the_reactor_turns_while_a_key_is_made(self) -> Any:
        release = threading.Event()
        farm = KeyFarm(lambda group: (release.wait(10), FakeKey(group))[1], threads.deferToThread)
        turns: list[float] = []

        def turn() -> None:
            turns.append(time.monotonic())
            if len(turns) == 5:
                release.set()

        looping = LoopingCall(turn)
        looping.clock = reactor
        looping.start(0)
        key = yield farm.take(32)
        looping.stop()
        farm.stop()
        self.assertEqual(key.group, 32)
        self.assertGreaterEqual(len(turns), 5)
