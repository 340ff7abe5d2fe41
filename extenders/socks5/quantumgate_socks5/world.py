"""What the extender touches of the world: sockets and, at the exit alone, names. Tests bring another one.

The near side never calls ``resolve``. Not for: deciding what is allowed.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import Any

from twisted.internet import error
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IHostnameResolver, IResolutionReceiver
from twisted.internet.protocol import ClientFactory, Factory
from zope.interface import implementer

from .destination import Address

BIND_BACKLOG = 4


class World:
    """The reactor's."""

    def __init__(self, reactor: Any = None) -> None:
        if reactor is None:
            from twisted.internet import reactor
        self._reactor: Any = reactor

    def listen(self, description: str, factory: Factory) -> Deferred[Any]:
        """A port for programs. A unix socket is for its owner alone, unless the string says a mode."""
        if description.startswith("unix:") and ":mode=" not in description:
            description += ":mode=600"
        listening: Deferred[Any] = serverFromString(self._reactor, description).listen(factory)  # type: ignore[no-untyped-call]
        return listening

    def listen_udp(self, protocol: Any, interface: str) -> tuple[str, int]:
        """A datagram socket on a free port; its address and port. Raises OSError."""
        try:
            bound = self._reactor.listenUDP(0, protocol, interface, 65_536).getHost()
        except error.CannotListenError as problem:
            raise OSError(str(problem)) from None
        return bound.host, bound.port

    def listen_tcp(self, factory: Factory, interface: str) -> Any:
        """A port for a BIND, IListeningPort. Raises OSError."""
        try:
            return self._reactor.listenTCP(0, factory, BIND_BACKLOG, interface)
        except error.CannotListenError as problem:
            raise OSError(str(problem)) from None

    def connect(self, address: Address, port: int, protocol: Any, seconds: float) -> Deferred[Any]:
        """The protocol, connected; fails with what the connection failed with. Cancelling gives up."""
        dial = _Dial(protocol)
        connector = self._reactor.connectTCP(str(address), port, dial, timeout=seconds)
        dial.done = Deferred(lambda _: connector.disconnect())
        return dial.done

    def resolve(self, name: str) -> Deferred[Sequence[Address]]:
        """All addresses of a name, IPv4 and IPv6, none where it has none."""
        receiver = _Receiver()
        resolver: IHostnameResolver = self._reactor.nameResolver
        resolver.resolveHostName(receiver, name)
        return receiver.done

    def is_own(self, address: Address) -> bool:
        """Whether it is an address of this machine: then the way to it begins there. Nothing is sent."""
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((str(address), 9))
                return bool(ip_address(probe.getsockname()[0].partition("%")[0]) == address)
        except OSError:
            return False


class _Dial(ClientFactory):
    """One connection."""

    noisy = False
    done: Deferred[Any]

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol

    def buildProtocol(self, addr: Any) -> Any:
        protocol: Any = self._protocol
        made: Callable[[], None] = protocol.connectionMade

        def connected() -> None:
            made()
            self.done.callback(protocol)

        protocol.connectionMade = connected
        return protocol

    def clientConnectionFailed(self, connector: Any, reason: Any) -> None:
        if not self.done.called:
            self.done.errback(reason)


@implementer(IResolutionReceiver)
class _Receiver:
    """Collects the addresses of one name."""

    def __init__(self) -> None:
        self._found: list[Address] = []
        self.done: Deferred[Sequence[Address]] = Deferred()

    def resolutionBegan(self, resolution: Any) -> None:
        """Nothing to do."""

    def addressResolved(self, address: Any) -> None:
        """One more, each once."""
        found = ip_address(address.host.partition("%")[0])
        if found not in self._found:
            self._found.append(found)

    def resolutionComplete(self) -> None:
        """That was all."""
        if not self.done.called:
            self.done.callback(self._found)
