"""The extender below ``qg:`` endpoints: one stream for each connection, whose label is the name of a service.

It belongs to every node and exposes nothing by itself: a name that nobody serves is answered as such. Not for: endpoint
objects (``net/endpoints.py``) or other processes' services (``control/streamsocket.py``). Spec: docs/spec/services.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.error import NoProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

import quantumgate
from quantumgate import logs
from quantumgate.errors import ChannelReset, ConnectFailed, LimitError, LocalError
from quantumgate.extender import api
from quantumgate.extender.streams import StreamAddress
from quantumgate.ids import PeerUUID, QgAddress, parse_peer_uuid
from quantumgate.wire.codes import ResetCode, describe

SERVICES_UUID = UUID("90b1c78e-d515-4924-bebf-759c4e4662a4")
NAME = "services"

SERVICES = 256
"""Names that one node serves at once."""
OPEN_SECONDS = 30.0
"""From the request for a stream to the peer's answer."""
LIST_SECONDS = 10.0
"""From a session to the peer's word that it has services."""

_SERVICE_NAME = re.compile(r"[a-z][a-z0-9._-]{0,62}")
_log = logs.named("services")

Build = Callable[[StreamAddress], Any]
"""What a connection from there gets: an IProtocol, None to refuse, or a Deferred of either."""


class ServiceError(LocalError):
    """A service cannot be offered. ``reason`` is a word for programs."""

    def __init__(self, reason: str, message: str, *, advice: str = "") -> None:
        super().__init__(message, advice=advice)
        self.reason = reason


def checked_name(name: str) -> str:
    """Raises ServiceError for what cannot be the name of a service."""
    if not _SERVICE_NAME.fullmatch(name):
        raise ServiceError(
            "bad-name", f"a service's name has 1 to 63 of a-z 0-9 . _ - and begins with a letter, found {name[:80]!r}"
        )
    return name


def stream_address(uuid: UUID | None, name: str) -> StreamAddress:
    """One end of a connection to that service, as ``getPeer`` and ``getHost`` give it."""
    return StreamAddress(uuid, SERVICES_UUID, name.encode())


@dataclass(frozen=True)
class Way:
    """How a peer is to be reached: over ``hops`` relays, None = as it comes, or over exactly those of ``via``."""

    hops: int | None = None
    via: tuple[PeerUUID, ...] = ()

    def takes(self, path: Sequence[UUID]) -> bool:
        """Whether a session over these relays will do."""
        return tuple(path) == self.via if self.via else self.hops is None or len(path) == self.hops


@dataclass(eq=False)
class Service:
    """One name that is served. ``to``: the peers that may use it; empty = every admitted one."""

    name: str
    build: Build
    to: frozenset[PeerUUID]
    _withdrawn: Callable[[Service], None] = field(repr=False)

    def withdraw(self) -> None:
        """New connections are answered with "no such service"; the ones that stand go on."""
        self._withdrawn(self)


class Services(api.Extender):
    """One node's. What is served stays so while the node stops and starts again in the same process."""

    host: Any = None

    def __init__(self) -> None:
        self._served: dict[str, Service] = {}
        self._awaited: dict[Any, list[Deferred[None]]] = {}
        self._dials: dict[tuple[UUID, Way], list[Deferred[Any]]] = {}
        self._occasionally = logs.Occasionally(lambda: self.host.clock.seconds() if self.host else 0.0)

    def maker(self) -> api.Maker:
        """For the registry: this very object is the guest, whenever the node starts."""
        return api.maker(
            lambda: self, name=NAME, uuid=SERVICES_UUID, version=quantumgate.__version__,
            summary="Carries the connections of qg: endpoints, qgate expose and qgate forward.",
        )

    def stop(self) -> None:
        """The host ends every stream; whoever waits is told by it or by the timeout of this guest's dials."""
        self.host = None
        waiting, self._awaited = self._awaited, {}
        for waiter in [one for several in waiting.values() for one in several]:
            waiter.errback(_not_running())

    @property
    def names(self) -> list[str]:
        """What is served now."""
        return sorted(self._served)

    def status(self) -> dict[str, Any]:
        """The names that are served now."""
        return {"services": self.names}

    # -- serving -------------------------------------------------------------------------------------------------------

    def serve(self, name: str, build: Build, to: Collection[PeerUUID] = ()) -> Service:
        """Connections to ``name`` get what ``build`` makes. Raises ServiceError or LimitError."""
        if checked_name(name) in self._served:
            raise ServiceError("name-taken", f"the service {name} is offered already, by this node or another program",
                               advice="choose another name, or end the other one")
        if len(self._served) >= SERVICES:
            raise LimitError("services", SERVICES)
        service = self._served[name] = Service(name, build, frozenset(to), self._withdraw)
        return service

    def _withdraw(self, service: Service) -> None:
        if self._served.get(service.name) is service:
            del self._served[service.name]

    def stream_opened(self, peer: api.IPeer, label: bytes) -> Any:
        """Raises ChannelReset, the answer to the peer, where there is no such service, or not for this peer."""
        service = self._served.get(label.decode("ascii", "replace"))
        if service is None:
            self._refused(peer, label, "nobody offers it")
            raise ChannelReset("no such service", ResetCode.NO_SUCH_SERVICE)
        if service.to and peer.uuid not in service.to:
            self._refused(peer, label, "it is not offered to this peer")
            raise ChannelReset("not for this peer", ResetCode.REFUSED)
        return service.build(stream_address(peer.uuid, service.name))

    def _refused(self, peer: Any, label: bytes, why: str) -> None:
        if self._occasionally.allows((peer.uuid, why)):
            _log.warn("service {name!r} refused to {peer}: {why}", name=label.decode("ascii", "replace"),
                      peer=logs.peer(peer.uuid), why=why)

    # -- using ---------------------------------------------------------------------------------------------------------

    def open(
        self, peer: str, name: str, hops: int | None, build: Callable[[StreamAddress], Any], via: Sequence[str] = ()
    ) -> Deferred[Any]:
        """The protocol that ``build`` makes, connected to that service of that peer.

        ``peer`` is a UUID or a qg address. ``hops`` None: over any session that stands, else dialled as the operator
        configured it; a number: over exactly so many relays; ``via``: over exactly these, by UUID, the nearest first.
        Fails with ConnectFailed, a LocalError, or what ended the session.
        """
        return self._open(peer, name, hops, build, via)

    @inlineCallbacks
    def _open(
        self, peer: str, name: str, hops: int | None, build: Callable[[StreamAddress], Any], via: Sequence[str]
    ) -> Generator[Deferred[Any], Any, Any]:
        address, label = QgAddress.parse(peer), checked_name(name).encode()
        way = Way(hops, tuple(map(parse_peer_uuid, via)))
        if self.host is None:
            raise _not_running()
        found = self._present(address.uuid, way)
        if found is None:
            found = yield self._reach(address, way)
            if self.host is None:
                raise _not_running()
            if found not in self.host.peers():
                yield self._listed(found)
        waiting = _Unanswered()
        opening = self.host.open_stream(found, waiting, label)
        opening.addTimeout(OPEN_SECONDS, self.host.clock, _silent)
        try:
            yield opening
        except ChannelReset as error:
            raise _refusal(error, address.uuid, name) from None
        stream: Any = waiting.transport
        protocol = build(stream.getPeer())
        if protocol is None:
            stream.abortConnection()
            raise NoProtocol()
        stream.connect(protocol)
        stream.resumeProducing()
        return protocol

    def _present(self, uuid: PeerUUID, way: Way) -> Any:
        """A live session that will do, the one with the fewest relays."""
        fitting = [peer for peer in self.host.peers(lambda peer: peer.uuid == uuid) if way.takes(peer.path)]
        return min(fitting, key=lambda peer: len(peer.path), default=None)

    def _reach(self, address: QgAddress, way: Way) -> Deferred[Any]:
        """Dials; whoever else wants the same peer meanwhile waits for the same dial."""
        key = (address.uuid, way)
        waiter: Deferred[Any] = Deferred(lambda gone: self._dials.get(key, [gone]).remove(gone))
        if key in self._dials:
            self._dials[key].append(waiter)
            return waiter
        self._dials[key] = [waiter]
        self.host.connect(address.to_dial, way.hops, way.via).addBoth(self._dialled, key)
        return waiter

    def _dialled(self, result: Any, key: tuple[UUID, Way]) -> None:
        for waiter in self._dials.pop(key, []):
            waiter.callback(result)  # a Failure makes it fail

    def _listed(self, peer: Any) -> Deferred[None]:
        """Fires once the peer has said that it has services; ConnectFailed where it does not in time."""
        waiter: Deferred[None] = Deferred()
        self._awaited.setdefault(peer, []).append(waiter)
        waiter.addTimeout(LIST_SECONDS, self.host.clock, _without_services)
        waiter.addBoth(lambda result: self._stop_waiting(peer, waiter, result))
        return waiter

    def _stop_waiting(self, peer: Any, waiter: Deferred[None], result: Any) -> Any:
        waiting = self._awaited.get(peer, [])
        if waiter in waiting:
            waiting.remove(waiter)
        if not waiting:
            self._awaited.pop(peer, None)
        return result

    def peer_arrived(self, peer: api.IPeer) -> None:
        """Whoever waited for it goes on."""
        for waiter in self._awaited.pop(peer, []):
            waiter.callback(None)


class _Unanswered(Protocol):
    """Holds a stream until the peer has answered; what comes early waits in the transport."""

    def connectionMade(self) -> None:
        self.transport.pauseProducing()  # type: ignore[union-attr]

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Whoever opened the stream is told by its Deferred."""


def _refusal(error: ChannelReset, uuid: UUID, name: str) -> ConnectFailed:
    words = {
        ResetCode.NO_SUCH_SERVICE: ("no-such-service", f"{uuid} has no service {name}"),
        ResetCode.REFUSED: ("refused", f"{uuid} does not offer the service {name} to this node"),
        ResetCode.LIMIT: ("limit", f"{uuid} has no room for another connection"),
    }
    known = words.get(ResetCode(error.code)) if error.code in set(ResetCode) else None
    return ConnectFailed(*(known or ("reset", f"{uuid} ended the connection: {describe(error.code, ResetCode)}")))


def _not_running() -> ConnectFailed:
    return ConnectFailed("stopped", "the node is not running")


def _silent(_: Any, seconds: float) -> Any:
    raise ConnectFailed("no-answer", f"the peer has not answered within {seconds:.0f} s")


def _without_services(_: Any, seconds: float) -> Any:
    raise ConnectFailed("no-services", f"the peer has not said within {seconds:.0f} s that it has services")

