"""The address book: signed records of peers, one each, in two tables of buckets, within bounds that nobody can move.

``new`` holds what we were told, ``tried`` whom we have reached. Who is in ``tried`` stays until a call shows that it is
gone. Peers that our rules name stand outside both tables, for no stranger may push them out. Pure: time, luck and rules
are arguments; times are unix seconds. Not for: verifying records (``core/peer_records.py``), or asking for them
(``exchange.py``). Spec: docs/spec/discovery.md section 3. [A34]
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from enum import Enum

from quantumgate.core.discovery.buckets import Place, Places, Table
from quantumgate.core.discovery.entries import BEHIND_ANCHORS, Entry, Group, Row, callable_at, groups_of
from quantumgate.core.discovery.sampling import taken_out
from quantumgate.core.peer_records import KnownRecord, equivocates, supersedes
from quantumgate.core.places import group_of, quarter_of
from quantumgate.crypto.identity import PeerIdentity
from quantumgate.crypto.random import RandomSource
from quantumgate.errors import CryptoError, RemoteProtocolError
from quantumgate.ids import PeerUUID
from quantumgate.wire.limits import (
    BOOK_CONTEST_SECONDS,
    BOOK_CONTESTS,
    BOOK_NEW,
    BOOK_QUARTER,
    BOOK_REMEMBERED_SECONDS,
    BOOK_SAMPLES,
    BOOK_STANDING_SECONDS,
    DEFAULT_LIMITS,
    PEX_CACHE_SECONDS,
    PEX_RECORDS,
)
from quantumgate.wire.link_frames import LinkEndpoint
from quantumgate.wire.peer_records import PeerRecord, SignedPeerRecord

_CHOICES = 48
"""Draws before it is enough that somebody fits at all."""

_OF_A_GROUP = 64
"""So many of a group that was drawn are looked at."""

_LOOKED_THROUGH = 512
"""A book of so many is looked through; of a larger one as many are drawn: it must not hold the reactor up."""


class Added(Enum):
    """What became of a record that was taken, or that we had."""

    NEW = "new"
    NEWER = "newer than the one that was known"
    KNOWN = "known"


class Rejected(Enum):
    """Why a record was not taken. Only EQUIVOCATION is anybody's fault, and that of its signer."""

    OURS = "our own"
    OVER = "over"
    PRIVATE = "not public, and of nobody whom our rules name"
    OLDER = "older than the one that is known"
    EQUIVOCATION = "another record with the same number"
    ANOTHER_KEY = "of another key with the same UUID"
    CROWDED = "one more of a network of which enough are known"
    FULL = "its place is taken"


def nobody(uuid: PeerUUID) -> bool:
    """For a book without rules."""
    return False


class Book:
    """One node's. ``secret``: 32 bytes that decide about places; ``named``: whether our rules speak of a peer.

    ``diverse`` False: a network of one's own, perhaps on one machine, where every address is a group by itself.
    """

    def __init__(
        self, own: PeerUUID, secret: bytes, random: RandomSource, *, named: Callable[[PeerUUID], bool] = nobody,
        diverse: bool = True, most_bytes: int = DEFAULT_LIMITS.book_bytes,
    ) -> None:
        self._own, self._random, self._named, self._diverse = own, random, named, diverse
        self._places, self._most_bytes = Places(secret), most_bytes
        self._entries: dict[PeerUUID, Entry] = {}
        self._new, self._tried = Table(), Table()
        self._kept: dict[PeerUUID, None] = {}
        self._by_group: dict[Group, dict[PeerUUID, None]] = {}
        self._by_quarter: dict[str, dict[PeerUUID, None]] = {}
        self._contests: dict[PeerUUID, tuple[PeerUUID, float]] = {}
        self._samples: dict[str, tuple[float, dict[PeerUUID, None]]] = {}
        self._changed: dict[PeerUUID, None] = {}
        self._removed: dict[PeerUUID, None] = {}
        self._good_at = 1.0
        self.bytes_held = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, uuid: PeerUUID) -> bool:
        return uuid in self._entries

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def record(self, uuid: PeerUUID) -> KnownRecord | None:
        """The newest that is known, also when it is over: where somebody was is the best guess where he is."""
        entry = self._entries.get(uuid)
        return None if entry is None else entry.known

    def entry(self, uuid: PeerUUID) -> Entry | None:
        """All that is known of a peer."""
        return self._entries.get(uuid)

    def groups(self) -> list[Group]:
        """Of which somebody is known."""
        return list(self._by_group)

    @property
    def tried_count(self) -> int:
        """Peers that were reached."""
        return sum(entry.tried for entry in self._entries.values())

    # -- records that come ---------------------------------------------------------------------------------------

    def add(self, known: KnownRecord, source: Group, now_s: float) -> Added | Rejected:
        """A record that was verified, and who brought it."""
        refused = self._refused(known, now_s)
        if refused is not None:
            return refused
        entry = self._entries.get(known.identity.uuid)
        return self._take(known, source, now_s) if entry is None else self._renew(entry, known, now_s)

    def _refused(self, known: KnownRecord, now_s: float) -> Rejected | None:
        uuid, record = known.identity.uuid, known.record
        if uuid == self._own:
            return Rejected.OURS
        if record.not_after_seconds <= now_s:
            return Rejected.OVER
        return None if record.public or self._named(uuid) else Rejected.PRIVATE

    def _renew(self, entry: Entry, known: KnownRecord, now_s: float) -> Added | Rejected:
        before = entry.known
        if before.identity.bundle != known.identity.bundle:
            return Rejected.ANOTHER_KEY
        if equivocates(before, known):
            entry.two_faced = True
            return Rejected.EQUIVOCATION
        if not supersedes(known, before):
            return Rejected.OLDER if supersedes(before, known) else Added.KNOWN
        groups, quarters = self._where(known.record)
        if self._crowded(set(quarters) - set(entry.quarters), entry.uuid, now_s):
            return Rejected.CROWDED
        self._unlist(entry)
        entry.known, entry.groups, entry.quarters, entry.two_faced = known, groups, quarters, False
        entry.callable_at = self._callable_at(known)
        self._list(entry)
        self._touch(entry.uuid)
        if entry.place is not None and self._named(entry.uuid):
            self._stand_elsewhere(entry, now_s)
        elif entry.tried and entry.place is not None and entry.reached not in groups:
            self._untry(entry, now_s)  # what was reached was somewhere else
        return self._with_room_for(entry)

    def _with_room_for(self, entry: Entry) -> Added | Rejected:
        """It may be longer than the record before. Where nobody else can go for that, it goes itself, unless our rules
        name it."""
        named = entry.place is None
        if not self._make_room(0, at_all_costs=named) and not named:
            self.remove(entry.uuid)
        return Added.NEWER if entry.uuid in self._entries else Rejected.FULL

    def _take(self, known: KnownRecord, source: Group, now_s: float) -> Added | Rejected:
        groups, quarters = self._where(known.record)
        entry = Entry(known, source, groups, quarters, heard_at=now_s, callable_at=self._callable_at(known))
        if self._named(entry.uuid):
            self._make_room(entry.bytes_held, at_all_costs=True)
            self._kept[entry.uuid] = None
            self._enter(entry)
            return Added.NEW
        if self._crowded(set(quarters), entry.uuid, now_s):
            return Rejected.CROWDED
        if not self._stand_new(entry, now_s) or not self._make_room(entry.bytes_held):
            return Rejected.FULL
        self._new.put(_sure(entry.place), entry.uuid)
        self._enter(entry)
        return Added.NEW

    def _callable_at(self, known: KnownRecord) -> tuple[LinkEndpoint, ...]:
        return callable_at(known.record, allow_private=not self._diverse)

    def _where(self, record: PeerRecord) -> tuple[tuple[Group, ...], tuple[str, ...]]:
        """Groups and quarters. In a network of one's own an address is both."""
        if self._diverse:
            return groups_of(record), tuple(dict.fromkeys(quarter_of(one.host) for one in record.endpoints))
        hosts = tuple(dict.fromkeys(f"{one.host}:{one.port}" for one in record.endpoints))
        return hosts or (BEHIND_ANCHORS,), hosts

    def _crowded(self, quarters: Collection[str], uuid: PeerUUID, now_s: float) -> bool:
        """Whether a /24 has its four already. One of them that is hopeless makes room; named ones do not count."""
        for quarter in quarters:
            there = [one for one in self._by_quarter.get(quarter, ()) if one not in self._kept and one != uuid]
            if len(there) < BOOK_QUARTER:
                continue
            gone = next((one for one in there if self._entries[one].hopeless(now_s)), None)
            if gone is None:
                return True
            self.remove(gone)
        return False

    def _stand_new(self, entry: Entry, now_s: float) -> bool:
        """A free place in its bucket of ``new``, or that of somebody hopeless. Nobody else has to go."""
        bucket, first = self._places.new(entry.uuid, entry.groups[0], entry.source)
        slots = [(bucket, (first + n) % BOOK_NEW[1]) for n in range(BOOK_NEW[1])]
        entry.place = next((place for place in slots if self._new.at(place) is None), None)
        if entry.place is not None:
            return True
        for place in slots:
            there = self._new.at(place)
            if there is not None and self._entries[there].hopeless(now_s):
                self.remove(there)
                entry.place = place
                return True
        return False

    def _make_room(self, size_bytes: int, *, at_all_costs: bool = False) -> bool:
        """Under the cap of all records together: those go that nobody has reached, as luck has it."""
        while self.bytes_held + size_bytes > self._most_bytes:
            uuid = self._new.drawn(self._random)
            if uuid is None and at_all_costs:
                uuid = self._tried.drawn(self._random)
            if uuid is None:
                return False
            self.remove(uuid)
        return True

    def _enter(self, entry: Entry) -> None:
        self._entries[entry.uuid] = entry
        self._list(entry)
        self._touch(entry.uuid)

    def _list(self, entry: Entry) -> None:
        for group in entry.groups:
            self._by_group.setdefault(group, {})[entry.uuid] = None
        for quarter in entry.quarters:
            self._by_quarter.setdefault(quarter, {})[entry.uuid] = None
        self.bytes_held += entry.bytes_held

    def _unlist(self, entry: Entry) -> None:
        for index, keys in ((self._by_group, entry.groups), (self._by_quarter, entry.quarters)):
            for key in keys:
                del index[key][entry.uuid]
                if not index[key]:
                    del index[key]
        self.bytes_held -= entry.bytes_held

    def remove(self, uuid: PeerUUID) -> None:
        """Forget a peer."""
        entry = self._entries.pop(uuid, None)
        if entry is None:
            return
        self._unlist(entry)
        self._kept.pop(uuid, None)
        if entry.place is not None:
            (self._tried if entry.tried else self._new).take(entry.place)
        self._contests.pop(uuid, None)
        self._changed.pop(uuid, None)
        self._removed[uuid] = None

    def expire(self, now_s: float) -> None:
        """Forget who was not heard of for a month, or is not named any more, and end contests that nobody decided."""
        for entry in list(self._entries.values()):
            if entry.known.record.not_after_seconds + BOOK_REMEMBERED_SECONDS <= now_s:
                self.remove(entry.uuid)
            elif entry.place is None and not self._named(entry.uuid):
                self._stand_elsewhere(entry, now_s)
        for standing, (_, since) in list(self._contests.items()):
            if now_s - since >= BOOK_CONTEST_SECONDS:
                self._give_way(standing, now_s)

    def _stand_elsewhere(self, entry: Entry, now_s: float) -> None:
        """Our rules name it now, or no longer: then it is what we were told, if it is public."""
        if entry.place is not None:
            (self._tried if entry.tried else self._new).take(entry.place)
            entry.place, self._kept[entry.uuid] = None, None
            self._contests.pop(entry.uuid, None)
            return
        del self._kept[entry.uuid]
        entry.tried = False
        if entry.known.record.public and self._stand_new(entry, now_s):
            self._new.put(_sure(entry.place), entry.uuid)
        else:
            self.remove(entry.uuid)

    # -- calls ---------------------------------------------------------------------------------------------------

    def tried(self, uuid: PeerUUID, now_s: float) -> None:
        """It is being called."""
        entry = self._entries.get(uuid)
        if entry is not None:
            entry.called_at = now_s

    def failed(self, uuid: PeerUUID, now_s: float) -> None:
        """The call came to nothing. It counts once for each time that some other call succeeded: a node without a
        network must not think that everybody is gone."""
        entry = self._entries.get(uuid)
        if entry is None:
            return
        entry.called_at = now_s
        if entry.counted_at < self._good_at:
            entry.counted_at = now_s
            entry.failures += 1
            self._touch(uuid)
            if uuid in self._contests:
                self._give_way(uuid, now_s)

    def succeeded(self, uuid: PeerUUID, now_s: float, host: str = "") -> None:
        """It was reached, at ``host`` where that is known: it stands in ``tried`` for the group of that address."""
        entry = self._entries.get(uuid)
        self._good_at = now_s
        if entry is None:
            return
        entry.called_at = entry.succeeded_at = now_s
        entry.failures = 0
        self._contests.pop(uuid, None)
        self._touch(uuid)
        group = group_of(host) if host and self._diverse else entry.groups[0]
        if entry.place is None:
            entry.tried, entry.reached = True, group
        elif not entry.tried and group in entry.groups:  # elsewhere, nobody has seen that its record is true
            self._enter_tried(entry, group, now_s)

    def _enter_tried(self, entry: Entry, group: Group, now_s: float) -> None:
        place = self._places.tried(entry.uuid, group)
        there = self._tried.at(place)
        entry.reached = group
        if there is None:
            self._move(entry, place)
        elif now_s - self._entries[there].succeeded_at >= BOOK_STANDING_SECONDS and len(self._contests) < BOOK_CONTESTS:
            self._contests.setdefault(there, (entry.uuid, now_s))

    def _move(self, entry: Entry, place: Place) -> None:
        self._new.take(_sure(entry.place))
        self._tried.put(place, entry.uuid)
        entry.place, entry.tried = place, True

    def to_test(self) -> KnownRecord | None:
        """Somebody in ``tried`` whose place another one would have: call it before it has to go."""
        standing = next(map(self._entries.__getitem__, self._contests), None)
        fits = standing is not None and standing.callable_at and not standing.two_faced
        return standing.as_called if standing is not None and fits else None

    def _give_way(self, standing: PeerUUID, now_s: float) -> None:
        """The one that stood there did not answer, or nobody asked it in time."""
        challenger = self._entries.get(self._contests.pop(standing)[0])
        entry = self._entries[standing]
        place = _sure(entry.place)
        if challenger is None or challenger.tried or challenger.place is None:
            return
        self._untry(entry, now_s)
        if challenger.place is not None:
            self._move(challenger, place)
            self._touch(challenger.uuid)

    def _untry(self, entry: Entry, now_s: float) -> None:
        """Back to ``new``, or out where its place there is taken."""
        self._tried.take(_sure(entry.place))
        entry.tried, entry.reached = False, ""
        self._touch(entry.uuid)
        if self._stand_new(entry, now_s):
            self._new.put(_sure(entry.place), entry.uuid)
        else:
            self.remove(entry.uuid)

    # -- choices -------------------------------------------------------------------------------------------------

    def choose(
        self, now_s: float, *, only_new: bool = False, avoid_groups: Collection[Group] = (),
        accept: Callable[[Entry], bool] | None = None, group: Group = "",
    ) -> KnownRecord | None:
        """Somebody to call who has an endpoint for that, none of them in ``avoid_groups``; None where nobody fits.

        A stranger is to be called in the group that was drawn and nowhere else: the record holds no other endpoints.
        ``only_new``: who was never reached. ``group``: no other counts. ``accept`` says whom else we do not want.
        """
        def fits(entry: Entry) -> bool:
            callable_now = bool(entry.callable_at) and not entry.two_faced
            wanted = callable_now and not (only_new and entry.succeeded_at) and not set(entry.groups) & avoided
            return wanted and (accept is None or accept(entry))

        avoided = frozenset(avoid_groups)
        groups, ease = [group] * (group in self._by_group) if group else list(self._by_group), 1.0
        for _ in range(_CHOICES if groups else 0):
            there, drawn = self._drawn(groups, named=not group)
            entry = self._likely([one for one in there if fits(one)], now_s, ease)
            if entry is not None and (called := self._called_in(entry, drawn)) is not None:
                return called
            ease *= 1.2
        left = self._looked_through() if not group else [self._entries[one] for one in self._by_group.get(group, ())]
        return self._of_any_group([entry for entry in left if fits(entry)], groups if group else None)

    def _looked_through(self) -> list[Entry]:
        """Everybody, or of a large book those that our rules name and as many others as luck brings."""
        if len(self._entries) <= _LOOKED_THROUGH:
            return list(self._entries.values())
        drawn = [table.drawn(self._random) for table in (self._new, self._tried) for _ in range(_LOOKED_THROUGH // 2)]
        return [self._entries[uuid] for uuid in dict.fromkeys((*self._kept, *drawn)) if uuid is not None]

    def _of_any_group(self, left: list[Entry], wanted: Collection[Group] | None) -> KnownRecord | None:
        """Each group as likely as the others, whoever is many in one."""
        groups: dict[Group, list[Entry]] = {}
        for entry in left:
            for group in dict.fromkeys(map(self._group_at, entry.callable_at)):
                if wanted is None or group in wanted:
                    groups.setdefault(group, []).append(entry)
        if not groups:
            return None
        group = list(groups)[self._random.below(len(groups))]
        return self._called_in(groups[group][self._random.below(len(groups[group]))], group)

    def _drawn(self, groups: list[Group], *, named: bool) -> tuple[list[Entry], Group]:
        """Those of any group, each as likely as the others, whoever is many in one; or, as often, one of those that our
        rules name."""
        if named and self._kept and self._random.below(2):
            return [self._entries[list(self._kept)[self._random.below(len(self._kept))]]], ""
        group = groups[self._random.below(len(groups))]
        there = list(self._by_group[group])
        looked_at = there if len(there) <= _OF_A_GROUP else self._some(there, _OF_A_GROUP)
        return [self._entries[uuid] for uuid in looked_at], group

    def _likely(self, there: list[Entry], now_s: float, ease: float) -> Entry | None:
        """One of a group, each as likely as its chance says. A group with one good chance keeps its turn, however many
        others it has: else the turns of groups whose peers come and go fall to those whose peers never leave."""
        chances = [entry.chance(now_s) for entry in there]
        if not there or self._random.uniform(0, 1) >= max(chances) * ease:
            return None
        left = self._random.uniform(0, sum(chances))
        for entry, chance in zip(there, chances, strict=True):
            left -= chance
            if left < 0:
                return entry
        return there[-1]

    def _called_in(self, entry: Entry, group: Group) -> KnownRecord | None:
        """Places that are made up are tickets in the draw of groups: so whoever wins by one is called there, in vain.
        Those that our rules name have no use for that, and are called wherever they are."""
        if entry.place is None:
            return entry.as_called
        there = tuple(one for one in entry.callable_at if self._group_at(one) == group)
        return entry.with_endpoints(there) if there else None

    def _group_at(self, endpoint: LinkEndpoint) -> Group:
        return group_of(endpoint.host) if self._diverse else f"{endpoint.host}:{endpoint.port}"

    def groups_called(self, known: KnownRecord) -> tuple[Group, ...]:
        """Of a record that is called, or was."""
        return self._where(known.record)[0]

    def sample(self, count: int, for_prefix: str, now_s: float) -> list[KnownRecord]:
        """Public records for a stranger: at most PEX_RECORDS different peers for one prefix in a day, however often it
        asks, so that asking does not show the book."""
        drawn_at, names = self._samples.pop(for_prefix, (now_s, {}))
        if now_s - drawn_at >= PEX_CACHE_SECONDS:
            drawn_at, names = now_s, {}
        if len(self._samples) >= BOOK_SAMPLES:
            del self._samples[next(iter(self._samples))]
        self._samples[for_prefix] = (drawn_at, names)
        if len(names) < PEX_RECORDS:
            tellable = [one.uuid for one in self._looked_through() if self._tellable(one, now_s)]
            others = [uuid for uuid in tellable if uuid not in names]
            names.update(dict.fromkeys(self._some(others, PEX_RECORDS - len(names))))
        there = (self._entries[uuid] for uuid in names if uuid in self._entries)
        return [one.known for one in there if self._tellable(one, now_s)][:count]

    def news(self, count: int, told: Mapping[PeerUUID, int], now_s: float) -> list[KnownRecord]:
        """For a peer that our rules name: what it was not told yet (``told``: seq by UUID), the named ones first."""
        def untold(entry: Entry) -> bool:
            return entry.fresh(now_s) and told.get(entry.uuid, -1) < entry.known.record.seq_ms

        named = [uuid for uuid in self._kept if untold(self._entries[uuid]) and self._named(uuid)]
        others = [one.uuid for one in self._looked_through() if self._tellable(one, now_s) and untold(one)]
        chosen = self._some(named, count)
        chosen += self._some([uuid for uuid in others if uuid not in chosen], count - len(chosen))
        return [self._entries[uuid].known for uuid in chosen]

    def _tellable(self, entry: Entry, now_s: float) -> bool:
        """To a stranger: public, not over, and not one that nobody finds."""
        return entry.known.record.public and entry.fresh(now_s) and not entry.hopeless(now_s)

    def _some(self, uuids: list[PeerUUID], count: int) -> list[PeerUUID]:
        """``count`` of them, or all, in an order of luck."""
        chosen: list[PeerUUID] = []
        while uuids and len(chosen) < count:
            chosen.append(taken_out(uuids, self._random))
        return chosen

    # -- keeping -------------------------------------------------------------------------------------------------

    def rows(self) -> list[Row]:
        """Everything, for whoever keeps it."""
        return [entry.row for entry in self._entries.values()]

    def changes(self) -> tuple[list[Row], list[bytes]]:
        """Rows that changed, and UUIDs that went, since this was last asked."""
        changed = [self._entries[uuid].row for uuid in self._changed]
        removed = [uuid.bytes for uuid in self._removed]
        self._changed, self._removed = {}, {}
        return changed, removed

    def restore(self, rows: Iterable[Row], now_s: float) -> int:
        """What was kept, tried ones first; returns how many are there again. Our own disk: no signature is verified."""
        before = len(self)
        for row in sorted(rows, key=lambda one: not one[5]):
            self._restore(row, now_s)
        self._changed, self._removed = {}, {}
        return len(self) - before

    def _restore(self, row: Row, now_s: float) -> None:
        _, data, succeeded_at, failures, source, tried = row
        try:
            signed = SignedPeerRecord.decode(data)
            known = KnownRecord(signed, PeerIdentity.from_bundle(signed.record.bundle))
        except (RemoteProtocolError, CryptoError):
            return
        uuid, horizon = known.identity.uuid, known.record.not_after_seconds + BOOK_REMEMBERED_SECONDS
        if uuid == self._own or uuid in self._entries or horizon <= now_s:
            return
        if self._take(known, source, now_s) is not Added.NEW:
            return
        entry = self._entries[uuid]
        if tried:
            entry.tried = entry.place is None
            if entry.place is not None:
                self._enter_tried(entry, entry.groups[0], now_s)
        entry.succeeded_at, entry.failures = min(succeeded_at, now_s), failures

    def _touch(self, uuid: PeerUUID) -> None:
        self._changed[uuid] = None
        self._removed.pop(uuid, None)


def _sure(place: Place | None) -> Place:
    """Of a peer that stands in a table."""
    if place is None:
        raise ValueError("this one stands in no table")
    return place
