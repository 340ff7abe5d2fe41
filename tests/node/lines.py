"""Nodes on the Internet of a test, some of them behind a NAT: what they dial comes from another address than theirs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from quantumgate.node.node import Node
from quantumgate.settings.schema import DiscoveryTable, NodeTable, PrivacyTable, RelayTable, Settings
from tests.node.world import NodeCase

RELAYS = ("45.33.32.1", "66.6.0.1", "77.7.0.1")
OUTSIDE, INSIDE = "84.20.7.153", "10.0.0.2"


class LinesCase(NodeCase):
    """Relays in three groups of networks, which admit everybody; others as a test wants them."""

    def relays(self, many: int = 3) -> list[Node]:
        return [self.line(place, relay=True) for place in RELAYS[:many]]

    def line(self, place: str, *makers: Any, outside: str = "", reach: bool = True, automatic: bool = True,
             hops: int = 0, limits: dict[str, Any] | None = None, anchors: tuple[str, ...] = (), **node: Any) -> Node:
        """``outside``: what it dials comes from there; it listens at ``place`` all the same."""
        settings = Settings(
            node=NodeTable(**{"listen": ("tcp:9999",), "default_access": "allow", **node}), limits=limits or {},
            relay=RelayTable(automatic_anchors=automatic, anchors=anchors),
            discovery=DiscoveryTable(reachability=reach), privacy=PrivacyTable(hops=hops),
        )
        made = self.node(place, *makers, start=False, settings=settings)
        if outside:
            made._world = replace(made._world,
                                  host=lambda host, port: self.network.client_endpoint(outside, host, port))
        made.startService()
        return made

    def hidden(self, *, mapped: bool = False, outside: str = OUTSIDE, **more: Any) -> Node:
        """Behind a NAT, with a port map to it or without."""
        place = outside if mapped else more.pop("place", INSIDE)
        made = self.line(place, outside=outside, **more)
        made._world = replace(made._world, own_addresses=lambda: (INSIDE,))
        return made

    def meet(self, node: Node, *others: Node) -> None:
        """It dials the relays, and time passes until it knows where it is."""
        for other, place in zip(others, RELAYS, strict=False):
            self.done(node.connect(self.address(other, place)), 1)

    def endpoints(self, node: Node) -> list[str]:
        return list(node.status().public_endpoints)
