"""Luck that repeats."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.testing.seeded import SeededRandom


class SeededRandomTests(SynchronousTestCase):
    """As a RandomSource."""

    def test_repeats(self) -> None:
        """The same seed, the same draws; another seed, others. The values are fixed for all machines and versions."""
        one, two, other = SeededRandom("seed"), SeededRandom("seed"), SeededRandom("other")
        self.assertEqual(one.bytes(8), two.bytes(8))
        self.assertEqual(SeededRandom(0).bytes(4).hex(), "45bf975c")
        self.assertNotEqual(other.bytes(8), SeededRandom("seed").bytes(8))

    def test_ranges(self) -> None:
        source = SeededRandom(1)
        floats = [source.uniform(2, 3) for _ in range(1000)]
        self.assertTrue(all(2 <= x < 3 for x in floats) and max(floats) - min(floats) > 0.9)
        self.assertEqual({source.below(3) for _ in range(100)}, {0, 1, 2})
        self.assertRaises(ValueError, source.below, 0)

    def test_branches(self) -> None:
        """They depend on the seed and the name, not on what was drawn before."""
        source = SeededRandom(1)
        first = source.branch("a").bytes(8)
        source.bytes(100)
        self.assertEqual(source.branch("a").bytes(8), first)
        self.assertNotEqual(source.branch("b").bytes(8), first)
