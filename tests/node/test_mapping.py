"""Ports of a router that lead here: asked for, believed only when somebody came in by them, renewed, given back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed

from quantumgate.control.api import PortMapReport
from quantumgate.errors import LocalError
from quantumgate.net.pcp import find_pcp
from quantumgate.net.portmap import Lease
from quantumgate.node.mapping import AGAIN_SECONDS, FAREWELL_SECONDS, LEASE_SECONDS, LOOK_SECONDS, PortMapping
from quantumgate.node.node import Node
from quantumgate.settings.schema import DiscoveryTable, NodeTable, Settings
from tests.net.mapping_router import NAT_PMP, PCP, CableLine, MappingRouter
from tests.node.lines import INSIDE, OUTSIDE, LinesCase

ROUTER = "10.0.0.1"


class FakeRouter:
    """Leads ports of ``OUTSIDE`` to a node, or says so."""

    protocol, address, outside = "UPnP", "", OUTSIDE

    def __init__(self) -> None:
        self.asked, self.closed = list[tuple[int, int]](), list[int]()
        self.external, self.broken, self.hanging = 0, False, list[Deferred[Any]]()
        self.hangs = False

    def open(self, port: int, lease_seconds: int) -> Deferred[Lease]:
        if self.broken:
            return fail(LocalError("the router maps no port to this node: it has had enough"))
        self.asked.append((port, lease_seconds))
        return succeed(Lease(self.external or port, lease_seconds))

    def close(self, external: int) -> Deferred[Any]:
        self.closed.append(external)
        if self.hangs:
            self.hanging.append(Deferred())
            return self.hanging[-1]
        return succeed(None)

    def forgot(self) -> Deferred[bool]:
        return succeed(False)


class MappingCase(LinesCase):
    def setUp(self) -> None:
        super().setUp()
        self.router = FakeRouter()
        self.found: list[str] = []

    def find(self, named: str) -> Deferred[Any]:
        self.found.append(named)
        return succeed(self.router)

    def mapped(self, place: str, **more: Any) -> Node:
        settings = Settings(node=NodeTable(listen=("tcp:9999",), default_access="allow"),
                            discovery=DiscoveryTable(port_mapping=True, router=ROUTER))
        node = self.node(place, start=False, settings=settings)
        world = {"routers": (self.find,), "own_addresses": lambda: (place,),
                 "host": lambda host, port: self.network.client_endpoint(OUTSIDE, host, port), **more}
        node._world = replace(node._world, **world)
        node.startService()
        return node

    def mapping(self, node: Node) -> PortMapping:
        found = node._parts.reaching._mapping  # type: ignore[union-attr]
        assert found is not None
        return found

    def said(self, node: Node) -> PortMapReport:
        return node.status().port_mapping


class MappingTests(MappingCase):
    def test_what_listens_is_mapped_and_given_back(self) -> None:
        node = self.mapped(INSIDE)
        self.pass_time(1)
        self.assertEqual(self.router.asked, [(9999, LEASE_SECONDS)])
        self.pass_time(AGAIN_SECONDS * 3 + 1)
        self.assertEqual((len(self.router.asked), self.found), (4, [ROUTER]))
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
        node = self.mapped(INSIDE)
        self.pass_time(AGAIN_SECONDS * 3 + 1)
        self.assertEqual(len(self.found), 4)
        self.assertEqual(len([line for line in self.lines("warn") if "no port is mapped" in line]), 1)
        self.assertEqual(self.said(node), PortMapReport(
            enabled=True, why="the router maps no port to this node: it has had enough"))

    def test_of_two_ports_one_is_better_than_none(self) -> None:
        gives = self.router.open
        self.router.open = (  # type: ignore[method-assign]
            lambda port, lease: gives(port, lease) if port == 7777 else fail(LocalError("not that one")))
        world = replace(self.mapped(INSIDE)._world, own_addresses=lambda: (INSIDE, OUTSIDE))
        told: list[tuple[int, ...]] = []
        listening = [f"tcp:9999:interface={INSIDE}", f"tcp:7777:interface={OUTSIDE}"]
        mapping = PortMapping(world, ROUTER, lambda: listening, told.append)
        mapping.start()
        self.assertEqual(told, [(7777,)])
        self.done(mapping.stop(), 1)

    def test_a_router_that_hangs_holds_nothing_up_for_long(self) -> None:
        node = self.mapped(INSIDE)
        self.pass_time(1)
        self.router.hangs = True
        stopping = self.mapping(node).stop()
        self.pass_time(FAREWELL_SECONDS - 1)
        self.assertNoResult(stopping)
        self.pass_time(2)
        self.successResultOf(stopping)
        self.assertEqual(len(self.router.hanging), 1)

    def test_a_search_is_given_up_at_the_stop(self) -> None:
        searching: Deferred[Any] = Deferred()
        node = self.mapped(INSIDE, routers=(lambda named: searching, self.find))
        self.pass_time(1)
        self.done(node.stopService(), 1)
        self.assertTrue(searching.called)
        self.assertEqual(self.found, [], "nor is another one looked for")

    def test_one_that_refuses_at_the_stop_is_not_replaced(self) -> None:
        opening: Deferred[Lease] = Deferred()
        self.router.open = lambda port, lease: opening  # type: ignore[method-assign]
        node = self.mapped(INSIDE, routers=(self.find, self.find))
        self.pass_time(1)
        stopping = self.mapping(node).stop()
        opening.errback(LocalError("not any more"))
        self.successResultOf(stopping)
        self.assertEqual(self.found, [ROUTER])

    def test_one_that_turns_out_to_have_forgotten_at_the_stop_is_asked_for_nothing(self) -> None:
        looking: Deferred[bool] = Deferred()
        self.router.forgot = lambda: looking  # type: ignore[method-assign]
        node = self.mapped(INSIDE)
        self.pass_time(LOOK_SECONDS + 1)
        stopping = self.mapping(node).stop()
        looking.callback(True)
        self.successResultOf(stopping)
        self.assertEqual((len(self.router.asked), self.router.closed), (1, [9999]))

    def test_off_nobody_is_asked(self) -> None:
        node = self.hidden()
        self.pass_time(60)
        self.assertEqual((self.found, self.said(node)), ([], PortMapReport()))


class WaysTests(MappingCase):
    """PCP and NAT-PMP first, then UPnP: here a router in memory, and ``FakeRouter`` for the other one."""

    def setUp(self) -> None:
        super().setUp()
        self.pcp = MappingRouter(self.clock.seconds)
        self.cable = CableLine(self.clock, self.pcp, ROUTER, INSIDE)

    def asks(self, place: str = INSIDE) -> Node:
        return self.mapped(place, routers=(self.find_pcp, self.find))

    def find_pcp(self, named: str) -> Deferred[Any]:
        return find_pcp(self.clock, self.clock.seconds, self.network.random.branch("nonce"), self.cable, lambda: named)

    def test_each_protocol(self) -> None:
        for at, (speaks, name) in enumerate(((PCP, "PCP"), (NAT_PMP, "NAT-PMP"))):
            self.pcp.speaks = speaks
            self.cable = CableLine(self.clock, self.pcp, ROUTER, place := f"10.0.0.{at + 2}")
            node = self.asks(place)
            self.pass_time(1)
            self.assertEqual(self.said(node), PortMapReport(
                enabled=True, protocol=name, router=ROUTER, outside=OUTSIDE, ports=(9999,), confirmed=[]))
            self.assertEqual([each.inside for each in self.pcp.maps.values()], [(place, 9999)])
            self.done(node.stopService(), 1)
            self.assertEqual((self.pcp.maps, self.found), ({}, []))

    def test_where_it_speaks_neither_upnp_is_tried(self) -> None:
        self.cable.refuses = True
        node = self.asks()
        self.pass_time(20)
        self.assertEqual((self.said(node).protocol, self.found), ("UPnP", [ROUTER]))

    def test_where_it_refuses_upnp_is_tried(self) -> None:
        self.pcp.result = 2
        node = self.asks()
        self.pass_time(20)
        self.assertEqual((self.said(node).protocol, self.found), ("UPnP", [ROUTER]))
        self.router.broken = True
        self.pass_time(AGAIN_SECONDS)
        self.assertEqual(self.said(node).why.count("; "), 1)
        self.assertIn("it does not allow it", self.said(node).why)
        self.assertIn("it has had enough", self.said(node).why)

    def test_renewed_at_half_of_what_the_router_grants(self) -> None:
        self.pcp.lease_most = 400
        self.asks()
        for _ in range(20):
            self.pass_time(100)
            self.pcp.hear(b"", INSIDE)
            self.assertEqual(list(self.pcp.maps), [9999])
        maps = [data for data in self.pcp.asked if len(data) == 60]
        self.assertTrue(9 <= len(maps) <= 12, len(maps))

    def test_a_router_that_began_anew_is_asked_again_within_minutes(self) -> None:
        self.asks()
        self.pass_time(LOOK_SECONDS / 2)
        self.pcp.forget()
        self.pass_time(LOOK_SECONDS)
        self.assertEqual(list(self.pcp.maps), [9999])
        self.assertEqual(len([line for line in self.lines("info") if "has begun anew" in line]), 1)

    def test_one_that_is_switched_off_for_a_while(self) -> None:
        """Its ports are believed as long as their lease runs; nobody waits for half an hour to find it again."""
        self.router.broken = True
        node = self.asks()
        self.pass_time(60)
        self.cable.refuses = True
        self.pass_time(LOOK_SECONDS + 60)
        self.assertEqual((self.said(node).protocol, self.mapping(node)._open), ("", (9999,)))
        self.pcp.forget()
        self.cable.refuses = False
        self.pass_time(LOOK_SECONDS)
        self.assertEqual((self.said(node).protocol, list(self.pcp.maps)), ("PCP", [9999]))
        self.cable.refuses = True
        self.pass_time(LEASE_SECONDS + 2 * LOOK_SECONDS)
        self.assertEqual(self.mapping(node)._open, ())

    def test_a_port_by_which_somebody_came_in(self) -> None:
        """The router gives the number that listens; in the memory network OUTSIDE is where the node is, too."""
        self.cable = CableLine(self.clock, self.pcp, ROUTER, OUTSIDE)
        node = self.asks(OUTSIDE)
        self.meet(node, *self.relays())
        self.pass_time(200)
        self.assertEqual((self.said(node).ports, self.said(node).confirmed), ((9999,), [f"{OUTSIDE}:9999"]))
