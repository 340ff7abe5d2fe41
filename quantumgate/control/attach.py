"""A program's way to the services of the node that runs in another process: the door behind ``qg:`` endpoint strings.

The control socket says where the socket for streams is; everything else goes over that. A service that is offered is
offered again, with back-off, when the node comes back. Not for: the node's side (``streamsocket.py``). Spec:
docs/spec/services.md.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Collection, Generator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from twisted.internet.defer import Deferred, inlineCallbacks, succeed
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.error import ConnectError, NoProtocol
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure

from quantumgate.control import messages
from quantumgate.control.client import NoNodeRunning, unreachable
from quantumgate.control.messages import Answer, ErrorBody, Request
from quantumgate.control.streamline import StreamLine
from quantumgate.crypto.random import SystemRandom
from quantumgate.errors import ConnectFailed
from quantumgate.extender.services import ServiceError, checked_name, stream_address
from quantumgate.ids import QgAddress
from quantumgate.net.backoff import Backoff, Luck

ASK_SECONDS = 10.0
OPEN_SECONDS = 120.0
"""Longer than any dial and any circuit, so that the node's own reason arrives first."""
FIRST_SECONDS, CAP_SECONDS = 0.25, 15.0
"""The back-off while the node is away."""
log = Logger(namespace="quantumgate.services")
Build = Callable[[Any], Any]


class ProgramLine(StreamLine):
    """One connection to the node, as the program has it: one request at a time."""

    def __init__(self, reactor: Any) -> None:
        super().__init__(reactor)
        self._waiting: Deferred[Any] | None = None
        self._carry_then = False
        self.on_item: Callable[[Any], object] = lambda item: None
        self.on_gone: Callable[[], object] = lambda: None
        self.on_line = self._answered
        self.on_lost = self._broken

    def ask(
        self, command: str, seconds: float = ASK_SECONDS, *, carry: bool = False, **arguments: Any
    ) -> Deferred[Any]:
        """The result; with ``carry`` what follows it are frames. Fails with ConnectFailed."""
        self._waiting, self._carry_then = Deferred(), carry
        self.send_line(messages.encode(Request(id=1, command=command, arguments=arguments)))
        asked = self._waiting
        asked.addTimeout(seconds, self._clock, _no_answer)
        return asked.addErrback(self._drop)

    def tell(self, command: str, **arguments: Any) -> None:
        """A request whose answer does not matter."""
        self.send_line(messages.encode(Request(id=2, command=command, arguments=arguments)))

    def _drop(self, failure: Failure) -> Failure:
        self._waiting = None
        self.transport.abortConnection()
        return failure

    def _answered(self, line: bytes) -> None:
        answer = messages.decode_answer(line)
        if answer.id == 1 and isinstance(answer.item, dict):
            self.on_item(answer.item)
            return
        waiting = self._waiting
        if waiting is None or answer.id == 2:
            return
        self._waiting = None
        if isinstance(answer.error, ErrorBody):
            waiting.errback(ConnectFailed(answer.error.reason, answer.error.message, advice=answer.error.advice))
            return
        if self._carry_then:
            self.carry()
        waiting.callback(_result(answer))

    def _broken(self, _: Failure) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.errback(ConnectFailed("lost", "the node has gone before it answered"))
        self.on_gone()


class AttachedDoor:
    """The services of the node whose control socket is at ``control()``; asked anew for each try."""

    def __init__(self, reactor: Any, control: Callable[[], Path], luck: Luck | None = None) -> None:
        self.reactor, self._control = reactor, control
        self.luck: Luck = luck or SystemRandom()
        self._streams: str | None = None

    def open(self, peer: str, name: str, hops: int | None, build: Build, via: Sequence[str] = ()) -> Deferred[Any]:
        """See ``Services.open``. Fails with ConnectFailed or NoNodeRunning."""
        far = stream_address(QgAddress.parse(peer).uuid, checked_name(name))
        wish = {"peer": peer, "service": name, "hops": hops, **({"via": list(via)} if via else {})}
        return self._open(wish, build, (stream_address(None, name), far))

    @inlineCallbacks
    def _open(
        self, wish: dict[str, Any], build: Build, addresses: tuple[Any, Any]
    ) -> Generator[Deferred[Any], Any, Any]:
        line = yield self.line()
        yield line.ask("open", OPEN_SECONDS, carry=True, **wish)
        return connected(line, build, addresses)

    def serve(self, name: str, build: Build, to: Collection[Any] = ()) -> Deferred[AttachedService]:
        """Offers the service. Raises NoNodeRunning at once; fails with ServiceError where the name is taken."""
        self.probe()
        service = AttachedService(self, checked_name(name), build, [str(uuid) for uuid in to])
        return service.begin()

    def probe(self) -> None:
        """Raises NoNodeRunning where nobody listens at the control socket."""
        path = self._control()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.setblocking(False)
            try:
                outcome = probe.connect_ex(os.fspath(path))
            except OSError as error:  # a path that no socket can have
                raise unreachable(path, error) from None
        if outcome not in {0, errno.EAGAIN}:
            raise unreachable(path, OSError(outcome, os.strerror(outcome)))

    @inlineCallbacks
    def line(self) -> Generator[Deferred[Any], Any, ProgramLine]:
        """A fresh connection to the socket for streams. Fails with NoNodeRunning."""
        if self._streams is not None:
            try:
                found: ProgramLine = yield self._dial(self._streams)
                return found
            except NoNodeRunning:
                self._streams = None
        control: ProgramLine = yield self._dial(os.fspath(self._control()))
        answer = yield control.ask("streams")
        control.transport.loseConnection()
        self._streams = str(answer["path"])
        found = yield self._dial(self._streams)
        return found

    def _dial(self, path: str) -> Deferred[ProgramLine]:
        factory = Factory.forProtocol(lambda: ProgramLine(self.reactor))
        factory.noisy = False
        endpoint: Any = UNIXClientEndpoint(self.reactor, path)  # type: ignore[no-untyped-call]
        dialling: Deferred[Any] = endpoint.connect(factory)

        def failed(failure: Failure) -> Any:
            if not isinstance(failure.value, ConnectError):
                return failure
            cause = getattr(failure.value, "osError", None)
            raise unreachable(Path(path), cause if isinstance(cause, OSError) else OSError(str(failure.value)))

        return dialling.addErrback(failed)


class AttachedService:
    """One service of this program. ``withdraw`` ends it; while the node is away it waits for it."""

    def __init__(self, door: AttachedDoor, name: str, build: Build, to: list[str]) -> None:
        self._door, self._name, self._build, self._to = door, name, build, to
        self._backoff = Backoff(door.luck, first_seconds=FIRST_SECONDS, cap_seconds=CAP_SECONDS)
        self._line: ProgramLine | None = None
        self._again: Any = None
        self._over = False

    def begin(self) -> Deferred[AttachedService]:
        """The first time: what goes wrong is the caller's to know."""
        return self._attach().addCallbacks(lambda _: self, _as_service_error)

    @inlineCallbacks
    def _attach(self) -> Generator[Deferred[Any], Any, None]:
        line: ProgramLine = yield self._door.line()
        line.on_item, line.on_gone = self._offered, lambda: self._gone(line)
        yield line.ask("serve", service=self._name, to=self._to)
        if self._over:
            line.transport.loseConnection()
            return
        self._line = line
        self._backoff.reset()
        log.info("service {name} is offered by the node", name=self._name)

    def _gone(self, line: ProgramLine) -> None:
        if self._line is line:
            self._line = None
            if not self._over:
                log.warn("the node is gone; service {name} waits for it", name=self._name)
                self._try_later()

    def _try_later(self) -> None:
        delay_seconds = self._backoff.failed(self._door.reactor.seconds())
        self._again = self._door.reactor.callLater(delay_seconds, self._try)

    def _try(self) -> None:
        self._again = None
        self._attach().addErrback(self._not_yet)

    def _not_yet(self, failure: Failure) -> None:
        if not isinstance(failure.value, NoNodeRunning):
            log.warn("service {name} is not offered: {why}", name=self._name, why=failure.getErrorMessage())
        if not self._over:
            self._try_later()

    def withdraw(self) -> Deferred[None]:
        """No new connections."""
        self._over = True
        line, self._line = self._line, None
        if line is not None:
            line.transport.loseConnection()
        if self._again is not None:
            self._again.cancel()
            self._again = None
        return succeed(None)

    # -- connections ---------------------------------------------------------------------------------------------------

    def _offered(self, item: dict[str, Any]) -> None:
        self._take(str(item["stream"]), item.get("peer")).addErrback(self._not_taken)

    @inlineCallbacks
    def _take(self, token: str, peer: str | None) -> Generator[Deferred[Any], Any, None]:
        near, far = stream_address(None, self._name), stream_address(UUID(peer) if peer else None, self._name)
        protocol = self._built(far)
        if protocol is None:
            if self._line is not None:
                self._line.tell("refuse", stream=token)
            return
        line: ProgramLine = yield self._door.line()
        yield line.ask("take", carry=True, stream=token)
        line.connect(protocol, (near, far))

    def _built(self, far: Any) -> Any:
        """None, which refuses, where the program's factory raised: the peer need not wait until its time is over."""
        try:
            return self._build(far)
        except Exception:
            log.failure("the factory of service {name} failed", name=self._name)
            return None

    def _not_taken(self, failure: Failure) -> None:
        log.warn("a connection to service {name} came to nothing: {why}", name=self._name,
                 why=failure.getErrorMessage())


def connected(line: ProgramLine, build: Build, addresses: tuple[Any, Any]) -> Any:
    """The protocol for a line that carries a stream now. Raises NoProtocol."""
    protocol = build(addresses[1])
    if protocol is None:
        line.abortConnection()
        raise NoProtocol()
    line.connect(protocol, addresses)
    return protocol


def _result(answer: Answer) -> Any:
    return answer.result if isinstance(answer.result, dict | list | str) else None


def _no_answer(_: Any, seconds: float) -> Any:
    raise ConnectFailed("timeout", f"the node has not answered within {seconds:.0f} s")


def _as_service_error(failure: Failure) -> Any:
    error = failure.value
    if isinstance(error, ConnectFailed):
        raise ServiceError(error.reason, str(error), advice=error.advice)
    return failure
