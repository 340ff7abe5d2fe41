"""The acceptance run's statistics, against textbook values and hand-made payloads."""

from __future__ import annotations

import struct
from pathlib import Path

from twisted.trial import unittest

from tests.acceptance import wiretap
from tests.acceptance.uniform import not_more
from tests.acceptance.uniformity import chi_square_p, exempt_from_blocking, position_p_values, upper_gamma


class ChiSquareTests(unittest.SynchronousTestCase):
    def test_textbook_quantiles(self) -> None:
        for freedom, statistic, p in ((1, 3.8415, 0.05), (10, 18.307, 0.05), (255, 310.457, 0.01)):
            self.assertAlmostEqual(upper_gamma(freedom / 2, statistic / 2), p, places=4)

    def test_even_counts_are_certain_and_a_fixed_byte_impossible(self) -> None:
        self.assertEqual(chi_square_p([40] * 256), 1.0)
        self.assertLess(chi_square_p([10_240] + [0] * 255), 1e-300)

    def test_each_position_has_its_own_value(self) -> None:
        flights = [bytes([n % 256, 7]) for n in range(2560)]
        even, fixed = position_p_values(flights, 2)
        self.assertEqual(even, 1.0)
        self.assertLess(fixed, 1e-100)


class BlockingRuleTests(unittest.SynchronousTestCase):
    uniform = bytes(range(128, 256)) + bytes(range(128))

    def test_even_bits_without_any_trait_are_blocked(self) -> None:
        shuffled = bytes((n * 167 + 129) % 256 for n in range(512))
        self.assertFalse(exempt_from_blocking(shuffled))

    def test_each_rule_alone_exempts(self) -> None:
        plain = bytes((n * 167 + 129) % 256 for n in range(512))
        exempt = {
            "few bits": bytes(512),
            "many bits": b"\xff" * 512,
            "six printable bytes first": b"abcdef" + plain,
            "half printable": b"\xaa\xcc\x99AB" * 99 + b"\x81ABABAB" * 99,
            "a printable run of 21": plain + b"A" * 21,
            "TLS": b"\x16\x03\x01" + plain,
            "HTTP": b"GET " + plain,
        }
        for rule, payload in exempt.items():
            self.assertTrue(exempt_from_blocking(payload), rule)

    def test_just_short_of_a_rule_is_blocked(self) -> None:
        plain = bytes((n * 167 + 129) % 256 for n in range(512))
        for payload in (b"abcde\x81" + plain, plain + b"A" * 20 + b"\x81", b"\x16\x03\x0a" + plain, b"PUSH" + plain):
            self.assertFalse(exempt_from_blocking(payload))


def packet(
    port: int, to: int, number: int, flags: int, data: bytes = b"", hosts: bytes = b"\x7f\0\0\1\x7f\0\0\1"
) -> bytes:
    """An Ethernet frame with IPv4 and TCP, as far as the reader looks, behind its head in a capture file."""
    tcp = struct.pack(">HHIIBBHHH", port, to, number, 0, 5 << 4, flags, 0, 0, 0) + data
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0, hosts[:4], hosts[4:]) + tcp
    whole = bytes(12) + b"\x08\x00" + ip
    return struct.pack("<IIII", 0, 0, len(whole), len(whole)) + whole


class WiretapTests(unittest.SynchronousTestCase):
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 1)

    def capture(self, *packets: bytes) -> Path:
        path = Path(self.mktemp())
        path.write_bytes(self.head + b"".join(packets))
        return path

    def test_directions_in_order_and_once(self) -> None:
        dial = packet(5, 9, 100, 2), packet(9, 5, 200, 18)
        path = self.capture(
            *dial, packet(5, 9, 101, 16, b"one"), packet(5, 9, 101, 16, b"one"), packet(9, 5, 201, 16, b"back"),
            packet(5, 9, 104, 16, b"two"), packet(5, 9, 7, 2), packet(5, 9, 8, 16, b"again"),
        )  # fmt: skip
        first, second = wiretap.flows(path, 9, 100)
        self.assertEqual((first.port, bytes(first.dialler.data), first.dialler.first_bytes), (5, b"onetwo", 3))
        self.assertEqual((bytes(first.listener.data), first.listener.first_bytes), (b"back", 4))
        self.assertEqual(bytes(second.dialler.data), b"again")

    def test_two_diallers_with_one_port(self) -> None:
        one, other = b"\1\1\1\1\3\3\3\3", b"\2\2\2\2\3\3\3\3"
        path = self.capture(
            packet(5, 9, 100, 2, hosts=one), packet(5, 9, 200, 2, hosts=other), packet(5, 9, 201, 16, b"b", other),
            packet(5, 9, 101, 16, b"a", one),
        )  # fmt: skip
        seen = [(flow.hosts, bytes(flow.dialler.data)) for flow in wiretap.flows(path, 9, 100)]
        self.assertEqual(seen, [(("1.1.1.1", "3.3.3.3"), b"a"), (("2.2.2.2", "3.3.3.3"), b"b")])

    def test_a_gap_is_an_error_where_the_bytes_are_wanted(self) -> None:
        path = self.capture(packet(5, 9, 100, 2), packet(5, 9, 101, 16, b"one"), packet(5, 9, 105, 16, b"two"))
        self.assertRaises(wiretap.Broken, wiretap.flows, path, 9, 4)
        self.assertEqual(bytes(wiretap.flows(path, 9, 3)[0].dialler.data), b"one")

    def test_the_control_differs_in_payloads_alone(self) -> None:
        path, other = self.capture(packet(5, 9, 100, 2), packet(5, 9, 101, 16, bytes(64))), Path(self.mktemp())
        wiretap.with_random_payload(path, other)
        before, after = path.read_bytes(), other.read_bytes()
        self.assertEqual((len(after), after[:-64]), (len(before), before[:-64]))
        self.assertNotEqual(after[-64:], before[-64:])

    def test_more_names_than_chance(self) -> None:
        self.assertTrue(not_more(0, 0) and not_more(18, 15) and not_more(6, 1))
        self.assertFalse(not_more(7, 0) or not_more(40, 15))
