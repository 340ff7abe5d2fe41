"""The acceptance run's statistics, against textbook values and hand-made payloads."""

from __future__ import annotations

from twisted.trial import unittest

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
