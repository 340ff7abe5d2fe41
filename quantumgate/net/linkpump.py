"""The pump of a relayed session: one link in place of a socket, one core Connection, nothing decided in between.

Has the face of ``protocol.PeerProtocol``, so its owner cannot tell the difference. The link pulls sealed records when
the session around it has room; there is no buffer between them, at any depth. Not for: who may link to whom
(``node/``), sockets. Spec: docs/spec/relays.md, section 4.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from twisted.internet.interfaces import IReactorTime

from quantumgate.core.connection import Connection
from quantumgate.core.events import Closed
from quantumgate.core.relay.link import Link
from quantumgate.net.monotonic import seconds_of
from quantumgate.net.protocol import ConnectionOwner
from quantumgate.wire.codes import LinkCode

TURNED_AWAY = {
    LinkCode.UNREACHABLE: ("unreachable", "could not be reached"),
    LinkCode.POLICY: ("policy", "takes no sessions through relays"),
    LinkCode.LIMIT: ("busy", "has too many handshakes over links under way"),
    LinkCode.RELAY_LIMIT: ("busy", "is behind a relay that carries all that it can"),
}
"""Why a link was closed before there was a session in it: reason for programs, and what people are told of the host."""


class LinkPump:
    """Pumps until either is over; then ``lost`` is called, once."""

    def __init__(
        self,
        connection: Connection,
        owner: ConnectionOwner,
        link: Link,
        reactor: IReactorTime,
        lost: Callable[[], object],
    ) -> None:
        self.connection, self.owner, self.link = connection, owner, link
        self._reactor, self._lost = reactor, lost
        self._seconds = seconds_of(reactor)
        self._timer: Any = None
        self._timer_at = 0.0
        self._look_call: Any = None
        self._busy = self._gone = False
        self._turned_away: tuple[str, str] | None = None

    def start(self) -> None:
        """Both ends of the link stand: say what the connection wants to say first."""
        if self.link.closed:
            self._ended(LinkCode.RESET)
            return
        self.connection.on_output = self.wake
        self.link.on_closed = self._ended
        self.link.feed(self)
        self.link.hear(self._arrived)
        self._look()

    # -- bytes ---------------------------------------------------------------------------------------------------

    def _arrived(self, data: memoryview) -> None:
        """LINK_DATA; the connection takes it at once, so the credit is given back at once. [A30]"""
        self._busy = True
        try:
            self.connection.receive(data, self._seconds())
        finally:
            self._busy = False
        self.link.consumed(len(data))
        self._look()

    def data_to_send(self, now: float) -> memoryview | None:
        """For the link: the next bytes, sealed now."""
        return self.connection.data_to_send(now)

    def taken(self, count: int, now: float) -> None:
        """For the link: so many of them are on their way."""
        connection = self.connection
        connection.taken(count, now)
        if connection.events or connection.finished or connection.timer_moved:
            self._look_later()

    def wake(self) -> None:
        """Something waits to be sent."""
        if not self._gone:
            self.link.wake()

    # -- after anything happened ---------------------------------------------------------------------------------

    def _look_later(self) -> None:
        if self._look_call is None and not self._gone:
            self._look_call = self._reactor.callLater(0, self._look_now)

    def _look_now(self) -> None:
        self._look_call = None
        self._look()

    def _look(self) -> None:
        """Events, output, the end, the timer."""
        if self._busy or self._gone:
            return
        self._give_events()
        connection = self.connection
        if connection.finished:
            self.hang_up()
        elif connection.discarding and connection.session is not None:
            self.abort()  # a dead channel inside a circuit is closed at once: no drain [A30]
        else:
            if not connection.quiet:
                self.link.wake()
            if connection.timer_moved or self._timer is None:
                self._set_timer()

    def _give_events(self) -> None:
        connection, owner = self.connection, self.owner
        while (event := connection.next_event()) is not None:
            if self._turned_away is not None and isinstance(event, Closed):
                reason, text = self._turned_away
                event = replace(event, reason=reason, text=text)
            owner.connection_event(self, event)

    def _set_timer(self) -> None:
        at = self.connection.deadline()
        if self._timer is not None and self._timer_at <= at and self._timer.active():
            return
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
            self._timer = None
        if at != float("inf"):
            self._timer_at = at
            self._timer = self._reactor.callLater(max(0.0, at - self._seconds()), self._time_passed)

    def _time_passed(self) -> None:
        self._timer = None
        self.connection.expire(self._seconds())
        self._look()

    # -- the end -------------------------------------------------------------------------------------------------

    def hang_up(self) -> None:
        """Close the link behind what the connection still has to say."""
        self.link.finish()

    def abort(self) -> None:
        """Close the link at once."""
        self.link.close(LinkCode.RESET)

    def read_slowly(self, bytes_per_second: int) -> None:
        """Whoever only discards over a link costs a window, not a rate: the link's credit bounds it already."""

    def _ended(self, code: int) -> None:
        """The link is over: for the connection that is the end of its transport."""
        if self._gone:
            return
        if not self.connection.finished:
            if self.connection.session is None and code in TURNED_AWAY:
                self._turned_away = TURNED_AWAY[LinkCode(code)]
            self.connection.eof(self._seconds())
        self._give_events()
        self._gone = True
        for call in (self._timer, self._look_call):
            if call is not None and call.active():
                call.cancel()
        self._timer = self._look_call = None
        self.connection.on_output = None
        self._lost()
