"""Two connections tied together in memory: A - (one, other) - B. Whatever A does, B sees, and the other way round."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.net.splice import SpliceEnd, splice
from quantumgate.testing.network import MemoryNetwork
from tests.extender.services import Diary

PIECE = b"x" * 16_384


class Pouring:
    """A push producer that writes as long as it may."""

    def __init__(self, diary: Any) -> None:
        self.diary, self.sent, self.going = diary, 0, True
        diary.transport.registerProducer(self, True)

    def pour(self, most_bytes: int) -> int:
        while self.going and self.sent < most_bytes:
            self.sent += len(PIECE)
            self.diary.transport.write(PIECE)
        return self.sent

    def pauseProducing(self) -> None:
        self.going = False

    def resumeProducing(self) -> None:
        self.going = True

    def stopProducing(self) -> None:
        self.going = False


class SpliceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.network = MemoryNetwork(seed=self.id())
        self.a, self.b, self.one, self.other = Diary(), Diary(), SpliceEnd(), SpliceEnd()
        self.network.join(self.one, self.a, ("here", "a"))
        self.network.join(self.other, self.b, ("here", "b"))
        self.addCleanup(self.network.cut)

    def settle(self) -> None:
        for _ in range(2_000):
            if self.network.quiet and not self.network.clock.getDelayedCalls():
                return
            self.network.clock.advance(0.01)

    def spliced(self) -> None:
        splice(self.one, self.other)
        self.settle()

    def test_nothing_is_read_before(self) -> None:
        self.a.transport.write(b"early")
        for _ in range(10):
            self.network.clock.advance(0.01)
        self.assertEqual(bytes(self.b.got), b"")
        self.spliced()
        self.assertEqual(bytes(self.b.got), b"early")

    def test_both_ways(self) -> None:
        self.spliced()
        self.a.transport.write(b"question")
        self.b.transport.write(b"answer")
        self.settle()
        self.assertEqual((bytes(self.b.got), bytes(self.a.got)), (b"question", b"answer"))

    def test_halves(self) -> None:
        self.spliced()
        self.a.transport.write(b"all")
        self.a.transport.loseWriteConnection()
        self.settle()
        self.assertEqual((bytes(self.b.got), self.b.events), (b"all", ["made", "read over"]))
        self.b.transport.write(b"and back")
        self.b.transport.loseWriteConnection()
        self.settle()
        self.assertEqual(bytes(self.a.got), b"and back")
        self.assertTrue(self.one.lost and self.other.lost, "both ends are closed when both halves are over")

    def test_a_close_comes_after_the_data(self) -> None:
        self.spliced()
        self.a.transport.write(b"last words" * 10_000)
        self.a.transport.loseConnection()
        self.settle()
        self.assertEqual(len(self.b.got), 100_000)
        self.assertIn("read over", self.b.events)

    def test_an_abort_is_an_abort(self) -> None:
        self.spliced()
        self.a.transport.abortConnection()
        self.settle()
        self.assertEqual(self.b.events[-1], "lost")
        self.assertNotIsInstance(self.b.reason, ConnectionDone)

    def test_a_stopped_reader_stops_the_writer(self) -> None:
        self.stop_and_go(self.a, self.b)

    def test_a_stopped_reader_at_the_other_end(self) -> None:
        self.stop_and_go(self.b, self.a)

    def stop_and_go(self, writer: Diary, reader: Diary) -> None:
        self.spliced()
        reader.transport.pauseProducing()
        pouring = Pouring(writer)
        for _ in range(100):
            pouring.pour(1 << 24)
            self.network.clock.advance(0.01)
        held = pouring.sent
        self.assertLess(held, 1 << 20)
        self.assertEqual(bytes(reader.got), b"")
        reader.transport.resumeProducing()
        for _ in range(5_000):
            if pouring.pour(1 << 22) >= 1 << 22:
                break
            self.network.clock.advance(0.01)
        pouring.diary.transport.unregisterProducer()
        self.settle()
        self.assertEqual(len(reader.got), pouring.sent)

    def test_one_that_was_lost_before(self) -> None:
        self.a.transport.abortConnection()
        self.one.transport.resumeProducing()
        self.settle()
        self.assertTrue(self.one.lost)
        self.spliced()
        self.assertEqual(self.b.events[-1], "lost")
        self.assertNotIsInstance(self.b.reason, ConnectionDone)
