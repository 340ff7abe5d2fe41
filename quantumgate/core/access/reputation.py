"""What addresses and peers have done, as scores that fade; who pays for what, and who has to stay outside a while.

One table says what each deed costs, one function who pays. A score is kept for an address and for its network, and,
apart from them, for a UUID; half of it is gone after an hour. Below -1000 new connections are refused for ten minutes,
then twenty, up to a day; existing ones are kept. Not for: refusing (``judge.py``), or asking other nodes: their scores
are never believed. Spec: docs/spec/access.md section 5. [A31]
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from heapq import nlargest, nsmallest
from math import inf, log2
from typing import Generic, TypeVar

from quantumgate.core.access.addresses import Address, Network, narrow, wide
from quantumgate.ids import PeerUUID
from quantumgate.wire.limits import SCORE_GREY, SCORE_RANGE, SCORE_RELAY_FLOOR, SCORE_WIDE_SHARE, Limits

K = TypeVar("K", bound=Hashable)
FORGOTTEN_BELOW = 1.0
"""A score nearer to zero than this is as good as none."""

TIMES_MAX = 32
MAKE_ROOM_SHARE = 8
"""A full table loses one row in so many at a time: those nearest to zero."""


class Deed(StrEnum):
    """What is counted."""

    HANDSHAKE = "handshake"
    DAMAGE = "damage"
    ATTEMPT = "attempt"
    LINKS = "links"
    RECORD = "record"
    EQUIVOCATION = "equivocation"
    INVITATION = "invitation"
    FLOOD = "flood"
    VIOLATION = "violation"
    REPORT = "report"
    REPORTED_FLOOD = "reported-flood"
    REPORTED_ABUSE = "reported-abuse"
    USEFUL = "useful"


@dataclass(frozen=True, slots=True)
class Cost:
    """What a deed adds to the score of the address, and of the peer that has proved to be there."""

    address: float
    peer: float


COSTS: Mapping[Deed, Cost] = {
    Deed.HANDSHAKE: Cost(-5, 0),
    Deed.DAMAGE: Cost(-5, 0),
    Deed.ATTEMPT: Cost(-10, 0),
    Deed.LINKS: Cost(-5, -5),
    Deed.RECORD: Cost(-20, -20),
    Deed.EQUIVOCATION: Cost(0, -200),
    Deed.INVITATION: Cost(-20, -20),
    Deed.FLOOD: Cost(-50, -50),
    Deed.VIOLATION: Cost(-200, -200),
    Deed.REPORT: Cost(-20, -20),
    Deed.REPORTED_FLOOD: Cost(-50, -50),
    Deed.REPORTED_ABUSE: Cost(-200, -200),
    Deed.USEFUL: Cost(1, 1),
}


@dataclass(frozen=True, slots=True)
class Doer:
    """Where something came from, as far as that is proved.

    ``address`` is the other end of a socket of ours, None for what has none; ``local``: this machine, or a listener
    marked ``lan``, where an address says nothing; ``over_link``: relays brought it; ``peer`` only where the identity
    is authenticated; ``relay``: the address of a relay that we know.
    """

    address: Address | None = None
    peer: PeerUUID | None = None
    local: bool = False
    over_link: bool = False
    relay: bool = False

    @property
    def paying_address(self) -> Address | None:
        """Never the carrier of what came over a link, never an address that many share by being here."""
        return None if self.over_link or self.local else self.address


@dataclass(frozen=True, slots=True)
class Standing:
    """How somebody stands: the score, whose it is, and until when (the clock of the scores) it is refused, if so."""

    score: float
    of: str
    refused_until: float | None = None


class _Row:
    """One score and when it was that."""

    __slots__ = ("at", "refused_until", "score", "times", "weight")

    def __init__(self, now: float) -> None:
        self.score, self.at = 0.0, now
        self.refused_until, self.times = 0.0, 0
        self.weight = -inf


@dataclass(frozen=True, slots=True)
class Kept(Generic[K]):
    """A row as it is saved. ``refused_seconds`` are still to come; below 0 they are over for so long."""

    key: K
    score: float
    refused_seconds: float
    times: int


class Scores(Generic[K]):
    """One table of at most ``most`` rows. When it is full, an eighth goes: first whoever is nearest to zero."""

    def __init__(self, most: int, limits: Limits) -> None:
        self._most, self._limits = most, limits
        self._rows: dict[K, _Row] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, key: object) -> bool:
        return key in self._rows

    def score(self, key: K, now: float) -> float:
        """0 for whoever is unknown."""
        row = self._rows.get(key)
        return 0.0 if row is None else self._faded(row, now)

    def standing(self, key: K, now: float) -> Standing:
        """A refusal lasts as long as the score is below -1000, and at least until its time is over."""
        row = self._rows.get(key)
        if row is None:
            return Standing(0.0, str(key))
        score = self._faded(row, now)
        if score >= SCORE_GREY and now >= row.refused_until:
            return Standing(score, str(key))
        return Standing(score, str(key), max(row.refused_until, now + self._seconds_below(score)))

    def _seconds_below(self, score: float) -> float:
        """Until it has faded to -1000."""
        if score >= SCORE_GREY:
            return 0.0
        return self._limits.score_half_life_seconds * log2(score / SCORE_GREY)

    def change(self, key: K, delta: float, now: float, floor: float = SCORE_RANGE[0]) -> float:
        """Adds to the score, within the range; ``floor`` stops a loss earlier. Returns by how much it changed."""
        row = self._row(key, now)
        if self._idle(row, now):
            row.times = 0
        score = self._faded(row, now)
        low = min(score, floor) if delta < 0 else SCORE_RANGE[0]
        self._set(row, max(low, min(SCORE_RANGE[1], score + delta)), now)
        if row.score < SCORE_GREY and delta < 0 and now >= row.refused_until:
            row.times = min(row.times + 1, TIMES_MAX)
            row.refused_until = now + self._span_seconds(row.times)
        return row.score - score

    def _span_seconds(self, times: int) -> float:
        """How long the refusal of that number lasts."""
        return min(self._limits.blocked_min_seconds * 2.0 ** (times - 1), self._limits.blocked_max_seconds)

    def put(self, key: K, score: float, now: float) -> None:
        """By hand: a new score, and what was refused is refused no more unless the new score does."""
        row = self._rows[key] = self._row(key, now)
        self._set(row, score, now)
        row.refused_until, row.times = 0.0, 0

    def forget(self, key: K) -> bool:
        """Whether there was anything to forget."""
        return self._rows.pop(key, None) is not None

    def clear(self) -> None:
        """Forgets all."""
        self._rows.clear()

    def kept(self, now: float, most: int | None = None) -> Iterator[Kept[K]]:
        """Rows that say anything; those that say most where there are more than ``most``."""
        rows: Iterable[tuple[K, _Row]] = self._rows.items()
        if most is not None and len(self._rows) > most:
            rows = nlargest(most, rows, key=lambda item: (now < item[1].refused_until, item[1].weight))
        for key, row in rows:
            if not self._idle(row, now):
                refused_seconds = row.refused_until - now if row.times else 0.0
                yield Kept(key, self._faded(row, now), refused_seconds, row.times)

    def restore(self, kept: Kept[K], age_seconds: float, now: float) -> None:
        """A row that was saved ``age_seconds`` ago."""
        row = self._row(kept.key, now)
        self._set(row, kept.score, now - age_seconds)
        row.times = kept.times
        row.refused_until = now + kept.refused_seconds - age_seconds if kept.times else 0.0

    def _row(self, key: K, now: float) -> _Row:
        row = self._rows.get(key)
        if row is None:
            if len(self._rows) >= self._most:
                self._make_room(now)
            row = self._rows[key] = _Row(now)
        return row

    def _make_room(self, now: float) -> None:
        gone = nsmallest(max(1, self._most // MAKE_ROOM_SHARE), self._rows.items(),
                         key=lambda item: (now < item[1].refused_until, item[1].weight))
        for key, _ in gone:
            del self._rows[key]

    def _set(self, row: _Row, score: float, at: float) -> None:
        """``weight`` grows with what is left of the score, whenever it is asked: it orders rows without fading them."""
        row.score, row.at = score, at
        row.weight = log2(abs(score)) + at / self._limits.score_half_life_seconds if score else -inf

    def _faded(self, row: _Row, now: float) -> float:
        age_seconds = max(0.0, now - row.at)
        return float(row.score * 0.5 ** (age_seconds / self._limits.score_half_life_seconds))

    def _idle(self, row: _Row, now: float) -> bool:
        """Whether it says nothing any more. A refusal is remembered, after its end, for as long as it lasted."""
        remembered_until = row.refused_until + self._span_seconds(row.times) if row.times else row.refused_until
        return now >= remembered_until and abs(self._faded(row, now)) < FORGOTTEN_BELOW


class Reputation:
    """All scores of a node."""

    def __init__(self, limits: Limits) -> None:
        self.addresses: Scores[Network] = Scores(limits.score_addresses, limits)
        self.networks: Scores[Network] = Scores(limits.score_networks, limits)
        self.peers: Scores[PeerUUID] = Scores(limits.score_peers, limits)

    def count(self, deed: Deed, doer: Doer, now: float) -> bool:
        """Lets the doer pay, or earn. Whether anybody did."""
        cost, address = COSTS[deed], doer.paying_address
        paid = False
        if address is not None and cost.address:
            self._charge(address, cost.address, now, SCORE_RELAY_FLOOR if doer.relay else SCORE_RANGE[0])
            paid = True
        if doer.peer is not None and cost.peer:
            self.peers.change(doer.peer, cost.peer, now)
            paid = True
        return paid

    def _charge(self, address: Address, delta: float, now: float, floor: float) -> None:
        """The network pays a share of what its address really paid, so that no address can do more to it than that."""
        changed = self.addresses.change(narrow(address), delta, now, floor)
        if changed:
            self.networks.change(wide(address), changed * SCORE_WIDE_SHARE[address.version == 6], now, floor)

    def of_address(self, address: Address, now: float) -> Standing:
        """The worse of the two that an address has: a refusal before none, then the lower score."""
        both = (self.addresses.standing(narrow(address), now), self.networks.standing(wide(address), now))
        return min(both, key=lambda one: (one.refused_until is None, one.score))

    def of_peer(self, peer: PeerUUID, now: float) -> Standing:
        """That of a UUID."""
        return self.peers.standing(peer, now)

    def table_of(self, network: Network) -> Scores[Network] | None:
        """The table that a network of this length has its score in; None for other lengths."""
        tables = ((narrow, self.addresses), (wide, self.networks))
        return next((table for prefix, table in tables if prefix(network.network_address) == network), None)
