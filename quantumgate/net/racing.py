"""Several ways to one peer, tried side by side: the first that succeeds wins, the others are cancelled.

The shape of RFC 8305: starts are staggered, and a failure starts the next at once. Not for: what an attempt is
(``dialer.py`` makes them) or when to try again (``backoff.py``). Spec: docs/spec/dialling.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

STAGGER_SECONDS = 0.25
"""RFC 8305's recommended Connection Attempt Delay."""

T = TypeVar("T")


class AllFailed(Exception):
    """No attempt succeeded; ``failures`` are in the order of the attempts."""

    def __init__(self, failures: Sequence[Failure]) -> None:
        super().__init__(f"{len(failures)} attempts failed")
        self.failures = tuple(failures)


class Race(Generic[T]):
    """One race. ``run()`` once; its Deferred may be cancelled, which cancels every attempt."""

    def __init__(
        self,
        starts: Sequence[Callable[[], Deferred[T]]],
        clock: IReactorTime,
        *,
        discard: Callable[[T], object],
        stagger_seconds: float = STAGGER_SECONDS,
    ) -> None:
        """``discard`` gets a success that came too late: its cancellation did not stop it."""
        self._waiting = list(enumerate(starts))
        self._clock = clock
        self._discard = discard
        self._stagger_seconds = stagger_seconds
        self._running: dict[int, Deferred[Any]] = {}
        self._failures: dict[int, Failure] = {}
        self._timer: IDelayedCall | None = None
        self._over = False
        self._result: Deferred[T] = Deferred(lambda _: self._finish())

    def run(self) -> Deferred[T]:
        """Fires with the winner's result, or fails with AllFailed."""
        if not self._waiting:
            raise ValueError("a race needs at least one attempt")
        self._start_next()
        return self._result

    def _start_next(self) -> None:
        self._stop_timer()
        index, start = self._waiting.pop(0)
        if self._waiting:
            self._timer = self._clock.callLater(self._stagger_seconds, self._start_next)
        attempt = start()
        self._running[index] = attempt
        attempt.addCallbacks(self._won, self._lost, callbackArgs=(index,), errbackArgs=(index,))

    def _won(self, value: T, index: int) -> None:
        self._running.pop(index, None)
        if self._over:
            self._discard(value)
            return
        self._finish()
        self._result.callback(value)

    def _lost(self, failure: Failure, index: int) -> None:
        self._running.pop(index, None)
        if self._over:
            return
        self._failures[index] = failure
        if self._waiting:
            self._start_next()
        elif not self._running:
            self._finish()
            self._result.errback(AllFailed([self._failures[at] for at in sorted(self._failures)]))

    def _finish(self) -> None:
        self._over = True
        self._waiting.clear()
        self._stop_timer()
        for attempt in list(self._running.values()):
            attempt.cancel()

    def _stop_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
