"""Where a transport meets its pump: the core's Connection is made only now, for who may dial unaddressed is judged by
both ends of the transport, and a factory knows one of them at most.

Not for: any byte (``protocol.py``) or any decision (``meet``, from the roof). Spec: docs/spec/dialling.md [A17].
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IAddress
from twisted.internet.main import CONNECTION_DONE
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure

from quantumgate.net.protocol import PeerProtocol

Lost = Callable[[], object]
Meet = Callable[[Any], "tuple[PeerProtocol, Lost]"]
"""The pump for a transport that has just been made, and what to call once when the transport is gone."""


class Doorway(Protocol):
    """Stands between a transport and its PeerProtocol."""

    def __init__(self, meet: Meet) -> None:
        self._meet = meet
        self.pump: PeerProtocol | None = None
        self._lost: Lost | None = None

    def connectionMade(self) -> None:
        """Make the pump; on a plain socket it reads by itself from here on."""
        self.pump, self._lost = self._meet(self.transport)
        self.pump.makeConnection(self.transport)  # type: ignore[no-untyped-call]

    def dataReceived(self, data: bytes) -> None:
        """Bytes of a transport that is not a plain socket."""
        if self.pump is not None:
            self.pump.dataReceived(data)

    def connectionLost(self, reason: Failure = CONNECTION_DONE) -> None:  # type: ignore[assignment]
        """First the pump, so that its events come before the end."""
        pump, lost = self.pump, self._lost
        self.pump = self._lost = None
        if pump is not None:
            pump.connectionLost(reason)
        if lost is not None:
            lost()


class DoorwayFactory(Factory):
    """``make(address)`` gives the Doorway for a new transport, or None to close it before a byte is read."""

    noisy = False

    def __init__(self, make: Callable[[IAddress | None], Doorway | None]) -> None:
        self._make = make

    def buildProtocol(self, addr: IAddress | None) -> Doorway | None:
        """See Factory. None makes Twisted close the socket."""
        doorway = self._make(addr)
        if doorway is not None:
            doorway.factory = self
        return doorway
