"""Each connection goes on to another endpoint: what ``qgate expose`` and ``qgate forward`` do, in either direction.

Not for: what an endpoint is. Spec: docs/spec/services.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory, connectionDone
from twisted.python.failure import Failure

from quantumgate.net.splice import SpliceEnd, splice

CONNECTIONS = 4096
"""Connections of one forwarding at once; more are turned away."""

First = Callable[[Any, Any], bytes]
"""``first(address, transport)``: what goes in front of a connection from there, over that transport."""


def nothing_first(_address: Any, _transport: Any) -> bytes:
    """No header."""
    return b""


class ForwardingFactory(Factory):
    """Its connections are spliced to new ones to ``endpoint``. ``failed(error)`` hears of those that could not be."""

    noisy = False

    def __init__(
        self, endpoint: IStreamClientEndpoint, failed: Callable[[Any], object], first: First = nothing_first
    ) -> None:
        self.endpoint, self.failed, self.first = endpoint, failed, first
        self.open = 0

    def buildProtocol(self, addr: Any) -> Near | None:
        """None, which refuses, where too many are open."""
        return Near(self, addr) if self.open < CONNECTIONS else None


class _FarFactory(Factory):
    noisy = False
    protocol = SpliceEnd


class Near(SpliceEnd):
    """The end that came to us; dials the other one."""

    def __init__(self, factory: ForwardingFactory, address: Any) -> None:
        self._forwarding, self._address = factory, address
        self._dialling: Deferred[Any] | None = None

    def connectionMade(self) -> None:
        super().connectionMade()
        self._forwarding.open += 1
        self._dialling = self._forwarding.endpoint.connect(_FarFactory())
        self._dialling.addCallbacks(self._reached, self._unreachable)

    def _reached(self, far: SpliceEnd) -> None:
        self._dialling = None
        if header := self._forwarding.first(self._address, far.transport):
            far.transport.write(header)
        splice(self, far)

    def _unreachable(self, failure: Failure) -> None:
        self._dialling = None
        if not self.lost:
            self._forwarding.failed(failure.value)
            self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._forwarding.open -= 1
        super().connectionLost(reason)
        if self._dialling is not None:
            self._dialling.cancel()
