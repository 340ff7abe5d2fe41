"""Datagrams to everybody on the same cable: a socket for each interface and family, and for those that come later.

Each socket is bound to the group itself, so that nothing which was sent to this machine alone, from anywhere, is ever
read. Not for: what the datagrams say (``core/discovery/beacon.py``). Spec: docs/spec/discovery.md, the local network.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from ipaddress import IPv6Address
from typing import Any, Protocol

from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.internet.protocol import DatagramProtocol
from twisted.internet.task import LoopingCall

from quantumgate.core.places import bare_address, network_of
from quantumgate.net.interfaces import Interface, interfaces
from quantumgate.wire.limits import BEACON_PORT

LOOK_SECONDS = 5.0
"""How often interfaces are looked for."""

DATAGRAM_BYTES_MAX = 1024
"""Longer ones are cut, and then are none of ours."""

_IP_MULTICAST_ALL = 49
_IPV6_MULTICAST_ALL = 29
"""Linux: without these a socket also hears groups that others on this machine have joined elsewhere."""

Heard = Callable[[bytes, str], object]
"""A datagram, and the address that it came from: link-local IPv6 with its zone."""

Make = Callable[[str], "bytes | None"]
"""What to send from this address of ours, None = nothing."""


class Multicasting(Protocol):
    """What the node needs of it. ``changed`` = another interface is there; ``troubled`` = why one is not used."""

    changed: Callable[[], object]
    troubled: Callable[[str], object]

    @property
    def addresses(self) -> tuple[str, ...]: ...
    def start(self) -> None: ...
    def send(self, make: Make) -> None: ...
    def stop(self) -> Deferred[Any]: ...


class Nowhere:
    """For a node without neighbours."""

    addresses: tuple[str, ...] = ()

    def __init__(self, groups: tuple[str, str], heard: Heard) -> None:
        self.changed: Callable[[], object] = _nothing
        self.troubled: Callable[[str], object] = _nothing

    def start(self) -> None:
        """Nothing will be heard."""

    def send(self, make: Make) -> None:
        """Nobody hears it."""

    def stop(self) -> Deferred[Any]:
        """At once."""
        return succeed(None)


def _nothing(*_: str) -> None:
    """Nobody asks."""


class _Outlet(DatagramProtocol):
    """One socket."""

    def __init__(self, interface: Interface, group: str, port: int, heard: Heard) -> None:
        self.interface, self.group, self.port = interface, group, port
        self._heard = heard
        self._zone = f"%{interface.name}" if interface.family == socket.AF_INET6 else ""

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """From anybody on this cable."""
        host = str(addr[0]).partition("%")[0]
        if not may_be_here(host, self.interface.address):
            return
        self._heard(datagram, host + self._zone if host.lower().startswith("fe80") else host)

    def say(self, datagram: bytes) -> None:
        """To everybody; a network that is not there at the moment is nobody's fault."""
        if self.transport is None:
            return
        try:
            self.transport.write(datagram, (self.group + self._zone, self.port))
        except OSError:
            return


def may_be_here(host: str, own: str) -> bool:
    """Whether somebody at this address can be on the cable where ours is ``own``. Whoever is on it writes any sender
    into a datagram; who hears it dials that address, so it must not be anybody's on the Internet."""
    address = bare_address(host)
    if isinstance(address, IPv6Address):
        return address.is_link_local
    return address is not None and (not address.is_global or network_of(host) == network_of(own))


class Multicast:
    """``groups``: an IPv4 and an IPv6 one. ``reactor`` provides IReactorSocket and IReactorTime."""

    def __init__(
        self, reactor: Any, groups: tuple[str, str], heard: Heard, *,
        look: Callable[[], frozenset[Interface]] = interfaces, port: int = BEACON_PORT,
    ) -> None:
        self._reactor, self._groups, self._heard, self._look, self._port = reactor, groups, heard, look, port
        self._outlets: dict[Interface, tuple[_Outlet, Any]] = {}
        self._failed: dict[Interface, str] = {}
        self._looking = LoopingCall(self._look_again)
        self._looking.clock = reactor
        self.changed: Callable[[], object] = _nothing
        self.troubled: Callable[[str], object] = _nothing

    @property
    def addresses(self) -> tuple[str, ...]:
        """Those that datagrams leave from."""
        return tuple(sorted(one.address for one in self._outlets))

    def start(self) -> None:
        """On every interface that there is, and each that comes."""
        self._looking.start(LOOK_SECONDS)

    def _look_again(self) -> None:
        """Whatever the system says of its interfaces, this is asked again."""
        try:
            there = self._look()
        except OSError as error:
            self.troubled(f"the interfaces cannot be listed: {error.strerror}")
            return
        for interface in [one for one, (outlet, _) in self._outlets.items()
                          if one not in there or outlet.transport is None]:
            self._close(interface)
        self._failed = {one: why for one, why in self._failed.items() if one in there}
        came = [self._open(one) for one in sorted(there - self._outlets.keys(), key=lambda one: one.address)]
        if any(came):
            self.changed()

    def _open(self, interface: Interface) -> bool:
        group = self._groups[interface.family == socket.AF_INET6]
        outlet = _Outlet(interface, group, self._port, self._heard)
        try:
            with opened(interface, group, self._port) as made:
                port = self._reactor.adoptDatagramPort(made.fileno(), interface.family, outlet, DATAGRAM_BYTES_MAX)
        except OSError as error:
            why = error.strerror or str(error)
            if self._failed.get(interface) != why:
                self._failed[interface] = why
                self.troubled(f"no multicast on {interface.name}: {why}")
            return False
        self._failed.pop(interface, None)
        self._outlets[interface] = (outlet, port)
        return True

    def _close(self, interface: Interface) -> Any:
        outlet, port = self._outlets.pop(interface)
        return port.stopListening() if outlet.transport is not None else None

    def send(self, make: Make) -> None:
        """One datagram by each interface, each made for itself."""
        for outlet, _ in list(self._outlets.values()):
            datagram = make(outlet.interface.address)
            if datagram is not None:
                outlet.say(datagram)

    def stop(self) -> Deferred[Any]:
        """Fires when every socket is closed."""
        if self._looking.running:
            self._looking.stop()
        closing = [self._close(interface) for interface in list(self._outlets)]
        return DeferredList([one for one in closing if isinstance(one, Deferred)])


def opened(interface: Interface, group: str, port: int) -> socket.socket:
    """A socket that hears this group on this interface alone, and sends to its cable alone. Raises OSError."""
    made = socket.socket(interface.family, socket.SOCK_DGRAM)
    try:
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # other nodes on this machine hear it, too
        if interface.family == socket.AF_INET6:
            _join_six(made, interface, group, port)
        else:
            _join_four(made, interface, group, port)
    except BaseException:
        made.close()
        raise
    return made


def _join_four(made: socket.socket, interface: Interface, group: str, port: int) -> None:
    address = socket.inet_aton(interface.address)
    made.bind((group, port))
    where = socket.inet_aton(group) + address
    if interface.index:
        where += struct.pack("=i", interface.index)
        made.setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_ALL, 0)
    made.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, where)
    made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, where if interface.index else address)
    made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
    made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)


def _join_six(made: socket.socket, interface: Interface, group: str, port: int) -> None:
    made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    made.bind((group, port, 0, interface.index))
    made.setsockopt(socket.IPPROTO_IPV6, _IPV6_MULTICAST_ALL, 0)
    where = socket.inet_pton(socket.AF_INET6, group) + struct.pack("=I", interface.index)
    made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, where)
    made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, struct.pack("=I", interface.index))
    made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 1)
    made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 1)
