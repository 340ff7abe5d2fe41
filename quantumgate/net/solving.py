"""Solving puzzles beside other work: in slices of a few milliseconds, one puzzle at a time, on the reactor's thread.

A thread would take the interpreter's lock for longer than a slice takes, and a process costs more than the puzzle
(ADR 0162). Not for: what a puzzle is (``core/puzzle.py``), or how hard a one is worth solving (the handshake).
"""

from __future__ import annotations

from collections import deque
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from quantumgate.core.puzzle import Search
from quantumgate.core.requests import PuzzleNeeded

SLICE_HASHES = 8192
"""Some 4 ms of a core; no turn of the reactor takes longer for a puzzle."""

SLICE_GAP_SECONDS = 0.001


class Solver:
    """One node's. A puzzle that nobody waits for any more is dropped."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._wanted: deque[tuple[Search, Deferred[bytes]]] = deque()
        self._call: IDelayedCall | None = None

    def solve(self, request: PuzzleNeeded) -> Deferred[bytes]:
        """Fires with the solution; cancel it to give up."""
        solved: Deferred[bytes] = Deferred(self._drop)
        self._wanted.append((Search(request.puzzle, request.salt), solved))
        if self._call is None:
            self._call = self._clock.callLater(0, self._slice)
        return solved

    def __len__(self) -> int:
        return len(self._wanted)

    def _slice(self) -> None:
        self._call = None
        if not self._wanted:
            return
        search, solved = self._wanted[0]
        solution = search.go_on(SLICE_HASHES)
        if solution is not None:
            self._wanted.popleft()
        if self._wanted:
            self._call = self._clock.callLater(SLICE_GAP_SECONDS, self._slice)
        if solution is not None:
            solved.callback(solution)

    def _drop(self, solved: Deferred[Any]) -> None:
        self._wanted = deque(one for one in self._wanted if one[1] is not solved)
