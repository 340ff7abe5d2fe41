"""Keeps ports of the router open that lead to this node, while it runs; takes them back when it stops.

What a router says is believed by nobody: its ports are places to be dialled back like any other (``reach.py``). There
only with ``[discovery] port_mapping``. Not for: talking to routers (``net/pcp.py``, ``net/portmap.py``). Spec:
docs/spec/discovery.md section 7.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, DeferredList, inlineCallbacks, succeed

from quantumgate import logs
from quantumgate.control.api import PortMapReport
from quantumgate.errors import LocalError
from quantumgate.net.portmap import FindRouter, Lease, Mapper
from quantumgate.node.lan import port_at
from quantumgate.node.world import World
from quantumgate.wire.limits import MAP_LEASE_SECONDS

LEASE_SECONDS = MAP_LEASE_SECONDS[1]
AGAIN_SECONDS = 1800.0
"""A router that was not found is looked for again, and what it gave for good is looked after."""

LOOK_SECONDS = 300.0
"""How often a router is asked whether it still remembers."""

FAREWELL_SECONDS = 5.0
"""A router that does not take its ports back by then keeps them until their lease is over."""

PORTS_MAX = 4
_log = logs.named("reach")


class PortMapping:
    """One node's. ``named``: the router's address where an operator gave one. ``mapped(ports)``: these ports of the
    router lead here now."""

    def __init__(
        self, world: World, named: str, listening: Callable[[], Iterable[str]],
        mapped: Callable[[tuple[int, ...]], object],
    ) -> None:
        self._world, self._named, self._listening, self._mapped = world, named, listening, mapped
        self._router: Mapper | None = None
        self._open: tuple[int, ...] = ()
        self._timer: Any = None
        self._why = ""
        self._renew_at = self._open_until = 0.0
        self._stopped = False
        self._busy: Deferred[Any] = succeed(None)

    def start(self) -> None:
        """One call after the other, none of which holds the reactor up."""
        if not self._stopped:
            self._busy = self._round().addErrback(self._ended)

    @inlineCallbacks
    def _round(self) -> Any:
        """The router that there is, else each way to find one until a port is open."""
        whys: list[str] = []
        for find in self._ways():
            try:
                self._router = yield find(self._named)
                self._opened((yield self._open_all(self._router)))
                return
            except LocalError as error:
                whys.append(str(error))
                self._router = None
            if self._stopped:
                return
        self._failed("; ".join(dict.fromkeys(whys)))

    def _ways(self) -> tuple[FindRouter, ...]:
        standing = self._router
        return self._world.routers if standing is None else (lambda _: succeed(standing), *self._world.routers)

    @inlineCallbacks
    def _open_all(self, router: Mapper) -> Any:
        """The leases of those that it gives. Fails with LocalError where it gives none of them."""
        leases, refused = [], None
        for port in self._ports():
            try:
                leases.append((yield router.open(port, LEASE_SECONDS)))
            except LocalError as error:
                refused = error
        if refused is not None and not leases:
            raise refused
        return leases

    def _ports(self) -> list[int]:
        """What listens for IPv4 at the addresses that packets of ours leave from."""
        listening = list(self._listening())
        found = (port_at(listening, address) for address in self._world.own_addresses() if ":" not in address)
        return [port for port in dict.fromkeys(found) if port][:PORTS_MAX]

    def _opened(self, leases: list[Lease]) -> None:
        external = tuple(one.external for one in leases)
        if external != self._open and external and self._router is not None:
            _log.info("the router leads its ports {ports} here, by {protocol}", ports=", ".join(map(str, external)),
                      protocol=self._router.protocol)
        self._open, self._why = external, ""
        if not self._stopped:
            self._mapped(external)
        seconds = min((one.seconds for one in leases), default=2 * AGAIN_SECONDS)
        self._open_until = self._world.now() + seconds
        self._later(seconds / 2)

    def _failed(self, why: str) -> None:
        """Said once; the router may be another one the next time. What it gave may hold until its lease is over."""
        if why != self._why:
            _log.warn("no port is mapped: {why}", why=logs.words(why))
        self._why = why
        if self._open and self._world.now() >= self._open_until:
            self._open = ()
            self._mapped(())
        self._later(LOOK_SECONDS if self._open else AGAIN_SECONDS)

    def _ended(self, failure: Any) -> None:
        failure.trap(CancelledError)

    # -- in time -------------------------------------------------------------------------------------------------

    def _later(self, wait_seconds: float) -> None:
        self._renew_at = self._world.now() + wait_seconds
        self._look_later()

    def _look_later(self) -> None:
        wait_seconds = max(0.0, self._renew_at - self._world.now())
        if self._router is not None:
            wait_seconds = min(wait_seconds, LOOK_SECONDS)
        if not self._stopped:
            self._timer = self._world.clock.callLater(wait_seconds, self._look)

    def _look(self) -> None:
        """Half of the lease is over, or the router is asked whether it still remembers."""
        if self._router is None or self._world.now() >= self._renew_at - 1:
            self.start()
        else:
            self._busy = self._router.forgot().addCallbacks(self._remembers, self._gone).addErrback(self._ended)

    def _remembers(self, forgot: bool) -> None:
        if forgot:
            _log.info("the router has begun anew: its ports are asked for again")
            self.start()
        else:
            self._look_later()

    def _gone(self, failure: Any) -> None:
        """It does not answer, or packets leave by another one."""
        failure.trap(LocalError)
        self._router = None
        self.start()

    def stop(self) -> Deferred[Any]:
        """Fires when the ports are taken back, or the router has had its time."""
        self._stopped = True
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        if self._router is None:
            self._busy.cancel()
        gone: Deferred[Any] = Deferred()
        self._busy.addBoth(self._take_back).addBoth(lambda _: None if gone.called else gone.callback(None))
        return gone.addTimeout(FAREWELL_SECONDS, self._world.clock).addErrback(lambda _: None)

    def _take_back(self, _: Any) -> Deferred[Any]:
        router, ports = self._router, self._open
        if router is None or not ports:
            return succeed(None)
        return DeferredList([router.close(port) for port in ports], consumeErrors=True)

    # -- for operators -------------------------------------------------------------------------------------------

    def report(self, confirmed: Iterable[str]) -> PortMapReport:
        """``confirmed``: the places by which somebody came in."""
        router = self._router
        places = [place for place in confirmed if int(place.rpartition(":")[2]) in self._open]
        if router is None:
            return PortMapReport(enabled=True, why=self._why)
        return PortMapReport(enabled=True, protocol=router.protocol, router=router.address, outside=router.outside,
                             ports=self._open, confirmed=places, why=self._why)
