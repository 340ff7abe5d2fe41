"""How long a circuit is used: when its successor is to be built, and when it ends itself. [A32]

A circuit that stands for long shows its relays more and more of one person's traffic. So after an hour, drawn, what
begins goes over another one, and what runs may run on here for a day. Not for: building and moving (``node/``).
Spec: docs/spec/relays.md, 6.
"""

from __future__ import annotations

from enum import Enum
from typing import Protocol

from quantumgate.wire.limits import Limits

DRAWN_SHARE = (0.8, 1.2)
"""Of ``circuit_lifetime_seconds``, after which a circuit takes nothing new: nobody can tell the moment beforehand."""

QUIET_SECONDS = 60.0
"""A circuit that has a successor ends when no channel has been open on it for so long."""


class Luck(Protocol):
    """The part of ``crypto.random.RandomSource`` that a lifetime needs."""

    def uniform(self, low: float, high: float) -> float: ...


class Wish(Enum):
    """What a circuit is due for."""

    NOTHING = "nothing"
    SUCCESSOR = "a successor"
    END_QUIET = "to end: its successor stands and nothing runs on it"
    END_OLD = "to end: it is too old for anything"


class Lifetime:
    """One circuit's. Times are the caller's steady seconds; ``began`` is when it stood."""

    __slots__ = ("_quiet_since", "_succeeded", "end_at", "succeed_at")

    def __init__(self, limits: Limits, began: float, luck: Luck) -> None:
        lifetime_seconds = limits.circuit_lifetime_seconds * luck.uniform(*DRAWN_SHARE)
        self.succeed_at = began + max(0.0, lifetime_seconds - limits.circuit_seconds)  # building one takes as long
        self.end_at = began + limits.circuit_end_seconds
        self._succeeded = False
        self._quiet_since: float | None = None

    @property
    def succeeded(self) -> bool:
        """Whether another circuit has taken its place."""
        return self._succeeded

    def succeed(self) -> None:
        """Another circuit stands in its place."""
        self._succeeded = True

    def reinstate(self) -> None:
        """Its successor was lost while it still stood: it is used again, and is due for another."""
        self._succeeded, self._quiet_since = False, None

    def wish(self, now: float, *, in_use: bool) -> Wish:
        """What is due now; ``in_use`` = a channel is open on it."""
        if now >= self.end_at:
            return Wish.END_OLD
        if not self._succeeded:
            return Wish.SUCCESSOR if now >= self.succeed_at else Wish.NOTHING
        if in_use:
            self._quiet_since = None
        elif self._quiet_since is None:
            self._quiet_since = now
        elif now - self._quiet_since >= QUIET_SECONDS:
            return Wish.END_QUIET
        return Wish.NOTHING
