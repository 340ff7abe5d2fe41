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
from quantumgate.core.events import Closed, Event
from quantumgate.core.relay.link import Link
from quantumgate.net.pump import ConnectionOwner, Pump
from quantumgate.wire.codes import LinkCode

TURNED_AWAY = {
    LinkCode.UNREACHABLE: ("unreachable", "could not be reached"),
    LinkCode.POLICY: ("policy", "takes no sessions through relays"),
    LinkCode.LIMIT: ("busy", "has too many handshakes over links under way"),
    LinkCode.RELAY_LIMIT: ("busy", "is behind a relay that carries all that it can"),
}
"""Why a link was closed before there was a session in it: reason for programs, and what people are told of the host."""


class LinkPump(Pump):
    """Pumps until either is over; then ``lost`` is called, once."""

    def __init__(
        self,
        connection: Connection,
        owner: ConnectionOwner,
        link: Link,
        reactor: IReactorTime,
        lost: Callable[[], object],
    ) -> None:
        super().__init__(connection, owner, reactor)
        self.link, self._lost = link, lost
        self._look_call: Any = None
        self._busy = self._gone = False

    def start(self) -> None:
        """Both ends of the link stand: say what the connection wants to say first."""
        if self.link.closed:
            self._ended(LinkCode.RESET)
            return
        self.connection.on_output = self.wake
        self.link.on_closed = self._ended
        self.link.feed(self)
        self.link.hear(self._arrived)
        self._pump()

    # -- bytes ---------------------------------------------------------------------------------------------------

    def _arrived(self, data: memoryview) -> None:
        """LINK_DATA; the connection takes it at once, so the credit is given back at once. [A30]"""
        self._busy = True
        try:
            self.connection.receive_in_place(data, self._seconds())
        finally:
            self._busy = False
        self.link.consumed(len(data))
        if self.connection.eventful or self._timer is None:
            self._pump()

    @property
    def quiet(self) -> bool:
        """For the link: whether there is surely nothing to send."""
        return self.connection.quiet

    def put(self, view: memoryview, now: float) -> int:
        """For the link: the next record, sealed into the one around it. See LinkSource."""
        size = self.connection.seal_into(view, now)
        if size and self.connection.eventful:
            self._look_later()
        return size

    def data_to_send(self, now: float) -> memoryview | None:
        """For the link: the next bytes, sealed now."""
        return self.connection.data_to_send(now)

    def taken(self, count: int, now: float) -> None:
        """For the link: so many of them are on their way."""
        self.connection.taken(count, now)
        if self.connection.eventful:
            self._look_later()

    def wake(self) -> None:
        """Something waits to be sent."""
        if not self._gone:
            self.link.wake()

    # -- after anything happened ---------------------------------------------------------------------------------

    def _look_later(self) -> None:
        """Sending brought something about: not inside of it, for another session's record is being filled."""
        if self._look_call is None and not self._gone:
            self._look_call = self._reactor.callLater(0, self._look_now)

    def _look_now(self) -> None:
        self._look_call = None
        self._pump()

    def _pump(self) -> None:
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
                self.owner = _ToldWhy(self.owner, *TURNED_AWAY[LinkCode(code)])
            self.connection.eof(self._seconds())
        self._give_events()
        self._gone = True
        self._forget_timer()
        if self._look_call is not None:
            self._look_call.cancel()
            self._look_call = None
        self.connection.let_go()
        self._lost()


class _ToldWhy:
    """Between a pump and its owner: the connection ends for the reason that came with the link's end."""

    def __init__(self, owner: ConnectionOwner, reason: str, text: str) -> None:
        self._owner, self._reason, self._text = owner, reason, text

    def connection_event(self, protocol: Pump, event: Event) -> None:
        if isinstance(event, Closed):
            event = replace(event, reason=self._reason, text=self._text)
        self._owner.connection_event(protocol, event)
