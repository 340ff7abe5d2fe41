"""The overload ladder on a clock: whose turn comes when, what the log and ``qgate status`` say of it.

Not for: deciding anything (``core/overload.py`` does). Spec: docs/spec/overload.md, told in docs/guide/operating.md.
"""

from __future__ import annotations

from typing import Protocol

from twisted.internet.interfaces import IDelayedCall

from quantumgate import logs
from quantumgate.control.api import OverloadReport
from quantumgate.core.overload import Ladder, Turn
from quantumgate.core.requests import TurnNeeded
from quantumgate.node.world import World

ROUND_SECONDS = 1.0
TURN_GAP_SECONDS = 0.01
DOES = (
    "everybody is answered",
    "peers with a token, and addresses that did us good, go first; strangers wait",
    "strangers must solve a puzzle",
    "strangers meet silence; peers with a token are answered",
)
_log = logs.named("node")


class Waiter(Protocol):
    """The part of ``contact.Contact`` that is needed here."""

    def take_turn(self, request: TurnNeeded, turn: Turn) -> None: ...


class Turnstile:
    """One node's. Its timer runs only while somebody waits, its round only while the ladder is on a step."""

    def __init__(self, world: World, ladder: Ladder) -> None:
        self._world, self._ladder = world, ladder
        self._waiters: dict[Waiter, TurnNeeded] = {}
        self._contacts: dict[TurnNeeded, Waiter] = {}
        self._turn: IDelayedCall | None = None
        self._round: IDelayedCall | None = None
        self._said_step = 0
        ladder.stirred = self._look

    def wait(self, waiter: Waiter, request: TurnNeeded) -> None:
        """This one has to wait; its ``take_turn`` is called when it is its turn, or when it lost its place."""
        now = self._world.now()
        displaced = self._ladder.join(request, now)
        self._waiters[waiter], self._contacts[request] = request, waiter
        if displaced is not None:
            self._tell(displaced, Turn.SILENCE)
        self._schedule(now)

    def left(self, waiter: Waiter) -> None:
        """Its connection is over."""
        request = self._waiters.pop(waiter, None)
        if request is not None:
            del self._contacts[request]
            self._ladder.leave(request)

    def _tell(self, request: TurnNeeded, turn: Turn) -> None:
        waiter = self._contacts.pop(request)
        del self._waiters[waiter]
        waiter.take_turn(request, turn)

    def _schedule(self, now: float) -> None:
        if self._turn is None and self._ladder.waiting:
            delay_seconds = max(TURN_GAP_SECONDS, self._ladder.next_turn_seconds(now))
            self._turn = self._world.clock.callLater(delay_seconds, self._serve)

    def _serve(self) -> None:
        self._turn = None
        for request in self._ladder.serve(self._world.now()):
            self._tell(request, Turn.GO)
        self._schedule(self._world.now())

    # -- what is said of it ----------------------------------------------------------------------------------------

    def _look(self) -> None:
        """When the first step is reached, then once a second: a line for each change, however many dials made it."""
        step = self._ladder.step(self._world.now())
        if step != self._said_step:
            self._say(step)
        if step:
            self._round = self._world.clock.callLater(ROUND_SECONDS, self._look)

    def _say(self, step: int) -> None:
        said = _log.warn if step > self._said_step else _log.info
        self._said_step = step
        said("overload: step {step} of 3: {does} ({used} % of the budget for handshakes is used)", step=step,
             does=DOES[step], used=round(100 * self._ladder.used(self._world.now())))

    def stop(self) -> None:
        """No more timers."""
        for call in (self._turn, self._round):
            if call is not None and call.active():
                call.cancel()
        self._turn = self._round = None

    def report(self) -> OverloadReport:
        """For ``qgate status``."""
        ladder, now = self._ladder, self._world.now()
        step, counts = ladder.step(now), ladder.counts
        return OverloadReport(
            step=step,
            does=DOES[step],
            used_share=round(ladder.used(now), 3),
            waiting=ladder.waiting,
            puzzle_bits=ladder.bits if step >= 2 else 0,
            puzzles=counts[Turn.PUZZLE],
            silenced=counts[Turn.SILENCE],
            refused_busy=counts[Turn.BUSY],
        )
