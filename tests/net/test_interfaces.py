"""Interfaces as this machine has them: what is said of each, and which are left out."""

from __future__ import annotations

import socket
from ipaddress import ip_address
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.net import interfaces as module
from quantumgate.net.interfaces import Interface, interfaces

TABLE = """00000000000000000000000000000001 01 80 10 80       lo
fe80000000000000646afefffe5ffc77 02 40 20 80     eth0
20010db8000000000000000000000001 02 40 00 80     eth0
torn line
"""


class InterfacesTests(SynchronousTestCase):
    def test_each_is_there_and_none_is_loopback(self) -> None:
        names = dict(socket.if_nameindex())
        for one in interfaces():
            self.assertEqual(names.get(one.index), one.name)
            address = ip_address(one.address)
            self.assertFalse(address.is_loopback, one)
            self.assertEqual(one.family, socket.AF_INET if address.version == 4 else socket.AF_INET6)

    def test_link_local_addresses_by_interface(self) -> None:
        table = Path(self.mktemp())
        self.patch(module, "_IPV6_TABLE", table)
        self.assertEqual(module._link_local(), {}, "a system without IPv6")
        table.write_text(TABLE, encoding="ascii")
        self.assertEqual(module._link_local(), {"eth0": "fe80::646a:feff:fe5f:fc77"})

    def test_an_interface_that_is_gone_has_nothing_to_say(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
            self.assertFalse(module._carries_multicast(asker, "no-such-one"))
            self.assertFalse(module._carries_multicast(asker, "lo"))

    def test_elsewhere_the_way_out_is_taken(self) -> None:
        self.patch(module.sys, "platform", "other")
        self.patch(module, "own_addresses", lambda: ("192.0.2.7", "2001:db8::7"))
        self.assertEqual(interfaces(), frozenset({Interface(0, "", "192.0.2.7")}))
