"""Keeps ports of the router open that lead to this node, while it runs; takes them back when it stops.

What a router says is believed by nobody: its ports are places to be dialled back like any other (``reach.py``). There
only with ``[discovery] port_mapping``. Not for: talking to routers (``net/portmap.py``). Spec: docs/spec/discovery.md
section 7.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.python.failure import Failure

from quantumgate import logs
from quantumgate.net.portmap import Mapper
from quantumgate.node.lan import port_at
from quantumgate.node.world import World

LEASE_SECONDS = 3600
AGAIN_SECONDS = 1800.0
"""Leases begin anew, and a router that was not found is looked for again."""

FAREWELL_SECONDS = 5.0
"""A router that does not take its ports back by then keeps them until their lease is over."""

PORTS_MAX = 4
_log = logs.named("reach")


class PortMapping:
    """One node's. ``mapped(ports)``: these ports of the router lead here now."""

    def __init__(
        self, world: World, listening: Callable[[], Iterable[str]], mapped: Callable[[tuple[int, ...]], object]
    ) -> None:
        self._world, self._listening, self._mapped = world, listening, mapped
        self._router: Mapper | None = None
        self._open: tuple[int, ...] = ()
        self._timer: Any = None
        self._said = ""
        self._stopped = False
        self._busy: Deferred[Any] = succeed(None)

    def start(self) -> None:
        """Off the reactor thread, one call after the other."""
        self._busy = self._round()

    def _round(self) -> Deferred[Any]:
        found: Deferred[Any] = (
            self._world.elsewhere(self._world.find_router) if self._router is None else succeed(self._router)
        )
        return found.addCallback(self._open_all).addCallbacks(self._opened, self._failed).addBoth(self._later)

    def _open_all(self, router: Mapper) -> Deferred[list[int]]:
        self._router = router
        ports = self._ports()
        return self._world.elsewhere(lambda: [router.open(port, LEASE_SECONDS) for port in ports])

    def _ports(self) -> list[int]:
        """What listens for IPv4 at the addresses that packets of ours leave from."""
        listening = list(self._listening())
        found = (port_at(listening, address) for address in self._world.own_addresses() if ":" not in address)
        return [port for port in dict.fromkeys(found) if port][:PORTS_MAX]

    def _opened(self, external: list[int]) -> None:
        if tuple(external) != self._open and external:
            _log.info("the router leads its ports {ports} here", ports=", ".join(map(str, external)))
        self._open, self._said = tuple(external), ""
        if not self._stopped:
            self._mapped(self._open)

    def _failed(self, failure: Failure) -> None:
        """Said once; the router may be another one the next time."""
        why = failure.getErrorMessage()
        if why != self._said:
            _log.warn("no port is mapped: {why}", why=why)
        self._router, self._said = None, why

    def _later(self, _: Any) -> None:
        if not self._stopped:
            self._timer = self._world.clock.callLater(AGAIN_SECONDS, self.start)

    def stop(self) -> Deferred[Any]:
        """Fires when the ports are taken back, or the router has had its time."""
        self._stopped = True
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        gone: Deferred[Any] = Deferred()
        self._busy.addBoth(self._take_back).addBoth(lambda _: None if gone.called else gone.callback(None))
        return gone.addTimeout(FAREWELL_SECONDS, self._world.clock).addErrback(lambda _: None)

    def _take_back(self, _: Any) -> Deferred[Any]:
        router, ports = self._router, self._open
        if router is None or not ports:
            return succeed(None)
        closing = [self._world.elsewhere(router.close, port) for port in ports]
        return DeferredList(closing, consumeErrors=True)
