"""Tests of quantumgate.crypto.random."""

from __future__ import annotations

import ast
import hashlib
from collections import Counter
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import quantumgate
from quantumgate.crypto.random import FixedRandom, SystemRandom

DOORS = {"urandom", "getrandom", "secrets", "SystemRandom"}


def draws(source: str) -> bool:
    """Whether Python source draws from the system by another door than ours."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr in DOORS - {"secrets"}:
            return True
        if isinstance(node, ast.ImportFrom) and not (node.module or "").startswith("quantumgate"):
            if node.module in DOORS or DOORS & {alias.name for alias in node.names}:
                return True
        elif isinstance(node, ast.Import) and DOORS & {alias.name for alias in node.names}:
            return True
    return False


class SystemRandomTests(SynchronousTestCase):
    """Luck from the system."""

    def test_bytes(self) -> None:
        """As many as asked for, and not the same twice."""
        source = SystemRandom()
        self.assertEqual([len(source.bytes(n)) for n in (0, 1, 32, 5000)], [0, 1, 32, 5000])
        self.assertNotEqual(source.bytes(32), source.bytes(32))

    def test_below_reaches_every_value_and_no_other(self) -> None:
        """3000 draws below 5: each value about 600 times (5 standard deviations are 110)."""
        source = SystemRandom()
        seen = Counter(source.below(5) for _ in range(3000))
        self.assertEqual(set(seen), set(range(5)))
        for value, count in seen.items():
            self.assertTrue(490 <= count <= 710, f"{value} came {count} times of 3000")

    def test_below_one_and_nothing(self) -> None:
        """Below 1 there is only 0; below 0 there is nothing."""
        self.assertEqual(SystemRandom().below(1), 0)
        for n in (0, -1):
            self.assertRaises(ValueError, SystemRandom().below, n)

    def test_below_a_power_of_two_uses_all_bits(self) -> None:
        """The edges of a byte are drawn like the rest."""
        source = SystemRandom()
        self.assertEqual({source.below(256) for _ in range(8000)}, set(range(256)))

    def test_uniform(self) -> None:
        """Within the bounds, and spread: the mean of 2000 draws of U(30, 90) is 60 within five deviations of 0.39."""
        source = SystemRandom()
        drawn = [source.uniform(30, 90) for _ in range(2000)]
        self.assertTrue(all(30 <= x < 90 for x in drawn))
        self.assertTrue(58 < sum(drawn) / 2000 < 62)
        self.assertGreater(max(drawn) - min(drawn), 59)


class FixedRandomTests(SynchronousTestCase):
    """The same draws every time, for known answers."""

    def test_definition(self) -> None:
        """SHA-512(seed || u64 counter), joined; how requests are cut changes nothing."""
        stream = b"".join(hashlib.sha512(b"seed" + bytes(7) + bytes((n,))).digest() for n in range(4))
        self.assertEqual(FixedRandom(b"seed").bytes(256), stream)
        cut = FixedRandom(b"seed")
        self.assertEqual(b"".join(cut.bytes(n) for n in (0, 1, 63, 64, 65, 63)), stream)

    def test_numbers_come_from_the_same_stream(self) -> None:
        """below: most significant bits first, rejected where too large."""
        source = FixedRandom(b"x")
        reference = FixedRandom(b"x").bytes(64)
        expected = [byte >> 5 for byte in reference if byte >> 5 < 5]
        self.assertEqual([source.below(5) for _ in range(10)], expected[:10])


class OnlyDoorTests(SynchronousTestCase):
    """The system's generator is touched in one file of the floor."""

    def test_no_other_file_draws(self) -> None:
        """No module of this floor but random.py takes urandom, getrandom or secrets; test_house.py sees to the rest."""
        floor = Path(quantumgate.__file__).parent / "crypto"
        found = {path.name for path in floor.glob("*.py") if draws(path.read_text())}
        self.assertEqual(found, {"random.py"})

    def test_drawing_is_recognised(self) -> None:
        """In every form of import, and not in a text."""
        for source in ("os.urandom(3)", "from os import urandom", "import secrets", "from secrets import token_bytes"):
            self.assertTrue(draws(source), source)
        self.assertFalse(draws("'head -c 64 /dev/urandom > secret'"))
