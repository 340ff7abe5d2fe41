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
from twisted.internet.protocol import ClientFactory, Factory
from twisted.internet.threads import deferToThreadPool

from .destination import Address
from .names import Names

BIND_BACKLOG = 4
DEFAULTS = ((("unix",), "mode", "600"), (("tcp", "tcp4", "tcp6", "unix"), "backlog", "1024"))
"""A unix socket is for its owner alone. Twisted's backlog of 50 drops what a browser opens at once; a dropped SYN comes
again after a second: of 10,000 connections, 100 at a time, one in a hundred took 1.1 s, with 1024 none over 0.3 s."""

LOOKUPS_MOST = 32
"""Names that are looked up at once. With 5, of 1,000 connections in a second 838 failed where an answer took 0.3 s."""

THREADS = LOOKUPS_MOST + 10
"""Of the reactor: what it has by itself stays for the others who need threads."""


class World:
    """The reactor's."""

    def __init__(self, reactor: Any = None) -> None:
        if reactor is None:
            from twisted.internet import reactor
        self._reactor: Any = reactor
        self._names = Names(self._look_up, LOOKUPS_MOST)

    def listen(self, description: str, factory: Factory) -> Deferred[Any]:
        """A port for programs, with DEFAULTS for what the string does not say."""
        for kind, key, value in DEFAULTS:
            if description.partition(":")[0] in kind and f":{key}=" not in description:
                description += f":{key}={value}"
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
        """All addresses of a name, IPv4 and IPv6, none where it has none. Very many at once wait for each other."""
        return self._names.resolve(name)

    def _look_up(self, name: str) -> Deferred[Sequence[Address]]:
        threads = self._reactor.getThreadPool()
        if threads.max < THREADS:
            threads.adjustPoolsize(maxthreads=THREADS)
        return deferToThreadPool(self._reactor, threads, addresses_of, name)

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


def addresses_of(name: str) -> Sequence[Address]:
    """What the system's resolver knows, each address once; blocks. Raises OSError where it could not be asked."""
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except UnicodeError:  # what no name can be, such as two dots in a row
        return []
    except socket.gaierror as problem:
        if problem.errno in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)):
            return []
        raise
    return list(dict.fromkeys(ip_address(str(place[0]).partition("%")[0]) for *_, place in found))
