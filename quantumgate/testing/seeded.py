"""Luck that repeats: the same seed, the same draws, on every machine and Python.

Not for: anything that must be secret. The real source is ``crypto/random.py``.
"""

from __future__ import annotations

import random


class SeededRandom:
    """A ``crypto.random.RandomSource``. ``seed`` is anything with a stable repr: a number, a name, a tuple of them."""

    def __init__(self, seed: object = 0) -> None:
        self._seed = seed
        self._source = random.Random(repr(seed))

    def bytes(self, n: int) -> bytes:
        """n bytes."""
        return self._source.randbytes(n)

    def uniform(self, low: float, high: float) -> float:
        """A float with low <= x < high."""
        return low + (high - low) * self._source.random()

    def below(self, n: int) -> int:
        """An integer with 0 <= x < n; ValueError for n < 1."""
        return self._source.randrange(n)

    def branch(self, name: object) -> SeededRandom:
        """Another source that depends on this one's seed and the name, not on what was drawn so far."""
        return SeededRandom((self._seed, name))
