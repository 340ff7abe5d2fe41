"""A router that maps ports, as miniupnpc talks to it: given, renewed, taken by somebody else, refused, taken back."""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet.defer import Deferred, execute
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.errors import LocalError
from quantumgate.net.portmap import HIGH_PORTS, Aside, Lease, find_upnp, no_router, upnp_router
from quantumgate.testing.seeded import SeededRandom
from tests.net.igd import Igd


class RouterTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.igd = Igd()
        self.addCleanup(self.igd.close)
        self.router = upnp_router(SeededRandom(self.id()), self.igd.url)

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


    def test_off_the_reactor_thread(self) -> None:
        """Each call goes elsewhere; what comes back is what others say of theirs."""
        self.igd.taken.add(9999)
        calls: list[str] = []

        def elsewhere(function: Any, *arguments: Any) -> Deferred[Any]:
            calls.append(function.__name__)
            return execute(function, *arguments)

        aside = Aside(self.router, self.router.outside(), elsewhere)
        lease: Lease = self.successResultOf(aside.open(9999, 3600))
        self.assertEqual((lease.seconds, self.igd.ports), (3600, {lease.external: (9999, 3600)}))
        self.assertFalse(self.successResultOf(aside.forgot()))
        self.successResultOf(aside.close(lease.external))
        self.failureResultOf(aside.close(lease.external), LocalError)
        self.assertEqual((calls, self.igd.ports), (["open", "close", "close"], {}))
        self.assertEqual((aside.protocol, aside.outside), ("UPnP", "84.20.7.153"))


class NobodyTests(SynchronousTestCase):
    def test_a_router_that_is_none(self) -> None:
        error = self.assertRaises(LocalError, upnp_router, SeededRandom(), "http://127.0.0.1:1/none.xml")
        self.assertIn("no router here speaks it", str(error))
        self.failureResultOf(no_router(""), LocalError)

    def test_without_the_package(self) -> None:
        there = sys.modules.get("miniupnpc")
        sys.modules["miniupnpc"] = None  # type: ignore[assignment]  # what import takes for "not installed"
        self.addCleanup(sys.modules.__setitem__, "miniupnpc", there)
        error = self.failureResultOf(find_upnp(execute, SeededRandom()), LocalError).value
        self.assertIn("quantumgate[upnp]", error.advice)
