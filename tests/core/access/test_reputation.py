"""Scores: the table on the page, fading, who pays and who never does, refusals that double, tables that stay small."""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from math import inf
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.access.addresses import Address, narrow, wide
from quantumgate.core.access.reputation import COSTS, Deed, Doer, Kept, Reputation, Scores
from quantumgate.wire.limits import DEFAULT_LIMITS, SCORE_GREY, SCORE_RANGE, SCORE_RELAY_FLOOR
from tests.core.access.people import at, net, peer
from tests.house import ROOT

HOUR = 3600.0
BAD = [deed for deed, cost in COSTS.items() if cost.address < 0]
near = st.integers(0, 7).map(lambda number: IPv4Address(0x0A00_0000 + number * 100))


def scores(most: int = 1000) -> Scores[str]:
    return Scores(most, DEFAULT_LIMITS)


class CostTests(SynchronousTestCase):
    def test_the_table_is_the_one_on_the_page(self) -> None:
        page = (Path(ROOT) / "docs/spec/access.md").read_text(encoding="utf-8").split("## 5 ")[1].split("\n## ")[0]
        rows = re.findall(r"^\| `([a-z-]+)` \| (-?\d+) \| ?(-?\d+|) ?\|", page, flags=re.M)
        self.assertEqual({name: (float(address), float(uuid or 0)) for name, address, uuid in rows},
                         {str(deed): (cost.address, cost.peer) for deed, cost in COSTS.items()})


class FadingTests(SynchronousTestCase):
    def test_half_is_gone_after_an_hour_whatever_its_sign(self) -> None:
        for score in (-800.0, 80.0):
            table = scores()
            table.change("x", score, 0.0)
            for hours in (0, 1, 2, 10):
                self.assertAlmostEqual(table.score("x", hours * HOUR), score / 2**hours)
            self.assertAlmostEqual(table.score("x", HOUR / 2), score / 2**0.5)
        self.assertEqual(scores().score("x", 0.0), 0)

    def test_a_clock_that_goes_back_changes_nothing(self) -> None:
        table = scores()
        table.change("x", -500, 1000.0)
        self.assertEqual(table.score("x", 0.0), -500)

    @given(st.lists(st.tuples(st.floats(-4000, 200), st.floats(0, 4 * HOUR)), max_size=30))
    def test_never_outside_the_range(self, changes: list[tuple[float, float]]) -> None:
        table, now = scores(), 0.0
        for delta, later in changes:
            now += later
            before = table.score("x", now)
            changed = table.change("x", delta, now)
            self.assertAlmostEqual(table.score("x", now), before + changed, places=6)
            self.assertTrue(SCORE_RANGE[0] <= table.score("x", now) <= SCORE_RANGE[1])

    def test_a_floor_stops_a_loss_and_lifts_nobody(self) -> None:
        table = scores()
        for _ in range(300):
            table.change("relay", -5, 0.0, SCORE_RELAY_FLOOR)
        self.assertEqual(table.score("relay", 0.0), SCORE_RELAY_FLOOR)
        table.change("other", -900, 0.0)
        self.assertEqual(table.change("other", -5, 0.0, SCORE_RELAY_FLOOR), 0)
        self.assertEqual(table.score("other", 0.0), -900)


class RefusalTests(SynchronousTestCase):
    def refused(self, table: Scores[str], now: float) -> bool:
        return table.standing("x", now).refused_until is not None

    def test_below_a_thousand_for_ten_minutes_at_least(self) -> None:
        table = scores()
        table.change("x", SCORE_GREY, 0.0)
        self.assertFalse(self.refused(table, 0.0))
        table.change("x", -1, 0.0)
        self.assertEqual([self.refused(table, now) for now in (0.0, 599.9, 600.0)], [True, True, False])

    def test_as_long_as_the_score_is_below(self) -> None:
        table = scores()
        table.change("x", -3000, 0.0)
        until = table.standing("x", 0.0).refused_until or 0.0
        self.assertAlmostEqual(table.score("x", until), SCORE_GREY, places=6)
        self.assertEqual([self.refused(table, now) for now in (until - 1, until + 1)], [True, False])

    def test_it_doubles_to_a_day(self) -> None:
        table, now, spans = scores(), 0.0, []
        for _ in range(12):
            table.change("x", SCORE_GREY - 1 - table.score("x", now), now)
            until = table.standing("x", now).refused_until or 0.0
            spans.append(until - now)
            now = until
        self.assertEqual(spans[:4], [600, 1200, 2400, 4800])
        self.assertEqual(spans[-1], 86_400)

    def test_what_has_faded_is_forgiven(self) -> None:
        table = scores()
        for now in (0.0, 600.0):
            table.change("x", SCORE_GREY - 1 - table.score("x", now), now)
        now = 12 * HOUR
        table.change("x", SCORE_GREY - 1, now)
        self.assertEqual(table.standing("x", now).refused_until, now + 600)

    def test_more_of_the_same_does_not_prolong(self) -> None:
        table = scores()
        for second in range(100):
            table.change("x", -11, float(second))
        first = table.standing("x", 99.0).refused_until
        table.change("x", -1, 100.0)
        self.assertEqual(table.standing("x", 100.0).refused_until, first)

    def test_a_score_by_hand(self) -> None:
        table = scores()
        table.change("x", -3000, 0.0)
        table.put("x", -500, 1.0)
        self.assertFalse(self.refused(table, 1.0))
        table.put("x", -1500, 1.0)
        self.assertTrue(self.refused(table, 1.0))
        self.assertTrue(table.forget("x"))
        self.assertFalse(self.refused(table, 1.0) or table.forget("x"))


class BlameTests(SynchronousTestCase):
    """[A31], row by row, and then all at once against a sentence."""

    HERE, SOMEBODY = at("192.0.2.7"), peer(1)

    def paid(self, deed: Deed, doer: Doer) -> tuple[float, float, float]:
        """What the address, its network and the peer have afterwards."""
        reputation = Reputation(DEFAULT_LIMITS)
        reputation.count(deed, doer, 0.0)
        return (reputation.addresses.score(narrow(self.HERE), 0.0), reputation.networks.score(wide(self.HERE), 0.0),
                reputation.peers.score(self.SOMEBODY, 0.0))

    def test_a_handshake_costs_the_address_and_never_the_uuid(self) -> None:
        for deed in (Deed.HANDSHAKE, Deed.DAMAGE, Deed.ATTEMPT):
            address, _, uuid = self.paid(deed, Doer(self.HERE, self.SOMEBODY))
            self.assertTrue(address < 0 and uuid == 0, deed)

    def test_a_violation_costs_both(self) -> None:
        self.assertEqual(self.paid(Deed.VIOLATION, Doer(self.HERE, self.SOMEBODY)), (-200, -50, -200))

    def test_over_a_link_only_the_authenticated_peer_pays(self) -> None:
        self.assertEqual(self.paid(Deed.VIOLATION, Doer(self.HERE, self.SOMEBODY, over_link=True)), (0, 0, -200))
        self.assertEqual(self.paid(Deed.VIOLATION, Doer(self.HERE, over_link=True)), (0, 0, 0))

    def test_here_and_on_a_trusted_network_no_address_pays(self) -> None:
        self.assertEqual(self.paid(Deed.FLOOD, Doer(self.HERE, self.SOMEBODY, local=True)), (0, 0, -50))

    @given(st.sampled_from(list(Deed)), st.booleans(), st.booleans(), st.booleans(), st.booleans())
    def test_who_pays(self, deed: Deed, known: bool, has_address: bool, local: bool, over_link: bool) -> None:
        doer = Doer(self.HERE if has_address else None, self.SOMEBODY if known else None, local, over_link)
        cost = COSTS[deed]
        address = cost.address if has_address and not local and not over_link else 0
        self.assertEqual(self.paid(deed, doer), (address, address / 4, cost.peer if known else 0))

    def test_whether_anybody_paid(self) -> None:
        reputation = Reputation(DEFAULT_LIMITS)
        self.assertFalse(reputation.count(Deed.HANDSHAKE, Doer(self.HERE, self.SOMEBODY, over_link=True), 0.0))
        self.assertTrue(reputation.count(Deed.HANDSHAKE, Doer(self.HERE), 0.0))

    def test_a_known_relay_is_never_refused_by_its_address(self) -> None:
        reputation = Reputation(DEFAULT_LIMITS)
        for number in range(1000):
            reputation.count(BAD[number % len(BAD)], Doer(self.HERE, relay=True), number / 10)
        standing = reputation.of_address(self.HERE, 100.0)
        self.assertIsNone(standing.refused_until)
        self.assertGreaterEqual(standing.score, SCORE_RELAY_FLOOR)

    def test_an_honest_node_with_a_wrong_secret_is_not_shut_out(self) -> None:
        """W47 of the original: a wrong clock or secret banned for an hour. Ours dials again once a minute at most."""
        reputation = Reputation(DEFAULT_LIMITS)
        for minute in range(7 * 24 * 60):
            reputation.count(Deed.HANDSHAKE, Doer(self.HERE), minute * 60.0)
        self.assertIsNone(reputation.of_address(self.HERE, 7 * 24 * HOUR).refused_until)


class NetworkTests(SynchronousTestCase):
    @given(st.lists(st.tuples(near, st.sampled_from(BAD), st.floats(0, 2 * HOUR)), max_size=80))
    def test_no_single_ipv4_address_brings_its_network_down(
        self, deeds: list[tuple[IPv4Address, Deed, float]]
    ) -> None:
        """W46 of the original: many share an address or a network, and one of them must not shut all out."""
        reputation, now = Reputation(DEFAULT_LIMITS), 0.0
        for address, deed, later in deeds:
            now += later
            for _ in range(6):
                reputation.count(deed, Doer(address), now)
        for network in {wide(address) for address, _, _ in deeds}:
            members = {address for address, _, _ in deeds if wide(address) == network}
            total = sum(reputation.addresses.score(narrow(address), now) for address in members)
            self.assertAlmostEqual(reputation.networks.score(network, now), max(-3000, total / 4), places=3)
            if len(members) == 1:
                self.assertIsNone(reputation.networks.standing(network, now).refused_until)

    def test_an_address_that_goes_on_and_on_costs_its_network_no_more(self) -> None:
        reputation, here = Reputation(DEFAULT_LIMITS), at("192.0.2.7")
        for _ in range(1000):
            reputation.count(Deed.VIOLATION, Doer(here), 0.0)
        self.assertEqual(reputation.networks.score(wide(here), 0.0), -750)
        self.assertIsNone(reputation.of_address(at("192.0.2.8"), 0.0).refused_until)

    def test_many_addresses_of_one_ipv6_customer_do(self) -> None:
        reputation = Reputation(DEFAULT_LIMITS)
        for number in range(300):
            reputation.count(Deed.HANDSHAKE, Doer(IPv6Address(0x2001_0DB8 << 96 | number << 64 | number)), 0.0)
        self.assertIsNotNone(reputation.of_address(at("2001:db8::ff:1:2:3"), 0.0).refused_until)
        self.assertIsNone(reputation.of_address(at("2001:db8:1::1"), 0.0).refused_until)

    def test_the_worse_of_the_two_counts_and_is_named(self) -> None:
        reputation = Reputation(DEFAULT_LIMITS)
        reputation.networks.put(net("10.0.0.0/24"), -1100, 0.0)
        reputation.addresses.put(net("10.0.0.1"), -50, 0.0)
        standing = reputation.of_address(at("10.0.0.1"), 0.0)
        self.assertEqual((standing.of, standing.score), ("10.0.0.0/24", -1100))
        reputation.networks.put(net("10.0.0.0/24"), 10, 0.0)
        self.assertEqual(reputation.of_address(at("10.0.0.1"), 0.0).of, "10.0.0.1/32")

    def test_which_table_a_network_is_in(self) -> None:
        reputation = Reputation(DEFAULT_LIMITS)
        for text, table in (("10.0.0.1", reputation.addresses), ("10.0.0.0/24", reputation.networks),
                            ("2001:db8::/56", reputation.networks), ("2001:db8::1", reputation.addresses),
                            ("10.0.0.0/16", None), ("2001:db8::/64", None)):
            self.assertIs(reputation.table_of(net(text)), table, text)


class MemoryTests(SynchronousTestCase):
    def test_tables_stay_small_and_keep_the_worst(self) -> None:
        limits = replace(DEFAULT_LIMITS, score_addresses=64, score_networks=32, score_peers=64)
        reputation, bad = Reputation(limits), at("203.0.113.9")
        for _ in range(10):
            reputation.count(Deed.VIOLATION, Doer(bad, peer(0)), 0.0)
        for number in range(2000):
            everybody: Address = IPv4Address(0x0B00_0000 + number * 256)
            reputation.count(Deed.FLOOD, Doer(everybody, peer(number + 1)), 1.0)
        self.assertLessEqual(len(reputation.addresses), 64)
        self.assertLessEqual(len(reputation.networks), 32)
        self.assertLessEqual(len(reputation.peers), 64)
        self.assertIsNotNone(reputation.of_address(bad, 1.0).refused_until)
        self.assertIsNotNone(reputation.of_peer(peer(0), 1.0).refused_until)

    def test_who_did_worse_outlives_who_came_later(self) -> None:
        table = scores(8)
        table.change("worse", -400, 0.0)
        for number in range(50):
            table.change(f"{number}", -5, 60.0 + number)
        self.assertIn("worse", table)

    def test_who_is_refused_outlives_who_is_only_lower(self) -> None:
        table = scores(8)
        table.change("refused", -1001, 0.0)
        for number in range(50):
            table.change(f"{number}", -950, 590.0)
        self.assertIn("refused", table)

    def test_what_is_kept_and_restored(self) -> None:
        table = scores()
        table.change("bad", -1200, 0.0)
        table.change("good", 50, 0.0)
        table.change("none", -0.5, 0.0)
        kept = {row.key: row for row in table.kept(60.0)}
        self.assertEqual(sorted(kept), ["bad", "good"])
        again = scores()
        for row in kept.values():
            again.restore(row, 120.0, 5.0)
        self.assertAlmostEqual(again.score("bad", 5.0), table.score("bad", 180.0))
        self.assertAlmostEqual((again.standing("bad", 5.0).refused_until or inf) - 5.0,
                               (table.standing("bad", 180.0).refused_until or 0) - 180.0, places=6)
        again.change("bad", -3000, 2000.0)
        self.assertEqual(next(iter(again.kept(2000.0))), Kept("bad", -3000, 1200, 2))
