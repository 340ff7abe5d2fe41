"""Circuits of one to four relays between whole nodes in memory: who is reached, who knows what, and how they end."""

from __future__ import annotations

from typing import Any

from quantumgate.errors import ConnectFailed
from quantumgate.extender.api import Extender, maker
from quantumgate.node.node import Node
from quantumgate.settings.schema import RelayTable, Settings
from tests.node.world import NodeCase, as_json, node_settings

HOME, AWAY = "31.3.0.1", "45.33.32.1"
GATES = ("11.1.0.1", "12.2.0.1", "13.3.0.1", "14.4.0.1", "15.5.0.1")


class Echo(Extender):
    """Sends back what it gets; keeps what comes back."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.left: list[str] = []

    def message_received(self, peer: Any, message: bytes) -> Any:
        if message.startswith(b"back:"):
            self.got.append(message)
            return None
        return self.host.send(peer, b"back:" + message)

    def peer_left(self, peer: Any, reason: str) -> None:
        self.left.append(reason)


class CircuitCase(NodeCase):
    """A client, an end, and gateways, each in a network of its own; ``self.path(n)`` connects through n of them."""

    def setUp(self) -> None:
        super().setUp()
        self.guest = Echo()
        self.end_guest = Echo()
        own = maker(lambda: self.guest, name="echo", uuid="5f0c3e52-7a83-4a5f-9d6b-0c1f6f2f9e12")
        other = maker(lambda: self.end_guest, name="echo", uuid="5f0c3e52-7a83-4a5f-9d6b-0c1f6f2f9e12")
        self.gates = [self.node(place, relay=True, limits={"link_fail_seconds": [8, 12]}) for place in GATES]
        addresses = tuple(self.address(gate, place) for gate, place in zip(self.gates, GATES, strict=True))
        settings = with_relay(node_settings(listen=()), gateways=addresses)
        self.client = self.node(HOME, own, settings=settings)
        self.end = self.node(AWAY, other, default_access="allow")

    def connect(self, hops: int = 0, via: Any = None, seconds: float = 1.0) -> Any:
        return self.done(self.client.connect(self.address(self.end, AWAY), hops=hops, via=via), seconds)

    def gate_of(self, uuid: Any) -> Node:
        return next(gate for gate in self.gates if gate.uuid == uuid)


def with_relay(settings: Settings, **relay: Any) -> Settings:
    values = {name: getattr(settings, name) for name in settings.__struct_fields__}
    return Settings(**{**values, "relay": RelayTable(**relay)})


class ReachTests(CircuitCase):
    def test_one_to_four_relays(self) -> None:
        for hops in (1, 2, 3, 4):
            peer = self.connect(hops)
            self.assertEqual((peer.uuid, peer.relayed, len(set(peer.path))), (self.end.uuid, True, hops))
            self.done(self.guest.host.send(peer, b"%d" % hops), 1)
            self.pass_time(1)
            self.assertEqual(self.guest.got[-1], b"back:%d" % hops)
            self.done(self.client.disconnect(peer), 2)
        self.assertEqual(self.errors(), [])

    def test_the_path_that_was_asked_for(self) -> None:
        wanted = [self.gates[3].uuid, self.gates[1].uuid]
        self.assertEqual(self.connect(via=wanted).path, wanted)

    def test_nobody_on_the_way_knows_both_ends(self) -> None:
        peer = self.connect(3)
        first, middle, last = (self.gate_of(uuid) for uuid in peer.path)
        for gate in (first, middle, last):
            seen = str([line for line in as_json(gate.peers_snapshot())])
            self.assertEqual(seen, "[]")
        known = {gate: {contact.where for contact in gate._parts.desk.contacts} for gate in self.gates}  # type: ignore[union-attr]
        self.assertTrue(any(place.startswith(HOME) for place in known[first]))
        for gate in (middle, last):
            self.assertFalse(any(HOME in place for place in known[gate]))
        for gate in (first, middle):
            self.assertFalse(any(AWAY in place for place in known[gate]))
        (seen_at_end,) = as_json(self.end.peers_snapshot())
        self.assertEqual((seen_at_end["uuid"], seen_at_end["relayed"]), (str(self.client.uuid), True))
        self.assertNotIn(HOME, str(seen_at_end))

    def test_gateways_do_not_learn_the_clients_uuid(self) -> None:
        peer = self.connect(2)
        for uuid in peer.path:
            for contact in self.gate_of(uuid)._parts.desk.contacts:  # type: ignore[union-attr]
                session = contact.session
                if session is not None and session.role == 2:
                    self.assertIsNone(session.peer)

    def test_circuits_share_entry_and_carriers(self) -> None:
        via = [self.gates[0].uuid, self.gates[1].uuid]
        one, other = self.connect(via=via), self.connect(via=via)
        self.assertIsNot(one, other)
        roles = [contact.session.role for contact in self.gates[1]._parts.desk.contacts]  # type: ignore[union-attr]
        self.assertEqual((roles.count(2), roles.count(3)), (2, 2))

    def test_a_large_message_both_ways(self) -> None:
        peer = self.connect(3)
        message = bytes(range(256)) * 3000
        self.done(self.guest.host.send(peer, message), 3)
        self.pass_time(3)
        self.assertEqual(self.guest.got, [b"back:" + message])


class RefusalTests(CircuitCase):
    def test_a_node_that_is_no_relay(self) -> None:
        self.gates[0].stopService()
        self.pass_time(20)
        plain = self.node("16.6.0.1")
        self.client._parts.circuits.gateways.append(  # type: ignore[union-attr]
            type(self.client._parts.circuits.gateways[0])(plain.uuid, (("16.6.0.1", 9999),)))  # type: ignore[union-attr]
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


class LossTests(CircuitCase):
    def test_a_gateway_that_stops(self) -> None:
        peer = self.connect(3)
        self.gate_of(peer.path[1]).stopService()
        self.pass_time(5)
        self.assertEqual((self.client.peers, len(self.guest.left)), ((), 1))
        self.assertEqual(self.end.peers, ())

    def test_a_gateway_that_vanishes(self) -> None:
        for position in range(3):
            peer = self.connect(3)
            gate = self.gate_of(peer.path[position])
            for contact in list(gate._parts.desk.contacts):  # type: ignore[union-attr]
                contact.drop()
            self.pass_time(1)
            self.assertEqual((self.client.peers, self.end.peers), ((), ()), position)
        self.assertEqual(len(self.guest.left), 3)

    def test_nothing_is_left_behind(self) -> None:
        peer = self.connect(3)
        self.done(self.client.disconnect(peer), 5)
        self.pass_time(1000)
        for node in (self.client, self.end, *self.gates):
            parts = node._parts
            assert parts is not None
            self.assertEqual((len(parts.desk.contacts), len(parts.relays.carried)), (0, 0))
            self.assertEqual(parts.relays.quota.carried, 0)

    def test_a_flipped_byte_kills_the_circuit(self) -> None:
        peer = self.connect(2)
        last = self.gate_of(peer.path[1])
        (carried,) = last._parts.relays.carried  # type: ignore[union-attr]
        pipe = carried.pipes[0]
        arrived = pipe._arrived
        pipe._from.on_data = lambda data: arrived(memoryview(bytes(data[:50]) + bytes((data[50] ^ 1,)) + data[51:]))
        self.done(self.guest.host.send(peer, b"never read"), 1)
        self.pass_time(3)
        self.assertEqual((self.client.peers, self.end.peers, self.end_guest.got), ((), (), []))
        self.assertEqual(len(self.guest.left), 1)
