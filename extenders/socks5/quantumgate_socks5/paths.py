"""How an exit is reached: the one place that gives ``hops`` and ``via`` to the node.

A direct session to the exit is shared by every key. With relays each key gets a session of its own, so that no two
users share a circuit; the node builds it in ``host.connect(address, hops, via)``. Not for: choosing the exit.
"""

from __future__ import annotations

from typing import Any
from typing import Protocol as Shape
from uuid import UUID

from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from quantumgate.extender import api

HOPELESS = frozenset({"bad-address", "bad-path", "no-address", "no-path", "self", "stopped"})
"""Reasons of a failed dial that trying again does not change."""

CIRCUITS = 16
"""How many keys keep a path of their own; the one that was not used for longest gives way, and is closed. (ADR 0120)"""

CIRCUITS_IN_USE = 64
"""How many have one at once as long as calls are on them or were a moment ago, or they are being built."""


class Sessions(Shape):
    """What is known elsewhere of the sessions to exits."""

    def in_use(self, peer: api.IPeer) -> bool:
        """Whether lines are open on it or waited for; they stay open ``line_idle_seconds`` after a call."""

    def give_up(self, peer: api.IPeer) -> None:
        """Close it as soon as no call is on it."""


class Paths:
    """``hops`` and ``via`` come from the settings; without either the node decides."""

    def __init__(self, host: Any, hops: int | None, via: str, sessions: Sessions | None = None) -> None:
        self._host, self._hops, self._via, self._sessions = host, hops, via or None, sessions
        self._circuits: dict[tuple[bytes, UUID], Deferred[api.IPeer]] = {}

    def dial(self, address: str) -> Deferred[Any]:
        """Connects to an exit that is to be kept warm."""
        dialled: Deferred[Any] = self._host.connect(address, hops=self._hops, via=self._via)
        return dialled

    def reach(self, peer: api.IPeer, key: bytes) -> Deferred[api.IPeer]:
        """The session over which a call of this key goes to the exit ``peer``. Fails with ConnectFailed."""
        if self._shared(peer):
            return succeed(peer)
        place = key, peer.uuid
        known = self._circuits.pop(place, None)
        if known is None or (known.called and not _lives(known, self._host)):
            known = self.dial(str(peer.uuid))
        self._circuits[place] = known  # last in order: most recently used
        self.make_room()
        return _branch(known)

    def make_room(self) -> None:
        """The ones that were not used for longest go first; those in use only where they are far too many."""
        for place in list(self._circuits)[:-1]:  # never the newest
            if len(self._circuits) <= CIRCUITS:
                return
            circuit = self._circuits[place]
            if len(self._circuits) > CIRCUITS_IN_USE or not self._is_used(circuit):
                del self._circuits[place]
                circuit.addCallback(self._gave_way)

    def _is_used(self, circuit: Deferred[api.IPeer]) -> bool:
        if not circuit.called:
            return True
        return self._sessions is not None and self._sessions.in_use(circuit.result)  # type: ignore[arg-type]

    def _gave_way(self, peer: api.IPeer | None) -> api.IPeer | None:
        if peer is not None and self._sessions is not None:  # None: it failed, which its callers were told
            self._sessions.give_up(peer)
        return peer

    def left(self, peer: api.IPeer) -> None:
        """Its session is over: nothing of it is kept."""
        for place in [place for place, known in self._circuits.items() if known.called and known.result is peer]:
            del self._circuits[place]

    def __len__(self) -> int:
        return len(self._circuits)

    def _shared(self, peer: api.IPeer) -> bool:
        """Whether this session is for every key: no relays, or none that were our choice."""
        if self._hops is not None or self._via is not None:
            return not self._hops and self._via is None
        return not (peer.relayed and peer.direction == "outbound")


def is_hopeless(failure: Failure) -> bool:
    """Whether a dial failed for a reason that stays."""
    return getattr(failure.value, "reason", "") in HOPELESS


def _lives(circuit: Deferred[api.IPeer], host: Any) -> bool:
    return circuit.result in host.peers()


def _branch(circuit: Deferred[api.IPeer]) -> Deferred[api.IPeer]:
    """A Deferred of its own for one caller."""
    branch: Deferred[api.IPeer] = Deferred()

    def passed_on(result: Any) -> Any:
        branch.callback(result)  # a Failure fails it
        return result

    circuit.addCallbacks(passed_on, branch.errback)
    return branch
