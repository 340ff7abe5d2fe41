"""Where peers and networks stand on the ring of one day, by which everybody finds the same keepers for a peer.

A network has a place, an address in it a second one, and a UUID is looked for at a third: nobody comes near a UUID by
making keys, only by having addresses in the right networks, and those are others tomorrow. Not for: what keepers keep
(``directory.py``) or how they are found (``search.py``). Spec: docs/spec/discovery.md section 8.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, insort
from collections.abc import Hashable
from dataclasses import dataclass
from uuid import UUID

from quantumgate.core.peer_records import KnownRecord
from quantumgate.core.places import bare_address, network_of
from quantumgate.crypto import labels
from quantumgate.ids import PeerUUID
from quantumgate.wire.directory_frames import KEY_BYTES
from quantumgate.wire.writer import lp, u32

DAY_SECONDS = 86_400
RING = 1 << 64
LOCATED_REMEMBERED = 4096
"""Places of nodes that need not be hashed again."""
_HALF = RING >> 1
_PEER, _EXTENDER, _GROUP, _HOST = b"\x01", b"\x02", b"\x03", b"\x04"


def day_of(wall_seconds: float) -> int:
    """The unix day."""
    return int(wall_seconds) // DAY_SECONDS


def apart(one: int, other: int) -> int:
    """How far two positions are from each other, the shorter way around."""
    distance = (one - other) % RING
    return distance if distance <= _HALF else RING - distance


class Chart:
    """The positions of one day in one network (``core.peer_records.network_of``)."""

    def __init__(self, network: bytes, day: int) -> None:
        self.day = day
        self._root = network + u32(day)
        self._groups: dict[str, int] = {}

    def _hash(self, kind: bytes, value: bytes) -> bytes:
        return hashlib.sha512(labels.DIRECTORY + lp(self._root) + lp(kind + value)).digest()[:KEY_BYTES]

    def peer(self, uuid: UUID) -> bytes:
        """Under which 32 bytes a peer is kept and asked for. Who does not know the UUID learns nothing of it."""
        return self._hash(_PEER, uuid.bytes)

    def extender(self, uuid: UUID) -> bytes:
        """The same for all peers that run an extender."""
        return self._hash(_EXTENDER, uuid.bytes)

    def group(self, group: str) -> int:
        """Where a network stands."""
        if group not in self._groups:
            self._groups[group] = position_of(self._hash(_GROUP, group.encode()))
        return self._groups[group]

    def host(self, host: str) -> int:
        """Where an address stands among those of its network."""
        return position_of(self._hash(_HOST, host.encode()))


def position_of(key: bytes) -> int:
    """Of 32 bytes, or more."""
    return int.from_bytes(key[:8], "big")


@dataclass(frozen=True, slots=True)
class Located:
    """A node that may keep records, at its address: what the ring sorts."""

    uuid: PeerUUID
    fingerprint: bytes | None
    host: str
    port: int
    at: int
    """Its group's position."""

    within: int
    """Its address's."""

    known: KnownRecord | None = None
    """Its record; without one nobody else can be told of it."""

    def distance(self, target: int) -> tuple[int, int]:
        """First that of the network, then that of the address."""
        return apart(self.at, target), apart(self.within, target)


def host_of(known: KnownRecord) -> str:
    """The address by which a node has a place on the ring, and the only one at which it is asked: its first.

    "" for a node without one. A name is no address: names cost nothing.
    """
    return next((one.host for one in known.record.endpoints if bare_address(one.host) is not None), "")


def placed(
    chart: Chart, uuid: PeerUUID, fingerprint: bytes | None, host: str, port: int, known: KnownRecord | None = None
) -> Located:
    """A node at an IP address, on the ring of a day."""
    return Located(uuid, fingerprint, host, port, chart.group(network_of(host)), chart.host(host), known)


class Charts:
    """The charts of the days around now, and where nodes stand on each."""

    def __init__(self, network: bytes, remembered: int = LOCATED_REMEMBERED) -> None:
        self._network, self._remembered = network, remembered
        self._charts: dict[int, Chart] = {}
        self._located: dict[tuple[int, bytes], Located | None] = {}

    def chart(self, day: int) -> Chart:
        """Of that day."""
        if day not in self._charts:
            self._charts = {kept: chart for kept, chart in self._charts.items() if abs(kept - day) <= 1}
            self._charts[day] = Chart(self._network, day)
        return self._charts[day]

    def locate(self, known: KnownRecord, day: int) -> Located | None:
        """None for a node without an address."""
        key = (day, known.signed.signature)
        if key not in self._located:
            if len(self._located) >= self._remembered:
                del self._located[next(iter(self._located))]
            self._located[key] = self._locate(known, self.chart(day))
        return self._located[key]

    def _locate(self, known: KnownRecord, chart: Chart) -> Located | None:
        identity = known.identity
        for one in known.record.endpoints:
            if bare_address(one.host) is not None:
                return placed(chart, identity.uuid, identity.fingerprint, one.host, one.port, known)
        return None


class Ring:
    """Nodes by the positions of their groups."""

    __slots__ = ("_by_position", "_nodes", "_positions")

    def __init__(self) -> None:
        self._positions: list[int] = []
        self._by_position: dict[int, dict[PeerUUID, Located]] = {}
        self._nodes: dict[PeerUUID, Located] = {}

    def __len__(self) -> int:
        return len(self._nodes)

    def __contains__(self, uuid: Hashable) -> bool:
        return uuid in self._nodes

    def groups(self) -> int:
        """How many networks there are."""
        return len(self._positions)

    def add(self, one: Located) -> None:
        """A new node, or what is new of one."""
        self.remove(one.uuid)
        if one.at not in self._by_position:
            insort(self._positions, one.at)
        self._by_position.setdefault(one.at, {})[one.uuid] = one
        self._nodes[one.uuid] = one

    def remove(self, uuid: PeerUUID) -> None:
        """If it is there."""
        gone = self._nodes.pop(uuid, None)
        if gone is None:
            return
        there = self._by_position[gone.at]
        del there[uuid]
        if not there:
            del self._by_position[gone.at]
            del self._positions[bisect_left(self._positions, gone.at)]

    def nearest(self, target: int, count: int) -> list[Located]:
        """One node for each of the ``count`` nearest networks, the nearest first."""
        return [self._best(at, target) for at in self._around(target, count)]

    def _around(self, target: int, count: int) -> list[int]:
        """Positions, walking away from the target on both sides at once."""
        found: list[int] = []
        positions, most = self._positions, len(self._positions)
        if not most:
            return found
        right = bisect_left(positions, target) % most
        left = right - 1
        to_right, to_left = apart(positions[right], target), apart(positions[left], target)
        for _ in range(min(count, most)):
            if to_right <= to_left:
                found.append(positions[right])
                right = (right + 1) % most
                to_right = apart(positions[right], target)
            else:
                found.append(positions[left])
                left -= 1
                to_left = apart(positions[left], target)
        return found

    def _best(self, at: int, target: int) -> Located:
        there = self._by_position[at]
        if len(there) == 1:
            for only in there.values():
                return only
        return min(there.values(), key=lambda one: apart(one.within, target))

    def rank(self, at: int, target: int, most: int) -> int:
        """How many networks are nearer to ``target`` than ``at`` is, counted up to ``most``."""
        mine = apart(at, target)
        return sum(apart(one, target) < mine for one in self._around(target, most))
