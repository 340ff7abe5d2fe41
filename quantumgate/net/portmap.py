"""What a node needs of a router that leads ports here; and those that speak UPnP, by miniupnpc where it is installed.

That package blocks for seconds: it runs off the reactor thread, one call at a time. Not for: PCP and NAT-PMP
(``pcp.py``), when to ask, or whether it helped (``node/mapping.py``). Spec: docs/spec/discovery.md section 7.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any, Protocol

from twisted.internet.defer import Deferred, fail, succeed

from quantumgate.errors import LocalError

DISCOVER_MS = 2000
DESCRIPTION = "QuantumGate"
HIGH_PORTS = (20_000, 60_000)
"""Where another port is looked for if the router has given the one that was asked for to somebody else."""

PORTS_TRIED = 3
INSTALL_ADVICE = "pip install quantumgate[upnp], or map the port at the router by hand"
Elsewhere = Callable[..., Deferred[Any]]
"""``elsewhere(function, *arguments)`` runs it off the reactor thread."""


class Luck(Protocol):
    """The part of ``crypto.random.RandomSource`` that another port needs."""

    def below(self, n: int) -> int: ...


@dataclass(frozen=True, slots=True)
class Lease:
    """The router leads ``external`` here, for so long."""

    external: int
    seconds: float


class Mapper(Protocol):
    """What a node needs of a router; every Deferred fails with LocalError.

    ``protocol`` and ``address`` for people; ``outside``: the router's address towards the Internet, as it says, ""
    where it has not said. ``forgot()``: whether it lost what it gave.
    """

    protocol: str
    address: str
    outside: str

    def open(self, port: int, lease_seconds: int) -> Deferred[Lease]: ...
    def close(self, external: int) -> Deferred[Any]: ...
    def forgot(self) -> Deferred[bool]: ...


FindRouter = Callable[[str], Deferred[Mapper]]
"""(the router's address, as named by the operator, "" = none is named). Fails with LocalError."""


class UpnpRouter:
    """One router. ``igd`` is a ``miniupnpc.UPnP`` that has selected it. Every call blocks."""

    def __init__(self, igd: Any, luck: Luck) -> None:
        self._igd, self._luck = igd, luck
        self._given: dict[int, int] = {}

    def open(self, port: int, lease_seconds: int) -> int:
        """The router's port that leads to ``port`` here: the same number if it is free. Raises LocalError.

        Again for a port that is open, the lease begins anew. A router that knows no leases gives it for good.
        """
        wanted = self._given.get(port, port)
        why = ""
        for external in (wanted, *(self._another() for _ in range(PORTS_TRIED - 1))):
            for lease in (lease_seconds, 0):
                why = self._asked(external, port, lease)
                if not why:
                    self._given[port] = external
                    return external
                if "OnlyPermanentLeasesSupported" not in why:
                    break
        raise LocalError(f"the router maps no port to this node: {why}", advice="map it by hand, or leave it")

    def _another(self) -> int:
        low, high = HIGH_PORTS
        return low + self._luck.below(high - low)

    def _asked(self, external: int, port: int, lease_seconds: int) -> str:
        """"" or why not, in the router's words."""
        try:
            done = self._igd.addportmapping(external, "TCP", self._igd.lanaddr, port, DESCRIPTION, "", lease_seconds)
        except Exception as error:  # the library raises plain Exceptions, with the router's words
            return str(error) or type(error).__name__
        return "" if done else "no answer"

    def outside(self) -> str:
        """Its address towards the Internet, as it says."""
        try:
            return str(IPv4Address(self._igd.externalipaddress()))
        except Exception:  # as in ``_asked``: one that does not say it may map ports all the same
            return ""

    def close(self, external: int) -> None:
        """It leads here no more. Raises LocalError where the router does not say so."""
        try:
            self._igd.deleteportmapping(external, "TCP")
        except Exception as error:
            raise LocalError(f"the router keeps its port {external}: {error}") from None
        self._given = {port: given for port, given in self._given.items() if given != external}


class Aside:
    """A router that speaks UPnP, off the reactor thread."""

    protocol = "UPnP"

    def __init__(self, router: UpnpRouter, outside: str, elsewhere: Elsewhere) -> None:
        self._router, self._elsewhere = router, elsewhere
        self.address, self.outside = "", outside

    def open(self, port: int, lease_seconds: int) -> Deferred[Lease]:
        """See ``UpnpRouter.open``."""
        opened = self._elsewhere(self._router.open, port, lease_seconds)
        return opened.addCallback(lambda external: Lease(external, lease_seconds))

    def close(self, external: int) -> Deferred[Any]:
        """See ``UpnpRouter.close``."""
        return self._elsewhere(self._router.close, external)

    def forgot(self) -> Deferred[bool]:
        """It does not say so; maps are renewed at half of their leases."""
        return succeed(False)


def find_upnp(elsewhere: Elsewhere, luck: Luck) -> Deferred[Mapper]:
    """The router of this network that speaks UPnP. Fails with LocalError."""

    def found() -> tuple[UpnpRouter, str]:
        router = upnp_router(luck)
        return router, router.outside()

    def beside(both: tuple[UpnpRouter, str]) -> Mapper:
        return Aside(*both, elsewhere)

    done: Deferred[Mapper] = elsewhere(found).addCallback(beside)
    return done


def upnp_router(luck: Luck, description_url: str = "") -> UpnpRouter:
    """The router of this network; with its description's URL nobody is looked for. Raises LocalError."""
    try:
        import miniupnpc  # type: ignore[import-not-found]  # an extension without stubs
    except ImportError:
        raise LocalError("UPnP: the package miniupnpc is not installed", advice=INSTALL_ADVICE) from None
    igd = miniupnpc.UPnP()
    igd.discoverdelay = DISCOVER_MS
    try:
        if description_url:
            igd.selectigd(description_url)
        else:
            igd.discover()
            igd.selectigd()
    except Exception as error:
        raise LocalError(f"UPnP: no router here speaks it: {error}", advice="map the port by hand, or leave it"
                         ) from None
    return UpnpRouter(igd, luck)


def no_router(named: str) -> Deferred[Mapper]:
    """For a node that is on no network."""
    return fail(LocalError("there is no router"))
