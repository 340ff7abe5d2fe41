"""Lines between the near and the far side of the SOCKS extender, and offers of exits, as a hostile peer sends them.

What must hold: parties hear what came, in order, or the line is broken off and the peer is reported, once; pieces make
no difference. Spec: extenders/socks5/docs/WIRE.md.
"""

from __future__ import annotations

from enum import IntEnum
from types import SimpleNamespace
from typing import Any

from quantumgate_socks5 import wire
from quantumgate_socks5.destination import Destination
from quantumgate_socks5.farline import FarLine
from quantumgate_socks5.nearline import NearLine
from quantumgate_socks5.replies import Code
from quantumgate_socks5.wire import Kind, MalformedLine, Offer, frame, parse_message

from tests.fuzz.parsers.plain import Lore, pieces
from tests.fuzz.parsers.socks5_program import PLACES
from tests.fuzz.script import Script, Step
from tests.fuzz.target import Broken


class Wire(IntEnum):
    TO_FAR = 0  # data on a line to the exit; a odd = it grants the call at once, a & 2 = and ends it; a >> 2 = piece
    TO_NEAR = 1  # data on a line of a call of kind a % 3; a >> 2 = bytes a piece
    OFFER = 2


class Transport:
    """Hears nothing, and knows that it was broken off."""

    def __init__(self) -> None:
        self.code = 0

    def abortConnection(self, code: int = 0) -> None:
        self.code = code

    def write(self, data: bytes) -> None:
        """To nobody."""

    unregisterProducer = resumeProducing = pauseProducing = lambda self: None


class Diary:
    """Party, office and lines in one. DATA is joined, for its pieces are as they come."""

    def __init__(self, answer: int = 0) -> None:
        self.seen: list[Any] = []
        self.offences, self.answer = 0, answer

    def line_data(self, data: bytes) -> None:
        joined = self.seen and self.seen[-1][0] == "data"
        self.seen.append(("data", (self.seen.pop()[1] if joined else b"") + data))

    def line_ended(self) -> None:
        self.seen.append(("end",))

    def line_datagram(self, body: bytes) -> None:
        self.seen.append(("datagram", body))

    def line_lost(self) -> None:
        self.seen.append(("lost",))

    def answered(self, code: Code, bound: Destination | None) -> None:
        self.seen.append(("answered", code, bound))

    def begin(self, line: FarLine, kind: Kind, wanted: Destination | None) -> None:
        self.seen.append(("begin", kind, wanted))
        line.party = self
        if self.answer & 1:
            line.granted(Destination("bound", 1))
        if self.answer & 2:
            line.end()

    def offended(self, *_: Any) -> None:
        self.offences += 1

    def line_gone(self, line: Any) -> None:
        """Of the exit's books."""

    gone = freed = line_gone


def run_script(script: Script) -> list[Any]:
    """What parties heard. Raises Broken, or whatever escaped."""
    found: list[Any] = []
    for step in script:
        kind = step.kind % len(Wire)
        if kind == Wire.OFFER:
            found += offer(step.data)
        elif (whole := heard(step, 0)) != heard(step, step.a >> 2 & 15):
            raise Broken("pieces make a difference")
        else:
            found += whole[0]
    return found


def heard(step: Step, size: int) -> tuple[list[Any], int]:
    """What was heard, and the code with which the line was broken off."""
    diary, transport = Diary(step.a & 3), Transport()
    any_diary: Any = diary
    line: Any = FarLine(any_diary, SimpleNamespace()) if step.kind % len(Wire) == Wire.TO_FAR else NearLine(any_diary)
    line.makeConnection(transport)
    if isinstance(line, NearLine):
        line.ask(any_diary, Kind(step.a % 3 + 1), PLACES[0])
    for piece in pieces(step.data, max(size, len(step.data) // 512) if size else 0):
        line.dataReceived(piece)
    if diary.offences != (transport.code == 0x8002) or line.over != bool(transport.code):
        raise Broken("broken off without a report, or reported without that")
    line.connectionLost()
    return diary.seen, transport.code


def offer(data: bytes) -> list[Any]:
    try:
        found = parse_message(data)
    except MalformedLine:
        return []
    if isinstance(found, Offer) and found.encode() != data:
        raise Broken(f"{found} in two spellings")
    return [found]


ANSWERS = wire.answer(Code.GRANTED, Destination("x", 1)), b"\x04\0\0\x08\0" + PLACES[0], wire.answer(Code.FAILURE)
CALLS = *(frame(Kind.CONNECT, place) for place in PLACES), frame(Kind.BIND, PLACES[0]), frame(Kind.ASSOCIATE)
SAID = frame(Kind.DATA, b"hello"), frame(Kind.END), frame(Kind.DATAGRAM, PLACES[1] + b"payload")
LORE = Lore(
    Wire,
    (
        *(Step(Wire.TO_FAR, 4 * n + n % 4, data=call + SAID[0] + SAID[1]) for n, call in enumerate(CALLS)),
        Step(Wire.TO_FAR, 3, data=CALLS[-1] + SAID[2] + SAID[1] + CALLS[0]),
        *(Step(Wire.TO_NEAR, n, data=one + SAID[0] + SAID[1]) for n, one in enumerate(ANSWERS)),
        Step(Wire.TO_NEAR, 2, data=ANSWERS[1] + SAID[2] + SAID[1]),
        Step(Wire.TO_NEAR, 1, data=ANSWERS[1] * 2 + SAID[0] + SAID[1]),
        Step(Wire.OFFER, data=Offer(True, False, True, 9).encode()),
        Step(Wire.OFFER, data=b"\x80whatever"),
    ),
    (*ANSWERS, *CALLS, *SAID, *PLACES, b"\0\0\0\0", b"\x05\x04\0\0", b"\x05\x04\0\x01", b"\x05\0\0\0", b"\x06\0\0\x01",
     b"\x08\0\0\0", b"\xff", b"\x04\0\0\x01\x01", b"\x04\0\0\x01\xff", b"\x01\x07\0\x01", b"\x01\x08\0\x01", b"\0"),
)  # fmt: skip
