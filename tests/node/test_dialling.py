"""Dials: what an address names, one dial for all who ask, and what they are told when it comes to nothing."""

from __future__ import annotations

from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.errors import ConnectFailed, LimitError
from quantumgate.node.dialling import parse_target
from quantumgate.testing.network import MemoryNetwork
from tests.node.world import Drift, NodeCase, memory_world

HOME, AWAY = "192.0.2.1", "198.51.100.1"
UUID = "c0ffee00-1234-8abc-9def-0123456789ab"


class TargetTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.world = memory_world(MemoryNetwork(), HOME, Drift())

    def test_a_qg_address(self) -> None:
        target = parse_target(f"qg://{UUID}@a:1,b:2", self.world)
        self.assertEqual((str(target.uuid), target.key, target.fingerprint), (UUID, UUID, None))
        self.assertEqual([way.text for way in target.ways], ["a:1", "b:2"])

    def test_a_bare_uuid_names_a_peer_and_no_way_to_it(self) -> None:
        target = parse_target(UUID, self.world)
        self.assertEqual((str(target.uuid), target.ways), (UUID, ()))

    def test_an_endpoint_string_names_no_peer(self) -> None:
        target = parse_target("tcp:a:1", self.world)
        self.assertEqual((target.uuid, target.key, [way.text for way in target.ways]), (None, "tcp:a:1", ["tcp:a:1"]))

    def test_a_fingerprint_counts_without_a_host_and_is_checked_at_once(self) -> None:
        """Found by reading: ``UUID.fingerprint`` was taken for an endpoint, and one that is none for a bug of ours."""
        right, wrong = "a" * 52, "a" * 51 + "b"
        self.assertEqual(parse_target(f"{UUID}.{right}", self.world).fingerprint, bytes(32))
        for text in (f"qg://{UUID}.{wrong}@host", f"qg://{UUID}?key={wrong}&anchor={UUID}@host",
                     f"qg://{UUID}?key={right}&anchor={UUID}.{wrong}@host"):
            self.assertEqual(self.assertRaises(ConnectFailed, parse_target, text, self.world).reason, "bad-address")

    def test_a_damaged_qg_address_is_no_endpoint(self) -> None:
        for text in ("qg://", f"qg://{UUID}@a:0", f"qg://{UUID}@a:99999", "qg://nobody@a:1", f"qg://{UUID}.x@a:1"):
            error = self.assertRaises(ConnectFailed, parse_target, text, self.world)
            self.assertEqual((error.reason, error.advice), ("bad-address", "an address is qg://UUID@host:port"), text)


class DialTests(NodeCase):
    def test_all_who_ask_meanwhile_share_one_dial(self) -> None:
        left, right = self.node(HOME, listen=()), self.node(AWAY, default_access="allow")
        self.network.weather.latency_seconds = 0.05
        asked = [left.connect(self.address(right, AWAY)) for _ in range(3)]
        self.pass_time(1)
        self.assertEqual(len({id(self.successResultOf(each)) for each in asked}), 1)
        self.assertEqual(len(self.network.connections), 1)

    def test_one_who_gives_up_does_not_take_it_from_the_others(self) -> None:
        left, right = self.node(HOME, listen=()), self.node(AWAY, default_access="allow")
        self.network.weather.latency_seconds = 0.05
        first, second = (left.connect(self.address(right, AWAY)) for _ in range(2))
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.done(second, 1)

    def test_the_last_who_gives_up_ends_it(self) -> None:
        left, right = self.node(HOME, listen=()), self.node(AWAY, default_access="allow")
        self.network.weather.latency_seconds = 0.05
        asked = [left.connect(self.address(right, AWAY)) for _ in range(2)]
        for each in asked:
            each.cancel()
            self.failureResultOf(each, CancelledError)
        self.pass_time(30)
        self.assertEqual((left.peers, right.peers), ((), ()))
        self.done(left.connect(self.address(right, AWAY)), 1)

    def test_all_who_wait_are_told_why_it_failed(self) -> None:
        left = self.node(HOME, listen=())
        asked = [left.connect(f"qg://{UUID}@{AWAY}:1") for _ in range(3)]
        for each in asked:
            self.assertEqual(self.failed(each, ConnectFailed).reason, "unreachable")

    def test_a_stopping_node_gives_its_dials_up(self) -> None:
        left = self.node(HOME, listen=())
        self.network.part([HOME], [AWAY])
        dial = left.connect(f"qg://{UUID}@{AWAY}:1")
        left.stopService()
        self.assertEqual(self.failed(dial, ConnectFailed, 1).reason, "cancelled")

    def test_the_most_telling_of_several_failures_leads(self) -> None:
        left = self.node(HOME, listen=())
        right = self.node(AWAY)
        error = self.failed(left.connect(f"qg://{right.uuid}@203.0.113.9:1,{AWAY}:9999"), ConnectFailed, 15)
        self.assertEqual(error.reason, "access-denied")
        self.assertIn("(also: 203.0.113.9:1 refused", str(error))


class CheckTests(NodeCase):
    def test_the_limit_of_sessions_is_ours_too(self) -> None:
        left = self.node(HOME, listen=(), limits={"sessions": 1, "sessions_per_identity": 1})
        one, two = (self.node(place, default_access="allow") for place in (AWAY, "198.51.100.2"))
        self.done(left.connect(self.address(one, AWAY)))
        error = self.failed(left.connect(self.address(two, "198.51.100.2")), LimitError)
        self.assertIn("limits.sessions", f"{error} {error.advice}")

    def test_an_address_that_names_another_key_than_the_pinned_one(self) -> None:
        left, right = self.node(HOME, listen=()), self.node(AWAY, default_access="allow")
        self.done(left.connect(self.address(right, AWAY)))
        self.done(left.disconnect(right.uuid), 1)
        other = "a" * 51 + "q"
        error = self.failed(left.connect(f"qg://{right.uuid}.{other}@{AWAY}:9999"), ConnectFailed)
        self.assertIn(error.reason, ("pin", "bad-address"))

    def test_a_peer_that_we_deny_is_not_dialled(self) -> None:
        left, right = self.node(HOME, listen=()), self.node(AWAY, default_access="allow")
        left.access.deny(right.uuid)
        error = self.failed(left.connect(self.address(right, AWAY)), ConnectFailed)
        self.assertEqual((error.reason, error.advice), ("denied", f"qgate access remove {right.uuid}"))
        self.assertEqual(self.network.connections, [])
