"""The second unix socket's spelling: lines of JSON first, then frames that carry one stream.

A frame is a byte of kind, three of length, a body. DATA is bytes of the stream, FIN (empty) ends one half, RESET (a
code and a text) ends both. Not for: what the lines ask (``streamsocket.py``, ``attach.py``), or the transport that
they make (``streamline.py``). Spec: docs/spec/services.md, 3.
"""

from __future__ import annotations

import struct

from quantumgate.control.messages import MAX_REQUEST_BYTES
from quantumgate.errors import MalformedError

DATA, FIN, RESET = 0, 1, 2
LINE = -1
"""What comes before the first frame, in the place of a kind."""

HEAD = struct.Struct(">I")
LENGTH_MASK = 0xFFFFFF
PIECE_BYTES = LENGTH_MASK
"""More of one write goes into several frames."""
CODE_BYTES = 2
RESET_TEXT_BYTES = 512

FIN_FRAME = HEAD.pack(FIN << 24)


def data_frames(data: bytes) -> list[bytes]:
    """Head and body in turn, for ``writeSequence``, which goes over them twice."""
    pieces = [data[start : start + PIECE_BYTES] for start in range(0, len(data), PIECE_BYTES)]
    return [part for piece in pieces for part in (HEAD.pack(DATA << 24 | len(piece)), piece)]


def reset_frame(code: int, text: str) -> bytes:
    """Both halves are over; a long text is cut."""
    body = code.to_bytes(CODE_BYTES, "big") + text.encode()[:RESET_TEXT_BYTES]
    return HEAD.pack(RESET << 24 | len(body)) + body


def reset_body(body: bytes) -> tuple[int, str]:
    """Code and text of a RESET."""
    return int.from_bytes(body[:CODE_BYTES], "big"), body[CODE_BYTES:].decode("utf-8", "replace")


class Unread:
    """What came in and was not read yet: lines, and from the moment that ``framed`` is set, frames."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._due_bytes = 0
        self.framed = False

    def __bool__(self) -> bool:
        return bool(self._received)

    def feed(self, data: bytes) -> None:
        """More of it."""
        self._received += data

    def clear(self) -> None:
        """Nothing of it is wanted any more."""
        self._received.clear()
        self._due_bytes = 0

    def next(self) -> tuple[int, bytes] | None:
        """Kind and body of what comes next, of DATA as much as is there; None where it is not whole yet.

        Raises MalformedError.
        """
        return self._frame() if self.framed else self._line()

    def _line(self) -> tuple[int, bytes] | None:
        end = self._received.find(b"\n", 0, MAX_REQUEST_BYTES + 1)
        if end >= 0:
            line = self._cut(end)
            del self._received[:1]
            return LINE, line
        if len(self._received) > MAX_REQUEST_BYTES:
            raise MalformedError("a line is too long")
        return None

    def _frame(self) -> tuple[int, bytes] | None:
        while not self._due_bytes:
            if len(self._received) < HEAD.size:
                return None
            (head,) = HEAD.unpack_from(self._received)
            kind, length = head >> 24, head & LENGTH_MASK
            _check(kind, length)
            if kind != DATA:
                return self._control(kind, length)
            del self._received[: HEAD.size]
            self._due_bytes = length
        piece = self._cut(self._due_bytes)
        self._due_bytes -= len(piece)
        return (DATA, piece) if piece else None

    def _control(self, kind: int, length: int) -> tuple[int, bytes] | None:
        """FIN or RESET, whose body is short and comes whole."""
        if len(self._received) < HEAD.size + length:
            return None
        del self._received[: HEAD.size]
        return kind, self._cut(length)

    def _cut(self, count: int) -> bytes:
        taken = bytes(self._received[:count])
        del self._received[:count]
        return taken


def _check(kind: int, length: int) -> None:
    legal = {DATA: True, FIN: not length, RESET: CODE_BYTES <= length <= CODE_BYTES + RESET_TEXT_BYTES}
    if not legal.get(kind, False):
        raise MalformedError("a frame is malformed")
