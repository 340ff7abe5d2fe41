"""A stream as a transport: back-pressure, halves, ends, each exactly once, with Twisted's own ways of saying so."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IAddress, IConsumer, IHalfCloseableProtocol, IPushProducer, ITCPTransport
from twisted.internet.protocol import Protocol
from twisted.protocols.basic import FileSender
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from quantumgate.errors import ChannelReset, LimitError, LocalError, SessionClosed
from quantumgate.extender import streams
from quantumgate.extender.endings import StreamLost, StreamReset
from quantumgate.wire.codes import ResetCode
from tests.extender.fakes import FakeChannel
from tests.extender.guests import Boom, Meeting, Notes, Recorder
from tests.testing.producers import Producer

WINDOW = FakeChannel.window_bytes


@implementer(IHalfCloseableProtocol)
class Halves(Recorder):
    """A protocol that knows of halves."""

    def readConnectionLost(self) -> None:
        self.events.append("read lost")

    def writeConnectionLost(self) -> None:
        self.events.append("write lost")


class Case(SynchronousTestCase):
    """One stream between two protocols."""

    kind: Any = Recorder

    def setUp(self) -> None:
        self.meeting = Meeting()
        assert self.meeting.link is not None
        self.link = self.meeting.link
        self.meeting.right.stream_opened = lambda peer, label: self.there
        self.here, self.there = self.kind(), self.kind()
        self.opened: Deferred[Any] = self.meeting.host.open_stream(self.meeting.peer, self.here, b"label")
        self.opened.addErrback(lambda _: None)
        self.meeting.settle()

    def ends(self) -> tuple[Any, Any]:
        """The exceptions with which both sides ended, each exactly once."""
        self.meeting.settle()
        self.assertEqual((len(self.here.reasons), len(self.there.reasons)), (1, 1))
        self.assertEqual([session.channels for session in self.link.sessions], [[], []])
        self.assertEqual(self.meeting.clock.getDelayedCalls(), [])
        return self.here.reasons[0].value, self.there.reasons[0].value


class TransportTests(Case):
    """Writing, reading, addresses."""

    def test_interfaces(self) -> None:
        for interface in (ITCPTransport, IPushProducer, IConsumer):
            verifyObject(interface, self.here.transport)
        verifyObject(IAddress, self.here.transport.getPeer())

    def test_addresses(self) -> None:
        """Who is at the other end, for which extender, under which label."""
        peer, host = self.here.transport.getPeer(), self.here.transport.getHost()
        self.assertEqual((peer.uuid, peer.label), (self.meeting.peer.uuid, b"label"))
        self.assertEqual(host.uuid, self.meeting.host.uuid)
        self.assertEqual(self.there.transport.getPeer().extender, host.extender)

    def test_both_ways(self) -> None:
        self.here.transport.write(b"to ")
        self.here.transport.writeSequence([b"you", bytearray(b"!")])
        self.there.transport.write(memoryview(b"to me"))
        self.meeting.settle()
        self.assertEqual((self.there.received, self.here.received), (b"to you!", b"to me"))
        self.assertRaises(TypeError, self.here.transport.write, "text")
        self.assertTrue(self.here.transport.getTcpNoDelay() and self.here.transport.getTcpKeepAlive())
        self.here.transport.setTcpNoDelay(True)
        self.here.transport.setTcpKeepAlive(True)

    def test_more_than_the_window(self) -> None:
        """Ten windows arrive whole."""
        data = bytes(range(256)) * (WINDOW // 256) * 10
        self.here.transport.write(data)
        self.meeting.settle()
        self.assertEqual(self.there.received, data)

    def test_paused_reader(self) -> None:
        """It gets nothing, its credit stays away, the writer's queue fills; resumed, everything comes, in order."""
        self.there.transport.pauseProducing()
        self.here.transport.write(b"a" * WINDOW)
        self.here.transport.write(b"b" * WINDOW)
        self.meeting.settle()
        self.assertEqual(self.there.received, b"")
        self.assertEqual(self.link.sessions[0].channels[0].queued_bytes, WINDOW)
        self.there.transport.resumeProducing()
        self.assertEqual(self.there.received, b"", "not inside the call of the protocol itself")
        self.meeting.settle()
        self.assertEqual(self.there.received, b"a" * WINDOW + b"b" * WINDOW)

    def test_single_bytes_wait_together(self) -> None:
        """What a paused reader has not taken costs its bytes, whatever the pieces; large pieces are not copied."""
        large = bytes(range(256)) * (streams.GATHER_BYTES // 256)
        for data, pieces in (
            ([b"x"] * 1000, 1),
            ([bytes(streams.GATHER_BYTES - 1)] * (streams.GATHERED_BYTES // streams.GATHER_BYTES + 3), 2),
            ([b"a", large, b"b", b"c", large], 4),
        ):
            transport = self.there.transport
            transport.pauseProducing()
            for piece in data:
                transport._data(piece)
            self.assertEqual(len(transport._inbox), pieces)
            self.assertEqual(sum(part is large for part in transport._inbox), data.count(large))
            self.there.received = b""
            transport.resumeProducing()
            self.meeting.settle()
            self.assertEqual(self.there.received, b"".join(data))

    def test_paused_while_it_reads(self) -> None:
        """What comes after the piece in whose delivery it paused waits."""

        def data_received(data: bytes) -> None:
            self.there.received += data
            self.there.transport.pauseProducing()

        self.there.dataReceived = data_received
        one, two, three = (piece * streams.GATHER_BYTES for piece in (b"1", b"2", b"3"))
        for piece in (one, two, three):
            self.here.transport.write(piece)
        self.meeting.settle()
        self.assertEqual(self.there.received, one)
        self.there.transport.resumeProducing()
        self.meeting.settle()
        self.assertEqual(self.there.received, one + two)

    def test_writes_on(self) -> None:
        """A writer that does not listen has its stream reset; the session lives."""
        self.there.transport.pauseProducing()
        for _ in range(20):
            self.here.transport.write(bytes(WINDOW))
        mine, theirs = self.ends()
        self.assertEqual((mine.code, theirs.code), (ResetCode.LIMIT, ResetCode.LIMIT))
        self.assertFalse(self.link.sessions[0].closed)


class ProducerTests(Case):
    """Those that write into the stream."""

    def test_push(self) -> None:
        """Paused while the channel is full, resumed when there is room, once each."""
        producer = Producer()
        self.here.transport.registerProducer(producer, True)
        self.here.transport.write(bytes(3 * WINDOW))
        self.here.transport.write(bytes(WINDOW))
        self.assertEqual(producer.calls, ["pause"])
        self.meeting.settle()
        self.assertEqual(producer.calls, ["pause", "resume"])
        self.assertRaises(RuntimeError, self.here.transport.registerProducer, producer, True)
        self.here.transport.unregisterProducer()
        self.here.transport.registerProducer(producer, True)

    def test_registered_while_full(self) -> None:
        producer = Producer()
        self.here.transport.write(bytes(3 * WINDOW))
        self.here.transport.registerProducer(producer, True)
        self.assertEqual(producer.calls, ["pause"])

    def test_pull(self) -> None:
        """Twisted's FileSender sends a file of many windows, and its Deferred fires."""
        path = self.mktemp()
        data = bytes(range(256)) * 1000
        with open(path, "wb") as file:
            file.write(data)
        with open(path, "rb") as file:
            done = FileSender().beginFileTransfer(file, self.here.transport)
            self.meeting.settle()
            self.successResultOf(done)
        self.assertEqual(self.there.received, data)

    def test_idle_pull_producer(self) -> None:
        """One that has nothing to write when it is asked is not asked in circles, but after the next write."""
        producer = Producer()
        self.here.transport.registerProducer(producer, False)
        self.meeting.settle()
        self.assertEqual(producer.calls, ["resume"])
        self.here.transport.write(b"x")
        self.meeting.settle()
        self.assertEqual(producer.calls, ["resume", "resume"])

    def test_pull_and_full(self) -> None:
        """While the channel is full it is not asked."""
        producer = Producer()
        self.there.transport.pauseProducing()
        self.here.transport.registerProducer(producer, False)
        self.here.transport.write(bytes(4 * WINDOW))
        self.meeting.settle()
        self.assertEqual(producer.calls, [])
        self.there.transport.resumeProducing()
        self.meeting.settle()
        self.assertEqual(producer.calls, ["resume"])

    def test_close_waits_for_it(self) -> None:
        """loseConnection closes when the producer has unregistered, and not before."""
        producer = Producer()
        self.here.transport.registerProducer(producer, True)
        self.here.transport.write(b"first ")
        self.here.transport.loseConnection()
        self.meeting.settle()
        self.here.transport.write(b"last")
        self.assertEqual(self.there.reasons, [])
        self.here.transport.unregisterProducer()
        self.ends()
        self.assertEqual((self.there.received, producer.calls), (b"first last", []))

    def test_lost_with_it(self) -> None:
        """A stream that ends stops its producer, and so does registering with one that has ended."""
        producer = Producer()
        self.here.transport.registerProducer(producer, True)
        self.link.close()
        self.assertEqual(producer.calls, ["stop"])
        self.here.transport.registerProducer(late := Producer(), True)
        self.assertEqual(late.calls, ["stop"])

    def test_raising(self) -> None:
        """A producer's fault ends its stream and is the guest's."""
        producer = Producer()
        producer.pauseProducing = [].pop  # type: ignore[method-assign]
        self.here.transport.registerProducer(producer, True)
        self.here.transport.write(bytes(3 * WINDOW))
        mine, theirs = self.ends()
        self.assertIsInstance(mine, IndexError)
        self.assertEqual(theirs.code, ResetCode.GUEST_FAILED)
        self.assertIn("pauseProducing", self.meeting.left_host.snapshot()[0].reason)
        self.flushLoggedErrors(IndexError)


class EndTests(Case):
    """How streams of protocols that know nothing of halves end."""

    def test_close(self) -> None:
        """Everything written arrives, then both sides see a clean end."""
        self.here.transport.write(bytes(5 * WINDOW))
        self.here.transport.loseConnection()
        self.here.transport.loseConnection()
        self.here.transport.write(b"dropped")
        mine, theirs = self.ends()
        self.assertEqual((type(mine), type(theirs)), (ConnectionDone, ConnectionDone))
        self.assertEqual(self.there.received, bytes(5 * WINDOW))

    def test_close_not_inside_the_call(self) -> None:
        self.there.transport.loseConnection()
        self.link.pump()
        self.here.transport.loseConnection()
        self.assertEqual(self.here.reasons, [])
        self.ends()

    def test_both_close(self) -> None:
        self.here.transport.loseConnection()
        self.there.transport.loseConnection()
        self.assertEqual({type(end) for end in self.ends()}, {ConnectionDone})

    def test_answer_on_close(self) -> None:
        """What the other side wrote before it learned of the end is dropped here, not stuck there."""
        self.there.transport.write(bytes(5 * WINDOW))
        self.here.transport.loseConnection()
        self.ends()
        self.assertEqual(self.here.received, b"")

    def test_abort(self) -> None:
        """What was queued is dropped; the other side learns the code."""
        self.here.transport.write(bytes(5 * WINDOW))
        self.here.transport.abortConnection()
        self.assertEqual(self.here.reasons, [])
        mine, theirs = self.ends()
        self.assertIsInstance(mine, ConnectionAborted)
        self.assertIsInstance(theirs, StreamReset)
        self.assertEqual(theirs.code, ResetCode.CANCELLED)

    def test_abort_with_a_code(self) -> None:
        """Numbers from 0x8000 are the extender's own; others are not its to send."""
        for code in (1, 0x7FFF, 0x10000):
            self.assertRaises(LocalError, self.here.transport.abortConnection, code)
        self.here.transport.abortConnection(0x8001)
        _, theirs = self.ends()
        self.assertEqual(theirs.code, 0x8001)
        self.assertIsInstance(theirs, ConnectionLost)

    def test_session_lost(self) -> None:
        """The reason carries the code of the CLOSE, or None; connectionLost comes before peer_left."""
        order: list[str] = []
        self.here.connectionLost = lambda reason: (order.append("lost"), self.here.reasons.append(reason))
        self.meeting.left.peer_left = lambda peer, reason: order.append("left")
        self.link.close(9)
        mine, theirs = self.ends()
        self.assertIsInstance(mine, StreamLost)
        self.assertIsInstance(mine, ConnectionLost)
        self.assertEqual((mine.code, theirs.code, str(mine), order), (9, 9, "bye", ["lost", "left"]))

    def test_paused_at_the_end(self) -> None:
        """A paused reader still gets what was sent before a clean end, when it resumes."""
        self.there.transport.pauseProducing()
        self.here.transport.write(b"last words")
        self.here.transport.loseConnection()
        self.meeting.settle()
        self.assertEqual((self.there.received, self.there.reasons), (b"", []))
        self.there.transport.resumeProducing()
        self.ends()
        self.assertEqual(self.there.received, b"last words")

    def test_paused_and_lost(self) -> None:
        """If the session goes before it resumed, the end is not called clean."""
        self.there.transport.pauseProducing()
        self.there.transport.loseWriteConnection()
        self.here.transport.write(b"last words")
        self.here.transport.loseConnection()
        self.meeting.settle()
        self.link.close()
        _, theirs = self.ends()
        self.assertIsInstance(theirs, StreamLost)

    def test_peer_that_never_finishes(self) -> None:
        """A peer that took everything but keeps its half open is cut off after a while."""
        self.link.sessions[1].channels[0].on_fin = lambda: None
        self.here.transport.write(b"x")
        self.here.transport.loseConnection()
        self.meeting.settle()
        self.meeting.clock.advance(streams.LINGER_SECONDS - 1)
        self.assertEqual(self.here.reasons, [])
        self.meeting.clock.advance(1)
        mine, theirs = self.ends()
        self.assertIsInstance(mine, ConnectionDone)
        self.assertEqual(theirs.code, ResetCode.TIMEOUT)

    def test_slow_reader_is_waited_for(self) -> None:
        """As long as it has not taken everything, it may take its time."""
        self.there.transport.pauseProducing()
        self.here.transport.write(bytes(2 * WINDOW))
        self.here.transport.loseConnection()
        self.meeting.settle()
        self.meeting.clock.pump([streams.LINGER_SECONDS] * 10)
        self.assertEqual(self.here.reasons, [])
        self.there.transport.resumeProducing()
        self.ends()
        self.assertEqual(len(self.there.received), 2 * WINDOW)

    def test_peer_that_goes_on_sending(self) -> None:
        """What a peer may still pour into a closed stream is bounded."""
        self.patch(streams, "DISCARD_BYTES", 3 * WINDOW)
        self.link.sessions[1].channels[0].on_fin = lambda: None
        self.here.transport.loseConnection()
        self.there.transport.write(bytes(8 * WINDOW))
        mine, theirs = self.ends()
        self.assertEqual((mine.code, theirs.code), (ResetCode.LIMIT, ResetCode.LIMIT))

    def test_raising_protocol(self) -> None:
        """It ends its stream with GUEST_FAILED; the guest is charged, the node and the other guest go on."""

        def data_received(data: bytes) -> None:
            raise Boom

        self.there.dataReceived = data_received
        self.here.transport.write(b"x")
        mine, theirs = self.ends()
        self.assertEqual(mine.code, ResetCode.GUEST_FAILED)
        self.assertIsInstance(theirs, Boom)
        self.assertEqual(self.meeting.right_host.snapshot()[0].failures, 1)
        self.flushLoggedErrors(Boom)

    def test_raising_in_connection_lost(self) -> None:
        def connection_lost(reason: Any) -> None:
            self.here.reasons.append(reason)
            raise Boom

        self.here.connectionLost = connection_lost
        self.there.transport.abortConnection()
        self.ends()
        self.assertEqual(len(self.flushLoggedErrors(Boom)), 1)

    def test_guest_stops(self) -> None:
        """Its streams end before it is gone, those of the other side with the code."""
        self.successResultOf(self.meeting.right_host.stop())
        mine, theirs = self.ends()
        self.assertEqual(mine.code, ResetCode.CANCELLED)
        self.assertIn("is stopped", str(theirs))


class HalfTests(Case):
    """Protocols that know of halves."""

    kind = Halves

    def test_request_and_answer(self) -> None:
        """One side ends its half, the other answers and ends its own: a clean end."""
        self.here.transport.write(b"question")
        self.here.transport.loseWriteConnection()
        self.here.transport.loseWriteConnection()
        self.here.transport.write(b"dropped")
        self.meeting.settle()
        self.assertEqual((self.there.events, self.here.events), (["made", "read lost"], ["made", "write lost"]))
        self.there.transport.write(b"answer")
        self.there.transport.loseWriteConnection()
        self.assertEqual({type(end) for end in self.ends()}, {ConnectionDone})
        self.assertEqual((self.there.received, self.here.received), (b"question", b"answer"))

    def test_then_closed_wholly(self) -> None:
        """Half closed, then closed: what still comes is dropped, and the peer has a time limit for its half."""
        self.here.transport.loseWriteConnection()
        self.meeting.settle()
        self.here.transport.loseConnection()
        self.meeting.settle()
        self.there.transport.write(b"dropped")
        self.meeting.settle()
        self.meeting.clock.advance(streams.LINGER_SECONDS)
        self.ends()
        self.assertEqual(self.here.received, b"")

    def test_waits_for_producer(self) -> None:
        self.here.transport.registerProducer(Producer(), True)
        self.here.transport.loseWriteConnection()
        self.meeting.settle()
        self.assertNotIn("read lost", self.there.events)
        self.here.transport.unregisterProducer()
        self.meeting.settle()
        self.assertIn("read lost", self.there.events)

    def test_paused_at_fin(self) -> None:
        """The end of data comes after the data, and not while it is paused."""
        self.there.transport.pauseProducing()
        self.here.transport.write(b"x")
        self.here.transport.loseWriteConnection()
        self.meeting.settle()
        self.assertEqual((self.there.events, self.here.events[-1]), (["made"], "write lost"))
        self.there.transport.resumeProducing()
        self.meeting.settle()
        self.assertEqual((self.there.received, self.there.events), (b"x", ["made", "read lost"]))


class OpeningTests(SynchronousTestCase):
    """Before both sides have a protocol."""

    def setUp(self) -> None:
        self.meeting = Meeting()
        self.answer: Any = None
        self.meeting.right.stream_opened = lambda peer, label: self.answer
        self.here = Recorder()

    def open(self, **more: Any) -> Deferred[Any]:
        opened: Deferred[Any] = self.meeting.host.open_stream(self.meeting.peer, self.here, **more)
        return opened

    def test_accepted(self) -> None:
        """The Deferred fires with the protocol when the peer took the stream; the protocol is connected before."""
        self.answer = Recorder()
        opened = self.open()
        self.assertEqual(self.here.events, ["made"])
        self.assertNoResult(opened)
        self.meeting.settle()
        self.assertIs(self.successResultOf(opened), self.here)

    def test_written_at_once(self) -> None:
        """What is written before the answer goes out with the question."""
        self.answer = Recorder()
        self.open()
        self.here.transport.write(b"early")
        self.meeting.settle()
        self.assertEqual(self.answer.received, b"early")

    def test_refused(self) -> None:
        """None refuses: the Deferred fails, connectionLost is called, both with the code."""
        opened = self.open()
        self.meeting.settle()
        self.assertEqual(self.failureResultOf(opened, ChannelReset).value.code, ResetCode.REFUSED)
        self.assertEqual(self.here.reasons[0].value.code, ResetCode.REFUSED)

    def test_answered_later(self) -> None:
        """stream_opened may take its time; what comes meanwhile is kept."""
        self.answer = Deferred()
        opened = self.open()
        self.here.transport.write(b"early")
        self.meeting.settle()
        self.assertNoResult(opened)
        there = Recorder()
        self.answer.callback(there)
        self.meeting.settle()
        self.successResultOf(opened)
        self.assertEqual(there.received, b"early")

    def test_gone_before_the_answer(self) -> None:
        """A protocol that comes too late is never connected."""
        self.answer = Deferred()
        opened = self.open()
        self.meeting.settle()
        self.meeting.link.close()  # type: ignore[union-attr]
        self.failureResultOf(opened, SessionClosed)
        there = Recorder()
        self.answer.callback(there)
        self.meeting.clock.advance(0)
        self.assertEqual(there.events, [])

    def test_no_protocol(self) -> None:
        """Something else than an IProtocol is the guest's fault."""
        self.answer = object()
        opened = self.open()
        self.meeting.settle()
        self.assertEqual(self.failureResultOf(opened, ChannelReset).value.code, ResetCode.GUEST_FAILED)
        self.assertIn("expected an IProtocol or None", self.meeting.right_host.snapshot()[0].reason)
        self.flushLoggedErrors(TypeError)

    def test_fails_later(self) -> None:
        self.answer = Deferred()
        opened = self.open()
        self.meeting.settle()
        self.answer.errback(Boom())
        self.meeting.settle()
        self.assertEqual(self.failureResultOf(opened, ChannelReset).value.code, ResetCode.GUEST_FAILED)
        self.flushLoggedErrors(Boom)

    def test_cancelled(self) -> None:
        self.answer = Deferred()
        opened = self.open()
        self.meeting.settle()
        opened.cancel()
        self.failureResultOf(opened, CancelledError)
        self.meeting.settle()
        self.assertEqual(len(self.here.reasons), 1)

    def test_wrong_arguments(self) -> None:
        """Refused before anything is opened."""
        host, peer = self.meeting.host, self.meeting.peer
        here = self.here
        for arguments in ((peer, object()), (peer, here, b"x" * 65), (peer, here, "text"), (object(), here)):
            self.failureResultOf(host.open_stream(*arguments), LocalError)
        self.assertEqual((self.here.events, self.meeting.link.sessions[0].channels), ([], []))  # type: ignore[union-attr]

    def test_no_room(self) -> None:
        self.meeting.link.sessions[0].most_channels = 0  # type: ignore[union-attr]
        self.failureResultOf(self.open(), LimitError)
        self.assertEqual(self.here.events, [])

    def test_raising_in_connection_made(self) -> None:
        """It ends its own stream only."""
        self.answer = type("Breaks", (Protocol,), {"connectionMade": lambda self: [].pop()})()
        opened = self.open()
        self.meeting.settle()
        self.successResultOf(opened)
        self.assertEqual(self.here.reasons[0].value.code, ResetCode.GUEST_FAILED)
        self.flushLoggedErrors(IndexError)

    def test_peer_without_the_extender(self) -> None:
        """A channel for an extender that does not run here is reset without a penalty."""
        meeting = Meeting(Notes)
        self.successResultOf(meeting.right_host.stop())
        opened = meeting.host.open_stream(meeting.peer, self.here)
        meeting.settle()
        self.assertEqual(self.failureResultOf(opened, ChannelReset).value.code, ResetCode.NO_SUCH_SERVICE)
