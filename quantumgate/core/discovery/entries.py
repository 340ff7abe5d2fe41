"""What a book knows of one peer, and what is kept of it on a disk. Spec: docs/spec/discovery.md section 3."""

from __future__ import annotations

from dataclasses import dataclass, replace

from quantumgate.core.discovery.buckets import Place
from quantumgate.core.peer_records import KnownRecord
from quantumgate.core.places import group_of, may_lead_to
from quantumgate.ids import PeerUUID
from quantumgate.wire.limits import BOOK_ENTRY_BYTES, BOOK_FAILURES
from quantumgate.wire.link_frames import LinkEndpoint
from quantumgate.wire.peer_records import PeerRecord

Group = str
"""A /16 or a /32 or all names (``core/places.py``), or one of the two below."""

BEHIND_ANCHORS: Group = "behind anchors"
"""Of all records without endpoints: saying so costs nothing, so all of them together get what one network gets."""

OURSELVES: Group = "ourselves"
"""As a source: what our operator gave us."""

Row = tuple[bytes, bytes, float, int, str, bool]
"""UUID, record as it travels, last success in unix s (0 = never), failures since, source group, tried."""

RECENTLY_SECONDS = 600
_RECENT_CHANCE, _FAILURE_CHANCE = 0.01, 0.66
_HALF_LIFE, _OLD_CHANCE, _OVER_CHANCE = 0.7, 0.1, 0.01
"""Half a life, and what time a new record takes to come around."""



@dataclass(slots=True)
class Entry:
    """What is known of one peer. Times are unix seconds, 0 = never.

    ``place`` is None for one that our rules name; ``reached``: the one of its groups in which it was reached last.
    ``heard_at``: when we first heard of it. ``callable_at``: where it is called by itself.
    """

    known: KnownRecord
    source: Group
    groups: tuple[Group, ...]
    quarters: tuple[str, ...]
    reached: Group = ""
    heard_at: float = 0.0
    place: Place | None = None
    tried: bool = False
    succeeded_at: float = 0.0
    called_at: float = 0.0
    counted_at: float = 0.0
    failures: int = 0
    two_faced: bool = False
    callable_at: tuple[LinkEndpoint, ...] = ()

    @property
    def uuid(self) -> PeerUUID:
        """Whose it is."""
        return self.known.identity.uuid

    @property
    def as_called(self) -> KnownRecord:
        """The record, as far as it is dialled because we have read it."""
        return self.with_endpoints(self.callable_at)

    def with_endpoints(self, endpoints: tuple[LinkEndpoint, ...]) -> KnownRecord:
        """The record with these of its endpoints. As it travels it is the same."""
        signed = self.known.signed
        return replace(self.known, signed=replace(signed, record=replace(signed.record, endpoints=endpoints)))

    @property
    def bytes_held(self) -> int:
        """What it weighs, about."""
        signed = self.known.signed
        return BOOK_ENTRY_BYTES + len(signed.body) + len(signed.signature) + len(signed.record.bundle)

    @property
    def row(self) -> Row:
        """For a disk."""
        data = self.known.signed.encode()
        return self.uuid.bytes, data, self.succeeded_at, self.failures, self.source, self.tried

    def fresh(self, now_s: float) -> bool:
        """Whether others would take it: it is not over."""
        return self.known.record.not_after_seconds > now_s and not self.two_faced

    def hopeless(self, now_s: float) -> bool:
        """Whether anybody else may have its place: over, or never reached however often we called."""
        gone = not self.succeeded_at and self.failures >= BOOK_FAILURES
        return gone or self.known.record.not_after_seconds <= now_s

    def chance(self, now_s: float) -> float:
        """Of being chosen once it is drawn: less just after a call, with each failure, and the older its record is:
        who is there makes a new one before half its life is over."""
        record = self.known.record
        age = (now_s - record.seq_ms / 1000) / max(1.0, record.not_after_seconds - record.seq_ms / 1000)
        old = 1.0 if age < _HALF_LIFE else _OLD_CHANCE if age < 1 else _OVER_CHANCE
        recent = _RECENT_CHANCE if now_s - self.called_at < RECENTLY_SECONDS else 1.0
        return float(old * recent * _FAILURE_CHANCE ** min(self.failures, 8))


def callable_at(record: PeerRecord, *, allow_private: bool) -> tuple[LinkEndpoint, ...]:
    """Those of its endpoints that a node calls because it has read of them: no names, which would be looked up for
    whoever owns them and lead anywhere, and nothing inside our own network. A record is only its signer's word."""
    return tuple(one for one in record.endpoints
                 if may_lead_to(one.host, one.port, allow_private=allow_private, signed=True))


def groups_of(record: PeerRecord) -> tuple[Group, ...]:
    """Of its endpoints, each once, the first one's first."""
    return tuple(dict.fromkeys(group_of(one.host) for one in record.endpoints)) or (BEHIND_ANCHORS,)
