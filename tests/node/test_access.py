"""Access: rules by hand and the configuration's, what they are about, what lasts over a restart, what explain says."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.access.addresses import Address
from quantumgate.core.access.attempts import PrefixLimit
from quantumgate.core.access.decision import CONFIGURATION, Rule
from quantumgate.core.access.rules import CONNECT, RELAY, RESERVE, Filter, PeerRule
from quantumgate.errors import LimitError, LocalError
from quantumgate.ids import PeerUUID, parse_peer_uuid
from quantumgate.node.access import Access, about_of
from quantumgate.store.memory import MemoryDatabase
from quantumgate.wire.limits import DEFAULT_LIMITS, Limits
from tests.core.access.people import ECHO, FILES, WALL, at, net
from tests.node.remembering import recalled

ONE = parse_peer_uuid("c0ffee00-1234-8abc-9def-0123456789ab")
TWO = parse_peer_uuid("deadbeef-1234-8abc-9def-0123456789ab")
EXTENDERS = {"echo": UUID(ECHO), "files": UUID(FILES)}


class Hours:
    """Both clocks of a node."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.now = self.clock.seconds

    def wall_seconds(self) -> float:
        return WALL + self.clock.seconds()


class AccessCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.database = MemoryDatabase()
        self.state = recalled(self.database)
        self.changed: list[PeerUUID | None] = []
        self.hours = Hours()

    def access(
        self, default: str = "deny", allow: Collection[PeerUUID] = (), deny: Collection[PeerUUID] = (),
        filters: Collection[Filter] = (), prefix_limits: Collection[PrefixLimit] = (), limits: Limits = DEFAULT_LIMITS,
    ) -> Access:
        rules = [PeerRule(one, "allow", made_by=CONFIGURATION) for one in allow]
        rules += [PeerRule(one, "deny", made_by=CONFIGURATION) for one in deny]
        access = Access(self.state, self.hours, limits, default=default, rules=rules, filters=filters,
                        prefix_limits=prefix_limits)
        access.changed = self.changed.append
        access.extenders = lambda: EXTENDERS
        return access

    def again(self) -> Access:
        """After a restart."""
        self.state = recalled(self.database)
        return self.access()


class PeerTests(AccessCase):
    def test_allow_deny_and_remove_last_over_a_restart(self) -> None:
        access = self.access()
        self.successResultOf(access.allow(ONE))
        self.assertTrue(self.again().decide(ONE).admitted)
        self.successResultOf(access.deny(ONE))
        self.assertEqual(self.again().decide(ONE).rule, Rule.DENY)
        self.successResultOf(access.remove(ONE))
        self.assertEqual(self.again().decide(ONE).rule, Rule.DEFAULT)
        self.assertEqual(self.changed, [ONE, ONE, ONE])

    def test_rules_about_one_thing_last_too(self) -> None:
        access = self.access()
        self.successResultOf(access.allow(ONE, ["echo", "reserve"]))
        self.successResultOf(access.deny(ONE, [FILES]))
        self.successResultOf(access.ban(TWO, WALL + 60, ["relay"]))
        for each in (access, self.again()):
            told = {about: each.decide(ONE, about).admitted for about in (CONNECT, ECHO, RESERVE, FILES, RELAY)}
            self.assertEqual(told, {CONNECT: True, ECHO: True, RESERVE: True, FILES: False, RELAY: True})
            self.assertEqual(each.decide(TWO, RELAY).rule, Rule.BAN)
        self.hours.clock.advance(60)
        self.assertEqual(self.again().decide(TWO, RELAY).rule, Rule.RELAYING)

    def test_a_ban_over_an_allow_and_back(self) -> None:
        access = self.access(allow=[TWO])
        self.successResultOf(access.allow(ONE))
        for uuid in (ONE, TWO):
            self.successResultOf(access.ban(uuid))
            self.assertFalse(access.decide(uuid, dialled=True).admitted)
            self.successResultOf(access.unban(str(uuid)))
            self.assertTrue(access.decide(uuid).admitted)
            self.assertRaises(LocalError, access.unban, uuid)

    def test_a_ban_that_is_over_before_it_begins(self) -> None:
        self.assertRaises(LocalError, self.access().ban, ONE, WALL)

    def test_the_configuration_cannot_be_overruled_by_allow(self) -> None:
        with self.assertRaises(LocalError) as caught:
            self.access(deny={ONE}).allow(ONE)
        self.assertIn("access.deny", caught.exception.advice)
        self.assertEqual(self.changed, [])

    def test_removing_what_is_not_there(self) -> None:
        with self.assertRaises(LocalError):
            self.access().remove(ONE)
        with self.assertRaises(LocalError) as caught:
            self.access(allow={ONE}).remove(ONE)
        self.assertIn("[access]", caught.exception.advice)

    def test_a_uuid_of_another_version_is_refused(self) -> None:
        with self.assertRaises(LocalError):
            self.access().allow(UUID("c0ffee00-1234-4abc-9def-0123456789ab"))

    def test_by_name_is_by_an_allow_alone(self) -> None:
        access = self.access("allow", allow=[ONE])
        self.assertEqual((access.names(ONE), access.names(TWO)), (True, False))
        self.successResultOf(access.ban(ONE))
        self.assertFalse(access.names(ONE))

    def test_the_default_by_hand(self) -> None:
        access = self.access()
        self.successResultOf(access.set_default("allow"))
        self.assertTrue(access.decide(ONE).admitted and self.again().decide(ONE).admitted)
        self.successResultOf(access.set_default(""))
        self.assertFalse(access.decide(ONE).admitted or self.again().decide(ONE).admitted)
        self.assertRaises(LocalError, access.set_default, "maybe")

    def test_no_more_rules_than_a_number(self) -> None:
        access = self.access(limits=Limits(peer_rules=1))
        self.successResultOf(access.allow(ONE))
        self.assertRaises(LimitError, access.allow, TWO)
        self.assertEqual(recalled(self.database).allow, {ONE})


class AboutTests(SynchronousTestCase):
    def test_what_people_write(self) -> None:
        self.assertEqual([about_of(text, EXTENDERS) for text in ("", "connect", "relay", "reserve", "echo", FILES)],
                         ["", CONNECT, RELAY, RESERVE, ECHO, FILES])

    def test_what_is_not_here(self) -> None:
        with self.assertRaises(LocalError) as caught:
            about_of("chess", EXTENDERS)
        self.assertIn("connect, relay, reserve, echo, files", caught.exception.advice)


class AddressTests(AccessCase):
    def test_filters_last_over_a_restart(self) -> None:
        access = self.access()
        self.successResultOf(access.add_filter("10.0.0.0/8", block=True))
        self.successResultOf(access.ban("11.0.0.0/8", WALL + 60))
        self.successResultOf(access.add_filter("12.0.0.0/8", block=False))
        for each in (access, self.again()):
            told = [str(each.knock(at(text)).rule) for text in ("10.0.0.1", "11.0.0.1", "12.0.0.1", "13.0.0.1")]
            self.assertEqual(told, ["block-filter", "block-filter", "allow-filter", "no-allow-filter"])
        self.hours.clock.advance(60)
        self.successResultOf(access.remove_filter("12.0.0.0/8", block=False))
        self.assertEqual(str(self.again().knock(at("11.0.0.1")).rule), "no-filter")
        self.successResultOf(access.unban("10.0.0.0/8"))
        self.assertEqual(list(self.again().judge.filters), [])
        self.assertEqual(set(self.changed), {None})

    def test_a_network_is_not_banned_from_something(self) -> None:
        self.assertRaises(LocalError, self.access().ban, "10.0.0.0/8", None, ["echo"])

    def test_limits_last_over_a_restart_and_count_what_stands(self) -> None:
        access = self.access()
        standing: list[Address] = [at("10.0.0.1"), at("10.0.0.2")]
        access.standing = lambda: standing
        self.successResultOf(access.set_limit("ipv4/24", connections=2, attempts=5, links=6))
        self.assertEqual(str(access.knock(at("10.0.0.3")).rule), "prefix-connections")
        (limit,) = self.again().judge.prefixes
        self.assertEqual(limit, PrefixLimit(4, 24, 2, 5, 6))
        self.successResultOf(access.remove_limit("ipv4/24"))
        self.assertEqual(list(self.again().judge.prefixes), [])

    def test_a_limit_limits_something(self) -> None:
        self.assertRaises(LocalError, self.access().set_limit, "ipv4/24")

    def test_where_the_configuration_says_the_same_by_now(self) -> None:
        access = self.access()
        self.successResultOf(access.add_filter("10.0.0.0/8", block=True))
        self.successResultOf(access.set_limit("ipv4/24", connections=2))
        later = self.access(filters=[Filter(net("10.0.0.0/8"), True, CONFIGURATION)],
                            prefix_limits=[PrefixLimit(4, 24, 9, made_by=CONFIGURATION)])
        self.assertEqual([one.made_by for one in later.judge.filters], [CONFIGURATION])
        self.assertEqual([limit.connections for limit in later.judge.prefixes], [9])

    def test_only_blocks_count_for_what_we_dial(self) -> None:
        access = self.access()
        self.successResultOf(access.add_filter("12.0.0.0/8", block=False))
        self.successResultOf(access.add_filter("10.0.0.0/8", block=True))
        told = [access.filtered(at(text), outbound=outbound) is None for text in ("10.0.0.1", "13.0.0.1")
                for outbound in (True, False)]
        self.assertEqual(told, [False, False, True, False])
        self.assertIsNone(access.filtered(None, outbound=False))


class ExplainTests(AccessCase):
    def test_the_rule_is_named_in_every_case(self) -> None:
        access = self.access(allow=[TWO], filters=[Filter(net("10.0.0.0/8"), True, CONFIGURATION)])
        self.successResultOf(access.deny(TWO, ["files"]))
        self.successResultOf(access.set_limit("ipv4/16", connections=1))
        access.judge.prefixes.came(at("12.0.0.1"))
        access.judge.reputation.addresses.put(net("11.0.0.1"), -1500, 0.0)
        access.judge.reputation.peers.put(ONE, -2000, 0.0)
        for subject, about, rule in (
            ("10.1.1.1", "", "block-filter"), ("::ffff:10.1.1.1", "", "block-filter"), ("13.0.0.1", "", "no-filter"),
            ("11.0.0.1", "", "score"), ("12.0.9.9", "", "prefix-connections"), ("127.0.0.1", "", "no-filter"),
            (str(ONE), "", "score"), (str(TWO), "", "allow"), (str(TWO), "files", "deny"), (str(TWO), "echo", "allow"),
            (str(ONE), "relay", "score"), (str(TWO), "relay", "relaying"),
            ("0b51a0f2-3c4d-8100-8888-000000000001", "", "default"),
        ):
            found = access.explained(subject, about)
            self.assertEqual(found.rule, rule, (subject, about))
            self.assertTrue(found.why and (found.admitted or found.advice), subject)
        self.assertEqual((access.explained(str(ONE)).score, access.explained("11.0.0.1").score), (-2000, -1500))

    def test_a_count_that_is_full_at_the_moment(self) -> None:
        access = self.access()
        access.full = lambda address: "half_open_prefix" if address == at("10.0.0.1") else ""
        found = access.explained("10.0.0.1")
        self.assertEqual((found.rule, found.why), ("count", "limits.half_open_prefix is reached at the moment"))
        self.assertEqual(access.explained("10.0.0.2").rule, "no-filter")

    def test_it_is_the_verdict_of_the_door(self) -> None:
        access = self.access()
        self.successResultOf(access.ban(ONE, WALL + 60))
        self.assertEqual(access.explain(str(ONE)), access.decide(ONE))
        self.assertEqual(access.explain("10.0.0.1"), access.knock(at("10.0.0.1")))

    def test_relaying_needs_a_relay(self) -> None:
        access = self.access(allow=[ONE])
        self.assertEqual(access.explain(str(TWO), "relay").advice, "set node.relay = true and restart")
        access.relaying = lambda: True
        self.assertTrue(access.explain(str(TWO), "relay").admitted)

    def test_what_cannot_be_explained(self) -> None:
        for subject, about in (("10.0.0.0/8", ""), ("10.0.0.1", "echo"), ("me", ""), (str(ONE), "chess"),
                               ("c0ffee00-1234-4abc-9def-0123456789ab", "")):
            self.assertRaises(LocalError, self.access().explain, subject, about)
