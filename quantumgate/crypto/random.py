"""Where luck comes from: the system's generator, behind an interface that tests can replace.

Not for: keys made inside the crypto library, which draws its own randomness. Nothing else in the package may touch
``os.urandom``. Spec: docs/spec/crypto.md (randomness).
"""

from __future__ import annotations

import hashlib
import os
from typing import Protocol

from quantumgate.errors import BugError

_UNIT = 1 << 53
"""Doubles between 0 and 1 have 53 bits that can be drawn evenly."""


class RandomSource(Protocol):
    """Even, unpredictable draws."""

    def bytes(self, n: int) -> bytes:
        """n random bytes."""

    def uniform(self, low: float, high: float) -> float:
        """A float with low <= x < high, written U(low, high) in the specification."""

    def below(self, n: int) -> int:
        """An integer with 0 <= x < n, without bias; n >= 1."""


class _Draws:
    """Numbers out of bytes, the same way for every source."""

    __slots__ = ()

    def bytes(self, n: int) -> bytes:
        raise BugError("a source of luck must say where its bytes come from")

    def uniform(self, low: float, high: float) -> float:
        """An even draw from [low, high)."""
        return low + (high - low) * (self.below(_UNIT) / _UNIT)

    def below(self, n: int) -> int:
        """An even draw from 0 .. n-1, by rejection. Raises ValueError for n < 1."""
        if n < 1:
            raise ValueError(f"cannot draw below {n}")
        bits = (n - 1).bit_length()
        length = (bits + 7) // 8
        while True:
            drawn = int.from_bytes(self.bytes(length), "big") >> (8 * length - bits)
            if drawn < n:
                return drawn


class SystemRandom(_Draws):
    """A RandomSource over the operating system's generator."""

    __slots__ = ()

    def bytes(self, n: int) -> bytes:
        """n bytes from the kernel."""
        return os.urandom(n)


class FixedRandom(_Draws):
    """Always the same draws, for known answers and vectors, never for keys: SHA-512(seed || u64 counter), joined."""

    __slots__ = ("_counter", "_rest", "_seed")

    def __init__(self, seed: bytes) -> None:
        self._seed, self._counter, self._rest = seed, 0, b""

    def bytes(self, n: int) -> bytes:
        """The next n bytes; how requests are cut does not change the stream."""
        parts, have = [self._rest], len(self._rest)
        while have < n:
            parts.append(hashlib.sha512(self._seed + self._counter.to_bytes(8, "big")).digest())
            self._counter, have = self._counter + 1, have + 64
        data = b"".join(parts)
        self._rest = data[n:]
        return data[:n]
