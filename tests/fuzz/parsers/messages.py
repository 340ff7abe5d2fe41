"""Bodies that a stranger, a peer or a relay sends: messages of the handshake, SESSION, targets of links, reservations.

What must hold: MalformedError or a value; a value is spelt in one way, or means the same when it is spelt again.
Spec: docs/spec/handshake.md, docs/spec/relays.md, docs/spec/peer-records.md.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any, NamedTuple

from quantumgate.errors import MalformedError
from quantumgate.ids import PeerUUID
from quantumgate.wire import exchange_frames, link_frames, messages, reach_frames, reservation_frames
from quantumgate.wire.beacons import Beacon
from quantumgate.wire.exchange_frames import Told
from quantumgate.wire.link_frames import LinkEndpoint, LinkTarget, RelayTerms
from quantumgate.wire.messages import Exchange, Fin, Header, Init, KeyShare, Lists, Proof, Puzzle, Refuse, Retry, Select
from quantumgate.wire.peer_records import SIGNATURE, SignedPeerRecord
from quantumgate.wire.reach_frames import ReachAnswer
from quantumgate.wire.reservation_frames import Grant
from quantumgate.wire.session_tlvs import SessionBlock
from quantumgate.wire.writer import tlv
from tests.control.fakenode import FRIEND
from tests.fuzz.parsers.plain import Lore
from tests.fuzz.peer_record import shaped
from tests.fuzz.script import Script, Step
from tests.fuzz.target import Broken


class Body(IntEnum):
    HEADER = 0
    INIT = 1
    EXCHANGE = 2
    PROOF = 3
    FIN = 4
    RETRY = 5
    REFUSE = 6
    PUZZLE = 7
    SESSION = 8
    TARGET = 9
    STATUS = 10
    CLOSE = 11
    RESERVE = 12
    GRANT = 13
    PEER_RECORD = 14
    ENDPOINT = 15
    PEX_GET = 16
    PEX = 17
    BEACON = 18
    REACH_ASK = 19
    REACH_ANSWER = 20
    PLACES = 21


class Parser(NamedTuple):
    """``read`` of bytes and ``write`` of what came of it; ``exact`` = there is no other spelling of it."""

    read: Callable[[bytes], Any]
    write: Callable[[Any], bytes]
    exact: bool = False


def _endpoint(data: bytes) -> LinkEndpoint:
    if not data:
        raise MalformedError("nothing")  # the caller's own check
    return link_frames.read_endpoint(data, 0)[0]


PARSERS = {
    Body.HEADER: Parser(Header.parse, Header.encode, True),
    Body.INIT: Parser(Init.parse, lambda one: one.encode(-1)),
    Body.EXCHANGE: Parser(Exchange.parse, Exchange.encode),
    Body.PROOF: Parser(Proof.parse, lambda one: one.encode(-1)),
    Body.FIN: Parser(Fin.parse, lambda one: one.encode(-1)),
    Body.RETRY: Parser(Retry.parse, lambda one: one.encode(-1)),
    Body.REFUSE: Parser(Refuse.parse, lambda one: one.encode(0)),
    Body.PUZZLE: Parser(Puzzle.parse, lambda one: one.encode()[4:], True),
    Body.SESSION: Parser(SessionBlock.decode, SessionBlock.encode),
    Body.TARGET: Parser(LinkTarget.decode, LinkTarget.encode),
    Body.STATUS: Parser(link_frames.decode_status, lambda one: link_frames.encode_status(*one), True),
    Body.CLOSE: Parser(link_frames.decode_close, lambda one: bytes((one,)), True),
    Body.RESERVE: Parser(reservation_frames.decode_reserve, bytes, True),
    Body.GRANT: Parser(Grant.decode, Grant.encode, True),
    Body.PEER_RECORD: Parser(SignedPeerRecord.decode, SignedPeerRecord.encode, True),
    Body.ENDPOINT: Parser(_endpoint, LinkEndpoint.encode),
    Body.PEX_GET: Parser(exchange_frames.decode_get, exchange_frames.encode_get, True),
    Body.PEX: Parser(Told.decode, Told.encode, True),
    Body.BEACON: Parser(Beacon.decode, Beacon.encode),
    Body.REACH_ASK: Parser(reach_frames.decode_ask, reach_frames.encode_ask, True),
    Body.REACH_ANSWER: Parser(ReachAnswer.decode, ReachAnswer.encode, True),
    Body.PLACES: Parser(reach_frames.decode_places, reach_frames.encode_places, True),
}


def run_script(script: Script) -> list[Any]:
    """What was understood. Raises Broken, or whatever escaped a parser."""
    found = []
    for step in script:
        parser = PARSERS[Body(step.kind % len(Body))]
        try:
            value = parser.read(step.data)
        except MalformedError:
            continue
        again = parser.write(value)
        if parser.exact and again != step.data:
            raise Broken(f"{value!r:.200} in two spellings")
        if _without_ext(parser.read(again)) != _without_ext(value):
            raise Broken(f"{value!r:.200} is another value, spelt again")
        found.append(value)
    return found


def _without_ext(value: Any) -> Any:
    """``ext`` is what was sent, and kept for the transcript alone."""
    if isinstance(value, Proof | Fin):
        return tuple(getattr(value, name) for name in value.__slots__ if name != "ext")
    return value


UUID = PeerUUID(FRIEND)
SHARES = KeyShare(1, bytes(32)), KeyShare(2, bytes(1184))
INIT = Init(Lists((1, 2), (2, 3), (1,)), *SHARES, bytes(messages.TOKEN_BYTES))
SOLVED = bytes(messages.PUZZLE_COUNT * messages.PUZZLE_NONCE_BYTES)
PLACES = LinkEndpoint("192.0.2.1", 1), LinkEndpoint("2001:db8::1", 2), LinkEndpoint("h.example", 3)
PUZZLE = Puzzle(bytes(messages.PUZZLE_SEED_BYTES), 12)
CONFIRM = bytes(messages.CONFIRM_BYTES)
GOOD: tuple[tuple[Body, bytes], ...] = (
    (Body.HEADER, Header(messages.MessageType.INIT, 9, 1, 1).encode()),
    (Body.INIT, INIT.encode(9)),
    (Body.INIT, Init(INIT.lists, *SHARES, INIT.token, (1, 2), SOLVED).encode(-1)),
    (Body.EXCHANGE, Exchange(*SHARES, Select(1, 2, 1)).encode()),
    (Body.PROOF, Proof(b"b" * 90, b"s" * 64, CONFIRM).encode(5)),
    (Body.FIN, Fin(0, b"b" * 90, b"s" * 64, CONFIRM, b"block").encode(5)),
    (Body.FIN, Fin(1, b"", b"", CONFIRM, b"").encode(-1)),
    (Body.RETRY, Retry(Select(1, 2, 1), PUZZLE).encode(3)),
    (Body.REFUSE, Refuse(1, 2, 3).encode(20)),
    (Body.PUZZLE, PUZZLE.encode()[4:]),
    (Body.SESSION, SessionBlock(extenders=frozenset({FRIEND}), endpoints=("h:1", "[::1]:2"), relay=True, clock_ms=1,
                                instance=2, replaces=bytes(32), token=bytes(48), features=(1, 2)).encode()),
    (Body.TARGET, LinkTarget(UUID, PLACES).encode()),
    (Body.TARGET, LinkTarget(UUID, proof=bytes(64)).encode()),
    (Body.TARGET, LinkTarget(UUID, record=b"record").encode()),
    (Body.STATUS, link_frames.encode_status(1, RelayTerms(1, 2, 3))),
    (Body.CLOSE, b"\x01"),
    (Body.RESERVE, bytes(32)),
    (Body.GRANT, Grant(1, RelayTerms(1, 2, 3), b"signature").encode()),
    (Body.PEER_RECORD, shaped(1 << 8 | 1 << 10 | 1 << 12).encode() + tlv(SIGNATURE, bytes(64))),
    *((Body.ENDPOINT, place.encode()) for place in PLACES),
    (Body.BEACON, Beacon(UUID, 9999, 1, 2).encode(bytes(9))),
    (Body.REACH_ASK, reach_frames.encode_ask(9999)),
    *((Body.REACH_ANSWER, ReachAnswer(code, 9999, place).encode()) for code, place in enumerate(PLACES[:2])),
    (Body.PLACES, reach_frames.encode_places(PLACES[:2])),
    (Body.PEX_GET, exchange_frames.encode_get(64)),
    (Body.PEX, Told((b"record",), own=True).encode()),
    (Body.PEX, Told((b"record", bytes(300))).encode()),
)
LORE = Lore(
    Body,
    tuple(Step(kind, data=data) for kind, data in GOOD),
    (*(bytes((kind, 0, 0, size)) for kind in range(14) for size in (0, 1, 2)), b"\x80\0\0\0", b"\xff\0\0\1x",
     bytes(4),
     *(place.encode() for place in PLACES), b"\xff" * 4, UUID.bytes, bytes(32), bytes(48), b"\x0a\0\0\x01f",
     b"\x0b\0\0\x10" + bytes(16)),
)  # fmt: skip
