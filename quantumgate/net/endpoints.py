"""``qg:`` endpoints as objects: a service of a peer to connect to, a service of our own to listen at.

The way there is a *door*: the node in this process, or the attachment to a running one (``control/attach.py``). Not
for: strings (``control/endpointstrings.py``). Spec: docs/spec/services.md.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IListeningPort, IStreamClientEndpoint, IStreamServerEndpoint
from twisted.python.failure import Failure
from zope.interface import implementer


class Served(Protocol):
    """A service that is offered."""

    def withdraw(self) -> Any:
        """No new connections; None or a Deferred."""


class Door(Protocol):
    """What leads to services: ``extender.services.Services``, ``control.attach.AttachedDoor``.

    ``build(address)`` is a factory's ``buildProtocol``; ``via`` names relays by UUID, the nearest first.
    """

    def open(
        self, peer: str, name: str, hops: int | None, build: Callable[[Any], Any], via: Sequence[str] = ()
    ) -> Deferred[Any]: ...
    def serve(self, name: str, build: Callable[[Any], Any], to: Collection[Any]) -> Any: ...


@implementer(IStreamClientEndpoint)
class ServiceClientEndpoint:
    """The service ``name`` of ``peer`` (UUID or qg address). ``hops`` None and no relay in ``via``: any session."""

    def __init__(self, door: Door, peer: str, name: str, hops: int | None = None, via: Sequence[str] = ()) -> None:
        self._door, self._peer, self._name, self._hops, self._via = door, peer, name, hops, via

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        """The protocol, connected. Fails with ConnectFailed, whose ``reason`` is a word."""
        connecting: Deferred[Any] = maybeDeferred(
            self._door.open, self._peer, self._name, self._hops, protocolFactory.buildProtocol, self._via
        )
        return connecting


@implementer(IStreamServerEndpoint)
class ServiceServerEndpoint:
    """Our own service ``name``. ``to``: the peers that may use it; empty = every admitted one."""

    def __init__(self, door: Door, name: str, to: Collection[Any] = (), address: Any = None) -> None:
        """``address`` is what the port's ``getHost`` gives."""
        self._door, self._name, self._to, self._address = door, name, to, address

    def listen(self, protocolFactory: Any) -> Deferred[Any]:
        """A port; stopping it withdraws the service. Fails where the name is taken or no node runs."""
        protocolFactory.doStart()
        serving: Deferred[Any] = maybeDeferred(self._door.serve, self._name, protocolFactory.buildProtocol, self._to)

        def failed(failure: Failure) -> Failure:
            protocolFactory.doStop()
            return failure

        return serving.addCallbacks(lambda served: ServicePort(served, protocolFactory, self._address), failed)


@implementer(IListeningPort)
class ServicePort:
    """A service that is offered, until ``stopListening``."""

    def __init__(self, served: Served, factory: Any, address: Any) -> None:
        self._served: Served | None = served
        self._factory, self._address = factory, address

    def startListening(self) -> None:
        """It does already."""

    def stopListening(self) -> Deferred[None]:
        """Fires when the node was told; connections that stand go on."""
        served, self._served = self._served, None
        if served is None:
            return maybeDeferred(lambda: None)
        self._factory.doStop()
        return maybeDeferred(served.withdraw)

    def getHost(self) -> Any:
        """The service's address."""
        return self._address
