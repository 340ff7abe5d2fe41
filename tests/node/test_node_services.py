"""Services between whole nodes: admitted or not, direct and through relays, over a restart of the node."""

from __future__ import annotations

from typing import Any

from quantumgate.errors import ConnectFailed, LocalError
from tests.extender.services import Diaries, Diary
from tests.node.circuits import AWAY, CircuitCase
from tests.node.world import NodeCase


class NodeServicesTests(NodeCase):
    def setUp(self) -> None:
        super().setUp()
        self.client, self.there = self.node("192.0.2.1"), Diaries()
        self.server = self.node("192.0.2.2", allow=(str(self.client.uuid),))
        self.port = self.done(self.server.server_endpoint("web").listen(self.there))

    def connect(self, client: Any = None, seconds: float = 1.0) -> Diary:
        address = self.address(self.server, "192.0.2.2")
        connecting = (client or self.client).client_endpoint(address, "web").connect(Diaries())
        self.pass_time(seconds)
        return self.successResultOf(connecting)  # type: ignore[no-any-return]

    def test_admitted(self) -> None:
        near = self.connect()
        near.transport.write(b"hello")  # type: ignore[union-attr]
        self.pass_time(1)
        self.assertEqual(bytes(self.there.made[0].got), b"hello")
        self.assertEqual(self.there.addresses[0].uuid, self.client.uuid)

    def test_not_admitted(self) -> None:
        """The session is refused, with a line in the log of the one who refuses; the service hears of nobody."""
        stranger = self.node("192.0.2.3")
        connecting = stranger.client_endpoint(self.address(self.server, "192.0.2.2"), "web").connect(Diaries())
        error = self.failed(connecting, ConnectFailed, 5)
        self.assertEqual(error.reason, "access-denied")
        self.assertIn("access denied", " ".join(self.lines("warn")))
        self.assertEqual(self.there.addresses, [])

    def test_admission_that_is_taken_back(self) -> None:
        near = self.connect()
        self.server.access.deny(self.client.uuid)
        self.pass_time(1)
        self.assertEqual(near.events[-1], "lost")

    def test_only_for_one(self) -> None:
        self.done(self.port.stopListening())
        self.done(self.server.server_endpoint("web", [self.server.uuid]).listen(self.there))
        address = self.address(self.server, "192.0.2.2")
        connecting = self.client.client_endpoint(address, "web").connect(Diaries())
        self.assertEqual(self.failed(connecting, ConnectFailed, 5).reason, "refused")
        self.assertIn("service 'web' refused to", " ".join(self.lines("warn")))

    def test_a_service_outlives_a_restart_of_its_node(self) -> None:
        near = self.connect()
        stopping = self.server.stopService()
        self.pass_time(40)
        self.successResultOf(stopping)
        self.assertEqual(near.events[-1], "lost")
        self.server.startService()
        self.assertEqual(self.connect(seconds=90).events, ["made"])

    def test_a_node_that_does_not_run(self) -> None:
        idle = self.node("192.0.2.4", start=False)
        endpoint = idle.client_endpoint(self.address(self.server, "192.0.2.2"), "web")
        self.assertEqual(self.failed(endpoint.connect(Diaries()), ConnectFailed).reason, "stopped")

    def test_names_are_checked_at_once(self) -> None:
        self.assertRaises(LocalError, self.client.server_endpoint, "No Name")
        self.assertRaises(LocalError, self.client.client_endpoint, self.server.uuid, "No Name")


class RelayedServicesTests(CircuitCase):
    def test_two_hops(self) -> None:
        there = Diaries()
        self.done(self.end.server_endpoint("web").listen(there))
        endpoint = self.client.client_endpoint(self.address(self.end, AWAY), "web", hops=2)
        near = self.done(endpoint.connect(Diaries()), 5)
        near.transport.write(b"hello")
        self.pass_time(1)
        self.assertEqual(bytes(there.made[0].got), b"hello")
        (peer,) = self.client.peers
        self.assertEqual((peer.relayed, len(peer.path)), (True, 2))

    def test_relays_that_were_named(self) -> None:
        self.done(self.end.server_endpoint("web").listen(Diaries()))
        wanted = [self.gates[3].uuid, self.gates[1].uuid]
        address = self.address(self.end, AWAY)
        for _ in range(2):
            self.done(self.client.client_endpoint(address, "web", via=list(map(str, wanted))).connect(Diaries()), 5)
        self.assertEqual([peer.path for peer in self.client.peers], [wanted])

    def test_a_second_connection_takes_the_same_circuit(self) -> None:
        self.done(self.end.server_endpoint("web").listen(Diaries()))
        for address in (self.address(self.end, AWAY), str(self.end.uuid)):
            self.done(self.client.client_endpoint(address, "web", hops=2).connect(Diaries()), 5)
        self.assertEqual(len(self.client.peers), 1)
