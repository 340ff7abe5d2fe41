"""Integers, length prefixes and TLVs as spelled in docs/spec/handshake.md section 1."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.wire import writer


class WriterTests(SynchronousTestCase):
    """Known spellings; our own overflow is an error of ours."""

    def test_spellings(self) -> None:
        self.assertEqual(writer.u24(0x010203).hex(), "010203")
        self.assertEqual(writer.u16_list((1, 0x0203)).hex(), "00010203")
        self.assertEqual(writer.lp(b"ab").hex(), "00000002" + "6162")
        self.assertEqual(writer.tlv(0x80, b"\x01").hex(), "8000000101")

    def test_overflow_is_ours(self) -> None:
        for name, value in (("u8", 256), ("u16", 1 << 16), ("u24", 1 << 24), ("u32", 1 << 32), ("u64", 1 << 64)):
            self.assertRaises(OverflowError, getattr(writer, name), value)
        self.assertRaises(OverflowError, writer.tlv, 1, bytes(1 << 24))
