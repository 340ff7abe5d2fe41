"""One listening endpoint: any Twisted server endpoint string, its admissions, and what was really bound.

While many connect it takes them in rounds: Twisted accepts all that wait, then nobody for a moment. Not for: who may
stay (the roof), or the counts (``intake.py``). Spec: docs/guide/configuration.md (node.listen).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IDelayedCall, IListeningPort, IStreamServerEndpoint
from twisted.internet.tcp import Port
from twisted.python.failure import Failure

from quantumgate.errors import LocalError
from quantumgate.net.doorway import Doorway, DoorwayFactory, Lost
from quantumgate.net.intake import Intake, Place
from quantumgate.net.protocol import PeerProtocol

ACCEPTED_AT_ONCE = 100
"""In a round, where so many wait; Twisted's own number is what came the last time."""

WAITING_LEAST = 256
"""So many may wait in the kernel to be accepted, at least: twice and a half what a round takes."""


class ListenFailed(LocalError):
    """An endpoint cannot be bound; the message is one line that names it."""


Arrive = Callable[[Any, Place, bool], "tuple[PeerProtocol, Lost]"]
"""(transport, place, lan) of a connection that was accepted, to its pump and the call for its end."""


class Listener:
    """``text`` is the endpoint as configured, ``lan`` whether strangers here may dial without knowing the UUID."""

    def __init__(
        self, text: str, endpoint: IStreamServerEndpoint, intake: Intake, arrive: Arrive, *, lan: bool = False
    ) -> None:
        self.text = text
        self.lan = lan
        self._endpoint = endpoint
        self._intake = intake
        self._arrive = arrive
        self._port: IListeningPort | None = None
        self._resting: IDelayedCall | None = None
        self._stopped = False

    def start(self) -> Deferred[None]:
        """Fires when the endpoint is bound; fails with ListenFailed."""
        self._stopped = False
        listening = maybeDeferred(self._endpoint.listen, DoorwayFactory(self._doorway))
        return listening.addCallbacks(self._bound, self._not_bound)

    def _bound(self, port: IListeningPort) -> Any:
        if self._stopped:  # meanwhile, for some endpoints take their time
            return port.stopListening()
        self._port = port
        if isinstance(port, Port) and port.backlog is not None and port.backlog < WAITING_LEAST:
            port.socket.listen(WAITING_LEAST)
        return None

    def _not_bound(self, failure: Failure) -> None:
        error = failure.value
        cause = getattr(error, "socketError", error) if isinstance(error, CannotListenError) else error
        why = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
        raise ListenFailed(f"cannot listen on {self.text}: {' '.join(str(why).split()).lower()}") from None

    def _doorway(self, address: Any) -> Doorway | None:
        rest_seconds = self._intake.rest_seconds(address, lan=self.lan)
        if rest_seconds and self._resting is None and isinstance(self._port, Port):
            self._port.stopReading()
            self._resting = self._intake.clock.callLater(rest_seconds, self._next_round, self._port)
        place = self._intake.accept(address, lan=self.lan)
        if place is None:
            return None
        return Doorway(lambda transport: self._arrive(transport, place, self.lan))

    def _next_round(self, port: Port) -> None:
        self._resting = None
        port.numberAccepts = ACCEPTED_AT_ONCE
        port.startReading()  # type: ignore[no-untyped-call]

    @property
    def bound(self) -> str:
        """What peers can dial here, as an endpoint string with the real port; "" while nothing is bound."""
        return "" if self._port is None else _bound_text(self.text, self._port.getHost())

    @property
    def host(self) -> str:
        """The IP address that is bound, "" where there is none or it is any."""
        host = None if self._port is None else getattr(self._port.getHost(), "host", None)
        return host if isinstance(host, str) and host not in ("0.0.0.0", "::") else ""

    def stop(self) -> Deferred[None]:
        """Fires when the endpoint is free again. Connections that came in stay."""
        self._stopped = True
        port, self._port = self._port, None
        resting, self._resting = self._resting, None
        if resting is not None:
            resting.cancel()
        return maybeDeferred(port.stopListening if port is not None else _nothing).addCallback(lambda _: None)


def _bound_text(text: str, host: Any) -> str:
    if isinstance(host, UNIXAddress):
        return f"unix:{(host.name or b'').decode('utf-8', 'replace')}"
    name, port = getattr(host, "host", None), getattr(host, "port", None)
    if not isinstance(name, str) or not isinstance(port, int):
        return text
    bound = f"{text.partition(':')[0]}:{port}"
    if name in ("0.0.0.0", "::"):
        return bound
    return f"{bound}:interface={name.replace(':', chr(92) + ':')}"


def _nothing() -> None:
    return None
