"""The strict cursor: every number, every short read, nothing left over."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.errors import MalformedError
from quantumgate.wire import writer
from quantumgate.wire.reader import Reader


class ReaderTests(SynchronousTestCase):
    """``Reader`` against what ``writer`` spells."""

    def test_numbers_come_back_in_order(self) -> None:
        data = writer.u8(1) + writer.u16(2) + writer.u24(3) + writer.u32(4) + writer.u64(5) + b"end"
        reader = Reader(data)
        read = (reader.u8(), reader.u16(), reader.u24(), reader.u32(), reader.u64(), reader.rest())
        self.assertEqual(read, (1, 2, 3, 4, 5, b"end"))
        reader.finish()

    def test_every_cut_is_refused(self) -> None:
        widths = {"u8": 1, "u16": 2, "u24": 3, "u32": 4, "u64": 8}
        for name, width in widths.items():
            for count in range(width):
                with self.assertRaises(MalformedError):
                    getattr(Reader(bytes(count)), name)()

    def test_a_failed_read_moves_nothing(self) -> None:
        reader = Reader(memoryview(b"abc"))
        self.assertRaises(MalformedError, reader.take, 4)
        self.assertRaises(MalformedError, reader.take, -1)
        self.assertEqual(reader.take(3), b"abc")

    def test_trailing_bytes_are_refused(self) -> None:
        reader = Reader(b"ab")
        reader.u8()
        self.assertEqual(reader.remaining, 1)
        self.assertRaises(MalformedError, reader.finish)
