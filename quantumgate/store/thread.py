"""A thread of the store's own: calls one after the other, their results back in the reactor's thread.

Before the reactor runs a call is waited for: there is nobody whom that would keep waiting, and a store that cannot be
opened stops the start at once. Not for: any other work of the process (``reactor.getThreadPool`` is).
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

from twisted.internet.defer import Deferred, execute
from twisted.python.failure import Failure


class Runner(Protocol):
    """Where a store's blocking calls run."""

    def run(self, function: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        """Calls it, after everything that was asked for before. Deferred of its result."""

    def stop(self) -> None:
        """No more calls. What is under way is finished."""


class Inline:
    """At once, in the caller's thread: for tests on a fake clock and for ``qgate``."""

    def run(self, function: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        """See Runner; fired when it returns."""
        return execute(function, *arguments)

    def stop(self) -> None:
        """Nothing runs."""


class OwnThread:
    """One thread, started by the first call."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="store")

    def run(self, function: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        """See Runner."""
        future = self._pool.submit(function, *arguments)
        if not self._reactor.running:
            return execute(future.result)
        result: Deferred[Any] = Deferred()
        future.add_done_callback(lambda done: self._reactor.callFromThread(_deliver, done, result))
        return result

    def stop(self) -> None:
        """See Runner."""
        self._pool.shutdown(wait=False)


def _deliver(future: Future[Any], result: Deferred[Any]) -> None:
    error = future.exception()
    if error is None:
        result.callback(future.result())
    else:
        result.errback(Failure(error))  # type: ignore[no-untyped-call]
