"""Puzzles of docs/spec/overload.md section 4: what solves one, what a solution is worth, and what it takes to find."""

from __future__ import annotations

import hashlib

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.puzzle import Search, effort_of
from quantumgate.wire.limits import PUZZLE_BITS_MAX, PUZZLE_COUNT
from quantumgate.wire.messages import Puzzle
from tests.core.handshake.duel import SeededRandom

SALT = bytes(range(32))


def puzzle(bits: int = 4, seed: object = 0) -> Puzzle:
    """One by its hardness."""
    return Puzzle(SeededRandom(seed).bytes(32), bits)


def solved(asked: Puzzle, salt: bytes = SALT) -> bytes:
    """Its solution."""
    found = Search(asked, salt).go_on(1 << 22)
    assert found is not None
    return found


def zero_bits(asked: Puzzle, salt: bytes, solution: bytes) -> list[int]:
    """Of the sixteen hashes, by the page alone."""
    hashes = (
        hashlib.sha256(asked.seed + salt + bytes([index]) + solution[8 * index : 8 * index + 8]).digest()
        for index in range(PUZZLE_COUNT)
    )
    return [256 - int.from_bytes(each, "big").bit_length() for each in hashes]


class PuzzleTests(SynchronousTestCase):
    def test_a_solution_has_the_bits_in_each_of_sixteen_hashes(self) -> None:
        for bits in (1, 4, 7, 8, 9):
            asked = puzzle(bits)
            found = solved(asked)
            self.assertEqual(len(found), 128)
            self.assertGreaterEqual(min(zero_bits(asked, SALT, found)), bits)
            self.assertEqual(effort_of(asked, SALT, found), min(zero_bits(asked, SALT, found)))

    def test_one_number_that_is_wrong_is_enough(self) -> None:
        asked = puzzle(8)
        found = solved(asked)
        for index in range(PUZZLE_COUNT):
            worse = bytearray(found)
            worse[8 * index] ^= 1
            self.assertLess(effort_of(asked, SALT, bytes(worse)), 8, index)

    def test_it_is_one_for_this_seed_this_salt_and_this_order(self) -> None:
        asked = puzzle(8)
        found = solved(asked)
        self.assertLess(effort_of(puzzle(8, seed=1), SALT, found), 8)
        self.assertLess(effort_of(asked, bytes(32), found), 8)
        self.assertLess(effort_of(asked, SALT, found[8:] + found[:8]), 8)

    def test_more_than_sixteen_bits_are_worth_no_more(self) -> None:
        """Each number by itself: what is found for one place is repeated for a hash that only this test looks at."""
        asked = puzzle(1)
        worth = max(effort_of(asked, SALT, solved(asked)), 0)
        self.assertLessEqual(worth, PUZZLE_BITS_MAX)
        self.patch(__import__("quantumgate.core.puzzle", fromlist=["x"]), "hashlib", _ZeroHashes)
        self.assertEqual(effort_of(asked, SALT, bytes(128)), PUZZLE_BITS_MAX)

    def test_in_pieces_it_is_the_same_solution(self) -> None:
        asked = puzzle(6)
        for tries in (1, 7, 100):
            search, found, slices = Search(asked, SALT), None, 0
            while found is None:
                found, slices = search.go_on(tries), slices + 1
            self.assertEqual(found, solved(asked))
            self.assertGreater(slices, 1)

    def test_what_it_takes(self) -> None:
        """16 * 2^b hashes on average, and seldom twice as many."""
        taken = []
        for seed in range(30):
            search, hashes = Search(puzzle(5, seed), SALT), 1
            while search.go_on(1) is None:
                hashes += 1
            taken.append(hashes)
        self.assertTrue(0.8 * 512 < sum(taken) / 30 < 1.2 * 512, sum(taken) / 30)
        self.assertLess(max(taken), 2.5 * 512)


class _ZeroHashes:
    """A hash function that is easy."""

    @classmethod
    def sha256(cls, data: bytes) -> _ZeroHashes:
        return cls()

    def copy(self) -> _ZeroHashes:
        return self

    def update(self, data: bytes) -> None:
        """Anything."""

    def digest(self) -> bytes:
        """Nothing but zeros."""
        return bytes(32)
