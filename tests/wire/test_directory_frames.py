"""FIND, FOUND, LEAVE and LEFT: byte by byte, and each way to get them wrong."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.errors import MalformedError
from quantumgate.wire.directory_frames import (
    KEY_BYTES,
    Find,
    Found,
    Kind,
    Leave,
    Left,
    LeftAnswer,
)
from quantumgate.wire.limits import ANSWER_NODES, ANSWER_RECORDS, CONTROL_MESSAGE_BYTES, PEER_RECORD_DELEGATED_BYTES

FIND = Find(7, 19_675, bytes(range(32)))
FOUND = Found(7, (b"one", b"two"), (b"three",))
LEAVE = Leave(7, 19_675, Kind.PEER, bytes(range(32)), b"record")


class DirectoryFrameTests(SynchronousTestCase):
    def test_byte_by_byte(self) -> None:
        key = bytes(range(32)).hex()
        for frame, wanted in (
            (FIND, "00000007 00004cdb" + key),
            (FOUND, "00000007 02 0003 6f6e65 0003 74776f 01 0005 7468726565"),
            (LEAVE, "00000007 00004cdb 01" + key + "7265636f7264"),
            (LeftAnswer(7, Left.FULL), "00000007 02"),
        ):
            self.assertEqual(frame.encode(), bytes.fromhex(wanted))
            self.assertEqual(type(frame).decode(bytes.fromhex(wanted)), frame)

    def test_every_wrong_length(self) -> None:
        for frame in (FIND, FOUND, LeftAnswer(7, Left.FAR)):
            whole = frame.encode()
            for data in (*(whole[:size] for size in range(len(whole))), whole + b"\0"):
                self.assertRaises(MalformedError, type(frame).decode, data)
        for size in range(9 + KEY_BYTES + 1):
            self.assertRaises(MalformedError, Leave.decode, LEAVE.encode()[:size])

    def test_what_is_none(self) -> None:
        head = bytes(4)
        for data in (
            head + bytes([ANSWER_RECORDS + 1]) + b"\0\1a" * (ANSWER_RECORDS + 1) + b"\0",
            head + b"\0" + bytes([ANSWER_NODES + 1]) + b"\0\1a" * (ANSWER_NODES + 1),
            head + b"\1\0\0\0",
        ):
            self.assertRaises(MalformedError, Found.decode, data)
        for data in (b"\0" * 9 + bytes(32) + b"r", b"\0" * 8 + b"\4" + bytes(32) + b"r"):
            self.assertRaises(MalformedError, Leave.decode, data)
        longest = replace(LEAVE, record=bytes(PEER_RECORD_DELEGATED_BYTES))
        self.assertEqual(Leave.decode(longest.encode()), longest)
        self.assertRaises(MalformedError, Leave.decode, longest.encode() + b"\0")
        self.assertRaises(MalformedError, LeftAnswer.decode, bytes(4) + b"\4")

    def test_what_does_not_fit_is_left_out(self) -> None:
        """Sixteen of the longest records are more than a control message: half of it is the records', if nodes need the
        other half."""
        longest = tuple(bytes([n]) * PEER_RECORD_DELEGATED_BYTES for n in range(1, 17))
        for records, nodes, wanted in ((longest[:8], longest[8:], (1, 2)), (longest[:8], (), (3, 0)),
                                       (longest[:8], (b"short",) * 8, (3, 8)), ((), longest[8:], (0, 3))):
            data = Found(7, records, nodes).encode()
            self.assertLessEqual(len(data), CONTROL_MESSAGE_BYTES)
            found = Found.decode(data)
            self.assertEqual((len(found.records), len(found.nodes)), wanted)

    def test_more_than_an_answer_holds_is_left_out(self) -> None:
        found = Found.decode(Found(7, (b"r",) * 20, (b"n",) * 20).encode())
        self.assertEqual((len(found.records), len(found.nodes)), (ANSWER_RECORDS, ANSWER_NODES))

    @given(st.binary(max_size=80))
    def test_anything_is_read_or_malformed(self, data: bytes) -> None:
        for kind in (Find, Found, Leave, LeftAnswer):
            try:
                frame = kind.decode(data)
            except MalformedError:
                continue
            self.assertEqual(frame.encode(), data)
