"""One connection in memory: two transports joined by two pipes, under a network's clock, weather and partitions.

The transports keep Twisted's contract: producers are paused while much is under way, a paused reader gets nothing, a
close comes after what was written, halves close each on their own, ``connectionLost`` comes once.
Not for: finding one another (``network.py``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IAddress,
    IConsumer,
    IHalfCloseableProtocol,
    IPushProducer,
    ITransport,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from quantumgate.testing.clock import OrderedClock
from quantumgate.testing.seeded import SeededRandom
from quantumgate.testing.weather import Weather

HIGH_WATER_BYTES = 128 * 1024
"""Bytes under way in one direction at which the writer's producer is paused; it is resumed at half of them."""


@implementer(IAddress)
@dataclass(frozen=True)
class MemoryAddress:
    """A place and a port."""

    host: str
    port: int = 0
    type: str = "memory"


class Surroundings(Protocol):
    """What a connection needs of its network."""

    clock: OrderedClock
    random: SeededRandom
    weather: Weather

    def parted(self, one: str, other: str) -> bool:
        """Whether nothing passes between these places."""


class _Pipe:
    """One direction of a connection: pieces under way to ``reader``, in order."""

    def __init__(self, network: Surroundings, places: tuple[str, str], writer: MemoryTransport) -> None:
        self._network, self._places, self._writer = network, places, writer
        self.reader: MemoryTransport | None = None
        self._pieces: deque[tuple[float, bytes, Exception | None]] = deque()
        self._arrives_at = 0.0
        self._call: Any = None
        self.bytes_under_way = 0

    def send(self, data: bytes) -> None:
        step = max(1, self._network.weather.piece_bytes)
        for at in range(0, len(data), step):
            self._put(data[at : at + step], None)

    def end(self, reason: Exception, at_once: bool = False) -> None:
        """The reader learns of the end after everything that was sent, or ``at_once``, without it."""
        if at_once:
            self._pieces.clear()
            self.bytes_under_way = 0
        self._put(b"", reason)

    def clear(self) -> None:
        """Nothing arrives any more."""
        self._pieces.clear()
        self.bytes_under_way = 0
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None

    def wake(self) -> None:
        """The reader reads again, or the partition is healed."""
        self._schedule()

    @property
    def busy(self) -> bool:
        return bool(self._pieces)

    def _put(self, data: bytes, end: Exception | None) -> None:
        clock, weather, luck = self._network.clock, self._network.weather, self._network.random
        late = weather.latency_seconds
        if weather.jitter_seconds:
            late += luck.uniform(0, weather.jitter_seconds)
        while weather.loss and luck.uniform(0, 1) < weather.loss:
            late += weather.retransmit_seconds
        self._arrives_at = max(self._arrives_at + len(data) / weather.rate_bytes_per_second, clock.seconds() + late)
        self._pieces.append((self._arrives_at, data, end))
        self.bytes_under_way += len(data)
        self._schedule()

    def _schedule(self) -> None:
        if self._pieces and self._call is None:
            late = max(0.0, self._pieces[0][0] - self._network.clock.seconds())
            self._call = self._network.clock.callLater(late, self._arrive)

    def _arrive(self) -> None:
        self._call = None
        reader = self.reader
        if reader is None or reader.over:
            self.clear()
            self._writer.drained()
            return
        if reader.paused or self._network.parted(*self._places):
            return
        now = self._network.clock.seconds()
        while self._pieces and self._pieces[0][0] <= now + 1e-9 and not reader.paused:
            _, data, end = self._pieces.popleft()
            self.bytes_under_way -= len(data)
            if end is not None:
                reader.heard_end(end)
                self._writer.drained()
                return
            rewrite = self._network.weather.rewrite
            reader.arrived(rewrite(data) if rewrite is not None else data)
        self._writer.drained()
        self._schedule()


@implementer(ITransport, IPushProducer, IConsumer)
class MemoryTransport:
    """One end of a connection in memory."""

    def __init__(self, network: Surroundings, here: MemoryAddress, there: MemoryAddress) -> None:
        self._network, self._here, self._there = network, here, there
        self._out = _Pipe(network, (here.host, there.host), self)
        self._in: _Pipe | None = None
        self.protocol: Any = None
        self.paused = self.disconnecting = False
        self.over = self._closing = self._write_ended = False
        self._producer: Any = None
        self._streaming = self._producer_paused = False
        self.sent_bytes = self.received_bytes = 0

    def connect(self, protocol: Any) -> None:
        """``makeConnection``."""
        self.protocol = protocol
        protocol.makeConnection(self)

    # -- ITransport ----------------------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Queues; dropped after the end."""
        if not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError(f"a transport carries bytes, found {type(data).__name__}")
        if self.over or self._write_ended or (self.disconnecting and self._producer is None):
            return
        self.sent_bytes += len(data)
        self._out.send(bytes(data))
        if self._out.bytes_under_way >= HIGH_WATER_BYTES and self._streaming and not self._producer_paused:
            self._producer_paused = True
            self._producer.pauseProducing()

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """All of them joined."""
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        """Closes when everything written has arrived there, and the producer has unregistered."""
        if not self.disconnecting and not self.over:
            self.disconnecting = True
            if self._producer is None:
                self._close()

    def loseWriteConnection(self) -> None:
        """Ends this half behind what was written; the other end may go on writing."""
        if not self.over and not self.disconnecting and not self._write_ended:
            self._tell_end(ConnectionDone("no more from there"))
            if IHalfCloseableProtocol.providedBy(self.protocol):
                self.protocol.writeConnectionLost()

    def abortConnection(self) -> None:
        """Drops everything; the other end learns of it after the latency."""
        if not self.over:
            self.disconnecting = True
            self._out.end(ConnectionLost("aborted there"), at_once=True)
            self._network.clock.callLater(0, self.ended, ConnectionAborted("aborted here"))

    def vanish(self) -> None:
        """As a cut cable: this end is lost, and the other one is told nothing."""
        self._out.clear()
        self.ended(ConnectionLost("the cable was cut"))

    def getPeer(self) -> MemoryAddress:
        """The other place."""
        return self._there

    def getHost(self) -> MemoryAddress:
        """This place."""
        return self._here

    # -- producers -----------------------------------------------------------------------------------------------------

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Push producers are paused at HIGH_WATER_BYTES; a pull producer is asked while less than half is under way."""
        if self._producer is not None:
            raise RuntimeError("a producer is registered already")
        if self.over:
            producer.stopProducing()
            return
        self._producer, self._streaming, self._producer_paused = producer, streaming, False
        if not streaming:
            self._network.clock.callLater(0, self.drained)

    def unregisterProducer(self) -> None:
        """A close that waited for it goes on."""
        self._producer = None
        self._streaming = False
        if self.disconnecting:
            self._close()

    def pauseProducing(self) -> None:
        """Nothing arrives."""
        self.paused = True

    def resumeProducing(self) -> None:
        """What waits arrives, from the next turn on."""
        self.paused = False
        if self._in is not None:
            self._in.wake()

    def stopProducing(self) -> None:
        """As ``loseConnection``."""
        self.loseConnection()

    # -- what the pipes call -------------------------------------------------------------------------------------------

    def arrived(self, data: bytes) -> None:
        if not self.over and data:
            self.received_bytes += len(data)
            self.protocol.dataReceived(data)

    def drained(self) -> None:
        """Some of what was written has arrived."""
        if self._closing and not self._out.bytes_under_way:
            self._network.clock.callLater(0, self.ended, ConnectionDone("closed here"))
        if self._producer is None or self._out.bytes_under_way > HIGH_WATER_BYTES // 2:
            return
        if not self._streaming:
            self._producer.resumeProducing()
        elif self._producer_paused:
            self._producer_paused = False
            self._producer.resumeProducing()

    def heard_end(self, reason: Exception) -> None:
        """The other end closed, or its half: a protocol that knows of halves goes on writing."""
        clean = isinstance(reason, ConnectionDone) and not self.disconnecting
        if clean and not self.over and IHalfCloseableProtocol.providedBy(self.protocol):
            self.protocol.readConnectionLost()
        else:
            self.ended(reason)

    def ended(self, reason: Exception) -> None:
        """This end is over; the other one learns of a clean end after what is under way to it."""
        if self.over:
            return
        self.over = True
        if isinstance(reason, ConnectionDone):
            self._tell_end(reason)
        if self._in is not None:
            self._in.clear()
        producer, self._producer, self._streaming = self._producer, None, False
        if producer is not None:
            producer.stopProducing()
        protocol, self.protocol = self.protocol, None
        if protocol is not None:
            protocol.connectionLost(Failure(reason))  # type: ignore[no-untyped-call]

    def wake(self) -> None:
        """The partition is healed."""
        self._out.wake()

    @property
    def busy(self) -> bool:
        """Whether something that was written here, or the end, has not arrived there."""
        return self._out.busy

    def _close(self) -> None:
        """The end is told here when everything has arrived there."""
        self._closing = True
        self._tell_end(ConnectionDone("closed there"))
        self.drained()

    def _tell_end(self, reason: Exception) -> None:
        """The other end learns of it, once, behind everything that was written."""
        if not self._write_ended:
            self._write_ended = True
            self._out.end(reason)


def joined(
    network: Surroundings, one: MemoryAddress, other: MemoryAddress
) -> tuple[MemoryTransport, MemoryTransport]:
    """The two ends of a new connection; give each a protocol with ``connect``."""
    first, second = MemoryTransport(network, one, other), MemoryTransport(network, other, one)
    first._in, second._in = second._out, first._out
    first._out.reader, second._out.reader = second, first
    return first, second
