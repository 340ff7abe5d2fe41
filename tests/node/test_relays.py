"""A node as a relay: what it refuses, with which code and when, and what it never does."""

from __future__ import annotations

from quantumgate.core.relay.path import Gateway
from quantumgate.errors import ConfigurationError, ConnectFailed
from quantumgate.wire.link_frames import LinkEndpoint, LinkTarget
from tests.node.circuits import AWAY, CircuitCase, with_relay
from tests.node.world import node_settings


class RefusalTests(CircuitCase):
    def test_a_node_that_is_no_relay(self) -> None:
        self.gates[0].stopService()
        self.pass_time(20)
        plain = self.node("16.6.0.1")
        self.client._parts.circuits.gateways.append(  # type: ignore[union-attr]
            Gateway(plain.uuid, (("16.6.0.1", 9999),)))
        error = self.failed(self.client.connect(self.address(self.end, AWAY), via=plain.uuid), ConnectFailed, 5)
        self.assertEqual(error.reason, "access-denied")

    def test_private_addresses_lead_nowhere(self) -> None:
        for place in ("127.0.0.1", "10.0.0.1", "169.254.169.254", "[::1]", "[::ffff:10.0.0.1]", "[64:ff9b::a00:1]"):
            address = f"qg://{self.end.uuid}@{place}:9999"
            error = self.failed(self.client.connect(address, via=self.gates[0].uuid), ConnectFailed, 1)
            self.assertEqual(error.reason, "policy", place)

    def test_unreachable_and_wrong_look_alike_and_take_their_time(self) -> None:
        nobody = f"qg://{self.end.uuid}@46.4.0.9:9999"
        other = f"qg://{self.gates[2].uuid}@{AWAY}:9999"
        for address in (nobody, other):
            began = self.clock.seconds()
            connecting = self.client.connect(address, via=self.gates[0].uuid)
            self.pass_time(7.5)
            self.assertNoResult(connecting)
            error = self.failed(connecting, ConnectFailed, 7)
            self.assertEqual((error.reason, self.clock.seconds() - began), ("unreachable", 14.5))

    def test_too_few_gateways_is_an_error_not_a_shorter_path(self) -> None:
        error = self.failed(self.client.connect(self.address(self.end, AWAY), hops=6), ConnectFailed)
        self.assertEqual(error.reason, "no-path")

    def test_a_peer_that_does_not_admit_us(self) -> None:
        closed = self.node("17.7.0.1")
        error = self.failed(self.client.connect(self.address(closed, "17.7.0.1"), hops=2), ConnectFailed, 5)
        self.assertEqual(error.reason, "access-denied")

    def test_a_peer_that_is_not_reached_through_relays(self) -> None:
        settings = with_relay(node_settings(default_access="allow"), accept_relayed=False)
        shy = self.node("17.7.0.1", settings=settings)
        error = self.failed(self.client.connect(self.address(shy, "17.7.0.1"), hops=1), ConnectFailed, 20)
        self.assertEqual(error.reason, "unreachable")

    def test_gateways_are_qg_addresses_with_hosts(self) -> None:
        for address in (str(self.end.uuid), "tcp:host:1", f"qg://{self.end.uuid}@host:0"):
            settings = with_relay(node_settings(), gateways=(address,))
            error = self.assertRaises(ConfigurationError, self.node, "18.8.0.1", settings=settings)
            self.assertIn("relay.gateways[0]: expected qg://UUID@host:port", str(error))

    def test_links_of_one_client_are_counted(self) -> None:
        """Eight a minute from one network; the ninth is told so at once, and nobody is dialled for it."""
        via = self.gates[0].uuid
        peers = [self.connect(via=via, seconds=0.1) for _ in range(8)]
        self.assertEqual(len(peers), 8)
        error = self.failed(self.client.connect(self.address(self.end, AWAY), via=via), ConnectFailed, 1)
        self.assertEqual(error.reason, "limit")
        relays = self.gates[0]._parts.relays  # type: ignore[union-attr]
        self.assertEqual((relays.quota.refused["links_prefix_rate"], relays.quota.carried), (1, 8))
        self.assertEqual(self.gates[0].status().relay.links, 8)

    def test_a_link_that_ends_in_the_record_that_asked_for_it_is_not_counted(self) -> None:
        """Found by fuzzing: its owner would never hear of the end, and the relay's count never come down."""
        via = self.gates[0].uuid
        self.connect(via=via)
        relays = self.gates[0]._parts.relays  # type: ignore[union-attr]
        contacts = self.client._parts.desk.contacts  # type: ignore[union-attr]
        contact = next(one for one in contacts if one.session.role == 2 and one.session.peer.uuid == via)
        target = LinkTarget(self.end.uuid, (LinkEndpoint(AWAY, 9999),))
        contact.session.all_links.ask(target).close()
        contact.protocol.wake()
        self.pass_time(1)
        self.assertEqual((relays.quota.carried, len(relays.carried)), (1, 1))

    def test_a_link_that_ends_in_the_record_that_brought_it_has_no_handshake(self) -> None:
        self.connect(via=self.gates[0].uuid)
        relays = self.end._parts.relays  # type: ignore[union-attr]
        contacts = self.gates[0]._parts.desk.contacts  # type: ignore[union-attr]
        carrier = next(one for one in contacts if one.session.role == 3)
        carrier.session.all_links.bring().close()
        carrier.protocol.wake()
        self.pass_time(1)
        self.assertEqual((relays._half_open, len(self.end._parts.desk.contacts)), (0, 2))  # type: ignore[union-attr]

    def test_carriers_to_one_target(self) -> None:
        settings = with_relay(node_settings(relay=True, limits={"carriers_per_pair": 1, "links_carrier": 1}))
        gate = self.node("19.9.0.1", settings=settings)
        self.client._parts.circuits.gateways.append(Gateway(gate.uuid, (("19.9.0.1", 9999),)))  # type: ignore[union-attr]
        self.connect(via=gate.uuid)
        error = self.failed(self.client.connect(self.address(self.end, AWAY), via=gate.uuid), ConnectFailed, 14)
        self.assertEqual(error.reason, "unreachable")
        self.assertEqual(gate._parts.relays.refused["limit"], 1)  # type: ignore[union-attr]

    def test_handshakes_over_links(self) -> None:
        """They have a budget of their own, for each carrier and for the node."""
        relays = self.end._parts.relays  # type: ignore[union-attr]
        via = self.gates[1].uuid
        self.connect(via=via)
        contacts = self.end._parts.desk.contacts  # type: ignore[union-attr]
        carrier = next(id(one) for one in contacts if one.session.role == 3)
        for where, already in ((0, 64), (carrier, 16)):
            relays.half_open(where, already)
            error = self.failed(self.client.connect(self.address(self.end, AWAY), via=via), ConnectFailed, 1)
            self.assertIn(error.reason, ("lost", "path-lost"))
            relays.half_open(where, -already)
        self.connect(via=via)
