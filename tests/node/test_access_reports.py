"""Rules, scores and verdicts as operators see them."""

from __future__ import annotations

from uuid import UUID

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.access.attempts import PrefixLimit
from quantumgate.core.access.decision import BY_HAND, CONFIGURATION, Decision, Rule
from quantumgate.core.access.judge import Judge
from quantumgate.core.access.rules import Filter, PeerRule
from quantumgate.node import access_reports
from quantumgate.wire.limits import DEFAULT_LIMITS
from tests.core.access.people import ECHO, WALL, net, peer
from tests.node.world import as_json


class ReportTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.judge = Judge(DEFAULT_LIMITS, "deny")

    def test_all_rules(self) -> None:
        judge = self.judge
        for rule in (PeerRule(peer(1), "allow", made_by=CONFIGURATION), PeerRule(peer(1), "allow"),
                     PeerRule(peer(2), "deny", ECHO), PeerRule(peer(2), "ban", until=WALL)):
            judge.rules.restore(rule)
        judge.filters.add(Filter(net("10.0.0.0/8"), True, until=WALL))
        judge.prefixes.put(PrefixLimit(4, 24, 1, 2, 3))
        found = as_json(access_reports.whole(judge, {"echo": UUID(ECHO)}))
        self.assertEqual((found["default"], found["default_by"], found["allow"], found["deny"]),
                         ("deny", CONFIGURATION, [str(peer(1))], []))
        self.assertEqual([(rule["peer"][-1], rule["word"], rule["only"], rule["made_by"], rule["until"])
                          for rule in found["rules"]],
                         [("1", "allow", "", CONFIGURATION, None), ("1", "allow", "", BY_HAND, None),
                          ("2", "ban", "", BY_HAND, WALL), ("2", "deny", "echo", BY_HAND, None)])
        self.assertEqual(found["filters"], [{"network": "10.0.0.0/8", "kind": "block", "made_by": BY_HAND,
                                             "until": WALL}])
        self.assertEqual(found["limits"], [{"prefix": "ipv4/24", "connections": 1, "attempts": 2, "links": 3,
                                            "made_by": BY_HAND}])

    def test_scores_the_worst_first(self) -> None:
        scores = self.judge.reputation
        scores.addresses.put(net("10.0.0.1"), -1500, 0.0)
        scores.networks.put(net("10.0.0.0/24"), -375, 0.0)
        scores.peers.put(peer(1), 12, 0.0)
        found = access_reports.scores(scores, 0.0)
        self.assertEqual([(one.of, one.kind, one.score) for one in found],
                         [("10.0.0.1/32", "address", -1500), ("10.0.0.0/24", "network", -375),
                          (str(peer(1)), "peer", 12)])
        self.assertEqual([one.refused_seconds > 0 for one in found], [True, False, False])

    def test_a_verdict(self) -> None:
        decision = Decision(False, Rule.BAN, "banned by hand", BY_HAND, WALL, "unban it")
        self.assertEqual(as_json(access_reports.explanation("x", "echo", decision, -1.26)), {
            "subject": "x", "about": "echo", "admitted": False, "rule": "ban", "why": "banned by hand",
            "made_by": BY_HAND, "until": WALL, "advice": "unban it", "score": -1.3, "name": ""})
