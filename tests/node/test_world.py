"""The real world: steady and wall time, endpoints for hosts of every spelling, work off the reactor thread."""

from __future__ import annotations

import threading
import time

from twisted.internet import reactor
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.trial.unittest import SynchronousTestCase, TestCase

from quantumgate.node.world import real_world
from quantumgate.testing.network import MemoryNetwork
from tests.node.world import BEGINNING_SECONDS, Drift, memory_world


class RealTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.world = real_world(reactor)

    def test_hosts(self) -> None:
        for host, kind in (
            ("192.0.2.1", TCP4ClientEndpoint),
            ("2001:db8::1", TCP6ClientEndpoint),
            ("[2001:db8::1]", TCP6ClientEndpoint),
            ("fe80::1%eth0", TCP6ClientEndpoint),
            ("example.net", HostnameEndpoint),
        ):
            self.assertIsInstance(self.world.host(host, 9999), kind, host)

    def test_what_is_no_endpoint_is_a_value_error(self) -> None:
        self.assertRaises(ValueError, self.world.server, "bogus:1")
        self.assertRaises(ValueError, self.world.client, "bogus:1")

    def test_times(self) -> None:
        self.assertLess(abs(self.world.wall_seconds() - time.time()), 60)
        self.assertLess(abs(self.world.now() - time.monotonic()), 60)
        self.assertLess(abs(self.world.wall_offset_seconds - (time.time() - time.monotonic())), 1)


class ElsewhereTests(TestCase):
    async def test_runs_in_another_thread(self) -> None:
        thread, product = await real_world(reactor).elsewhere(lambda a, b: (threading.get_ident(), a * b), 6, 7)
        self.assertEqual(product, 42)
        self.assertNotEqual(thread, threading.get_ident())


class FakeTests(SynchronousTestCase):
    def test_the_fake_one_of_the_tests_obeys_the_same_law(self) -> None:
        network, drift = MemoryNetwork(), Drift()
        world = memory_world(network, "x", drift)
        network.clock.advance(5)
        drift.seconds = -100
        self.assertEqual((world.now(), world.wall_seconds()), (5, BEGINNING_SECONDS - 95))
        self.assertEqual(world.wall_offset_seconds, BEGINNING_SECONDS - 100)
        self.assertRaises(ValueError, world.client, "bogus:1")
