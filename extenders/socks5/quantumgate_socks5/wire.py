"""What the two sides say to each other: frames on a line (a stream that carries one call after the other), and offers.

Bytes in any pieces go in, whole frames come out; DATA comes out as it arrives. Spec: docs/WIRE.md.
Not for: which frame may come when (``nearline.py``, ``farline.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from .destination import ENCODED_BYTES, BadAddress, Destination, parse_whole
from .replies import Code, code_of

LABEL = b"line 1"
"""The label of a stream that is a line of this version."""

HEADER_BYTES = 4
DATA_BYTES = 262_144
DATAGRAM_BYTES = 65_507
OFFER = 1
FIRST_IGNORED_MESSAGE = 0x80
"""Messages of these kinds are for newer versions: passed over without a word."""


class Kind(IntEnum):
    """The kinds of frames."""

    CONNECT = 1
    BIND = 2
    ASSOCIATE = 3
    ANSWER = 4
    DATA = 5
    END = 6
    DATAGRAM = 7


SIZES = {
    Kind.CONNECT: ENCODED_BYTES,
    Kind.BIND: ENCODED_BYTES,
    Kind.ASSOCIATE: (0, 0),
    Kind.ANSWER: (1, 20),
    Kind.DATA: (1, DATA_BYTES),
    Kind.END: (0, 0),
    Kind.DATAGRAM: (ENCODED_BYTES[0], ENCODED_BYTES[1] + DATAGRAM_BYTES),
}
FROM_NEAR = frozenset({Kind.CONNECT, Kind.BIND, Kind.ASSOCIATE, Kind.DATA, Kind.END, Kind.DATAGRAM})
FROM_FAR = frozenset({Kind.ANSWER, Kind.DATA, Kind.END, Kind.DATAGRAM})


class MalformedLine(ValueError):
    """Bytes or an order of frames that no sound peer sends. The line is reset and the peer reported."""


def header(kind: int, size: int) -> bytes:
    """The four bytes in front of a body."""
    return (kind << 24 | size).to_bytes(HEADER_BYTES)


def frame(kind: int, body: bytes = b"") -> bytes:
    """A whole frame."""
    return header(kind, len(body)) + body


class FrameReader:
    """One direction of one line. ``kinds`` are those that the other side may send at all."""

    def __init__(self, kinds: Iterable[Kind]) -> None:
        self._kinds = {int(kind): (kind, *SIZES[kind]) for kind in kinds}
        self._head = b""
        self._kind: Kind | None = None
        self._left = 0
        self._body = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[Kind, bytes]]:
        """(kind, body) of each frame; a DATA frame may come in several pieces. Raises MalformedLine."""
        at, size = 0, len(data)
        while at < size:
            if self._kind is None:
                taken = data[at : at + HEADER_BYTES - len(self._head)]
                at += len(taken)
                self._head += taken
                if len(self._head) < HEADER_BYTES:
                    return
                self._begin()
            kind = self._kind
            piece = data[at : at + self._left]  # the whole of bytes is no copy
            at += len(piece)
            self._left -= len(piece)
            if not self._left:
                self._kind = None
            if kind is Kind.DATA:
                if piece:
                    yield kind, piece
                continue
            self._body += piece
            if not self._left and kind is not None:
                body, self._body = bytes(self._body), bytearray()
                yield kind, body

    def _begin(self) -> None:
        known = self._kinds.get(self._head[0])
        size = int.from_bytes(self._head[1:])
        if known is None:
            raise MalformedLine(f"a frame of kind {self._head[0]}")
        kind, least, most = known
        if not least <= size <= most:
            raise MalformedLine(f"{kind.name} of {size} bytes")
        self._kind, self._left, self._head = kind, size, b""


# -- bodies ------------------------------------------------------------------------------------------------------------


def destination(body: bytes) -> Destination:
    """The body of CONNECT and BIND. Raises MalformedLine."""
    try:
        return parse_whole(body)
    except BadAddress as error:
        raise MalformedLine(str(error)) from None


def answer(code: Code, bound: Destination | None = None) -> bytes:
    """An ANSWER frame; ``bound`` where it is GRANTED."""
    return frame(Kind.ANSWER, bytes((code,)) + (bound.encode() if bound is not None else b""))


def parse_answer(body: bytes) -> tuple[Code, Destination | None]:
    """Its code, and the address that was bound where it is GRANTED. Raises MalformedLine."""
    if body[0] != Code.GRANTED:
        if len(body) > 1:
            raise MalformedLine("an address behind a failure")
        return code_of(body[0]), None
    try:
        bound = parse_whole(body, 1)
    except BadAddress as error:
        raise MalformedLine(str(error)) from None
    if isinstance(bound.host, str):
        raise MalformedLine("a name as bound address")
    return Code.GRANTED, bound


# -- offers ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Offer:
    """What an exit does for the peer that it tells. ``connections``: how many at once, 1 to 65535."""

    tcp: bool
    bind: bool
    udp: bool
    connections: int

    def encode(self) -> bytes:
        """The message: kind, flags, connections."""
        return bytes((OFFER, self.tcp | self.bind << 1 | self.udp << 2)) + self.connections.to_bytes(2)


def parse_message(message: bytes) -> Offer | None:
    """An offer; None for a kind that is for newer versions. Raises MalformedLine."""
    if message and message[0] >= FIRST_IGNORED_MESSAGE:
        return None
    if len(message) != 4 or message[0] != OFFER or message[1] & ~7:
        raise MalformedLine("a message that is no offer")
    flags = message[1]
    return Offer(bool(flags & 1), bool(flags & 2), bool(flags & 4), int.from_bytes(message[2:]))
