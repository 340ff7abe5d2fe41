"""What a program says to the SOCKS proxy before its connection is up, and the head of its datagrams.

What must hold: at most one end; the same in pieces; bounded memory; destinations are spelt as they came.
Spec: RFC 1928, RFC 1929.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from quantumgate_socks5.datagrams import BadDatagram, unwrap, wrap
from quantumgate_socks5.destination import BadAddress, parse_whole
from quantumgate_socks5.negotiation import Negotiation, Refuse, Request, Say

from tests.fuzz.parsers.plain import Lore, pieces
from tests.fuzz.script import Script, Step
from tests.fuzz.target import Broken

TALK_BYTES_MOST = 1024
"""No half of a request is longer: 257 of methods, 513 of a log-in, 262 of a destination, 4 + 2 x 256 of SOCKS 4a."""


class Told(IntEnum):
    TALK = 0  # data; a = bytes a piece
    STRICT_TALK = 1  # the same where a password is needed
    DATAGRAM = 2


def run_script(script: Script) -> list[Any]:
    """Events and datagrams. Raises Broken, or whatever escaped."""
    found: list[Any] = []
    for step in script:
        if step.kind % len(Told) == Told.DATAGRAM:
            found += datagram(step.data)
        else:
            found += talk(step.data, step.a % 16 + 1, strict=step.kind % len(Told) == Told.STRICT_TALK)
    return found


def talk(data: bytes, size: int, *, strict: bool) -> list[Any]:
    whole, rest = heard([data], strict)
    if (whole, rest) != heard(pieces(data, max(size, len(data) // 512)), strict):
        raise Broken("pieces make a difference")
    if any(not isinstance(event, Say) for event in whole[:-1]):
        raise Broken("something came behind the end")
    for event in whole:
        if isinstance(event, Request) and parse_whole(event.destination.encode()) != event.destination:
            raise Broken(f"{event.destination} is another one, spelt again")
    return whole


def heard(parts: list[bytes], strict: bool) -> tuple[list[Any], bytes]:
    talk, events = Negotiation((lambda user, word: user == b"u" and word == b"p") if strict else None), list[Any]()
    behind = b""
    for part in parts:
        if talk.over:
            behind += part
            continue
        events += talk.feed(part)
        if not talk.over and len(talk.rest) > TALK_BYTES_MOST:
            raise Broken("more kept than a request")
    if events and isinstance(events[-1], Refuse):
        return events, b""
    return events, talk.rest + behind


def datagram(data: bytes) -> list[Any]:
    try:
        where, payload = unwrap(data)
    except BadDatagram:
        pass
    else:
        if wrap(where, payload) != data:
            raise Broken(f"{where} in two spellings")
        return [where]
    try:
        return [parse_whole(data)]
    except BadAddress:
        return []


PLACES = b"\x01\xc0\0\x02\x01\x00\x50", b"\x03\x07example\x01\xbb", b"\x04" + bytes(15) + b"\x01\xff\xff"
HELLOS = b"\x05\x01\x00", b"\x05\x02\x00\x02\x01\x01u\x01p", b"\x05\x01\x02\x01\x01u\x01p"
LORE = Lore(
    Told,
    (
        *(Step(Told.TALK, 1, data=hello + b"\x05\x01\0" + place) for hello in HELLOS for place in PLACES),
        *(Step(Told.STRICT_TALK, 2, data=hello + b"\x05\x03\0" + PLACES[0]) for hello in HELLOS),
        Step(Told.TALK, 3, data=b"\x04\x01\0\x50\xc0\0\x02\x01user\0"),
        Step(Told.TALK, 4, data=b"\x04\x02\0\x50\0\0\0\x01user\0name\0more"),
        Step(Told.TALK, 5, data=b"GET / HTTP/1.1\r\n\r\n"),
        *(Step(Told.DATAGRAM, data=b"\0\0\0" + place + b"payload") for place in PLACES),
    ),
    (*PLACES, *HELLOS, b"\x05", b"\x04", b"\0", b"\xff", b"u" * 255, b"\x05\x01\0", b"\x05\x02\0", b"\x01\0\0",
     b" ", b"\x03\0",
     b"\x03\xff", b"\0\0\0\x01", b"\0\0\0", b"\x01\x01u\x01q"),
)  # fmt: skip
