"""One connection of the second unix socket: lines of JSON first, then a stream, whose transport it becomes.

Without FIN or RESET the end of the socket is the loss of the other process: it never looks like the end of the data.
Not for: how lines and frames are spelt (``streamframes.py``), or what the lines ask (``streamsocket.py``,
``attach.py``). Spec: docs/spec/services.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.error import ConnectionAborted, ConnectionLost
from twisted.internet.interfaces import (
    IConsumer,
    IHalfCloseableProtocol,
    IPushProducer,
    IReactorTime,
    ITCPTransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from quantumgate.control import streamframes
from quantumgate.control.streamframes import FIN, LINE, RESET, Unread
from quantumgate.errors import ChannelReset, MalformedError
from quantumgate.extender.endings import StreamReset, failed
from quantumgate.extender.tcplike import TcpLike

LINGER_SECONDS = 60.0
"""How long the other side may leave its half of a closed stream open."""
ABORT_SECONDS = 5.0
"""How long a RESET may take to leave."""


@implementer(ITCPTransport, IPushProducer, IConsumer)
class StreamLine(TcpLike, Protocol):
    """``on_line(bytes)`` gets the lines; after ``carry`` the object is the transport of a protocol, too.

    ``on_lost(reason)`` is called where the socket ends while it carries lines.
    """

    transport: Any
    disconnecting = False

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._unread = Unread()
        self._paused = self._advancing = False
        self._fin_sent = self._fin_came = self._lost = self._half_closing = False
        self._reason: Failure | None = None
        self._producer: Any = None
        self._timer: Any = None
        self.guest: Any = None
        self.on_line: Callable[[bytes], object] = lambda line: None
        self.on_lost: Callable[[Failure], object] = lambda reason: None

    # -- what comes in -----------------------------------------------------------------------------------------------

    def dataReceived(self, data: bytes) -> None:
        if self._reason is None:
            self._unread.feed(data)
            self._advance()

    def _advance(self) -> None:
        if self._advancing:
            return
        self._advancing = True
        try:
            while not self._lost and self._may_advance() and (part := self._next()) is not None:
                self._hand_over(*part)
        finally:
            self._advancing = False

    def _may_advance(self) -> bool:
        return not self._unread.framed or (self.guest is not None and (not self._paused or self.disconnecting))

    def _next(self) -> tuple[int, bytes] | None:
        try:
            return self._unread.next()
        except MalformedError as error:
            self._give_up(str(error))
            return None

    def _hand_over(self, kind: int, body: bytes) -> None:
        if kind == LINE:
            self.on_line(body)
        elif kind == RESET:
            code, text = streamframes.reset_body(body)
            self._end(failed(StreamReset(text or "reset by the other side", code)))
            self.transport.abortConnection()
        elif self._fin_came:
            self._give_up("a frame came behind the end of its half")
        elif kind == FIN:
            self._fin()
        elif not self.disconnecting:
            self.guest.dataReceived(body)

    def _fin(self) -> None:
        self._fin_came = True
        if self._fin_sent:
            self.transport.loseConnection()
        elif IHalfCloseableProtocol.providedBy(self.guest):
            self.guest.readConnectionLost()
        else:
            self.loseConnection()

    def _give_up(self, why: str) -> None:
        self._end(failed(ConnectionLost(why)))
        self.transport.abortConnection()

    def _end(self, reason: Failure) -> None:
        self._reason = self._reason or reason
        self._unread.clear()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._advance()  # what the other process sent before it closed may wait here still
        self._lost = True
        self._stop_timer()
        if self._fin_sent and self._fin_came:
            reason = self._reason or connectionDone
        else:
            reason = self._reason or failed(ConnectionLost("the other process is gone"))
        if self.guest is not None:
            self.guest.connectionLost(reason)
        elif not self._unread.framed:
            self.on_lost(reason)

    # -- lines ---------------------------------------------------------------------------------------------------------

    def send_line(self, line: bytes) -> None:
        """``line`` has its newline."""
        if not self._lost:
            self.transport.write(line)

    def carry(self) -> None:
        """From here on, frames. They wait for ``connect``."""
        self._unread.framed = True

    def connect(self, protocol: Any, addresses: tuple[Any, Any]) -> None:
        """The protocol of the stream; ``addresses`` are ``getHost`` and ``getPeer``."""
        self.guest, self._addresses = protocol, addresses
        protocol.makeConnection(self)
        if self._lost:
            protocol.connectionLost(self._reason or failed(ConnectionLost("the other process is gone")))
        elif self._unread:
            self._clock.callLater(0, self._advance)

    # -- the transport of the stream -----------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Drops what comes after the end of this half."""
        if self._fin_sent or self._lost or self._reason is not None:
            return
        self.transport.writeSequence(streamframes.data_frames(data))

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """As ``write`` of all of them joined."""
        self.write(b"".join(data))

    def loseWriteConnection(self) -> None:
        """Ends our half, after a registered producer."""
        self._half_closing = True
        self._finish()

    def loseConnection(self) -> None:
        """Sends what was written and ends our half; what still comes is dropped, and the other half may linger."""
        if not self.disconnecting and self._reason is None:
            self.disconnecting = True
            self.transport.resumeProducing()
            self._finish()
            self._clock.callLater(0, self._advance)

    def abortConnection(self, code: int = 0, text: str = "") -> None:
        """Ends both halves at once; the other side is told by RESET."""
        if self._lost or self._reason is not None:
            return
        self._end(failed(ConnectionAborted("aborted here")))
        self._forget_producer()
        self.transport.write(streamframes.reset_frame(code, text))
        self.transport.loseConnection()
        self._after(ABORT_SECONDS)

    def _finish(self) -> None:
        if self._producer is not None or self._lost or self._reason is not None:
            return
        if not self._fin_sent:
            self._fin_sent = True
            self.transport.write(streamframes.FIN_FRAME)
            if IHalfCloseableProtocol.providedBy(self.guest) and not self.disconnecting:
                self.guest.writeConnectionLost()
        if self._fin_came:
            self.transport.loseConnection()
        elif self.disconnecting:
            self._after(LINGER_SECONDS)

    def _after(self, seconds: float) -> None:
        self._stop_timer()
        self._timer = self._clock.callLater(seconds, self.transport.abortConnection)

    def _stop_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    # -- back-pressure -------------------------------------------------------------------------------------------------

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Paused while the socket takes no more."""
        if self._fin_sent or self._lost or self._reason is not None:
            producer.stopProducing()
        else:
            self._producer = producer
            self.transport.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """A close that waited for it goes on."""
        self._forget_producer()
        if self.disconnecting or self._half_closing:
            self._finish()

    def _forget_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            self.transport.unregisterProducer()

    def pauseProducing(self) -> None:
        """Nothing more is read from the socket, so that the other process has to wait."""
        self._paused = True
        if not self.disconnecting:
            self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """Goes on from the next turn of the reactor."""
        self._paused = False
        if not self._lost:
            self.transport.resumeProducing()
            if self._unread:
                self._clock.callLater(0, self._advance)

    def stopProducing(self) -> None:
        """As ``loseConnection``."""
        self.loseConnection()


def reset_of(error: BaseException | None) -> tuple[int, str]:
    """The code and the text with which a stream's end is told to the other process."""
    return (error.code, str(error)) if isinstance(error, ChannelReset) else (0, str(error or ""))
