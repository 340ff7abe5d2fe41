"""Which relays are taken: guards of both kinds, both ends' networks, anchors, successors; never fewer than asked."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from uuid import UUID

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.relay.path import Gateway
from quantumgate.errors import ConnectFailed
from quantumgate.ids import PeerUUID
from quantumgate.node.dialling import Route, Target
from quantumgate.node.paths import Paths, gateway_of
from quantumgate.store.memory import MemoryDatabase
from quantumgate.wire.limits import DEFAULT_LIMITS
from tests.core.handshake.duel import SeededRandom
from tests.node.remembering import recalled

DAY_SECONDS = 86_400


def uuid(number: int) -> PeerUUID:
    return PeerUUID(UUID(f"{number:08x}-1234-8abc-9def-0123456789ab"))


def gateway(number: int, host: str = "", family: str = "") -> Gateway:
    return Gateway(uuid(number), ((host or f"{number}.1.0.1", 9999),), family=family)


OWN, END = uuid(0xFFFF), uuid(0xEEEE)
MANY = [gateway(number) for number in range(20, 32)]


def target(hops: int, host: str = "99.9.0.1", **more: Any) -> Target:
    return Target("the end", END, None, (), ((host, 9999),), Route(hops), **more)


class PathsCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.own_hosts = Clock(), ["77.7.0.1"]
        self.middles, self.sources = False, ()
        self.database = MemoryDatabase()

    def paths(self, gateways: Any = MANY, *, seed: int = 0, **more: Any) -> Paths:
        world: Any = SimpleNamespace(
            clock=self.clock, now=self.clock.seconds, random=SeededRandom((self.id(), seed)),
            wall_seconds=lambda: 1_800_000_000.0 + self.clock.seconds(), own_addresses=lambda: self.sources,
        )
        self.state = recalled(self.database)
        made = Paths(OWN, world, DEFAULT_LIMITS, self.state, gateways, own_hosts=lambda: self.own_hosts,
                     with_middles=lambda: self.middles, **more)
        self.addCleanup(made.blame.stop)
        return made

    def refused(self, paths: Paths, wanted: Target) -> Any:
        return self.assertRaises(ConnectFailed, paths.choose, wanted)


class MiddleTests(PathsCase):
    def seconds_of(self, paths: Paths, count: int = 40) -> set[PeerUUID]:
        return {paths.choose(target(3))[1].uuid for _ in range(count)}

    def test_only_where_they_are_wanted(self) -> None:
        paths = self.paths()
        self.assertGreater(len(self.seconds_of(paths)), 6)
        self.assertEqual(self.state.middles, {})
        self.middles = True
        self.assertEqual(self.seconds_of(paths), set(self.state.middles))
        self.assertEqual(len(self.state.middles), 4)

    def test_none_of_them_is_a_guard(self) -> None:
        self.middles = True
        for seed in range(10):
            self.database = MemoryDatabase()
            paths = self.paths(seed=seed)
            for _ in range(10):
                first, second, third = paths.choose(target(3))
                self.assertIn(first.uuid, self.state.guards)
                self.assertIn(second.uuid, self.state.middles)
                self.assertNotIn(third.uuid, (first.uuid, second.uuid))
            self.assertEqual(set(self.state.middles) & set(self.state.guards), set())

    def test_over_a_restart(self) -> None:
        self.middles = True
        self.paths().choose(target(2))
        before = dict(self.state.middles)
        self.assertEqual(len(before), 4)
        paths = self.paths()
        self.assertEqual(self.seconds_of(paths), set(before))
        self.assertEqual(self.state.middles, before)

    def test_half_a_year_of_circuits(self) -> None:
        """One an hour: never more than four at a time, none for longer than twelve days, all are had in the end."""
        self.middles = True
        paths, last, seen = self.paths(), {}, set()
        began: dict[PeerUUID, float] = {}
        for hour in range(180 * 24):
            self.clock.advance(3600)
            if hour % 4:
                continue
            second = paths.choose(target(3))[1].uuid
            seen.add(second)
            self.assertTrue(second in self.state.middles and len(self.state.middles) == 4)
            for one, until in self.state.middles.items():
                if last.get(one) != until:
                    began[one] = self.clock.seconds()
                self.assertLessEqual(self.clock.seconds() - began[one], 12 * DAY_SECONDS + 1)
            last = dict(self.state.middles)
        self.assertEqual(seen, {one.uuid for one in MANY})

    def test_one_that_is_gone_is_drawn_anew(self) -> None:
        self.middles = True
        paths = self.paths()
        paths.choose(target(2))
        gone, *stay = self.state.middles
        paths.gateways[:] = [one for one in MANY if one.uuid != gone]
        paths.choose(target(2))
        self.assertTrue(gone not in self.state.middles and set(stay) < set(self.state.middles))
        self.state.dropped[stay[0]] = 1_800_000_000 + 1000
        paths.choose(target(2))
        self.assertTrue(stay[0] not in self.state.middles and len(self.state.middles) == 4)

    def test_networks_still_count(self) -> None:
        """Second hops in the network of the first, or of an end, are not taken, though they are kept."""
        self.middles = True
        near = [gateway(1), gateway(2), *(gateway(number, f"1.1.{number}.1") for number in range(3, 6)), gateway(9)]
        paths = self.paths(near)
        for _ in range(40):
            path = paths.choose(target(2))
            self.assertEqual(len(path[0].networks | path[1].networks), 2)

    def test_where_none_will_do_another_is_taken_and_they_are_kept(self) -> None:
        self.middles = True
        paths = self.paths()
        paths.choose(target(2))
        before = dict(self.state.middles)
        for one in before:
            paths.blame.failed(one)
        self.assertFalse(self.seconds_of(paths) & set(before))
        self.assertEqual(self.state.middles, before)
        self.clock.advance(301)
        self.assertEqual(self.seconds_of(paths), set(before))


class EndTests(PathsCase):
    """No relay is next to either end, wherever we know those from."""

    def test_our_sockets_our_listeners_and_the_way_out(self) -> None:
        paths = self.paths(MANY[:2])
        self.assertEqual(len(paths.choose(target(2))), 2)
        self.own_hosts.append("20.1.99.99")
        self.assertEqual(self.refused(paths, target(2)).reason, "no-path")
        self.own_hosts.pop()
        self.sources = ("21.1.77.77",)
        self.assertEqual(self.refused(paths, target(2)).reason, "no-path")

    def test_the_destination_also_where_it_is_known_by_another_address(self) -> None:
        paths = self.paths(MANY[:3])
        self.assertEqual(self.refused(paths, target(3, "22.1.5.5")).reason, "no-path")
        paths.gateways.append(Gateway(END, (("21.1.9.9", 1),)))
        for _ in range(20):
            self.assertNotIn(MANY[1], paths.choose(target(2)))

    def test_the_destinations_family(self) -> None:
        kin = [gateway(1, family="smith"), gateway(2), gateway(3)]
        paths = self.paths([*kin, Gateway(END, (("98.9.0.1", 1),), family="smith")])
        for _ in range(20):
            self.assertNotIn(kin[0], paths.choose(target(2)))

    def test_on_one_machine_networks_do_not_count(self) -> None:
        self.own_hosts.append("20.1.99.99")
        self.assertEqual(len(self.paths(MANY[:2], diverse=False).choose(target(2))), 2)


class AnchorTests(PathsCase):
    """The anchor is the last relay: what holds for relays holds for it, also where an address names it."""

    def behind(self, hops: int, *anchors: Gateway) -> Target:
        return Target("behind", END, None, (), (), Route(hops), anchors, b"k" * 32)

    def test_none_in_a_network_of_our_own(self) -> None:
        near, far = gateway(77, "77.7.200.1"), gateway(78)
        paths = self.paths()
        error = self.refused(paths, self.behind(3, near))
        self.assertEqual((error.reason, "in a network of our own" in str(error)), ("no-path", True))
        for _ in range(20):
            self.assertEqual(paths.in_order([near, far]), [far, near])
        path = paths.choose(self.behind(3, far))
        self.assertEqual((len(path), path[-1]), (3, far))

    def test_one_alone_is_there_to_reach_not_to_hide(self) -> None:
        near = gateway(77, "77.7.200.1")
        self.assertEqual(self.paths().choose(self.behind(1, near)), (near,))

    def test_it_is_another_than_the_peer_and_than_us(self) -> None:
        for wrong in (Gateway(END, (("9.9.0.1", 1),)), Gateway(OWN, (("9.9.0.1", 1),))):
            self.assertEqual(self.refused(self.paths(), self.behind(1, wrong)).reason, "no-path")

    def test_none_of_the_others_is_next_to_it(self) -> None:
        anchor = gateway(78, "20.1.55.1")
        paths = self.paths(MANY[:3])
        for _ in range(20):
            self.assertNotIn(MANY[0], paths.choose(self.behind(3, anchor)))
        self.assertEqual(self.refused(self.paths(MANY[:2]), self.behind(3, anchor)).reason, "no-path")

    def test_an_address_does_not_make_it_stand_elsewhere(self) -> None:
        """It is a gateway that we know, in the network of another one and of that one's family."""
        known = gateway(78, "20.1.1.1", "smith")
        anchor = Gateway(known.uuid, (("203.0.113.7", 9999),))
        paths = self.paths([*MANY[:2], gateway(5, family="smith"), gateway(6), known])
        for _ in range(30):
            path = paths.choose(self.behind(3, anchor))
            self.assertEqual(set(path[:2]), {MANY[1], gateway(6)})
        self.own_hosts.append("20.1.8.8")
        self.assertEqual(self.refused(paths, self.behind(2, anchor)).reason, "no-path")

    def test_our_own_anchor_through_circuits_is_not_in_our_network(self) -> None:
        """It is the last relay of whoever reaches us, and next to us is next to who hides."""
        paths = self.paths(own_anchors=[END])
        self.assertEqual(len(paths.choose(target(2))), 2)
        error = self.refused(paths, target(2, "77.7.99.1"))
        self.assertEqual((error.reason, "a network of our own" in str(error)), ("no-path", True))

    def test_which_is_tried_first(self) -> None:
        """Dropped ones last, then those that failed lately; the others in any order."""
        paths, anchors = self.paths(), [gateway(number) for number in range(78, 82)]
        self.state.dropped[uuid(78)] = 1_800_000_000 + 1000
        paths.blame.failed(uuid(79))
        seen = {tuple(paths.in_order(anchors)) for _ in range(20)}
        self.assertEqual({order[2:] for order in seen}, {(anchors[1], anchors[0])})
        self.assertEqual(len(seen), 2)


class SuccessorTests(PathsCase):
    def test_others_where_there_are(self) -> None:
        paths = self.paths(MANY[:5])
        for _ in range(20):
            _first, *rest = paths.choose(target(3))
            _again, *others = paths.choose(target(3), frozenset(one.uuid for one in rest))
            self.assertEqual(set(rest) & set(others), set())

    def test_the_same_where_there_are_none(self) -> None:
        paths = self.paths(MANY[:3])
        _first, *rest = paths.choose(target(3))
        self.assertEqual(len(paths.choose(target(3), frozenset(one.uuid for one in rest))), 3)


class GatewayTests(SynchronousTestCase):
    def test_of_an_address(self) -> None:
        one = target(0)
        self.assertEqual(gateway_of(one, one.hosts), Gateway(END, one.hosts))
        for wrong in (Target("x", None, None, ()), one):
            self.assertRaises(ConnectFailed, gateway_of, wrong, ())
