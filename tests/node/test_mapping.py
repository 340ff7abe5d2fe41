"""Ports of a router that lead here: asked for, believed only when somebody came in by them, renewed, given back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred

from quantumgate.errors import LocalError
from quantumgate.node.mapping import AGAIN_SECONDS, FAREWELL_SECONDS, LEASE_SECONDS
from quantumgate.node.node import Node
from quantumgate.settings.schema import DiscoveryTable, NodeTable, Settings
from tests.node.lines import INSIDE, OUTSIDE, LinesCase


class FakeRouter:
    """Leads ports of ``OUTSIDE`` to a node, or says so."""

    def __init__(self, case: MappingCase) -> None:
        self.case, self.asked, self.closed = case, list[tuple[int, int]](), list[int]()
        self.external, self.leads, self.broken = 0, True, False

    def open(self, port: int, lease_seconds: int) -> int:
        if self.broken:
            raise LocalError("the router maps no port to this node: it has had enough")
        self.asked.append((port, lease_seconds))
        return self.external or port

    def close(self, external: int) -> None:
        self.closed.append(external)


class MappingCase(LinesCase):
    def setUp(self) -> None:
        super().setUp()
        self.router = FakeRouter(self)
        self.found = 0

    def find(self) -> FakeRouter:
        self.found += 1
        return self.router

    def mapped(self, place: str, **more: Any) -> Node:
        settings = Settings(node=NodeTable(listen=("tcp:9999",), default_access="allow"),
                            discovery=DiscoveryTable(port_mapping=True))
        node = self.node(place, start=False, settings=settings)
        world = {"find_router": self.find, "own_addresses": lambda: (place,),
                 "host": lambda host, port: self.network.client_endpoint(OUTSIDE, host, port), **more}
        node._world = replace(node._world, **world)
        node.startService()
        return node


class MappingTests(MappingCase):
    def test_what_listens_is_mapped_and_given_back(self) -> None:
        node = self.mapped(INSIDE)
        self.pass_time(1)
        self.assertEqual(self.router.asked, [(9999, LEASE_SECONDS)])
        self.pass_time(AGAIN_SECONDS * 3 + 1)
        self.assertEqual((len(self.router.asked), self.found), (4, 1))
        self.done(node.stopService(), 1)
        self.assertEqual(self.router.closed, [9999])

    def test_a_port_is_named_when_somebody_came_in_by_it(self) -> None:
        """The router gives another number than the one that listens; a neighbour of the memory network leads it in."""
        node = self.mapped(OUTSIDE)
        relays = self.relays()
        self.router.external = 23_456
        self.pass_time(AGAIN_SECONDS + 1)
        gate = self.network.server_endpoint(OUTSIDE, 23_456)
        node._parts.listeners[0]._endpoint = gate  # type: ignore[union-attr]
        node._parts.listeners[0].start()  # type: ignore[union-attr]
        self.meet(node, *relays)
        self.pass_time(200)
        self.assertIn(f"{OUTSIDE}:23456", self.endpoints(node))

    def test_a_router_that_lies_is_not_believed(self) -> None:
        node = self.mapped(INSIDE)
        self.meet(node, *self.relays())
        self.pass_time(200)
        self.assertEqual((self.router.asked[:1], self.endpoints(node)), ([(9999, LEASE_SECONDS)], []))

    def test_no_router_is_said_once_and_looked_for_again(self) -> None:
        self.router.broken = True
        self.mapped(INSIDE)
        self.pass_time(AGAIN_SECONDS * 3 + 1)
        self.assertEqual(self.found, 4)
        self.assertEqual(len([line for line in self.lines("warn") if "no port is mapped" in line]), 1)

    def test_a_router_that_hangs_holds_nothing_up_for_long(self) -> None:
        hanging: list[Deferred[Any]] = []

        def elsewhere(_function: Any, *_arguments: Any) -> Deferred[Any]:
            hanging.append(Deferred())
            return hanging[-1]

        node = self.mapped(INSIDE)
        self.pass_time(1)
        mapping = node._parts.reaching._mapping  # type: ignore[union-attr]
        mapping._world = replace(mapping._world, elsewhere=elsewhere)
        stopping = mapping.stop()
        self.pass_time(FAREWELL_SECONDS - 1)
        self.assertNoResult(stopping)
        self.pass_time(2)
        self.successResultOf(stopping)
        self.assertEqual(len(hanging), 1)

    def test_off_nobody_is_asked(self) -> None:
        self.hidden()
        self.pass_time(60)
        self.assertEqual(self.found, 0)
