"""One form for every address, whatever it is written like: nothing passes a filter under another name."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.access.addresses import address_of, canonical, hinted, narrow, network_of_text, wide, within
from quantumgate.errors import LocalError

ipv4 = st.integers(0, 2**32 - 1).map(IPv4Address)
ipv6 = st.integers(0, 2**128 - 1).map(IPv6Address)


def forms(address: IPv4Address) -> list[str]:
    """Ways in which a transport may spell the same IPv4 address."""
    number = int(address)
    high, low = number >> 16, number & 0xFFFF
    return [
        str(address), f"::ffff:{address}", f"::FFFF:{high:x}:{low:x}", f"0:0:0:0:0:ffff:{high:04X}:{low:04X}",
        f"::ffff:{address}%eth0", f"64:ff9b::{address}", f"64:ff9b:0:0::{high:x}:{low:x}", f"{address}%1",
    ]


class CanonicalTests(SynchronousTestCase):
    @given(ipv4)
    def test_every_form_of_an_ipv4_address_is_that_address(self, address: IPv4Address) -> None:
        self.assertEqual({address_of(form) for form in forms(address)}, {address})

    @given(ipv6)
    def test_once_is_enough(self, address: IPv6Address) -> None:
        self.assertEqual(canonical(canonical(address)), canonical(address))

    def test_a_zone_makes_no_other_address(self) -> None:
        self.assertEqual(address_of("fe80::1%eth0"), ip_address("fe80::1"))
        self.assertEqual(address_of("fe80::1%eth1"), address_of("FE80:0::0001"))

    def test_what_is_none(self) -> None:
        for text in ("", "left", "/run/x", "1.2.3", "0x7f.1", "010.0.0.1", "1.2.3.4.", "::1::", "example.org", "1"):
            self.assertIsNone(address_of(text), text)


class HintTests(SynchronousTestCase):
    @given(ipv4)
    def test_what_hints_at_an_ipv4_address(self, address: IPv4Address) -> None:
        number = int(address)
        six_to_four = IPv6Address(0x2002 << 112 | number << 80 | 1)
        teredo = IPv6Address(0x2001_0000 << 96 | (~number & 0xFFFFFFFF))
        for one in (six_to_four, teredo):
            self.assertEqual(hinted(one), (one, address))
        self.assertEqual(hinted(address), (address,))

    def test_compatible_ones_but_not_loopback(self) -> None:
        self.assertEqual(hinted(IPv6Address("::10.0.0.1"))[1:], (IPv4Address("10.0.0.1"),))
        self.assertEqual(hinted(IPv6Address("::1")), (IPv6Address("::1"),))
        self.assertEqual(hinted(IPv6Address("2001:db8::1")), (IPv6Address("2001:db8::1"),))


class NetworkTextTests(SynchronousTestCase):
    def test_what_people_write(self) -> None:
        for text, wanted in {
            "192.0.2.7": "192.0.2.7/32", "192.0.2.0/24": "192.0.2.0/24", "0.0.0.0/0": "0.0.0.0/0", "::/0": "::/0",
            "2001:DB8::/32": "2001:db8::/32", "::ffff:10.0.0.0/104": "10.0.0.0/8", "::ffff:10.1.2.3": "10.1.2.3/32",
            "64:ff9b::192.0.2.0/120": "192.0.2.0/24",
        }.items():
            self.assertEqual(network_of_text(text), ip_network(wanted), text)

    def test_what_is_refused(self) -> None:
        for text in ("", "all", "10.0.0.0/33", "10.0.0.0/288", "::/129", "10.0.0.0/255.0.0.0", "10.0.0.0/-1",
                     "10.0.0.0/+8", "10.0.0.0/ 8", "10.0.0.0/8 ", "10.0.0.0/٨", "10.0.0.0/", "010.0.0.0/8", "10/8",
                     "10.0.0.0/8/8", "fe80::%eth0/64", "::ffff:0:0/90", "10.0.0.0/0008", "١.٢.٣.٤"):
            self.assertRaises(LocalError, network_of_text, text)

    def test_advice(self) -> None:
        for text, words in (("10.0.0.1/8", "did you mean 10.0.0.0/8"), ("fe80::1%eth0", "leave '%eth0' out"),
                            ("::ffff:1.2.3.4/80", "write it as IPv4")):
            with self.assertRaises(LocalError) as caught:
                network_of_text(text)
            self.assertIn(words, caught.exception.advice)

    @given(st.one_of(ipv4, ipv6), st.data())
    def test_what_is_printed_is_read_again(self, address: IPv4Address | IPv6Address, data: st.DataObject) -> None:
        address = canonical(address)
        network = within(address, data.draw(st.integers(0, address.max_prefixlen)))
        if canonical(network.network_address) == network.network_address:
            self.assertEqual(network_of_text(str(network)), network)


class PrefixTests(SynchronousTestCase):
    def test_the_two_of_a_score(self) -> None:
        for text, small, large in (("192.0.2.77", "192.0.2.77/32", "192.0.2.0/24"),
                                   ("2001:db8:0:1ff::1", "2001:db8:0:1ff::1/128", "2001:db8:0:100::/56")):
            self.assertEqual((narrow(ip_address(text)), wide(ip_address(text))),
                             (ip_network(small), ip_network(large)))
