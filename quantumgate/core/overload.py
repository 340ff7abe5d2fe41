"""The overload ladder: who is answered at once, who waits, who must solve a puzzle, who meets silence.

One object per node, shared by its responders. It counts what handshakes cost in *answers* (one of the cheapest kind,
from accept to close, is 1) with a leaky bucket of a second's budget, and keeps a queue ordered by effort. It knows
nothing of handshakes or of time but ``now``. Not for: the salts and the budget of answers of all kinds
(``replay.py``), or who comes with a token (``tokens.py``).
Spec: docs/spec/overload.md sections 2 to 4. [A11]
"""

from __future__ import annotations

from bisect import insort
from collections import Counter
from collections.abc import Callable
from enum import Enum

from quantumgate.core.requests import TurnNeeded
from quantumgate.crypto.random import RandomSource
from quantumgate.wire.limits import ANSWERS_PER_SECOND, DEFAULT_LIMITS, PUZZLE_BITS_MAX, PUZZLE_BITS_MIN, Limits
from quantumgate.wire.messages import PUZZLE_SEED_BYTES, Puzzle

STEPS = (0.5, 0.8, 0.95)
"""Step 1, 2 or 3 of the ladder is where more than this share of the budget is used."""

KNOWN_MOST = 2.0
"""Known peers still wait their turn where so much of the budget is used; beyond, there is no place for anybody."""

CONTROL_SECONDS = 1.0
SERVED_AT_ONCE = 8
"""In one turn of the reactor: eight of the dearest kind take 20 ms."""

KNOWN_EFFORT = PUZZLE_BITS_MAX + 1
DIAL_COST = 2.0
KIND_COST = {1: 1.0, 2: 1.6, 3: 1.3, 4: 2.1}
PRIMARY_COST = {2: 0.3, 3: 0.4}
SECONDARY_COST = {17: 0.4, 18: 2.0}
"""What an answer costs by R's kind of identity, from accept to close, and what the groups add, measured (ADR 0192);
1 = 1 ms of a core."""

PLAIN_COST = 0.7
"""RETRY or REFUSE: no public-key work, but everything else."""

SESSION_COST = 1.1
"""What comes on top where FIN is good: a session begins, and ends one day."""


def answer_cost(kind: int, primary: int, secondary: int) -> float:
    """RESP and the judging of its FIN, with the connection that they come by."""
    return KIND_COST[kind] + PRIMARY_COST.get(primary, 0.0) + SECONDARY_COST.get(secondary, 0.0)


class Turn(Enum):
    """What becomes of an INIT that may be answered by all other rules."""

    GO = "answered"
    WAIT = "queued"
    PUZZLE = "given a puzzle"
    BUSY = "refused: full"
    SILENCE = "met with silence"


class Ladder:
    """See the module. ``full()`` says whether sessions or memory are at their end; ``counts`` is by Turn.

    ``stirred()`` is called when the ladder leaves step 0.
    """

    def __init__(
        self, random: RandomSource, now: float, limits: Limits = DEFAULT_LIMITS, *, budgeted: bool = True
    ) -> None:
        """``budgeted`` False: everybody is answered at once, as long as the node is not full."""
        rate = ANSWERS_PER_SECOND * limits.cpu_share / DEFAULT_LIMITS.cpu_share
        self._random, self._budgeted, self._limits = random, budgeted, limits
        self._general, self._reserve = rate * (1 - limits.cpu_reserve_share), rate * limits.cpu_reserve_share
        self._spent = self._spent_reserve = self._waiting = 0.0
        self._at = now
        self._queue: list[tuple[int, int, TurnNeeded]] = []
        self._sequence = 0
        self._step, self._reached_at = 0, now
        self._bits, self._overflowed, self._controlled_at = PUZZLE_BITS_MIN, False, now
        self._seed, self._seed_until = b"", now
        self.full: Callable[[], bool] = _never
        self.stirred: Callable[[], object] = _never
        self.counts: Counter[Turn] = Counter()

    # -- what is used ----------------------------------------------------------------------------------------------

    def _leak(self, now: float) -> None:
        if now > self._at:
            passed, self._at = now - self._at, now
            self._spent = max(0.0, self._spent - passed * self._general)
            self._spent_reserve = max(0.0, self._spent_reserve - passed * self._reserve)

    def used(self, now: float) -> float:
        """Of the general budget, what was spent and what waits; 1 = a second's worth."""
        self._leak(now)
        return (self._spent + self._waiting) / self._general

    def step(self, now: float) -> int:
        """0 to 3. It is reached at once and left when it was not reached again for ``overload_hold_seconds``."""
        if not self._budgeted:
            return 0
        used = self.used(now)
        reached = sum(used > share for share in STEPS)
        before = self._step
        if reached >= before or now - self._reached_at >= self._limits.overload_hold_seconds:
            self._step, self._reached_at = reached, now
        self._control(used, now)
        if reached and not before:
            self.stirred()
        return self._step

    def dialled(self, now: float) -> None:
        """A dial of our own: it is never held up, but strangers have so much less."""
        self._leak(now)
        self._take(DIAL_COST, reserved=True)

    def proved(self, now: float, *, known: bool) -> None:
        """A session comes of an answer."""
        self._leak(now)
        self._take(SESSION_COST, reserved=known)

    def _take(self, cost: float, *, reserved: bool) -> None:
        """Charged to the reserve where that has room, else to what is for everybody."""
        if reserved and self._spent_reserve + cost <= self._reserve:
            self._spent_reserve += cost
        else:
            self._spent += cost

    # -- the ladder ------------------------------------------------------------------------------------------------

    def judge(
        self, now: float, cost: float, *, known: bool, favoured: Callable[[], bool], effort: int, last: bool
    ) -> Turn:
        """What happens to an INIT. GO is charged for; after WAIT call ``join``.

        ``favoured()``: whether its address did us good before. ``effort``: of the solution it brought, 0 = none.
        ``last``: it had its RETRY. ``cost`` 0 = only a RETRY is wanted.
        """
        turn = self._judge(now, cost, known, favoured, effort, last)
        if turn is Turn.GO:
            self._take(cost, reserved=known)
        self.counts[turn] += 1
        return turn

    def _judge(
        self, now: float, cost: float, known: bool, favoured: Callable[[], bool], effort: int, last: bool
    ) -> Turn:
        if not known and self.full():
            return Turn.SILENCE if last else Turn.BUSY
        if not self._budgeted:
            return Turn.GO
        step, used = self.step(now), self.used(now)
        if known:
            return self._judge_known(cost, used)
        if used <= STEPS[0] and not self._queue and (step < 2 or effort):
            return Turn.GO
        if effort:
            return Turn.WAIT if used <= STEPS[2] or self._beats_somebody(effort) else self._overflow()
        if used > STEPS[2]:
            return Turn.SILENCE
        if step >= 2 and not last:
            return Turn.PUZZLE
        if used > STEPS[1]:
            return Turn.SILENCE
        return Turn.GO if favoured() else Turn.WAIT

    def _judge_known(self, cost: float, used: float) -> Turn:
        if self._spent_reserve + cost <= self._reserve or used <= STEPS[2]:
            return Turn.GO
        return Turn.WAIT if used <= KNOWN_MOST else Turn.SILENCE

    def _overflow(self) -> Turn:
        self._overflowed = True
        return Turn.SILENCE

    def _beats_somebody(self, effort: int) -> bool:
        return bool(self._queue) and -self._queue[-1][0] < effort

    # -- the queue -------------------------------------------------------------------------------------------------

    def join(self, request: TurnNeeded, now: float) -> TurnNeeded | None:
        """To the queue, behind all who made as much effort. Whoever has to leave for it, to be met with silence."""
        displaced = None
        if self.used(now) > STEPS[2] and self._beats_somebody(request.effort):
            displaced = self._queue.pop()[2]
            self._waiting -= displaced.cost
            self._overflowed = True
        self._sequence += 1
        insort(self._queue, (-request.effort, self._sequence, request))
        self._waiting += request.cost
        return displaced

    def leave(self, request: TurnNeeded) -> None:
        """It waits no longer: its connection is over."""
        for at, (_, _, waiting) in enumerate(self._queue):
            if waiting is request:
                del self._queue[at]
                self._waiting -= request.cost
                return

    def serve(self, now: float) -> list[TurnNeeded]:
        """Those whose turn has come, best effort first; they are charged for. At most SERVED_AT_ONCE."""
        self._leak(now)
        served: list[TurnNeeded] = []
        while self._queue and self._spent <= STEPS[0] * self._general and len(served) < SERVED_AT_ONCE:
            request = self._queue.pop(0)[2]
            self._waiting -= request.cost
            self._take(request.cost, reserved=request.effort == KNOWN_EFFORT)
            served.append(request)
        return served

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._queue)

    def next_turn_seconds(self, now: float) -> float:
        """How long until ``serve`` has somebody to give, where somebody waits."""
        self._leak(now)
        return max(0.0, (self._spent - STEPS[0] * self._general) / self._general)

    # -- puzzles ---------------------------------------------------------------------------------------------------

    @property
    def bits(self) -> int:
        """How hard a puzzle is that is given now."""
        return self._bits

    def puzzle(self, now: float) -> Puzzle:
        """The puzzle of the moment."""
        if now >= self._seed_until or not self._seed:
            self._seed = self._random.bytes(PUZZLE_SEED_BYTES)
            self._seed_until = now + self._limits.puzzle_seed_seconds
        return Puzzle(self._seed, self._bits)

    def _control(self, used: float, now: float) -> None:
        """A bit more for each second in which solutions found no room, one less where they had it all."""
        if now - self._controlled_at < CONTROL_SECONDS:
            return
        if self._step < 2:
            self._bits = PUZZLE_BITS_MIN
        elif self._overflowed:
            self._bits = min(self._bits + 1, PUZZLE_BITS_MAX)
        elif used <= STEPS[0]:
            self._bits = max(self._bits - 1, PUZZLE_BITS_MIN)
        self._overflowed, self._controlled_at = False, now


def _never() -> bool:
    return False
