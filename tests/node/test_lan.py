"""Nodes on one cable: listed, dialled where the rules say so, kept, let go; and what others on the cable can do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from uuid import UUID

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.discovery.beacon import Seal
from quantumgate.core.schedule import network_secret
from quantumgate.ids import PeerUUID
from quantumgate.node.lan import REFUSED_SECONDS, RETRY_SECONDS, port_at
from quantumgate.testing.seeded import SeededRandom
from quantumgate.wire.beacons import Beacon
from tests.node.cable import CableCase

HERE, THERE, YONDER = "192.168.1.1", "192.168.1.2", "192.168.1.3"


class FindingTests(CableCase):
    def test_all_are_listed_and_connected_once(self) -> None:
        nodes = [self.neighbour(place) for place in (HERE, THERE, YONDER)]
        self.pass_time(10)
        uuids = {str(node.uuid) for node in nodes}
        for node in nodes:
            others = uuids - {str(node.uuid)}
            self.assertEqual(self.heard(node), dict.fromkeys(others, "connected"))
            self.assertEqual(self.connected(node), others)
            self.assertEqual(len(node.peers), 2)
        (why,) = {one.why for node in nodes for one in node.peers_snapshot() if one.direction == "outbound"}
        self.assertEqual(why, "heard on the local network, kept")
        self.assertEqual(sum("is no longer heard" in line for line in self.lines()), 0)

    def test_the_smaller_uuid_dials_and_the_other_only_where_that_does_not(self) -> None:
        one, other = sorted((self.neighbour(place) for place in (HERE, THERE)), key=lambda node: node.uuid)
        self.pass_time(10)
        self.assertEqual([node.peers_snapshot()[0].direction for node in (one, other)], ["outbound", "inbound"])

    def test_whom_no_rule_names_is_listed_alone(self) -> None:
        """Under default_access = deny; who is allowed on both sides is dialled."""
        one = self.neighbour(HERE, access="deny")
        other = self.neighbour(THERE, access="deny", allow=(str(one.uuid),))
        self.pass_time(40)
        self.assertEqual(self.heard(one), {str(other.uuid): "listed"})
        (row,) = one.lan_snapshot().heard
        self.assertIn("our own rules do not admit it", row.why)
        self.assertEqual(row.endpoints, [f"{THERE}:9999"])
        (row,) = other.lan_snapshot().heard
        self.assertEqual((row.state, "does not admit this identity" in row.why), ("waiting", True))
        self.done(one.access.allow(other.uuid))
        self.pass_time(60)
        self.assertEqual(self.heard(one), {str(other.uuid): "connected"})

    def test_who_refused_is_left_alone_for_a_while(self) -> None:
        one = self.neighbour(HERE, access="deny")
        other = self.neighbour(THERE, access="allow")
        self.pass_time(REFUSED_SECONDS - 60)
        denied = [line for line in self.lines("warn") if "does not admit this identity" in line]
        self.assertEqual(len(denied), 1)
        self.assertEqual(self.connected(one) | self.connected(other), set())
        self.pass_time(200)
        denied = [line for line in self.lines("warn") if "does not admit this identity" in line]
        self.assertEqual(len(denied), 2)

    def test_a_node_that_only_dials_is_heard_and_dials(self) -> None:
        quiet = self.neighbour(HERE, listen=())
        other = self.neighbour(THERE)
        self.pass_time(8)
        self.assertEqual(self.heard(other), {str(quiet.uuid): "connected"})
        self.assertEqual(other.peers_snapshot()[0].direction, "inbound")
        self.assertEqual(other.lan_snapshot().heard[0].endpoints, [])

    def test_one_who_asks_for_relays_dials_nobody(self) -> None:
        hidden = self.neighbour(HERE, hops=2)
        other = self.neighbour(THERE, access="deny")
        self.pass_time(60)
        self.assertEqual(self.heard(hidden), {str(other.uuid): "listed"})
        self.assertIn("privacy.hops", hidden.lan_snapshot().heard[0].why)

    def test_a_bare_uuid_is_dialled_where_it_is_heard(self) -> None:
        one, other = self.neighbour(HERE, access="deny"), self.neighbour(THERE, access="deny")
        self.pass_time(6)
        self.done(other.access.allow(one.uuid))
        self.assertEqual(self.done(one.connect(str(other.uuid)), 2).endpoint, f"{THERE}:9999")

    def test_off_is_silence(self) -> None:
        self.neighbour(HERE)
        silent = self.node(THERE)
        self.pass_time(60)
        self.assertEqual({place for _, place, _ in self.cable.said}, {HERE})
        self.assertEqual((silent.lan_snapshot().enabled, silent.lan_snapshot().heard), (False, ()))


class NetworksTests(CableCase):
    def test_they_never_mix(self) -> None:
        secret = Path(self.mktemp())
        secret.write_bytes(b"s" * 64)
        secret.chmod(0o600)
        kinds = ({}, {"network": "other"}, {"shared_secret_file": str(secret.absolute())})
        pairs = [[self.neighbour(f"192.168.{at}.{number}", **kind) for number in (1, 2)]
                 for at, kind in enumerate(kinds)]
        self.cable.carry = self._to_everybody  # type: ignore[method-assign]  # as if all had one group
        self.pass_time(60)
        for pair in pairs:
            names = {str(node.uuid) for node in pair}
            for node in pair:
                self.assertEqual(set(self.heard(node)) | self.connected(node), names - {str(node.uuid)})
                self.assertGreater(node.lan_snapshot().dropped["not ours"], 10)

    def _to_everybody(self, datagram: bytes, place: str, groups: tuple[str, str]) -> None:
        for plug in list(self.cable.plugs):
            plug.heard(datagram, place)


class LeavingTests(CableCase):
    def setUp(self) -> None:
        super().setUp()
        self.one, self.other = self.neighbour(HERE), self.neighbour(THERE)
        self.pass_time(10)

    def test_a_session_is_kept_while_the_node_is_heard(self) -> None:
        self.pass_time(2_000)
        (report,) = self.one.peers_snapshot()
        self.assertGreater(report.connected_seconds, 1_990)

    def test_who_is_gone_is_forgotten(self) -> None:
        self.done(self.other.stopService(), 40)
        self.assertEqual(self.connected(self.one), set())
        self.pass_time(160)
        self.assertEqual(self.heard(self.one), {})
        self.assertTrue(any("is no longer heard" in line for line in self.lines()))

    def test_who_comes_back_is_connected_again(self) -> None:
        self.done(self.other.stopService(), 40)
        self.other.startService()
        self.pass_time(12)
        self.assertEqual(self.heard(self.one), {str(self.other.uuid): "connected"})

    def test_disconnected_by_hand_stays_so_until_connected_by_hand(self) -> None:
        smaller, larger = sorted((self.one, self.other), key=lambda node: node.uuid)
        for node, peer in ((smaller, larger), (larger, smaller)):
            node.disconnect(peer.uuid).addErrback(lambda _: None)
        self.pass_time(120)
        self.assertEqual(self.connected(self.one), set())
        self.assertEqual(smaller.lan_snapshot().heard[0].why, "disconnected by hand")
        self.done(smaller.connect(str(larger.uuid)), 3)
        self.assertEqual(self.heard(smaller), {str(larger.uuid): "connected"})


class HostileTests(CableCase):
    def setUp(self) -> None:
        super().setUp()
        self.node_here = self.neighbour(HERE, limits={"lan_sessions": 2})
        self.seal = Seal(network_secret(b"QuantumGate", None), SeededRandom(self.id()))
        self.pass_time(6)

    def say(self, datagram: bytes, place: str = "192.168.1.66") -> None:
        plug = next(one for one in self.cable.plugs if one.place == HERE)
        plug.heard(datagram, place)

    def beacon(self, number: int, port: int = 9999, place: str = "192.168.1.66", epoch: int = 1) -> None:
        uuid = PeerUUID(UUID(int=number << 64 | 8 << 76 | 2 << 62))
        wall_ms = int(self.node_here._world.wall_seconds() * 1000)
        self.say(self.seal.seal(Beacon(uuid, port, epoch, wall_ms)), place)

    def test_noise(self) -> None:
        for size in (0, 1, 66, 67, 200, 322, 323, 1024):
            self.say(bytes(size))
        self.assertEqual(self.node_here.lan_snapshot().dropped, {"not ours": 8})
        self.assertEqual(self.heard(self.node_here), {})

    def test_a_flood_is_not_answered(self) -> None:
        said = len(self.cable.said)
        for number in range(5_000):
            self.beacon(number + 10, place=f"10.0.{number >> 8}.{number & 255}")
        self.pass_time(4)
        self.assertLessEqual(len(self.cable.said) - said, 1)
        self.assertLessEqual(len(self.heard(self.node_here)), 256)

    def test_a_made_up_node_is_dialled_seldom_and_becomes_no_peer(self) -> None:
        other = self.neighbour(THERE)
        self.pass_time(6)
        before = len(self.network.connections)
        for _ in range(60):
            self.beacon(7, place=THERE)
            self.pass_time(10)
        self.assertEqual(self.connected(self.node_here), {str(other.uuid)})
        self.assertLessEqual(len(self.network.connections) - before, 7)

    def test_nor_is_one_that_says_each_time_that_it_has_begun_anew(self) -> None:
        dialled: list[str] = []
        dial = self.network.client_endpoint
        self.patch(self.network, "client_endpoint", lambda *way: dialled.append(way[1]) or dial(*way))
        for peer in (7, 0xFFFF_FFFF_FFFF_0000):  # we are polite to the first, and the second to us
            del dialled[:]
            for number in range(300):
                self.beacon(peer, place=THERE, epoch=number)
                self.pass_time(1)
            self.assertTrue(3 < len(dialled) <= 2 + 300 / RETRY_SECONDS[0], (peer, len(dialled)))
        self.neighbour(THERE)
        self.pass_time(20)
        self.assertEqual(len(self.connected(self.node_here)), 1)

    def test_an_address_that_is_blocked_is_not_heard(self) -> None:
        self.done(self.node_here.access.add_filter("192.168.1.66/32", block=True))
        self.beacon(7)
        self.beacon(8, place="192.168.1.67")
        self.assertEqual(len(self.heard(self.node_here)), 1)

    def test_so_many_sessions(self) -> None:
        for number in range(4):
            self.neighbour(f"192.168.2.{number + 1}", hops=2)  # they dial nobody
        self.pass_time(60)
        states = sorted(self.heard(self.node_here).values())
        self.assertEqual(states, ["connected", "connected", "listed", "listed"])
        listed = {one.why for one in self.node_here.lan_snapshot().heard if one.state == "listed"}
        self.assertEqual(listed, {"limit lan_sessions = 2 reached (limits.lan_sessions)"})

    def test_our_own_identity_elsewhere_is_said_once(self) -> None:
        wall_ms = int(self.node_here._world.wall_seconds() * 1000)
        twin = Beacon(self.node_here.uuid, 9999, 1, wall_ms + 5_000)
        for number in range(5):
            self.say(self.seal.seal(replace(twin, sent_ms=twin.sent_ms + number)))
        notices = [one for one in self.node_here.status().notices if one.startswith("twin")]
        self.assertEqual(notices, ["twin: another node on the local network uses this identity"])


class PortTests(SynchronousTestCase):
    def test_where_this_address_is_dialled(self) -> None:
        bound = ("unix:/run/qg", "tcp:7001:interface=192.168.1.5", "tcp:7002", "tcp6:7003",
                 "tcp6:7004:interface=fe80\\:\\:7")
        for address, port in (("192.168.1.5", 7001), ("10.0.0.1", 7002), ("fe80::9%eth0", 7003)):
            self.assertEqual(port_at(bound, address), port)
        self.assertEqual(port_at(bound[4:], "fe80::7%eth0"), 7004)
        self.assertEqual(port_at(("tcp:7001:interface=127.0.0.1",), "192.168.1.5"), 0)
        self.assertEqual(port_at(("tls:7001",), "192.168.1.5"), 0)
