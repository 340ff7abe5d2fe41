"""Watches over circuits that stand: has a successor built in time, and ends those that are over or too old. [A32]

The successor takes over the peer, not the streams: those run on where they began (``peers.py``). Not for: when
something is due (``core/relay/lifetime.py``). Spec: docs/spec/relays.md, 6.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from quantumgate import logs
from quantumgate.core.relay.lifetime import Lifetime, Wish
from quantumgate.net.backoff import Backoff
from quantumgate.node.circuit import Circuit
from quantumgate.node.world import World
from quantumgate.wire.codes import CloseCode
from quantumgate.wire.limits import Limits

ROUND_SECONDS = 15.0
"""How often circuits are looked at."""

TRY_AGAIN_SECONDS = (10.0, 300.0)
"""After a successor that could not be built: the first wait, and the longest."""

_log = logs.named("circuit")


class Ageing:
    """One circuit that stands, and the successor that is being built for it."""

    def __init__(self, lifetime: Lifetime, backoff: Backoff) -> None:
        self.lifetime, self.backoff = lifetime, backoff
        self.building: Deferred[Any] | None = None


class Lifetimes:
    """One node's. ``succeed(circuit)`` builds a successor, which takes over when its session stands."""

    def __init__(self, world: World, limits: Limits, succeed: Callable[[Circuit], Deferred[Circuit]]) -> None:
        self._world, self._limits, self._succeed = world, limits, succeed
        self._ageing: dict[Circuit, Ageing] = {}
        self._round_call: Any = None

    def stands(self, circuit: Circuit) -> None:
        """A circuit was built."""
        first_seconds, cap_seconds = TRY_AGAIN_SECONDS
        backoff = Backoff(self._world.random, first_seconds=first_seconds, cap_seconds=cap_seconds)
        self._ageing[circuit] = Ageing(Lifetime(self._limits, self._world.now(), self._world.random), backoff)
        self._round_later()

    def gone(self, circuit: Circuit) -> None:
        """It is over, and what was to succeed it comes too late."""
        ageing = self._ageing.pop(circuit, None)
        if ageing is not None and ageing.building is not None:
            ageing.building.cancel()
        if not self._ageing:
            self.stop()

    def succeeded(self, former: Circuit | None, circuit: Circuit | None) -> None:
        """``circuit`` stands in the place of ``former``; None = not one of ours that we know yet."""
        if former in self._ageing:
            self._ageing[former].lifetime.succeed()
        if circuit in self._ageing:
            self._ageing[circuit].lifetime.reinstate()

    def running_out(self, circuit: Circuit) -> bool:
        """Whether a successor has taken its place."""
        return circuit in self._ageing and self._ageing[circuit].lifetime.succeeded

    # -- rounds --------------------------------------------------------------------------------------------------

    def _round_later(self) -> None:
        if self._ageing and (self._round_call is None or not self._round_call.active()):
            self._round_call = self._world.clock.callLater(ROUND_SECONDS, self._round)

    def _round(self) -> None:
        now = self._world.now()
        for circuit, ageing in list(self._ageing.items()):
            wish = ageing.lifetime.wish(now, in_use=circuit.contact.session.in_use)
            if wish is Wish.SUCCESSOR:
                self._build(circuit, ageing)
            elif wish is Wish.END_QUIET:
                circuit.contact.close(CloseCode.REPLACED, "its successor stands")
            elif wish is Wish.END_OLD:
                code = CloseCode.REPLACED if ageing.lifetime.succeeded else CloseCode.BYE
                circuit.contact.close(code, "its time is over")
        self._round_later()

    def _build(self, circuit: Circuit, ageing: Ageing) -> None:
        if ageing.building is not None or (ageing.backoff.seconds_left(self._world.now()) or 0.0) > 0:
            return
        ageing.backoff.next_try = None
        ageing.building = building = self._succeed(circuit)
        building.addCallbacks(self._built, self._failed, callbackArgs=(ageing,), errbackArgs=(ageing,))

    def _built(self, _: Circuit, ageing: Ageing) -> None:
        ageing.building = None
        ageing.backoff.reset()

    def _failed(self, failure: Failure, ageing: Ageing) -> None:
        ageing.building = None
        if failure.check(CancelledError):  # type: ignore[no-untyped-call]
            return
        wait_seconds = ageing.backoff.failed(self._world.now())
        _log.info("no successor for a circuit: {why}; the old one is used, next try in {seconds} s",
                  why=getattr(failure.value, "reason", type(failure.value).__name__), seconds=round(wait_seconds))

    def stop(self) -> None:
        """No more looking."""
        if self._round_call is not None and self._round_call.active():
            self._round_call.cancel()
        ageing, self._ageing = self._ageing, {}
        for each in ageing.values():
            if each.building is not None:
                each.building.cancel()
