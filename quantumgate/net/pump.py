"""What every pump does, over a socket (``protocol.py``) or a link (``linkpump.py``): hand on events, watch the time.

Not for: bytes. Spec of behaviour: house.md "fast path".
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Protocol

from twisted.internet.interfaces import IReactorTime

from quantumgate.core.connection import Connection
from quantumgate.core.events import Event
from quantumgate.net.monotonic import seconds_of


class ConnectionOwner(Protocol):
    """Who gets the events of a connection."""

    def connection_event(self, protocol: Pump, event: Event) -> None:
        """One event; never raises."""


class Pump(ABC):
    """Moves the bytes of one connection. Its events go to the owner; one timer runs for all that it waits for."""

    def __init__(self, connection: Connection, owner: ConnectionOwner, reactor: IReactorTime) -> None:
        self.connection, self.owner = connection, owner
        self._reactor = reactor
        self._seconds = seconds_of(reactor)
        self._timer: Any = None
        self._timer_at = 0.0

    @abstractmethod
    def wake(self) -> None:
        """Something waits to be sent."""

    @abstractmethod
    def abort(self) -> None:
        """Drop what carries the bytes at once."""

    @abstractmethod
    def hang_up(self) -> None:
        """Close it behind what is still to be said."""

    @abstractmethod
    def read_slowly(self, bytes_per_second: int) -> None:
        """A connection that only discards: what still comes is read no faster than this. [A33]"""

    @abstractmethod
    def _pump(self) -> None:
        """After anything happened: events, output, the end, the timer."""

    def tell_now(self) -> None:
        """The owner hears at once what it would hear at the end of this turn."""
        self._give_events()

    def _give_events(self) -> None:
        connection, owner = self.connection, self.owner
        while (event := connection.next_event()) is not None:
            owner.connection_event(self, event)

    def _set_timer(self) -> None:
        at = self.connection.deadline()
        if self._timer is not None and self._timer_at <= at and self._timer.active():
            return  # it fires early, finds nothing due, and is set again: cheaper than moving it at every record
        self._forget_timer()
        if at != float("inf"):
            self._timer_at = at
            self._timer = self._reactor.callLater(max(0.0, at - self._seconds()), self._time_passed)

    def _forget_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def _time_passed(self) -> None:
        self._timer = None
        self.connection.expire(self._seconds())
        self._pump()
