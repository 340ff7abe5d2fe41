"""Names that are being looked up: many at once, each of them once; who asks for the same name shares its answer.

A burst of connections to one site is one look-up, and names whose servers are slow hold up few others. Nothing is kept
once it is answered: what one peer asked must not be quicker for the next. Not for: asking (``world.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, DeferredSemaphore

from .destination import Address

Answer = Deferred[Sequence[Address]]


class Names:
    """``look_up(name)`` asks; it is called for no more than ``most`` names at once, and for none twice at once."""

    def __init__(self, look_up: Callable[[str], Answer], most: int) -> None:
        self._look_up = look_up
        self._gate = DeferredSemaphore(most)
        self._asked: dict[str, list[Answer]] = {}

    def __len__(self) -> int:
        return len(self._asked)

    def resolve(self, name: str) -> Answer:
        """What ``look_up`` says, or its failure. Cancelling gives up, for this caller alone."""
        answer: Answer = Deferred(lambda gone: self._gave_up(name, gone))
        waiting = self._asked.get(name)
        if waiting is None:
            self._asked[name] = [answer]
            self._gate.acquire().addCallback(self._begin, name)
        else:
            waiting.append(answer)
        return answer

    def _gave_up(self, name: str, answer: Answer) -> None:
        if answer in self._asked.get(name, ()):
            self._asked[name].remove(answer)

    def _begin(self, gate: DeferredSemaphore, name: str) -> None:
        if not self._asked[name]:  # everybody left while it waited
            del self._asked[name]
            gate.release()
            return
        # it is busy until this comes, however long ago the callers gave up
        self._look_up(name).addBoth(self._answered, name)

    def _answered(self, result: Any, name: str) -> None:
        self._gate.release()
        for answer in self._asked.pop(name):
            answer.callback(result)  # a Failure fails it
