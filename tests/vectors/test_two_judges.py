"""Our session and the second decoder judge the same frames: what one refuses the other refuses, and as the same fault.

The second decoder was written from docs/spec alone, so a difference is a mistake in a page, in our code, or in it.
Frames are drawn at random around the borders of what is legal; what our side answers is told to the second decoder too.
Not for: budgets and re-keys, which it does not judge.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.events import Closed
from quantumgate.core.session_settings import SessionSettings
from quantumgate.errors import MalformedError
from quantumgate.wire.codes import CloseCode
from quantumgate.wire.compressed import deflate
from quantumgate.wire.session_tlvs import SessionBlock
from tests.core.sessions import ECHO, PLAIN, Mallory, tuned
from tests.vectors.second.channels import Dialogue
from tests.vectors.second.frames import Frame, read_frames
from tests.vectors.second.octets import Refused
from tests.vectors.second.session import Block

OURS = {
    takes: tuned(SessionSettings(extenders=(ECHO,), compression=takes, padding="off"), max_message_bytes=3000)
    for takes in (False, True)
}
"""Settings of the judged side: without compression and with it."""
THEIRS = PLAIN.block()
SHRUNK = deflate(b"word " * 100) or b""
STRAY_TYPES = (0x01, 0x11, 0x12, 0x14, 0x30, 0x32, 0x40, 0x7F)


def u32(value: int) -> bytes:
    """Four octets."""
    return value.to_bytes(4, "big")


def compresses(seed: int) -> bool:
    """Whether the judged side takes compressed messages in this session."""
    return seed % 2 == 0


@dataclass
class Line:
    """What the drawn peer knows of one channel. ``left`` = bytes of a message that are still to come."""

    stream: bool
    ours: bool
    accepted: bool = False
    finished: bool = False
    left: int | None = None


class Draw:
    """Frames of a peer that mostly keeps to the rules. ``odd`` = whether its channels have odd ids.

    The judged side has opened two channels before: a stream, then one of messages.
    """

    def __init__(self, seed: int, odd: bool) -> None:
        self._luck, self._compresses = random.Random(seed), compresses(seed)
        self._next_id = 1 if odd else 2
        theirs = 2 if odd else 1
        self._lines = {theirs: Line(True, False), theirs + 2: Line(False, False)}

    def frames(self, count: int) -> Iterator[Frame]:
        """At random."""
        for _ in range(count):
            yield self._spoiled(self._made())

    def _made(self) -> Frame:
        luck, dice = self._luck, self._luck.random()
        number, line = luck.choice(list(self._lines.items()))
        if dice < 0.12 or len(self._lines) < 4:
            return self._open()
        if dice < 0.2:
            return Frame(0x02, luck.randbytes(8))
        if dice < 0.23:
            return Frame(0x31, luck.choice((b"", ECHO.bytes)), 0, 3)
        if dice < 0.235:
            return Frame(luck.choice(STRAY_TYPES), luck.choice((b"", bytes(8))), luck.choice((0, number)))
        if not line.ours and not line.accepted and dice < 0.8:
            line.accepted = True
            return Frame(0x11, b"", number)
        if dice < 0.26 and len(self._lines) > 4:
            del self._lines[number]
            return Frame(0x12, b"\x00\x00why", number)
        if line.stream or not line.ours:
            return self._stream(number, line)
        return self._message(number, line)

    def _open(self) -> Frame:
        number, self._next_id = self._next_id, self._next_id + 2 * self._luck.choice((1, 1, 1, 2))
        stream = self._luck.random() < 0.4
        self._lines[number] = Line(stream, True)
        data = ECHO.bytes + bytes([2 if stream else 1, self._luck.choice((1, 2, 3))])
        return Frame(0x10, data + b"l" * self._luck.choice((0, 5, 64)), number)

    def _stream(self, number: int, line: Line) -> Frame:
        if line.finished or not line.stream or self._luck.random() < 0.2:
            return Frame(0x14, self._luck.choice((0, 70_000, 200_000)).to_bytes(8, "big"), number)
        line.finished = self._luck.random() < 0.1
        size = self._luck.choice((1, 100, 20_000, 32_768))
        return Frame(0x13, bytes(size), number, 8 if line.finished else 0)

    def _message(self, number: int, line: Line) -> Frame:
        luck, dice = self._luck, self._luck.random()
        if line.left is not None:
            size = luck.choice((line.left, min(line.left, 700)))
            line.left = line.left - size or None
            return Frame(0x13, bytes(size), number, 0 if line.left else 2)
        if dice < 0.6:
            size = luck.choice((0, 1, 100, 2999, 3000, 3000, 3000, 3000 + (luck.random() < 0.1)))
            return Frame(0x13, u32(size) + bytes(size), number, 3)
        if dice < 0.8:
            line.left = 2000
            return Frame(0x13, u32(2009) + bytes(9), number, 1)
        if dice < (0.9 if self._compresses else 0.805):
            return Frame(0x13, u32(len(SHRUNK)) + SHRUNK, number, 7)
        if luck.random() < 0.9:
            del self._lines[number]
        return Frame(0x13, b"", number, 8)

    def _spoiled(self, frame: Frame) -> Frame:
        """Now and then one field is another."""
        luck, dice = self._luck, self._luck.random()
        kind, data, channel, flags = frame.kind, frame.data, frame.channel, frame.flags
        if dice < 0.985:
            return frame
        if dice < 0.988:
            return Frame(kind, data, channel, flags ^ (1 << luck.randrange(8)))
        if dice < 0.991:
            return Frame(kind, data, luck.choice((0, 1, 2, 8, 99)), flags)
        if dice < 0.993:
            return Frame(0x13, bytes(66_000), channel, 0)
        return Frame(kind, data[:-1] if luck.random() < 0.5 else data + b"x", channel, flags)


class Court:
    """One session of ours, whose peer says what is drawn, and the second decoder that hears both."""

    def __init__(self, victim_initiates: bool, compression: bool, *, accepting: bool = True) -> None:
        settings = OURS[compression]
        self.peer = Mallory(
            victim_initiates=victim_initiates, settings=settings, block=THEIRS, accepting=accepting
        )
        self.us, self.them = ("I", "R") if victim_initiates else ("R", "I")
        blocks = {self.us: settings.block(), self.them: THEIRS}
        self.dialogue = Dialogue({side: Block.decode(block.encode()) for side, block in blocks.items()})
        self._heard = len(self.peer.seen)
        self.peer.side.open(stream=True)
        self._tell()
        self.peer.side.open()
        self._tell()

    def _tell(self) -> None:
        """What our side has said since."""
        self.peer.listen()
        for kind, channel, flags, data in self.peer.seen[self._heard :]:
            if kind not in (0x04, 0x30):
                self.dialogue.take(self.us, Frame(kind, data, channel, flags))
        self._heard = len(self.peer.seen)

    def judge(self, frame: Frame) -> tuple[str, str]:
        """(our fault, its fault) for one frame: "", "malformed" or "violation"."""
        theirs = self._second(frame)
        self.peer.raw(self.peer.record(frame.encode()))
        ours = self._own()
        if not ours and not theirs:
            self._tell()
        return ours, theirs

    def _second(self, frame: Frame) -> str:
        try:
            for one in read_frames(frame.encode()):
                self.dialogue.take(self.them, one)
        except Refused as refused:
            return refused.step if refused.step != "SESSION" else "malformed"
        return ""

    def _own(self) -> str:
        ends = self.peer.side.of(Closed)
        if not ends:
            return ""
        code = ends[0].code
        return "malformed" if code is None else "violation" if code == CloseCode.VIOLATION else ends[0].reason


class TwoJudgesTests(SynchronousTestCase):
    """As many seeds as a second or two allow; each is a session of its own."""

    SEEDS, FRAMES = 300, 60

    def run_side(self, victim_initiates: bool) -> Counter[str]:
        """Every seed; counts how the sessions ended, and frames that have two faults of which each judge named one."""
        ends: Counter[str] = Counter()
        for seed in range(self.SEEDS):
            court = Court(victim_initiates, compresses(seed))
            verdict = ""
            for number, frame in enumerate(Draw(seed, odd=not victim_initiates).frames(self.FRAMES)):
                verdict, other = court.judge(frame)
                where = seed, number, frame.kind, frame.channel, frame.flags, len(frame.data)
                self.assertEqual((bool(verdict), *where), (bool(other), *where), f"ours {verdict!r}, theirs {other!r}")
                if verdict:
                    ends["two faults"] += verdict != other
                    break
            ends[verdict] += 1
        return ends

    def check(self, ends: Counter[str]) -> None:
        """The draw is worth something: each way to end was met often, and nearly always under one name."""
        self.assertEqual(set(ends), {"", "malformed", "violation", "two faults"})
        self.assertGreater(min(ends[""], ends["malformed"], ends["violation"]), self.SEEDS // 20, ends)
        self.assertLess(ends["two faults"], self.SEEDS // 50, ends)

    def test_our_responder(self) -> None:
        self.check(self.run_side(False))

    def test_our_initiator(self) -> None:
        self.check(self.run_side(True))


class CornerTests(SynchronousTestCase):
    """Places that a draw seldom reaches, with the fault that the pages name."""

    MESSAGES = Frame(0x10, ECHO.bytes + b"\1\2", 1)
    STREAM = Frame(0x10, ECHO.bytes + b"\2\2", 1)
    EMPTY = Frame(0x13, u32(0), 1, 3)

    def outcome(self, *said: Frame, accepting: bool = True) -> str:
        """The fault that both name for the last frame; none of those before has one."""
        court = Court(False, True, accepting=accepting)
        for frame in said[:-1]:
            self.assertEqual(court.judge(frame), ("", ""), frame)
        ours, theirs = court.judge(said[-1])
        self.assertEqual(ours, theirs)
        return ours

    def test_flags_beyond_the_table_come_first(self) -> None:
        over = [self.MESSAGES, Frame(0x13, b"", 1, 8)]
        for flags in (0x10, 0x20, 0x80):
            bad = Frame(0x13, u32(0), 1, 3 | flags)
            self.assertEqual(self.outcome(self.MESSAGES, bad), "malformed")
            self.assertEqual(self.outcome(*over, bad), "malformed")
            self.assertEqual(self.outcome(bad), "malformed")
        self.assertEqual(self.outcome(*over, self.EMPTY), "")
        self.assertEqual(self.outcome(self.EMPTY), "violation")

    def test_credit_to_the_byte(self) -> None:
        """Nobody takes anything here: 512 empty messages are the whole window, and so are 65,536 bytes."""
        full = [self.MESSAGES, *[self.EMPTY] * 512]
        self.assertEqual(self.outcome(*full, accepting=False), "")
        self.assertEqual(self.outcome(*full, Frame(0x13, b"", 1, 8), accepting=False), "")
        self.assertEqual(self.outcome(*full, self.EMPTY, accepting=False), "violation")
        one_less = [*full[:-1], Frame(0x13, u32(1) + b"x", 1, 3)]
        self.assertEqual(self.outcome(*one_less, accepting=False), "violation")
        stream = [self.STREAM, Frame(0x13, bytes(65_536), 1)]
        self.assertEqual(self.outcome(*stream, accepting=False), "")
        self.assertEqual(self.outcome(*stream, Frame(0x13, b"x", 1), accepting=False), "violation")

    def test_fin_with_a_message(self) -> None:
        """The guest has taken everything and the channel is over: what follows is ignored."""
        last = Frame(0x13, u32(1) + b"x", 1, 11)
        torn = Frame(0x13, b"x", 1, 0)  # malformed, were the channel still there
        self.assertEqual(self.outcome(self.MESSAGES, self.EMPTY, torn), "malformed")
        self.assertEqual(self.outcome(self.MESSAGES, last, torn), "")
        parts = [Frame(0x13, u32(3) + b"a", 1, 1), Frame(0x13, b"bc", 1, 10)]
        self.assertEqual(self.outcome(self.MESSAGES, *parts, torn), "")
        for flags in (8, 9):
            self.assertEqual(self.outcome(self.MESSAGES, parts[0], Frame(0x13, b"", 1, flags)), "malformed")

    def test_ids_that_were_left_out(self) -> None:
        opened = Frame(0x10, self.STREAM.data, 9)
        for kind, data in ((0x11, b""), (0x12, b"\0\0"), (0x13, b""), (0x14, bytes(8))):
            self.assertEqual(self.outcome(opened, Frame(kind, data, 7)), "")
            self.assertEqual(self.outcome(opened, Frame(kind, data, 11)), "violation")
        self.assertEqual(self.outcome(opened, Frame(0x10, self.STREAM.data, 7)), "violation")


class BlockTests(SynchronousTestCase):
    """SESSION blocks with a byte changed, cut or added: taken by both or by neither."""

    def test_blocks(self) -> None:
        luck = random.Random(1)
        whole = SessionBlock(clock_ms=1, instance=2, endpoints=("tcp:h:1",), extenders=frozenset({ECHO})).encode()
        taken = 0
        for _ in range(3000):
            data = bytearray(whole)
            for _ in range(luck.choice((1, 1, 2))):
                at = luck.randrange(len(data))
                data[at] = luck.choice((data[at] ^ (1 << luck.randrange(8)), luck.randrange(256)))
            cut = bytes(data[: luck.choice((len(data), len(data), luck.randrange(len(data))))])
            taken += self.check(cut)
        self.assertTrue(300 < taken < 2700, taken)

    def check(self, data: bytes) -> bool:
        try:
            theirs = Block.decode(data)
        except (Refused, UnicodeDecodeError):
            self.assertTrue(self.refused(data), data.hex())
            return False
        ours = SessionBlock.decode(data)
        for name in ("max_record", "initial_window", "max_channels", "max_message", "version"):
            self.assertEqual(getattr(ours, name), theirs.numbers[name], (name, data.hex()))
        self.assertEqual(list(ours.endpoints), theirs.endpoints)
        return True

    def refused(self, data: bytes) -> bool:
        """By its form, or because its highest version is none."""
        try:
            return SessionBlock.decode(data).version < 1
        except MalformedError:
            return True
