"""Commands on a fake node and a fake clock, and the words of errors."""

from __future__ import annotations

from typing import Any, cast

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.control import commands
from quantumgate.control.commands import Errand, error_body
from quantumgate.control.messages import RequestError
from quantumgate.errors import ChannelReset, ConnectFailed, LimitError, LocalError, SessionClosed
from tests.control.fakenode import FRIEND, FRIEND_ADDRESS, STRANGER, FakeNode


class CommandTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.node, self.clock, self.items = FakeNode(), Clock(), []

    def start(self, command: str, **arguments: Any) -> Deferred[Any]:
        errand = Errand(self.node, cast(IReactorTime, self.clock), self.items.append)
        return Deferred.fromCoroutine(cast(Any, commands.run(errand, command, arguments)))

    def result(self, command: str, **arguments: Any) -> Any:
        return msgspec.to_builtins(self.successResultOf(self.start(command, **arguments)))

    def test_status_fields_are_the_contract(self) -> None:
        wanted = {"uuid", "version", "protocol", "phase", "reason", "advice", "uptime_seconds", "listening", "peers",
                  "relay", "extenders", "store", "public_endpoints"}
        status = self.result("status")
        self.assertEqual(wanted - status.keys(), set())
        self.assertEqual({"enabled", "links", "bytes"} - status["relay"].keys(), set())
        self.assertEqual(status["extenders"][0].keys(), {"name", "uuid", "state"})

    def test_peers_fields_are_the_contract(self) -> None:
        self.node.connected = [FRIEND]
        wanted = {"uuid", "name", "endpoint", "direction", "authenticated", "relayed", "path", "algorithms",
                  "shared_secret", "extenders", "connected_seconds", "rtt_seconds", "bytes_sent", "bytes_received",
                  "key_epoch", "streams"}
        peer = self.result("peers")[0]
        self.assertEqual(wanted - peer.keys(), set())
        self.assertEqual(peer["algorithms"].keys(),
                         {"primary", "secondary", "symmetric", "hash", "compression", "signature"})

    def test_connect_and_disconnect(self) -> None:
        self.assertEqual(self.result("connect", address=FRIEND_ADDRESS)["uuid"], str(FRIEND))
        self.assertEqual(self.result("disconnect", uuid=str(FRIEND)), {"uuid": str(FRIEND)})
        self.failureResultOf(self.start("disconnect", uuid=str(FRIEND)), LocalError)

    def test_connect_hands_on_the_path_and_keeps(self) -> None:
        self.result("connect", address=FRIEND_ADDRESS)
        self.result("connect", address=FRIEND_ADDRESS, hops=2, via=[str(STRANGER)])
        self.assertEqual(self.node.asked, [(FRIEND_ADDRESS, None, [], True),
                                           (FRIEND_ADDRESS, 2, [str(STRANGER)], True)])
        for wrong in ({"hops": -1}, {"hops": 9}, {"hops": "3"}, {"via": "all"}, {"via": [str(STRANGER)] * 9}):
            self.assertRaises(RequestError, self.start, "connect", address=FRIEND_ADDRESS, **wrong)

    def test_relays_fields_are_the_contract(self) -> None:
        wanted = {"enabled", "accepting", "carried", "carried_bytes", "refused", "circuits", "failed", "gateways"}
        self.assertEqual(wanted - self.result("relays").keys(), set())

    def test_connect_fails_with_the_nodes_reason(self) -> None:
        failure = self.failureResultOf(self.start("connect", address="qg://x"), ConnectFailed)
        body = error_body(failure.value)
        self.assertEqual((body.reason, body.advice), ("no-answer", "is the UUID right?"))

    def test_ping_counts_and_waits(self) -> None:
        self.node.pings_lost = {2}
        done = self.start("ping", target=str(FRIEND), count=3, interval_seconds=2)
        self.assertEqual((len(self.items), self.node.pings), (1, 1))
        self.clock.advance(1.9)
        self.assertEqual(len(self.items), 1)
        self.clock.advance(0.1)
        self.clock.advance(2)
        self.assertEqual([item["sequence"] for item in self.items], [1, 2, 3])
        self.assertEqual(self.items[1]["error"].reason, "no-answer")
        summary = self.successResultOf(done)
        self.assertEqual((summary.sent, summary.answered), (3, 2))
        self.assertEqual((summary.rtt_min_seconds, summary.rtt_max_seconds), (0.001, 0.003))

    def test_ping_nobody(self) -> None:
        summary = self.result("ping", target=str(STRANGER), count=1)
        self.assertEqual((summary["answered"], summary["rtt_median_seconds"]), (0, None))

    def test_access(self) -> None:
        self.assertEqual(self.result("access.allow", uuid=str(FRIEND))["allow"], [str(FRIEND)])
        self.assertEqual(self.result("access.deny", uuid=str(FRIEND))["deny"], [str(FRIEND)])
        self.assertEqual(self.result("access.remove", uuid=str(FRIEND)), self.result("access.list"))
        self.failureResultOf(self.start("access.remove", uuid=str(FRIEND)), LocalError)

    def test_a_ban_lasts_by_the_nodes_clock(self) -> None:
        (rule,) = self.result("access.ban", subject=str(FRIEND), seconds=60)["rules"]
        self.assertEqual((rule["word"], rule["until"]), ("ban", self.node.wall_seconds() + 60))
        self.assertEqual(self.result("access.unban", subject=str(FRIEND))["rules"], [])

    def test_addresses_and_scores(self) -> None:
        self.assertEqual(len(self.result("access.filters.add", network="10.0.0.0/8", kind="block")["filters"]), 1)
        self.assertEqual(self.result("access.explain", subject="10.0.0.1")["rule"], "block-filter")
        self.assertEqual(self.result("access.filters.remove", network="10.0.0.0/8", kind="block")["filters"], [])
        self.assertEqual(len(self.result("access.limits.set", prefix="ipv4/24", connections=3)["limits"]), 1)
        self.assertEqual(self.result("access.limits.remove", prefix="ipv4/24")["limits"], [])
        self.assertEqual(self.result("access.default", word="allow")["default"], "allow")
        self.assertEqual(self.result("reputation.set", subject="10.0.0.1", score=-5)[0]["score"], -5)
        self.assertEqual(self.result("reputation.reset", subject="10.0.0.1"), self.result("reputation.list"))

    def test_arguments_of_access_are_checked_first(self) -> None:
        for command, arguments in (
            ("access.allow", {"uuid": str(FRIEND), "only": "echo"}),
            ("access.allow", {"uuid": str(FRIEND), "only": [5]}),
            ("access.allow", {"uuid": str(FRIEND), "only": ["x"] * 65}), ("access.ban", {"subject": ""}),
            ("access.ban", {"subject": "x" * 65}), ("access.ban", {"subject": str(FRIEND), "seconds": 0}),
            ("access.default", {"word": "maybe"}), ("access.filters.add", {"network": "10.0.0.0/8", "kind": "drop"}),
            ("access.limits.set", {"prefix": "ipv4/24", "connections": -1}),
            ("reputation.set", {"subject": "10.0.0.1", "score": "low"}), ("access.explain", {"subject": 5}),
        ):
            self.assertRaises(RequestError, self.start, command, **arguments)

    def test_streams(self) -> None:
        """A node in a program of its own has no such socket."""
        self.failureResultOf(self.start("streams"), LocalError)
        self.node.streams_socket = "/streams.sock"
        self.assertEqual(self.result("streams"), {"path": "/streams.sock"})

    def test_wrong_arguments(self) -> None:
        for command, arguments in (("status", {"x": 1}), ("connect", {}), ("connect", {"address": ""}),
                                   ("ping", {"target": "x", "count": 0}), ("ping", {"target": "x", "count": "2"}),
                                   ("disconnect", {"uuid": 5})):
            error = self.assertRaises(RequestError, self.start, command, **arguments)
            self.assertEqual(error.reason, "wrong-arguments")

    def test_a_uuid_that_is_none(self) -> None:
        self.failureResultOf(self.start("disconnect", uuid="me"), LocalError)

    def test_unknown(self) -> None:
        self.assertEqual(self.assertRaises(RequestError, self.start, "reload").reason, "unknown-command")


class ErrorBodyTests(SynchronousTestCase):
    def test_words(self) -> None:
        cases = [(ConnectFailed("pin", "m"), "pin"), (LimitError("sessions", 3), "limit"), (LocalError("m"), "refused"),
                 (SessionClosed("m"), "closed"), (ChannelReset("m"), "failed"), (RequestError("busy", "m"), "busy")]
        for error, reason in cases:
            self.assertEqual(error_body(error).reason, reason)

    def test_a_bug_keeps_its_inside(self) -> None:
        body = error_body(KeyError("secret key material"))
        self.assertEqual(body.reason, "bug")
        self.assertNotIn("secret", body.message)
