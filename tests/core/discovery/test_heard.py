"""The table of who is heard: what is believed, what is old, and what all of it costs at most."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.discovery.heard import AHEAD_SECONDS, HeardNodes, Hearing
from quantumgate.ids import PeerUUID
from quantumgate.wire.beacons import Beacon
from quantumgate.wire.limits import (
    BEACON_HOSTS_MET_MAX,
    BEACON_ORDER_SECONDS,
    DEFAULT_LIMITS,
    HEARD_FORMER_MAX,
    HEARD_PER_HOST,
    HEARD_PLACES_MAX,
)

WALL_MS = 1_800_000_000_000
LIMITS = DEFAULT_LIMITS


def peer(number: int) -> PeerUUID:
    return PeerUUID(UUID(int=number << 64 | 8 << 76 | 2 << 62))


OWN, OTHER = peer(1), peer(2)


class HeardCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.nodes = HeardNodes(OWN, 11, LIMITS, 0.0, WALL_MS)
        self.now = 0.0
        self.beacon = Beacon(OTHER, 9999, 22, WALL_MS + 1)

    def hear(self, beacon: Beacon | None = None, host: str = "192.168.1.2", now: float | None = None) -> Hearing:
        self.now = self.now if now is None else now
        return self.nodes.hear(beacon or self.beacon, host, self.now, WALL_MS + int(self.now * 1000))

    def later(self, ms: int, **changes: int) -> Beacon:
        return replace(self.beacon, sent_ms=WALL_MS + ms, **changes)


class BelievingTests(HeardCase):
    def test_new_then_again_with_its_places(self) -> None:
        self.assertEqual(self.hear(), Hearing.NEW)
        self.assertEqual(self.hear(self.later(2), "fe80::1%eth0"), Hearing.AGAIN)
        self.assertEqual(self.hear(self.later(9), now=0.1), Hearing.AGAIN)
        (node,) = self.nodes.by_uuid.values()
        self.assertEqual(node.hosts, (("192.168.1.2", 9999), ("fe80::1%eth0", 9999)))
        self.assertEqual((node.first_at, node.last_at), (0.0, 0.1))

    def test_a_node_without_a_port_is_listed_and_not_dialled(self) -> None:
        self.hear(replace(self.beacon, port=0))
        self.assertEqual(self.nodes.by_uuid[OTHER].hosts, ())

    def test_another_process_of_it_is_new(self) -> None:
        self.hear(self.later(5))
        self.assertEqual(self.hear(self.later(4, epoch=23)), Hearing.OLD)
        self.assertEqual(self.hear(self.later(6, epoch=23, port=77)), Hearing.NEW)
        self.assertEqual(self.nodes.by_uuid[OTHER].hosts, (("192.168.1.2", 77),))

    def test_ourselves(self) -> None:
        ours = replace(self.beacon, uuid=OWN, epoch=11)
        self.assertEqual(self.hear(ours), Hearing.ECHO)
        self.assertEqual(self.hear(replace(ours, epoch=12)), Hearing.TWIN)
        before = replace(ours, epoch=12, sent_ms=WALL_MS)
        self.assertEqual(self.hear(before), Hearing.ECHO, "a replay of what we sent before we began")
        self.assertEqual(self.nodes.by_uuid, {})

    def test_at_most_four_places(self) -> None:
        for number in range(HEARD_PLACES_MAX + 1):
            self.hear(self.later(number + 1), f"192.168.1.{number}", now=float(number))
        node = self.nodes.by_uuid[OTHER]
        self.assertEqual([host for host, _ in node.hosts], [f"192.168.1.{number}" for number in range(1, 5)])


class OldTests(HeardCase):
    def test_one_beacon_from_tomorrow_locks_nobody_out(self) -> None:
        """Whoever knows the network's name can make it in anybody's name: what it says counts as of now."""
        for gone in (False, True):
            self.setUp()
            day_ms = 25 * 3600 * 1000
            self.assertEqual(self.hear(self.later(day_ms, epoch=666), "192.168.1.66"), Hearing.NEW)
            if gone:
                self.nodes.expire(LIMITS.heard_seconds)
            after = max(AHEAD_SECONDS, LIMITS.heard_seconds) + 1
            self.assertEqual(self.hear(self.later(int(after * 1000)), now=after), Hearing.NEW, gone)
            self.assertEqual(self.hear(self.later(int(after * 1000)), now=after), Hearing.OLD, gone)

    def test_the_same_again_from_anywhere(self) -> None:
        self.hear(self.later(9_000))
        self.assertEqual(self.hear(self.later(9_000)), Hearing.OLD)
        self.assertEqual(self.hear(self.later(8_999)), Hearing.OLD)
        old = 9_000 - int(BEACON_ORDER_SECONDS * 1000)
        self.assertEqual(self.hear(self.later(old), "192.168.1.66"), Hearing.OLD)
        self.assertEqual(self.hear(self.later(old + 1), "10.0.0.1"), Hearing.AGAIN, "two ways, another order")
        self.assertEqual(self.nodes.dropped, {"old": 3})

    def test_of_a_node_that_is_gone(self) -> None:
        self.hear(self.later(1))
        gone = self.nodes.expire(LIMITS.heard_seconds)
        self.assertEqual((gone, self.nodes.by_uuid), ([OTHER], {}))
        self.assertEqual(self.hear(self.later(1)), Hearing.OLD)
        self.assertEqual(self.hear(self.later(2)), Hearing.NEW)

    def test_of_another_day(self) -> None:
        day_ms = LIMITS.clock_window_seconds * 1000
        for ms, expected in ((-day_ms - 1, Hearing.OLD), (day_ms + 1, Hearing.OLD), (-day_ms, Hearing.NEW)):
            self.assertEqual(self.hear(self.later(ms)), expected, ms)

    def test_who_is_heard_stays(self) -> None:
        self.hear()
        self.hear(self.later(2), now=100.0)
        self.assertEqual(self.nodes.expire(LIMITS.heard_seconds + 1), [])
        self.assertEqual(self.nodes.expire(LIMITS.heard_seconds + 100), [OTHER])

    def test_those_that_are_gone_are_remembered_up_to_a_number(self) -> None:
        for number in range(HEARD_FORMER_MAX + 1):
            self.hear(Beacon(peer(number + 10), 1, 1, WALL_MS + 1), f"10.0.{number >> 8}.{number & 255}")
            self.nodes.expire(LIMITS.heard_seconds)
        first, last = (Beacon(peer(number + 10), 1, 1, WALL_MS + 1) for number in (0, HEARD_FORMER_MAX))
        self.assertEqual((self.hear(first), self.hear(last)), (Hearing.NEW, Hearing.OLD))


class FloodTests(HeardCase):
    def test_made_up_nodes_from_one_address(self) -> None:
        heard = [self.hear(Beacon(peer(number + 10), 1, 1, WALL_MS + 1)) for number in range(HEARD_PER_HOST + 3)]
        self.assertEqual(heard, [Hearing.NEW] * HEARD_PER_HOST + [Hearing.FULL] * 3)
        self.assertEqual(self.nodes.dropped, {"full": 3})
        self.assertEqual(self.hear(host="192.168.1.3"), Hearing.NEW)

    def test_a_full_table_takes_from_who_has_most(self) -> None:
        self.hear()
        for number in range(LIMITS.lan_nodes * 2):
            self.hear(Beacon(peer(number + 10), 1, 1, WALL_MS + 1), f"10.0.0.{number // HEARD_PER_HOST}",
                      now=number / 1000)
        self.assertEqual(len(self.nodes.by_uuid), LIMITS.lan_nodes)
        self.assertIn(OTHER, self.nodes.by_uuid)

    def test_an_address_is_looked_at_so_often(self) -> None:
        rate, burst = LIMITS.beacon_host_rate
        admitted = [self.nodes.admits("192.168.1.9", 0.0) for _ in range(int(burst) + 5)]
        self.assertEqual(admitted, [True] * int(burst) + [False] * 5)
        self.assertTrue(self.nodes.admits("192.168.1.9", 1 / rate))
        self.assertEqual(self.nodes.dropped, {"too many": 5})

    def test_addresses_that_nobody_knows_share_a_budget(self) -> None:
        self.hear()
        burst = int(LIMITS.beacon_rate[1])
        admitted = [self.nodes.admits(f"10.0.{number >> 8}.{number & 255}", 0.0) for number in range(burst + 9)]
        self.assertEqual(sum(admitted), burst)
        self.assertTrue(self.nodes.admits("192.168.1.2", 0.0), "who was heard has its own")

    def test_addresses_are_counted_up_to_a_number(self) -> None:
        for number in range(BEACON_HOSTS_MET_MAX + 100):
            self.nodes.admits(f"10.0.{number >> 8}.{number & 255}", float(number))
        self.assertEqual(len(self.nodes._hosts), BEACON_HOSTS_MET_MAX)
