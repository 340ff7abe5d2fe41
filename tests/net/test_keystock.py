"""The stock of fast ephemeral keys: made in the turn after, never handed out twice, wiped where nobody takes them."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.handshake.settings import LibraryKeys
from quantumgate.crypto.agreement import PrimaryKey
from quantumgate.crypto.kem import KemKey
from quantumgate.errors import BugError
from quantumgate.net.keystock import KEEP_SECONDS, KeyStock


class Counting(LibraryKeys):
    """Remembers what it made."""

    __slots__ = ("made",)

    def __init__(self) -> None:
        self.made: list[PrimaryKey | KemKey] = []

    def primary(self, group: int) -> PrimaryKey:
        self.made.append(key := super().primary(group))
        return key

    def secondary(self, group: int) -> KemKey:
        self.made.append(key := super().secondary(group))
        return key


class KeyStockTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.source = Clock(), Counting()
        self.stock = KeyStock(self.clock, self.source)

    def test_the_next_key_is_made_in_the_turn_after(self) -> None:
        for take in (self.stock.primary, self.stock.secondary):
            first, before = take(1), len(self.source.made)
            self.clock.advance(0)
            self.assertEqual(len(self.source.made), before + 1)
            second = take(1)
            self.assertIs(second, self.source.made[-1])
            self.assertIsNot(second, first)
            self.clock.advance(0)

    def test_no_key_twice_however_fast_they_are_taken(self) -> None:
        taken = []
        for turn in range(6):
            taken += [self.stock.primary(1), self.stock.primary(1), self.stock.secondary(1), self.stock.secondary(1)]
            if turn % 2:
                self.clock.advance(0)
        self.assertEqual(len(set(map(id, taken))), len(taken))
        self.assertEqual(len({key.share if isinstance(key, PrimaryKey) else key.public for key in taken}), len(taken))

    def test_one_of_each_group_that_was_asked_for(self) -> None:
        for group in (1, 2, 1, 1):
            self.stock.primary(group)
            self.stock.secondary(group)
        self.assertEqual(len(self.stock), 0)
        self.clock.advance(0)
        self.assertEqual(len(self.stock), 4)

    def test_what_nobody_takes_is_wiped(self) -> None:
        self.stock.primary(1)
        self.stock.secondary(1)
        self.clock.advance(0)
        made = self.source.made[-2:]
        self.clock.advance(KEEP_SECONDS - 1)
        self.assertEqual(len(self.stock), 2)
        self.clock.advance(1)
        self.assertEqual((len(self.stock), self.clock.getDelayedCalls()), (0, []))
        self.assert_wiped(*made)

    def test_one_timer_however_often_it_is_filled(self) -> None:
        for _ in range(10):
            self.stock.primary(1)
            self.clock.advance(1)
            self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.advance(KEEP_SECONDS - 2)
        self.assertEqual(len(self.stock), 1)
        self.clock.advance(2)
        self.assertEqual((len(self.stock), self.clock.getDelayedCalls()), (0, []))

    def test_stop_wipes_and_stocks_no_more(self) -> None:
        self.stock.primary(1)
        self.clock.advance(0)
        kept = self.source.made[-1]
        self.stock.secondary(1)
        self.stock.stop()
        self.assert_wiped(kept)
        self.assertEqual(self.stock.primary(1).share, self.source.made[-1].share)  # type: ignore[union-attr]
        self.assertEqual((len(self.stock), self.clock.getDelayedCalls()), (0, []))

    def test_both_sides_agree(self) -> None:
        self.stock.primary(1)
        self.stock.secondary(1)
        self.clock.advance(0)
        ours, theirs = self.stock.primary(1), self.source.primary(1)
        self.assertEqual(ours.exchange(theirs.share), theirs.exchange(ours.share))
        pair = self.stock.secondary(1)
        ciphertext, secret = self.stock.encapsulate(1, pair.public)
        self.assertEqual(pair.decapsulate(ciphertext), secret)

    def assert_wiped(self, *keys: PrimaryKey | KemKey) -> None:
        for key in keys:
            use = key.exchange if isinstance(key, PrimaryKey) else key.decapsulate
            self.assertRaises(BugError, use, b"")
