"""Notices that time jumped: a laptop slept, the clock was set, or this process did not get to run. [A27]

Not for: what to do about it (the node pings everybody) or the error of the clock itself. Spec: docs/spec/liveness.md.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall

from quantumgate.node.world import World

TICK_SECONDS = 5


class ClockWatch:
    """Looks every few seconds; ``jumped(seconds, what)`` is called when one look differs from the last by too much."""

    def __init__(self, world: World, jump_seconds: float, jumped: Callable[[float, str], object]) -> None:
        self._world = world
        self._jump_seconds = jump_seconds
        self._jumped = jumped
        self._call: IDelayedCall | None = None
        self._wall = self._steady = 0.0

    def start(self) -> None:
        """Begin to look."""
        self._look()

    def stop(self) -> None:
        """No more."""
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None

    def _look(self) -> None:
        self._wall, self._steady = self._world.wall_seconds(), self._world.now()
        self._call = self._world.clock.callLater(TICK_SECONDS, self._tick)

    def _tick(self) -> None:
        wall_passed = self._world.wall_seconds() - self._wall
        steady_passed = self._world.now() - self._steady
        self._look()
        apart, late = wall_passed - steady_passed, steady_passed - TICK_SECONDS
        if abs(apart) > self._jump_seconds:
            self._jumped(apart, "the clock jumped")
        elif late > self._jump_seconds:
            self._jumped(late, "this process was held up")
