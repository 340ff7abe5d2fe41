"""What the targets of parsers share: scripts whose steps are mostly bytes, made from words and from each other.

Not for: what must hold, which each target says itself.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from tests.fuzz.mutation import Mutator
from tests.fuzz.script import MAX_STEPS, Script, Step

DATA_BYTES_MOST = 72 * 1024
"""A little more than a line of the control socket may have."""
REPEATS = (2, 8, 64, 600, 5000)
"""How often a piece stands there again: more digits, levels and items than anybody writes."""


@dataclass(frozen=True)
class Lore:
    """What a mutator knows of an input: steps to begin with, and words that mean something in them."""

    kinds: type[IntEnum]
    starts: tuple[Step, ...]
    words: tuple[bytes, ...]

    def maker(self) -> Callable[[random.Random], BytesMutator]:
        return lambda luck: BytesMutator(luck, self)

    def seeds(self) -> list[Script]:
        return [[step] for step in self.starts]


class BytesMutator:
    """One seeded source of scripts."""

    def __init__(self, luck: random.Random, lore: Lore) -> None:
        self.luck, self.lore, self.bits = luck, lore, Mutator(luck, b"")

    def fresh(self) -> Script:
        return [self._step() for _ in range(self.luck.choice((1, 1, 2, 4)))]

    def changed(self, script: Sequence[Step], other: Sequence[Step]) -> Script:
        luck, result = self.luck, list(script) or [self._step()]
        at, way = luck.randrange(len(result)), luck.randrange(12)
        if way == 0:
            result.insert(at, self._step())
        elif way == 1 and len(result) > 1:
            del result[at]
        elif way == 2:
            result[at:at] = other[:4]
        elif way == 3:
            result[at] = result[at]._replace(kind=luck.randrange(len(self.lore.kinds)))
        elif way == 4:
            result[at] = result[at]._replace(a=luck.choice((0, 1, 2, 7, luck.getrandbits(8), luck.getrandbits(32))))
        else:
            donor = luck.choice(other).data if other else b""
            result[at] = result[at]._replace(data=self.data(result[at].data, donor))
        return result[:MAX_STEPS]

    def _step(self) -> Step:
        step = self.luck.choice(self.lore.starts)
        return step if self.luck.random() < 0.3 else step._replace(data=self.data(step.data, step.data))

    def data(self, old: bytes, donor: bytes) -> bytes:
        """``old`` with a few changes."""
        for _ in range(self.luck.choice((1, 1, 1, 2, 5))):
            old = self._once(old, donor)[:DATA_BYTES_MOST]
        return old

    def _once(self, old: bytes, donor: bytes) -> bytes:
        luck = self.luck
        at, way = luck.randint(0, len(old)), luck.randrange(7)
        end = min(len(old), at + luck.choice((1, 2, 4, 16, 64)))
        if way <= 1:
            return old[:at] + luck.choice(self.lore.words) + old[at if way else end :]
        if way == 2:
            return old[:at] + old[at:end] * luck.choice(REPEATS) + old[end:]
        if way == 3:
            return old[:at] + donor[luck.randint(0, len(donor)) :]
        if way == 4:
            return old[:at] + luck.choice(self.lore.words) * luck.choice(REPEATS) + old[end:]
        return self.bits.bytes_changed(old)


def pieces(data: bytes, size: int) -> list[bytes]:
    """``data`` as a transport may bring it; 0 = all at once."""
    return [data[at : at + size] for at in range(0, len(data), size)] if size else [data]
