"""The replay window: which first flights were answered, and how many answers a second a node gives.

One object per node, shared by all its responders. It keeps the salts of *answered* first flights in one bucket per
minute of their timestamp ``a``; it keeps nothing about peers, least of all a greatest timestamp. Not for: what is asked
in the first flight. Spec: docs/spec/handshake.md section 10.
"""

from __future__ import annotations

import hashlib

from quantumgate.core.overload import PLAIN_COST
from quantumgate.wire.limits import ANSWERS_PER_SECOND, DEFAULT_LIMITS, SALT_ENTRIES, Limits

MINUTE_MS = 60_000
LEAST_BURST = 2.0
"""However few a second: below, a share that is kept for others would be all of it."""
FAR_MS = 1 << 64
REACH_SECONDS = 720
"""The capacity covers the answers of 12 minutes, so that ``floor_ms`` never passes now - 6 minutes."""


class ReplayWindow:
    """``wall_ms`` below is always unix time in milliseconds, ``a_ms`` the timestamp in a first flight."""

    __slots__ = (
        "_answers",
        "_at",
        "_buckets",
        "_capacity",
        "_key",
        "_limits",
        "_most",
        "_oldest_ms",
        "_rate",
        "count",
        "floor_ms",
    )

    def __init__(
        self,
        key: bytes,
        wall_ms: int,
        *,
        saved_floor_ms: int = 0,
        capacity: int = SALT_ENTRIES,
        answers_per_second: float = ANSWERS_PER_SECOND,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        """``key``: 32 random bytes of this process, so that nobody can aim for equal hashes.

        ``answers_per_second`` infinite: no budget. The capacity stays: more than 500 a second for long move the floor.
        """
        self._key = key
        self._limits = limits
        budgeted = answers_per_second != float("inf")
        self._capacity = max(capacity, int(answers_per_second / PLAIN_COST * REACH_SECONDS)) if budgeted else capacity
        self._buckets: dict[int, set[bytes]] = {}
        self._oldest_ms = FAR_MS
        self._rate = answers_per_second
        self._most = self._answers = max(answers_per_second, LEAST_BURST)
        self._at = float("-inf")
        self.count = 0
        self.floor_ms = max(wall_ms - MINUTE_MS, saved_floor_ms)

    def fresh(self, salt: bytes, a_ms: int, wall_ms: int) -> bool:
        """Whether this first flight may still be answered. Changes nothing."""
        ahead_ms, back_ms = self._limits.clock_ahead_seconds * 1000, self._limits.clock_window_seconds * 1000
        if a_ms % MINUTE_MS or not max(self.floor_ms, wall_ms - back_ms - 1) < a_ms <= wall_ms + ahead_ms:
            return False
        return self._hash(salt) not in self._buckets.get(a_ms, ())

    def may_answer(self, now: float, kept_share: float = 0.0) -> bool:
        """Whether the budget of answers (RESP, RETRY and REFUSE together) has one left. Takes nothing.

        ``kept_share`` of a second's budget is not for whoever asks: others have more right to it.
        """
        if now > self._at:
            self._answers = min(self._most, self._answers + (now - self._at) * self._rate)
            self._at = now
        return self._answers >= 1 + (kept_share * self._rate if self._rate != float("inf") else 0)

    def charge(self, cost: float) -> None:
        """Takes this much of the budget of answers, whether it is there or not. 1 = an answer of the cheapest kind."""
        self._answers -= cost

    def enter(self, salt: bytes, a_ms: int, wall_ms: int, cost: float = 1.0) -> None:
        """Call immediately before the first byte of an answer, never earlier: only the answered ones may fill it.

        ``cost``: of this answer.
        """
        self.charge(cost)
        bucket = self._buckets.setdefault(a_ms, set())
        self.count -= len(bucket)
        bucket.add(self._hash(salt))
        self.count += len(bucket)
        self._oldest_ms = min(self._oldest_ms, a_ms)
        reach_ms = wall_ms - self._limits.clock_window_seconds * 1000
        while self.count > self._capacity or (self._buckets and self._oldest_ms < reach_ms):
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        """Its minute becomes the floor, also where it only grew old: a clock set back must not open it again."""
        self.count -= len(self._buckets.pop(self._oldest_ms))
        self.floor_ms = max(self.floor_ms, self._oldest_ms)
        self._oldest_ms = min(self._buckets, default=FAR_MS)

    def _hash(self, salt: bytes) -> bytes:
        return hashlib.blake2b(salt, digest_size=8, key=self._key).digest()
