"""Rows of the state file: what goes in comes out, and what says nothing is refused."""

from __future__ import annotations

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.access.attempts import PrefixLimit
from quantumgate.core.access.reputation import Kept
from quantumgate.core.access.rules import Filter, PeerRule
from quantumgate.errors import LocalError
from quantumgate.node.state_rows import AccessBlock, FilterRow, LimitRow, RuleRow, ScoreRow, ScoresBlock, check
from tests.core.access.people import ECHO, net, peer


class RowTests(SynchronousTestCase):
    def test_there_and_back(self) -> None:
        rule = PeerRule(peer(1), "ban", ECHO, until=5.0)
        one = Filter(net("10.0.0.0/8"), True, until=7.0)
        limit = PrefixLimit(6, 56, 1, 2, 3)
        self.assertEqual((RuleRow.of(rule).rule(), FilterRow.of(one).filter(), LimitRow.of(limit).limit()),
                         (rule, one, limit))
        for key in (peer(1), net("10.0.0.0/24"), net("2001:db8::1")):
            self.assertEqual(ScoreRow.of_kept(Kept(key, -7.5, 3.0, 2)).kept(), Kept(key, -7.5, 3.0, 2))

    def test_what_is_default_is_not_written(self) -> None:
        self.assertEqual(msgspec.to_builtins(RuleRow.of(PeerRule(peer(1), "ban"))),
                         {"peer": str(peer(1)), "word": "ban"})

    def test_what_says_nothing(self) -> None:
        for block in (
            AccessBlock(rules=(RuleRow(peer="me", word="ban"),)),
            AccessBlock(filters=(FilterRow(network="10.0.0.1/8", block=True),)),
            AccessBlock(limits=(LimitRow(prefix="ipv4/99"),)),
        ):
            self.assertRaises(LocalError, check, block, ScoresBlock())
        self.assertRaises(LocalError, check, AccessBlock(), ScoresBlock(rows=(ScoreRow(of="me", score=1),)))
        check(AccessBlock(), ScoresBlock())

    def test_what_does_not_decode(self) -> None:
        for kind, text in ((RuleRow, '{"peer": "x", "word": "kill"}'), (ScoreRow, '{"of": "x", "score": -3001}'),
                           (LimitRow, '{"prefix": "x", "links": -1}'), (AccessBlock, '{"default": "maybe"}'),
                           (FilterRow, '{"network": "x", "block": true, "more": 1}')):
            self.assertRaises(msgspec.ValidationError, msgspec.json.decode, text, type=kind)
