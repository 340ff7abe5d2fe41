"""Rows of the state file that are about access: rules by hand, filters, limits, scores. Checked when they are read.

Not for: the file (``state.py``), or what the rows mean (``core/access``). Spec: docs/guide/operating.md (the data
directory).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from quantumgate.core.access.addresses import Network, network_of_text
from quantumgate.core.access.attempts import PrefixLimit, family_of_text
from quantumgate.core.access.reputation import Kept
from quantumgate.core.access.rules import Filter, PeerRule
from quantumgate.ids import PeerUUID, parse_peer_uuid
from quantumgate.wire.limits import SCORE_RANGE

_COUNT = Annotated[int, Meta(ge=0, le=1_000_000)]
_UNTIL = Annotated[float, Meta(ge=0)] | None


class RuleRow(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True, omit_defaults=True):
    """A rule by hand that is not simply allow or deny."""

    peer: str
    word: Literal["allow", "deny", "ban"]
    about: Annotated[str, Meta(max_length=64)] = ""
    until: _UNTIL = None

    @classmethod
    def of(cls, rule: PeerRule) -> RuleRow:
        return cls(peer=str(rule.peer), word=rule.word, about=rule.about, until=rule.until)

    def rule(self) -> PeerRule:
        """Raises LocalError for what is no peer."""
        return PeerRule(parse_peer_uuid(self.peer), self.word, self.about, until=self.until)


class FilterRow(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True, omit_defaults=True):
    """A filter by hand."""

    network: str
    block: bool
    until: _UNTIL = None

    @classmethod
    def of(cls, one: Filter) -> FilterRow:
        return cls(network=str(one.network), block=one.block, until=one.until)

    def filter(self) -> Filter:
        """Raises LocalError for what is no network."""
        return Filter(network_of_text(self.network), self.block, until=self.until)


class LimitRow(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True, omit_defaults=True):
    """A limit per prefix by hand."""

    prefix: str
    connections: _COUNT = 0
    attempts: _COUNT = 0
    links: _COUNT = 0

    @classmethod
    def of(cls, limit: PrefixLimit) -> LimitRow:
        return cls(prefix=limit.text, connections=limit.connections, attempts=limit.attempts, links=limit.links)

    def limit(self) -> PrefixLimit:
        """Raises LocalError for what is no prefix."""
        return PrefixLimit(*family_of_text(self.prefix), self.connections, self.attempts, self.links)


class ScoreRow(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True, omit_defaults=True):
    """A score at the moment of writing; ``of`` is a network or a UUID."""

    of: str
    score: Annotated[float, Meta(ge=SCORE_RANGE[0], le=SCORE_RANGE[1])]
    refused_seconds: Annotated[float, Meta(ge=-1e8, le=1e8)] = 0
    times: Annotated[int, Meta(ge=0, le=64)] = 0

    @classmethod
    def of_kept(cls, kept: Kept[Any]) -> ScoreRow:
        return cls(of=str(kept.key), score=round(kept.score, 1), refused_seconds=round(kept.refused_seconds, 1),
                   times=kept.times)

    def kept(self) -> Kept[Network | PeerUUID]:
        """Raises LocalError for what is neither a network nor a peer."""
        key: Network | PeerUUID = network_of_text(self.of) if "/" in self.of else parse_peer_uuid(self.of)
        return Kept(key, self.score, self.refused_seconds, self.times)


class ScoresBlock(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Scores as they were at ``at`` (unix seconds)."""

    at: Annotated[float, Meta(ge=0)] = 0
    rows: tuple[ScoreRow, ...] = ()


class AccessBlock(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What was made by hand, beside the plain allow and deny."""

    default: Literal["", "allow", "deny"] = ""
    rules: tuple[RuleRow, ...] = ()
    filters: tuple[FilterRow, ...] = ()
    limits: tuple[LimitRow, ...] = ()


def check(access: AccessBlock, scores: ScoresBlock) -> None:
    """Raises LocalError for a row that says nothing."""
    for rule in access.rules:
        rule.rule()
    for one in access.filters:
        one.filter()
    for limit in access.limits:
        limit.limit()
    for score in scores.rows:
        score.kept()
