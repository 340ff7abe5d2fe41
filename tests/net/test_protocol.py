"""The pump: order of events, output by demand, slow reading, and an end that always comes.

Over memory transports on a fake clock; where the socket is the thing itself, over loopback.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from quantumgate.net import protocol as pump
from quantumgate.net.protocol import HANG_UP_SECONDS, PeerProtocol
from quantumgate.testing.network import MemoryNetwork
from quantumgate.testing.weather import Weather

FOREVER = float("inf")


class ScriptedConnection:
    """The core's door as far as the pump uses it: says what the test put in, writes down what came and when."""

    def __init__(self) -> None:
        self.on_output: Any = None
        self.events: list[str] = []
        self.finished = self.timer_moved = self.quiet = False
        self.output = bytearray()
        self.came = bytearray()
        self.due = FOREVER
        self.log: list[Any] = []
        self._room = bytearray(65536)

    def buffer(self) -> memoryview:
        return memoryview(self._room)

    def received(self, count: int, now: float) -> None:
        self.receive(bytes(self._room[:count]), now)

    def receive(self, data: bytes, now: float) -> None:
        self.came += data
        self.events.append(f"got {len(data)}")

    def data_to_send(self, now: float) -> memoryview | None:
        return memoryview(bytes(self.output[:16384])) if self.output else None

    def taken(self, count: int, now: float) -> None:
        self.log.append(("taken", count))
        del self.output[:count]

    def next_event(self) -> str | None:
        return self.events.pop(0) if self.events else None

    def deadline(self) -> float:
        return self.due

    def expire(self, now: float) -> None:
        self.log.append(("expired", now))
        self.due = FOREVER

    def eof(self, now: float) -> None:
        self.finished = True
        self.events.append("lost")

    def let_go(self) -> None:
        self.on_output = None


class Far(Protocol):
    """The other end, a plain one."""

    def __init__(self) -> None:
        self.came = bytearray()
        self.lost = False

    def dataReceived(self, data: bytes) -> None:
        self.came += data

    def connectionLost(self, reason: Any = None) -> None:
        self.lost = True


class Owner:
    """Writes the events down."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def connection_event(self, protocol: PeerProtocol, event: Any) -> None:
        self.events.append(event)


class MemoryCase(SynchronousTestCase):
    """A pump at one end of a memory connection."""

    def setUp(self) -> None:
        self.network = MemoryNetwork(weather=Weather(latency_seconds=0.01))
        self.clock: Clock = self.network.clock
        self.connection, self.owner, self.far = ScriptedConnection(), Owner(), Far()
        self.pump = PeerProtocol(self.connection, self.owner, self.clock)  # type: ignore[arg-type]
        self.network.join(self.pump, self.far)
        self.transport: Any = self.pump.transport

    def pass_time(self, seconds: float) -> None:
        self.clock.pump([seconds / 1000] * 1000)


class TurnTests(MemoryCase):
    def test_what_the_owner_says_to_an_event_goes_out_in_the_same_turn(self) -> None:
        """And asks for no turn of its own; what is said at any other time does."""
        def answer(protocol: PeerProtocol, event: Any) -> None:
            self.connection.output += b"answer"
            protocol.wake()

        self.owner.connection_event = answer  # type: ignore[method-assign]
        calls = len(self.clock.getDelayedCalls())
        self.pump.dataReceived(b"question")
        self.assertEqual(self.connection.output, b"")
        flight = [call for call in self.clock.getDelayedCalls() if call.getTime() <= self.clock.seconds()]
        self.assertEqual(flight, [])
        self.assertEqual(len(self.clock.getDelayedCalls()), calls + 1)  # the network's own: the answer under way
        self.pump.wake()
        self.assertEqual(len(self.clock.getDelayedCalls()), calls + 2)


class PumpTests(MemoryCase):
    def test_what_waits_at_the_start_goes_out(self) -> None:
        other = ScriptedConnection()
        other.output += b"first flight"
        far = Far()
        self.network.join(PeerProtocol(other, self.owner, self.clock), far)  # type: ignore[arg-type]
        self.pass_time(1)
        self.assertEqual(far.came, b"first flight")

    def test_a_wake_flushes_once_at_the_end_of_the_turn(self) -> None:
        self.connection.output += b"x" * 100
        for _ in range(5):
            self.connection.on_output()
        self.assertEqual((len(self.connection.output), len(self.clock.getDelayedCalls())), (100, 1))
        self.pass_time(1)
        self.assertEqual(self.far.came, b"x" * 100)

    def test_bytes_come_in_and_events_go_to_the_owner_in_order(self) -> None:
        self.far.transport.write(b"abc")
        self.pass_time(1)
        self.far.transport.write(b"de")
        self.pass_time(1)
        self.assertEqual((bytes(self.connection.came), self.owner.events), (b"abcde", ["got 3", "got 2"]))

    def test_a_full_transport_is_given_no_more_until_it_has_room(self) -> None:
        self.network.weather.rate_bytes_per_second = 100_000
        self.connection.output += b"y" * 1_000_000
        self.pump.wake()
        self.pass_time(0.01)
        waiting = len(self.connection.output)
        self.assertGreater(waiting, 800_000)
        self.pass_time(0.5)
        self.assertGreater(len(self.connection.output), 700_000)
        self.pass_time(30)
        self.assertEqual((len(self.connection.output), len(self.far.came)), (0, 1_000_000))

    def test_what_a_full_transport_got_last_counts_as_taken_only_when_it_has_room(self) -> None:
        self.network.weather.rate_bytes_per_second = 1000
        self.connection.output += b"y" * 200_000
        self.pump.wake()
        self.pass_time(0.1)
        taken = sum(count for _, count in self.connection.log)
        self.assertLess(taken, self.transport.sent_bytes)

    def test_the_deadline_is_a_timer(self) -> None:
        self.connection.due, self.connection.timer_moved = 7.0, True
        self.pump.wake()
        self.pass_time(6.9)
        self.assertEqual(self.connection.log, [])
        self.pass_time(0.2)
        self.assertAlmostEqual(self.connection.log[0][1], 7.0, places=1)


class EndTests(MemoryCase):
    def test_a_lost_transport_is_told_once_and_leaves_no_timer(self) -> None:
        self.connection.due, self.connection.timer_moved = 50.0, True
        self.pump.wake()
        self.pass_time(1)
        self.pump.wake()
        self.patch(pump, "UNSLOWED_BYTES", 0)
        self.pump.read_slowly(10)
        self.pump.dataReceived(b"123")
        self.network.cut()
        self.assertEqual(self.owner.events, ["lost"])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.pump.wake()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_finished_connection_closes_after_what_it_said(self) -> None:
        self.connection.output += b"last words"
        self.connection.finished = True
        self.pump.wake()
        self.pass_time(1)
        self.assertEqual((bytes(self.far.came), self.far.lost, self.transport.over), (b"last words", True, True))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_peer_that_reads_nothing_cannot_keep_it_open(self) -> None:
        self.far.transport.pauseProducing()
        self.connection.output += b"z" * 500_000
        self.pump.wake()
        self.pass_time(1)
        self.connection.finished = True
        self.pump.hang_up()
        self.pump.hang_up()
        self.pass_time(HANG_UP_SECONDS - 1)
        self.assertFalse(self.transport.over)
        self.pass_time(2)
        self.assertTrue(self.transport.over)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_abort_while_it_hangs_up(self) -> None:
        self.far.transport.pauseProducing()
        self.transport.write(b"held")
        self.pump.hang_up()
        self.pump.abort()
        self.pass_time(1)
        self.assertEqual((self.transport.over, self.clock.getDelayedCalls()), (True, []))


class SlowTests(MemoryCase):
    def test_reads_no_faster_than_told_and_keeps_nothing(self) -> None:
        self.patch(pump, "UNSLOWED_BYTES", 0)
        self.pump.read_slowly(1000)
        self.network.weather.piece_bytes = 500
        self.far.transport.write(b"q" * 5000)
        self.pass_time(2.2)
        self.assertTrue(2000 <= self.transport.received_bytes <= 3000, self.transport.received_bytes)
        self.assertEqual((self.connection.came, self.owner.events), (b"", []))
        self.pass_time(4)
        self.assertEqual(self.transport.received_bytes, 5000)

    def test_a_first_flight_more_is_read_as_fast_as_it_comes(self) -> None:
        """So the end behind it is seen at once, whether what came before was awaited or discarded."""
        self.patch(pump, "UNSLOWED_BYTES", 4000)
        self.pump.read_slowly(1000)
        self.network.weather.piece_bytes = 500
        self.far.transport.write(b"q" * 5000)
        self.pass_time(0.1)
        self.assertEqual((self.transport.received_bytes, self.connection.came), (4500, b""))


class SocketTests(TestCase):
    """Reading into the record and writing from it, on a real socket: doRead and doWrite are replaced."""

    def setUp(self) -> Any:
        self.connection, self.owner = ScriptedConnection(), Owner()
        self.pump = PeerProtocol(self.connection, self.owner, reactor)  # type: ignore[arg-type]
        self.ended: Deferred[None] = Deferred()
        lost = self.pump.connectionLost

        def tell(*reason: Any) -> None:
            lost(*reason)
            self.ended.callback(None)

        self.pump.connectionLost = tell  # type: ignore[method-assign]
        endpoint = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
        return endpoint.listen(Factory.forProtocol(lambda: self.pump)).addCallback(self._listening)  # type: ignore[arg-type]

    def _listening(self, port: Any) -> None:
        self.addCleanup(port.stopListening)
        self.addCleanup(self.pump.abort)
        self.near = socket.create_connection(("127.0.0.1", port.getHost().port))
        self.near.setblocking(False)
        self.addCleanup(self.near.close)

    def when(self, seen: Any) -> Deferred[None]:
        """Fires when ``seen()`` is true; trial's own time limit is the bound."""
        done: Deferred[None] = Deferred()

        def look() -> None:
            done.callback(None) if seen() else reactor.callLater(0.001, look)  # type: ignore[attr-defined]

        look()
        return done

    async def test_both_ways(self) -> None:
        await self.when(lambda: self.pump.transport is not None)
        self.near.send(b"to the pump")
        await self.when(lambda: self.connection.came == b"to the pump")
        self.connection.output += b"from the pump" * 10_000
        self.pump.wake()
        got = bytearray()
        await self.when(lambda: got.extend(_read(self.near)) or len(got) == 130_000)
        self.assertEqual(got, b"from the pump" * 10_000)
        self.near.close()
        await self.ended
        self.assertEqual((self.owner.events[0], self.owner.events[-1]), ("got 11", "lost"))

    async def test_a_stalled_peer_cannot_keep_a_socket(self) -> None:
        """The kernel calls a full socket not writable, so Twisted would wait for room as long as the peer likes."""
        self.patch(pump, "HANG_UP_SECONDS", 0.05)
        await self.when(lambda: self.pump.transport is not None)
        self.connection.output += b"n" * 20_000_000
        self.pump.wake()
        left: list[int] = []
        await self.when(lambda: left.append(len(self.connection.output)) or (len(left) > 50 and left[-50] == left[-1]))
        self.assertTrue(0 < left[-1] < 20_000_000, left[-1])
        self.connection.output.clear()
        self.connection.finished = True
        self.pump.wake()
        await self.ended

    async def test_finished_with_room_closes_cleanly(self) -> None:
        await self.when(lambda: self.pump.transport is not None)
        self.connection.output += b"bye"
        self.connection.finished = True
        self.pump.wake()
        await self.ended
        self.assertEqual((_read(self.near), _read(self.near, at_end=b"the end")), (b"bye", b"the end"))

    async def test_what_ends_with_a_read_is_closed_when_it_returns(self) -> None:
        """Twisted is not asked to close it when the socket is writable: the kernel has all that was said."""
        await self.when(lambda: self.pump.transport is not None)

        def end(protocol: PeerProtocol, event: Any) -> None:
            self.connection.output += b"bye"
            self.connection.finished = True

        asked: list[None] = []
        self.owner.connection_event = end  # type: ignore[method-assign]
        self.pump.transport.loseConnection = lambda: asked.append(None)  # type: ignore[union-attr, method-assign]
        self.near.send(b"the last")
        await self.ended
        self.assertEqual((_read(self.near), _read(self.near, at_end=b"the end")), (b"bye", b"the end"))
        self.assertEqual(asked, [])

    async def test_slow_reading_of_a_socket(self) -> None:
        await self.when(lambda: self.pump.transport is not None)
        self.patch(pump, "UNSLOWED_BYTES", 0)
        self.pump.read_slowly(1000)
        self.near.send(b"w" * 5000)
        await self.when(lambda: self.pump._rest_call is not None)
        self.assertEqual((self.connection.came, self.owner.events), (b"", []))
        self.assertLessEqual(self.pump._rest_call.getTime() - reactor.seconds(), 1.0)  # type: ignore[attr-defined]
        self.pump.abort()
        await self.ended

    async def test_what_was_sent_and_not_read_resets_nothing(self) -> None:
        """The kernel resets a connection that is closed with bytes unread: who sent much could tell."""
        self.patch(pump, "UNSLOWED_BYTES", 0)
        await self.when(lambda: self.pump.transport is not None)
        self.pump.read_slowly(1000)
        self.near.send(b"w" * 50_000)
        await self.when(lambda: self.pump._rest_call is not None)
        self.pump.hang_up()
        await self.ended
        self.assertEqual(_read(self.near, at_end=b"the end"), b"the end")
        self.assertEqual(self.near.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 0)


def _read(near: socket.socket, at_end: bytes = b"") -> bytes:
    try:
        return near.recv(1 << 20) or at_end
    except BlockingIOError:
        return b""
