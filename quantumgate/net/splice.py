"""Two transports as one line: bytes, back-pressure and each half's end go through, and an abort on one side is one on
the other.

Works on any two transports that close by halves. Not for: making the transports. Spec: docs/spec/services.md.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer


@implementer(IHalfCloseableProtocol)
class SpliceEnd(Protocol):
    """One of the two ends. Nothing is read from its transport before ``splice``."""

    transport: Any
    other: SpliceEnd | None = None
    lost = False
    read_over = False

    def connectionMade(self) -> None:
        self.transport.pauseProducing()

    def dataReceived(self, data: bytes) -> None:
        if self.other is not None:
            self.other.transport.write(data)

    def readConnectionLost(self) -> None:
        """This side says nothing more: the other one is told, and where that was the second half, all is over."""
        self.read_over = True
        other = self.other
        if other is None or other.lost:
            return
        other.transport.unregisterProducer()
        if other.read_over:
            other.transport.loseConnection()
            self.transport.loseConnection()
        else:
            other.transport.loseWriteConnection()

    def writeConnectionLost(self) -> None:
        """We asked for it."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = True
        other = self.other
        if other is None or other.lost:
            return
        other.transport.unregisterProducer()
        if isinstance(reason.value, ConnectionDone):
            other.transport.loseConnection()
        else:
            other.abort(reason)

    def abort(self, reason: Failure) -> None:
        """The other side was lost in mid-stream. Overridden where the transport can say why."""
        self.transport.abortConnection()


def splice(one: SpliceEnd, other: SpliceEnd) -> None:
    """Ties two connected ends together; from here on each one's writer is the other one's reader."""
    one.other, other.other = other, one
    if one.lost or other.lost:
        for end in (one, other):
            if not end.lost:
                end.transport.abortConnection()
        return
    one.transport.registerProducer(other.transport, True)
    other.transport.registerProducer(one.transport, True)
    one.transport.resumeProducing()
    other.transport.resumeProducing()
