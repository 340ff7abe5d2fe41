"""Asking the router for a port that leads here, by UPnP; miniupnpc does the talking, where it is installed.

Every call blocks, for seconds: run off the reactor thread, one at a time. NAT-PMP is not spoken. Not for: when to ask,
or whether it helped (``node/mapping.py``). Spec: docs/spec/discovery.md section 7.
"""

from __future__ import annotations

from typing import Any, Protocol

from quantumgate.errors import LocalError

DISCOVER_MS = 2000
DESCRIPTION = "QuantumGate"
HIGH_PORTS = (20_000, 60_000)
"""Where another port is looked for if the router has given the one that was asked for to somebody else."""

PORTS_TRIED = 3
INSTALL_ADVICE = "pip install quantumgate[upnp], or map the port at the router by hand"


class Luck(Protocol):
    """The part of ``crypto.random.RandomSource`` that another port needs."""

    def below(self, n: int) -> int: ...


class Mapper(Protocol):
    """What a node needs of a router."""

    def open(self, port: int, lease_seconds: int) -> int: ...
    def close(self, external: int) -> None: ...


class Router:
    """One router. ``igd`` is a ``miniupnpc.UPnP`` that has selected it."""

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

    def close(self, external: int) -> None:
        """It leads here no more. Raises LocalError where the router does not say so."""
        try:
            self._igd.deleteportmapping(external, "TCP")
        except Exception as error:
            raise LocalError(f"the router keeps its port {external}: {error}") from None
        self._given = {port: given for port, given in self._given.items() if given != external}


def find_router(luck: Luck, description_url: str = "") -> Router:
    """The router of this network; with its description's URL nobody is looked for. Raises LocalError."""
    try:
        import miniupnpc  # type: ignore[import-not-found]  # an extension without stubs
    except ImportError:
        raise LocalError("discovery.port_mapping needs the package miniupnpc", advice=INSTALL_ADVICE) from None
    igd = miniupnpc.UPnP()
    igd.discoverdelay = DISCOVER_MS
    try:
        if description_url:
            igd.selectigd(description_url)
        else:
            igd.discover()
            igd.selectigd()
    except Exception as error:
        raise LocalError(f"no router here maps ports by UPnP: {error}", advice="map the port by hand, or leave it"
                         ) from None
    return Router(igd, luck)


def no_router() -> Router:
    """For a node that is on no network."""
    raise LocalError("there is no router")
