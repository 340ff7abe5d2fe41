"""A router that maps ports, as miniupnpc talks to it: given, renewed, taken by somebody else, refused, taken back."""

from __future__ import annotations

import sys

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.errors import LocalError
from quantumgate.net.portmap import HIGH_PORTS, find_router, no_router
from quantumgate.testing.seeded import SeededRandom
from tests.net.igd import Igd


class RouterTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.igd = Igd()
        self.addCleanup(self.igd.close)
        self.router = find_router(SeededRandom(self.id()), self.igd.url)

    def test_the_same_port_for_as_long_as_it_is_asked_for(self) -> None:
        self.assertEqual(self.router.open(9999, 3600), 9999)
        self.assertEqual(self.igd.ports, {9999: (9999, 3600)})
        self.assertEqual(self.router.open(9999, 3600), 9999)
        self.assertEqual(len(self.igd.ports), 1)
        self.router.close(9999)
        self.assertEqual(self.igd.ports, {})

    def test_another_one_where_somebody_else_has_it(self) -> None:
        self.igd.taken.add(9999)
        external = self.router.open(9999, 3600)
        self.assertTrue(HIGH_PORTS[0] <= external < HIGH_PORTS[1], external)
        self.assertEqual(self.igd.ports, {external: (9999, 3600)})
        self.assertEqual(self.router.open(9999, 3600), external, "again the one that it has")

    def test_a_router_without_leases(self) -> None:
        self.igd.leases = False
        self.assertEqual(self.router.open(9999, 3600), 9999)
        self.assertEqual(self.igd.ports, {9999: (9999, 0)})

    def test_one_that_refuses(self) -> None:
        self.igd.willing = False
        error = self.assertRaises(LocalError, self.router.open, 9999, 3600)
        self.assertIn("the router maps no port to this node", str(error))
        self.assertLessEqual(len(self.igd.asked), 8)
        self.assertRaises(LocalError, self.router.close, 9999)


class NobodyTests(SynchronousTestCase):
    def test_a_router_that_is_none(self) -> None:
        error = self.assertRaises(LocalError, find_router, SeededRandom(), "http://127.0.0.1:1/none.xml")
        self.assertIn("no router here maps ports", str(error))
        self.assertRaises(LocalError, no_router)

    def test_without_the_package(self) -> None:
        there = sys.modules.get("miniupnpc")
        sys.modules["miniupnpc"] = None  # type: ignore[assignment]  # what import takes for "not installed"
        self.addCleanup(sys.modules.__setitem__, "miniupnpc", there)
        error = self.assertRaises(LocalError, find_router, SeededRandom())
        self.assertIn("quantumgate[upnp]", error.advice)
