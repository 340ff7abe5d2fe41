"""The law of links: how long a question takes, and how often it comes to nothing; and the queue of what happens when.

A question is asked over a session that is made for it: a TCP connection, the handshake, SESSION, FIND and FOUND are
five flights each way, 5 round trips before the answer is there. Whoever is gone refuses at once where its machine
still stands (``refusing`` of the cases), else the dial takes the whole ``dial_seconds``. All numbers are the law's;
``tests/simulation/test_cores.py`` holds it against real cores.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any

from quantumgate.wire.limits import DEFAULT_LIMITS


@dataclass(frozen=True, slots=True)
class Law:
    """One-way latencies are drawn for each node, log-normal about ``latency_seconds``."""

    latency_seconds: float = 0.04
    spread: float = 0.6
    flights: int = 8
    loss: float = 0.01
    refusing: float = 0.5
    dial_seconds: float = DEFAULT_LIMITS.dial_seconds
    churn_per_hour: float = 0.2

    def latency(self, luck: random.Random) -> float:
        """Of one node, half of the way to anybody."""
        return self.latency_seconds / 2 * luck.lognormvariate(0, self.spread)


class Queue:
    """What happens when; ``now`` is simulated seconds."""

    def __init__(self, now: float) -> None:
        self.now, self.done = now, 0
        self._heap: list[tuple[float, int, Callable[..., Any], tuple[Any, ...]]] = []
        self._count = 0

    def later(self, seconds: float, call: Callable[..., Any], *arguments: Any) -> None:
        """Of two at one moment the one that was set first comes first."""
        self._count += 1
        heappush(self._heap, (self.now + seconds, self._count, call, arguments))

    def run_until(self, moment: float) -> None:
        """All that is due before."""
        heap = self._heap
        while heap and heap[0][0] <= moment:
            self.now, _, call, arguments = heappop(heap)
            self.done += 1
            call(*arguments)
        self.now = moment
