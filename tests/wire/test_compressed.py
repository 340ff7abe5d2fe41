"""The compressed form of a message: what it looks like, and every lie it can tell."""

from __future__ import annotations

import struct

import lz4.block
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.errors import ViolationError
from quantumgate.wire.compressed import BLOCK_HEAD_BYTES, deflate, inflate
from quantumgate.wire.limits import COMPRESS_MIN_GAIN, INFLATE_RATIO_FROM_BYTES, INFLATE_RATIO_MAX, MIB
from quantumgate.wire.padme import padme
from tests.core.handshake.duel import SeededRandom

TEXT = b"the same words, and the same words again; " * 100


def spelled(block: bytes, raw_bytes: int, block_bytes: int | None = None, pad: int | None = None) -> bytes:
    """A compressed message with whatever lengths."""
    size = len(block) if block_bytes is None else block_bytes
    zeros = padme(BLOCK_HEAD_BYTES + len(block)) - BLOCK_HEAD_BYTES - len(block) if pad is None else pad
    return struct.pack(">II", raw_bytes, size) + block + bytes(zeros)


def block_of(message: bytes) -> bytes:
    """An LZ4 block."""
    return bytes(lz4.block.compress(message, store_size=False))


class DeflateTests(SynchronousTestCase):
    """docs/spec/messages.md, section 3."""

    def test_comes_back_and_is_padded(self) -> None:
        shrunk = deflate(TEXT)
        assert shrunk is not None
        raw_bytes, block_bytes = struct.unpack_from(">II", shrunk)
        self.assertEqual((raw_bytes, len(shrunk)), (len(TEXT), padme(8 + block_bytes)))
        self.assertEqual(inflate(shrunk, len(TEXT)), TEXT)

    def test_what_gains_too_little_stays(self) -> None:
        """Random bytes with ever more zeros behind them: the form is used from COMPRESS_MIN_GAIN on, never below."""
        noise = SeededRandom("deflate").bytes(2000)
        used = []
        for zeros in range(0, 1000, 10):
            message = noise + bytes(zeros)
            shrunk = deflate(message)
            used.append(shrunk is not None)
            block = BLOCK_HEAD_BYTES + len(block_of(message))
            self.assertEqual(used[-1], padme(block) <= len(message) * (1 - COMPRESS_MIN_GAIN))
        self.assertEqual((used[0], used[-1]), (False, True))
        self.assertIsNone(deflate(b""))


class InflateTests(SynchronousTestCase):
    """Each length is checked before anything is made of it."""

    def refused(self, data: bytes, words: str, most: int = MIB) -> None:
        error = self.assertRaises(ViolationError, inflate, data, most)
        self.assertIn(words, str(error))

    def test_max_message_is_exact(self) -> None:
        data = spelled(block_of(TEXT), len(TEXT))
        self.assertEqual(inflate(data, len(TEXT)), TEXT)
        self.refused(data, "max_message", len(TEXT) - 1)

    def test_every_cut(self) -> None:
        data = spelled(block_of(b"a" * 300), 300)
        for size in range(len(data)):
            self.assertRaises(ViolationError, inflate, data[:size], MIB)

    def test_lengths(self) -> None:
        block = block_of(TEXT)
        self.refused(bytes(7), "without its lengths")
        self.refused(spelled(block, len(TEXT), len(block) + 100), "does not fit")
        self.refused(spelled(block, len(TEXT), pad=64), "does not fit")
        self.refused(spelled(block, len(TEXT) - 1), "does not decode")
        self.refused(spelled(block, len(TEXT) + 1), "not as long")

    def test_padding_is_zero(self) -> None:
        data = bytearray(spelled(block_of(TEXT), len(TEXT)))
        self.assertGreater(len(data), 8 + len(block_of(TEXT)))
        data[-1] = 1
        self.refused(bytes(data), "padding")

    def test_the_ratio_counts_from_one_mebibyte(self) -> None:
        for raw_bytes in (INFLATE_RATIO_FROM_BYTES, INFLATE_RATIO_FROM_BYTES + 1):
            message = bytes(raw_bytes)
            data = spelled(block_of(message), raw_bytes)
            if raw_bytes == INFLATE_RATIO_FROM_BYTES:
                self.assertEqual(inflate(data, 8 * MIB), message)
            else:
                self.refused(data, "ratio", 8 * MIB)

    def test_the_ratio_is_exact(self) -> None:
        """A block of 64:1 is taken, one byte more of message is not."""
        raw_bytes = 2 * MIB
        least = raw_bytes // INFLATE_RATIO_MAX
        noise = SeededRandom("ratio").bytes(least)
        low, high = 0, least
        while low < high:  # noise in front makes the block longer, one byte at a time
            middle = (low + high) // 2
            if len(block_of(noise[:middle] + bytes(raw_bytes - middle))) < least:
                low = middle + 1
            else:
                high = middle
        for front, taken in ((low, True), (low - 200, False)):
            message = noise[:front] + bytes(raw_bytes - front)
            block = block_of(message)
            self.assertEqual(len(block) * INFLATE_RATIO_MAX >= raw_bytes, taken)
            if taken:
                self.assertEqual(inflate(spelled(block, raw_bytes), 8 * MIB), message)
            else:
                self.refused(spelled(block, raw_bytes), "ratio", 8 * MIB)

    def test_nonsense_is_refused(self) -> None:
        for number in range(200):
            block = SeededRandom(("nonsense", number)).bytes(40)
            try:
                self.assertEqual(len(inflate(spelled(block, 500), MIB)), 500)
            except ViolationError:
                continue
        self.refused(spelled(b"", 1), "decode")
        self.refused(spelled(b"\xff" * 40, 500), "decode")
