"""A node that nobody can dial, its anchors, and somebody who has its invitation: whole nodes in memory."""

from __future__ import annotations

from typing import Any

from quantumgate.node.node import Node
from tests.node.circuits import GATES, CircuitCase, with_relay
from tests.node.world import node_settings

HIDDEN = "67.8.0.1"


class AnchoredCase(CircuitCase):
    """``self.hidden`` listens nowhere and has the first two gateways as anchors."""

    def setUp(self) -> None:
        super().setUp()
        self.hidden = self.behind(HIDDEN, self.gates[:2])

    def behind(self, place: str, gates: list[Node]) -> Node:
        """A node there that these gateways admit and anchor."""
        addresses = tuple(self.address(gate, GATES[self.gates.index(gate)]) for gate in gates)
        settings = with_relay(node_settings(listen=(), default_access="allow"), anchors=addresses)
        made = self.node(place, settings=settings)
        for gate in gates:
            self.done(gate.access.allow(made.uuid))
        self.pass_time(5)
        return made

    def granted(self, node: Node) -> list[Any]:
        """By whom this node is reached."""
        assert node._parts is not None
        return list(node._parts.desk.anchors.granted)

    def reach(self, address: str, seconds: float = 2.0, **how: Any) -> Any:
        """The client connects."""
        return self.done(self.client.connect(address, **how), seconds)
