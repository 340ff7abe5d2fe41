"""The pump: one transport, one core Connection, and nothing decided in between.

On a plain TCP or unix socket it reads straight into the record's buffer and writes straight from it; any other
transport (TLS, memory) goes through Twisted's own ``dataReceived`` and producer calls. Not for: who connects
(``listener.py``, ``dialer.py``), what events mean (the owner), the timer (``pump.py``). Spec of
behaviour: house.md "fast path".
"""

from __future__ import annotations

import errno
import socket
from typing import Any

from twisted.internet import main
from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.internet.protocol import Protocol
from twisted.internet.tcp import Connection as SocketTransport
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from quantumgate.core.connection import Connection
from quantumgate.net.pump import ConnectionOwner, Pump
from quantumgate.wire.limits import FIRST_FLIGHT_MCELIECE_BYTES

NOT_SENT_LOW_WATER_BYTES = 128 * 1024
"""TCP_NOTSENT_LOWAT: the kernel calls a socket writable only below this many unsent bytes; more would wait there."""

RECORDS_PER_TURN = 4
"""After this many records written in one reactor turn the others have theirs."""

HANG_UP_SECONDS = 10
"""A transport that has not closed so long after it was asked to (a peer that reads nothing, a TLS end that does not
answer) is dropped."""

UNSLOWED_BYTES = FIRST_FLIGHT_MCELIECE_BYTES
"""Of what is only discarded so much is read as fast as it comes, as the longest first flight would be: the end behind
it is seen at once whether it was discarded or awaited. [ADR 0170]"""

EMPTIED_BYTES = 64 * 1024
"""Taken from the kernel at a time, before a close."""

_TCP_NOTSENT_LOWAT = getattr(socket, "TCP_NOTSENT_LOWAT", 25)
_WOULD_BLOCK = (errno.EWOULDBLOCK, errno.EAGAIN, errno.ENOBUFS, errno.EINTR)


@implementer(IPushProducer)
class PeerProtocol(Pump, Protocol):
    """Pumps until the connection is finished. ``wake`` flushes at the end of the reactor's turn."""

    log = Logger("quantumgate.net")

    def __init__(self, connection: Connection, owner: ConnectionOwner, reactor: IReactorTime) -> None:
        super().__init__(connection, owner, reactor)
        self._flush_call: Any = None
        self._pumping = False
        self._fast = self._producing = False
        self._socket: Any = None
        self._paused = self._blocked = self._asks_to_write = False
        self._unconfirmed = 0
        self._slow_bytes = 0
        self._unslowed_bytes = 0
        self._rest_call: Any = None
        self._drop_call: Any = None
        self._reading = self._closes_with_read = False
        self._gone = False
        connection.on_output = self.wake

    # -- life ----------------------------------------------------------------------------------------------------

    def connectionMade(self) -> None:
        """Take the socket over where that is possible, and say what the connection wants to say first."""
        transport = self.transport
        if isinstance(transport, SocketTransport) and getattr(transport, "TLS", False) is False:
            self._take_socket(transport)
        else:
            self._producing = True
            transport.registerProducer(self, True)  # type: ignore[union-attr]
        self._pump()

    def _take_socket(self, transport: SocketTransport) -> None:
        self._fast = True
        self._socket = transport.getHandle()
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, NOT_SENT_LOW_WATER_BYTES)
        except OSError:
            self.log.debug("no TCP_NOTSENT_LOWAT here, or no TCP")
        transport.doRead = self._do_read  # type: ignore[method-assign]
        transport.doWrite = self._do_write  # type: ignore[method-assign]

    def connectionLost(self, reason: Failure = main.CONNECTION_DONE) -> None:  # type: ignore[assignment]
        """The transport is gone, for whatever reason."""
        self._gone = True
        self._forget_timer()
        for call in (self._flush_call, self._rest_call, self._drop_call):
            if call is not None:
                call.cancel()
        self._flush_call = self._rest_call = self._drop_call = None
        if not self.connection.finished:
            self.connection.eof(self._seconds())
        self._give_events()
        self.connection.let_go()
        if self._fast and self.transport is not None:
            # the instance's own methods refer to this protocol and back: a cycle that would live until a collection
            del self.transport.doRead, self.transport.doWrite  # type: ignore[attr-defined]

    def abort(self) -> None:
        """Drop the transport at once."""
        if not self._gone and self.transport is not None:
            self.transport.abortConnection()  # type: ignore[attr-defined]

    def read_slowly(self, bytes_per_second: int) -> None:
        """A connection that only discards: beyond UNSLOWED_BYTES nothing is read faster than this. [A33]"""
        self._slow_bytes, self._unslowed_bytes = bytes_per_second, UNSLOWED_BYTES
        if self._fast:
            self.transport.doRead = self._read_and_discard  # type: ignore[union-attr]

    def _read_and_discard(self) -> Any:
        try:
            count = len(self._socket.recv(self._slow_bytes))
        except OSError as problem:
            return None if problem.errno in _WOULD_BLOCK else main.CONNECTION_LOST
        if not count:
            return main.CONNECTION_DONE
        self._rest(count)
        return None

    def _rest(self, count: int) -> None:
        """Read nothing for as long as ``count`` bytes may take, once UNSLOWED_BYTES have come."""
        self._unslowed_bytes -= count
        if self._unslowed_bytes >= 0:
            return
        if self._rest_call is None and self.transport is not None:
            self.transport.pauseProducing()  # type: ignore[attr-defined]
            self._rest_call = self._reactor.callLater(count / self._slow_bytes, self._rested)

    def _rested(self) -> None:
        self._rest_call = None
        if not self._gone and self.transport is not None:
            self.transport.resumeProducing()  # type: ignore[attr-defined]

    # -- the fast road -------------------------------------------------------------------------------------------

    def _do_read(self) -> Any:
        connection = self.connection
        try:
            count = self._socket.recv_into(connection.buffer())
        except OSError as problem:
            return None if problem.errno in _WOULD_BLOCK else main.CONNECTION_LOST
        if not count:
            return main.CONNECTION_DONE
        self._pumping = True
        try:
            connection.received(count, self._seconds())
        finally:
            self._pumping = False
        self._reading = True
        self._pump()
        self._reading = False
        return main.CONNECTION_DONE if self._closes_with_read else None

    def _do_write(self) -> Any:
        self._blocked = False
        result = self._flush_socket()
        self._after_flush()
        return result

    def _flush_socket(self) -> Any:
        connection = self.connection
        now = self._seconds()
        for _ in range(RECORDS_PER_TURN):
            chunk = connection.data_to_send(now)
            if chunk is None:
                self._ask_to_write(False)
                return None
            try:
                count = self._socket.send(chunk)
            except OSError as problem:
                if problem.errno not in _WOULD_BLOCK:
                    return main.CONNECTION_LOST
                count = 0
            connection.taken(count, now)
            if count < len(chunk):
                self._blocked = True
                break
            if connection.quiet:
                self._ask_to_write(False)
                return None
        self._ask_to_write(True)
        return None

    def _ask_to_write(self, wanted: bool) -> None:
        """Whether the reactor is to call ``_do_write`` when the socket has room."""
        if wanted is not self._asks_to_write:
            self._asks_to_write = wanted
            transport: Any = self.transport
            transport.startWriting() if wanted else transport.stopWriting()

    # -- the common road -----------------------------------------------------------------------------------------

    def dataReceived(self, data: bytes) -> None:
        """Bytes from a transport that is not a plain socket."""
        if self._slow_bytes:
            self._rest(len(data))
            return
        self._pumping = True
        try:
            self.connection.receive(data, self._seconds())
        finally:
            self._pumping = False
        self._pump()

    def _flush_transport(self) -> None:
        connection = self.connection
        transport = self.transport
        while not self._paused and not self._gone and transport is not None:
            chunk = connection.data_to_send(self._seconds())
            if chunk is None:
                return
            self._unconfirmed = len(chunk)
            transport.write(bytes(chunk))
            if not self._paused:
                self._confirm()

    def _confirm(self) -> None:
        count, self._unconfirmed = self._unconfirmed, 0
        if count:
            self.connection.taken(count, self._seconds())

    def pauseProducing(self) -> None:
        """The transport holds enough."""
        self._paused = True

    def resumeProducing(self) -> None:
        """The transport sent what it held."""
        self._paused = False
        self._confirm()
        self._pump()

    def stopProducing(self) -> None:
        """The transport takes nothing any more."""
        self._paused = True

    # -- after anything happened ---------------------------------------------------------------------------------

    def wake(self) -> None:
        """Something waits to be sent: flush when this turn of the reactor has queued all it has."""
        if self._flush_call is None and not self._pumping and not self._gone:
            self._flush_call = self._reactor.callLater(0, self._flush_later)

    def _flush_later(self) -> None:
        self._flush_call = None
        self._pump()

    def _pump(self) -> None:
        """Events, then output, then the timer."""
        if self._gone or self._pumping or self.transport is None:
            return
        if self.connection.events:
            self._pumping = True  # what the owner queues now goes out below: it needs no turn of its own
            self._give_events()
            self._pumping = False
        if self._fast:
            failed = None if self._gone or self._blocked else self._flush_socket()
            if failed is not None:
                self.transport.connectionLost(Failure(failed))  # type: ignore[attr-defined, no-untyped-call]
                return
        else:
            self._flush_transport()
        self._after_flush()

    def _after_flush(self) -> None:
        connection = self.connection
        if self._gone:
            return
        if connection.events:
            self._give_events()
        if connection.finished:
            self._finish()
        elif connection.timer_moved or self._timer is None:
            self._set_timer()

    def _finish(self) -> None:
        """All is said; what the kernel holds still goes out."""
        self.hang_up()

    def hang_up(self) -> None:
        """Close the transport after what it holds, but within HANG_UP_SECONDS."""
        if self.transport is None or self._gone or self._drop_call is not None:
            return
        if self._reading and self._fast and not self._slow_bytes:
            self._closes_with_read = True  # the kernel has everything: the reactor closes it when this read returns
            return
        if self._producing:  # it would wait for its producer for ever
            self._producing = False
            self.transport.unregisterProducer()  # type: ignore[attr-defined]
        self._drop_call = self._reactor.callLater(HANG_UP_SECONDS, self._waited_enough)
        self._give_socket_back()
        if self._slow_bytes and self._socket is not None:
            self._empty_socket()
        self.transport.loseConnection()

    def _give_socket_back(self) -> None:
        """Only the transport's own ``doWrite`` knows that it is to close when nothing is left."""
        if self._fast:
            transport: Any = self.transport
            transport.__dict__.pop("doRead", None)
            transport.__dict__.pop("doWrite", None)
            self._fast = False

    def _empty_socket(self) -> None:
        """The kernel resets what is closed with bytes unread, and that would tell how much was sent. [ADR 0170]"""
        try:
            left_bytes = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
            while left_bytes > 0 and (count := len(self._socket.recv(EMPTIED_BYTES))):
                left_bytes -= count
        except OSError:
            return  # nothing is left, or it is gone

    def _waited_enough(self) -> None:
        self._drop_call = None
        self.abort()
