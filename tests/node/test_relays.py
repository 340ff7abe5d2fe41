"""A node as a relay: what it refuses, with which code and when, and what it never does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred

from quantumgate.core.relay.link import Link
from quantumgate.core.relay.path import Gateway
from quantumgate.errors import ConfigurationError, ConnectFailed
from quantumgate.node.relays import LOOK_UPS_MAX, _Handshake
from quantumgate.testing.seeded import SeededRandom
from quantumgate.wire.link_frames import LinkEndpoint, LinkTarget
from tests.node.asking import AskingCase
from tests.node.circuits import AWAY, GATES, CircuitCase, with_relay
from tests.node.world import node_settings


class DiskTests(CircuitCase):
    def test_a_relay_keeps_no_list_of_where_links_led(self) -> None:
        """Seen in a gateway's state: each target, and at each target each relay, stood there for good."""
        peer = self.connect(hops=3)
        for gate in (self.gate_of(uuid) for uuid in peer.path):
            self.assertEqual(gate._parts.state.pins, {})  # type: ignore[union-attr]
        self.assertEqual(set(self.end._parts.state.pins), {self.client.uuid})  # type: ignore[union-attr]
        self.assertEqual(set(self.client._parts.state.pins), {*peer.path, self.end.uuid})  # type: ignore[union-attr]


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

    def test_a_peer_that_stops_being_reached_through_relays(self) -> None:
        """Found by reading: the reason of a LINK_CLOSE in mid-handshake was told as a lost connection."""
        via = self.gates[0].uuid
        self.connect(via=via)
        self.end._parts.relays.accepting = False  # type: ignore[union-attr]
        error = self.failed(self.client.connect(self.address(self.end, AWAY), via=via), ConnectFailed, 1)
        self.assertEqual(error.reason, "policy")
        self.assertTrue(str(error).endswith("takes no sessions through relays"), str(error))

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
            self.assertEqual(error.reason, "busy")
            self.assertIn("has too many handshakes over links under way", str(error))
            relays.half_open(where, -already)
        self.connect(via=via)


    def test_who_shows_no_token_gives_way_when_it_has_had_its_time(self) -> None:
        relays, via = self.end._parts.relays, self.gates[1].uuid  # type: ignore[union-attr]
        self.connect(via=via)
        contacts = self.end._parts.desk.contacts  # type: ignore[union-attr]
        carrier = next(id(one) for one in contacts if one.session.role == 3)
        silent = [_Handshake(relays, carrier, self.clock.seconds()) for _ in range(16)]
        other = _Handshake(relays, 0, self.clock.seconds())
        error = self.failed(self.client.connect(self.address(self.end, AWAY), via=via), ConnectFailed, 0.5)
        self.assertEqual(error.reason, "busy")
        self.pass_time(1)
        self.patch(_Handshake, "known", property(lambda one: one is silent[0]))
        self.connect(via=via)
        self.assertEqual(set(relays.handshakes), {*silent, other} - {silent[1]})
        silent.append(_Handshake(relays, carrier, self.clock.seconds() - 60))
        self.patch(_Handshake, "known", property(lambda one: True))
        error = self.failed(self.client.connect(self.address(self.end, AWAY), via=via), ConnectFailed, 0.5)
        self.assertEqual(error.reason, "busy")
        for one in (*silent, other):
            one.left()
        self.assertEqual((relays._half_open, dict(relays._half_open_by)), (0, {}))


class CarryingTests(AskingCase):
    """What a relay holds for a link, and until when."""

    def setUp(self) -> None:
        super().setUp()
        self.end._parts.relays.arrived = lambda *_: None  # type: ignore[union-attr]  # nobody speaks on further links

    def ask(self, *endpoints: LinkEndpoint, uuid: Any = None) -> tuple[Link, list[int]]:  # type: ignore[override]
        """A link on which nobody says anything, and the codes of its answers."""
        link = self.entry.session.all_links.ask(LinkTarget(uuid or self.end.uuid, endpoints))
        codes: list[int] = []
        link.on_answer = lambda code, _: codes.append(code)
        self.entry.protocol.wake()
        return link, codes

    def test_an_idle_link_ends(self) -> None:
        """No word either way for 15 minutes, not even a PING."""
        link, codes = self.ask(LinkEndpoint(AWAY, 9999))
        self.pass_time(1)
        self.assertEqual((codes, self.relays.quota.carried), ([1], 2))
        self.pass_time(890)
        self.assertFalse(link.closed)
        self.pass_time(30)
        self.assertTrue(link.closed)

    def test_a_link_has_the_life_that_its_client_was_told(self) -> None:
        """And ten minutes more, for the client is to end it itself, with everything on it handed over."""
        link, _ = self.ask(LinkEndpoint(AWAY, 9999))
        self.relays.terms = replace(self.relays.terms, lifetime_seconds=100)
        self.pass_time(680)
        self.assertFalse(link.closed)
        self.pass_time(30)
        self.assertTrue(link.closed)

    def test_half_a_link_is_counted_and_has_a_minute(self) -> None:
        """Found by reading: what waited for a target that does not read was held, uncounted, as long as its session."""
        link, codes = self.ask(LinkEndpoint(AWAY, 9999))
        self.pass_time(1)
        carried = next(one for one in self.relays.carried if one.pipes[0].moved_bytes == 0)
        carried.onward.send_limit = 0  # type: ignore[union-attr]
        carried.asked.receive(memoryview(bytes(2000)))
        link.close()
        self.entry.protocol.wake()
        self.pass_time(1)
        self.assertEqual((codes, carried.asked.closed, self.relays.quota.carried), ([1], True, 2))
        self.pass_time(76)
        self.assertEqual((carried.onward.closed, self.relays.quota.carried), (True, 1))  # type: ignore[union-attr]

    def test_bytes_are_counted_while_a_link_stands(self) -> None:
        """Found by reading: one link without an end moved what it liked."""
        (carried,) = self.relays.carried
        self.relays.quota._limits = replace(self.relays.quota._limits, link_volume_prefix_bytes=10_000)
        self.pass_time(15)
        self.assertEqual((carried.over, self.relays.quota.carried), (True, 0))
        self.assertGreater(self.relays.moved_bytes, 10_000)
        self.assertEqual(self.client.peers, ())

    def test_nobody_waits_for_the_dial_of_a_stranger(self) -> None:
        """Found by reading: dials of one target were one dial, so a wrong address kept everybody from it."""
        self.network.part([GATES[0]], ["46.4.0.9"])
        other = self.gates[3].uuid
        _, wrong = self.ask(LinkEndpoint("46.4.0.9", 9999), uuid=other)
        self.pass_time(0.1)
        _, right = self.ask(LinkEndpoint(GATES[3], 9999), uuid=other)
        self.pass_time(1)
        self.assertEqual((wrong, right), ([], [1]))
        self.pass_time(12)
        self.assertEqual(wrong, [3])

    def test_a_link_that_is_given_up_leaves_no_timer_and_no_dial(self) -> None:
        self.network.part([GATES[0]], ["46.4.0.9"])
        before = len(self.clock.getDelayedCalls())
        for host in ("46.4.0.9", "46.4.0.10"):  # while it is dialled; and refused, while the answer waits
            link, codes = self.ask(LinkEndpoint(host, 9999), uuid=self.gates[3].uuid)
            self.pass_time(5)
            link.close()
            self.entry.protocol.wake()
            self.pass_time(0.1)
            self.assertEqual((codes, self.relays.quota.carried), ([], 1))
            self.assertEqual(len(self.clock.getDelayedCalls()), before)

    def test_few_names_are_looked_up_at_a_time(self) -> None:
        """Each look-up holds a thread of the process, wanted or not."""
        waiting: list[Deferred[Any]] = []

        def slow(*_: Any) -> Deferred[Any]:
            waiting.append(Deferred())
            return waiting[-1]

        self.relays._world = replace(self.relays._world, elsewhere=slow)
        names = [LinkEndpoint(f"{number}.example.net", 9999) for number in range(6)]
        links = [self.ask(name, uuid=self.gates[3].uuid)[0] for name in names]
        self.pass_time(1)
        for link in links:
            link.close()
        self.entry.protocol.wake()
        self.pass_time(1)
        self.assertEqual(len(waiting), LOOK_UPS_MAX)
        for one in waiting:
            one.callback(())
        self.assertEqual((self.relays._look_ups, self.relays.quota.carried), (0, 1))

    def test_no_link_leads_to_our_own_addresses(self) -> None:
        _, codes = self.ask(LinkEndpoint(GATES[0], 9998), uuid=self.gates[3].uuid)
        self.pass_time(1)
        self.assertEqual(codes, [5])


class SlowRelayTests(CircuitCase):
    def test_rate_bytes_per_second(self) -> None:
        settings = with_relay(node_settings(relay=True), rate_bytes_per_second=100_000)
        gate = self.node("19.9.0.1", settings=settings)
        self.client._parts.circuits.gateways.append(Gateway(gate.uuid, (("19.9.0.1", 9999),)))  # type: ignore[union-attr]
        peer = self.connect(via=gate.uuid, seconds=5)
        relays = gate._parts.relays  # type: ignore[union-attr]
        (carried,) = relays.carried
        message, began = SeededRandom("noise").bytes(400_000), carried.moved_bytes
        self.guest.host.send(peer, message)
        self.pass_time(2)
        self.assertTrue(150_000 < carried.moved_bytes - began < 350_000, carried.moved_bytes - began)
        self.pass_time(8)
        self.assertEqual(self.guest.got, [b"back:" + message])
