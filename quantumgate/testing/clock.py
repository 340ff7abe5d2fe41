"""Twisted's ``task.Clock``, for tests with many nodes: the same calls at the same moments in the same order, cheaper.

The original sorts all pending calls whenever one is added or made, which in a test of whole nodes costs more than
what they do. Here a new call is put where it belongs, and only one that was moved leads to a sort. Not for: real time.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable
from operator import attrgetter

from twisted.internet.base import DelayedCall
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import Clock

_DUE = attrgetter("time")
_NEVER = float("inf")


class OrderedClock(Clock):
    """``calls`` is in order but for those that were moved since the last ``callLater`` or ``advance``."""

    def __init__(self) -> None:
        super().__init__()
        self._some_moved = False

    @property
    def due(self) -> bool:
        """Whether ``advance(0)`` would make a call."""
        return self._soonest() <= self.rightNow

    def step(self, end: float) -> bool:
        """To the moment of the next call, if that is not beyond ``end`` (seconds); else to ``end``, and False.

        Where nothing is left to be called, an infinite ``end`` is not gone to.
        """
        soonest = self._soonest()
        to = min(soonest, end)
        if to != _NEVER:
            self.advance(max(0.0, to - self.rightNow))
        return soonest <= end and soonest != _NEVER

    def _soonest(self) -> float:
        self._sortCalls()
        return self.calls[0].time if self.calls else _NEVER

    def callLater(self, delay: float, callable: Callable[..., object], *args: object, **kw: object) -> IDelayedCall:  # noqa: A002
        """See ``IReactorTime.callLater``, whose names these are."""
        call = _Call(self.rightNow + delay, callable, args, kw, self.calls.remove, self._moved, self.seconds)
        if self._some_moved:
            self.calls.append(call)
            self._sortCalls()
        else:
            insort(self.calls, call, key=_DUE)
        return call

    def _moved(self, call: DelayedCall) -> None:
        self._some_moved = True

    def _sortCalls(self) -> None:
        if self._some_moved:
            self._some_moved = False
            self.calls.sort(key=_DUE)


class _Call(DelayedCall):
    """Its ``time`` is always when it is due, and its clock hears when that is another moment."""

    def reset(self, secondsFromNow: float) -> None:
        super().reset(secondsFromNow)
        self._settle()

    def delay(self, secondsLater: float) -> None:
        super().delay(secondsLater)
        self._settle()

    def _settle(self) -> None:
        self.activate_delay()
        self.resetter(self)
