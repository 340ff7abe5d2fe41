"""A network in memory on one clock: Twisted endpoints between named places, with weather and partitions.

Deterministic: one clock, one seed, the same events. Nothing touches a socket. Not for: datagrams.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from twisted.internet import error
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IListeningPort, IStreamClientEndpoint, IStreamServerEndpoint
from zope.interface import implementer

from quantumgate.testing.clock import OrderedClock
from quantumgate.testing.seeded import SeededRandom
from quantumgate.testing.transport import MemoryAddress, MemoryTransport, joined
from quantumgate.testing.weather import Weather


class MemoryNetwork:
    """Named places, listeners on ports, connections between them."""

    def __init__(self, clock: OrderedClock | None = None, *, seed: object = 0, weather: Weather | None = None) -> None:
        self.clock = clock if clock is not None else OrderedClock()
        self.random = SeededRandom((seed, "network"))
        self.weather = weather if weather is not None else Weather()
        self.connections: list[tuple[MemoryTransport, MemoryTransport]] = []
        self._listeners: dict[tuple[str, int], Any] = {}
        self._partitions: list[tuple[frozenset[str], frozenset[str]]] = []

    # -- connecting ----------------------------------------------------------------------------------------------------

    def server_endpoint(self, place: str, port: int = 0) -> MemoryServerEndpoint:
        """Where somebody at ``place`` listens; port 0 takes a free one."""
        return MemoryServerEndpoint(self, place, port)

    def client_endpoint(self, here: str, place: str, port: int) -> MemoryClientEndpoint:
        """From ``here`` to a listener."""
        return MemoryClientEndpoint(self, here, MemoryAddress(place, port))

    def join(self, one: Any, other: Any, places: tuple[str, str] = ("left", "right")) -> None:
        """Connects two protocols without a listener; ``one`` hears of it first."""
        first, second = self.new_connection(MemoryAddress(places[0]), MemoryAddress(places[1]))
        first.connect(one)
        second.connect(other)

    def new_connection(self, one: MemoryAddress, other: MemoryAddress) -> tuple[MemoryTransport, MemoryTransport]:
        """Two transports that wait for their protocols."""
        self.connections = [pair for pair in self.connections if not (pair[0].over and pair[1].over)]
        both = joined(self, one, other)
        self.connections.append(both)
        return both

    def listen(self, address: MemoryAddress, factory: Any) -> MemoryPort:
        """Raises ConnectError where somebody listens already."""
        port = address.port or next(port for port in range(1, 65536) if (address.host, port) not in self._listeners)
        if (address.host, port) in self._listeners:
            raise error.ConnectError(string=f"{address.host}:{port} is in use")  # type: ignore[no-untyped-call]
        self._listeners[address.host, port] = factory
        factory.doStart()
        bound = MemoryAddress(address.host, port)
        return MemoryPort(bound, lambda: self._listeners.pop((bound.host, bound.port), None), factory)

    def dial(self, here: str, there: MemoryAddress, factory: Any) -> Deferred[Any]:
        """After one round trip: the client's protocol, or ConnectionRefusedError. Cancelling gives up."""

        def give_up(_: Deferred[Any]) -> None:
            if call.active():
                call.cancel()

        dialled: Deferred[Any] = Deferred(give_up)
        call = self.clock.callLater(2 * self.weather.latency_seconds, self._answer, here, there, factory, dialled)
        return dialled

    def _answer(self, here: str, there: MemoryAddress, factory: Any, dialled: Deferred[Any]) -> None:
        if self.parted(here, there.host):
            return  # nobody answers: the dialler's own time limit speaks
        listener = self._listeners.get((there.host, there.port))
        server = listener.buildProtocol(MemoryAddress(here)) if listener is not None else None
        client = factory.buildProtocol(there) if server is not None else None
        if client is None or server is None:
            refused = f"nobody at {there.host}:{there.port}"
            dialled.errback(error.ConnectionRefusedError(string=refused))  # type: ignore[no-untyped-call]
            return
        near, far = self.new_connection(MemoryAddress(here), there)
        far.connect(server)
        near.connect(client)
        dialled.callback(client)

    # -- catastrophes --------------------------------------------------------------------------------------------------

    def part(self, some: Iterable[str], others: Iterable[str]) -> None:
        """Nothing passes between these places until ``heal``; what is under way waits, as TCP would send it again."""
        self._partitions.append((frozenset(some), frozenset(others)))

    def heal(self) -> None:
        """All partitions are over."""
        self._partitions.clear()
        for pair in self.connections:
            for end in pair:
                end.wake()

    def parted(self, one: str, other: str) -> bool:
        """Whether a partition lies between two places."""
        return any((one in a and other in b) or (one in b and other in a) for a, b in self._partitions)

    def cut(self) -> None:
        """Every connection is lost, at both ends, at once and without a word."""
        connections, self.connections = self.connections, []
        for pair in connections:
            for end in pair:
                end.vanish()

    @property
    def quiet(self) -> bool:
        """Whether nothing is under way, in any direction of any connection."""
        return not any(end.busy for pair in self.connections for end in pair)


@implementer(IListeningPort)
class MemoryPort:
    """What ``listen`` gives."""

    def __init__(self, address: MemoryAddress, close: Callable[[], object], factory: Any) -> None:
        self._address, self._close, self._factory = address, close, factory

    def getHost(self) -> MemoryAddress:
        """Where it listens."""
        return self._address

    def startListening(self) -> None:
        """It does already."""

    def stopListening(self) -> Deferred[None]:
        """No new connections; those that are stay."""
        self._close()
        self._factory.doStop()
        return succeed(None)


@implementer(IStreamServerEndpoint)
@dataclass(frozen=True)
class MemoryServerEndpoint:
    """Where somebody listens."""

    network: MemoryNetwork
    place: str
    port: int = 0

    def listen(self, protocolFactory: Any) -> Deferred[Any]:
        """Deferred of the MemoryPort."""
        try:
            return succeed(self.network.listen(MemoryAddress(self.place, self.port), protocolFactory))
        except error.ConnectError as problem:
            return fail(problem)


@implementer(IStreamClientEndpoint)
@dataclass(frozen=True)
class MemoryClientEndpoint:
    """The way to a listener."""

    network: MemoryNetwork
    here: str
    there: MemoryAddress

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        """Deferred of the protocol."""
        return self.network.dial(self.here, self.there, protocolFactory)
