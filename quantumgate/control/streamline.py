"""One connection of the second unix socket: lines of JSON first, then frames that carry one stream.

After an answer that says so, both ways carry frames: a byte of kind, three of length, a body. DATA is bytes of the
stream, FIN (empty) ends one half, RESET (a code and a text) ends both. Without FIN or RESET the end of the socket is
the loss of the other process: it never looks like the end of the data. Not for: what the lines ask
(``streamsocket.py``, ``attach.py``). Spec: docs/spec/services.md.
"""

from __future__ import annotations

import struct
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

from quantumgate.control.messages import MAX_REQUEST_BYTES
from quantumgate.errors import ChannelReset
from quantumgate.extender.endings import StreamReset, failed

DATA, FIN, RESET = 0, 1, 2
HEAD = struct.Struct(">I")
LENGTH_MASK = 0xFFFFFF
PIECE_BYTES = LENGTH_MASK
"""More of one write goes into several frames."""
RESET_TEXT_BYTES = 512
LINGER_SECONDS = 60.0
"""How long the other side may leave its half of a closed stream open."""
ABORT_SECONDS = 5.0
"""How long a RESET may take to leave."""


@implementer(ITCPTransport, IPushProducer, IConsumer)
class StreamLine(Protocol):
    """``on_line(bytes)`` gets the lines; after ``carry`` the object is the transport of a protocol, too.

    ``on_lost(reason)`` is called where the socket ends while it carries lines.
    """

    transport: Any
    disconnecting = False

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._received = bytearray()
        self._carrying = self._paused = self._advancing = False
        self._due = 0
        self._fin_sent = self._fin_came = self._lost = self._half_closing = False
        self._reason: Failure | None = None
        self._producer: Any = None
        self._timer: Any = None
        self._addresses: tuple[Any, Any] = (None, None)
        self.guest: Any = None
        self.on_line: Callable[[bytes], object] = lambda line: None
        self.on_lost: Callable[[Failure], object] = lambda reason: None

    # -- what comes in -----------------------------------------------------------------------------------------------

    def dataReceived(self, data: bytes) -> None:
        if self._reason is None:
            self._received += data
            self._advance()

    def _advance(self) -> None:
        if self._advancing:
            return
        self._advancing = True
        try:
            while self._received and not self._lost and self._may_advance():
                if not (self._take_frame() if self._carrying else self._take_line()):
                    break
        finally:
            self._advancing = False

    def _may_advance(self) -> bool:
        return not self._carrying or (self.guest is not None and (not self._paused or self.disconnecting))

    def _take_line(self) -> bool:
        end = self._received.find(b"\n")
        if end < 0 or end > MAX_REQUEST_BYTES:
            if len(self._received) > MAX_REQUEST_BYTES:
                self._give_up("a line is too long")
            return False
        line = bytes(self._received[:end])
        del self._received[: end + 1]
        self.on_line(line)
        return True

    def _take_frame(self) -> bool:
        if not self._due:
            return self._take_head()
        piece = bytes(self._received[: self._due])
        del self._received[: self._due]
        self._due -= len(piece)
        if not self.disconnecting:
            self.guest.dataReceived(piece)
        return True

    def _take_head(self) -> bool:
        if len(self._received) < HEAD.size:
            return False
        (head,) = HEAD.unpack_from(self._received)
        kind, length = head >> 24, head & LENGTH_MASK
        if kind == RESET and len(self._received) < HEAD.size + length <= HEAD.size + 2 + RESET_TEXT_BYTES:
            return False
        del self._received[: HEAD.size]
        if kind == DATA:
            self._due = length
        elif kind == FIN:
            self._fin()
        elif kind == RESET and 2 <= length <= 2 + RESET_TEXT_BYTES:
            self._reset(bytes(self._received[:length]))
        else:
            self._give_up("a frame is malformed")
            return False
        return True

    def _fin(self) -> None:
        self._fin_came = True
        if self._fin_sent:
            self.transport.loseConnection()
        elif IHalfCloseableProtocol.providedBy(self.guest):
            self.guest.readConnectionLost()
        else:
            self.loseConnection()

    def _reset(self, body: bytes) -> None:
        code = int.from_bytes(body[:2], "big")
        self._end(failed(StreamReset(body[2:].decode("utf-8", "replace") or "reset by the other side", code)))
        self.transport.abortConnection()

    def _give_up(self, why: str) -> None:
        self._end(failed(ConnectionLost(why)))
        self.transport.abortConnection()

    def _end(self, reason: Failure) -> None:
        self._reason = self._reason or reason
        self._received.clear()
        self._due = 0

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._lost = True
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        if self._fin_sent and self._fin_came:
            reason = self._reason or connectionDone
        else:
            reason = self._reason or failed(ConnectionLost("the other process is gone"))
        if self.guest is not None:
            self.guest.connectionLost(reason)
        elif not self._carrying:
            self.on_lost(reason)

    # -- lines ---------------------------------------------------------------------------------------------------------

    def send_line(self, line: bytes) -> None:
        """``line`` has its newline."""
        if not self._lost:
            self.transport.write(line)

    def carry(self, addresses: tuple[Any, Any] = (None, None)) -> None:
        """From here on, frames: ``addresses`` are ``getHost`` and ``getPeer``. They wait for ``connect``."""
        self._carrying, self._addresses = True, addresses

    def connect(self, protocol: Any, addresses: tuple[Any, Any]) -> None:
        """The protocol of the stream."""
        self.guest, self._addresses = protocol, addresses
        protocol.makeConnection(self)
        if self._lost:
            protocol.connectionLost(self._reason or failed(ConnectionLost("the other process is gone")))
        elif self._received:
            self._clock.callLater(0, self._advance)

    # -- the transport of the stream -----------------------------------------------------------------------------------

    def getHost(self) -> Any:
        """This end, a StreamAddress."""
        return self._addresses[0]

    def getPeer(self) -> Any:
        """The other end, a StreamAddress with the peer's UUID."""
        return self._addresses[1]

    def getTcpNoDelay(self) -> bool:
        """True: see ``StreamTransport``."""
        return True

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Nothing to set."""

    def getTcpKeepAlive(self) -> bool:
        """True: the session watches over it."""
        return True

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Nothing to set."""

    def write(self, data: bytes) -> None:
        """Drops what comes after the end of this half."""
        if self._fin_sent or self._lost or self._reason is not None:
            return
        for start in range(0, len(data), PIECE_BYTES):
            piece = data[start : start + PIECE_BYTES]
            self.transport.writeSequence((HEAD.pack(DATA << 24 | len(piece)), piece))

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
        body = code.to_bytes(2, "big") + text.encode()[:RESET_TEXT_BYTES]
        self._forget_producer()
        self.transport.write(HEAD.pack(RESET << 24 | len(body)) + body)
        self.transport.loseConnection()
        self._after(ABORT_SECONDS)

    def _finish(self) -> None:
        if self._producer is not None or self._lost or self._reason is not None:
            return
        if not self._fin_sent:
            self._fin_sent = True
            self.transport.write(HEAD.pack(FIN << 24))
            if IHalfCloseableProtocol.providedBy(self.guest) and not self.disconnecting:
                self.guest.writeConnectionLost()
        if self._fin_came:
            self.transport.loseConnection()
        elif self.disconnecting:
            self._after(LINGER_SECONDS)

    def _after(self, seconds: float) -> None:
        if self._timer is None:
            self._timer = self._clock.callLater(seconds, self.transport.abortConnection)

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
            if self._received:
                self._clock.callLater(0, self._advance)

    def stopProducing(self) -> None:
        """As ``loseConnection``."""
        self.loseConnection()


def reset_of(error: BaseException | None) -> tuple[int, str]:
    """The code and the text with which a stream's end is told to the other process."""
    return (error.code, str(error)) if isinstance(error, ChannelReset) else (0, str(error or ""))
