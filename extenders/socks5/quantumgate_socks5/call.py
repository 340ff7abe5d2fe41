"""One request on its way: which exit, which line, what was said early, and what becomes of it when an exit fails.

While an exit is on its way, it waits. Nothing is asked twice that may have had an effect (ADR 0130).

Not for: the bytes afterwards (``splice.py``), or SOCKS words (``near.py``).
"""

from __future__ import annotations

from typing import Any
from typing import Protocol as Shape
from uuid import UUID

from twisted.python.failure import Failure

from quantumgate.extender import api

from .destination import Destination
from .exits import Exits, KnownExit
from .nearline import NearLine, PeerLines
from .paths import is_hopeless
from .replies import OF_THE_EXIT, Code
from .wire import Kind

EARLY_BYTES = 65_536
"""What a program may send behind its request before the answer; then it waits."""

EXITS_TRIED = 3
"""How often a call is asked for, at whichever exits."""


class Client(Shape):
    """Who asked."""

    def granted(self, line: NearLine, bound: Destination, last: bool) -> None:
        """The exit did it. ``last``: the line is the client's now; else (BIND) one more answer follows."""

    def failed(self, code: Code) -> None:
        """It did not, and no other exit will."""


class Switchboard(Shape):
    """What a call needs of the near side."""

    host: Any
    exits: Exits

    def lines_to(self, peer: api.IPeer) -> PeerLines:
        """The lines to an exit."""

    def reach(self, peer: api.IPeer, key: bytes) -> Any:
        """Deferred of the session to it for this key."""


class Call:
    """``key`` tells apart whose calls may share an exit. ``seconds``: the time for all attempts together."""

    def __init__(
        self, board: Switchboard, client: Client, kind: Kind, destination: Destination | None, key: bytes,
        seconds: float,
    ) -> None:
        self._board, self._client, self._kind, self._key, self._seconds = board, client, kind, key, seconds
        self._body = destination.encode() if destination is not None else b""
        self._refused: set[UUID] = set()
        self._unreached: set[UUID] = set()
        self._asked_times = 0
        self._by = self._began = 0.0
        self._exit: KnownExit | None = None
        self._line: NearLine | None = None
        self._lines: PeerLines | None = None
        self._early: list[bytes] = []
        self.early_bytes = 0
        self._early_end = self._early_went = self._over = self._bound_told = False
        self._why = Code.NO_EXIT
        self._deadline: Any = None

    def start(self) -> None:
        """The first attempt."""
        clock = self._board.host.clock
        self._by = clock.seconds() + self._seconds
        self._deadline = clock.callLater(self._seconds, self._late)
        self._next()

    # -- what the program does meanwhile -------------------------------------------------------------------------------

    def early(self, data: bytes) -> None:
        """Sent without waiting for the answer: goes out behind the request. The caller stops at EARLY_BYTES."""
        self._early.append(data)
        self.early_bytes += len(data)
        if self._line is not None:
            self._say_early(self._line, data)

    def early_end(self) -> None:
        """It will send no more."""
        self._early_end = True
        if self._line is not None:
            self._line.end()

    def give_up(self) -> None:
        """The program left."""
        line = self._line
        self._finish()
        if line is not None:
            line.party = None
            line.abort()

    # -- attempts ------------------------------------------------------------------------------------------------------

    def _next(self) -> None:
        exits = self._board.exits
        tried = self._refused | {uuid for uuid in self._unreached if exits.failing(uuid)}
        chosen = exits.choose(self._key, self._kind, tried) if self._asked_times < EXITS_TRIED else None
        if chosen is None:
            self._wait()
            return
        exits.waiting.leave(self)
        self._exit, peer = chosen
        self._began = self._board.host.clock.seconds()
        self._board.reach(peer, self._key).addCallbacks(self._reached, self._unreachable)

    def _wait(self) -> None:
        """For an exit that is on its way; without one, or without room, this is the end."""
        exits = self._board.exits
        self._exit = None
        if self._asked_times >= EXITS_TRIED or not exits.coming(self._kind, self._refused, self._by):
            self._fail(self._why)
        elif exits.waiting.enter(self):
            exits.plan()
        else:
            self._fail(Code.LIMIT)

    def look_again(self) -> None:
        """See Waiter."""
        self._next()

    def _reached(self, peer: api.IPeer) -> None:
        if not self._over:
            self._lines = self._board.lines_to(peer)
            self._lines.take(self)

    def _unreachable(self, failure: Failure) -> None:
        if not self._over and self._exit is not None:
            self._why = Code.NO_EXIT
            (self._refused if is_hopeless(failure) else self._unreached).add(self._exit.uuid)
            self._exit_failed()

    def take_line(self, line: NearLine) -> None:
        """See Taker."""
        self._line = line
        self._asked_times += 1
        line.ask(self, self._kind, self._body)
        for data in self._early:
            self._say_early(line, data)
        if self._early_end:
            line.end()

    def _say_early(self, line: NearLine, data: bytes) -> None:
        self._early_went = self._early_went or line.transport is not None
        line.data(data)

    def _exit_failed(self) -> None:
        if self._exit is not None:
            self._board.exits.failed(self._exit, self._began)
        self._line = None
        self._next()

    # -- what the line tells -------------------------------------------------------------------------------------------

    def answered(self, code: Code, bound: Destination | None) -> None:
        """See Asker."""
        if self._over or self._exit is None:
            return
        if code in OF_THE_EXIT:
            self._why = code
            self._refused.add(self._exit.uuid)
            self._exit_failed()
            return
        self._board.exits.worked(self._exit)
        line = self._line
        if code is not Code.GRANTED or line is None or bound is None:
            self._line = None
            self._fail(code)
            return
        last = self._kind is not Kind.BIND or self._bound_told
        self._bound_told = True
        if last:
            self._finish()
        self._client.granted(line, bound, last)

    def line_lost(self) -> None:
        """The exit left or refused the line. Early data, which it may have passed on, is not sent a second time."""
        if self._over:
            return
        self._why = Code.EXIT_LOST
        if self._early_went or self._bound_told:
            if self._exit is not None:
                self._board.exits.failed(self._exit, self._began)
            self._fail(self._why)
            return
        peer = self._lines.peer if self._lines is not None else None
        if peer in self._board.host.peers() and self._exit is not None:
            self._refused.add(self._exit.uuid)  # it is there, and does not want this
        elif peer is not None:
            self._board.exits.left(peer)  # before it is chosen again: streams hear of an end first
        self._exit_failed()

    def line_data(self, data: bytes) -> None:
        """Never: the line takes none before the last answer."""

    def line_ended(self) -> None:
        """Never, as above."""

    def line_datagram(self, body: bytes) -> None:
        """Never, as above."""

    # -- the end -------------------------------------------------------------------------------------------------------

    def _late(self) -> None:
        line = self._line
        if self._exit is not None and line is not None and not self._bound_told:
            self._board.exits.failed(self._exit, self._began)
        self._fail(Code.TIMED_OUT if self._exit is not None else self._why)
        if line is not None:
            line.party = None
            line.abort()

    def _fail(self, code: Code) -> None:
        if not self._over:
            self._finish()
            self._client.failed(code)

    def _finish(self) -> None:
        self._over = True
        self._line = None
        self._board.exits.waiting.leave(self)
        if self._lines is not None:
            self._lines.forget(self)
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
