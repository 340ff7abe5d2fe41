"""States over stores in memory: what one leaves there the next one finds, as after a restart."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock

from quantumgate.node.state import State
from quantumgate.store.memory import MemoryDatabase
from quantumgate.store.store import Store
from quantumgate.store.thread import Inline


def recalled(database: MemoryDatabase | None = None, clock: Any = None) -> State:
    """The state that ``database`` holds, a new and empty one by default. Raises what a start would fail with."""
    store = Store(database or MemoryDatabase(), Inline(), clock or Clock())
    found: list[Any] = []
    State.load(store).addBoth(found.append)
    if not isinstance(found[0], State):
        found[0].raiseException()
    state: State = found[0]
    return state
