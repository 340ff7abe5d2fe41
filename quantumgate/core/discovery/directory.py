"""What a keeper keeps: records that others left with it, and nodes it has met by which a search gets nearer.

Bounded for each network that leaves something, so that no flood drives out what others left. Not for: searching
(``search.py``), or verifying what comes (``core/peer_records.py``). Spec: docs/spec/discovery.md section 8.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

from quantumgate.core.discovery.positions import Charts, Located, Ring, apart, day_of, host_of, position_of
from quantumgate.core.discovery.sampling import in_turns, who_yields
from quantumgate.core.discovery.search import KEEPERS
from quantumgate.core.peer_records import KnownRecord, supersedes
from quantumgate.core.places import network_of
from quantumgate.crypto.random import RandomSource
from quantumgate.ids import PeerUUID
from quantumgate.wire.directory_frames import Kind, Left
from quantumgate.wire.limits import (
    ANSWER_NODES,
    ANSWER_RECORDS,
    DIRECTORY_BYTES,
    DIRECTORY_MET,
    DIRECTORY_NEAR,
    DIRECTORY_OF_A_KEY,
    DIRECTORY_RECORDS,
    VALIDITY_SLACK_SECONDS,
)

SLACK_KEEPERS = 2 * KEEPERS
"""We keep what has so many keepers, or fewer, nearer than us: others may know less, or more, than we."""

SECRET_BYTES = 32
_Shelf = tuple[Kind, bytes]
"""What it is kept as, and under which key: what is left as one kind is never in the way of the other."""


class Acquaintances:
    """Nodes that answered us at their address, on the ring: all that are near our own, and some of the others."""

    def __init__(self, charts: Charts, own_host: str = "") -> None:
        self._charts, self.own_host = charts, own_host
        self._met: dict[PeerUUID, KnownRecord] = {}
        self._rings: dict[int, Ring] = {}

    def __len__(self) -> int:
        return len(self._met)

    def __contains__(self, uuid: PeerUUID) -> bool:
        return uuid in self._met

    def __iter__(self) -> Iterator[PeerUUID]:
        return iter(self._met)

    def own_position(self, day: int) -> int:
        """Where we stand ourselves; 0 where nobody can ask us anyway."""
        return self._charts.chart(day).group(network_of(self.own_host)) if self.own_host else 0

    def met(self, known: KnownRecord, day: int) -> None:
        """It answered at its address, today."""
        uuid = known.identity.uuid
        before = self._met.pop(uuid, None)
        if before is known:
            self._met[uuid] = known
            return
        if not host_of(known):
            return
        self._met[uuid] = known
        for kept, ring in self._rings.items():
            one = self._charts.locate(known, kept)
            if one is not None:
                ring.add(one)
        if len(self._met) > DIRECTORY_NEAR + DIRECTORY_MET:
            self._forget_one(day)

    def _forget_one(self, day: int) -> None:
        """Who was met longest ago of those that are not near."""
        mine, ring = self.own_position(day), self.ring(day)
        edge = ring.nearest(mine, DIRECTORY_NEAR)[-1].at
        far = (one for one, known in self._met.items() if self._distance(known, day, mine) > apart(edge, mine))
        self.lost(next(far, next(iter(self._met))))

    def _distance(self, known: KnownRecord, day: int, mine: int) -> int:
        one = self._charts.locate(known, day)
        return 0 if one is None else apart(one.at, mine)

    def lost(self, uuid: PeerUUID) -> None:
        """It did not answer."""
        self._met.pop(uuid, None)
        for ring in self._rings.values():
            ring.remove(uuid)

    def ring(self, day: int) -> Ring:
        """Of that day; made when it is first asked for, and forgotten two days later."""
        if day not in self._rings:
            self._rings = {kept: ring for kept, ring in self._rings.items() if abs(kept - day) <= 1}
            ring = self._rings[day] = Ring()
            for known in self._met.values():
                one = self._charts.locate(known, day)
                if one is not None:
                    ring.add(one)
        return self._rings[day]


@dataclass(frozen=True, slots=True)
class _Kept:
    known: KnownRecord
    source: str
    day: int

    @property
    def bytes_held(self) -> int:
        """Body and signature, which is most of it."""
        return len(self.known.signed.body) + len(self.known.signed.signature)

    @property
    def at_home(self) -> bool:
        """It came from where it says that its owner is, most likely from its owner."""
        return any(self.source == network_of(one.host) for one in self.known.record.endpoints)

    def after(self, before: _Kept | None) -> _Kept | None:
        """What is kept of a record that was left again; None = what was there.

        One that is at home stays so: else whoever leaves others' records could have them counted as its own network's.
        """
        if before is None or supersedes(self.known, before.known):
            homeless = before is not None and before.at_home and not self.at_home
            return replace(self, source=before.source) if before is not None and homeless else self
        same = not supersedes(before.known, self.known)
        return self if same and self.at_home and not before.at_home else None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a keeper says to a question."""

    records: tuple[KnownRecord, ...]
    nearer: tuple[Located, ...]


class Directory:
    """One keeper's. ``wish_to_meet(known)``: a node near us that says that it is there; whoever dials it tells us."""

    def __init__(
        self, charts: Charts, acquaintances: Acquaintances, random: RandomSource,
        wish_to_meet: Callable[[KnownRecord], object],
    ) -> None:
        self._charts, self._acquaintances, self._random = charts, acquaintances, random
        self._wish_to_meet = wish_to_meet
        self._secret = random.bytes(SECRET_BYTES)
        self._kept: dict[_Shelf, dict[PeerUUID, _Kept]] = {}
        self._by_source: dict[str, dict[tuple[_Shelf, PeerUUID], None]] = {}
        self.refused: Counter[str] = Counter()
        self._count = self.bytes_held = 0

    def __len__(self) -> int:
        return self._count

    # -- questions -----------------------------------------------------------------------------------------------

    def find(self, day: int, key: bytes, wall_seconds: float) -> Answer:
        """What is kept under this key, and the nodes nearest to it that we have met. Another day is answered with
        nothing."""
        if not self._is_near_today(day, wall_seconds):
            return Answer((), ())
        nearer = self._acquaintances.ring(day).nearest(position_of(key), ANSWER_NODES)
        return Answer(self._records(key, wall_seconds), tuple(nearer))

    def _records(self, key: bytes, wall_seconds: float) -> tuple[KnownRecord, ...]:
        """The peer's own, or a sample of those who run an extender: a key is never that of both."""
        peer, several = (self._kept.get((kind, key), {}) for kind in (Kind.PEER, Kind.EXTENDER))
        living = [one.known for one in peer.values() if _lives(one.known, wall_seconds)]
        if living:
            return tuple(living)
        by_source: dict[str, list[PeerUUID]] = {}
        for uuid, one in several.items():
            if _lives(one.known, wall_seconds):
                by_source.setdefault(one.source, []).append(uuid)
        drawn = islice(in_turns(by_source.values(), self._random), ANSWER_RECORDS)
        return tuple(several[uuid].known for uuid in drawn)

    def _is_near_today(self, day: int, wall_seconds: float) -> bool:
        return abs(day - day_of(wall_seconds)) <= 1

    # -- what is left --------------------------------------------------------------------------------------------

    def leave(
        self, kind: Kind, day: int, key: bytes, known: KnownRecord, source: str, wall_seconds: float
    ) -> Left:
        """Whether it is kept. ``known`` was verified; ``source`` is the network of who brought it."""
        verdict = self._judge(kind, day, key, known, wall_seconds)
        if verdict is Left.KEPT and kind is Kind.NODE:
            self._wish_to_meet(known)
        elif verdict is Left.KEPT:
            verdict = self._keep((kind, key), _Kept(known, source, day))
        if verdict is not Left.KEPT:
            self.refused[verdict.name.lower()] += 1
        return verdict

    def _judge(self, kind: Kind, day: int, key: bytes, known: KnownRecord, wall_seconds: float) -> Left:
        if not self._is_near_today(day, wall_seconds) or not _lives(known, wall_seconds):
            return Left.REFUSED
        if kind is Kind.PEER and key != self._charts.chart(day).peer(known.identity.uuid):
            return Left.REFUSED
        if kind is Kind.EXTENDER and not known.record.extenders:
            return Left.REFUSED
        target = position_of(key)
        if kind is Kind.NODE:
            node = self._charts.locate(known, day)
            if node is None or known.identity.uuid in self._acquaintances:
                return Left.REFUSED if node is None else Left.KEPT
            target = node.at
        ring = self._acquaintances.ring(day)
        most = DIRECTORY_NEAR if kind is Kind.NODE else SLACK_KEEPERS
        far = ring.rank(self._acquaintances.own_position(day), target, most) >= most
        return Left.FAR if far else Left.KEPT

    def _keep(self, shelf: _Shelf, left: _Kept) -> Left:
        there, uuid = self._kept.get(shelf, {}), left.known.identity.uuid
        new = left.after(there.get(uuid))
        if new is None:
            return Left.KEPT
        yields: PeerUUID | None = uuid
        if uuid not in there and len(there) >= DIRECTORY_OF_A_KEY:
            yields = who_yields({one: kept.source for one, kept in there.items()}, new.source, self._secret)
            if yields is None:
                return Left.FULL
        gone = self._remove(shelf, yields) if yields in there else None
        if self._has_room(new):
            self._add(shelf, new)
            return Left.KEPT
        if gone is not None:
            self._add(shelf, gone)
        return Left.FULL

    def _has_room(self, new: _Kept) -> bool:
        """Whether it fits, if need be after others went."""
        while self._count >= DIRECTORY_RECORDS or self.bytes_held + new.bytes_held > DIRECTORY_BYTES:
            if not self._make_room(new.source):
                return False
        return True

    def _add(self, shelf: _Shelf, new: _Kept) -> None:
        uuid = new.known.identity.uuid
        self._kept.setdefault(shelf, {})[uuid] = new
        self._by_source.setdefault(new.source, {})[shelf, uuid] = None
        self._count += 1
        self.bytes_held += new.bytes_held

    def _make_room(self, source: str) -> bool:
        """The oldest of the network that left most goes, if that is not the one that wants more."""
        largest = max(self._by_source, key=lambda group: len(self._by_source[group]))
        if len(self._by_source.get(source, ())) >= len(self._by_source[largest]):
            return False
        self._remove(*next(iter(self._by_source[largest])))
        return True

    def _remove(self, shelf: _Shelf, uuid: PeerUUID) -> _Kept:
        gone = self._kept[shelf].pop(uuid)
        if not self._kept[shelf]:
            del self._kept[shelf]
        del self._by_source[gone.source][shelf, uuid]
        if not self._by_source[gone.source]:
            del self._by_source[gone.source]
        self._count -= 1
        self.bytes_held -= gone.bytes_held
        return gone

    def tidy(self, wall_seconds: float) -> None:
        """What is over goes; to be called now and then."""
        today = day_of(wall_seconds - VALIDITY_SLACK_SECONDS)
        over = [
            (shelf, uuid) for shelf, there in self._kept.items() for uuid, one in there.items()
            if one.day < today or not _lives(one.known, wall_seconds)
        ]
        for shelf, uuid in over:
            self._remove(shelf, uuid)


def _lives(known: KnownRecord, wall_seconds: float) -> bool:
    return known.record.not_after_seconds + VALIDITY_SLACK_SECONDS >= wall_seconds
