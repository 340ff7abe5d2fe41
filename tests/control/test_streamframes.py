"""Lines and frames as bytes: each byte by byte, each border, and what is none."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.control import streamframes
from quantumgate.control.messages import MAX_REQUEST_BYTES
from quantumgate.control.streamframes import (
    DATA,
    FIN,
    FIN_FRAME,
    LINE,
    RESET,
    RESET_TEXT_BYTES,
    Unread,
    data_frames,
    reset_body,
    reset_frame,
)
from quantumgate.errors import MalformedError

MOST = 2 + RESET_TEXT_BYTES


def read(data: bytes, *, framed: bool = True, step: int = 1 << 30) -> list[tuple[int, bytes]]:
    """Everything in these bytes, fed so many at a time; DATA in one piece."""
    unread, found = Unread(), list[tuple[int, bytes]]()
    unread.framed = framed
    for at in range(0, len(data), step):
        unread.feed(data[at : at + step])
        while (part := unread.next()) is not None:
            if part[0] == DATA and found and found[-1][0] == DATA:
                found[-1] = DATA, found[-1][1] + part[1]
            else:
                found.append(part)
    return found


class SpeltTests(SynchronousTestCase):
    def test_byte_by_byte(self) -> None:
        self.assertEqual(b"".join(data_frames(b"hello")).hex(" "), "00 00 00 05 68 65 6c 6c 6f")
        self.assertEqual((FIN_FRAME.hex(" "), reset_frame(0x8001, "no").hex(" ")),
                         ("01 00 00 00", "02 00 00 04 80 01 6e 6f"))
        self.assertEqual(data_frames(b""), [])

    def test_a_long_write(self) -> None:
        self.patch(streamframes, "PIECE_BYTES", 4)
        self.assertEqual(b"".join(data_frames(b"123456789")).hex(), "00000004313233340000000435363738" + "0000000139")

    def test_a_long_text_is_cut(self) -> None:
        self.assertEqual(len(reset_frame(1, "x" * 9999)), 4 + MOST)
        code, text = reset_body(reset_frame(1, "ü" * 300)[4:])
        self.assertEqual((code, text), (1, "ü" * 256))


class ReadTests(SynchronousTestCase):
    @given(st.lists(st.binary(max_size=40), max_size=5), st.integers(1, 9))
    def test_back_and_forth(self, pieces: list[bytes], step: int) -> None:
        whole = b"".join(b"".join(data_frames(piece)) for piece in pieces)
        ends = FIN_FRAME + reset_frame(7, "why")
        found = read(whole + ends, step=step)
        self.assertEqual(b"".join(body for kind, body in found if kind == DATA), b"".join(pieces))
        self.assertEqual(found[-2:], [(FIN, b""), (RESET, b"\0\x07why")])

    def test_data_does_not_wait_for_all_of_its_frame(self) -> None:
        unread = Unread()
        unread.framed = True
        unread.feed(bytes.fromhex("00ffffff") + b"abc")
        self.assertEqual((unread.next(), unread.next(), bool(unread)), ((DATA, b"abc"), None, False))

    def test_empty_data_is_nothing(self) -> None:
        self.assertEqual(read(bytes(4) * 1000 + b"\0\0\0\x01x" + bytes(4)), [(DATA, b"x")])

    def test_what_is_none(self) -> None:
        for head in ("01000001", "02000000", "02000001", f"0200{MOST + 1:04x}", "03000000", "ff000000", "02010000"):
            self.assertRaises(MalformedError, read, bytes.fromhex(head))
        self.assertEqual(read(bytes.fromhex(f"0200{MOST:04x}")), [])
        self.assertEqual(len(read(bytes.fromhex(f"0200{MOST:04x}") + bytes(MOST))), 1)

    def test_lines(self) -> None:
        three = [(LINE, b"one"), (LINE, b""), (LINE, b"two")]
        for step in (1, 3, 100):
            self.assertEqual(read(b"one\n\ntwo\nthr", framed=False, step=step), three)
        longest = b"x" * MAX_REQUEST_BYTES
        self.assertEqual(read(longest + b"\n", framed=False), [(LINE, longest)])
        for long in (longest + b"x", longest + b"x\n"):
            self.assertRaises(MalformedError, read, long, framed=False)

    def test_cleared(self) -> None:
        unread = Unread()
        unread.framed = True
        unread.feed(bytes.fromhex("00000009") + b"abc")
        unread.next()
        unread.clear()
        unread.feed(FIN_FRAME)
        self.assertEqual(unread.next(), (FIN, b""))
