"""Prefixes: /24 and /56, mapped addresses, and what counts as this machine."""

from __future__ import annotations

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.net.prefix import LOCAL, ip_of, is_loopback, network_of


def v4(host: str) -> IPv4Address:
    return IPv4Address("TCP", host, 1)


def v6(host: str) -> IPv6Address:
    return IPv6Address("TCP", host, 1)


class PrefixTests(SynchronousTestCase):
    def test_neighbours_share_a_prefix(self) -> None:
        self.assertEqual(network_of(v4("192.0.2.1"), 24, 56), network_of(v4("192.0.2.254"), 24, 56))
        self.assertNotEqual(network_of(v4("192.0.2.1"), 24, 56), network_of(v4("192.0.3.1"), 24, 56))
        self.assertNotEqual(network_of(v4("192.0.2.1"), 32, 64), network_of(v4("192.0.2.2"), 32, 64))

    def test_ipv6_by_its_own_length(self) -> None:
        self.assertEqual(network_of(v6("2001:db8:0:1200::1"), 24, 56), network_of(v6("2001:db8:0:12ff::9"), 24, 56))
        self.assertNotEqual(network_of(v6("2001:db8:0:1200::1"), 24, 56), network_of(v6("2001:db8:0:1300::1"), 24, 56))

    def test_a_dual_stack_listener_sees_the_same_ipv4_prefix(self) -> None:
        self.assertEqual(network_of(v6("::ffff:192.0.2.7"), 24, 56), network_of(v4("192.0.2.1"), 24, 56))

    def test_families_do_not_collide(self) -> None:
        self.assertNotEqual(network_of(v4("0.0.1.0"), 24, 56), network_of(v6("::1:0"), 24, 56))

    def test_this_machine(self) -> None:
        for address in (v4("127.0.0.1"), v4("127.9.9.9"), v6("::1"), v6("::ffff:127.0.0.1"), UNIXAddress(b"/x"), None):
            self.assertTrue(is_loopback(address), address)
            self.assertEqual(network_of(address, 24, 56), LOCAL)
        for address in (v4("10.0.0.1"), v6("fe80::1%eth0"), v4("0.0.0.0")):
            self.assertFalse(is_loopback(address), address)

    def test_a_scope_is_not_part_of_the_ip(self) -> None:
        self.assertEqual(str(ip_of(v6("fe80::1%eth0"))), "fe80::1")
