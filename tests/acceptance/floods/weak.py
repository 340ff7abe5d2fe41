"""A node with one of its defences taken out, for ``weakened.py`` alone: what the floods' bounds are worth.

    python -m tests.acceptance.floods.weak DEFENCE TWISTD-OPTIONS...
"""

from __future__ import annotations

import sys
from collections.abc import Callable


def gives_way() -> None:
    """In a full house nobody gives way."""
    from quantumgate.net.intake import Intake

    Intake._yielding = lambda self, trusted: None  # type: ignore[method-assign]


def quiet_log() -> None:
    """Every line is written."""
    from quantumgate.logs import Occasionally

    Occasionally.allows = lambda self, key: True  # type: ignore[method-assign]


def memory_watch() -> None:
    """Nobody is sent away, however much is held."""
    from quantumgate.node.memory import MemoryWatch

    MemoryWatch.start = lambda self: None  # type: ignore[method-assign]


TAKEN_OUT: dict[str, Callable[[], None]] = {one.__name__: one for one in (gives_way, quiet_log, memory_watch)}


def main() -> None:
    from twisted.scripts.twistd import run

    TAKEN_OUT[sys.argv.pop(1)]()
    run()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
