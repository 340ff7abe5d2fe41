"""Relays that nobody named keep a way to a node that nobody can dial; and only as long as it takes."""

from __future__ import annotations

from typing import Any

from quantumgate.node.node import Node
from tests.node.lines import OUTSIDE, LinesCase

ELSEWHERE = "85.9.9.9"


class RendezvousTests(LinesCase):
    def setUp(self) -> None:
        super().setUp()
        self.gates = self.relays()

    def anchors(self, node: Node) -> int:
        return node.status().anchors.open

    def test_a_node_behind_a_nat_is_reached_by_its_record(self) -> None:
        hidden, other = self.hidden(), self.line(ELSEWHERE, listen=())
        self.meet(hidden, *self.gates)
        self.meet(other, *self.gates)
        self.pass_time(20)
        self.assertEqual(self.anchors(hidden), 3)
        record = hidden.own_record()
        self.assertEqual((list(record.endpoints), len(record.anchors)), ([], 3))
        peer = self.done(other.connect(record.record), 3)
        self.assertEqual((peer.uuid, peer.relayed, len(peer.path)), (hidden.uuid, True, 1))
        self.assertEqual(self.errors(), [])

    def test_one_that_can_be_dialled_asks_nobody(self) -> None:
        node = self.hidden(mapped=True)
        self.meet(node, *self.gates)
        self.pass_time(60)
        self.assertEqual((self.endpoints(node), self.anchors(node)), ([f"{OUTSIDE}:9999"], 0))

    def test_who_was_asked_is_let_go_when_it_can_be_dialled(self) -> None:
        node = self.hidden()
        self.meet(node, *self.gates)
        self.pass_time(60)
        self.assertEqual(self.anchors(node), 3)
        twin = self.network.server_endpoint(OUTSIDE, 9999)
        listener = node._parts.listeners[0]  # type: ignore[union-attr]
        listener._endpoint = twin  # the operator maps the port
        listener.start()
        self.pass_time(400)
        self.assertEqual((self.endpoints(node), self.anchors(node)), ([f"{OUTSIDE}:9999"], 0))

    def test_an_answer_that_comes_when_it_is_needed_no_more_is_nobodys_fault(self) -> None:
        node = self.hidden()
        self.meet(node, *self.gates)
        anchors = node._parts.desk.anchors  # type: ignore[union-attr]
        adopt, asked = anchors.adopt, []

        def adopted_and_let_go(gateway: Any, contact: Any) -> None:
            adopt(gateway, contact)
            asked.append(contact)
            anchors.release()

        self.patch(anchors, "adopt", adopted_and_let_go)
        self.pass_time(8)
        self.assertGreater(len(asked), 2)
        self.assertEqual({peer.uuid for peer in node.peers}, {gate.uuid for gate in self.gates})
        self.assertEqual(node.reputation.list(), [])
        self.done(node.disconnect(self.gates[0].uuid), 8)
        self.assertNotIn(self.gates[0].uuid, {one.peer.uuid for one in anchors._asked}, "nor is it waited for for ever")

    def test_a_relay_that_leaves_is_replaced(self) -> None:
        node = self.hidden()
        self.meet(node, *self.gates[:2])
        self.pass_time(30)
        self.assertEqual(self.anchors(node), 2)
        self.done(self.gates[0].stopService(), 20)
        self.assertEqual(self.anchors(node), 1)
        self.done(node.connect(self.address(self.gates[2], "77.7.0.1")), 1)
        self.pass_time(30)
        self.assertEqual(self.anchors(node), 2)

    def test_where_it_is_not_wanted(self) -> None:
        relay = self.address(self.gates[0], "45.33.32.1")
        for number, how in enumerate(({"automatic": False}, {"reach": False}, {"relay": True}, {"anchors": (relay,)})):
            node = self.hidden(outside=f"85.{number + 1}.1.1", place=f"10.0.0.{number + 3}", **how)
            self.meet(node, *self.gates)
            self.pass_time(30)
            named = 1 if "anchors" in how else 0
            self.assertEqual(len(node._parts.desk.anchors.adopted()), 0, how)  # type: ignore[union-attr]
            self.assertEqual(self.anchors(node), named, how)

    def test_two_relays_of_one_network_are_one(self) -> None:
        near = self.line("45.33.99.9", relay=True)
        node = self.hidden()
        self.meet(node, self.gates[0])
        self.done(node.connect(self.address(near, "45.33.99.9")), 1)
        self.pass_time(30)
        self.assertEqual(self.anchors(node), 1)
