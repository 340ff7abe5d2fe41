"""Lent buffers: what is given back is lent again, few are kept, and a crowd is noticed."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.buffers import CROWDED_BUFFERS, KEPT_BUFFERS, BufferPool

SIZE = 100


class BufferPoolTests(SynchronousTestCase):
    def test_a_buffer_comes_back(self) -> None:
        pool = BufferPool(SIZE)
        one = pool.borrow()
        self.assertEqual(len(one), SIZE)
        self.assertIsNot(pool.borrow(SIZE), one)
        pool.give_back(one)
        self.assertIs(pool.borrow(1), one)

    def test_a_larger_one_is_made_for_the_purpose(self) -> None:
        pool = BufferPool(SIZE)
        large = pool.borrow(SIZE + 1)
        self.assertEqual(len(large), SIZE + 1)
        pool.give_back(large)
        self.assertEqual(len(pool.borrow()), SIZE)

    def test_few_are_kept(self) -> None:
        pool = BufferPool(SIZE)
        lent = [pool.borrow() for _ in range(KEPT_BUFFERS + 1)]
        for buffer in lent:
            pool.give_back(buffer)
        again = [id(pool.borrow()) for _ in range(KEPT_BUFFERS + 1)]
        self.assertEqual(len(set(again) & set(map(id, lent))), KEPT_BUFFERS)

    def test_a_crowd(self) -> None:
        pool = BufferPool(SIZE)
        lent = [pool.borrow() for _ in range(CROWDED_BUFFERS)]
        pool.borrow(SIZE + 1)
        self.assertFalse(pool.crowded)
        lent.append(pool.borrow())
        self.assertTrue(pool.crowded)
        pool.give_back(lent.pop())
        self.assertFalse(pool.crowded)
