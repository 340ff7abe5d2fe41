"""Circuits of one to four relays between whole nodes in memory: who is reached, who knows what, and how they end."""

from __future__ import annotations

from typing import Any, ClassVar

from quantumgate.core.relay.link import Link
from quantumgate.errors import ConnectFailed, LocalError
from quantumgate.settings.schema import NodeTable, PrivacyTable
from quantumgate.wire.limits import DEFAULT_LIMITS
from quantumgate.wire.link_frames import RelayTerms
from tests.node.circuits import AWAY, GATES, HOME, CircuitCase, replace_table
from tests.node.world import as_json


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
            seen = str(list(as_json(gate.peers_snapshot())))
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

    def test_a_relay_tells_its_terms(self) -> None:
        told: list[object] = []
        answered = Link.answered
        self.patch(Link, "answered", lambda link, code, terms: (told.append(terms), answered(link, code, terms))[1])
        self.connect(1)
        self.assertEqual(told, [RelayTerms(0, DEFAULT_LIMITS.link_volume_prefix_bytes, 86_400)])

    def test_a_large_message_both_ways(self) -> None:
        peer = self.connect(3)
        message = bytes(range(256)) * 3000
        self.done(self.guest.host.send(peer, message), 3)
        self.pass_time(3)
        self.assertEqual(self.guest.got, [b"back:" + message])


class PaceTests(CircuitCase):
    """A relay counts who asks for links, against floods; a client that has many to make must not look like one."""

    limits: ClassVar[dict[str, Any]] = {"link_create_rate": [2, 4], "links_prefix_rate": [1000, 1000]}

    def test_many_circuits_are_no_flood(self) -> None:
        """Seen with forty log-ins of a proxy: the relay cut the session, and every circuit in it broke."""
        via = [self.gates[0].uuid, self.gates[1].uuid]
        first = self.connect(via=via)
        for _ in range(3):
            many = [self.client.connect(self.address(self.end, AWAY), via=via) for _ in range(10)]
            self.pass_time(8)
            for peer in map(self.successResultOf, many):
                self.client.disconnect(peer)
            self.pass_time(1)
        self.assertEqual(self.client.peers, (first,))
        self.assertEqual(self.client._parts.circuits.failures, {})  # type: ignore[union-attr]

    def test_one_that_nobody_waits_for_any_more(self) -> None:
        """While it waits for its turn."""
        via = [self.gates[0].uuid, self.gates[1].uuid]
        many = [self.client.connect(self.address(self.end, AWAY), via=via) for _ in range(12)]
        self.pass_time(0.5)
        for each in many[6:]:
            self.assertNoResult(each)
            each.addErrback(lambda _: None)
            each.cancel()
        self.pass_time(8)
        self.assertEqual(len(self.client.peers), 6)
        self.assertEqual(len(self.gates[0]._parts.relays.carried), 6)  # type: ignore[union-attr]


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
        pipe._from.hear(lambda data: arrived(memoryview(bytes(data[:50]) + bytes((data[50] ^ 1,)) + data[51:])))
        self.done(self.guest.host.send(peer, b"never read"), 1)
        self.pass_time(3)
        self.assertEqual((self.client.peers, self.end.peers, self.end_guest.got), ((), (), []))
        self.assertEqual(len(self.guest.left), 1)


class TamperTests(CircuitCase):
    def flip(self, gate: Any, way: int) -> None:
        """The next piece that this gateway carries is altered, 0 = away from the client, 1 = towards it."""
        (carried,) = gate._parts.relays.carried
        pipe = carried.pipes[way]
        arrived = pipe._arrived
        pipe._from.hear(lambda data: arrived(memoryview(bytes(data[:50]) + bytes((data[50] ^ 1,)) + data[51:])))

    def test_a_relay_that_alters_what_comes_back_is_the_one_that_is_left_alone(self) -> None:
        """Found with a hostile gateway: the honest one behind it was blamed, and avoided for five minutes."""
        for position in range(3):
            path = self.connect(3, keep=True).path
            self.flip(self.gate_of(path[position]), 1)
            self.guest.host.send(self.client.peers[0], b"its echo is never read")
            self.pass_time(0.3)
            self.assertEqual((self.guest.left[-1], self.guest.got), ("damaged", []))
            (report,) = self.client.status().connecting
            self.assertEqual(report.reason, "the session ended: "
                             f"relay {position + 1} of 3 altered what it carries: {path[position]}")
            blamed = [one.uuid for one in self.client.relays_snapshot().gateways if one.avoided_seconds]
            self.assertEqual(blamed, [str(path[position])])
            self.done(self.client.disconnect(self.end.uuid), 2)
            self.pass_time(400)


    def test_whoever_is_next_behind_it_ends_the_circuit_and_says_so(self) -> None:
        for position in range(3):
            path = self.connect(3).path
            self.flip(self.gate_of(path[position]), 0)
            self.guest.host.send(self.client.peers[0], b"never read")
            self.pass_time(0.3)
            self.assertEqual((self.client.peers, self.end.peers, self.end_guest.got), ((), (), []))
            said = [line for line in self.lines("warn") if "was altered on the way" in line]
            self.assertEqual(len(said), position + 1)
            self.pass_time(400)


class LostRelayTests(CircuitCase):
    def kill(self, uuid: Any) -> None:
        """As a gateway that is killed: its connections end, and nobody answers any more."""
        gate = self.gate_of(uuid)
        for contact in list(gate._parts.desk.contacts):  # type: ignore[union-attr]
            contact.drop()
        self.pass_time(0.1)
        place = GATES[self.gates.index(gate)]
        self.network.part([place], [one for one in (HOME, AWAY, *GATES) if one != place])

    def test_a_kept_circuit_is_built_anew_without_the_relay_that_was_lost(self) -> None:
        for position in range(3):
            path = self.connect(3, keep=True).path
            self.kill(path[position])
            self.pass_time(0.5)
            (report,) = self.client.status().connecting
            self.assertIn("the session ended: ", report.reason)
            self.pass_time(1.5)
            (peer,) = self.client.peers
            self.assertEqual((len(peer.path), path[position] in peer.path), (3, False))
            self.network.heal()
            self.done(self.client.disconnect(self.end.uuid), 2)
            self.pass_time(400)
            self.assertEqual(self.client.peers, ())

    def test_the_next_circuit_does_not_wait_for_the_relay_that_was_lost(self) -> None:
        for position in range(3):
            peer = self.connect(3)
            self.kill(peer.path[position])
            self.pass_time(0.5)
            following = self.connect(3)
            self.assertNotIn(peer.path[position], following.path)
            self.network.heal()
            self.done(self.client.disconnect(following), 2)
            self.pass_time(400)

    def test_the_guest_is_told_why(self) -> None:
        for position in range(3):
            peer = self.connect(3, keep=True)
            self.kill(peer.path[position])
            self.assertEqual(self.guest.left[-1], "relay-lost")
            (report,) = self.client.status().connecting
            self.assertEqual(report.reason, "the session ended: "
                             f"relay {position + 1} of 3 was lost: {peer.path[position]}")
            self.network.heal()
            self.done(self.client.disconnect(self.end.uuid), 2)
            self.pass_time(400)

    def test_nobody_is_blamed_for_an_orderly_end(self) -> None:
        self.done(self.client.disconnect(self.connect(3)), 2)
        self.end.stopService()
        circuits = self.client._parts.circuits  # type: ignore[union-attr]
        self.assertEqual([circuits.bad_seconds(gate.uuid) for gate in self.gates], [0.0] * 5)


class WishTests(CircuitCase):
    def test_the_configured_number_of_relays_is_for_every_dial(self) -> None:
        settings = replace_table(self.client.settings, privacy=PrivacyTable(hops=2))
        settings = replace_table(settings, node=NodeTable(listen=(), connect=(self.address(self.end, AWAY),)))
        client = self.node("32.4.0.1", settings=settings)
        self.pass_time(2)
        (peer,) = client.peers
        self.assertEqual(len(peer.path), 2)
        report = as_json(client.peers_snapshot())[0]
        self.assertEqual(report["why"], "privacy.hops = 2, kept")
        ping = self.done(client.ping(str(self.end.uuid)), 1)
        self.assertEqual((ping.relayed, ping.path), (True, [str(uuid) for uuid in peer.path]))
        self.done(client.disconnect(self.end.uuid), 2)
        self.assertTrue(self.done(client.ping(self.address(self.end, AWAY)), 2).relayed)
        self.assertFalse(self.done(client.connect(self.address(self.end, AWAY), hops=0), 2).relayed)

    def test_a_bare_uuid_is_enough_the_second_time(self) -> None:
        error = self.failed(self.client.connect(str(self.end.uuid), hops=2), ConnectFailed)
        self.assertEqual(error.reason, "no-address")
        self.connect(2)
        self.assertEqual(len(self.done(self.client.connect(str(self.end.uuid), hops=2), 1).path), 2)

    def test_a_gateway_can_be_reached_by_its_uuid(self) -> None:
        self.gates[0].access.allow(self.client.uuid)
        peer = self.done(self.client.connect(str(self.gates[0].uuid), hops=2), 1)
        self.assertEqual((len(peer.path), self.gates[0].uuid in peer.path), (2, False))

    def test_relays_named_in_any_form(self) -> None:
        one, two = self.gates[3].uuid, self.gates[1].uuid
        for via in ([one, two], f"{one},{two}", [str(one), str(two)]):
            self.assertEqual(self.connect(via=via).path, [one, two])
        self.failed(self.client.connect(self.address(self.end, AWAY), via="me"), LocalError)

    def test_nobody_named_is_nothing_said(self) -> None:
        for via in (None, "", [], ()):
            self.assertEqual(len(self.connect(2, via=via).path), 2, via)

    def test_every_session_with_a_peer_ends_by_its_uuid_and_one_by_its_object(self) -> None:
        one, other, third = self.connect(1), self.connect(2), self.connect(0)
        self.done(self.client.disconnect(one), 2)
        self.assertEqual(set(self.client.peers), {other, third})
        self.done(self.client.disconnect(self.end.uuid), 2)
        self.assertEqual(self.client.peers, ())
