"""The exit's end of a UDP association: datagrams leave within the policy, and only those who were sent to may answer.

Not for: the program's end (``nearudp.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from twisted.internet.error import MessageLengthError
from twisted.internet.protocol import DatagramProtocol

from .datagrams import BadDatagram, split
from .destination import Address, Destination
from .line import OFFENCE_CODE
from .udpline import DatagramsOut
from .wire import DATAGRAM_BYTES

if TYPE_CHECKING:
    from .far import Far
    from .farline import FarLine

PARTNERS_MOST = 256
"""How many addresses may answer: the last ones that were sent to."""

NAMES_KEPT = 64
NAME_SECONDS = 60.0
LOOKUPS_MOST = 16
"""Names of one association that are being looked up at once; datagrams to more are dropped."""


class _Socket(DatagramProtocol):
    """One socket, of IPv4 or of IPv6."""

    transport: Any

    def __init__(self, association: FarAssociation) -> None:
        self._association = association

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """From whoever found the port."""
        self._association.came(datagram, Destination(ip_address(addr[0].partition("%")[0]), addr[1]))

    def connectionRefused(self) -> None:
        """The partner does not listen; datagrams may be lost."""


class FarAssociation:
    """The party of its line."""

    def __init__(self, line: FarLine, far: Far) -> None:
        self._line, self._far = line, far
        self._out: DatagramsOut | None = DatagramsOut(line, far.settings.udp_queue_bytes)
        self._sockets: dict[int, _Socket] = {}
        self._partners: dict[Destination, None] = {}
        self._names: dict[str, tuple[float, Sequence[Address]]] = {}
        self._lookups = 0
        self.moved_at = far.clock.seconds()
        far.idle.add(self)

    def line_datagram(self, body: bytes) -> None:
        """To its destination, once that is known and allowed; what is not is dropped, as UDP drops."""
        try:
            destination, payload = split(body)
            if len(payload) > DATAGRAM_BYTES:
                raise BadDatagram(f"a datagram of {len(payload)} bytes")
        except BadDatagram as error:
            self._far.offended(self._line.peer, str(error))
            self._line.abort(OFFENCE_CODE)
            return
        self.moved_at = self._far.clock.seconds()
        known = self._names.get(destination.host) if isinstance(destination.host, str) else None
        if known is not None and known[0] > self.moved_at:
            self._send(known[1], destination, payload)
        elif self._lookups < LOOKUPS_MOST:
            self._lookups += 1
            found = self._far.dialling.everything(destination)
            found.addCallbacks(self._found, self._not_found, callbackArgs=(destination, payload))

    def _found(self, addresses: Sequence[Address], destination: Destination, payload: bytes) -> None:
        self._lookups -= 1
        if isinstance(destination.host, str):
            self._names.pop(destination.host, None)
            self._names[destination.host] = self._far.clock.seconds() + NAME_SECONDS, addresses
            if len(self._names) > NAMES_KEPT:
                del self._names[next(iter(self._names))]
        self._send(addresses, destination, payload)

    def _not_found(self, _: Any) -> None:
        self._lookups -= 1
        self._far.tally.failed("datagram name_failed")

    def _send(self, addresses: Sequence[Address], destination: Destination, payload: bytes) -> None:
        if self._out is None:
            return
        allowed = [each for each in addresses if self._far.dialling.judges(each, destination.port)]
        if not allowed:
            self._far.tally.failed("datagram not_allowed")
            return
        partner = Destination(allowed[0], destination.port)
        try:
            socket = self._socket(allowed[0].version)
            socket.transport.write(payload, (str(allowed[0]), destination.port))
        except (OSError, MessageLengthError):  # which is no OSError
            self._far.tally.failed("datagram failure")
            return
        self._partners.pop(partner, None)
        self._partners[partner] = None
        if len(self._partners) > PARTNERS_MOST:
            del self._partners[next(iter(self._partners))]
        self._far.tally.bytes_received += len(payload)

    def _socket(self, version: int) -> _Socket:
        socket = self._sockets.get(version)
        if socket is None:
            socket = _Socket(self)
            self._far.world.listen_udp(socket, "0.0.0.0" if version == 4 else "::")
            self._sockets[version] = socket
        return socket

    def came(self, payload: bytes, source: Destination) -> None:
        """An answer, if it comes from one who was sent to."""
        if self._out is None or source not in self._partners:
            return
        self.moved_at = self._far.clock.seconds()
        self._far.tally.bytes_sent += len(payload)
        self._out.put(source.encode() + payload)

    # -- the end -------------------------------------------------------------------------------------------------------

    def line_data(self, data: bytes) -> None:
        """Never: the line takes no DATA in an association."""

    def line_ended(self) -> None:
        """The program's TCP connection is over, and so is the association."""
        self._close()
        self._line.end()

    def line_lost(self) -> None:
        """The line broke."""
        self._close()

    def timed_out(self) -> None:
        """Nothing moved for too long."""
        self._close()
        self._line.party = None
        self._line.end()

    def _close(self) -> None:
        out, self._out = self._out, None
        if out is None:
            return
        self._far.idle.discard(self)
        self._line.let_go()
        out.close()
        for socket in self._sockets.values():
            socket.transport.stopListening()
