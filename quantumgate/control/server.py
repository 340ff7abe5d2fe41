"""The control socket of a running node: who may open it, how many, how long a line may be.

Its owner is whoever may open a unix socket of mode 0600 in a directory of mode 0700; nobody else gets that far, and the
kernel is asked once more. Not for: what commands do (``commands.py``). Spec: docs/guide/operating.md.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
import struct
from pathlib import Path
from typing import Any, cast

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime, IReactorUNIX, ITransport
from twisted.internet.protocol import Factory, connectionDone
from twisted.logger import Logger
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure

from quantumgate.control import commands, messages
from quantumgate.control.api import ControlledNode
from quantumgate.control.messages import Answer, RequestError
from quantumgate.control.paths import write_pointer
from quantumgate.errors import LocalError, QuantumGateError

SOCKET_MODE = 0o600
log = Logger(namespace="quantumgate.control")


class ControlConnection(LineReceiver):
    """One operator's connection. Requests run side by side; what is under way ends with the connection."""

    delimiter = b"\n"
    MAX_LENGTH = messages.MAX_REQUEST_BYTES
    factory: ControlFactory

    def __init__(self) -> None:
        self._running: set[Deferred[Any]] = set()

    def connectionMade(self) -> None:
        try:
            check_owner(self.transport)
            if len(self.factory.connections) >= messages.MAX_CONNECTIONS:
                raise RequestError("busy", f"{messages.MAX_CONNECTIONS} control connections are open already")
        except RequestError as error:
            self._fail(None, error)
            self._transport().loseConnection()
            return
        self.factory.connections.add(self)
        # An operator who sends and does not read: stop reading too, or answers pile up here.
        cast(Any, self.transport).registerProducer(self, True)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.factory.connections.discard(self)
        for running in tuple(self._running):
            running.cancel()

    def lineReceived(self, line: bytes) -> None:
        request_id = None
        try:
            request = messages.decode_request(line)
            request_id = request.id
            if len(self._running) >= messages.MAX_RUNNING:
                raise RequestError("busy", f"{messages.MAX_RUNNING} requests of this connection are under way already")
            errand = commands.Errand(self.factory.node, self.factory.clock,
                                     lambda item: self._send(Answer(id=request.id, item=item)))
            work = commands.run(errand, request.command, request.arguments)
        except RequestError as error:
            self._fail(request_id, error)
        else:
            self._follow(request.id, Deferred.fromCoroutine(cast(Any, work)))

    def lineLengthExceeded(self, line: bytes) -> None:
        self._fail(None, RequestError("too-long", f"a request has at most {self.MAX_LENGTH} bytes"))
        self._transport().loseConnection()

    def _follow(self, request_id: int, running: Deferred[Any]) -> None:
        self._running.add(running)

        def finished(result: Any) -> None:
            self._running.discard(running)
            if isinstance(result, Failure):
                self._fail(request_id, result.value)
                if not isinstance(result.value, QuantumGateError) and self._is_open():
                    log.failure("a control command failed", failure=result)
            else:
                self._send(Answer(id=request_id, result=result))

        running.addBoth(finished)

    def _fail(self, request_id: int | None, error: BaseException | None) -> None:
        self._send(Answer(id=request_id, error=commands.error_body(error)))

    def _send(self, answer: Answer) -> None:
        if self._is_open() or answer.id is None:
            self._transport().write(messages.encode(answer))

    def _is_open(self) -> bool:
        return self in self.factory.connections

    def _transport(self) -> ITransport:
        return cast(ITransport, self.transport)


class ControlFactory(Factory):
    """Shared by the connections: the node they speak to."""

    protocol = ControlConnection  # type: ignore[assignment]  # the stub asks for a factory of protocols
    noisy = False

    def __init__(self, node: ControlledNode, clock: IReactorTime) -> None:
        self.node, self.clock = node, clock
        self.connections: set[ControlConnection] = set()


class ControlServer:
    """The socket's life. ``path`` comes from ``paths.control_path``; ``data`` is told where it ended up."""

    def __init__(self, node: ControlledNode, path: Path, reactor: Any, data: Path | None = None) -> None:
        self.path = path
        self._data = data
        self._reactor: IReactorUNIX = reactor
        self._factory = ControlFactory(node, reactor)
        self._port: Any = None

    def start(self) -> None:
        """Listens. Raises LocalError where the directory is open to others or another node answers at the path."""
        self._port = listen_privately(self.path, self._factory, self._reactor)
        if self._data is not None:
            write_pointer(self._data, self.path)

    def stop(self) -> Deferred[Any]:
        """Stops listening and closes what is open; Twisted removes the socket's file."""
        port, self._port = self._port, None
        for connection in tuple(self._factory.connections):
            cast(Any, connection.transport).abortConnection()
        return maybeDeferred(port.stopListening) if port is not None else maybeDeferred(lambda: None)


def listen_privately(path: Path, factory: Any, reactor: IReactorUNIX) -> Any:
    """A port that only this user and root can reach. Raises LocalError where the directory is open to others."""
    _check_directory(path.parent)
    _clear_stale(path)
    before = os.umask(0o177)  # never a moment in which others may connect, whatever the directory allows
    try:
        return reactor.listenUNIX(os.fspath(path), factory, mode=SOCKET_MODE)
    except Exception as error:
        raise LocalError(f"{path}: the control socket cannot be made: {_why(error)}") from None
    finally:
        os.umask(before)


def check_owner(transport: Any) -> None:
    """Root and the node's own user only. A transport in memory has no socket, and no stranger."""
    handle = transport.getHandle() if hasattr(transport, "getHandle") else None
    if handle is not None and peer_uid(handle) not in {os.geteuid(), 0}:
        raise RequestError("denied", "this control socket belongs to another user")


def peer_uid(unix_socket: socket.socket) -> int:
    """The user at the other end, as the kernel knows it."""
    credentials = unix_socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", credentials)[1])


def _check_directory(directory: Path) -> None:
    """Others must not be able to put a socket of their own in our place."""
    try:
        found = directory.stat()
    except OSError as error:
        raise LocalError(f"{directory}: no directory for the control socket: {_why(error)}") from None
    writable = found.st_mode & 0o022 and not found.st_mode & stat.S_ISVTX
    if writable or found.st_uid not in {os.geteuid(), 0}:
        raise LocalError(
            f"{directory}: others can write to the control socket's directory (mode {found.st_mode & 0o7777:04o})",
            advice=f"chmod 700 {directory}, or set node.control to a path in a directory of your own",
        )


def _clear_stale(path: Path) -> None:
    """Removes the socket that a killed node left. One that answers belongs to a live node and stays."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise LocalError(f"{path}: expected the control socket or nothing, found another kind of file")
    except FileNotFoundError:
        return
    probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    probe.setblocking(False)
    with probe:
        outcome = probe.connect_ex(os.fspath(path))
    if outcome in {errno.ECONNREFUSED, errno.ENOENT}:
        path.unlink(missing_ok=True)
        return
    raise LocalError(f"{path}: another node answers at this control socket",
                     advice="give each node its own data directory")


def _why(error: BaseException) -> str:
    inner = getattr(error, "socketError", error)
    return str(getattr(inner, "strerror", None) or inner).lower()
