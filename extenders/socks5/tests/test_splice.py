"""A splice's reads: as large as a record once a connection fills them, and framed in one piece."""

from __future__ import annotations

from typing import Any

from quantumgate_socks5.line import Line
from quantumgate_socks5.splice import READ_BYTES, Splice, Tally
from quantumgate_socks5.wire import HEADER_BYTES, Kind
from twisted.internet.abstract import FileDescriptor
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.padding import padded_body_bytes
from quantumgate.wire.limits import BULK_WIRE_BYTES, FRAME_HEADER_BYTES, RECORD_OVERHEAD_BYTES

FIRST_READ_BYTES = FileDescriptor.bufferSize


class Socket(StringTransport):
    """A transport that reads as Twisted's sockets do."""

    bufferSize = FIRST_READ_BYTES


class OpenLine(Line):
    kinds = frozenset(Kind)


class ReadTests(SynchronousTestCase):
    def spliced(self, transport: Any) -> Splice:
        splice, line = Splice(Clock(), Tally()), OpenLine()
        splice.makeConnection(transport)
        line.makeConnection(StringTransport())
        line.said_end = line.heard_end = False
        splice.join(line)
        return splice

    def test_a_connection_that_fills_its_reads_gets_larger_ones(self) -> None:
        socket = Socket()
        splice = self.spliced(socket)
        splice.dataReceived(b"x" * (FIRST_READ_BYTES - 1))
        self.assertEqual(socket.bufferSize, FIRST_READ_BYTES)
        splice.dataReceived(b"x" * FIRST_READ_BYTES)
        self.assertEqual((socket.bufferSize, Socket.bufferSize), (READ_BYTES, FIRST_READ_BYTES))

    def test_transports_without_such_a_number_are_left_alone(self) -> None:
        socket = StringTransport()
        self.spliced(socket).dataReceived(b"x" * READ_BYTES)
        self.assertFalse(hasattr(socket, "bufferSize"))

    def test_a_large_read_is_one_frame_and_fills_one_record(self) -> None:
        splice = self.spliced(Socket())
        splice.dataReceived(b"x" * READ_BYTES)
        said = splice.line.transport.value()  # type: ignore[union-attr]
        self.assertEqual(len(said), HEADER_BYTES + READ_BYTES)
        body = FRAME_HEADER_BYTES + len(said)
        self.assertEqual(body + RECORD_OVERHEAD_BYTES, BULK_WIRE_BYTES[-1])
        self.assertEqual(padded_body_bytes(body, 1 << 20), body)
