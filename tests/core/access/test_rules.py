"""Filters and rules about peers: what fits, what takes the place of what, what ends by itself, how many there are."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.access.decision import BY_HAND, CONFIGURATION
from quantumgate.core.access.rules import CONNECT, RELAY, RESERVE, Filter, Filters, PeerRule, PeerRules
from quantumgate.errors import LimitError, LocalError
from tests.core.access.people import ECHO, FILES, WALL, at, net, peer

ONE, TWO = peer(1), peer(2)


class FilterTests(SynchronousTestCase):
    def filters(self, *rows: Filter, most: int = 100) -> Filters:
        filters = Filters(most)
        for row in rows:
            filters.add(row)
        return filters

    def test_the_narrowest_is_named(self) -> None:
        filters = self.filters(*(Filter(net(text), True) for text in ("10.0.0.0/8", "10.1.0.0/16", "0.0.0.0/0")))
        found = [filters.blocking(at(text), WALL) for text in ("10.1.2.3", "10.2.2.3", "11.1.1.1")]
        self.assertEqual([str(one and one.network) for one in found], ["10.1.0.0/16", "10.0.0.0/8", "0.0.0.0/0"])
        self.assertIsNone(filters.blocking(at("2001:db8::1"), WALL))

    def test_a_block_holds_for_what_hints_at_it_and_an_allow_does_not(self) -> None:
        filters = self.filters(Filter(net("10.0.0.0/8"), True), Filter(net("10.0.0.0/8"), False))
        for text in ("10.1.2.3", "2002:a01:203::9", "2001:0:1:2:3:4:f5fe:fdfc", "::10.1.2.3"):
            self.assertIsNotNone(filters.blocking(at(text), WALL), text)
        self.assertIsNone(filters.allowing(at("2002:a01:203::9")))
        self.assertIsNotNone(filters.allowing(at("10.1.2.3")))

    def test_one_that_has_ended(self) -> None:
        filters = self.filters(Filter(net("10.0.0.0/8"), True, until=WALL + 10), Filter(net("10.1.0.0/16"), True))
        self.assertIsNotNone(filters.blocking(at("10.9.9.9"), WALL + 9.9))
        self.assertIsNone(filters.blocking(at("10.9.9.9"), WALL + 10))
        filters.prune(WALL + 10)
        self.assertEqual([one.network for one in filters], [net("10.1.0.0/16")])

    def test_how_many(self) -> None:
        filters = self.filters(Filter(net("10.0.0.0/8"), True), most=2)
        filters.add(Filter(net("10.0.0.0/8"), True, until=WALL))  # takes its place
        filters.add(Filter(net("11.0.0.0/8"), False))
        with self.assertRaises(LimitError) as caught:
            filters.add(Filter(net("12.0.0.0/8"), True))
        self.assertEqual(caught.exception.key, "limits.address_filters")

    def test_whether_any_allows(self) -> None:
        filters = self.filters(Filter(net("10.0.0.0/8"), True), Filter(net("11.0.0.0/8"), False))
        self.assertTrue(filters.allows)
        filters.remove(net("11.0.0.0/8"), block=False)
        self.assertFalse(filters.allows)

    def test_the_configurations_are_not_for_hands(self) -> None:
        filters = self.filters(Filter(net("10.0.0.0/8"), True, CONFIGURATION))
        for change in (lambda: filters.add(Filter(net("10.0.0.0/8"), True)),
                       lambda: filters.remove(net("10.0.0.0/8"), block=True)):
            with self.assertRaises(LocalError) as caught:
                change()
            self.assertIn("edit [access]", caught.exception.advice)
        self.assertRaises(LocalError, filters.remove, net("10.0.0.0/8"), block=False)
        filters.add(Filter(net("10.0.0.0/8"), False))
        self.assertEqual(len(list(filters)), 2)


class FitTests(SynchronousTestCase):
    def test_what_each_is_about(self) -> None:
        whatever = {CONNECT, RELAY, RESERVE, ECHO, FILES}
        for word, about, fits in (
            ("allow", "", whatever), ("deny", "", whatever), ("ban", "", whatever),
            ("allow", ECHO, {ECHO, CONNECT}), ("deny", ECHO, {ECHO}), ("ban", ECHO, {ECHO}),
            ("allow", RESERVE, {RESERVE, CONNECT}), ("deny", RESERVE, {RESERVE}),
            ("allow", RELAY, {RELAY}), ("deny", RELAY, {RELAY}),
            ("allow", CONNECT, {CONNECT}), ("deny", CONNECT, {CONNECT}),
        ):
            rule = PeerRule(ONE, word, about)  # type: ignore[arg-type]
            self.assertEqual({one for one in whatever if rule.fits(one)}, fits, (word, about))


class PeerRuleTests(SynchronousTestCase):
    def rules(self, *rows: PeerRule, most: int = 100) -> PeerRules:
        rules = PeerRules(most)
        for row in rows:
            rules.put(row, WALL)
        return rules

    def words(self, rules: PeerRules) -> set[tuple[str, str, str]]:
        return {(rule.word, rule.about, rule.made_by) for rule in rules}

    def test_one_by_hand_takes_the_place_of_one_about_the_same(self) -> None:
        rules = self.rules(PeerRule(ONE, "allow"), PeerRule(ONE, "deny"), PeerRule(ONE, "deny", ECHO))
        self.assertEqual(self.words(rules), {("deny", "", BY_HAND), ("deny", ECHO, BY_HAND)})
        self.assertEqual([rules.names(one) for one in (ONE, TWO)], [True, False])
        rules.put(PeerRule(ONE, "allow"), WALL)
        self.assertEqual(self.words(rules), {("allow", "", BY_HAND), ("deny", ECHO, BY_HAND)})

    def test_a_ban_stands_beside_and_ends(self) -> None:
        rules = self.rules(PeerRule(ONE, "allow"), PeerRule(ONE, "ban", until=WALL + 60))
        self.assertIsNotNone(rules.find(ONE, "ban", CONNECT, WALL + 59))
        self.assertIsNone(rules.find(ONE, "ban", CONNECT, WALL + 60))
        self.assertIsNotNone(rules.find(ONE, "allow", CONNECT, WALL + 60))
        rules.prune(WALL + 60)
        self.assertEqual(self.words(rules), {("allow", "", BY_HAND)})

    def test_an_allow_that_could_not_take_effect(self) -> None:
        for before, advice in ((PeerRule(ONE, "ban"), f"qgate access unban {ONE}"),
                               (PeerRule(ONE, "deny", made_by=CONFIGURATION), "take it out of access.deny")):
            with self.assertRaises(LocalError) as caught:
                self.rules(before).put(PeerRule(ONE, "allow"), WALL)
            self.assertIn(advice, caught.exception.advice)
        with self.assertRaises(LocalError) as caught:
            self.rules(PeerRule(ONE, "deny")).put(PeerRule(ONE, "allow", ECHO), WALL)
        self.assertIn(f"qgate access remove {ONE}", caught.exception.advice)

    def test_removing(self) -> None:
        rules = self.rules(PeerRule(ONE, "allow"), PeerRule(ONE, "deny", ECHO), PeerRule(ONE, "ban"),
                           PeerRule(TWO, "allow"))
        rules.remove(ONE, ECHO)
        self.assertEqual(len(rules), 3)
        rules.remove(ONE)
        self.assertEqual({(rule.peer, rule.word) for rule in rules}, {(ONE, "ban"), (TWO, "allow")})
        rules.remove(ONE, bans=True)
        for bans in (False, True):
            self.assertRaises(LocalError, rules.remove, ONE, bans=bans)
        rules.restore(PeerRule(ONE, "allow", made_by=CONFIGURATION))
        with self.assertRaises(LocalError) as caught:
            rules.remove(ONE)
        self.assertIn("edit [access]", caught.exception.advice)

    def test_how_many(self) -> None:
        rules = self.rules(PeerRule(ONE, "allow"), PeerRule(ONE, "ban", until=WALL + 1), most=2)
        with self.assertRaises(LimitError) as caught:
            rules.put(PeerRule(TWO, "allow"), WALL)
        self.assertEqual(caught.exception.key, "limits.peer_rules")
        self.assertEqual((len(rules), list(rules.of(TWO))), (2, []))
        rules.put(PeerRule(TWO, "allow"), WALL + 1)  # the ban is over
        self.assertEqual(len(rules), 2)

    def test_which_is_named(self) -> None:
        rules = self.rules(PeerRule(ONE, "deny", ECHO), PeerRule(ONE, "deny"))
        rules.restore(PeerRule(ONE, "deny", ECHO, CONFIGURATION))
        found = rules.find(ONE, "deny", ECHO, WALL)
        self.assertEqual((found and found.made_by, found and found.about), (CONFIGURATION, ECHO))
        self.assertIsNone(rules.find(TWO, "deny", ECHO, WALL))
