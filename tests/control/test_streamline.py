"""The line between a program and its node: lines, frames, halves, resets, and what a loss looks like."""

from __future__ import annotations

import struct
from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IConsumer, IPushProducer, ITCPTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from quantumgate.control import streamframes, streamline
from quantumgate.control.messages import MAX_REQUEST_BYTES
from quantumgate.control.streamframes import DATA, FIN, RESET
from quantumgate.control.streamline import StreamLine, reset_of
from quantumgate.errors import ChannelReset
from quantumgate.extender.endings import StreamReset, failed
from quantumgate.testing.network import MemoryNetwork
from tests.extender.services import Diary
from tests.net.test_splice import Pouring


def frame(kind: int, body: bytes = b"") -> bytes:
    return struct.pack(">I", kind << 24 | len(body)) + body


class LineCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.network = MemoryNetwork(seed=self.id())
        self.addCleanup(self.network.cut)
        self.clock = self.network.clock
        self.one, self.other = StreamLine(self.clock), StreamLine(self.clock)
        self.network.join(self.one, self.other)

    def settle(self, seconds: float = 1.0) -> None:
        for _ in range(100):
            self.clock.advance(seconds / 100)

    def carrying(self) -> tuple[Diary, Diary]:
        diaries = Diary(), Diary()
        for line, diary in zip((self.one, self.other), diaries, strict=True):
            line.carry()
            line.connect(diary, ("here", "there"))
        return diaries


class LinesTests(LineCase):
    def test_lines_come_one_by_one(self) -> None:
        got: list[bytes] = []
        self.other.on_line = got.append
        for byte in b"first\nsecond\nth":
            self.one.transport.write(bytes((byte,)))
        self.settle()
        self.assertEqual(got, [b"first", b"second"])

    def test_a_line_without_end(self) -> None:
        lost: list[Any] = []
        self.other.on_lost = lost.append
        self.one.transport.write(b"x" * (MAX_REQUEST_BYTES + 1))
        self.settle()
        self.assertEqual(str(lost[0].value), "Connection to the other side was lost in a non-clean fashion: "
                         "a line is too long.")

    def test_frames_may_follow_in_one_read(self) -> None:
        diary = Diary()

        def line(_: bytes) -> None:
            self.other.carry()

        self.other.on_line = line
        self.one.transport.write(b"go\n" + frame(DATA, b"early"))
        self.settle()
        self.other.connect(diary, (None, None))
        self.settle()
        self.assertEqual(bytes(diary.got), b"early")


class FramesTests(LineCase):
    def test_interfaces(self) -> None:
        self.carrying()
        for interface in (ITCPTransport, IPushProducer, IConsumer):
            self.assertTrue(verifyObject(interface, self.one))
        self.assertEqual((self.one.getHost(), self.one.getPeer()), ("here", "there"))

    def test_byte_by_byte(self) -> None:
        _, there = self.carrying()
        for byte in frame(DATA, b"hello") + frame(DATA) + frame(DATA, b"!") + frame(FIN):
            self.one.transport.write(bytes((byte,)))
        self.settle()
        self.assertEqual((bytes(there.got), there.events), (b"hello!", ["made", "read over"]))

    def test_reset_byte_by_byte(self) -> None:
        _, there = self.carrying()
        for byte in frame(RESET, b"\x80\x01" + b"why"):
            self.one.transport.write(bytes((byte,)))
        self.settle()
        self.assertIsInstance(there.reason, StreamReset)
        self.assertEqual((there.reason.code, str(there.reason)), (0x8001, "why"))

    def test_malformed(self) -> None:
        for bad in (frame(3), frame(0xFF, b"x"), frame(RESET), frame(RESET, b"x"), frame(RESET, b"x" * 600)):
            self.setUp()
            _, there = self.carrying()
            self.one.transport.write(bad)
            self.settle()
            self.assertEqual(there.events, ["made", "lost"], bad[:8])
            self.assertNotIsInstance(there.reason, ConnectionDone | StreamReset)

    def test_large(self) -> None:
        self.patch(streamframes, "PIECE_BYTES", 1000)
        _, there = self.carrying()
        self.one.writeSequence([b"a" * 999, b"b" * 1002])
        self.settle()
        self.assertEqual(bytes(there.got), b"a" * 999 + b"b" * 1002)


class EndsTests(LineCase):
    def test_halves(self) -> None:
        here, there = self.carrying()
        self.one.write(b"question")
        self.one.loseWriteConnection()
        self.one.write(b"too late")
        self.settle()
        self.assertEqual((bytes(there.got), there.events, here.events),
                         (b"question", ["made", "read over"], ["made", "write over"]))
        self.other.write(b"answer")
        self.other.loseWriteConnection()
        self.settle()
        self.assertEqual(bytes(here.got), b"answer")
        for diary in (here, there):
            self.assertIsInstance(diary.reason, ConnectionDone)

    def test_a_close_waits_for_the_other_half(self) -> None:
        here, there = self.carrying()
        self.one.write(b"bye")
        self.one.loseConnection()
        self.other.write(b"dropped")
        self.settle()
        self.assertEqual((bytes(there.got), bytes(here.got), here.events), (b"bye", b"", ["made"]))
        self.other.loseConnection()
        self.settle()
        self.assertIsInstance(here.reason, ConnectionDone)
        self.assertIsInstance(there.reason, ConnectionDone)

    def test_the_other_half_may_not_linger_for_ever(self) -> None:
        here, there = self.carrying()
        self.one.loseConnection()
        self.settle(streamline.LINGER_SECONDS - 1)
        self.assertEqual(here.events, ["made"])
        self.settle(2)
        self.assertEqual(here.events, ["made", "lost"])
        self.assertIsInstance(there.reason, ConnectionLost)

    def test_a_reset_says_why(self) -> None:
        here, there = self.carrying()
        self.one.abortConnection(5, "too late")
        self.settle()
        self.assertEqual((there.reason.code, str(there.reason), here.events), (5, "too late", ["made", "lost"]))

    def test_a_reset_behind_a_close_has_its_own_time(self) -> None:
        """Found by reading: it had the minute of the close that was under way."""
        here, _ = self.carrying()
        self.other.pauseProducing()
        self.one.write(b"x" * 1_000_000)
        self.one.loseConnection()
        self.one.abortConnection()
        self.settle(streamline.ABORT_SECONDS + 1)
        self.assertEqual(here.events, ["made", "lost"])

    def test_what_came_before_the_end_of_the_socket_is_delivered(self) -> None:
        """Found by reading: data and FIN that a paused reader had not taken were lost where the socket ended first."""
        here, there = self.carrying()
        self.other.loseWriteConnection()
        self.settle()
        self.other._paused = True  # paused in the middle of a read: it is here, and not handed over yet
        self.other.dataReceived(frame(DATA, b"the last word") + frame(FIN))
        self.other._paused = False  # resumed in the turn in which the socket ends
        self.other.connectionLost(failed(ConnectionDone()))
        self.assertEqual((bytes(there.got), there.events), (b"the last word", ["made", "write over", "lost"]))
        self.assertIsInstance(there.reason, ConnectionDone)
        self.assertEqual(here.events, ["made", "read over"])

    def test_nothing_comes_behind_a_fin(self) -> None:
        for late in (frame(DATA, b"more"), frame(FIN)):
            self.setUp()
            _, there = self.carrying()
            self.one.transport.write(frame(DATA, b"all") + frame(FIN) + late)
            self.settle()
            self.assertEqual((bytes(there.got), there.events), (b"all", ["made", "read over", "lost"]))
            self.assertNotIsInstance(there.reason, ConnectionDone)

    def test_a_reset_may_follow_a_fin(self) -> None:
        _, there = self.carrying()
        self.one.transport.write(frame(FIN) + frame(RESET, b"\0\x07sorry"))
        self.settle()
        self.assertEqual((there.events[-1], there.reason.code), ("lost", 7))

    def test_a_reset_that_cannot_leave(self) -> None:
        here, _ = self.carrying()
        self.other.pauseProducing()
        self.one.write(b"x" * 1_000_000)
        self.one.abortConnection()
        self.settle(streamline.ABORT_SECONDS + 1)
        self.assertEqual(here.events, ["made", "lost"])

    def test_a_loss_is_no_end(self) -> None:
        for lose in ("loseConnection", "abortConnection"):
            self.setUp()
            _, there = self.carrying()
            self.one.write(b"half of it")
            self.settle()
            getattr(self.one.transport, lose)()
            self.settle()
            self.assertIsInstance(there.reason, ConnectionLost)

    def test_lost_before_it_is_connected(self) -> None:
        self.other.carry()
        self.one.transport.abortConnection()
        self.settle()
        diary = Diary()
        self.other.connect(diary, (None, None))
        self.assertEqual(diary.events, ["made", "lost"])

    def test_a_close_waits_for_the_producer(self) -> None:
        _, there = self.carrying()
        pouring = Pouring(type("Holder", (), {"transport": self.one})())
        self.one.loseWriteConnection()
        self.one.write(b"still")
        self.settle()
        self.assertEqual((bytes(there.got), there.events), (b"still", ["made"]))
        self.one.unregisterProducer()
        self.settle()
        self.assertEqual(there.events, ["made", "read over"])
        self.assertTrue(pouring.going)

    def test_codes(self) -> None:
        self.assertEqual(reset_of(ChannelReset("no", 7)), (7, "no"))
        self.assertEqual(reset_of(ConnectionLost()), (0, str(ConnectionLost())))


class PressureTests(LineCase):
    def test_a_paused_reader_stops_the_writer(self) -> None:
        _, there = self.carrying()
        self.other.pauseProducing()
        pouring = Pouring(type("Holder", (), {"transport": self.one})())
        for _ in range(100):
            pouring.pour(1 << 24)
            self.clock.advance(0.01)
        self.assertLess(pouring.sent, 1 << 20)
        self.assertEqual(bytes(there.got), b"")
        self.other.resumeProducing()
        self.settle()
        self.assertEqual(len(there.got), pouring.sent)

    def test_paused_in_the_middle_of_a_read(self) -> None:
        _, there = self.carrying()

        def once(data: bytes) -> None:
            there.got += data
            self.other.pauseProducing()

        there.dataReceived = once  # type: ignore[method-assign]
        self.one.transport.write(frame(DATA, b"one") + frame(DATA, b"two") + frame(FIN))
        self.settle()
        self.assertEqual((bytes(there.got), there.events), (b"one", ["made"]))
        self.other.resumeProducing()
        self.settle()
        self.assertEqual(bytes(there.got), b"onetwo")
        self.other.resumeProducing()
        self.settle()
        self.assertEqual(there.events, ["made", "read over"])
