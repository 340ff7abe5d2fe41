"""The order of the rules: every verdict against an oracle that was written from docs/spec/access.md, and alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.access.addresses import Address, address_of, narrow
from quantumgate.core.access.attempts import PrefixLimit
from quantumgate.core.access.decision import BY_HAND, CONDUCT, CONFIGURATION, Decision, Rule
from quantumgate.core.access.judge import Judge
from quantumgate.core.access.rules import CONNECT, RELAY, RESERVE, Filter, PeerRule
from quantumgate.wire.limits import DEFAULT_LIMITS
from tests.core.access.people import ECHO, FILES, WALL, at, net, peer

ONE = peer(1)
ABOUTS = (CONNECT, RELAY, RESERVE, ECHO, FILES)


# -- peers -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """One peer, the rules about it, its score, and what it wants."""

    rules: tuple[PeerRule, ...]
    score: float
    default: str
    about: str
    dialled: bool
    standing: bool


def oracle(case: Case) -> tuple[bool, str]:
    """Section 3, read aloud. Knows nothing of the code."""

    def named(word: str) -> bool:
        for rule in case.rules:
            same = rule.about in ("", case.about)
            for_it = word == "allow" and case.about == CONNECT and rule.about in (RESERVE, ECHO, FILES, CONNECT)
            if rule.word == word and (same or for_it) and (rule.until is None or rule.until > WALL):
                return True
        return False

    if named("ban"):
        return False, "ban"
    if named("deny"):
        return False, "deny"
    new = not case.dialled and not case.standing
    if new and (case.score < -1000 or (case.about in (RELAY, RESERVE) and case.score < -200)):
        return False, "score"
    if named("allow"):
        return True, "allow"
    if case.dialled:
        return True, "dialled"
    if case.about == RELAY:
        return True, "relaying"
    return case.default == "allow", "default"


a_rule = st.builds(
    PeerRule, st.just(ONE), st.sampled_from(["allow", "deny", "ban"]), st.sampled_from(["", *ABOUTS]),
    st.sampled_from([CONFIGURATION, BY_HAND]), st.sampled_from([None, WALL - 1, WALL, WALL + 1]),
).map(lambda rule: rule if rule.word == "ban" else replace(rule, until=None))
cases = st.builds(
    Case, st.lists(a_rule, max_size=5).map(lambda rules: tuple({(rule.word == "ban", rule.made_by, rule.about): rule
                                                                for rule in rules}.values())),
    st.sampled_from([-3000.0, -1001.0, -1000.0, -999.0, -201.0, -200.0, -1.0, 0.0, 100.0]),
    st.sampled_from(["allow", "deny"]), st.sampled_from(ABOUTS), st.booleans(), st.booleans(),
)


def verdict(case: Case) -> Decision:
    judge = Judge(DEFAULT_LIMITS, case.default)
    for rule in case.rules:
        judge.rules.restore(rule)
    judge.rules.restore(PeerRule(peer(2), "ban"))  # somebody else
    judge.reputation.peers.put(ONE, case.score, 0.0)
    return judge.peer(ONE, case.about, 0.0, WALL, dialled=case.dialled, standing=case.standing)


class PeerTests(SynchronousTestCase):
    @settings(max_examples=500, deadline=None)
    @given(cases)
    def test_every_verdict_is_the_pages(self, case: Case) -> None:
        decision = verdict(case)
        self.assertEqual((decision.admitted, str(decision.rule)), oracle(case), case)
        self.assertTrue(decision.why)
        if not decision.admitted:
            self.assertTrue(decision.advice, "a refusal says what would change it")
        if decision.rule in (Rule.ALLOW, Rule.DENY, Rule.BAN):
            self.assertIn(decision.made_by, {rule.made_by for rule in case.rules if rule.word == str(decision.rule)})

    def told(self, *rules: PeerRule, score: float = 0.0, default: str = "deny", **more: Any) -> Decision:
        return verdict(Case(rules, score, default, more.pop("about", CONNECT), more.get("dialled", False), False))

    def test_the_rule_is_named_with_its_maker_its_end_and_what_undoes_it(self) -> None:
        decision = self.told(PeerRule(ONE, "ban", until=WALL + 5))
        self.assertEqual((decision.why, decision.made_by, decision.until, decision.advice),
                         ("banned by hand", BY_HAND, WALL + 5, f"qgate access unban {ONE}"))
        decision = self.told(PeerRule(ONE, "deny", ECHO, CONFIGURATION), about=ECHO)
        self.assertEqual((decision.why, decision.advice),
                         (f"access.deny names it for {ECHO}", "edit access.deny and restart"))
        decision = self.told(PeerRule(ONE, "deny"))
        self.assertEqual((decision.why, decision.advice), ("denied by hand", f"qgate access remove {ONE}"))
        decision = self.told()
        self.assertEqual((decision.why, decision.made_by, decision.advice),
                         ('node.default_access = "deny" and no rule names it', CONFIGURATION,
                          f"qgate access allow {ONE}"))
        decision = self.told(score=-1500)
        self.assertEqual((decision.why, decision.made_by, decision.advice),
                         (f"the score of {ONE} is -1500", CONDUCT, f"qgate access reputation reset {ONE}"))
        self.assertAlmostEqual(decision.until or 0, WALL + 3600 * 0.58496, places=1)

    def test_each_row_before_the_next(self) -> None:
        ban, deny, allow = (PeerRule(ONE, word) for word in ("ban", "deny", "allow"))  # type: ignore[arg-type]
        bare = {"about": RELAY, "dialled": False}
        for rules, more, rule in (
            ((allow, deny, ban), {"score": -3000}, "ban"), ((allow, deny), {"score": -3000}, "deny"),
            ((allow,), {"score": -3000}, "score"), ((allow,), {"dialled": True}, "allow"),
            ((), {"dialled": True, "score": -3000}, "dialled"), ((), {**bare, "default": "deny"}, "relaying"),
            ((), {**bare, "score": -201}, "score"), ((), {"about": RESERVE, "score": -201}, "score"),
            ((), {"score": -201, "default": "allow"}, "default"), ((), {}, "default"),
        ):
            rows = {one.word: replace(one, made_by=BY_HAND if one.word == "allow" else CONFIGURATION) for one in rules}
            self.assertEqual(str(self.told(*rows.values(), **more).rule), rule, (rules, more))

    def test_a_default_by_hand_says_so(self) -> None:
        judge = Judge(DEFAULT_LIMITS, "deny")
        judge.default, judge.default_by = "allow", BY_HAND
        decision = judge.peer(ONE, CONNECT, 0.0, WALL)
        self.assertEqual((decision.admitted, decision.made_by), (True, BY_HAND))
        self.assertIn("by hand", decision.why)


# -- addresses ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Knock:
    """Filters as they are written, an address as a transport spells it, and the rest that counts."""

    filters: tuple[tuple[str, bool, float | None], ...]
    spelled: str
    local: bool
    score: float
    full: bool


def plain(text: str) -> Address:
    """Section 2: one form for every address. By the words of the page, not by the code."""
    found = ip_address(text.partition("%")[0])
    if isinstance(found, IPv6Address):
        number = int(found)
        for prefix in ("::ffff:0:0/96", "64:ff9b::/96"):
            if found in ip_network(prefix):
                return IPv4Address(number % 2**32)
    return found


def hints(address: Address) -> list[Address]:
    found = [address]
    if isinstance(address, IPv6Address):
        found += [IPv4Address(address.sixtofour)] if address.sixtofour else []
        found += [IPv4Address(address.teredo[1])] if address.teredo else []
        if address in ip_network("::/96") and int(address) > 0xFFFF:
            found.append(IPv4Address(int(address)))
    return found


def address_oracle(knock: Knock) -> tuple[bool, str]:
    """Section 2, read aloud."""
    address = plain(knock.spelled)
    inside = {True: False, False: False}
    for text, block, until in knock.filters:
        if until is not None and until <= WALL:
            continue
        for one in hints(address) if block else [address]:
            if one.version == ip_network(text).version and one in ip_network(text):
                inside[block] = True
    if inside[True]:
        return False, "block-filter"
    if any(not block for _, block, _ in knock.filters) and not inside[False]:
        return False, "no-allow-filter"
    passed = (True, "allow-filter" if inside[False] else "no-filter")
    if knock.local:
        return passed
    if knock.score < -1000:
        return False, "score"
    return (False, "prefix-connections") if knock.full else passed


numbers = st.sampled_from([0x0A010203, 0x0A010204, 0x0A020203, 0x0B000001])


def spellings(number: int) -> list[str]:
    address, inverse = IPv4Address(number), number ^ 0xFFFFFFFF
    high, low = number >> 16, number & 0xFFFF
    return [
        str(address), f"::ffff:{address}", f"0:0:0:0:0:FFFF:{high:x}:{low:x}", f"::ffff:{address}%eth0",
        f"64:ff9b::{address}", f"2002:{high:x}:{low:x}::1",
        f"2001:0:102:304:0:0:{inverse >> 16:x}:{inverse & 0xFFFF:x}", f"::{address}",
        f"2001:db8::{high:x}:{low:x}", f"fe80::{high:x}:{low:x}%eth0",
    ]


networks = st.sampled_from(["10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "11.0.0.0/8", "0.0.0.0/0", "::/0",
                            "2001:db8::/32", "2002::/16", "fe80::/10", "2001:db8::a01:203/128"])
a_filter = st.tuples(networks, st.booleans(), st.sampled_from([None, None, WALL, WALL + 1])).map(
    lambda row: row if row[1] else (row[0], False, None))
knocks = st.builds(
    Knock, st.lists(a_filter, max_size=4, unique_by=lambda row: row[:2]).map(tuple),
    numbers.flatmap(lambda number: st.sampled_from(spellings(number))), st.booleans(),
    st.sampled_from([0.0, -1000.0, -1001.0]), st.booleans(),
)


def judge_for(knock: Knock) -> Judge:
    judge = Judge(DEFAULT_LIMITS, "deny")
    for text, block, until in knock.filters:
        judge.filters.add(Filter(net(text), block, until=until))
    address = plain(knock.spelled)
    judge.reputation.addresses.put(narrow(address), knock.score, 0.0)
    for version in (4, 6):
        judge.prefixes.put(PrefixLimit(version, 24, connections=1))
    if knock.full:
        judge.prefixes.came(address)
    return judge


class AddressTests(SynchronousTestCase):
    @settings(max_examples=500, deadline=None)
    @given(knocks)
    def test_every_verdict_is_the_pages(self, knock: Knock) -> None:
        decision = judge_for(knock).knock(address_of(knock.spelled), 0.0, WALL, local=knock.local)
        self.assertEqual((decision.admitted, str(decision.rule)), address_oracle(knock), knock)
        self.assertTrue(decision.why)
        self.assertTrue(decision.admitted or decision.advice)

    @given(knocks)
    def test_to_ask_changes_nothing(self, knock: Knock) -> None:
        judge = judge_for(knock)
        judge.prefixes.put(PrefixLimit(4, 8, attempts=1))
        answers = {judge.knock(address_of(knock.spelled), 0.0, WALL, local=knock.local) for _ in range(3)}
        self.assertEqual(len(answers), 1)

    def test_every_spelling_of_a_blocked_address_is_blocked(self) -> None:
        judge = Judge(DEFAULT_LIMITS, "deny")
        judge.filters.add(Filter(net("10.1.2.3"), True))
        for spelled in spellings(0x0A010203)[:8]:
            self.assertFalse(judge.knock(address_of(spelled), 0.0, WALL).admitted, spelled)

    def test_no_other_spelling_gets_in_by_an_allow(self) -> None:
        judge = Judge(DEFAULT_LIMITS, "deny")
        judge.filters.add(Filter(net("10.1.2.3"), False))
        inside = [spelled for spelled in spellings(0x0A010203) if judge.knock(address_of(spelled), 0.0, WALL).admitted]
        self.assertEqual(inside, spellings(0x0A010203)[:5])

    def test_who_has_no_address_is_not_filtered(self) -> None:
        judge = Judge(DEFAULT_LIMITS, "deny")
        judge.filters.add(Filter(net("0.0.0.0/0"), True))
        self.assertEqual(judge.knock(None, 0.0, WALL).rule, Rule.NO_ADDRESS)

    def test_attempts_are_named(self) -> None:
        judge = Judge(DEFAULT_LIMITS, "deny")
        judge.prefixes.put(PrefixLimit(4, 24, attempts=1, made_by=CONFIGURATION))
        judge.prefixes.attempt(at("10.0.0.1"), 0.0)
        decision = judge.knock(at("10.0.0.2"), 0.0, WALL)
        self.assertEqual((decision.rule, decision.made_by), (Rule.PREFIX_ATTEMPTS, CONFIGURATION))
        self.assertIn("ipv4/24", decision.why)
        self.assertEqual(judge.knock(at("10.0.0.2"), 0.0, WALL, local=True).rule, Rule.OPEN)

    def test_what_we_dial_meets_blocks_alone(self) -> None:
        judge = Judge(DEFAULT_LIMITS, "deny")
        judge.filters.add(Filter(net("10.0.0.0/8"), True, CONFIGURATION))
        judge.filters.add(Filter(net("11.0.0.0/8"), False))
        self.assertIsNone(judge.blocked(at("12.0.0.1"), WALL))
        blocked = judge.blocked(at("10.0.0.1"), WALL)
        self.assertEqual(blocked and blocked.advice, "edit access.block and restart")


class LinkTests(SynchronousTestCase):
    def test_an_address_with_a_low_score_gets_no_links(self) -> None:
        judge = Judge(DEFAULT_LIMITS, "deny")
        for score, admitted in ((-200, True), (-201, False)):
            judge.reputation.addresses.put(net("10.0.0.1"), score, 0.0)
            self.assertEqual(judge.links(at("10.0.0.1"), 0.0, WALL).admitted, admitted)
        self.assertTrue(judge.links(None, 0.0, WALL).admitted)

    def test_so_many_a_minute(self) -> None:
        judge = Judge(DEFAULT_LIMITS, "deny")
        judge.prefixes.put(PrefixLimit(4, 24, links=1))
        self.assertIsNone(judge.one_more_link(at("10.0.0.1"), 0.0))
        refusal = judge.one_more_link(at("10.0.0.2"), 0.0)
        self.assertEqual(refusal and refusal.rule, Rule.PREFIX_LINKS)
