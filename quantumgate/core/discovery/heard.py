"""Who was heard on the local network: the table of beacons, and what is not believed.

Replayed, too old, echoed or too many: whoever shares the cable can send anything, and whoever is of the network can
make up nodes. So everything here has a bound, and an entry is a hint where to dial: what answers there has to prove its
key as ever. Not for: dialling (``node/lan.py``). Spec: docs/spec/discovery.md, the local network.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from enum import Enum

from quantumgate.core.budget import Buckets, TokenBucket
from quantumgate.ids import PeerUUID
from quantumgate.wire.beacons import Beacon
from quantumgate.wire.limits import (
    BEACON_HOSTS_MET_MAX,
    BEACON_ORDER_SECONDS,
    HEARD_FORMER_MAX,
    HEARD_PER_HOST,
    HEARD_PLACES_MAX,
    Limits,
)

AHEAD_SECONDS = 60.0
"""What is from further ahead than this counts as from so far ahead, once it is believed: else one beacon that somebody
makes in the name of another would keep that one's own from being believed until then."""


class Hearing(Enum):
    """What a beacon came to."""

    NEW = "a node that was not in the table, or a new process of one that was"
    AGAIN = "a node that was in the table"
    ECHO = "our own"
    TWIN = "another process with our identity"
    OLD = "not newer than what came before, or from another day"
    FULL = "one node too many from this address"


@dataclass(slots=True)
class HeardPlace:
    """When it was heard from there last, and when that was sent."""

    at: float
    sent_ms: int


@dataclass(slots=True)
class HeardNode:
    """One node. ``places`` by host and port; port 0 = it is not dialled. ``host``: where it was heard first."""

    uuid: PeerUUID
    epoch: int
    sent_ms: int
    first_at: float
    last_at: float
    host: str
    places: dict[tuple[str, int], HeardPlace] = field(default_factory=dict)

    @property
    def hosts(self) -> tuple[tuple[str, int], ...]:
        """Where it takes connections, the place that was heard first in front."""
        return tuple(place for place in self.places if place[1])

    def heard_at(self, beacon: Beacon, host: str, now: float) -> None:
        """One more beacon of it, from there."""
        self.last_at, self.sent_ms = now, max(self.sent_ms, beacon.sent_ms)
        self.places[host, beacon.port] = HeardPlace(now, beacon.sent_ms)
        if len(self.places) > HEARD_PLACES_MAX:
            del self.places[min(self.places, key=lambda place: self.places[place].at)]

    def stale(self, beacon: Beacon, host: str) -> bool:
        """Not newer than what came before. What takes two ways may come in another order, so a new place has a little
        time."""
        if beacon.epoch != self.epoch:
            return beacon.sent_ms <= self.sent_ms
        before = [place.sent_ms for (where, _), place in self.places.items() if where == host]
        return beacon.sent_ms <= max(before, default=self.sent_ms - int(BEACON_ORDER_SECONDS * 1000))


class HeardNodes:
    """One node's. ``dropped`` counts what was not believed, by reason."""

    def __init__(self, own: PeerUUID, epoch: int, limits: Limits, now: float, wall_ms: int) -> None:
        self._own, self._epoch, self._began_ms, self._limits = own, epoch, wall_ms, limits
        self.by_uuid: dict[PeerUUID, HeardNode] = {}
        self._former: dict[PeerUUID, int] = {}
        self._strangers = TokenBucket(*limits.beacon_rate, now)
        self._hosts: Buckets[str] = Buckets(*limits.beacon_host_rate, BEACON_HOSTS_MET_MAX)
        self.dropped: Counter[str] = Counter()

    def admits(self, host: str, now: float) -> bool:
        """Whether a datagram from there is looked at: asked before anything is opened."""
        if self._hosts.take(host, now) and (self._knows(host) or self._strangers.take(now)):
            return True
        self.dropped["too many"] += 1
        return False

    def _knows(self, host: str) -> bool:
        """Looked for where the host has a token left: it costs more than what a flood sends."""
        return any(where == host for node in self.by_uuid.values() for where, _ in node.places)

    def hear(self, beacon: Beacon, host: str, now: float, wall_ms: int) -> Hearing:
        """An opened beacon from this address."""
        if beacon.uuid == self._own:
            return self._of_ours(beacon)
        node = self.by_uuid.get(beacon.uuid)
        if abs(beacon.sent_ms - wall_ms) > self._limits.clock_window_seconds * 1000 or self._stale(beacon, node, host):
            self.dropped["old"] += 1
            return Hearing.OLD
        beacon = replace(beacon, sent_ms=min(beacon.sent_ms, wall_ms + int(AHEAD_SECONDS * 1000)))
        if node is None or node.epoch != beacon.epoch:
            return self._hear_new(beacon, host, now)
        node.heard_at(beacon, host, now)
        return Hearing.AGAIN

    def _of_ours(self, beacon: Beacon) -> Hearing:
        """One that our own process did not send: what we sent before we began is nobody's."""
        return Hearing.ECHO if beacon.epoch == self._epoch or beacon.sent_ms <= self._began_ms else Hearing.TWIN

    def _stale(self, beacon: Beacon, node: HeardNode | None, host: str) -> bool:
        return node.stale(beacon, host) if node is not None else beacon.sent_ms <= self._former.get(beacon.uuid, -1)

    def _hear_new(self, beacon: Beacon, host: str, now: float) -> Hearing:
        self.expire(now)
        if not self._make_room(host, beacon.uuid):
            self.dropped["full"] += 1
            return Hearing.FULL
        node = HeardNode(beacon.uuid, beacon.epoch, beacon.sent_ms, now, now, host)
        node.heard_at(beacon, host, now)
        self.by_uuid[beacon.uuid] = node
        return Hearing.NEW

    def _make_room(self, host: str, uuid: PeerUUID) -> bool:
        """So many from one address; where the table is full, the address with the most nodes loses its stalest."""
        if uuid in self.by_uuid:
            return True
        counts = Counter(node.host for node in self.by_uuid.values())
        if counts[host] >= HEARD_PER_HOST:
            return False
        if len(self.by_uuid) >= self._limits.lan_nodes:
            fullest = counts.most_common(1)[0][0]
            self._forget(min((node for node in self.by_uuid.values() if node.host == fullest),
                             key=lambda node: node.last_at))
        return True

    def _forget(self, node: HeardNode) -> None:
        """It may be heard again, but nothing that is as old as what it said."""
        del self.by_uuid[node.uuid]
        self._former.pop(node.uuid, None)
        self._former[node.uuid] = node.sent_ms
        if len(self._former) > HEARD_FORMER_MAX:
            del self._former[next(iter(self._former))]

    def expire(self, now: float) -> list[PeerUUID]:
        """Forgets who was not heard for a while; who that was."""
        oldest = now - self._limits.heard_seconds
        gone = [node for node in self.by_uuid.values() if node.last_at <= oldest]
        for node in gone:
            self._forget(node)
        for node in self.by_uuid.values():
            node.places = {place: when for place, when in node.places.items() if when.at > oldest}
        return [node.uuid for node in gone]
