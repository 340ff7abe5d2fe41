"""The near end of a UDP association: a socket for one program, whose datagrams leave at the exit.

Only the program's own address is listened to; the association ends with its TCP connection (RFC 1928, section 7).
Not for: the request (``near.py``).
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from twisted.internet.error import MessageLengthError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import DatagramProtocol

from .datagrams import BadDatagram, split, unwrap, wrap
from .destination import Address
from .line import Line
from .splice import Tally
from .udpline import DatagramsOut


class NearAssociation(DatagramProtocol):
    """``program`` is the address that the program's TCP connection came from; ``port`` 0 = that of its first datagram.

    ``over()`` is called when the exit ended the association or the line broke.
    """

    transport: Any

    def __init__(
        self, line: Line, program: tuple[Address, int], most: tuple[int, int], clock: IReactorTime, tally: Tally,
        over: Any,
    ) -> None:
        self._line, self._tally, self._over, self._clock = line, tally, over, clock
        self._address, self._port = program
        self._datagram_bytes, queue_bytes = most
        self._out: DatagramsOut | None = DatagramsOut(line, queue_bytes)
        self._reply_to: tuple[str, int] | None = None
        self.refused = 0
        self.moved_at = clock.seconds()
        line.party = self

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:
        """From whoever found the port; only the program is heard."""
        if self._out is None or not self._is_program(addr):
            self.refused += 1
            return
        try:
            destination, payload = unwrap(datagram)
        except BadDatagram:
            self.refused += 1
            return
        if len(payload) > self._datagram_bytes:
            self.refused += 1
            return
        self._reply_to = addr
        self._port = addr[1]
        self.moved_at = self._clock.seconds()
        self._tally.bytes_sent += len(payload)
        self._out.put(destination.encode() + payload)

    def _is_program(self, addr: tuple[str, int]) -> bool:
        return ip_address(addr[0]) == self._address and self._port in (0, addr[1])

    def connectionRefused(self) -> None:
        """The program does not listen; datagrams may be lost."""

    # -- from the line -------------------------------------------------------------------------------------------------

    def line_datagram(self, body: bytes) -> None:
        """To the program, once it is known where it listens."""
        if self._reply_to is None or self._out is None:
            return
        try:
            source, payload = split(body)
        except BadDatagram:
            return
        self.moved_at = self._clock.seconds()
        try:
            self.transport.write(wrap(source, payload), self._reply_to)
        except (OSError, MessageLengthError):  # the exit chose a size that does not fit behind a header; or no route
            self.refused += 1
            return
        self._tally.bytes_received += len(payload)

    def line_data(self, data: bytes) -> None:
        """Never: the line takes no DATA in an association."""

    def line_ended(self) -> None:
        """The exit ended it."""
        self.close()
        self._over()

    def line_lost(self) -> None:
        """The line broke."""
        self.close()
        self._over()

    def close(self) -> None:
        """Nothing more is sent or heard; the line goes back."""
        out, self._out = self._out, None
        if out is None:
            return
        out.close()
        if self.transport is not None:
            self.transport.stopListening()
        self._line.end()
