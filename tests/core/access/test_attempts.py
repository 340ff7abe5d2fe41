"""Limits per prefix: each length counts for itself, what stands counts, attempts come back with time."""

from __future__ import annotations

from collections import Counter
from ipaddress import IPv4Address

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.access.addresses import within
from quantumgate.core.access.attempts import PrefixLimit, PrefixLimits, family_of_text
from quantumgate.core.access.decision import CONFIGURATION
from quantumgate.errors import LimitError, LocalError
from tests.core.access.people import at

near = st.integers(0, 1023).map(lambda number: IPv4Address(0x0A00_0000 + number * 85))


def limits_of(*rows: PrefixLimit, most: int = 32, prefixes_most: int = 4096) -> PrefixLimits:
    limits = PrefixLimits(most, prefixes_most, 10)
    for row in rows:
        limits.put(row)
    return limits


class FamilyTests(SynchronousTestCase):
    def test_what_people_write(self) -> None:
        self.assertEqual([family_of_text(text) for text in ("ipv4/24", "ipv6/56", "ipv4/0", "ipv6/128", "ipv4/32")],
                         [(4, 24), (6, 56), (4, 0), (6, 128), (4, 32)])

    def test_what_is_refused(self) -> None:
        for text in ("", "24", "/24", "ipv4", "ipv4/", "ipv4/33", "ipv4/288", "ipv6/129", "ipv5/1", "ipv4/-1",
                     "ipv4/2 4", "IPv4/24", "ipv4/٢٤", "ipv4/0024"):
            self.assertRaises(LocalError, family_of_text, text)


class ConnectionTests(SynchronousTestCase):
    def test_the_same_masked_address_under_two_lengths(self) -> None:
        """W50 of the original: x.y.0.z shared a counter between /16 and /24."""
        limits = limits_of(PrefixLimit(4, 16, 3), PrefixLimit(4, 24, 2))
        for text in ("10.1.0.1", "10.1.0.2"):
            self.assertIsNone(limits.full(at(text)))
            limits.came(at(text))
        self.assertEqual(limits.full(at("10.1.0.3")), PrefixLimit(4, 24, 2))
        self.assertIsNone(limits.full(at("10.1.7.3")))
        limits.came(at("10.1.7.3"))
        self.assertEqual(limits.full(at("10.1.8.3")), PrefixLimit(4, 16, 3))
        limits.left(at("10.1.0.2"))
        self.assertIsNone(limits.full(at("10.1.0.3")))

    @given(st.lists(st.tuples(st.booleans(), near), max_size=60), st.integers(8, 32), st.integers(1, 4))
    def test_against_counting_by_hand(self, moves: list[tuple[bool, IPv4Address]], bits: int, most: int) -> None:
        limits, standing = limits_of(PrefixLimit(4, bits, most)), Counter[IPv4Address]()
        for comes, address in moves:
            if comes:
                limits.came(address)
                standing[address] += 1
            elif standing[address]:
                limits.left(address)
                standing[address] -= 1
            inside = sum(number for one, number in standing.items() if within(one, bits) == within(address, bits))
            self.assertEqual(limits.full(address) is not None, inside >= most)

    @given(st.lists(near, max_size=40), st.integers(8, 32), st.integers(1, 4))
    def test_what_is_beyond_a_new_limit(self, standing: list[IPv4Address], bits: int, most: int) -> None:
        limits = limits_of(PrefixLimit(4, bits, most), PrefixLimit(4, 0, 20))
        beyond, kept = limits.beyond(standing), Counter[object]()
        for number, address in enumerate(standing):
            if number not in beyond:
                kept[within(address, bits)] += 1
        self.assertTrue(all(number <= most for number in kept.values()) and sum(kept.values()) <= 20)
        for number in beyond:  # none goes for nothing: with it there would be too many
            before = [one for other, one in enumerate(standing[:number]) if other not in beyond]
            crowded = sum(within(one, bits) == within(standing[number], bits) for one in before) >= most
            self.assertTrue(crowded or len(before) >= 20)

    def test_those_that_stand_count_for_a_new_limit(self) -> None:
        limits = limits_of()
        limits.put(PrefixLimit(4, 24, 2), [at("10.0.0.1"), at("10.0.0.2"), at("2001:db8::1")])
        self.assertIsNotNone(limits.full(at("10.0.0.3")))
        limits.put(PrefixLimit(4, 24, 3), [at("10.0.0.1"), at("10.0.0.2")])
        self.assertIsNone(limits.full(at("10.0.0.3")))

    def test_families_are_apart(self) -> None:
        limits = limits_of(PrefixLimit(4, 24, 1))
        for text in ("10.0.0.1", "2001:db8::1", "2001:db8::2"):
            limits.came(at(text))
        self.assertIsNone(limits.full(at("2001:db8::3")))
        self.assertIsNotNone(limits.full(at("10.0.0.2")))


class AttemptTests(SynchronousTestCase):
    def test_so_many_in_a_window(self) -> None:
        limits = limits_of(PrefixLimit(4, 24, attempts=5))
        self.assertEqual([limits.attempt(at(f"10.0.0.{n}"), 0.0) for n in range(5)], [None] * 5)
        self.assertIsNotNone(limits.tried_too_often(at("10.0.0.9"), 0.0))
        self.assertIsNotNone(limits.attempt(at("10.0.0.9"), 0.0))
        self.assertIsNone(limits.attempt(at("10.0.1.9"), 0.0))
        self.assertIsNotNone(limits.tried_too_often(at("10.0.0.9"), 1.9))
        self.assertIsNone(limits.tried_too_often(at("10.0.0.9"), 2.0))

    def test_to_look_costs_nothing(self) -> None:
        limits = limits_of(PrefixLimit(4, 24, attempts=1))
        for _ in range(5):
            self.assertIsNone(limits.tried_too_often(at("10.0.0.1"), 0.0))
        self.assertIsNone(limits.attempt(at("10.0.0.1"), 0.0))

    def test_links_in_a_minute(self) -> None:
        limits = limits_of(PrefixLimit(6, 48, links=2))
        self.assertEqual([limits.link(at("2001:db8::1"), 0.0) is None for _ in range(3)], [True, True, False])
        self.assertIsNone(limits.link(at("2001:db8::1"), 30.0))

    def test_memory_of_attempts_is_bounded(self) -> None:
        limits = limits_of(PrefixLimit(4, 32, attempts=1), prefixes_most=10)
        for number in range(50):
            limits.attempt(IPv4Address(number), 0.0)
        self.assertEqual([len(row.attempts or ()) for row in limits._rows.values()], [10])
        self.assertIsNotNone(limits.tried_too_often(IPv4Address(49), 0.0))
        self.assertIsNone(limits.tried_too_often(IPv4Address(1), 0.0))


class TableTests(SynchronousTestCase):
    def test_how_many(self) -> None:
        limits = limits_of(PrefixLimit(4, 8, 1), PrefixLimit(4, 9, 1), most=2)
        limits.put(PrefixLimit(4, 9, 2))
        with self.assertRaises(LimitError) as caught:
            limits.put(PrefixLimit(6, 9, 1))
        self.assertEqual(caught.exception.key, "limits.prefix_limits")

    def test_removing(self) -> None:
        limits = limits_of(PrefixLimit(4, 8, 1), PrefixLimit(4, 9, 1, made_by=CONFIGURATION))
        limits.remove(4, 8)
        self.assertRaises(LocalError, limits.remove, 4, 8)
        for change in (lambda: limits.remove(4, 9), lambda: limits.put(PrefixLimit(4, 9, 5))):
            with self.assertRaises(LocalError) as caught:
                change()
            self.assertIn("access.limits", caught.exception.advice)
