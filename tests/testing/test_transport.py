"""A connection in memory keeps the contract of Twisted's transports."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IAddress, IConsumer, IHalfCloseableProtocol, IPushProducer, ITransport
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.protocols.basic import FileSender
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from quantumgate.testing.network import MemoryNetwork
from quantumgate.testing.transport import HIGH_WATER_BYTES
from quantumgate.testing.weather import Weather
from tests.testing.producers import Producer


class Keeper(Protocol):
    """Keeps what comes, and when."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.pieces: list[bytes] = []
        self.moments: list[float] = []
        self.reasons: list[Any] = []

    @property
    def data(self) -> bytes:
        return b"".join(self.pieces)

    def dataReceived(self, data: bytes) -> None:
        self.pieces.append(data)
        self.moments.append(self.clock.seconds())

    def connectionLost(self, reason: Any = None) -> None:
        self.reasons.append(reason.value)


@implementer(IHalfCloseableProtocol)
class HalfKeeper(Keeper):
    """One that knows of halves."""

    def readConnectionLost(self) -> None:
        self.reasons.append("read")

    def writeConnectionLost(self) -> None:
        self.reasons.append("write")


class HalfCloseTests(SynchronousTestCase):
    """Each direction ends on its own, as with TCP."""

    def setUp(self) -> None:
        self.network = MemoryNetwork(weather=Weather(latency_seconds=0.1))
        self.clock = self.network.clock
        self.one, self.other = HalfKeeper(self.clock), HalfKeeper(self.clock)
        self.network.join(self.one, self.other)

    def test_one_half(self) -> None:
        """What was written arrives, then its end; the other direction goes on, and nothing more is taken."""
        self.one.transport.write(b"question")
        self.one.transport.loseWriteConnection()
        self.one.transport.write(b"too late")
        self.clock.pump([0.1] * 3)
        self.assertEqual((self.other.data, self.other.reasons, self.one.reasons), (b"question", ["read"], ["write"]))
        self.other.transport.write(b"answer")
        self.clock.pump([0.1] * 3)
        self.assertEqual((self.one.data, self.one.reasons), (b"answer", ["write"]))

    def test_both_halves(self) -> None:
        """The second end closes nothing by itself; closing then does, on either side."""
        self.one.transport.loseWriteConnection()
        self.clock.pump([0.1] * 3)
        self.other.transport.loseConnection()
        self.clock.pump([0.1] * 4)
        self.assertEqual(self.one.reasons, ["write", "read"])
        self.assertIsInstance(self.other.reasons[-1], ConnectionDone)
        self.one.transport.loseConnection()
        self.clock.pump([0.1] * 4)
        self.assertIsInstance(self.one.reasons[-1], ConnectionDone)

    def test_closing_behind_what_is_under_way(self) -> None:
        """Who closes with bytes under way hears of the end when they have arrived, though the other half stays open."""
        self.one.transport.write(b"last words")
        self.one.transport.loseConnection()
        self.clock.pump([0.1] * 3)
        self.assertEqual((self.other.data, self.other.reasons), (b"last words", ["read"]))
        self.assertIsInstance(self.one.reasons[-1], ConnectionDone)

    def test_who_knows_no_halves_is_closed(self) -> None:
        simple = Keeper(self.clock)
        self.network.join(self.one, simple)
        self.one.transport.loseWriteConnection()
        self.clock.pump([0.1] * 3)
        self.assertIsInstance(simple.reasons[0], ConnectionDone)


class TransportTests(SynchronousTestCase):
    """Two ends, a tenth of a second apart."""

    def setUp(self) -> None:
        self.network = MemoryNetwork(weather=Weather(latency_seconds=0.1))
        self.clock = self.network.clock
        self.one, self.other = Keeper(self.clock), Keeper(self.clock)
        self.network.join(self.one, self.other, ("here", "there"))

    def run_on(self) -> None:
        self.clock.pump([0.05] * 20)

    def test_interfaces(self) -> None:
        transport = self.one.transport
        for interface in (ITransport, IPushProducer, IConsumer):
            verifyObject(interface, transport)
        verifyObject(IAddress, transport.getPeer())
        self.assertEqual((transport.getHost().host, transport.getPeer().host), ("here", "there"))

    def test_both_ways(self) -> None:
        self.one.transport.write(b"a")
        self.one.transport.writeSequence([b"b", b"c"])
        self.other.transport.write(memoryview(b"back"))
        self.assertFalse(self.network.quiet)
        self.run_on()
        self.assertEqual((self.other.data, self.one.data, self.network.quiet), (b"abc", b"back", True))
        self.assertRaises(TypeError, self.one.transport.write, "text")

    def test_close(self) -> None:
        """What was written arrives, then both are told once; later writes are dropped."""
        self.one.transport.write(b"last")
        self.one.transport.loseConnection()
        self.one.transport.write(b"dropped")
        self.run_on()
        self.one.transport.loseConnection()
        self.one.transport.write(b"dropped")
        self.run_on()
        self.assertEqual(self.other.data, b"last")
        self.assertEqual([type(reason) for reason in self.one.reasons + self.other.reasons], [ConnectionDone] * 2)
        self.assertEqual((self.clock.getDelayedCalls(), self.network.quiet), ([], True))

    def test_abort(self) -> None:
        """What flies is dropped; not inside the call; the other end learns of it as a loss."""
        self.one.transport.write(b"dropped")
        self.one.transport.abortConnection()
        self.one.transport.abortConnection()
        self.assertEqual(self.one.reasons, [])
        self.run_on()
        self.assertEqual(self.other.data, b"")
        self.assertIsInstance(self.one.reasons[0], ConnectionAborted)
        self.assertIsInstance(self.other.reasons[0], ConnectionLost)
        self.assertEqual((len(self.one.reasons), len(self.other.reasons)), (1, 1))

    def test_vanish(self) -> None:
        """A cut cable: this end knows, the other is told nothing."""
        self.one.transport.vanish()
        self.run_on()
        self.assertEqual((len(self.one.reasons), self.other.reasons), (1, []))

    def test_push_producer(self) -> None:
        """Paused while much is under way, resumed when half of it has arrived."""
        producer = Producer()
        self.one.transport.registerProducer(producer, True)
        self.one.transport.write(bytes(HIGH_WATER_BYTES - 1))
        self.assertEqual(producer.calls, [])
        self.one.transport.write(bytes(1))
        self.assertEqual(producer.calls, ["pause"])
        self.run_on()
        self.assertEqual(producer.calls, ["pause", "resume"])
        self.assertRaises(RuntimeError, self.one.transport.registerProducer, producer, True)

    def test_pull_producer(self) -> None:
        path = self.mktemp()
        with open(path, "wb") as file:
            file.write(bytes(range(256)) * 4000)
        with open(path, "rb") as file:
            done = FileSender().beginFileTransfer(file, self.one.transport)
            self.clock.pump([0.05] * 300)
            self.successResultOf(done)
        self.assertEqual(self.other.data, bytes(range(256)) * 4000)

    def test_close_waits_for_producer(self) -> None:
        self.one.transport.registerProducer(Producer(), True)
        self.one.transport.loseConnection()
        self.one.transport.write(b"more")
        self.run_on()
        self.assertEqual((self.other.data, self.other.reasons), (b"more", []))
        self.one.transport.unregisterProducer()
        self.run_on()
        self.assertEqual((len(self.one.reasons), len(self.other.reasons)), (1, 1))

    def test_lost_producer(self) -> None:
        producer = Producer()
        self.one.transport.registerProducer(producer, True)
        transport = self.one.transport
        transport.vanish()
        self.assertEqual(producer.calls, ["stop"])
        transport.registerProducer(late := Producer(), True)
        self.assertEqual(late.calls, ["stop"])

    def test_paused_reader(self) -> None:
        """Nothing is delivered, the end neither; then everything, in order. A close waits as long."""
        self.other.transport.pauseProducing()
        self.one.transport.write(b"a")
        self.one.transport.loseConnection()
        self.run_on()
        self.assertEqual((self.other.data, self.other.reasons, self.one.reasons), (b"", [], []))
        self.other.transport.resumeProducing()
        self.run_on()
        self.assertEqual((self.other.data, len(self.other.reasons), len(self.one.reasons)), (b"a", 1, 1))

    def test_paused_while_it_reads(self) -> None:
        """The piece after the one in whose delivery it paused waits."""
        receive = self.other.dataReceived

        def once(data: bytes) -> None:
            receive(data)
            self.other.transport.pauseProducing()

        self.other.dataReceived = once  # type: ignore[method-assign]
        self.one.transport.write(b"a")
        self.one.transport.write(b"b")
        self.run_on()
        self.assertEqual(self.other.data, b"a")

    def test_closed_to_a_paused_reader_that_dies(self) -> None:
        """Nothing is left under way to an end that is over."""
        self.other.transport.pauseProducing()
        self.one.transport.write(b"a")
        self.run_on()
        self.other.transport.vanish()
        self.one.transport.write(b"b")
        self.run_on()
        self.assertTrue(self.network.quiet)
