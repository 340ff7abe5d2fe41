"""A TCP connection joined to a line: bytes, back-pressure, half closes and breaks go both ways.

The same on both sides: a program's connection here, the target's at the exit. Not for: how either came about.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from twisted.internet.interfaces import IHalfCloseableProtocol, IReactorTime, ITCPTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from .line import Line, Valve

READ_BYTES = 262_096
"""What one full record of 256 KiB carries in a DATA frame: a connection that fills its reads reads so much at once."""


@dataclass
class Tally:
    """What one side has done so far. ``failures`` counts by the names of codes."""

    connections: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    failures: dict[str, int] = field(default_factory=dict)

    def failed(self, name: str) -> None:
        """One more of these."""
        self.failures[name] = self.failures.get(name, 0) + 1


@implementer(IHalfCloseableProtocol)
class Splice(Protocol):
    """``tally.bytes_sent`` counts what went into the line, ``bytes_received`` what came out of it."""

    transport: Any

    def __init__(self, clock: IReactorTime, tally: Tally) -> None:
        self._clock, self._tally = clock, tally
        self.line: Line | None = None
        self._reading: Valve | None = None
        self._read_ended = False
        self.moved_at = clock.seconds()

    def join(self, line: Line) -> None:
        """From now on everything goes through. The line has a call on it, whose party this becomes."""
        self.line = line
        line.party = self
        self._reading = Valve(self.transport)
        line.transport.registerProducer(self._reading, True)
        self.transport.registerProducer(Valve(line.transport), True)
        if self._read_ended:
            self._say_end()

    # -- from the socket -----------------------------------------------------------------------------------------------

    def dataReceived(self, data: bytes) -> None:
        """Into the line."""
        if self.line is not None:
            self.moved_at = self._clock.seconds()
            self._tally.bytes_sent += len(data)
            if len(data) == getattr(self.transport, "bufferSize", 0):
                self.transport.bufferSize = READ_BYTES
            self.line.data(data)

    def readConnectionLost(self) -> None:
        """The program or the target sends no more; it may still read."""
        self._read_ended = True
        if self.line is not None:
            self._say_end()

    def writeConnectionLost(self) -> None:
        """Our half is closed, as we wished."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The socket is gone; a call that was not over breaks off."""
        line, self.line = self.line, None
        if line is not None and not line.idle:
            line.party = None
            line.abort()

    def _say_end(self) -> None:
        line, reading = self.line, self._reading
        if line is None or reading is None:
            return
        reading.shut()
        line.transport.unregisterProducer()
        over = line.heard_end
        line.end()
        if over:
            self._close()

    # -- from the line -------------------------------------------------------------------------------------------------

    def line_data(self, data: bytes) -> None:
        """Out to the socket."""
        self.moved_at = self._clock.seconds()
        self._tally.bytes_received += len(data)
        self.transport.write(data)

    def line_ended(self) -> None:
        """Our half of the socket closes behind what was written."""
        if self.line is None or self.line.said_end:
            self._close()
        else:
            self.transport.unregisterProducer()
            self.transport.loseWriteConnection()

    def line_datagram(self, body: bytes) -> None:
        """Never: the line takes datagrams for associations only."""

    def line_lost(self) -> None:
        """Broken off there, so broken off here: no clean end that would pass for all there was."""
        self.line = None
        self.transport.abortConnection()

    def _close(self) -> None:
        self.line = None  # the next call may be on it already
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def timed_out(self) -> None:
        """Nothing moved for too long."""
        self.transport.abortConnection()


def without_delay(transport: Any) -> None:
    """Small pieces leave at once, where that can be said."""
    if ITCPTransport.providedBy(transport):
        transport.setTcpNoDelay(True)


class IdleWatch:
    """Ends what has not moved for ``seconds``. One timer for all, so that moving costs nothing."""

    def __init__(self, clock: IReactorTime, seconds: float) -> None:
        self._clock, self._seconds = clock, seconds
        self._watched: set[Any] = set()
        self._call: Any = None

    def __len__(self) -> int:
        return len(self._watched)

    def __iter__(self) -> Any:
        return iter(list(self._watched))

    def add(self, moving: Any) -> None:
        """Something with ``moved_at`` and ``timed_out()``."""
        self._watched.add(moving)
        if self._call is None:
            self._call = self._clock.callLater(self._seconds / 4, self._look)

    def discard(self, moving: Any) -> None:
        """It is over."""
        self._watched.discard(moving)

    def _look(self) -> None:
        self._call = None
        oldest = self._clock.seconds() - self._seconds
        for moving in list(self._watched):
            if moving.moved_at <= oldest:
                moving.timed_out()
        if self._watched:
            self._call = self._clock.callLater(self._seconds / 4, self._look)
