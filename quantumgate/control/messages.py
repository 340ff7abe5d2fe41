"""The lines of the control socket: one JSON object each, requests with an id, answers that repeat it.

``{"id": 1, "command": "ping", "arguments": {...}}`` is answered by any number of ``{"id": 1, "item": ...}`` and then
one ``{"id": 1, "result": ...}`` or ``{"id": 1, "error": {"reason", "message", "advice"}}``. Not for: what commands do
(``commands.py``). Spec: docs/guide/operating.md (the control socket).
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from quantumgate.errors import LocalError

MAX_REQUEST_BYTES = 128 * 1024
"""More than the text of a peer's record and of its three anchors', hybrids with delegations all: 87,000 letters."""

MAX_ANSWER_BYTES = 64 * 1024 * 1024
MAX_CONNECTIONS = 16
MAX_RUNNING = 32
"""Requests of one connection that may be under way at once."""


class Request(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    id: int
    command: str
    arguments: dict[str, Any] = {}


class ErrorBody(Struct, frozen=True, kw_only=True):
    """``reason`` is a word for programs, ``message`` is for people, ``advice`` may be empty."""

    reason: str
    message: str
    advice: str = ""


class Answer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line back. ``id`` is None where the request could not be read."""

    id: int | None
    item: Any = UNSET
    result: Any = UNSET
    error: ErrorBody | UnsetType = UNSET


class RequestError(LocalError):
    """A line that is no request, or a request that cannot be served."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes; ValidationError is a DecodeError, a text that is no UTF-8 is not."""

_requests = msgspec.json.Decoder(Request)
_answers = msgspec.json.Decoder(Answer)


def encode(message: Request | Answer) -> bytes:
    """One line with its newline."""
    return msgspec.json.encode(message) + b"\n"


def decode_request(line: bytes) -> Request:
    """Raises RequestError for anything that is not a request."""
    try:
        return _requests.decode(line)
    except UNREADABLE as error:
        raise RequestError("malformed", f"not a request: {error}") from None


def decode_answer(line: bytes) -> Answer:
    """Raises RequestError where the node's line is not an answer."""
    try:
        return _answers.decode(line)
    except UNREADABLE as error:
        raise RequestError("malformed", f"the node sent a line that is no answer: {error}") from None
