"""The second unix socket of a running node: other processes of its user serve and use services through it.

A connection asks one thing. ``open``: a stream to a peer's service, carried on this connection. ``serve``: offers a
service for as long as the connection stands, and brings an item for each stream that a peer opens; ``take`` (on a new
connection) carries such a stream, ``refuse`` turns it away. Not for: the frames (``streamline.py``) or the other
process (``attach.py``). Spec: docs/spec/services.md.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from twisted.internet.defer import CancelledError, Deferred, inlineCallbacks, maybeDeferred
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure

from quantumgate.control import messages
from quantumgate.control.commands import error_body
from quantumgate.control.messages import Answer, ErrorBody, Request, RequestError
from quantumgate.control.server import check_owner, listen_privately
from quantumgate.control.streamline import StreamLine, reset_of
from quantumgate.errors import ChannelReset, QuantumGateError
from quantumgate.extender.services import Service, ServiceError
from quantumgate.extender.streams import StreamAddress
from quantumgate.ids import parse_peer_uuid
from quantumgate.net.endpoints import Door
from quantumgate.net.splice import SpliceEnd, splice
from quantumgate.wire.codes import ResetCode

CONNECTIONS = 4096
"""Connections of this socket at once."""
OFFERED = 64
"""Streams of one service that nobody has taken yet."""
TAKE_SECONDS = 10.0
"""How long a program may leave a stream untaken."""
log = Logger(namespace="quantumgate.services")


class OpenArguments(Struct, forbid_unknown_fields=True, frozen=True):
    peer: Annotated[str, Meta(min_length=1, max_length=4096)]
    service: str
    hops: Annotated[int, Meta(ge=0, le=8)] | None = None
    via: Annotated[tuple[str, ...], Meta(max_length=8)] = ()


class ServeArguments(Struct, forbid_unknown_fields=True, frozen=True):
    service: str
    to: Annotated[tuple[str, ...], Meta(max_length=256)] = ()


class StreamArguments(Struct, forbid_unknown_fields=True, frozen=True):
    stream: str


class LineEnd(SpliceEnd):
    """The end at the other process: it is told with which code the stream was reset."""

    def abort(self, reason: Failure) -> None:
        self.transport.abortConnection(*reset_of(reason.value))


class Offer:
    """One stream of a peer that waits for the program which serves it."""

    def __init__(self, address: StreamAddress, answer: Deferred[Any]) -> None:
        self.address, self.answer = address, answer


class StreamsFactory(Factory):
    """All connections of the socket; ``services`` is the node's own door."""

    noisy = False

    def __init__(self, services: Door, reactor: Any) -> None:
        self.services, self.reactor = services, reactor
        self.lines: set[NodeLine] = set()
        self.offers: dict[str, Offer] = {}
        self._count = 0

    def buildProtocol(self, addr: Any) -> NodeLine:
        return NodeLine(self)

    def offer(self, address: StreamAddress) -> tuple[str, Deferred[Any]]:
        """A name for the stream, and what fires with its end once it is taken. Fails with ChannelReset."""
        self._count += 1
        token = str(self._count)
        answer: Deferred[Any] = Deferred(lambda _: None)
        self.offers[token] = Offer(address, answer)
        answer.addTimeout(TAKE_SECONDS, self.reactor, _untaken)
        answer.addBoth(lambda result: (self.offers.pop(token, None), result)[1])
        return token, answer


class Asker:
    """The other process while it asks: where it does not read the answers, it is not read from."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self.behind = False
        transport.registerProducer(self, True)

    def pauseProducing(self) -> None:
        self.behind = True
        self._transport.pauseProducing()

    def resumeProducing(self) -> None:
        self.behind = False
        self._transport.resumeProducing()

    def stopProducing(self) -> None:
        """The connection is over."""

    def asks_no_more(self) -> None:
        """The connection carries a stream from now on, with a producer of its own."""
        self._transport.unregisterProducer()
        if self.behind:
            self.resumeProducing()


class NodeLine(StreamLine):
    """One connection, as the node has it."""

    _asker: Asker

    def __init__(self, factory: StreamsFactory) -> None:
        super().__init__(factory.reactor)
        self._factory = factory
        self._service: Service | None = None
        self._offered: dict[str, Deferred[Any]] = {}
        self._opening: Deferred[Any] | None = None
        self._serving_id = 0
        self.on_line = self._request
        self.on_lost = self._gone

    def connectionMade(self) -> None:
        try:
            check_owner(self.transport)
            if len(self._factory.lines) >= CONNECTIONS:
                raise RequestError("busy", f"{CONNECTIONS} connections for services are open already")
        except RequestError as error:
            self._answer(None, error)
            self.transport.loseConnection()
            return
        self._factory.lines.add(self)
        self._asker = Asker(self.transport)

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        self._factory.lines.discard(self)
        super().connectionLost(reason)

    def _gone(self, _: Failure) -> None:
        """The program has ended, or let go: its service with it."""
        if self._service is not None:
            self._service.withdraw()
        for offered in list(self._offered.values()):
            offered.errback(ChannelReset("the service has gone", ResetCode.NO_SUCH_SERVICE))
        if self._opening is not None:
            self._opening.cancel()

    # -- requests ------------------------------------------------------------------------------------------------------

    def _request(self, line: bytes) -> None:
        number = None
        try:
            request = messages.decode_request(line)
            number = request.id
            if request.command not in self.WAYS:
                raise RequestError("unknown-command", f"this socket does not know {request.command[:64]!r}")
            kind, do = self.WAYS[request.command]
            do(self, request, _converted(request, kind))
        except QuantumGateError as error:
            self._answer(number, error)

    def _answer(self, number: int | None, error: BaseException | None) -> None:
        self.send_line(messages.encode(Answer(id=number, error=words_of(error))))

    def _result(self, request: Request, result: Any) -> None:
        self.send_line(messages.encode(Answer(id=request.id, result=result)))

    def _require_idle(self) -> None:
        """A second stream would take the place of the first one, and a service's items would stand among frames."""
        if self._service is not None or self._opening is not None:
            raise RequestError("busy", "this connection opens a stream or offers a service already")

    def _open(self, request: Request, arguments: OpenArguments) -> None:
        self._require_idle()
        self._opening = self._opened(request, arguments)

    @inlineCallbacks
    def _opened(self, request: Request, arguments: OpenArguments) -> Generator[Deferred[Any], Any, None]:
        services, wish = self._factory.services, arguments
        try:
            far = yield services.open(wish.peer, wish.service, wish.hops, lambda address: SpliceEnd(), wish.via)
        except CancelledError:
            return
        except Exception as error:
            self._opening = None
            self._answer(request.id, error)
            if not isinstance(error, QuantumGateError):
                log.failure("a stream could not be opened")
            return
        self._opening = None
        self._carry(request, far, far.transport.getPeer())

    def _carry(self, request: Request, far: SpliceEnd, address: StreamAddress) -> None:
        """Answers, and from there on this connection is the stream."""
        self._result(request, {"peer": None if address.uuid is None else str(address.uuid)})
        near = LineEnd()
        self._asker.asks_no_more()
        self.carry()
        self.connect(near, (None, None))
        splice(near, far)

    def _serve(self, request: Request, arguments: ServeArguments) -> None:
        self._require_idle()
        to = [parse_peer_uuid(text) for text in arguments.to]
        self._service = self._factory.services.serve(arguments.service, self._offer, to)
        self._serving_id = request.id
        self._result(request, {})

    def _offer(self, address: StreamAddress) -> Deferred[Any]:
        """A peer wants this service: the program is asked to take the stream."""
        if len(self._offered) >= OFFERED or self._asker.behind:
            raise ChannelReset("too many connections wait for this service", ResetCode.LIMIT)
        token, answer = self._factory.offer(address)
        self._offered[token] = answer
        answer.addBoth(lambda result: (self._offered.pop(token, None), result)[1])
        item = {"stream": token, "peer": None if address.uuid is None else str(address.uuid)}
        self.send_line(messages.encode(Answer(id=self._serving_id, item=item)))
        return answer

    def _take(self, request: Request, arguments: StreamArguments) -> None:
        self._require_idle()
        offer = self._offer_of(arguments)
        far = SpliceEnd()
        offer.answer.callback(far)
        if far.transport is None:
            raise RequestError("gone", "the peer has given up this stream")
        self._carry(request, far, offer.address)

    def _refuse(self, request: Request, arguments: StreamArguments) -> None:
        self._offer_of(arguments).answer.errback(ChannelReset("refused", ResetCode.REFUSED))
        self._result(request, {})

    def _offer_of(self, arguments: StreamArguments) -> Offer:
        if (offer := self._factory.offers.get(arguments.stream)) is None:
            raise RequestError("gone", "no such stream waits any more")
        return offer

    WAYS: dict[str, tuple[type[Struct], Callable[[Any, Request, Any], None]]] = {
        "open": (OpenArguments, _open),
        "serve": (ServeArguments, _serve),
        "take": (StreamArguments, _take),
        "refuse": (StreamArguments, _refuse),
    }


class StreamsSocket:
    """The socket's life. ``path`` comes from ``paths.control_path``."""

    def __init__(self, services: Door, path: Path, reactor: Any) -> None:
        self.path = path
        self._factory, self._reactor = StreamsFactory(services, reactor), reactor
        self._port: Any = None

    def start(self) -> None:
        """Listens. Raises LocalError, as the control socket does."""
        self._port = listen_privately(self.path, self._factory, self._reactor)

    def stop(self) -> Deferred[Any]:
        """Stops listening and ends what is open."""
        port, self._port = self._port, None
        for line in tuple(self._factory.lines):
            line.transport.abortConnection()
        return maybeDeferred(port.stopListening) if port is not None else maybeDeferred(lambda: None)


def words_of(error: BaseException | None) -> ErrorBody:
    """An error as the other process gets it."""
    if isinstance(error, ServiceError):
        return ErrorBody(reason=error.reason, message=str(error), advice=error.advice)
    return error_body(error)


def _converted(request: Request, kind: type[Struct]) -> Any:
    try:
        return msgspec.convert(request.arguments, kind)
    except msgspec.ValidationError as error:
        raise RequestError("wrong-arguments", f"{request.command}: {error}") from None


def _untaken(_: Any, seconds: float) -> Any:
    raise ChannelReset(f"the service has not taken the connection within {seconds:.0f} s", ResetCode.TIMEOUT)
