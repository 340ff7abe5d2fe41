"""Intake: each number that a stranger can reach is reached, exemptions hold, and counts come back to zero."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.net.intake import Intake, Place
from quantumgate.wire.limits import DEFAULT_LIMITS, NETWORKS_MET_MAX


class Middle:
    """Luck that draws the middle."""

    def uniform(self, low: float, high: float) -> float:
        return (low + high) / 2

    def below(self, n: int) -> int:
        return n // 2


def at(host: str) -> IPv4Address:
    return IPv4Address("TCP", host, 5)


class IntakeCase(SynchronousTestCase):
    def intake(self, *, mceliece: bool = False, **limits: Any) -> Intake:
        self.clock = Clock()
        return Intake(replace(DEFAULT_LIMITS, **limits), self.clock, Middle(), mceliece=mceliece)

    def taken(self, intake: Intake, host: str, **kind: bool) -> Place:
        place = intake.accept(at(host), **kind)
        assert place is not None
        return place


class HalfOpenTests(IntakeCase):
    def test_per_prefix(self) -> None:
        intake = self.intake(half_open_prefix=2)
        self.taken(intake, "192.0.2.1")
        self.taken(intake, "192.0.2.2")
        self.assertIsNone(intake.accept(at("192.0.2.3")))
        self.taken(intake, "192.0.3.1")
        self.assertEqual(intake.refused, {"half_open_prefix": 1})

    def test_to_ask_whether_there_is_room_takes_none(self) -> None:
        intake = self.intake(half_open_prefix=1, accepts_per_window=1)
        self.assertEqual([intake.full(at("192.0.2.1")) for _ in range(3)], ["", "", ""])
        self.taken(intake, "192.0.2.1")
        self.assertEqual(intake.full(at("192.0.2.1")), "half_open_prefix")
        self.assertEqual((intake.full(at("192.0.2.1"), lan=True), intake.full(at("127.0.0.1"))), ("", ""))

    def test_a_settled_or_gone_one_makes_room(self) -> None:
        intake = self.intake(half_open_prefix=1)
        self.taken(intake, "192.0.2.1").settled()
        self.taken(intake, "192.0.2.1").left()
        self.taken(intake, "192.0.2.1")
        self.assertEqual(intake.half_open, 1)

    def test_whole_node(self) -> None:
        intake = self.intake(half_open=3, half_open_reserve_share=0.0)
        for n in range(3):
            self.taken(intake, f"192.0.{n}.1")
        self.assertIsNone(intake.accept(at("192.0.9.1")))
        self.assertIsNone(intake.accept(UNIXAddress(b"/x")))
        self.assertEqual(intake.refused, {"half_open": 2})

    def test_the_last_ones_are_for_networks_that_we_know(self) -> None:
        """Eight, two of them kept: for who comes from where a friend came from, or did us good."""
        intake = self.intake(half_open=8, half_open_prefix=8)
        self.taken(intake, "198.51.100.1").settled(named=True)
        self.taken(intake, "203.0.113.1").settled()
        for n in range(6):
            self.taken(intake, f"192.0.{n}.1")
        for host in ("192.0.9.1", "203.0.113.1"):
            self.assertIsNone(intake.accept(at(host)))
        self.taken(intake, "198.51.100.77")
        intake.did_good = lambda address: address.host == "192.0.9.1"
        self.taken(intake, "192.0.9.1")
        self.assertEqual((intake.half_open, intake.full(at("198.51.100.77"))), (8, "half_open"))

    def test_networks_that_we_know_are_bounded(self) -> None:
        intake = self.intake(half_open=1, half_open_reserve_share=0.9)
        for number in range(NETWORKS_MET_MAX + 2):
            intake.met(f"network {number}")
        intake.met("network 2")
        intake.met("one more")
        self.assertEqual(len(intake._met), NETWORKS_MET_MAX)
        self.assertEqual([f"network {number}" in intake._met for number in (1, 2, 3, 4)], [False, True, False, True])

    def test_mceliece_flights_count_by_their_size(self) -> None:
        self.assertEqual(self.intake().half_open_max, 512)
        self.assertEqual(self.intake(mceliece=True).half_open_max, 21)

    def test_loopback_and_lan_are_exempt_from_prefixes(self) -> None:
        intake = self.intake(half_open_prefix=1, accepts_per_window=1)
        for _ in range(5):
            self.taken(intake, "127.0.0.1")
            self.taken(intake, "192.0.2.1", lan=True)
        self.assertEqual(intake.half_open, 10)


class Tenant:
    """Who has a place, and is drained when it gives way."""

    def __init__(self, place: Place, known: bool = False) -> None:
        self.place, self.known, self.gone = place, known, False
        place.tenant = self

    def give_way(self) -> None:
        self.gone = True
        self.place.draining(lambda: None)


class GiveWayTests(IntakeCase):
    """A full house: the oldest handshake that has had its time makes room. [ADR 0191]"""

    def tenants(self, count: int = 4, known: int = 0, **limits: Any) -> tuple[Intake, list[Tenant]]:
        intake = self.intake(half_open=count, half_open_reserve_share=0.0, **limits)
        return intake, [Tenant(self.taken(intake, f"192.0.{n}.1"), n < known) for n in range(count)]

    def test_nobody_younger_than_a_second_gives_way(self) -> None:
        intake, tenants = self.tenants()
        self.clock.advance(0.9)
        self.assertEqual(intake.full(at("198.51.100.1")), "half_open")
        self.assertIsNone(intake.accept(at("198.51.100.1")))
        self.assertFalse(any(one.gone for one in tenants))

    def test_the_oldest_one_gives_way_and_is_drained(self) -> None:
        intake, tenants = self.tenants()
        self.clock.advance(1.1)
        self.assertEqual(intake.full(at("198.51.100.1")), "")
        self.assertFalse(any(one.gone for one in tenants))
        for number in range(2):
            self.taken(intake, f"198.51.100.{number}")
        self.assertEqual([one.gone for one in tenants], [True, True, False, False])
        self.assertEqual((intake.half_open, intake.drained), (4, 2))

    def test_who_brought_a_token_does_not(self) -> None:
        intake, tenants = self.tenants(known=3)
        self.clock.advance(5)
        self.taken(intake, "198.51.100.1")
        self.assertEqual([one.gone for one in tenants], [False, False, False, True])
        self.assertIsNone(intake.accept(at("198.51.100.2")))

    def test_a_friends_network_gives_way_to_friends_only(self) -> None:
        intake, tenants = self.tenants()
        intake.met(tenants[0].place.prefix)
        self.clock.advance(2)
        self.taken(intake, "198.51.100.1")
        self.assertEqual([one.gone for one in tenants], [False, True, False, False])
        self.taken(intake, "192.0.0.77")
        self.assertEqual([one.gone for one in tenants], [True, True, False, False])

    def test_whoever_is_over_a_limit_of_its_own_drives_nobody_out(self) -> None:
        intake, tenants = self.tenants(half_open_prefix=1)
        self.clock.advance(2)
        self.assertIsNone(intake.accept(at("192.0.3.2")))
        self.assertEqual((intake.refused, [one.gone for one in tenants]), ({"half_open_prefix": 1}, [False] * 4))

    def test_a_flood_of_connections_that_say_nothing_keeps_nobody_out(self) -> None:
        """100 a second, each from a network of its own, against 512 places: every honest one finds room at once."""
        intake = self.intake()
        for number in range(3000):
            self.clock.advance(0.01)
            Tenant(self.taken(intake, f"10.{number // 250}.{number % 250}.1"))
            if number % 100 == 0:
                honest = Tenant(self.taken(intake, f"198.51.{number // 100}.1"))
                self.clock.advance(0.9)
                self.assertFalse(honest.gone)
                honest.place.settled()
        self.assertEqual(intake.refused, {})


class RateTests(IntakeCase):
    def test_accepts_of_one_address(self) -> None:
        intake = self.intake()
        for _ in range(20):
            self.taken(intake, "192.0.2.1").left()
        self.assertIsNone(intake.accept(at("192.0.2.1")))
        self.taken(intake, "192.0.2.2").left()
        self.clock.advance(9.9)
        self.assertIsNone(intake.accept(at("192.0.2.1")))
        self.clock.advance(0.2)
        self.taken(intake, "192.0.2.1")

    def test_memory_of_accepts_is_bounded(self) -> None:
        intake = self.intake(drain_sockets=50)
        for n in range(400):
            self.taken(intake, f"10.{n // 200}.{n % 200}.1").left()
        self.assertLessEqual(len(intake._accepts), 50)


    def test_an_accept_among_thousands_of_addresses_costs_what_one_costs(self) -> None:
        """What may be forgotten is not looked for: it stands in front."""
        intake = self.intake(drain_sockets=1000)
        for number in range(1000):
            self.taken(intake, f"10.{number // 200}.{number % 200}.1").left()
        self.clock.advance(5)
        self.taken(intake, "10.0.0.1").left()
        self.clock.advance(5.5)
        for number in range(3):
            self.taken(intake, f"192.0.2.{number}").left()
        self.assertEqual([len(each) for each in intake._accepts.values()], [2, 1, 1, 1])


class DrainTests(IntakeCase):
    def draining(self, intake: Intake, host: str, closed: list[str]) -> Place:
        place = self.taken(intake, host)
        place.draining(lambda: (closed.append(host), place.left()))
        return place

    def test_a_prefix_over_its_share_is_closed_at_accept(self) -> None:
        intake = self.intake(drain_prefix=2)
        first = self.draining(intake, "192.0.2.1", [])
        self.draining(intake, "192.0.2.2", [])
        self.assertIsNone(intake.accept(at("192.0.2.3")))
        first.left()
        self.taken(intake, "192.0.2.3")

    def test_loopback_is_exempt_from_the_share(self) -> None:
        intake = self.intake(drain_prefix=2)
        for _ in range(9):
            self.draining(intake, "127.0.0.1", [])
        self.assertEqual(intake.drained, 9)

    def test_over_the_global_cap_one_of_the_fullest_prefix_goes_within_ten_seconds(self) -> None:
        intake, closed = self.intake(drain_sockets=4), list[str]()
        for host in ("192.0.2.1", "192.0.2.2", "192.0.2.3", "198.51.100.1"):
            self.draining(intake, host, closed)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.draining(intake, "203.0.113.1", closed)
        self.clock.advance(4.9)
        self.assertEqual(closed, [])
        self.clock.advance(0.2)
        self.assertEqual(closed, ["192.0.2.2"])
        self.assertEqual(intake.drained, 4)

    def test_each_one_over_the_cap_dooms_another(self) -> None:
        intake, closed = self.intake(drain_sockets=2), list[str]()
        for n in range(5):
            self.draining(intake, f"192.0.2.{n}", closed)
        self.clock.advance(10)
        self.assertEqual(len(closed), 3)
        self.assertEqual(intake.drained, 2)

    def test_each_one_over_the_cap_dooms_another_where_every_network_has_one(self) -> None:
        intake, closed = self.intake(drain_sockets=2), list[str]()
        for n in range(6):
            self.draining(intake, f"192.0.{n}.1", closed)
        self.clock.advance(10)
        self.assertEqual(len(closed), 4)
        self.assertEqual(intake.drained, 2)

    def test_leaving_first_cancels_the_eviction(self) -> None:
        intake, closed = self.intake(drain_sockets=1), list[str]()
        places = [self.draining(intake, "192.0.2.1", closed) for _ in range(2)]
        for place in places:
            place.left()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual((intake.drained, intake.half_open), (0, 0))

    def test_repeated_moves_count_once(self) -> None:
        intake = self.intake()
        place = self.draining(intake, "192.0.2.1", [])
        place.draining(lambda: None)
        place.left()
        place.left()
        place.settled()
        self.assertEqual((intake.drained, intake.half_open), (0, 0))
