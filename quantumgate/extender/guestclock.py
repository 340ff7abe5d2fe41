"""The clock that a guest gets: the node's, but a raising call is the guest's fault, and none outlives the guest.

Not for: the node's own timers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer


@implementer(IReactorTime)
class GuestClock:
    """``fault(where, error)`` is told what a delayed call raised; ``cancel_all`` ends those that wait."""

    def __init__(self, clock: IReactorTime, fault: Callable[[str, BaseException], None]) -> None:
        self._clock, self._fault = clock, fault
        self._waiting: dict[int, IDelayedCall] = {}
        self._count = 0
        self._over = False

    def seconds(self) -> float:
        return self._clock.seconds()

    def callLater(
        self,
        delay: float,
        callable: Callable[..., object],  # noqa: A002  (the interface's name for it)
        *args: object,
        **kwargs: object,
    ) -> IDelayedCall:
        self._count += 1
        call = self._clock.callLater(delay, self._run, self._count, callable, args, kwargs)
        self._waiting[self._count] = call
        if self._over:
            self._stop(self._count)
        elif self._count % 256 == 0:
            self._sweep()
        return call

    def getDelayedCalls(self) -> Sequence[IDelayedCall]:
        self._sweep()
        return list(self._waiting.values())

    def cancel_all(self) -> None:
        """The guest is over: what waits is cancelled, and so is whatever it still asks for."""
        self._over = True
        for number in list(self._waiting):
            self._stop(number)

    def _stop(self, number: int) -> None:
        call = self._waiting.pop(number)
        if call.active():
            call.cancel()

    def _sweep(self) -> None:
        """Calls that the guest cancelled itself are still listed: forget them."""
        for number in [number for number, call in self._waiting.items() if not call.active()]:
            del self._waiting[number]

    def _run(self, number: int, function: Callable[..., object], args: Any, kwargs: Any) -> None:
        self._waiting.pop(number, None)
        try:
            function(*args, **kwargs)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self._fault("a delayed call", error)
