"""The other end of the control socket: plain blocking calls, so that qgate starts without loading Twisted.

Not for: use inside a reactor. Spec: docs/guide/operating.md (the control socket).
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from msgspec import UNSET, UnsetType

from quantumgate.control import messages
from quantumgate.control.messages import Request, RequestError
from quantumgate.errors import LocalError, QuantumGateError

ANSWER_SECONDS = 120.0
"""Longer than any dial, so that the node's own reason arrives first."""
READ_BYTES = 64 * 1024


class NoNodeRunning(LocalError):
    """Nobody answers at the control socket."""


class NodeRefused(QuantumGateError):
    """The node's own error: ``reason`` is its word for programs."""

    def __init__(self, reason: str, message: str, advice: str) -> None:
        super().__init__(message, advice=advice)
        self.reason = reason


class ControlClient:
    """One connection to a running node. Raises NoNodeRunning where there is none."""

    def __init__(self, path: Path, timeout_seconds: float = ANSWER_SECONDS) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout_seconds)
        self._received = bytearray()
        self._next_id = 1
        try:
            self._socket.connect(os.fspath(path))
        except OSError as error:
            self._socket.close()
            raise unreachable(path, error) from None

    def call(self, command: str, **arguments: Any) -> Any:
        """The result of one request. Raises NodeRefused with the node's reason."""
        result = None
        for part in self._answers(command, arguments):
            result = part[1]
        return result

    def stream(self, command: str, **arguments: Any) -> Iterator[tuple[bool, Any]]:
        """``(False, item)`` for each part of the answer as it comes, then ``(True, result)``."""
        return self._answers(command, arguments)

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> ControlClient:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _answers(self, command: str, arguments: dict[str, Any]) -> Iterator[tuple[bool, Any]]:
        request = Request(id=self._next_id, command=command, arguments=arguments)
        self._next_id += 1
        with contextlib.suppress(OSError):  # a node that refuses the connection says why before it closes
            self._socket.sendall(messages.encode(request))
        while True:
            answer = messages.decode_answer(self._line())
            if answer.id not in {None, request.id}:
                continue
            if not isinstance(answer.error, UnsetType):
                raise NodeRefused(answer.error.reason, answer.error.message, answer.error.advice)
            if answer.item is UNSET:
                yield True, None if answer.result is UNSET else answer.result
                return
            yield False, answer.item

    def _line(self) -> bytes:
        searched = 0
        while (end := self._received.find(b"\n", searched)) < 0:
            searched = len(self._received)
            if searched > messages.MAX_ANSWER_BYTES:
                raise RequestError("malformed", f"the node's answer has more than {messages.MAX_ANSWER_BYTES} bytes")
            self._received += self._read()
        line = bytes(self._received[:end])
        del self._received[: end + 1]
        return line

    def _read(self) -> bytes:
        try:
            data = self._socket.recv(READ_BYTES)
        except TimeoutError:
            raise RequestError("timeout", f"the node did not answer in {self._socket.gettimeout():g} seconds") from None
        except OSError as error:
            raise RequestError("lost", f"the connection to the node broke: {error.strerror}") from None
        if not data:
            raise RequestError("lost", "the node closed the connection before it answered")
        return data


def unreachable(path: Path, error: OSError) -> QuantumGateError:
    advice = "start one with `twistd -n qgnode`, or name its directory with --data"
    if isinstance(error, FileNotFoundError):
        return NoNodeRunning(f"no node is running: there is no control socket at {path}", advice=advice)
    if isinstance(error, ConnectionRefusedError):
        return NoNodeRunning(f"no node is running: nobody answers at {path}", advice=advice)
    if isinstance(error, PermissionError):
        return LocalError(f"{path}: permission denied", advice="use qgate as the user that runs the node")
    return NoNodeRunning(f"no node is running at {path}: {error.strerror or error}", advice=advice)
