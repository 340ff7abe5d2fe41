"""Nodes that find one another: a chain that closes, a book that outlives its node, and nothing where it is off."""

from __future__ import annotations

from typing import Any

from quantumgate.node.node import Node
from quantumgate.settings.schema import DiscoveryTable, Settings
from tests.node.circuits import replace_table
from tests.node.world import NodeCase, node_settings

PLACES = tuple(f"{11 + n}.{n}.0.1" for n in range(10))


def exchanging(settings: Settings, **discovery: Any) -> Settings:
    """The same, and it exchanges."""
    return replace_table(settings, discovery=DiscoveryTable(**{"exchange": True, **discovery}))


class DiscoveryCase(NodeCase):
    def finder(self, place: str, data: Any = None, discovery: Any = None, **node: Any) -> Node:
        """A node that exchanges."""
        return self.node(place, data=data, settings=exchanging(node_settings(**node), **(discovery or {})))

    def book(self, node: Node) -> Any:
        return node._parts.discovery.book  # type: ignore[union-attr]

    def chain(self, count: int) -> list[Node]:
        """Nodes that admit one another; each is told to connect to the one before."""
        nodes: list[Node] = []
        for place in PLACES[:count]:
            before = (self.address(nodes[-1], PLACES[len(nodes) - 1]),) if nodes else ()
            nodes.append(self.finder(place, connect=before))
        for node in nodes:
            for other in nodes:
                if other is not node:
                    self.done(node.access.allow(other.uuid))
        return nodes

    def seen(self, node: Node) -> set[Any]:
        return {peer.uuid for peer in node.peers}


class ChainTests(DiscoveryCase):
    def test_ten_nodes_know_one_another_within_two_minutes(self) -> None:
        nodes = self.chain(10)
        everybody = {node.uuid for node in nodes}
        self.pass_time(120)
        for node in nodes:
            self.assertEqual({entry.uuid for entry in self.book(node)}, everybody - {node.uuid})
        for node in nodes:
            for other in nodes:
                if other is not node:
                    self.assertEqual(self.done(node.connect(str(other.uuid)), 2).uuid, other.uuid)
        self.assertEqual(self.errors(), [])
