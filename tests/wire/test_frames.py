"""Frames and what stands in them: exact bounds, and no byte that does not belong."""

from __future__ import annotations

from uuid import UUID

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.errors import MalformedError
from quantumgate.wire import frames
from quantumgate.wire.frames import ChannelOpen
from quantumgate.wire.limits import CLOSE_TEXT_BYTES, LABEL_BYTES

NAME = UUID(bytes=bytes(range(16)))


class FrameTests(SynchronousTestCase):
    """docs/spec/records.md, section 3."""

    def test_a_frame_byte_by_byte(self) -> None:
        spelled = frames.frame(frames.MSG, b"hello", channel=0x010203, flags=frames.WHOLE)
        self.assertEqual(spelled, bytes.fromhex("13 010203 03 000005") + b"hello")
        self.assertEqual(frames.frame(frames.KEY_SWITCH), bytes.fromhex("22 000000 00 000000"))

    def test_types_are_of_one_family(self) -> None:
        families = (frames.LONG_TYPES, frames.CHANNEL_TYPES, frames.SINGLE_TYPES)
        self.assertEqual(len(frozenset().union(*families)), sum(map(len, families)))

    def test_u64_is_eight_bytes(self) -> None:
        self.assertEqual(frames.decode_u64(b"\xff" * 8, "x"), (1 << 64) - 1)
        for size in (0, 7, 9):
            self.assertRaises(MalformedError, frames.decode_u64, bytes(size), "x")


class ChannelOpenTests(SynchronousTestCase):
    """docs/spec/channels.md, section 1."""

    def test_comes_back(self) -> None:
        for stream in (False, True):
            for priority in frames.PRIORITIES:
                for label in (b"", b"x" * LABEL_BYTES):
                    opened = ChannelOpen(NAME, stream, priority, label)
                    self.assertEqual(ChannelOpen.decode(opened.encode()), opened)

    def test_label_bytes(self) -> None:
        data = ChannelOpen(NAME, True, 1, b"x" * (LABEL_BYTES - 1)).encode()
        for more, legal in ((b"", True), (b"y", True), (b"yz", False)):
            if legal:
                self.assertEqual(len(ChannelOpen.decode(data + more).label), LABEL_BYTES - 1 + len(more))
            else:
                self.assertRaises(MalformedError, ChannelOpen.decode, data + more)

    def test_every_cut_and_every_wrong_number(self) -> None:
        data = ChannelOpen(NAME, False, 3, b"").encode()
        for size in range(len(data)):
            self.assertRaises(MalformedError, ChannelOpen.decode, data[:size])
        for kind, priority in ((0, 1), (3, 1), (255, 1), (1, 0), (1, 4), (2, 255)):
            self.assertRaises(MalformedError, ChannelOpen.decode, NAME.bytes + bytes([kind, priority]))


class ReasonTests(SynchronousTestCase):
    """CLOSE and CH_RESET: a code, and a text for people."""

    def test_comes_back(self) -> None:
        for text in ("", "why", "würde", "x" * CLOSE_TEXT_BYTES):
            data = frames.encode_reason(0x8001, text, CLOSE_TEXT_BYTES)
            self.assertEqual(frames.decode_reason(data, CLOSE_TEXT_BYTES), (0x8001, text))

    def test_a_long_text_is_cut_at_a_character(self) -> None:
        most = CLOSE_TEXT_BYTES
        for text in ("x" * (most + 1), "ü" * most, "x" + "ü" * most, "\ud800" * most):
            data = frames.encode_reason(1, text, CLOSE_TEXT_BYTES)
            self.assertLessEqual(len(data), 2 + CLOSE_TEXT_BYTES)
            self.assertGreaterEqual(len(data), 1 + CLOSE_TEXT_BYTES)
            self.assertNotIn("�", frames.decode_reason(data, CLOSE_TEXT_BYTES)[1])

    def test_bounds(self) -> None:
        self.assertEqual(frames.decode_reason(bytes(2), 0), (0, ""))
        frames.decode_reason(bytes(2) + b"x" * CLOSE_TEXT_BYTES, CLOSE_TEXT_BYTES)
        for size in (0, 1, 3 + CLOSE_TEXT_BYTES):
            self.assertRaises(MalformedError, frames.decode_reason, bytes(size), CLOSE_TEXT_BYTES)

    def test_what_cannot_be_shown_is_replaced(self) -> None:
        hostile = b"\x00\x06" + "a\x1b[2J\n\u202e".encode() + b"\xff"
        self.assertEqual(frames.decode_reason(hostile, 64), (6, "a�[2J���"))


class ExtendersTests(SynchronousTestCase):
    """A list of UUIDs."""

    def test_comes_back(self) -> None:
        for names in ((), (NAME,), (NAME, UUID(int=7))):
            self.assertEqual(frames.decode_extenders(frames.encode_extenders(names)), frozenset(names))

    def test_torn_or_twice(self) -> None:
        for data in (bytes(15), bytes(17), NAME.bytes * 2):
            self.assertRaises(MalformedError, frames.decode_extenders, data)
