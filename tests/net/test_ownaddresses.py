"""Own addresses, asked of the routing table of this machine; where there is no way out there are none."""

from __future__ import annotations

import socket
from ipaddress import ip_address
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.net import ownaddresses


class OwnAddressesTests(SynchronousTestCase):
    def test_the_source_of_a_packet_to_here_is_here(self) -> None:
        self.patch(ownaddresses, "_FAR_AWAY", ((socket.AF_INET, "127.0.0.1"),))
        self.assertEqual(ownaddresses.own_addresses(), ("127.0.0.1",))

    def test_at_most_one_of_each_family(self) -> None:
        found = [ip_address(one).version for one in ownaddresses.own_addresses()]
        self.assertEqual(found, sorted(set(found)))

    def test_no_way_out(self) -> None:
        class NoWay(socket.socket):
            def connect(self, address: Any) -> None:
                raise OSError("network is unreachable")

        self.patch(socket, "socket", NoWay)
        self.assertEqual(ownaddresses.own_addresses(), ())

    def test_nothing_is_sent(self) -> None:
        """A socket that hears all that comes to the port that is named hears nothing."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
            ear.bind(("127.0.0.1", 0))
            ear.setblocking(False)
            self.patch(ownaddresses, "_FAR_AWAY", ((socket.AF_INET, "127.0.0.1"),))
            self.patch(ownaddresses, "_PORT", ear.getsockname()[1])
            self.assertEqual(ownaddresses.own_addresses(), ("127.0.0.1",))
            self.assertRaises(BlockingIOError, ear.recv, 1)
