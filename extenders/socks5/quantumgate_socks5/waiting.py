"""Calls that no exit can take at the moment, while one is on its way: they look again whenever something changed.

Not for: whether one is on its way (``exits.py``), or calls that wait for a line (``nearline.py``).
"""

from __future__ import annotations

from typing import Protocol as Shape


class Waiter(Shape):
    """A call. It leaves the room itself, in ``look_again`` or at its deadline."""

    def look_again(self) -> None:
        """An exit came, or failed to, or may be tried again."""


class WaitingRoom:
    """In the order of arrival. ``most`` = the setting ``calls_waiting``."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: dict[Waiter, None] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def enter(self, waiter: Waiter) -> bool:
        """Whether there was room. One that waits already keeps its place."""
        if waiter not in self._waiting and len(self._waiting) >= self._most:
            return False
        self._waiting.setdefault(waiter)
        return True

    def leave(self, waiter: Waiter) -> None:
        """It goes on, or is over."""
        self._waiting.pop(waiter, None)

    def look(self) -> None:
        """Everybody, the first one first."""
        for waiter in list(self._waiting):
            if waiter in self._waiting:
                waiter.look_again()
