"""Puzzles: work that an overloaded listener asks of strangers before it does its own. Spec: docs/spec/overload.md 4.

Sixteen numbers, each with so many leading zero bits in a hash of its own: little variance for who solves, sixteen
hashes for who checks. Not for: when a puzzle is asked for (``overload.py``), or where it is solved
(``net/solving.py``). [A11]
"""

from __future__ import annotations

import hashlib

from quantumgate.wire.limits import PUZZLE_BITS_MAX, PUZZLE_COUNT
from quantumgate.wire.messages import PUZZLE_NONCE_BYTES, Puzzle

_FRONT_BYTES = (PUZZLE_BITS_MAX + 7) // 8


def effort_of(puzzle: Puzzle, salt: bytes, solution: bytes) -> int:
    """What a solution is worth: the fewest leading zero bits of its hashes, of which no more than 16 count."""
    base, least = hashlib.sha256(puzzle.seed + salt), PUZZLE_BITS_MAX
    for index in range(PUZZLE_COUNT):
        hashed = base.copy()
        hashed.update(bytes([index]) + solution[index * PUZZLE_NONCE_BYTES :][:PUZZLE_NONCE_BYTES])
        front = int.from_bytes(hashed.digest()[:_FRONT_BYTES], "big")
        least = min(least, _FRONT_BYTES * 8 - front.bit_length())
    return least


class Search:
    """Solves one puzzle for one salt, in pieces. It takes 16 * 2^bits hashes on average."""

    __slots__ = ("_base", "_below", "_found", "_next")

    def __init__(self, puzzle: Puzzle, salt: bytes) -> None:
        self._base = hashlib.sha256(puzzle.seed + salt)
        self._below = 1 << (_FRONT_BYTES * 8 - puzzle.bits)
        self._found: list[bytes] = []
        self._next = 0

    def go_on(self, tries: int) -> bytes | None:
        """So many hashes more. The solution once it is whole, else None."""
        base, below, number = self._base, self._below, self._next
        index = bytes([len(self._found)])
        for number in range(self._next, self._next + tries):
            hashed = base.copy()
            hashed.update(index + number.to_bytes(PUZZLE_NONCE_BYTES, "big"))
            if int.from_bytes(hashed.digest()[:_FRONT_BYTES], "big") < below:
                self._found.append(number.to_bytes(PUZZLE_NONCE_BYTES, "big"))
                if len(self._found) == PUZZLE_COUNT:
                    return b"".join(self._found)
                index = bytes([len(self._found)])
        self._next = number + 1
        return None
