"""Access rules, scores and verdicts as operators see them. The field names are a contract (``control/api.py``).

Not for: changing anything. Told in docs/guide/access.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from quantumgate.control.api import (
    AccessExplanation,
    AccessReport,
    FilterReport,
    PrefixLimitReport,
    RuleReport,
    ScoreReport,
)
from quantumgate.core.access.decision import Decision
from quantumgate.core.access.judge import Judge
from quantumgate.core.access.reputation import Reputation, Scores, Standing
from quantumgate.core.access.rules import EVERYTHING, Filter, PeerRule


def whole(judge: Judge, extenders: Mapping[str, UUID]) -> AccessReport:
    """All rules, the configuration's and those by hand."""
    names = {str(uuid): name for name, uuid in extenders.items()}
    rules = sorted(judge.rules, key=lambda rule: (str(rule.peer), rule.word, rule.about))
    plain = [rule for rule in rules if rule.about == EVERYTHING]
    return AccessReport(
        default=judge.default,
        allow=sorted({str(rule.peer) for rule in plain if rule.word == "allow"}),
        deny=sorted({str(rule.peer) for rule in plain if rule.word == "deny"}),
        default_by=judge.default_by,
        rules=[_rule(rule, names) for rule in rules],
        filters=[_filter(one) for one in sorted(judge.filters, key=lambda one: (str(one.network), one.block))],
        limits=[
            PrefixLimitReport(prefix=limit.text, connections=limit.connections, attempts=limit.attempts,
                              links=limit.links, made_by=limit.made_by)
            for limit in sorted(judge.prefixes, key=lambda limit: (limit.version, limit.bits))
        ],
    )


def _rule(rule: PeerRule, names: Mapping[str, str]) -> RuleReport:
    about = names.get(rule.about, rule.about)
    return RuleReport(peer=str(rule.peer), word=rule.word, only=about, made_by=rule.made_by, until=rule.until)


def _filter(one: Filter) -> FilterReport:
    kind = "block" if one.block else "allow"
    return FilterReport(network=str(one.network), kind=kind, made_by=one.made_by, until=one.until)


def scores(reputation: Reputation, now: float) -> list[ScoreReport]:
    """Everybody who has a score, the worst first."""
    tables: tuple[tuple[str, Scores[Any]], ...] = (
        ("address", reputation.addresses), ("network", reputation.networks), ("peer", reputation.peers))
    reports = [_score(kind, table.standing(kept.key, now), now) for kind, table in tables for kept in table.kept(now)]
    return sorted(reports, key=lambda report: (report.score, report.of))


def _score(kind: str, standing: Standing, now: float) -> ScoreReport:
    refused_seconds = 0.0 if standing.refused_until is None else standing.refused_until - now
    return ScoreReport(of=standing.of, kind=kind, score=round(standing.score, 1),
                       refused_seconds=round(refused_seconds, 1))


def explanation(subject: str, about: str, decision: Decision, score: float) -> AccessExplanation:
    """A verdict as it is printed."""
    return AccessExplanation(
        subject=subject, about=about, admitted=decision.admitted, rule=str(decision.rule), why=decision.why,
        made_by=decision.made_by, until=decision.until, advice=decision.advice, score=round(score, 1),
    )
