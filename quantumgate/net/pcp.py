"""Asking the router for a port that leads here, by PCP or, where it knows nothing newer, by NAT-PMP.

A client of our own: nothing blocks, and no package that is kept up speaks them (ADR 0197). Not for: when to ask, or
whether it helped (``node/mapping.py``); the bytes (``wire/port_maps.py``); UPnP (``portmap.py``). Spec:
docs/spec/discovery.md section 7.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred, inlineCallbacks

from quantumgate.errors import LocalError, MalformedError
from quantumgate.net.portmap import Lease
from quantumgate.net.routerline import Asker, LineTo
from quantumgate.wire import port_maps
from quantumgate.wire.limits import MAP_LEASE_SECONDS
from quantumgate.wire.port_maps import NAT_PMP, NONCE_BYTES, PCP, WRONG_VERSION, MapAsk, RouterAnswer

NAMES = {PCP: "PCP", NAT_PMP: "NAT-PMP"}
NAME_IT = "name the router's address in discovery.router"
SWITCH_ON = "switch it on at the router, or map the port by hand"
WHY = {
    PCP: {2: "it does not allow it", 3: "it does not understand us", 4: "it maps no ports", 7: "it has no network",
          8: "it has had enough", 9: "it maps no TCP ports", 10: "we have too many already",
          11: "it cannot give that port", 12: "there is another NAT between it and us"},
    NAT_PMP: {2: "it does not allow it", 3: "it has no network", 4: "it has had enough", 5: "it maps no ports"},
}
_SLACK_SECONDS = 2


class Luck(Protocol):
    """The part of ``crypto.random.RandomSource`` that a map's nonce needs."""

    def bytes(self, n: int) -> bytes: ...


class Epoch:
    """For how long a router remembers, as it says: one that says less than the clock here has forgotten what it gave.

    By RFC 6887 section 8.5 for PCP; by RFC 6886 section 3.6 for NAT-PMP, where a clock that runs fast is no sign.
    """

    def __init__(self, version: int) -> None:
        self._version = version
        self._last: tuple[int, float] | None = None

    def broke(self, epoch_seconds: int, now: float) -> bool:
        """Whether this answer's epoch does not go on from that of the one before."""
        last, self._last = self._last, (epoch_seconds, now)
        if last is None:
            return False
        theirs, ours = epoch_seconds - last[0], now - last[1]
        if self._version == NAT_PMP:
            return theirs < ours * 7 / 8 - _SLACK_SECONDS
        return theirs < -1 or ours + _SLACK_SECONDS < theirs * 15 / 16 or theirs + _SLACK_SECONDS < ours * 15 / 16


class PcpRouter:
    """One router, found by ``find_pcp``. ``where()`` is the one that packets leave by now."""

    def __init__(
        self, asker: Asker, version: int, now: Callable[[], float], luck: Luck, where: Callable[[], str]
    ) -> None:
        self._asker, self._version, self._now, self._luck, self._where = asker, version, now, luck, where
        self._epoch, self._forgot = Epoch(version), False
        self._given: dict[int, int] = {}
        self._nonces: dict[int, bytes] = {}
        self.address, self.protocol, self.outside = asker.router, NAMES[version], ""

    @inlineCallbacks
    def open(self, port: int, lease_seconds: int) -> Any:
        """The Lease of a port of the router that leads to ``port`` here: the same number if it is free.

        Again for a port that is open, its lease begins anew, with the number that it had. Fails with LocalError.
        """
        wanted = self._given.get(port, port)
        answer: RouterAnswer = yield self._map(MapAsk(port, wanted, lease_seconds))
        if answer.result:
            raise LocalError(f"the router {self.address} maps no port to this node: {self._why(answer.result)}",
                             advice="map it by hand, or leave it")
        self._given[port] = answer.external
        self.outside = answer.address or self.outside
        return Lease(answer.external, min(lease_seconds, max(answer.lease_seconds, MAP_LEASE_SECONDS[0])))

    @inlineCallbacks
    def close(self, external: int) -> Any:
        """It leads here no more. Fails with LocalError where the router does not say so."""
        for port in [one for one, given in self._given.items() if given == external]:
            answer: RouterAnswer = yield self._map(MapAsk(port, 0, 0))
            if answer.result:
                raise LocalError(f"the router keeps its port {external}: {self._why(answer.result)}",
                                 advice="it ends with its lease, or take it away at the router")
            del self._given[port]

    @inlineCallbacks
    def forgot(self) -> Any:
        """Whether it has lost what it gave since this was asked last. Fails with LocalError where it is gone, too."""
        if self._where() != self.address:
            raise LocalError(f"packets do not leave by the router {self.address} any more")
        if self._version == PCP:
            answer = yield self._asker.ask(port_maps.pcp_announce, port_maps.read_pcp_announce)
        else:
            answer = yield self._asker.ask(lambda _: port_maps.nat_pmp_address(), port_maps.read_nat_pmp_address)
        self.heard(answer)
        forgot, self._forgot = self._forgot, False
        return forgot

    def heard(self, answer: RouterAnswer) -> None:
        """Of whatever it was asked: what its epoch says, and its address where it says one."""
        self._forgot |= self._epoch.broke(answer.epoch_seconds, self._now())
        self.outside = answer.address or self.outside

    def _map(self, asked: MapAsk) -> Deferred[RouterAnswer]:
        if self._version == NAT_PMP:
            done = self._asker.ask(lambda _: asked.nat_pmp(), lambda data: _about(asked, data))
        else:
            nonce = self._nonces.setdefault(asked.port, self._luck.bytes(NONCE_BYTES))
            done = self._asker.ask(lambda own: asked.pcp(own, nonce), lambda data: _about(asked, data, nonce))
        return done.addCallback(self._answered)

    def _answered(self, answer: RouterAnswer) -> RouterAnswer:
        self.heard(answer)
        return answer

    def _why(self, result: int) -> str:
        return WHY[self._version].get(result, f"code {result}")


def _about(asked: MapAsk, data: bytes, nonce: bytes = b"") -> RouterAnswer:
    """An answer to this very question. Raises MalformedError."""
    answer = port_maps.read_pcp_map(data) if nonce else port_maps.read_nat_pmp_map(data)
    of_ours = answer.nonce == nonce and (answer.port == asked.port or (answer.result and not nonce))
    if not of_ours or (not answer.result and bool(answer.lease_seconds) != bool(asked.lease_seconds)):
        raise MalformedError("an answer to something else")
    return answer


@inlineCallbacks
def find_pcp(
    clock: Any, now: Callable[[], float], luck: Luck, line_to: LineTo, where: Callable[[], str]
) -> Any:
    """A PcpRouter, where the one that packets leave by speaks PCP or NAT-PMP. Fails with LocalError."""
    address = where()
    if not address:
        raise LocalError("PCP, NAT-PMP: no router is known here", advice=NAME_IT)
    asker = Asker(clock, line_to, address)
    version, first = yield _first_answer(asker)
    if first.result == WRONG_VERSION:
        raise LocalError(f"PCP, NAT-PMP: the router {address} speaks no version that we know", advice=SWITCH_ON)
    router = PcpRouter(asker, version, now, luck, where)
    router.heard(first)
    return router


@inlineCallbacks
def _first_answer(asker: Asker) -> Any:
    """(version, RouterAnswer): PCP first, which a router that is older answers in its own way, or not at all."""
    try:
        first = yield asker.ask(port_maps.pcp_announce, _newest)
    except LocalError:
        first = None
    if first is not None:
        return PCP, first
    try:
        return NAT_PMP, (yield asker.ask(lambda _: port_maps.nat_pmp_address(), port_maps.read_nat_pmp_address))
    except LocalError as error:
        raise LocalError(f"PCP, NAT-PMP: {error}", advice=SWITCH_ON) from None


def _newest(data: bytes) -> RouterAnswer | None:
    """None = it speaks NAT-PMP and nothing newer. Raises MalformedError."""
    if port_maps.says_nat_pmp(data):
        return None
    answer = port_maps.read_pcp_announce(data)
    return None if answer.result == WRONG_VERSION else answer
