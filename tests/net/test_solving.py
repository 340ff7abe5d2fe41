"""Puzzles are solved in slices, one after the other, and dropped when nobody waits for them."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core import puzzle as core_puzzle
from quantumgate.core.puzzle import effort_of
from quantumgate.core.requests import PuzzleNeeded
from quantumgate.net import solving
from quantumgate.net.solving import SLICE_GAP_SECONDS, SLICE_HASHES, Solver
from quantumgate.wire.messages import Puzzle

SALT = bytes(range(32))


def needed(bits: int, seed: int = 0) -> PuzzleNeeded:
    """A request."""
    return PuzzleNeeded(Puzzle(bytes([seed]) * 32, bits), SALT)


class SolverTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.solver = Solver(self.clock)
        self.slices: list[int] = []
        go_on = core_puzzle.Search.go_on

        def noted(search: core_puzzle.Search, tries: int) -> bytes | None:
            self.slices.append(tries)
            return go_on(search, tries)

        self.patch(core_puzzle.Search, "go_on", noted)
        self.patch(solving, "SLICE_HASHES", 64)

    def turns(self, solved: Deferred[bytes]) -> tuple[bytes, int]:
        """(the solution, how many turns of the reactor it took)."""
        found: list[bytes] = []
        solved.addCallback(found.append)
        turns = 0
        while not found:
            self.clock.advance(SLICE_GAP_SECONDS)
            turns += 1
        return found[0], turns

    def test_a_slice_a_turn(self) -> None:
        request = needed(6)
        solution, turns = self.turns(self.solver.solve(request))
        self.assertGreaterEqual(effort_of(request.puzzle, SALT, solution), 6)
        self.assertGreater(turns, 8)
        self.assertEqual(self.slices, [64] * turns)
        self.assertEqual((len(self.solver), self.clock.getDelayedCalls()), (0, []))

    def test_nothing_is_done_in_the_callers_own_turn(self) -> None:
        self.solver.solve(needed(1))
        self.assertEqual(self.slices, [])

    def test_one_at_a_time(self) -> None:
        first, second = (self.solver.solve(needed(5, seed)) for seed in (0, 1))
        self.assertNoResult(second)
        self.turns(first)
        self.assertNoResult(second)
        self.assertEqual(len(self.solver), 1)
        self.turns(second)

    def test_who_gives_up_is_not_worked_for(self) -> None:
        first, second = (self.solver.solve(needed(bits, bits)) for bits in (16, 4))
        self.clock.advance(0)
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.assertEqual(len(self.solver), 1)
        self.turns(second)
        third = self.solver.solve(needed(16, 3))
        third.cancel()
        self.failureResultOf(third, CancelledError)
        self.clock.advance(SLICE_GAP_SECONDS)
        self.assertEqual((len(self.solver), self.clock.getDelayedCalls()), (0, []))

    def test_a_slice_is_short(self) -> None:
        """At a microsecond a hash, twice what it takes here, a slice is a sixth of the 50 ms that a turn may have."""
        self.assertLessEqual(SLICE_HASHES, 8192)
