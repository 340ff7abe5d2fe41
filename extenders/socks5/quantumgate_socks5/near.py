"""The near side: programs connect, say in SOCKS what they want, and get it from an exit.

Names are never looked up here: they travel as they were written. Nothing of what programs ask for is logged.
Not for: parsing (``negotiation.py``), attempts (``call.py``), lines (``nearline.py``).
"""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

from twisted.internet.protocol import Factory, connectionDone
from twisted.python.failure import Failure

from quantumgate.extender import api

from .call import EARLY_BYTES, Call
from .destination import Destination
from .exits import Exits
from .nearline import LineLimits, NearLine, PeerLines
from .nearudp import NearAssociation
from .negotiation import Command, Negotiation, Refuse, Request, Say
from .paths import Paths
from .replies import Code, reply
from .settings import Settings
from .splice import IdleWatch, Splice, Tally, without_delay
from .wire import Kind
from .world import World

WRONG_PASSWORD_SECONDS = 1.0
"""How long a wrong password waits for its answer."""

BIND_SLACK_SECONDS = 15.0
"""The exit ends a BIND that nobody comes to; we wait a little longer."""

_KINDS = {Command.CONNECT: Kind.CONNECT, Command.BIND: Kind.BIND, Command.ASSOCIATE: Kind.ASSOCIATE}


class Passwords:
    """Checks log-ins in a time that tells nothing of the passwords."""

    def __init__(self, users: dict[str, str]) -> None:
        self._digests = {user.encode(): _digest(password.encode()) for user, password in users.items()}

    def __call__(self, user: bytes, password: bytes) -> bool:
        """Whether this user has this password."""
        known = self._digests.get(user)
        right = hmac.compare_digest(_digest(password), known if known is not None else bytes(32))
        return right and known is not None


def _digest(password: bytes) -> bytes:
    return hashlib.blake2b(password, digest_size=32).digest()


class Near(Factory):
    """Everything of this node's own programs."""

    noisy = False

    def __init__(self, host: Any, settings: Settings, world: World) -> None:
        self.host, self.settings, self.world = host, settings, world
        self.tally = Tally()
        self.admits: Callable[[bytes, bytes], bool] | None = Passwords(settings.users) if settings.users else None
        self._paths = Paths(host, settings.hops, settings.via, self)
        self.exits = Exits(host, settings, self._paths)
        self.idle = IdleWatch(host.clock, settings.idle_seconds)
        self.users: Counter[bytes] = Counter()
        self.associations = 0
        self._connections: set[NearConnection] = set()
        self._lines: dict[api.IPeer, PeerLines] = {}
        self._limits = LineLimits(settings.lines_per_exit, settings.lines_idle, settings.line_idle_seconds)

    def buildProtocol(self, addr: Any) -> NearConnection | None:
        """A program; over the limit it is closed at once, for SOCKS has no word before the request."""
        if len(self._connections) >= self.settings.connections:
            self.tally.failed("limit connections")
            return None
        return NearConnection(self)

    def came(self, connection: NearConnection) -> None:
        """One more."""
        self._connections.add(connection)
        self.tally.connections += 1

    def went(self, connection: NearConnection) -> None:
        """One less."""
        self._connections.discard(connection)

    def lines_to(self, peer: api.IPeer) -> PeerLines:
        """The lines to an exit; made at first use."""
        lines = self._lines.get(peer)
        if lines is None:
            lines = self._lines[peer] = PeerLines(self.host, peer, self._limits, self._paths.make_room)
        return lines

    def reach(self, peer: api.IPeer, key: bytes) -> Any:
        """Deferred of the session over which calls of this key go there."""
        return self._paths.reach(peer, key)

    def in_use(self, peer: api.IPeer) -> bool:
        """See Sessions."""
        return peer in self._lines and self._lines[peer].in_use

    def give_up(self, peer: api.IPeer) -> None:
        """See Sessions."""
        self.lines_to(peer).retire()

    def left(self, peer: api.IPeer) -> None:
        """Its streams were told already."""
        self._paths.left(peer)
        self.exits.left(peer)
        lines = self._lines.pop(peer, None)
        if lines is not None:
            lines.closed()

    def stop(self) -> None:
        """All connections break off."""
        self.exits.stop()
        for connection in list(self._connections):
            connection.transport.abortConnection()
        for lines in self._lines.values():
            lines.closed()

    def status(self) -> dict[str, Any]:
        """For operators."""
        tally = self.tally
        return {
            "connections": len(self._connections),
            "connections_total": tally.connections,
            "udp_associations": self.associations,
            "bytes_sent": tally.bytes_sent,
            "bytes_received": tally.bytes_received,
            "failures": dict(tally.failures),
            "lines": sum(len(lines) for lines in self._lines.values()),
            "lines_idle": sum(lines.idle_count for lines in self._lines.values()),
            "lines_opened": sum(lines.opened for lines in self._lines.values()),
            "waiting": sum(lines.waiting_count for lines in self._lines.values()),
            "waiting_for_exit": len(self.exits.waiting),
            "circuits": len(self._paths),
            "exits": self.exits.status(),
        }


class NearConnection(Splice):
    """One program's connection."""

    def __init__(self, near: Near) -> None:
        super().__init__(near.host.clock, near.tally)
        self._near = near
        self._negotiation: Negotiation | None = Negotiation(near.admits)
        self._request: Request | None = None
        self._call: Call | None = None
        self._association: NearAssociation | None = None
        self._timer: Any = None
        self._counted = False

    def connectionMade(self) -> None:
        """The time for the handshake runs."""
        near = self._near
        near.came(self)
        without_delay(self.transport)
        self._timer = near.host.clock.callLater(near.settings.handshake_seconds, self._late)

    def _late(self) -> None:
        self._near.tally.failed("handshake_seconds")
        self.transport.abortConnection()

    def dataReceived(self, data: bytes) -> None:
        """First the negotiation, then what goes out early, then the connection itself."""
        if self.line is not None:
            super().dataReceived(data)
        elif self._negotiation is not None:
            self._negotiate(self._negotiation, data)
        elif self._call is not None and self._association is None:
            self._early(self._call, data)

    def _early(self, call: Call, data: bytes) -> None:
        self._tally.bytes_sent += len(data)
        call.early(data)
        if call.early_bytes >= EARLY_BYTES:
            self.transport.pauseProducing()

    def readConnectionLost(self) -> None:
        """The program says no more. Before its request, or in an association, that is the end."""
        if self._negotiation is not None or self._association is not None:
            self.transport.loseConnection()
            return
        super().readConnectionLost()
        if self._call is not None:
            self._call.early_end()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Everything of it ends."""
        self._stop_timer()
        near = self._near
        near.went(self)
        near.idle.discard(self)
        if self._counted and self._request is not None:
            near.users[self._request.user] -= 1
            near.users += Counter()  # forgets those with none left
            near.associations -= self._request.command is Command.ASSOCIATE
        call, self._call = self._call, None
        if call is not None:
            call.give_up()
        self._end_association()
        super().connectionLost(reason)

    def _end_association(self) -> None:
        association, self._association = self._association, None
        if association is not None:
            association.close()

    def _stop_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    # -- negotiation ---------------------------------------------------------------------------------------------------

    def _negotiate(self, negotiation: Negotiation, data: bytes) -> None:
        for event in negotiation.feed(data):
            if isinstance(event, Say):
                self.transport.write(event.data)
            elif isinstance(event, Refuse):
                self._refuse(event)
            else:
                self._negotiation = None
                self._stop_timer()
                self._asked(event, negotiation.rest)

    def _refuse(self, refusal: Refuse) -> None:
        self._negotiation = None
        self._stop_timer()
        self._tally.failed("wrong password" if refusal.wrong_password else "not understood")
        wait = WRONG_PASSWORD_SECONDS if refusal.wrong_password else 0.0
        self._timer = self._near.host.clock.callLater(wait, self._say_last, refusal.data)

    def _say_last(self, data: bytes) -> None:
        if data:
            self.transport.write(data)
        self.transport.loseConnection()

    def _asked(self, request: Request, rest: bytes) -> None:
        near, settings = self._near, self._near.settings
        self._request = request
        associates = request.command is Command.ASSOCIATE
        if near.users[request.user] >= settings.connections_per_user or (
            associates and near.associations >= settings.udp_associations
        ):
            self.failed(Code.LIMIT)
            return
        near.users[request.user] += 1
        near.associations += associates  # from now on, for many may be asked for before the first is granted
        self._counted = True
        key = bytes((len(request.user),)) + request.user + request.password
        seconds = settings.connect_seconds
        if request.command is Command.BIND:
            seconds = settings.bind_seconds + BIND_SLACK_SECONDS
        kind = _KINDS[request.command]
        call = self._call = Call(near, self, kind, None if associates else request.destination, key, seconds)
        call.start()
        if rest and self._call is not None and not associates:
            self._early(call, rest)

    # -- what becomes of the call --------------------------------------------------------------------------------------

    def granted(self, line: NearLine, bound: Destination, last: bool) -> None:
        """See Client."""
        request = self._request
        if request is None:
            return
        if request.command is Command.ASSOCIATE:
            self._call = None
            self._associate(line, request)
            return
        self.transport.write(reply(request.version, Code.GRANTED, bound))
        if last:
            self._call = None
            self.join(line)
            self.moved_at = self._clock.seconds()
            self._near.idle.add(self)
            if not self._read_ended:
                self.transport.resumeProducing()

    def failed(self, code: Code) -> None:
        """See Client."""
        self._call = None
        self._tally.failed(code.name.lower())
        if self._request is not None:
            self.transport.write(reply(self._request.version, code))
        if not self._read_ended:
            self.transport.resumeProducing()
        self.transport.loseConnection()

    def _associate(self, line: NearLine, request: Request) -> None:
        near, here, there = self._near, self.transport.getHost(), self.transport.getPeer()
        over_ip = hasattr(there, "host")
        program = ip_address(there.host if over_ip else "127.0.0.1")
        most = near.settings.udp_datagram_bytes, near.settings.udp_queue_bytes
        association = NearAssociation(
            line, (program, request.destination.port), most, self._clock, self._tally, self.transport.loseConnection
        )
        try:
            host, port = near.world.listen_udp(association, here.host if over_ip else "127.0.0.1")
        except OSError:
            association.close()
            self.failed(Code.FAILURE)
            return
        self._association = association
        self.transport.write(reply(5, Code.GRANTED, Destination(ip_address(host), port)))


