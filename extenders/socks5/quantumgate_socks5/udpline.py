"""Datagrams into a line: while it is full they wait in a bounded queue that drops the oldest.

The same on both sides. Not for: sockets (``nearudp.py``, ``farudp.py``).
"""

from __future__ import annotations

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from .datagrams import DatagramQueue
from .line import Line
from .wire import Kind


@implementer(IPushProducer)
class DatagramsOut:
    """``put`` never waits. ``close`` forgets what still waits."""

    def __init__(self, line: Line, most_bytes: int) -> None:
        self._line, self._queue = line, DatagramQueue(most_bytes)
        self._paused = self._closed = False
        line.transport.registerProducer(self, True)

    @property
    def dropped(self) -> int:
        """How many were too many."""
        return self._queue.dropped

    def put(self, body: bytes) -> None:
        """Address and payload."""
        if self._closed:
            return
        self._queue.put(body)
        self._flush()

    def close(self) -> None:
        """The association is over."""
        self._closed = True
        if not self._line.over:
            self._line.transport.unregisterProducer()

    def pauseProducing(self) -> None:
        """The line is full."""
        self._paused = True

    def resumeProducing(self) -> None:
        """It has room."""
        self._paused = False
        self._flush()

    def stopProducing(self) -> None:
        """The line is gone."""
        self._closed = True

    def _flush(self) -> None:
        while self._queue and not self._paused and not self._closed:
            self._line.say(Kind.DATAGRAM, self._queue.take())
