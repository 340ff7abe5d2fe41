"""A stream channel as a Twisted transport: any ``IProtocol`` runs on it unchanged.

Back-pressure goes both ways without code of the author: a full channel pauses the registered producer, and data that a
paused protocol has not taken keeps its credit. Each direction closes on its own (fin); ``connectionLost`` comes exactly
once, never from inside a call that the protocol itself makes, and carries the code of a reset.
Not for: opening streams (``guesthost.py``) or deciding who may (``host.py``). Spec: docs/spec/channels.md.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import (
    IAddress,
    IConsumer,
    IHalfCloseableProtocol,
    IPushProducer,
    IReactorTime,
    ITCPTransport,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from quantumgate.errors import LocalError, QuantumGateError
from quantumgate.extender.doors import ChannelDoor, CloseReason
from quantumgate.extender.endings import StreamReset, failed, reason_of
from quantumgate.extender.producers import ProducerTap
from quantumgate.extender.tcplike import TcpLike
from quantumgate.wire.codes import FIRST_GUEST_RESET_CODE, ResetCode
from quantumgate.wire.limits import KIB, MIB

LINGER_SECONDS = 60.0
"""How long a peer may leave its half of a closed stream open after it took all that we sent."""

DISCARD_BYTES = 16 * MIB
"""How much a peer may still send into a stream that we closed: what an honest one can have queued."""


GATHER_BYTES = 4096
GATHERED_BYTES = 64 * KIB
"""Pieces smaller than the first wait together, up to the second: a window of single bytes costs no object for each."""


@implementer(IAddress)
@dataclass(frozen=True)
class StreamAddress:
    """One end of a stream: the peer's UUID (None if it is anonymous), the extender's, and the label of the stream."""

    uuid: UUID | None
    extender: UUID
    label: bytes


@implementer(ITCPTransport, IPushProducer, IConsumer)
class StreamTransport(TcpLike):
    """One stream of one guest. Made before its protocol is known; what comes in until then waits.

    ``fault(where, error)`` is told what the protocol or its producer raised; ``over(self)`` that the stream has ended.
    """

    disconnecting = False
    superseded = False
    """Whether the peer is reached over another circuit by now: this stream runs on, but new work is better begun there.
    """
    protocol: Any = None
    on_end: Callable[[Failure], None] | None = None
    """Called once, before ``connectionLost``, while somebody waits for the stream to be accepted."""

    def __init__(
        self,
        channel: ChannelDoor,
        addresses: tuple[StreamAddress, StreamAddress],
        clock: IReactorTime,
        fault: Callable[[str, BaseException], None],
        over: Callable[[StreamTransport], None],
    ) -> None:
        self._channel, self._addresses, self._clock = channel, addresses, clock
        self._fault, self._over = fault, over
        self._inbox: deque[bytes | bytearray] = deque()
        self._paused = self._fin_came = self._fin_told = False
        self._finished = self._half_closing = self._lost = False
        self._reason: Failure | None = None
        self._due: Any = None
        self._linger: Any = None
        self._discarded_bytes = 0
        self._tap = ProducerTap(clock, self._contained)
        channel.on_data = self._data
        channel.on_fin = self._fin
        channel.on_room = self._tap.open
        channel.on_closed = self._closed

    # -- writing -----------------------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Sends; after the stream or this half of it was closed, drops. Past the error mark the stream is reset."""
        if self._finished or self._reason is not None:
            return
        if type(data) is not bytes:
            data = _as_bytes(data)
        try:
            room = self._channel.write(data)
        except QuantumGateError as error:
            self._end(reason_of(error))
            return
        if room:
            self._tap.wrote()
        else:
            self._tap.close()

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """As ``write`` of all of them joined."""
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        """Sends what was written, waits for a registered producer to end, then closes both halves."""
        if self.disconnecting or self._reason is not None:
            return
        self.disconnecting = True
        if not self._tap.busy:
            self._finish()

    def loseWriteConnection(self) -> None:
        """As ``loseConnection``, but the other direction stays open. The peer is told by fin."""
        if self._finished or self._half_closing or self.disconnecting or self._reason is not None:
            return
        self._half_closing = True
        if not self._tap.busy:
            self._finish()

    def abortConnection(self, code: int = ResetCode.CANCELLED) -> None:
        """Drops what waits and resets the stream. ``code`` is 0, or one of the extender's own from 0x8000 on."""
        if code != ResetCode.CANCELLED and not FIRST_GUEST_RESET_CODE <= code <= 0xFFFF:
            raise LocalError(f"a reset code of an extender is from 0x8000 to 0xffff, found {code:#x}")
        if self._reason is None:
            self._end(failed(ConnectionAborted("aborted here")), code)

    def _finish(self) -> None:
        if self._reason is not None:
            return
        if self.disconnecting and self._linger is None:
            self._linger = self._clock.callLater(LINGER_SECONDS, self._lingered)
        if not self._finished:
            self._finished = True
            self._channel.finish()
        self._soon()

    def _lingered(self) -> None:
        """The peer may read slowly as long as it likes; once it has everything, its own half must end, too."""
        self._linger = None
        if self._reason is not None:
            return
        if self._channel.queued_bytes:
            self._linger = self._clock.callLater(LINGER_SECONDS, self._lingered)
        else:
            self._end(reason_of(None), ResetCode.TIMEOUT)

    # -- producers that write into us --------------------------------------------------------------------------------

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Push producers are paused while the channel is full, pull producers asked while it is not."""
        if self._finished or self._reason is not None:
            producer.stopProducing()
        else:
            self._tap.register(producer, streaming)

    def unregisterProducer(self) -> None:
        """No more comes from it; a close that waited for it goes on."""
        self._tap.unregister()
        if self.disconnecting or self._half_closing:
            self._finish()

    # -- reading -------------------------------------------------------------------------------------------------------

    def pauseProducing(self) -> None:
        """Nothing more is delivered, and what comes in gets no credit: the peer's writer stops at its window's end."""
        self._paused = True

    def resumeProducing(self) -> None:
        """Delivery goes on, from the next turn of the reactor."""
        self._paused = False
        if self._inbox or self._fin_came or self._reason is not None:
            self._soon()

    def stopProducing(self) -> None:
        """As ``loseConnection``."""
        self.loseConnection()

    def connect(self, protocol: Any) -> None:
        """Gives the stream its protocol: ``makeConnection`` at once, what has come in from the next turn on."""
        self.protocol = protocol
        self._contained("connectionMade", protocol.makeConnection, self)
        if self._inbox or self._fin_came or self._reason is not None:
            self._soon()

    def _data(self, data: bytes) -> None:
        if self._reason is not None:
            return
        if self._inbox or self._paused or self.protocol is None:
            self._keep(data)
            if self._discarding():
                self._soon()
        else:
            self._deliver(data)

    def _keep(self, data: bytes) -> None:
        """It waits; how much may wait in all is bounded by the window, which is not renewed meanwhile."""
        last = self._inbox[-1] if self._inbox else b""
        if len(data) >= GATHER_BYTES:
            self._inbox.append(data)
        elif type(last) is bytearray and len(last) < GATHERED_BYTES:
            last += data
        else:
            self._inbox.append(bytearray(data))

    def _deliver(self, data: bytes) -> None:
        if self._discarding():
            self._discard(len(data))
        else:
            self._contained("dataReceived", self.protocol.dataReceived, data)
        if not self._channel.closed:
            self._channel.consumed(len(data))

    def _discarding(self) -> bool:
        return self.disconnecting and self._finished

    def _discard(self, n: int) -> None:
        self._discarded_bytes += n
        if self._discarded_bytes > DISCARD_BYTES and self._reason is None:
            error = StreamReset("the peer went on sending into a closed stream", ResetCode.LIMIT)
            self._end(failed(error), ResetCode.LIMIT)

    def _fin(self) -> None:
        self._fin_came = True
        self._advance()

    def _closed(self, error: CloseReason) -> None:
        if self._reason is None:
            self._reason = reason_of(error)
            if error is not None:
                self._inbox.clear()
            self._soon()

    # -- ends ----------------------------------------------------------------------------------------------------------

    def refuse(self, code: int, text: str = "") -> None:
        """Ends a stream whose protocol never came."""
        self._end(failed(StreamReset(text or "refused here", code)), code, text)

    def lose(self, reason: Failure, code: int = ResetCode.CANCELLED) -> None:
        """Ends the stream at once, ``connectionLost`` included: its session or its guest is over."""
        if self._inbox and self._ended_cleanly():
            self._reason = reason  # what came before the clean end was never read: the end is not clean any more
        self._end(reason, code)
        self._inbox.clear()
        self._lose()

    @property
    def ended(self) -> bool:
        """Whether the stream is over, told or not."""
        return self._reason is not None

    def _end(self, reason: Failure, code: int = ResetCode.CANCELLED, text: str = "") -> None:
        """Our own doing: the first reason stands, the channel is reset, ``connectionLost`` follows in the next turn."""
        if self._reason is None:
            self._reason = reason
            self._inbox.clear()
            if not self._channel.closed:
                self._channel.reset(code, text)
            self._soon()

    def _soon(self) -> None:
        if self._due is None and not self._lost:
            self._due = self._clock.callLater(0, self._advance_due)

    def _advance_due(self) -> None:
        self._due = None
        self._advance()

    def _advance(self) -> None:
        """Hands over what is due, in order: data, the end of data, the end of the stream."""
        while self._inbox and self._may_deliver():
            self._deliver(bytes(self._inbox.popleft()))
        if self._half_closing and self._finished and self._reason is None:
            self._half_closing = False
            self._tell_half_closed()
        if self._inbox:
            return
        if self._fin_came and not self._fin_told and self._may_deliver():
            self._fin_told = True
            self._tell_fin()
        if self._reason is not None and (self.protocol is None or self._may_deliver() or not self._ended_cleanly()):
            self._lose()

    def _may_deliver(self) -> bool:
        return self.protocol is not None and (not self._paused or self._discarding())

    def _ended_cleanly(self) -> bool:
        return self._reason is not None and isinstance(self._reason.value, ConnectionDone)

    def _tell_fin(self) -> None:
        """As TCP does: a protocol that knows nothing of halves loses its producer and closes its own half, too."""
        if IHalfCloseableProtocol.providedBy(self.protocol):
            self._contained("readConnectionLost", self.protocol.readConnectionLost)
        elif self._reason is None:
            self._tap.stop()
            self.loseConnection()

    def _tell_half_closed(self) -> None:
        if IHalfCloseableProtocol.providedBy(self.protocol):
            self._contained("writeConnectionLost", self.protocol.writeConnectionLost)

    def _lose(self) -> None:
        if self._lost:
            return
        self._lost = True
        for call in (self._due, self._linger):
            if call is not None and call.active():
                call.cancel()
        self._due = self._linger = None
        self._tap.stop()
        if self.on_end is not None and self._reason is not None:
            self.on_end(self._reason)
        if self.protocol is not None:
            self._contained("connectionLost", self.protocol.connectionLost, self._reason)
        self.protocol = self.on_end = None  # as TCP does: the protocol may keep its transport, not both each other
        self._tap.let_go()
        self._over(self)

    def _contained(self, where: str, function: Callable[..., object], *arguments: object) -> None:
        try:
            function(*arguments)
        except BaseException as error:
            self._end(failed(error), ResetCode.GUEST_FAILED)
            self._fault(where, error)


def _as_bytes(data: Any) -> bytes:
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(data)
    raise TypeError(f"a stream carries bytes, found {type(data).__name__}")
