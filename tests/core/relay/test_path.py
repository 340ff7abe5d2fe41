"""The choice of relays: diverse, random, of the length that was asked for, or not at all."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.places import network_of
from quantumgate.core.relay.path import Gateway, PathWish, choose
from quantumgate.errors import ConnectFailed
from quantumgate.ids import PeerUUID
from tests.core.handshake.duel import SeededRandom

END = PeerUUID(UUID(int=0xE))
LUCK = SeededRandom("paths")


def gateway(number: int, host: str = "", **more: str) -> Gateway:
    return Gateway(PeerUUID(UUID(int=number)), ((host or f"{number}.1.0.1", 9999),), **more)


MANY = [gateway(number) for number in range(20, 32)]


class ChoiceTests(SynchronousTestCase):
    def refused(self, wish: PathWish, gateways: list[Gateway]) -> str:
        return self.assertRaises(ConnectFailed, choose, wish, gateways, LUCK).reason

    def test_every_length(self) -> None:
        for hops in range(1, 9):
            path = choose(PathWish(hops, END), MANY, LUCK)
            self.assertEqual((len(path), len({one.uuid for one in path})), (hops, hops))
        for hops in (0, -1, 9):
            self.assertEqual(self.refused(PathWish(hops, END), MANY), "bad-path")

    def test_every_gateway_in_every_place_alike(self) -> None:
        seen: list[Counter[PeerUUID]] = [Counter(), Counter(), Counter()]
        for _ in range(1200):
            for place, one in enumerate(choose(PathWish(3, END), MANY, LUCK)):
                seen[place][one.uuid] += 1
        for place in seen:
            self.assertEqual(len(place), len(MANY))
            self.assertTrue(all(60 < count < 145 for count in place.values()), place)

    def test_one_network_one_hop(self) -> None:
        near = [gateway(1, "11.2.3.4"), gateway(2, "11.2.200.4"), gateway(3, "12.2.3.4")]
        for _ in range(50):
            path = choose(PathWish(2, END), near, LUCK)
            self.assertIn(near[2], path)
        self.assertEqual(self.refused(PathWish(3, END), near), "no-path")
        self.assertEqual(len(choose(PathWish(3, END, diverse=False), near, LUCK)), 3)

    def test_ipv6_networks(self) -> None:
        near = [gateway(1, "2a00:1:2::1"), gateway(2, "[2a00:1:ffff::1]"), gateway(3, "2a00:2::1")]
        self.assertEqual(self.refused(PathWish(3, END), near), "no-path")
        self.assertEqual(len(choose(PathWish(2, END), near, LUCK)), 2)

    def test_families(self) -> None:
        kin = [gateway(1, family="smith"), gateway(2, family="smith"), gateway(3)]
        self.assertEqual(self.refused(PathWish(3, END), kin), "no-path")
        self.assertIn(kin[2], choose(PathWish(2, END), kin, LUCK))

    def test_both_ends_are_avoided(self) -> None:
        wish = PathWish(1, MANY[0].uuid, avoid=frozenset({network_of("21.1.9.9")}), bad=frozenset({MANY[2].uuid}))
        taken = {choose(wish, MANY, LUCK)[0].uuid for _ in range(400)}
        self.assertEqual(taken, {one.uuid for one in MANY} - {MANY[0].uuid, MANY[1].uuid, MANY[2].uuid})

    def test_guards_are_the_only_first_hops(self) -> None:
        wish = PathWish(3, END, firsts=(MANY[3].uuid, MANY[4].uuid))
        self.assertEqual({choose(wish, MANY, LUCK)[0].uuid for _ in range(60)}, {MANY[3].uuid, MANY[4].uuid})

    def test_too_few(self) -> None:
        self.assertEqual(self.refused(PathWish(3, END), MANY[:2]), "no-path")
        self.assertEqual(self.refused(PathWish(1, END), []), "no-path")

    def test_a_crowd_of_liars_costs_no_search(self) -> None:
        crowd = [gateway(number, f"66.6.{number % 250}.1") for number in range(1, 400)]
        self.assertEqual(self.refused(PathWish(8, END), crowd), "no-path")
