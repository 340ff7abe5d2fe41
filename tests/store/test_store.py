"""Groups of changes: who waits for which, what a failure does, when it is tried again, and the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.errors import LocalError
from quantumgate.store import tables
from quantumgate.store.interface import NotWritten
from quantumgate.store.memory import MemoryDatabase
from quantumgate.store.store import LAST_RETRY_SECONDS, Store
from quantumgate.store.tables import PINS
from quantumgate.store.thread import Inline
from tests.store.contract import ONE, TWO, StoreCase


class Slow:
    """A runner whose calls are done when the test says so."""

    def __init__(self) -> None:
        self.jobs: list[tuple[Callable[[], Any], Deferred[Any]]] = []
        self.stopped = False

    def run(self, function: Any, *arguments: Any) -> Deferred[Any]:
        job: Deferred[Any] = Deferred()
        self.jobs.append((lambda: function(*arguments), job))
        return job

    def do(self) -> None:
        call, job = self.jobs.pop(0)
        try:
            result = call()
        except LocalError:
            job.errback()
        else:
            job.callback(result)

    def stop(self) -> None:
        self.stopped = True


class GroupTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.runner, self.database = Clock(), Slow(), MemoryDatabase()
        self.store = Store(self.database, self.runner, self.clock)

    def put(self, peer: Any, pin: bytes = b"p") -> Deferred[None]:
        self.store.put(PINS, {(peer,): (pin,)})
        return self.store.flushed()

    def test_who_comes_while_a_group_is_written_shares_the_next(self) -> None:
        first = self.put(ONE)
        rest = [self.put(TWO, b"%d" % number) for number in range(50)]
        self.runner.do()
        self.successResultOf(first)
        self.assertNoResult(rest[0])
        self.runner.do()
        for each in rest:
            self.successResultOf(each)
        self.assertEqual((self.database.transactions, self.runner.jobs), (2, []))
        self.assertEqual(self.database.load(PINS, {}), {(ONE,): (b"p",), (TWO,): (b"49",)})

    def test_who_has_put_nothing_waits_for_what_is_under_way(self) -> None:
        self.successResultOf(self.store.flushed())
        self.put(ONE)
        waiting = self.store.flushed()
        self.assertNoResult(waiting)
        self.runner.do()
        self.successResultOf(waiting)

    def test_one_turn_is_one_transaction(self) -> None:
        for peer in (ONE, TWO):
            self.store.put(PINS, {(peer,): (b"p",)})
        self.assertEqual(self.runner.jobs, [])
        self.clock.advance(0)
        self.runner.do()
        self.assertEqual((self.database.transactions, len(self.database.load(PINS, {}))), (1, 2))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_callback_may_put_more(self) -> None:
        more: list[Deferred[None]] = []
        self.put(ONE).addCallback(lambda _: more.append(self.put(TWO)))
        self.runner.do()
        self.assertEqual((len(more), len(self.runner.jobs)), (1, 1))
        self.runner.do()
        self.successResultOf(more[0])

    def test_all_who_were_told_together_share_the_next_group(self) -> None:
        more: list[Deferred[None]] = []
        for number in range(20):
            self.put(ONE, b"%d" % number).addCallback(lambda _: more.append(self.put(TWO)))
        self.runner.do()
        self.runner.do()
        self.assertEqual((len(more), len(self.runner.jobs)), (20, 1))
        self.runner.do()
        for each in more:
            self.successResultOf(each)
        self.assertEqual(self.database.transactions, 3)

    def test_who_asks_while_others_are_told_is_told_too(self) -> None:
        asked: list[Deferred[None]] = []
        self.put(ONE).addCallback(lambda _: asked.append(self.store.flushed()))
        self.runner.do()
        self.successResultOf(asked[0])
        self.assertEqual(self.runner.jobs, [])

    def test_a_close_while_others_are_told(self) -> None:
        closed: list[Deferred[None]] = []
        self.put(ONE).addCallback(lambda _: closed.append(self.store.close()))
        self.runner.do()
        self.runner.do()
        self.successResultOf(closed[0])
        self.assertTrue(self.runner.stopped)

    def test_a_close_waits_for_what_is_under_way_and_writes_the_rest(self) -> None:
        self.put(ONE)
        last = self.put(TWO)
        closed = self.store.close()
        self.runner.do()
        self.assertNoResult(closed)
        self.runner.do()
        self.successResultOf(last)
        self.assertFalse(self.runner.stopped)
        self.runner.do()
        self.successResultOf(closed)
        self.assertTrue(self.runner.stopped)
        self.assertEqual(len(self.database.load(PINS, {})), 2)

    def test_a_failure_is_told_to_who_waits_behind_it_too(self) -> None:
        self.database.trouble = "no room"
        first, second = self.put(ONE), self.put(TWO)
        self.runner.do()
        for each in (first, second):
            self.failureResultOf(each, NotWritten)

    def test_newer_words_are_not_undone_by_a_failure(self) -> None:
        self.database.trouble = "no room"
        self.put(ONE, b"old").addErrback(lambda _: None)
        self.put(ONE, b"new").addErrback(lambda _: None)
        self.runner.do()
        self.database.trouble = ""
        self.clock.advance(1)
        self.runner.do()
        self.assertEqual(self.database.load(PINS, {}), {(ONE,): (b"new",)})


class TroubleTests(StoreCase):
    def setUp(self) -> None:
        super().setUp()
        self.database = MemoryDatabase()
        self.kept = Store(self.database, Inline(), self.clock)
        self.events: list[Any] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def lines(self) -> list[str]:
        return [formatEvent(event) for event in self.events if event.get("log_namespace") == "quantumgate.store"]

    def put(self, number: int) -> Deferred[None]:
        self.kept.put(tables.SETTINGS, {(f"{number}",): (b"",)})
        return self.kept.flushed()

    def test_nothing_is_lost_and_it_is_tried_again(self) -> None:
        self.database.trouble = "the disk is full"
        self.assertIn("the disk is full", str(self.failureResultOf(self.put(0), NotWritten).value))
        for number in range(1, 10):
            self.failureResultOf(self.put(number), NotWritten)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.database.trouble = ""
        self.clock.advance(1)
        self.assertEqual(len(self.database.load(tables.SETTINGS, {})), 10)
        self.assertEqual((self.kept.problem, self.clock.getDelayedCalls()), ("", []))

    def test_one_line_for_the_whole_time(self) -> None:
        self.database.trouble = "the disk is full"
        for number in range(5):
            self.failureResultOf(self.put(number), NotWritten)
            self.clock.advance(100)
        self.assertEqual(len(self.lines()), 1)
        self.assertIn("the disk is full", self.lines()[0])
        self.assertIn("cannot be written now", self.kept.described)
        self.database.trouble = ""
        self.clock.advance(LAST_RETRY_SECONDS)
        self.assertEqual(len(self.lines()), 2)
        self.assertNotIn("cannot", self.kept.described)

    def test_ever_more_seldom_up_to_a_minute(self) -> None:
        self.database.trouble = "the disk is full"
        self.failureResultOf(self.put(0), NotWritten)
        waits = []
        for _ in range(9):
            (call,) = self.clock.getDelayedCalls()
            waits.append(call.getTime() - self.clock.seconds())
            self.clock.advance(waits[-1])
        self.assertEqual(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60])

    def test_a_close_tries_once_more(self) -> None:
        self.database.trouble = "the disk is full"
        self.failureResultOf(self.put(0), NotWritten)
        self.database.trouble = ""
        self.successResultOf(self.kept.close())
        self.assertEqual(len(self.database.load(tables.SETTINGS, {})), 1)

    def test_after_it_nothing_is_taken_any_more(self) -> None:
        self.successResultOf(self.kept.close())
        self.failureResultOf(self.put(0), NotWritten)
        self.assertEqual((self.clock.getDelayedCalls(), self.database.load(tables.SETTINGS, {})), ([], {}))

    def test_and_says_what_could_not_be_saved(self) -> None:
        self.database.trouble = "the disk is full"
        self.failureResultOf(self.put(0), NotWritten)
        self.successResultOf(self.kept.close())
        self.assertIn("1 changes were not saved: the disk is full", self.lines()[-1])
        self.assertEqual(self.clock.getDelayedCalls(), [])
