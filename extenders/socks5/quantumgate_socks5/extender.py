"""The extender: both roles of one node, each as far as its settings switch it on.

Not for: either role's work (``near.py``, ``far.py``).
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.python.failure import Failure

from quantumgate.extender import api

from .far import Far
from .near import Near
from .settings import Settings
from .wire import LABEL, MalformedLine, parse_message
from .world import World


class Socks5(api.Extender):
    """``world`` is for tests; else the reactor's."""

    def __init__(self, settings: Settings, world: World | None = None) -> None:
        self.settings = settings
        self._world = world
        self._ports: list[Any] = []
        self.near: Any = None
        self.far: Any = None

    def start(self, host: api.IExtenderHost) -> Any:
        """Listens for programs; fails where a port cannot be had."""
        super().start(host)
        world = self._world or World()
        self.near, self.far = Near(host, self.settings, world), Far(host, self.settings.exit, world)
        waiting = [world.listen(text, self.near).addCallback(self._ports.append) for text in self.settings.listening]
        return gatherResults(waiting, consumeErrors=True).addCallbacks(self._listening, self._not_listening)

    def _listening(self, _: object) -> None:
        self.near.exits.keep_warm()

    def _not_listening(self, failure: Any) -> Any:
        reason = failure.value.subFailure.value
        return self.stop().addCallback(lambda _: _raise(api.LocalError(str(reason))))

    def stop(self) -> Deferred[Any]:
        """Ports close, connections break off."""
        ports, self._ports = self._ports, []
        if self.near is not None:
            self.near.stop()
            self.far.stop()
        return gatherResults([maybeDeferred(port.stopListening) for port in ports])

    @property
    def listening(self) -> list[Any]:
        """The addresses that programs may connect to."""
        return [port.getHost() for port in self._ports]

    # -- peers ---------------------------------------------------------------------------------------------------------

    def peer_arrived(self, peer: api.IPeer) -> Any:
        """Those who may use this exit are told what it does."""
        if not self.far.serves(peer):
            return None
        sent: Deferred[Any] = self.host.send(peer, self.far.offer().encode(), compress=False)
        return sent.addErrback(_left_meanwhile)

    def peer_left(self, peer: api.IPeer, reason: str) -> None:
        """Its calls were told already."""
        self.near.left(peer)

    def message_received(self, peer: api.IPeer, message: bytes) -> None:
        """An offer."""
        try:
            offer = parse_message(message)
        except MalformedLine as error:
            self.host.report(peer, str(error))
            return
        if offer is not None:
            self.near.exits.offered(peer, offer)

    def stream_opened(self, peer: api.IPeer, label: bytes) -> Any:
        """A line, from a peer that is served."""
        if label != LABEL or not self.far.serves(peer):
            return None
        return self.far.line_opened(peer)

    def status(self) -> dict[str, Any]:
        """For ``qgate extenders --json``: numbers alone, nothing of where anybody went."""
        return {
            "listening": [_shown(address) for address in self.listening],
            "proxy": self.near.status(),
            "exit": self.far.status(),
        }


def _left_meanwhile(failure: Failure) -> None:
    failure.trap(api.QuantumGateError)  # type: ignore[no-untyped-call]


def _shown(address: Any) -> str:
    return f"{address.host}:{address.port}" if hasattr(address, "host") else str(address.name)


def _raise(error: Exception) -> None:
    raise error
