"""How fast a relay carries: credit of its links comes back no faster than so many bytes a second, for all together.

Nothing waits here but numbers: the bytes went on when they could, and their sender waits for credit. So a relay stays
within its rate but for one first window of each link. Not for: who may have a link (``quota.py``), timers (``node/``).
Spec: docs/spec/relays.md, 5 (``relay.rate_bytes_per_second``).
"""

from __future__ import annotations

from collections import deque

from quantumgate.core.relay.link import Link

BURST_SECONDS = 0.1
"""How much may pass at once after a pause: so long's worth."""


class CarriedRate:
    """One relay's. ``rate`` is bytes a second."""

    __slots__ = ("_at", "_level", "_rate", "_waiting")

    def __init__(self, rate: int, now: float) -> None:
        self._rate, self._at = rate, now
        self._level = rate * BURST_SECONDS
        self._waiting: deque[tuple[Link, int, float]] = deque()

    def moved(self, link: Link, count: int, now: float) -> None:
        """``count`` bytes that came on ``link`` went on: its credit comes back now, or in ``release``."""
        self._waiting.append((link, count, now))
        self.release(now)

    def release(self, now: float) -> None:
        """Gives back what is due, in the order in which it moved."""
        self._level = min(self._rate * BURST_SECONDS, self._level + (now - self._at) * self._rate)
        self._at = now
        while self._waiting and self._level > -1e-6:
            link, count, at = self._waiting.popleft()
            self._level -= count
            link.consumed(count, late=now > at)

    def due_in_seconds(self) -> float | None:
        """When ``release`` has something to do again; None = when something moved."""
        return max(0.0, -self._level / self._rate) if self._waiting else None
