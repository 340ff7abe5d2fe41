"""What a session must refuse after the handshake: phases, channels, credit, messages, compression, SESSION, re-key."""
from __future__ import annotations

from collections.abc import Iterable

import lz4.block
from twisted.trial.unittest import SynchronousTestCase

from . import frames, replay, vector
from .channels import Dialogue
from .ends import End
from .frames import CH_ACCEPT, CH_OPEN, CH_RESET, CLOSE, MSG, PING, SESSION, WINDOW, Frame
from .messages import inflate
from .octets import tlv, u
from .records import padme
from .rekey import Rekey
from .session import Block
from .test_refusals import step_of
from .vector import Node

Turn = tuple[str, Frame]
BLOCK = tlv(0x42, u(4, 65_536)) + tlv(0x44, u(4, 1000)) + tlv(0x45, b"\0\1")
HELLO = ("R", Frame(SESSION, BLOCK, flags=3))
MESSAGES, STREAM = bytes(16) + b"\1\2", bytes(16) + b"\2\2"


def opened(number: int, form: bytes, *, by: str = "I", accepted: bool = True) -> list[Turn]:
    """A channel, accepted or not."""
    other = "R" if by == "I" else "I"
    return [(by, Frame(CH_OPEN, form, number))] + [(other, Frame(CH_ACCEPT, b"", number))] * accepted


def msg(sender: str, number: int, flags: int, data: bytes) -> Turn:
    """One MSG."""
    return sender, Frame(MSG, data, number, flags)


def outcome(turns: Iterable[Turn]) -> str:
    """The fault that the turns end with; nothing if all of them are legal."""
    dialogue = Dialogue({"I": Block.decode(BLOCK)})

    def say_all() -> None:
        for sender, frame in turns:
            frame.check()
            dialogue.take(sender, frame)

    return step_of(say_all)


class Phases(SynchronousTestCase):
    """What may be said when."""

    def test_r_begins_with_session_or_close(self) -> None:
        """Anything else is malformed, as is a second SESSION, one of I, and I's REKEY_REQ before R's SESSION."""
        ping = ("R", Frame(PING, bytes(8)))
        self.assertEqual(outcome([HELLO, ping]), "")
        self.assertEqual(outcome([("R", Frame(CLOSE, b"\0\4"))]), "")
        for turns in ([ping], [HELLO, HELLO], [("I", HELLO[1])], [("I", Frame(frames.REKEY_REQ, b"", flags=1))]):
            self.assertEqual(outcome(turns), "malformed")

    def test_nothing_follows_close(self) -> None:
        """In its own direction; the other side still speaks."""
        close = ("I", Frame(CLOSE, b"\0\0"))
        self.assertEqual(outcome([HELLO, close, ("R", Frame(PING, bytes(8)))]), "")
        self.assertEqual(outcome([HELLO, close, close]), "malformed")

    def test_extenders(self) -> None:
        """A torn list or an extender twice."""
        for data, step in ((b"", ""), (bytes(16), ""), (bytes(15), "malformed"), (bytes(32), "malformed")):
            self.assertEqual(outcome([HELLO, ("R", Frame(frames.EXT_UPDATE, data, flags=3))]), step)


class Lines(SynchronousTestCase):
    """Ids, life, fin and credit of channels."""

    def test_ids(self) -> None:
        """Parity, order, and frames for what was never opened or has ended."""
        once = opened(5, MESSAGES)
        self.assertEqual(outcome([HELLO, *once, *opened(7, STREAM), *opened(2, STREAM, by="R")]), "")
        ended = [HELLO, *once, ("R", Frame(CH_RESET, b"\0\0", 5))]
        for kind, data in ((CH_ACCEPT, b""), (CH_RESET, b"\0\0"), (MSG, b""), (WINDOW, bytes(8))):
            self.assertEqual(outcome([HELLO, *once, ("I", Frame(kind, data, 9))]), "violation")
            self.assertEqual(outcome([HELLO, *once, ("I", Frame(kind, data, 2))]), "violation")
            for number in (1, 3, 5):
                self.assertEqual(outcome([*ended, ("I", Frame(kind, data, number))]), "", "ended, or left out")
        for turn in (*once[:1], ("I", Frame(CH_OPEN, MESSAGES, 3)), ("I", Frame(CH_OPEN, MESSAGES, 8)),
                     ("R", Frame(CH_OPEN, MESSAGES, 9))):
            self.assertEqual(outcome([*ended, turn]), "violation")

    def test_answers(self) -> None:
        """CH_ACCEPT of the opener or twice; data of an acceptor that has not accepted, or on messages at all."""
        stream, messages = opened(1, STREAM), opened(1, MESSAGES)
        self.assertEqual(outcome([HELLO, *stream, msg("R", 1, 0, b"x"), msg("I", 1, 8, b""), msg("R", 1, 8, b"y")]), "")
        for turns in ([*stream, stream[1]], [stream[0], ("I", Frame(CH_ACCEPT, b"", 1))],
                      [stream[0], msg("R", 1, 0, b"x")], [*messages, msg("R", 1, 3, bytes(4))],
                      [*messages, ("I", Frame(WINDOW, bytes(8), 1))]):
            self.assertEqual(outcome([HELLO, *turns]), "violation")
        for flags, data in ((1, b"x"), (2, b"x"), (4, b"x"), (0, b"")):
            self.assertEqual(outcome([HELLO, *stream, msg("I", 1, flags, data)]), "malformed")

    def test_fin(self) -> None:
        """Nothing behind the own fin, as long as the channel stands; then it is ignored."""
        stream = opened(1, STREAM)
        half = [HELLO, *stream, msg("I", 1, 8, b"x")]
        self.assertEqual(outcome([*half, msg("R", 1, 0, b"x")]), "")
        self.assertEqual(outcome([*half, msg("I", 1, 0, b"x")]), "violation")
        self.assertEqual(outcome([*half, msg("R", 1, 8, b""), msg("I", 1, 0, b"x")]), "")

    def test_credit_of_a_stream(self) -> None:
        """A byte costs 1; the limit begins at the receiver's window, only grows, and is never passed."""
        full = [HELLO, *opened(1, STREAM), msg("I", 1, 0, bytes(65_536))]
        one_more, window = msg("I", 1, 0, b"x"), ("R", Frame(WINDOW, u(8, 65_537), 1))
        self.assertEqual(outcome(full), "")
        self.assertEqual(outcome([*full, msg("I", 1, 8, b"")]), "")
        self.assertEqual(outcome([*full, one_more]), "violation")
        self.assertEqual(outcome([*full, window, ("R", Frame(WINDOW, bytes(8), 1)), one_more]), "")
        self.assertEqual(outcome([*full, window, one_more, one_more]), "violation")

    def test_credit_of_messages(self) -> None:
        """A message costs 128 more than its bytes, its total nothing, a fin alone nothing."""
        empty = msg("I", 1, 3, bytes(4))
        full = [HELLO, *opened(1, MESSAGES), *[empty] * 511, msg("I", 1, 1, u(4, 1))]
        self.assertEqual(outcome(full), "malformed")
        full[-1] = msg("I", 1, 3, u(4, 0))
        self.assertEqual(outcome(full), "")
        self.assertEqual(outcome([*full, msg("I", 1, 8, b"")]), "")
        self.assertEqual(outcome([*full, empty]), "violation")


class Messages(SynchronousTestCase):
    """Parts and compression."""

    def test_parts(self) -> None:
        """Every sequence that a sender must not make."""
        channel = [HELLO, *opened(1, MESSAGES)]
        first = msg("I", 1, 1, u(4, 3) + b"a")
        self.assertEqual(outcome([*channel, first, msg("I", 1, 0, b"b"), msg("I", 1, 10, b"c")]), "")
        for turns in ([first, first], [msg("I", 1, 0, b"a")], [msg("I", 1, 2, b"a")], [first, msg("I", 1, 4, b"b")],
                      [first, msg("I", 1, 8, b"")], [msg("I", 1, 9, u(4, 3) + b"a")], [msg("I", 1, 3, b"\0\0\0")],
                      [first, msg("I", 1, 0, b"")], [first, msg("I", 1, 2, b"bcd")], [first, msg("I", 1, 2, b"b")],
                      [msg("I", 1, 8, b"a")], [first, msg("I", 1, 0, b"bcd")]):
            self.assertEqual(outcome([*channel, *turns]), "malformed", turns)
        self.assertEqual(outcome([*channel, msg("I", 1, 1, u(4, 1001) + b"a")]), "violation")

    def test_compressed(self) -> None:
        """Each check of the form in turn; a limit of its own for what grows much."""
        raw = b"quantumgate " * 20
        block = lz4.block.compress(raw, store_size=False)
        room = padme(8 + len(block))

        def form(raw_octets: int, packed: bytes, *, octets: int = room, tail: bytes = b"\0") -> bytes:
            return (u(4, raw_octets) + u(4, len(packed)) + packed).ljust(octets, tail)

        self.assertEqual(inflate(form(240, block), 1000), raw)
        many = lz4.block.compress(bytes(2_000_000), store_size=False)
        bad = [(form(240, block), 239), (form(239, block), 1000), (form(241, block), 1000), (b"\0" * 7, 1000),
               (form(240, block, octets=room + 1), 1000), (form(240, block[:-1]), 1000), (u(4, 240) + u(4, 99), 1000),
               (form(2_000_000, many, octets=padme(8 + len(many))), 8_000_000)]
        for damaged, most in bad:
            self.assertEqual(step_of(inflate, damaged, most), "violation", damaged[:20].hex())
        ten = lz4.block.compress(bytes(range(33)), store_size=False)
        self.assertEqual(padme(8 + len(ten)) - 8 - len(ten), 1)
        self.assertEqual(step_of(inflate, form(33, ten, octets=padme(8 + len(ten)), tail=b"\1"), 1000), "violation")

    def test_compression_that_is_not_taken(self) -> None:
        """R's list is empty: a violation; with id 1 in it the same form is read."""
        raw = bytes(200)
        block = lz4.block.compress(raw, store_size=False)
        form = (u(4, 200) + u(4, len(block)) + block).ljust(padme(8 + len(block)), b"\0")
        turn = msg("I", 1, 7, u(4, len(form)) + form)
        self.assertEqual(outcome([HELLO, *opened(1, MESSAGES), turn]), "")
        self.assertEqual(outcome([("R", Frame(SESSION, b"", flags=3)), *opened(1, MESSAGES), turn]), "violation")


class Blocks(SynchronousTestCase):
    """The SESSION block."""

    def test_defaults_and_what_is_skipped(self) -> None:
        """Nothing is needed; unknown and reserved types, modes and ids are skipped."""
        block = Block.decode(tlv(1, b"demo") + tlv(0x46, b"x") + tlv(0x47, b"\7") + tlv(0x4A, b"") + tlv(0xFF, b"z"))
        self.assertEqual(block, Block())
        self.assertEqual(Block.decode(b"").numbers["max_message"], 1_048_576)

    def test_malformed(self) -> None:
        """Order, lengths, ranges, torn lists, endpoints."""
        endpoint = b"\1a"
        bad = [tlv(0x42, u(4, 65_536)) + tlv(0x41, u(4, 16_384)), tlv(0x41, u(4, 16_384)) * 2, tlv(0x41, u(2, 16_384)),
               tlv(0x41, u(4, 16_383)), tlv(0x41, u(4, 1_048_577)), tlv(0x42, u(4, 65_535)), tlv(0x43, u(4, 31)),
               tlv(0x44, u(4, 0)), tlv(0x44, u(4, 8_388_609)), tlv(0x45, b"\1"), tlv(0x47, b""), tlv(0x48, b"\0"),
               tlv(0x49, b"\1"), tlv(0x4B, bytes(15)), tlv(0x4B, bytes(32)), tlv(0x4C, b"\2a"), tlv(0x4C, b"\1\xff"),
               tlv(0x4C, endpoint * 9), tlv(0x4D, b""), tlv(0x4E, bytes(7)), tlv(0x4F, bytes(9)), tlv(0x50, bytes(31)),
               tlv(0x41, u(4, 16_384))[:-1], b"\x41\0\0"]
        self.assertEqual(Block.decode(tlv(0x4C, endpoint * 8)).endpoints, ["a"] * 8)
        for one in bad:
            self.assertEqual(step_of(Block.decode, one), "SESSION", one.hex())


class Records(SynchronousTestCase):
    """Records out of order, and a re-key that is not signed by the peer."""

    def end(self) -> tuple[End, list[bytes]]:
        """An observer of a session, and its records from R under the first key."""
        whole = vector.load("session/classical")
        records = [bytes.fromhex(one["record"]) for one in whole["records"] if one["from"] == "R"]
        return replay.listener(Node(whole, set())), records

    def test_order_and_damage(self) -> None:
        """A record that is left out, doubled, cut or changed does not open."""
        end, records = self.end()
        self.assertEqual(step_of(end.receive, "R", records[1]), "record header r2i 0")
        end.receive("R", records[0])
        self.assertEqual(step_of(end.receive, "R", records[0]), "record header r2i 1")
        changed = records[1][:25] + bytes((records[1][25] ^ 1,)) + records[1][26:]
        self.assertEqual(step_of(end.receive, "R", changed), "record body r2i 1")
        for cut in (records[1][:19], records[1][:-1], records[1] + b"\0"):
            self.assertEqual(step_of(self.after_one, cut), "record")

    def after_one(self, record: bytes) -> None:
        """The second record of R in the place of the true one."""
        end, records = self.end()
        end.receive("R", records[0])
        end.receive("R", record)

    def test_lengths_of_records(self) -> None:
        """An empty body and one beyond max_record are refused by their header."""
        end, _ = self.end()
        way = end.ways["R"]
        for body in (b"", bytes(300)):
            record = way.seal(body)
            way.s -= 1
            self.assertEqual(step_of(way.open, record, 299), "record")

    def test_a_rekey_of_somebody_else(self) -> None:
        """A bit of any part of REKEY_REQ or REKEY_RSP, and octets behind them."""
        whole = vector.load("handshake/rekey")
        request, response = (bytes.fromhex(whole["rekey"][name]) for name in ("request", "response"))
        for at in (7, 9, 11, 20, 100, len(request) - 1):
            step = "rekey request"
            self.assertEqual(step_of(self.rekeyed, request[:at] + bytes((request[at] ^ 1,)) + request[at + 1:]), step)
        for at in (7, 20, 100, len(response) - 1):
            damaged = response[:at] + bytes((response[at] ^ 1,)) + response[at + 1:]
            self.assertEqual(step_of(self.rekeyed, request, damaged), "rekey response")
        self.assertEqual(step_of(self.rekeyed, request + b"\0"), "rekey request")
        self.assertEqual(step_of(self.rekeyed, request, response + b"\0"), "rekey response")
        self.rekeyed(request, response)

    def rekeyed(self, request: bytes, response: bytes | None = None) -> None:
        """I answers this request of R; where a response is given, R takes it instead."""
        node = Node(vector.load("handshake/rekey"), set())
        played = replay.play(node)
        asks = Rekey(played.responder, played.responder.own.identity, True, iter(node["rekey"]["keys_of_asker"]))
        answers = Rekey(played.initiator, played.initiator.own.identity, False, iter(node["rekey"]["keys_of_answerer"]))
        asks.ask(node["rekey"]["request"].octets()[-3373:])
        answers.answer(request, b"")
        if response is not None:
            asks.answered(response)
