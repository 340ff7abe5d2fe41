"""At the exit: a name becomes addresses, each of which the policy judges, and the first that answers is taken.

Not for: what the policy says (``policy.py``), or telling the other side (``farline.py``).
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet import error
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.python.failure import Failure

from .destination import Address, Destination
from .policy import Policy
from .replies import Code

FALLBACK_SECONDS = 0.3
"""How long one address has the field to itself before the next one is tried beside it."""

ADDRESSES_TRIED = 6


class Refused(Exception):
    """The destination cannot be had; ``code`` says why."""

    def __init__(self, code: Code) -> None:
        super().__init__(code.name)
        self.code = code


_BY_ERRNO = {
    errno.ECONNREFUSED: Code.REFUSED,
    errno.ETIMEDOUT: Code.TIMED_OUT,
    errno.ENETUNREACH: Code.NETWORK_UNREACHABLE,
    errno.EADDRNOTAVAIL: Code.NETWORK_UNREACHABLE,
    errno.EHOSTUNREACH: Code.HOST_UNREACHABLE,
    errno.EHOSTDOWN: Code.HOST_UNREACHABLE,
    errno.EACCES: Code.NOT_ALLOWED,
    errno.EPERM: Code.NOT_ALLOWED,
    errno.EAFNOSUPPORT: Code.ADDRESS_TYPE_UNKNOWN,
    errno.EMFILE: Code.LIMIT,
    errno.ENFILE: Code.LIMIT,
}


def code_for(problem: BaseException | None) -> Code:
    """What to tell the other side of a failed connection."""
    if isinstance(problem, Refused):
        return problem.code
    if isinstance(problem, error.ConnectionRefusedError):
        return Code.REFUSED
    if isinstance(problem, error.TimeoutError | DeferredTimeout):
        return Code.TIMED_OUT
    if isinstance(problem, error.NoRouteError):
        return Code.NETWORK_UNREACHABLE
    number = getattr(problem, "osError", None) or getattr(problem, "errno", None)
    return _BY_ERRNO.get(number, Code.FAILURE) if isinstance(number, int) else Code.FAILURE


class Dialling:
    """``world`` looks up and connects; ``clock`` is the guest's."""

    def __init__(self, world: Any, policy: Policy, clock: Any, times: tuple[float, float]) -> None:
        self._world, self._policy, self._clock = world, policy, clock
        self._resolve_seconds, self._connect_seconds = times

    def addresses(self, destination: Destination) -> Deferred[Sequence[Address]]:
        """Every address of the destination that the policy allows, at least one. Fails with Refused."""
        return self._all(destination).addCallback(self._allowed, destination.port)

    def hosts(self, destination: Destination) -> Deferred[Sequence[Address]]:
        """As ``addresses``, whatever the port."""
        return self._all(destination).addCallback(self._allowed, None)

    def everything(self, destination: Destination) -> Deferred[Sequence[Address]]:
        """Every address of the destination, judged by nobody yet."""
        return self._all(destination)

    def judges(self, address: Address, port: int) -> bool:
        """Whether the policy lets peers go there."""
        return self._policy.allows(address, port)

    def judges_host(self, address: Address) -> bool:
        """Whether it lets them have to do with this host at all."""
        return self._policy.allows_host(address)

    def _all(self, destination: Destination) -> Deferred[Sequence[Address]]:
        host = destination.host
        if not isinstance(host, str):
            return succeed([host])
        found: Deferred[Sequence[Address]] = self._world.resolve(host)
        return found.addTimeout(self._resolve_seconds, self._clock).addErrback(_not_found)

    def _allowed(self, found: Sequence[Address], port: int | None) -> Sequence[Address]:
        if not found:
            raise Refused(Code.NAME_UNKNOWN)
        judge = self._policy.allows_host if port is None else lambda address: self._policy.allows(address, port)
        allowed = [address for address in found if judge(address)]
        if not allowed:
            raise Refused(Code.NOT_ALLOWED)
        return allowed

    def connect(self, destination: Destination, make: Callable[[], Any]) -> Deferred[Any]:
        """A protocol of ``make`` (called for each attempt), connected. Fails with what ``code_for`` understands."""
        race: list[_Race] = []
        seconds = self._connect_seconds

        def run(addresses: Sequence[Address]) -> Deferred[Any]:
            race.append(_Race(self._world, self._clock, addresses[:ADDRESSES_TRIED], destination.port, make, seconds))
            return race[0].done

        return self.addresses(destination).addCallback(run)


def _not_found(failure: Failure) -> Any:
    if not isinstance(failure.value, Refused):
        raise Refused(Code.NAME_FAILED)
    return failure


class _Race:
    """Attempts at several addresses, each a little after the one before it or at its failure; the first one wins."""

    def __init__(
        self, world: Any, clock: Any, addresses: Sequence[Address], port: int, make: Callable[[], Any], seconds: float
    ) -> None:
        self._world, self._clock, self._port, self._make, self._seconds = world, clock, port, make, seconds
        self._left = list(addresses)
        self._under_way: list[Deferred[Any]] = []
        self._next: Any = None
        self._worst: Failure | None = None
        self.done: Deferred[Any] = Deferred(lambda _: self._over())
        self._start()

    def _start(self) -> None:
        if self._next is not None and self._next.active():
            self._next.cancel()
        self._next = None
        if self.done.called or not self._left:
            return
        attempt: Deferred[Any] = self._world.connect(self._left.pop(0), self._port, self._make(), self._seconds)
        self._under_way.append(attempt)
        if self._left:
            self._next = self._clock.callLater(FALLBACK_SECONDS, self._start)
        attempt.addCallbacks(self._won, self._lost, callbackArgs=(attempt,), errbackArgs=(attempt,))

    def _won(self, protocol: Any, attempt: Deferred[Any]) -> None:
        self._under_way.remove(attempt)
        if self.done.called:
            protocol.transport.abortConnection()
            return
        self._over()
        self.done.callback(protocol)

    def _lost(self, failure: Failure, attempt: Deferred[Any]) -> None:
        self._under_way.remove(attempt)
        if self.done.called or isinstance(failure.value, CancelledError | error.UserError):
            return
        self._worst = self._worst or failure  # the preferred address says it best
        if self._left:
            self._start()
        elif not self._under_way:
            self.done.errback(self._worst)

    def _over(self) -> None:
        if self._next is not None and self._next.active():
            self._next.cancel()
        self._left.clear()
        for attempt in list(self._under_way):
            attempt.cancel()
