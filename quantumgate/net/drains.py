"""Drained connections by network, so that one of the fullest network is found at once, however many networks there are.

Not for: how many there may be, or when one is closed (``intake.py``). Spec: docs/spec/limits.md, section 7. [A33]
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Generic, Protocol, TypeVar


class Drained(Protocol):
    """What is kept: a connection of ``prefix``, which finds its seat here again."""

    prefix: str
    seat: int


D = TypeVar("D", bound=Drained)


class Drains(Generic[D]):
    """``counts`` holds all of them by network; ``doom`` takes one out whose end is settled, though it is still counted.

    Each call costs the same, whatever is here: of a node that is flooded every connection asks.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._free: dict[str, list[D]] = {}
        self._of_size: defaultdict[int, dict[str, None]] = defaultdict(dict)
        self._largest = 0

    def add(self, one: D) -> None:
        """It is drained from now on."""
        self.counts[one.prefix] += 1
        there = self._free.setdefault(one.prefix, [])
        one.seat = len(there)
        there.append(one)
        self._moved(one.prefix, one.seat, one.seat + 1)

    def remove(self, one: D) -> None:
        """It is gone."""
        self.counts[one.prefix] -= 1
        if not self.counts[one.prefix]:
            del self.counts[one.prefix]
        self._unseat(one)

    def doom(self, seat: int) -> D:
        """The one with this seat, below ``fullest``, in a fullest network; it is not found again."""
        one = self._free[next(iter(self._of_size[self._largest]))][seat]
        self._unseat(one)
        return one

    @property
    def fullest(self) -> int:
        """How many the fullest network has that are not doomed; 0 = there are none."""
        return self._largest

    def _unseat(self, one: D) -> None:
        if one.seat < 0:
            return
        there = self._free[one.prefix]
        last = there.pop()
        if last is not one:
            there[one.seat], last.seat = last, one.seat
        one.seat = -1
        self._moved(one.prefix, len(there) + 1, len(there))
        if not there:
            del self._free[one.prefix]

    def _moved(self, prefix: str, before: int, now: int) -> None:
        """A network has so many now. Sizes change by one, so the largest is never far."""
        if before:
            del self._of_size[before][prefix]
            if not self._of_size[before]:
                del self._of_size[before]
        if now:
            self._of_size[now][prefix] = None
        if now > self._largest or (before == self._largest and before not in self._of_size):
            self._largest = now
