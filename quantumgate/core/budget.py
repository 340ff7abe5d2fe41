"""Token buckets: how often something may happen. Used by the receiver to see floods and by the sender to pace itself.

Both sides count alike, the sender at ``BUDGET_PACE`` of the numbers, so an honest peer cannot hit them. [A22]
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

from quantumgate.wire.limits import BUDGET_PACE, FLOOD_BURST_FACTOR

K = TypeVar("K", bound=Hashable)
ROUNDING = 1e-6
"""A token that lacks no more than this is there: a timer set for that very moment would else miss it, for ever."""


class TokenBucket:
    """``rate`` tokens a second, at most ``burst`` of them saved up. Time is the caller's monotonic seconds."""

    __slots__ = ("_at", "_burst", "_rate", "tokens")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate, self._burst = rate, burst
        self.tokens = burst
        self._at = now

    def _refill(self, now: float) -> None:
        if now > self._at:
            self.tokens = min(self._burst, self.tokens + (now - self._at) * self._rate)
            self._at = now

    def take(self, now: float) -> bool:
        """One token, or False where there is none."""
        if not self.has(now):
            return False
        self.tokens -= 1
        return True

    def has(self, now: float) -> bool:
        """Whether ``take`` would get one."""
        self._refill(now)
        return self.tokens >= 1 - ROUNDING

    def overdraw(self, now: float) -> float:
        """Take one in any case; returns how many are left, negative when the budget was passed."""
        self._refill(now)
        self.tokens -= 1
        return self.tokens

    def next_at(self) -> float:
        """When the next token will be there."""
        return self._at + max(0.0, 1 - self.tokens) / self._rate


class FloodGauge:
    """A receiver's view of one budget: passed for ``flood_seconds``, or by a burst twice its size, is a flood."""

    __slots__ = ("_bucket", "_burst", "_over_since", "_seconds")

    def __init__(self, rate: float, burst: float, flood_seconds: float, now: float) -> None:
        self._bucket = TokenBucket(rate, burst, now)
        self._burst = burst
        self._seconds = flood_seconds
        self._over_since: float | None = None

    def count(self, now: float) -> bool:
        """One more came. True = this is a flood."""
        left = self._bucket.overdraw(now)
        if left >= 0:
            self._over_since = None
            return False
        if self._over_since is None:
            self._over_since = now
        return left < -self._burst * (FLOOD_BURST_FACTOR - 1) or now - self._over_since > self._seconds


def paced(rate: tuple[float, float], now: float) -> TokenBucket:
    """The sender's bucket for a budget of the receiver."""
    return TokenBucket(rate[0] * BUDGET_PACE, rate[1] * BUDGET_PACE, now)


class Buckets(Generic[K]):
    """A bucket for each of many keys, at most ``most``: the one that asked last is forgotten last, and begins full."""

    __slots__ = ("_buckets", "_burst", "_most", "_rate")

    def __init__(self, rate: float, burst: float, most: int) -> None:
        self._rate, self._burst, self._most = rate, burst, most
        self._buckets: dict[K, TokenBucket] = {}

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: K, now: float) -> bool:
        """One token of this key, or False where there is none."""
        bucket = self._buckets.pop(key, None)
        if bucket is None:
            bucket = TokenBucket(self._rate, self._burst, now)
            if len(self._buckets) >= self._most:
                del self._buckets[next(iter(self._buckets))]
        self._buckets[key] = bucket
        return bucket.take(now)

    def has(self, key: K, now: float) -> bool:
        """Whether ``take`` would get one; nothing is taken."""
        bucket = self._buckets.get(key)
        return bucket is None or bucket.has(now)
