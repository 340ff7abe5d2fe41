"""Lines of a local program to the control socket of a node, whose access rules and scores are real.

What must hold: each line has one answer, or the connection is closed; no answer is a bug; memory is bounded.
Spec: docs/guide/operating.md.
"""

from __future__ import annotations

import json
from enum import IntEnum
from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from quantumgate.control import messages
from quantumgate.control.commands import COMMANDS
from quantumgate.control.messages import Request
from quantumgate.control.server import ControlConnection, ControlFactory
from tests.control.fakenode import FRIEND, FRIEND_ADDRESS, FakeNode
from tests.fuzz.parsers.plain import Lore, pieces
from tests.fuzz.script import Script, Step
from tests.fuzz.target import Broken


class Say(IntEnum):
    LINE = 0  # data and a newline, which data may hold as well; a = bytes a piece (0: whole)
    BYTES = 1  # data as it is; a as above
    TIME = 2  # a milliseconds pass
    END = 3  # the program goes


def run_script(script: Script) -> list[Any]:
    """All answers. Raises Broken, or whatever escaped the server."""
    clock = Clock()
    factory = ControlFactory(FakeNode(), clock)
    connection, transport, said = factory.buildProtocol(UNIXAddress(b"")), StringTransport(), bytearray()
    connection.makeConnection(transport)
    for step in script:
        if step.kind == Say.TIME:
            clock.advance(step.a % 10_000 / 1000)
        elif step.kind == Say.END:
            break
        elif not transport.disconnecting:
            data = step.data + b"\n" * (step.kind == Say.LINE)
            for piece in pieces(data, step.a % 4096 and max(step.a % 4096, len(data) // 64)):
                if not transport.disconnecting:
                    said += piece
                    connection.dataReceived(piece)
            check_memory(connection, len(data))
    answers = [json.loads(line) for line in transport.value().splitlines()]
    check_answers(answers, connection, bytes(said))
    running = tuple(connection._running)
    transport.clear()
    connection.connectionLost()
    if transport.value() or any(not one.called for one in running):
        raise Broken("a request went on without its connection")
    return answers


def check_memory(connection: ControlConnection, last_bytes: int) -> None:
    unread: Any = connection
    if len(connection._running) > messages.MAX_RUNNING:
        raise Broken("more under way than may be")
    if len(unread._buffer) > messages.MAX_REQUEST_BYTES + 1 + (last_bytes if connection.paused else 0):
        raise Broken("more kept than a line")


def check_answers(answers: list[Any], connection: ControlConnection, said: bytes) -> None:
    ends = 0
    for answer in answers:
        parts = {"item", "result", "error"} & answer.keys()
        if "id" not in answer or len(parts) != 1:
            raise Broken(f"no answer: {answer!r:.200}")
        if "error" in answer and answer["error"]["reason"] == "bug":
            raise Broken(f"a bug: {answer!r:.200}")
        ends += "item" not in answer
    closed = getattr(connection.transport, "disconnecting", False)
    if ends + len(connection._running) != said.count(b"\n") and not closed:
        raise Broken(f"{said.count(bytes((10,)))} lines, {ends} answers")


VALUES: dict[str, Any] = {
    "address": FRIEND_ADDRESS, "hops": 1, "via": [str(FRIEND)], "endpoints": ["192.0.2.1:9999"], "uuid": str(FRIEND),
    "only": ["echo", "relay"], "subject": "192.0.2.0/24", "until": 1.9e9, "word": "allow", "network": "192.0.2.0/24",
    "kind": "block", "prefix": "ipv4/24", "connections": 4, "attempts": 4, "links": 4, "score": -20.5, "about": "relay",
    "target": str(FRIEND), "count": 3, "interval_seconds": 0.5,
}  # fmt: skip


def good(command: str) -> bytes:
    """A line that the node does as it says."""
    names = COMMANDS[command][0].__struct_fields__
    arguments = {name: VALUES[name] for name in names if name in VALUES}
    return messages.encode(Request(id=7, command=command, arguments=arguments)).rstrip()


WORDS = (
    *(json.dumps(command).encode() for command in COMMANDS), *(json.dumps(name).encode() + b":" for name in VALUES),
    *(json.dumps(value).encode() for value in VALUES.values()), b"\n", b"\r\n", b"{", b"}", b"[", b"]", b'"', b",",
    b'"id":', b"null", b"true", b"1e308", b"1e400", b"-1", b"-0.0", b"9" * 19, b"\\ud800", b"\\ud83d\\ude00",
    b"\\u0000",
    b"\xff", b"\xed\xa0\x80", b"\x00", b" ", b"::1", b"fe80::1%1", b"/0", b"0/0", b'""',
    b'{"id":1,"command":"peers"}\n', b'"seconds":1e10', b'"until":1e11', b'"subject":',
)  # fmt: skip
LORE = Lore(Say, (*(Step(Say.LINE, data=good(command)) for command in COMMANDS), Step(Say.TIME, 500), Step(Say.END)),
            WORDS)
