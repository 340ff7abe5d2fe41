"""Lengths on the wire: drawn totals, the next step of 4096, gaps of one to three bytes."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.handshake.sizes import draw, init_pad_bytes, pad_tlv_bytes, pad_value_bytes, total_bytes
from quantumgate.crypto.random import RandomSource
from quantumgate.wire.messages import pad
from tests.core.handshake.duel import SeededRandom


class Extreme(SeededRandom):
    """Draws the lowest or the highest number."""

    def __init__(self, highest: bool) -> None:
        super().__init__(0)
        self.highest = highest

    def below(self, n: int) -> int:
        """An edge."""
        return n - 1 if self.highest else 0


class SizesTests(SynchronousTestCase):
    """docs/spec/handshake.md section 9."""

    def test_totals(self) -> None:
        for least, drawn, expected in (
            (500, 12_288, 12_288),
            (12_284, 12_288, 12_288),
            (12_285, 12_288, 16_384),
            (12_287, 12_288, 16_384),
            (12_288, 12_288, 12_288),
            (12_289, 12_288, 16_384),
            (14_000, 13_000, 16_384),
            (16_384, 13_000, 16_384),
            (16_383, 13_000, 20_480),
            (40_000, 13_000, 40_960),
        ):
            self.assertEqual(total_bytes(least, drawn), expected, (least, drawn))

    def test_a_padded_message_has_its_total(self) -> None:
        for least in range(12_270, 12_300):
            value = pad_value_bytes(least, 12_288)
            self.assertEqual(least + len(pad(value)), total_bytes(least, 12_288))
            self.assertEqual(len(pad(value)), pad_tlv_bytes(value))

    def test_draws_reach_both_ends_and_not_further(self) -> None:
        edges: tuple[RandomSource, RandomSource] = Extreme(False), Extreme(True)
        self.assertEqual([draw(edge, (12_288, 14_335)) for edge in edges], [12_288, 14_335])
        self.assertEqual([init_pad_bytes(edge) for edge in edges], [0, 2047])
