"""What a node touches outside itself: time, luck, sockets, threads. Tests bring their own.

Not for: settings. The one place that imports the reactor.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    clientFromString,
    serverFromString,
)
from twisted.internet.interfaces import IStreamClientEndpoint, IStreamServerEndpoint
from twisted.internet.threads import deferToThreadPool

from quantumgate.crypto.random import RandomSource, SystemRandom
from quantumgate.net.defaultroute import default_router
from quantumgate.net.monotonic import seconds_of
from quantumgate.net.multicast import Heard, Multicast, Multicasting, Nowhere
from quantumgate.net.ownaddresses import own_addresses
from quantumgate.net.pcp import find_pcp
from quantumgate.net.portmap import FindRouter, find_upnp, no_router
from quantumgate.net.routerline import lines
from quantumgate.store.interface import IStore
from quantumgate.store.opening import store_at
from quantumgate.store.sealed import StoreKey


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """``clock`` provides IReactorTime; ``wall_seconds`` is unix time, ``now`` never jumps: the core's time.

    ``elsewhere(function, *arguments)`` runs it off the reactor thread. ``server`` and ``client`` turn endpoint strings
    into endpoints (ValueError for what is none), ``host`` a host name or IP address and a port. ``own_addresses()``
    are those that packets of ours leave from. ``multicast(groups, heard)`` is the cable with the neighbours on it,
    ``routers`` the ways to find who maps ports there, ``store(url, directory, key)`` the store that
    ``node.store`` names, not opened: StoreError where it cannot be.
    """

    clock: Any
    random: RandomSource
    wall_seconds: Callable[[], float]
    now: Callable[[], float]
    elsewhere: Callable[..., Deferred[Any]]
    server: Callable[[str], IStreamServerEndpoint]
    client: Callable[[str], IStreamClientEndpoint]
    host: Callable[[str, int], IStreamClientEndpoint]
    store: Callable[[str, Path, StoreKey | None], IStore]
    own_addresses: Callable[[], tuple[str, ...]] = tuple
    multicast: Callable[[tuple[str, str], Heard], Multicasting] = Nowhere
    routers: tuple[FindRouter, ...] = (no_router,)

    @property
    def wall_offset_seconds(self) -> float:
        """Unix time minus ``now``: what handshakes add to it."""
        return self.wall_seconds() - self.now()


def real_world(reactor: Any = None) -> World:
    """The world around this process; ``reactor`` defaults to the global one."""
    if reactor is None:
        from twisted.internet import reactor
    def elsewhere(function: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        return deferToThreadPool(reactor, reactor.getThreadPool(), function, *arguments)

    return World(
        clock=reactor,
        random=SystemRandom(),
        wall_seconds=time.time,
        now=seconds_of(reactor),
        elsewhere=elsewhere,
        server=lambda text: serverFromString(reactor, text),  # type: ignore[no-untyped-call]
        client=lambda text: clientFromString(reactor, text),  # type: ignore[no-untyped-call]
        host=lambda host, port: _host_endpoint(reactor, host, port),
        store=lambda url, directory, key: store_at(url, directory, key, reactor),
        own_addresses=own_addresses,
        multicast=lambda groups, heard: Multicast(reactor, groups, heard),
        routers=(
            lambda named: find_pcp(reactor, seconds_of(reactor), SystemRandom(), lines(reactor),
                                   lambda: named or default_router()),
            lambda _: find_upnp(elsewhere, SystemRandom()),
        ),
    )


def _host_endpoint(reactor: Any, host: str, port: int) -> IStreamClientEndpoint:
    """IP addresses are dialled as they are; a name through HostnameEndpoint, which tries both families.

    Without a timeout of the endpoint's own: ``net/dialer.py`` has one for all kinds.
    """
    bare = host.strip("[]")
    version = _ip_version(bare)
    if version is None:
        return HostnameEndpoint(reactor, host, port)
    kind = TCP4ClientEndpoint if version == 4 else TCP6ClientEndpoint
    return kind(reactor, bare, port, timeout=None)  # type: ignore[arg-type]  # connectTCP takes None for "no timer"


@lru_cache(256)
def _ip_version(host: str) -> int | None:
    """4 or 6; None for a name."""
    try:
        return ip_address(host.partition("%")[0]).version
    except ValueError:
        return None
