"""The near end of an association, without sockets: whom it hears, and what an exit cannot make it do."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from quantumgate_socks5.destination import Destination
from quantumgate_socks5.nearudp import NearAssociation
from quantumgate_socks5.splice import Tally
from quantumgate_socks5.wire import DATAGRAM_BYTES, Kind
from twisted.internet.error import MessageLengthError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

PROGRAM = "127.0.0.1"
SOURCE = Destination(ip_address("192.0.2.1"), 53).encode()
REQUEST = b"\0\0\0" + SOURCE


class Line:
    """Keeps what it is told."""

    over = False

    def __init__(self) -> None:
        self.transport: Any = type("Transport", (), {"registerProducer": lambda *_: None,
                                                     "unregisterProducer": lambda *_: None})()
        self.said: list[tuple[Kind, bytes]] = []

    def say(self, kind: Kind, body: bytes) -> None:
        self.said.append((kind, body))


class Socket:
    """As the reactor's: what is too long raises what is no OSError."""

    def __init__(self) -> None:
        self.sent: list[int] = []
        self.trouble: Exception | None = None

    def write(self, datagram: bytes, addr: Any) -> None:
        if self.trouble is not None:
            raise self.trouble
        if len(datagram) > DATAGRAM_BYTES:
            raise MessageLengthError("message too long")
        self.sent.append(len(datagram))


class NearAssociationTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.line, self.socket, self.tally = Line(), Socket(), Tally()
        most = DATAGRAM_BYTES, 1 << 20
        self.association = NearAssociation(
            self.line, (ip_address(PROGRAM), 0), most, Clock(), self.tally, self.fail)  # type: ignore[arg-type]
        self.association.transport = self.socket

    def test_only_the_program_is_heard(self) -> None:
        for addr, said in (((PROGRAM, 7), 1), ((PROGRAM, 8), 1), (("127.0.0.2", 7), 1), ((PROGRAM, 7), 2)):
            self.association.datagramReceived(REQUEST + b"question", addr)
            self.assertEqual(len(self.line.said), said, addr)
        self.assertEqual(self.association.refused, 2)

    def test_an_exit_cannot_break_it(self) -> None:
        """Found by reading: a datagram that does not fit behind its header raised in the line, as a fault of ours."""
        self.association.datagramReceived(REQUEST, (PROGRAM, 7))
        room = DATAGRAM_BYTES - len(REQUEST)
        for size in (room, room + 1, DATAGRAM_BYTES):
            self.association.line_datagram(SOURCE + bytes(size))
        self.socket.trouble = OSError("no route")
        self.association.line_datagram(SOURCE)
        self.assertEqual((self.socket.sent, self.association.refused), ([DATAGRAM_BYTES], 3))
        self.assertEqual(self.tally.bytes_received, room)
