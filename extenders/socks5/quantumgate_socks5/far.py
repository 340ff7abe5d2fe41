"""The exit: what peers asked for is dialled, listened for or sent from here, within the policy and the limits.

Nothing of what peers ask for is logged. Not for: the order of frames (``farline.py``), datagrams (``farudp.py``).
"""

from __future__ import annotations

from collections import Counter
from ipaddress import ip_address
from typing import Any

from twisted.internet.protocol import Factory, connectionDone
from twisted.python.failure import Failure

from quantumgate.extender import api

from .destination import NOWHERE, Address, Destination
from .dialling import Dialling, code_for
from .farline import FarLine
from .farudp import FarAssociation
from .policy import Policy
from .replies import Code
from .settings import Exit, uuid_in
from .splice import IdleWatch, Splice, Tally, without_delay
from .wire import Kind, Offer
from .world import World

EARLY_BYTES = 65_536
"""What may come for a target that is not connected yet, before its line is read no further."""


class Hold:
    """The place of one call in the books, given back once."""

    def __init__(self, peer: api.IPeer, books: list[Counter[api.IPeer]]) -> None:
        self._peer, self._books = peer, books
        for book in books:
            book[peer] += 1

    def release(self) -> None:
        """The call counts no more."""
        self.move([])

    def move(self, books: list[Counter[api.IPeer]]) -> None:
        """It counts in these instead."""
        before, self._books = self._books, books
        for book in books:
            book[self._peer] += 1
        for book in before:
            book[self._peer] -= 1
            if not book[self._peer]:
                del book[self._peer]


class Far:
    """Everything that this node does for its peers. Off unless ``settings.enabled``."""

    def __init__(self, host: Any, settings: Exit, world: World) -> None:
        self.host, self.settings, self.world = host, settings, world
        self.clock = host.clock
        self.tally = Tally()
        policy = Policy(settings.allow, settings.deny, world.is_own)
        times = settings.resolve_seconds, settings.connect_seconds
        self.dialling = Dialling(world, policy, host.clock, times)
        self.idle = IdleWatch(host.clock, settings.idle_seconds)
        self._peers = frozenset(uuid_in(text) for text in settings.peers)
        self._calls: Counter[api.IPeer] = Counter()
        self._associations: Counter[api.IPeer] = Counter()
        self.leaving: Counter[api.IPeer] = Counter()
        self._lines: set[FarLine] = set()

    def serves(self, peer: api.IPeer) -> bool:
        """Whether this peer may use this exit."""
        return self.settings.enabled and (not self._peers or peer.uuid in self._peers)

    def offer(self) -> Offer:
        """What peers are told."""
        chosen = self.settings
        return Offer(chosen.tcp, chosen.bind, chosen.udp, chosen.connections_per_peer)

    def line_opened(self, peer: api.IPeer) -> FarLine:
        """A line of a peer that is served."""
        line = FarLine(self, peer)
        self._lines.add(line)
        return line

    # -- calls ---------------------------------------------------------------------------------------------------------

    def begin(self, line: FarLine, kind: Kind, wanted: Destination | None) -> None:
        """See Office."""
        refusal = self._refusal(line.peer, kind)
        if refusal is not None:
            self.refuse(line, refusal)
            return
        books = [self._calls, self._associations] if kind is Kind.ASSOCIATE else [self._calls]
        line.hold = Hold(line.peer, books)
        self.tally.connections += 1
        if wanted is None:
            association = FarAssociation(line, self)
            line.party = association
            line.granted(NOWHERE)
        elif kind is Kind.BIND:
            Waiting(line, self, wanted).start()
        else:
            Connecting(line, self).start(wanted)

    def _refusal(self, peer: api.IPeer, kind: Kind) -> Code | None:
        chosen = self.settings
        if not {Kind.CONNECT: chosen.tcp, Kind.BIND: chosen.bind, Kind.ASSOCIATE: chosen.udp}[kind]:
            return Code.NOT_OFFERED
        for book in (self._calls, self.leaving):  # each on its own: next calls come before the last ones have left
            if book[peer] >= chosen.connections_per_peer or book.total() >= chosen.connections:
                return Code.LIMIT
        if kind is Kind.ASSOCIATE and self._associations[peer] >= chosen.udp_associations_per_peer:
            return Code.LIMIT
        return None

    def refuse(self, line: FarLine, code: Code) -> None:
        """The call cannot be."""
        self.tally.failed(code.name.lower())
        line.let_go()
        line.failed(code)

    # -- lines ---------------------------------------------------------------------------------------------------------

    def offended(self, peer: api.IPeer, offence: str) -> None:
        """See Office."""
        self.host.report(peer, offence)

    def line_gone(self, line: FarLine) -> None:
        """See Office."""
        self._lines.discard(line)

    def stop(self) -> None:
        """All calls break off."""
        for line in list(self._lines):
            if line.party is not None:
                line.party.line_lost()

    def status(self) -> dict[str, Any]:
        """For operators."""
        return {
            "enabled": self.settings.enabled,
            "connections": self._calls.total() + self.leaving.total(),
            "connections_total": self.tally.connections,
            "udp_associations": self._associations.total(),
            "bytes_sent": self.tally.bytes_sent,
            "bytes_received": self.tally.bytes_received,
            "failures": dict(self.tally.failures),
            "lines": len(self._lines),
        }


class Outlet(Splice):
    """The connection to the target."""

    def __init__(self, far: Far) -> None:
        super().__init__(far.clock, far.tally)
        self._far = far
        self.hold: Hold | None = None

    def connectionMade(self) -> None:
        """Small pieces leave at once."""
        without_delay(self.transport)
        self._far.idle.add(self)

    def _close(self) -> None:
        """The call is over, and its line free; the last bytes may wait for the target until ``idle_seconds`` end it."""
        if self.hold is not None:
            self.hold.move([self._far.leaving])
        super()._close()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Counts no more: not before its last bytes are gone."""
        self._far.idle.discard(self)
        super().connectionLost(reason)
        if self.hold is not None:
            self.hold.release()


def address_of(place: Any) -> Destination:
    """An endpoint of a socket."""
    return Destination(ip_address(place.host.partition("%")[0]), place.port)


class Early:
    """The party of a line whose target is not there yet: keeps what comes early, and the end of it."""

    def __init__(self, line: FarLine, far: Far) -> None:
        self._line, self._far = line, far
        self._early = bytearray()  # pieces of two bytes each would cost some fifty each as objects
        self._ended = self._over = False
        line.party = self

    def line_data(self, data: bytes) -> None:
        """Kept; beyond EARLY_BYTES the line is not read."""
        self._early += data
        if len(self._early) >= EARLY_BYTES:
            self._line.transport.pauseProducing()

    def line_ended(self) -> None:
        """Kept, too."""
        self._ended = True

    def line_datagram(self, body: bytes) -> None:
        """Never."""

    def line_lost(self) -> None:
        """Nobody waits any more."""
        self._over = True
        self.cancel()

    def cancel(self) -> None:
        """Stops what is under way."""

    def fail(self, code: Code) -> None:
        """The call cannot be."""
        if not self._over:
            self._over = True
            self._far.refuse(self._line, code)

    def join(self, outlet: Outlet, bound: Destination) -> None:
        """The target is there."""
        line = self._line
        self._over = True
        outlet.hold, line.hold = line.hold, None
        line.granted(bound)
        outlet.join(line)
        line.transport.resumeProducing()
        if self._early:
            outlet.line_data(bytes(self._early))
        if self._ended:
            outlet.line_ended()


class Connecting(Early):
    """A CONNECT under way."""

    _dial: Any = None

    def start(self, wanted: Destination) -> None:
        """Looks up, judges, dials."""
        self._dial = self._far.dialling.connect(wanted, lambda: Outlet(self._far))
        self._dial.addCallbacks(self._connected, lambda failure: self.fail(code_for(failure.value)))

    def _connected(self, outlet: Outlet) -> None:
        if self._over:
            outlet.transport.abortConnection()
        else:
            self.join(outlet, address_of(outlet.transport.getHost()))

    def cancel(self) -> None:
        """Stops dialling."""
        self._dial.cancel()


class Waiting(Early):
    """A BIND: one connection from the host that was named may come in, within ``bind_seconds``."""

    _port: Any = None
    _timer: Any = None
    _look: Any = None

    def __init__(self, line: FarLine, far: Far, wanted: Destination) -> None:
        super().__init__(line, far)
        self._wanted = wanted

    def start(self) -> None:
        """Who may come is looked up first."""
        host = self._wanted.host
        if not isinstance(host, str) and host.is_unspecified:
            self._listen(None)
            return
        self._look = self._far.dialling.hosts(self._wanted)
        self._look.addCallbacks(self._listen, lambda failure: self.fail(code_for(failure.value)))

    def _listen(self, expected: Any) -> None:
        if self._over:
            return
        factory = _Callers(self, expected)
        try:
            self._port = self._far.world.listen_tcp(factory, self._far.settings.bind_address)
        except OSError:
            self.fail(Code.FAILURE)
            return
        self._timer = self._far.clock.callLater(self._far.settings.bind_seconds, self._late)
        self._line.granted(address_of(self._port.getHost()))

    def may_come(self, address: Address, expected: Any) -> bool:
        """Whether a caller from this address is the one."""
        if self._over:
            return False
        return address in expected if expected is not None else self._far.dialling.judges_host(address)

    def came(self, outlet: Outlet) -> None:
        """The one connection."""
        self.cancel()
        self.join(outlet, address_of(outlet.transport.getPeer()))

    def _late(self) -> None:
        self.cancel()
        self.fail(Code.TIMED_OUT)

    def cancel(self) -> None:
        """Nobody may come any more."""
        if self._look is not None:
            self._look.cancel()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        port, self._port = self._port, None
        if port is not None:
            port.stopListening()


class _Callers(Factory):
    """Those who connect to the port of a BIND."""

    noisy = False

    def __init__(self, waiting: Waiting, expected: Any) -> None:
        self._waiting, self._expected = waiting, expected

    def buildProtocol(self, addr: Any) -> Any:
        if not self._waiting.may_come(address_of(addr).host, self._expected):  # type: ignore[arg-type]
            return None
        return _Caller(self._waiting)


class _Caller(Outlet):
    """The connection that a BIND waited for."""

    def __init__(self, waiting: Waiting) -> None:
        super().__init__(waiting._far)
        self._waiting = waiting

    def connectionMade(self) -> None:
        """It came."""
        super().connectionMade()
        self._waiting.came(self)
