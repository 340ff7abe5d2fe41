"""When to try again: a delay that doubles, with jitter, a cap and a reset by hand.

Pure: time and luck are arguments. Not for: doing the retry (``node/keeper.py``). Spec: docs/spec/liveness.md [A27].
"""

from __future__ import annotations

from typing import Protocol

JITTER_SHARE = 0.2
"""The drawn delay lies between (1 - this) and 1 times the step, so the cap is never passed."""


class Luck(Protocol):
    """The part of ``crypto.random.RandomSource`` that a back-off needs."""

    def uniform(self, low: float, high: float) -> float: ...


class Backoff:
    """One target's retries. ``failures`` in a row, and ``next_try`` (seconds on the caller's clock) or None."""

    __slots__ = ("_cap_seconds", "_first_seconds", "_luck", "failures", "next_try")

    def __init__(self, luck: Luck, *, first_seconds: float = 1.0, cap_seconds: float = 60.0) -> None:
        self._luck = luck
        self._first_seconds = first_seconds
        self._cap_seconds = cap_seconds
        self.failures = 0
        self.next_try: float | None = None

    def failed(self, now: float) -> float:
        """Counts a failure and returns the seconds to wait before the next try."""
        step_seconds = min(self._cap_seconds, self._first_seconds * 2.0 ** min(self.failures, 64))
        delay_seconds = self._luck.uniform(step_seconds * (1 - JITTER_SHARE), step_seconds)
        self.failures += 1
        self.next_try = now + delay_seconds
        return delay_seconds

    def reset(self) -> None:
        """Success, or an operator's "try now": the next failure starts from the first step again."""
        self.failures = 0
        self.next_try = None

    def seconds_left(self, now: float) -> float | None:
        """Seconds until the next try, 0 if it is due, None where none is planned."""
        return None if self.next_try is None else max(0.0, self.next_try - now)
