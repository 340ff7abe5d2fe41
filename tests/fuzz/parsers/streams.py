"""The socket for streams: lines of a local program, then frames. A live line of the node whose door is scripted.

What must hold: answers, then sound frames, or the end; nothing escapes; what waits is bounded; how bytes are cut into
pieces changes nothing. Spec: docs/spec/services.md, 3.
"""

from __future__ import annotations

import json
from enum import IntEnum
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.protocol import connectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from quantumgate.control import messages, streamframes
from quantumgate.control.messages import Request
from quantumgate.control.streamframes import FIN_FRAME, Unread, data_frames, reset_frame
from quantumgate.control.streamsocket import NodeLine, StreamsFactory
from quantumgate.errors import ConnectFailed, MalformedError
from quantumgate.net.splice import SpliceEnd
from tests.control.fakenode import FRIEND
from tests.fuzz.parsers.plain import Lore, pieces
from tests.fuzz.script import Script, Step
from tests.fuzz.target import Broken


class Say(IntEnum):
    LINE = 0  # data and a newline; a = bytes a piece (0: whole)
    BYTES = 1  # data as it is; a as above
    TIME = 2  # a milliseconds pass
    END = 3  # the program goes
    FRAMES = 4  # data alone, read as frames: in pieces of a bytes as at once
    PEER = 5  # the far end says data, if there is one


class Transport(StringTransport):
    """As a socket: closing takes effect, and a producer may be there once more."""

    def abortConnection(self) -> None:
        self.disconnecting = True

    def loseWriteConnection(self) -> None:
        """Nothing to see."""

    def unregisterProducer(self) -> None:
        self.producer = None

    def getPeer(self) -> Any:
        return SimpleNamespace(uuid=FRIEND)


class Door:
    """A node's services. ``open`` to ``web`` works, to ``slow`` hangs, to others fails."""

    def __init__(self) -> None:
        self.far: list[Transport] = []

    def open(self, peer: str, service: str, *_: Any) -> Deferred[Any]:
        if service == "slow":
            return Deferred()
        if service != "web":
            return fail(ConnectFailed("no-answer", "nobody"))
        end = SpliceEnd()
        self.far.append(Transport())
        end.makeConnection(self.far[-1])
        return succeed(end)

    def serve(self, service: str, *_: Any) -> Any:
        return SimpleNamespace(withdraw=lambda: None)


def run_script(script: Script) -> list[Any]:
    """All answers. Raises Broken, or whatever escaped the line."""
    clock, door = Clock(), Door()
    services: Any = door
    line, transport = StreamsFactory(services, clock).buildProtocol(None), Transport()
    line.makeConnection(transport)
    for step in script:
        if step.kind == Say.FRAMES:
            same_in_pieces(step.data, step.a % 64)
        elif step.kind == Say.TIME:
            clock.advance(step.a % 100_000 / 1000)
        elif step.kind == Say.PEER and door.far and line.guest is not None and line.guest.other is not None:
            line.guest.other.dataReceived(step.data)
        elif step.kind == Say.END:
            break
        elif not transport.disconnecting:
            hear(line, transport, step.data + b"\n" * (step.kind == Say.LINE), step.a % 64)
    line.connectionLost(connectionDone)
    clock.advance(100)
    return check_said(transport.value())


def hear(line: NodeLine, transport: Transport, data: bytes, size: int) -> None:
    for piece in pieces(data, max(size, len(data) // 64) if size else 0):
        if not transport.disconnecting:
            line.dataReceived(piece)
    waiting: Any = line._unread
    if len(waiting._received) > messages.MAX_REQUEST_BYTES + len(data) or (transport.disconnecting and line._unread):
        raise Broken("more waits than a line")


def check_said(said: bytes) -> list[Any]:
    """Lines of answers up to the first stream, and sound frames from there."""
    unread, answers = Unread(), []
    unread.feed(said)
    while (part := unread.next()) is not None:
        if part[0] != streamframes.LINE:
            continue
        answer = json.loads(part[1])
        if answer.get("error", {}).get("reason") == "bug":
            raise Broken(f"a bug: {answer!r:.200}")
        answers.append(answer)
        unread.framed = "peer" in (answer.get("result") or ())
    if unread:
        raise Broken("a torn end of what the node says")
    return answers


def same_in_pieces(data: bytes, size: int) -> None:
    if read(data, 0) != read(data, size):
        raise Broken("pieces make a difference")


def read(data: bytes, size: int) -> tuple[list[tuple[int, bytes]], bool]:
    """Frames, DATA that follows DATA joined, and whether the rest is malformed."""
    unread, found = Unread(), list[tuple[int, bytes]]()
    unread.framed = True
    for piece in pieces(data, max(size, len(data) // 512) if size else 0):
        unread.feed(piece)
        try:
            while (part := unread.next()) is not None:
                joined = part[0] == streamframes.DATA and found and found[-1][0] == streamframes.DATA
                found.append((part[0], (found.pop()[1] if joined else b"") + part[1]))
                if part[0] == streamframes.RESET:
                    streamframes.reset_body(part[1])
        except MalformedError:
            return found, True
    return found, False


def asks(command: str, **arguments: Any) -> bytes:
    return messages.encode(Request(id=3, command=command, arguments=arguments)).rstrip()


PEER = str(FRIEND)
FRAMES = b"".join((*data_frames(b"hello"), FIN_FRAME, reset_frame(7, "over")))
LORE = Lore(
    Say,
    (
        *(Step(Say.LINE, data=asks("open", peer=PEER, service=name)) for name in ("web", "slow", "other")),
        Step(Say.LINE, data=asks("serve", service="web", to=[PEER])), Step(Say.LINE, data=asks("take", stream="1")),
        Step(Say.LINE, data=asks("refuse", stream="1")), Step(Say.BYTES, 3, data=FRAMES),
        Step(Say.FRAMES, 3, data=FRAMES),
        Step(Say.BYTES, data=asks("open", peer=PEER, service="web") + b"\n" + FRAMES), Step(Say.TIME, 500),
        Step(Say.TIME, 70_000), Step(Say.END), Step(Say.PEER, data=b"from afar"),
    ),
    (*data_frames(b"x"), FIN_FRAME, reset_frame(1, ""), reset_frame(65535, "x" * 512), b"\0\0\0\0", b"\0\xff\xff\xff",
     b"\x02\0\0\x01", b"\x03\0\0\0", b"\n", b"{", b"}", b'"hops":8', b'"via":["x"]', b'"web"', b"\xff", b"\\ud800",
     asks("open", peer=PEER, service="web"), b"1", b'"', b","),
)  # fmt: skip
