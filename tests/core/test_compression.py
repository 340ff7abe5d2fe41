"""When compression is tried: not below 128 bytes, and not where it has just gained nothing twice."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.compression import CompressionChoice
from quantumgate.wire.compressed import inflate
from quantumgate.wire.limits import COMPRESS_MIN_BYTES, COMPRESS_SKIP_MAX, COMPRESS_SKIP_MIN, MIB
from tests.core.handshake.duel import SeededRandom

NOISE = SeededRandom("compression").bytes(1000)
TEXT = b"over and over again, " * 50


class ChoiceTests(SynchronousTestCase):
    """docs/spec/messages.md, section 3."""

    def skipped(self, choice: CompressionChoice) -> int:
        """How many messages that would shrink are left alone."""
        count = 0
        while choice.shrink(TEXT) is None:
            count += 1
            self.assertLess(count, 5000)
        return count

    def test_short_ones_are_left_alone(self) -> None:
        choice = CompressionChoice()
        self.assertIsNone(choice.shrink(b"a" * (COMPRESS_MIN_BYTES - 1)))
        shrunk = choice.shrink(b"a" * COMPRESS_MIN_BYTES)
        assert shrunk is not None
        self.assertEqual(inflate(shrunk, MIB), b"a" * COMPRESS_MIN_BYTES)

    def test_one_miss_costs_nothing(self) -> None:
        choice = CompressionChoice()
        self.assertIsNone(choice.shrink(NOISE))
        self.assertEqual(self.skipped(choice), 0)

    def test_two_misses_cost_sixteen_then_twice_as_many(self) -> None:
        choice = CompressionChoice()
        expected = COMPRESS_SKIP_MIN
        for _ in range(9):
            self.assertEqual((choice.shrink(NOISE), choice.shrink(NOISE)), (None, None))
            for _ in range(expected):
                self.assertIsNone(choice.shrink(TEXT))
            expected = min(expected * 2, COMPRESS_SKIP_MAX)
        self.assertEqual(expected, COMPRESS_SKIP_MAX)

    def test_a_gain_begins_anew(self) -> None:
        choice = CompressionChoice()
        for _ in range(2):
            self.assertEqual((choice.shrink(NOISE), choice.shrink(NOISE)), (None, None))
            self.assertEqual(self.skipped(choice), COMPRESS_SKIP_MIN)

    def test_short_ones_do_not_count(self) -> None:
        choice = CompressionChoice()
        self.assertEqual((choice.shrink(NOISE), choice.shrink(NOISE)), (None, None))
        for _ in range(100):
            choice.shrink(b"short")
        self.assertEqual(self.skipped(choice), COMPRESS_SKIP_MIN)
