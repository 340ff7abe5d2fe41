"""A node that nobody can dial is reached through relays without being told to: those that are its peers anyway.

They know it by name and address already, so that asking them for a reservation tells them nothing new; gateways, to
which it is nobody, are never asked. Not for: the reservations (``anchors.py``), anchors that are named, or whether it
can be dialled (``reach.py``). Spec: docs/spec/discovery.md section 7.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from quantumgate import logs
from quantumgate.core.places import group_of
from quantumgate.core.relay.path import Gateway
from quantumgate.node.anchors import Anchors
from quantumgate.node.contact import Contact
from quantumgate.node.world import World
from quantumgate.wire.limits import ANCHORS_MAX

PATIENCE_SECONDS = 5.0
"""A relay is connected for so long, and no place of ours is confirmed: then it is asked."""

_log = logs.named("reach")


class Rendezvous:
    """One node's. ``relays()``: peers that relay, with the sessions in which they said so; ``reachable()``: strangers
    can dial us."""

    def __init__(
        self, world: World, anchors: Anchors, relays: Callable[[], Iterable[tuple[Gateway, Contact]]],
        reachable: Callable[[], bool],
    ) -> None:
        self._world, self._anchors, self._relays, self._reachable = world, anchors, relays, reachable
        self._since: float | None = None
        self._timer: Any = None

    def look(self) -> None:
        """Something changed: a relay came or went, or what is known of our own places."""
        if self._reachable():
            self._since = None
            self._anchors.release()
            return
        relays = list(self._relays())
        if not relays:
            self._since = None
            return
        now = self._world.now()
        self._since = now if self._since is None else self._since
        wait_seconds = self._since + PATIENCE_SECONDS - now
        if wait_seconds > 0:
            self._look_in(wait_seconds)
        else:
            self._adopt(relays)

    def _look_in(self, wait_seconds: float) -> None:
        if self._timer is None or not self._timer.active():
            self._timer = self._world.clock.callLater(wait_seconds, self.look)

    def _adopt(self, relays: list[tuple[Gateway, Contact]]) -> None:
        """As many as there may be, no two of one group of networks."""
        taken = {group_of(host.strip("[]")) for one in self._anchors.adopted() for host, _ in one.hosts}
        for gateway, contact in relays:
            groups = {group_of(host.strip("[]")) for host, _ in gateway.hosts}
            if len(self._anchors.adopted()) < ANCHORS_MAX and not groups & taken and contact.stands:
                taken |= groups
                self._anchors.adopt(gateway, contact)
                _log.info("{peer} is asked to keep a way to this node open", peer=logs.peer(gateway.uuid))

    def stop(self) -> None:
        """The node stops."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
