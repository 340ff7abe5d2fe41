"""Groups and quarters of addresses: what counts as near."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.places import BY_NAME, bare_address, group_of, network_of, quarter_of


class PlacesTests(SynchronousTestCase):
    def test_a_group_is_a_16_or_a_32(self) -> None:
        self.assertEqual(group_of("192.0.2.7"), group_of("192.0.250.1"))
        self.assertNotEqual(group_of("192.0.2.7"), group_of("192.1.2.7"))
        self.assertEqual(group_of("2001:db8::1"), group_of("[2001:db8:ffff::1]"))
        self.assertNotEqual(group_of("2001:db8::1"), group_of("2001:db9::1"))

    def test_a_quarter_is_a_24_or_a_56(self) -> None:
        self.assertEqual(quarter_of("192.0.2.7"), quarter_of("192.0.2.200"))
        self.assertNotEqual(quarter_of("192.0.2.7"), quarter_of("192.0.3.7"))
        self.assertEqual(quarter_of("2001:db8::1"), quarter_of("2001:db8:0:ff::1"))
        self.assertNotEqual(quarter_of("2001:db8::1"), quarter_of("2001:db8:0:100::1"))

    def test_a_mapped_address_is_the_one_that_it_is(self) -> None:
        self.assertEqual(group_of("::ffff:192.0.2.7"), group_of("192.0.2.7"))
        self.assertEqual(str(bare_address("::ffff:192.0.2.7")), "192.0.2.7")

    def test_names_are_one_group_and_have_no_network(self) -> None:
        self.assertEqual(network_of("gate.example"), "")
        self.assertEqual(group_of("gate.example"), BY_NAME)
        self.assertEqual(group_of("other.example"), BY_NAME)
        self.assertEqual(quarter_of("gate.example"), "name:gate.example")
        self.assertIsNone(bare_address("fe80::1%eth0"))
