"""One request on its way: which exit, which line, what was said early, and what becomes of it when an exit fails.

Not for: the bytes afterwards (``splice.py``), or SOCKS words (``near.py``).
"""

from __future__ import annotations

from typing import Any
from typing import Protocol as Shape
from uuid import UUID

from quantumgate.extender import api

from .destination import Destination
from .exits import Exits, KnownExit
from .nearline import NearLine, PeerLines
from .replies import OF_THE_EXIT, Code
from .wire import Kind

EARLY_BYTES = 65_536
"""What a program may send behind its request before the answer; then it waits."""

EXITS_TRIED = 3


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
        self._tried: set[UUID] = set()
        self._exit: KnownExit | None = None
        self._line: NearLine | None = None
        self._lines: PeerLines | None = None
        self._early: list[bytes] = []
        self.early_bytes = 0
        self._early_end = self._over = self._bound_told = False
        self._why = Code.NO_EXIT
        self._deadline: Any = None

    def start(self) -> None:
        """The first attempt."""
        self._deadline = self._board.host.clock.callLater(self._seconds, self._late)
        self._next()

    # -- what the program does meanwhile -------------------------------------------------------------------------------

    def early(self, data: bytes) -> None:
        """Sent without waiting for the answer: goes out behind the request. The caller stops at EARLY_BYTES."""
        self._early.append(data)
        self.early_bytes += len(data)
        if self._line is not None:
            self._line.data(data)

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
        chosen = self._board.exits.choose(self._key, self._kind, self._tried)
        if chosen is None or len(self._tried) >= EXITS_TRIED:
            self._fail(self._why)
            return
        self._exit, peer = chosen
        self._tried.add(self._exit.uuid)
        self._board.reach(peer, self._key).addCallbacks(self._reached, self._unreached)

    def _reached(self, peer: api.IPeer) -> None:
        if not self._over:
            self._lines = self._board.lines_to(peer)
            self._lines.take(self)

    def _unreached(self, _: Any) -> None:
        if not self._over:
            self._why = Code.NO_EXIT
            self._exit_failed()

    def take_line(self, line: NearLine) -> None:
        """See Taker."""
        self._line = line
        line.ask(self, self._kind, self._body)
        for data in self._early:
            line.data(data)
        if self._early_end:
            line.end()

    def _exit_failed(self) -> None:
        if self._exit is not None:
            self._board.exits.failed(self._exit)
        self._line = None
        self._next()

    # -- what the line tells -------------------------------------------------------------------------------------------

    def answered(self, code: Code, bound: Destination | None) -> None:
        """See Asker."""
        if self._over or self._exit is None:
            return
        if code in OF_THE_EXIT:
            self._why = code
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
        if self.early_bytes or self._bound_told:
            if self._exit is not None:
                self._board.exits.failed(self._exit)
            self._fail(self._why)
        else:
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
            self._board.exits.failed(self._exit)
        self._fail(Code.TIMED_OUT)
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
        if self._lines is not None:
            self._lines.forget(self)
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
