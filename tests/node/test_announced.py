"""Peers that say that they relay become gateways: whose word counts, for how long, and who says what to whom."""

from __future__ import annotations

from typing import Any

from quantumgate.errors import ConnectFailed
from quantumgate.node.announced import own_endpoints
from tests.node.circuits import AWAY, GATES, HOME, CircuitCase, with_relay
from tests.node.world import node_settings


class AnnouncingCase(CircuitCase):
    """Gateways that admit whoever a test brings."""

    def admit(self, *nodes: Any) -> None:
        for gate in self.gates:
            for node in nodes:
                self.done(gate.access.allow(node.uuid))


class OwnTests(AnnouncingCase):
    def test_what_a_stranger_can_dial(self) -> None:
        bound = ("tcp:9999:interface=45.33.32.1", "tcp:9998", "tcp:9997:interface=127.0.0.1", "unix:/run/qg",
                 "tcp:80:interface=45.33.32.1", "tcp:9996:interface=2600\\:3c01\\:\\:7",
                 "tls:9995:interface=45.33.32.1")
        public = ("45.33.32.1:9999", "[2600:3c01::7]:9996")
        self.assertEqual(own_endpoints(bound, allow_private=False), public)
        private = ("45.33.32.1:9999", "127.0.0.1:9997", "45.33.32.1:80", "[2600:3c01::7]:9996")
        self.assertEqual(own_endpoints(bound, allow_private=True), private)
        many = tuple(f"tcp:{9000 + n}:interface=45.33.32.1" for n in range(9))
        self.assertEqual(len(own_endpoints(many, allow_private=False)), 8)

    def test_only_a_relay_says_so_and_never_through_a_circuit(self) -> None:
        self.admit(self.end)
        self.done(self.end.connect(self.address(self.gates[0], GATES[0])), 1)
        (heard,) = self.blocks(self.end)
        self.assertEqual((heard.relay, heard.endpoints), (True, (f"{GATES[0]}:9999",)))
        (told,) = [block for block in self.blocks(self.gates[0]) if block.endpoints or block.relay] or [None]
        self.assertIsNone(told)
        relaying = self.node("66.6.0.1", settings=with_relay(
            node_settings(relay=True), gateways=(self.address(self.gates[1], GATES[1]),)))
        self.done(relaying.connect(self.address(self.end, AWAY), hops=1), 2)
        hidden = [block for block in self.blocks(self.end) if block is not heard]
        self.assertEqual([(block.relay, block.endpoints) for block in hidden], [(False, ())])

    def blocks(self, node: Any) -> list[Any]:
        """What the peers of this node said of themselves."""
        return [contact.session.peer_block for contact in node._parts.desk.table]


class GatewayTests(AnnouncingCase):
    def setUp(self) -> None:
        super().setUp()
        self.new = self.node("66.6.0.1", settings=node_settings(listen=()))
        self.admit(self.new, self.client)

    def known(self, node: Any) -> list[tuple[Any, Any]]:
        return [(one.uuid, one.hosts) for one in node._parts.circuits.known()]

    def test_a_peer_that_we_dialled_is_a_gateway_as_long_as_it_is_there(self) -> None:
        self.failed(self.new.connect(self.address(self.end, AWAY), hops=1), ConnectFailed, 1)
        self.done(self.new.connect(self.address(self.gates[0], GATES[0]), keep=False), 1)
        self.assertEqual(self.known(self.new), [(self.gates[0].uuid, ((GATES[0], 9999),))])
        (gateway,) = self.new._parts.circuits.known()  # type: ignore[union-attr]
        self.assertEqual(gateway.fingerprint, self.gates[0]._parts.identity.public.fingerprint)  # type: ignore[union-attr]
        self.assertEqual(self.done(self.new.connect(self.address(self.end, AWAY), hops=1), 2).path,
                         [self.gates[0].uuid])
        self.done(self.new.disconnect(self.gates[0].uuid), 5)
        self.assertEqual(self.known(self.new), [])

    def test_two_of_them_make_two_hops_and_reports_name_them(self) -> None:
        for gate, place in zip(self.gates[:2], GATES, strict=False):
            self.done(self.new.connect(self.address(gate, place)), 1)
        path = self.done(self.new.connect(self.address(self.end, AWAY), hops=2), 2).path
        self.assertEqual(set(path), {self.gates[0].uuid, self.gates[1].uuid})
        self.assertEqual(len(self.new.relays_snapshot().gateways), 2)

    def test_a_configured_one_is_not_listed_twice(self) -> None:
        before = self.known(self.client)
        self.done(self.client.connect(self.address(self.gates[2], GATES[2])), 1)
        self.assertEqual(self.known(self.client), before)

    def test_a_peer_that_does_not_relay_is_none(self) -> None:
        self.done(self.new.connect(self.address(self.end, AWAY)), 1)
        self.assertEqual(self.known(self.new), [])

    def test_of_those_who_dial_us_only_the_ones_that_a_rule_names(self) -> None:
        """Anybody can dial in a hundred times; their addresses count only where they came from."""
        gate, liar = self.gates[0], self.gates[1]
        liar._parts.connections.announce(("99.9.0.1:9999",))  # type: ignore[union-attr]
        for each in (gate, liar):
            self.done(each.connect(self.address(self.end, AWAY)), 1)
        self.assertEqual(self.known(self.end), [])
        strict = self.node("77.7.0.1", allow=(str(gate.uuid), str(liar.uuid)))
        for each in (gate, liar):
            self.done(each.connect(self.address(strict, "77.7.0.1")), 1)
        self.assertEqual(self.known(strict), [(gate.uuid, ((GATES[0], 9999),))])
        self.assertEqual(HOME in str(self.known(strict)), False)
