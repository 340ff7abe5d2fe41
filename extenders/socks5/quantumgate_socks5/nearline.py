"""The near end of a line, and the lines to all exits: calls take an idle one, open one, or wait for one.

Not for: choosing the exit (``exits.py``). Spec: docs/WIRE.md.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any
from typing import Protocol as Shape

from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from quantumgate.extender import api

from .destination import Destination
from .line import Line, Party
from .replies import Code
from .wire import FROM_FAR, LABEL, Kind, MalformedLine, parse_answer

KEPT_BYTES = 524_288
"""A line that moved more than this is not kept for the next call: the large windows that it may have earned by that are
few, and a stream gives them back at its end alone (ADR 0121)."""


class Asker(Party, Shape):
    """A party that waits for an answer."""

    def answered(self, code: Code, bound: Destination | None) -> None:
        """GRANTED with an address (twice for BIND), or a failure after which the line is free again."""


class NearLine(Line):
    """One line to an exit. ``asker`` is told of answers until the last one has come."""

    kinds = FROM_FAR

    def __init__(self, lines: PeerLines) -> None:
        super().__init__()
        self._lines = lines
        self._kind = Kind.CONNECT
        self._answers_due = 0
        self._asker: Asker | None = None
        self.idle_since = 0.0

    @property
    def superseded(self) -> bool:
        """Whether its circuit has a successor: the next call goes over a line of that one."""
        return bool(getattr(self.transport, "superseded", False))

    def ask(self, asker: Asker, kind: Kind, body: bytes) -> None:
        """Begins a call on an idle line."""
        self.party = self._asker = asker
        self._kind, self._answers_due = kind, 2 if kind is Kind.BIND else 1
        self.said_end = self.heard_end = False
        self.say(kind, body)

    def frame_received(self, kind: Kind, body: bytes) -> None:
        """What the exit says, in the order of docs/WIRE.md."""
        if self.heard_end:
            raise MalformedLine(f"{kind.name} outside of a call")
        if kind is Kind.ANSWER:
            self._answer(body)
        elif self._answers_due:
            raise MalformedLine(f"{kind.name} before the answer")
        elif kind is Kind.END:
            self._ended()
        elif (kind is Kind.DATAGRAM) != (self._kind is Kind.ASSOCIATE):
            raise MalformedLine(f"{kind.name} in a call of kind {self._kind.name}")
        elif self.party is not None:
            if kind is Kind.DATA:
                self.party.line_data(body)
            else:
                self.party.line_datagram(body)

    def _answer(self, body: bytes) -> None:
        code, bound = parse_answer(body)
        asker = self._asker
        if asker is None:
            raise MalformedLine("an answer that nobody waits for")
        self._answers_due -= 1
        if code is Code.GRANTED:
            if not self._answers_due:
                self._asker = None
            asker.answered(code, bound)
            return
        self._answers_due, self._asker, self.party = 0, None, None
        self.heard_end = True  # a failure is also the exit's end
        asker.answered(code, None)
        if self.said_end:
            self.settle()
        else:
            self.end()

    def _ended(self) -> None:
        self.heard_end = True
        party = self.party
        if party is not None:
            party.line_ended()
        self.settle()

    def offended(self, offence: str) -> None:
        """Told to the node: the peer's reputation pays."""
        self._lines.offended(offence)

    def became_idle(self) -> None:
        """The next call may take it."""
        self._asker = None
        self._lines.freed(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The place becomes free, the call on it is told."""
        self._lines.gone(self)
        super().connectionLost(reason)


class Taker(Shape):
    """A call that needs a line."""

    def take_line(self, line: NearLine) -> None:
        """This one."""

    def line_lost(self) -> None:
        """None will come."""


class PeerLines:
    """All lines to one exit."""

    def __init__(self, host: Any, peer: api.IPeer, limits: LineLimits, emptied: Callable[[], None]) -> None:
        """``emptied`` is called when the last line has closed."""
        self._host, self.peer, self._limits, self._emptied = host, peer, limits, emptied
        self._clock: IReactorTime = host.clock
        self._all: set[NearLine] = set()
        self._idle: list[NearLine] = []
        self._waiting: deque[Taker] = deque()
        self._sweep: Any = None
        self._retires = False
        self.opened = 0

    def __len__(self) -> int:
        return len(self._all)

    @property
    def idle_count(self) -> int:
        """Lines without a call."""
        return len(self._idle)

    @property
    def waiting_count(self) -> int:
        """Calls without a line."""
        return len(self._waiting)

    @property
    def in_use(self) -> bool:
        """Whether lines are open, or a call waits for one."""
        return bool(self._waiting or self._all)

    def take(self, taker: Taker) -> None:
        """Gives it a line: at once, or as soon as one is free."""
        while self._idle and self._idle[-1].superseded:
            self._close(self._idle.pop())
        if self._idle:
            taker.take_line(self._idle.pop())
        elif len(self._all) < self._limits.lines:
            taker.take_line(self._open())
        else:
            self._waiting.append(taker)

    def forget(self, taker: Taker) -> None:
        """It does not wait any more."""
        if taker in self._waiting:
            self._waiting.remove(taker)

    def retire(self) -> None:
        """No more calls will come: the session is closed when those that are there are over."""
        self._retires = True
        self._clock.callLater(0, self._leave_if_unused)  # who waited for this session may take a line in this turn

    def _leave_if_unused(self) -> None:
        if self._retires and not self._waiting and len(self._idle) == len(self._all):
            self._retires = False
            self._host.disconnect(self.peer).addErrback(lambda _: None)

    def _open(self) -> NearLine:
        line = NearLine(self)
        self._all.add(line)
        self.opened += 1
        # a refusal comes as connectionLost, too; what was never opened has no transport and says nothing
        self._host.open_stream(self.peer, line, LABEL).addErrback(lambda _: None if line.over else self._failed(line))
        return line

    def _failed(self, line: NearLine) -> None:
        if line.transport is None:
            self._clock.callLater(0, line.connectionLost, connectionDone)

    def freed(self, line: NearLine) -> None:
        """It is idle: whoever waits takes it, or it is kept for a while."""
        line.idle_since = self._clock.seconds()
        if line.superseded:
            self._close(line)
        elif self._waiting:
            self._waiting.popleft().take_line(line)
        elif len(self._idle) >= self._limits.idle or line.moved_bytes > KEPT_BYTES:
            self._close(line)
        else:
            self._idle.append(line)
            if self._sweep is None:
                self._sweep = self._clock.callLater(self._limits.idle_seconds, self._close_stale)
        self._leave_if_unused()

    def gone(self, line: NearLine) -> None:
        """Its place is free."""
        self._all.discard(line)
        if line in self._idle:
            self._idle.remove(line)
        if self._waiting and len(self._all) < self._limits.lines:
            self._clock.callLater(0, self._serve)
        self._leave_if_unused()
        if not self.in_use:
            self._emptied()

    def _serve(self) -> None:
        if self._waiting and (self._idle or len(self._all) < self._limits.lines):
            self.take(self._waiting.popleft())

    def _close_stale(self) -> None:
        self._sweep = None
        oldest = self._clock.seconds() - self._limits.idle_seconds
        for line in [line for line in self._idle if line.idle_since <= oldest]:
            self._idle.remove(line)
            self._close(line)
        if self._idle:
            self._sweep = self._clock.callLater(self._limits.idle_seconds, self._close_stale)

    def _close(self, line: NearLine) -> None:
        line.over = True
        line.transport.loseConnection()

    def offended(self, offence: str) -> None:
        """The exit broke the format."""
        self._host.report(self.peer, offence)

    def closed(self) -> None:
        """The peer left: whoever still waits never gets a line here."""
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        waiting, self._waiting = self._waiting, deque()
        for taker in waiting:
            taker.line_lost()


class LineLimits:
    """``lines`` open at once to one exit, ``idle`` of them kept without a call, for ``idle_seconds``."""

    def __init__(self, lines: int, idle: int, idle_seconds: float) -> None:
        self.lines, self.idle, self.idle_seconds = lines, idle, idle_seconds
