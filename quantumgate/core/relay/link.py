"""One link's life at one of its ends or at a relay: bytes in order, credit, and an end. Spec: docs/spec/relays.md, 3.

What a link sends it pulls from its ``source`` only when a record has room, so at every depth records are sealed as
late as on a socket, and in the very bytes of the record around them. What it receives goes at once to whoever listens
(``hear``). Not for: who may open one (``quota.py``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from quantumgate.core.credit import GROW_WITHIN_SECONDS
from quantumgate.errors import BugError, ViolationError
from quantumgate.wire import frames, link_frames
from quantumgate.wire.codes import LinkCode
from quantumgate.wire.limits import (
    CELL_WIRE_BYTES,
    CIRCUIT_HOPS_MAX,
    FIRST_RECORD_BYTES,
    FRAME_HEADER_BYTES,
    LINK_LAYER_BYTES,
    RECORD_OVERHEAD_BYTES,
)

if TYPE_CHECKING:
    from quantumgate.core.relay.links import Links

SPLIT_FROM_BYTES = CELL_WIRE_BYTES[1]
"""A shorter piece of a source is sent whole or not yet: cells inside cells stay aligned."""

MERGED_BYTES = CELL_WIRE_BYTES[0] - (CIRCUIT_HOPS_MAX + 1) * LINK_LAYER_BYTES
"""Smaller than every cell: a relay keeps pieces up to here together, or each would cost more than it holds."""


class LinkSource(Protocol):
    """What a link sends, as ``core.connection.Connection`` has it and ``Pipe`` below.

    ``put`` writes the next piece whole into ``view``, and it counts as taken; 0 = there is none, or it may not fit.
    Then ``data_to_send`` says what there is, and ``taken`` how much of it went. ``quiet``: surely nothing.
    """

    @property
    def quiet(self) -> bool: ...
    def put(self, view: memoryview, now: float) -> int: ...
    def data_to_send(self, now: float) -> memoryview | None: ...
    def taken(self, count: int, now: float) -> None: ...


def _ignore(*_: object) -> None:
    return None


class Link:
    """``ours`` = its id was chosen by this side. Byte counts are data of LINK_DATA, as credit counts it.

    Hooks, set by the owner: ``on_answer(code, terms)`` once, for a link that we asked for; ``on_closed(code)`` once,
    whoever ended it; and by ``hear`` one that gets each piece of data. They must not raise.
    """

    __slots__ = (
        "_answered",
        "_early",
        "_ending",
        "_grown",
        "_lent",
        "_links",
        "_on_data",
        "_pooled",
        "_renewed_at",
        "_source",
        "active",
        "closed",
        "consumed_bytes",
        "id",
        "moved_at",
        "on_answer",
        "on_closed",
        "ours",
        "queued_bytes",
        "receive_limit",
        "received_bytes",
        "send_limit",
        "sent_bytes",
        "starved",
        "window_bytes",
    )

    may_speak = True
    priority = 2
    window_kind = link_frames.LINK_WINDOW

    def __init__(self, links: Links, link_id: int, *, ours: bool, answered: bool) -> None:
        self._links = links
        self.id, self.ours = link_id, ours
        self._answered = answered
        self._source: LinkSource | None = None
        self._ending: int | None = None
        self.active = self.closed = self.starved = False
        self.queued_bytes = self.sent_bytes = self.received_bytes = self.consumed_bytes = 0
        self.window_bytes = self.send_limit = self.receive_limit = links.session.limits.link_window_bytes
        self._grown = self._lent = False
        self._pooled = False
        self.moved_at = self._renewed_at = links.session.now
        self.on_answer: Callable[[int, link_frames.RelayTerms | None], None] = _ignore
        self._on_data: Callable[[memoryview], None] | None = None
        self._early = bytearray()
        self.on_closed: Callable[[int], None] = _ignore

    # -- the relay's answer --------------------------------------------------------------------------------------

    def answer(self, code: int, terms: link_frames.RelayTerms | None = None) -> None:
        """Say what became of a link that the peer asked for; with anything but CONNECTED it is over."""
        if self.closed:
            return
        if self._answered:
            raise BugError("a link is answered once, by the side that was asked")
        self._answered = True
        self._links.say(link_frames.LINK_STATUS, self, link_frames.encode_status(code, terms))
        if code != LinkCode.CONNECTED:
            self.end(code)

    def answered(self, code: int, terms: link_frames.RelayTerms | None) -> None:
        """LINK_STATUS came. Raises ViolationError where nothing was asked."""
        if self._answered or not self.ours:
            raise ViolationError("LINK_STATUS for a link that waits for none")
        self._answered = True
        self.on_answer(code, terms)
        if code != LinkCode.CONNECTED:
            self.end(code)
        else:
            self.wake()

    @property
    def connected(self) -> bool:
        """Whether bytes may flow."""
        return self._answered and not self.closed

    # -- sending -------------------------------------------------------------------------------------------------

    def feed(self, source: LinkSource, *, pooled: bool = False) -> None:
        """Where bytes to send come from. ``pooled``: what arrives is held here, so a larger window is a loan."""
        self._source, self._pooled = source, pooled
        self.wake()

    def wake(self) -> None:
        """The source has something, or there is credit again."""
        if not self.active and self.connected and (self._source is not None or self._ending is not None):
            self._links.session.outgoing.activate(self)

    def take(self, view: memoryview, quantum: int) -> int:
        """Frames for the record that is being filled, written into ``view``, the room that it has left.

        At most ``quantum`` bytes, unless one piece is larger; returns how many. ``starved`` says afterwards whether
        asking again is useless before ``wake``.
        """
        now, left = self._links.session.now, len(view)
        source, used = self._source, 0
        self.starved = False
        while source is not None and used < quantum and left - used > MERGED_BYTES:
            start = used + FRAME_HEADER_BYTES
            credit = self.send_limit - self.sent_bytes
            size = source.put(view[start : start + credit] if credit < left - start else view[start:], now)
            if not size:
                self.starved = source.quiet
                if not used and not self.starved:
                    used = self._take_piece(source, view, now)
                break
            frames.HEAD.pack_into(view, used, link_frames.LINK_DATA << 24 | self.id, size)
            self.sent_bytes += size
            used = start + size
            if self.closed:
                return used
        if used:
            self.moved_at = now
        return used + self._take_close(view[used:]) if self._ending is not None else used

    def _take_piece(self, source: LinkSource, view: memoryview, now: float) -> int:
        """One frame of what lies ready; ``starved`` where there is nothing, or no credit for it."""
        chunk = source.data_to_send(now)
        if chunk is None:
            self.starved = True
            return 0
        whole, credit = self._whole_bytes(), self.send_limit - self.sent_bytes
        size = _piece(len(chunk), len(view) - FRAME_HEADER_BYTES, credit, whole)
        if size <= 0:
            self.starved = _piece(len(chunk), len(chunk), credit, whole) <= 0
            return 0
        frames.HEAD.pack_into(view, 0, link_frames.LINK_DATA << 24 | self.id, size)
        view[FRAME_HEADER_BYTES : FRAME_HEADER_BYTES + size] = chunk[:size]
        self.sent_bytes += size
        source.taken(size, now)
        return size + FRAME_HEADER_BYTES

    def _whole_bytes(self) -> int:
        """The longest piece that a record has room for: one that is longer is split, or it would wait for ever."""
        cells = self._links.session.cells
        body = cells[1] if cells else FIRST_RECORD_BYTES - RECORD_OVERHEAD_BYTES
        return min(SPLIT_FROM_BYTES, body - FRAME_HEADER_BYTES)

    def _take_close(self, view: memoryview) -> int:
        """LINK_CLOSE goes behind the last of the data."""
        source, code = self._source, self._ending
        if code is None or (source is not None and source.data_to_send(self._links.session.now) is not None):
            return 0
        if len(view) <= FRAME_HEADER_BYTES:
            self.starved = False
            return 0
        frames.HEAD.pack_into(view, 0, link_frames.LINK_CLOSE << 24 | self.id, 1)
        view[FRAME_HEADER_BYTES] = code
        self.end(code)
        return FRAME_HEADER_BYTES + 1

    def window(self, limit: int) -> None:
        """LINK_WINDOW came; a lower one is ignored."""
        if limit > self.send_limit:
            self.send_limit = limit
            self.wake()

    # -- receiving -----------------------------------------------------------------------------------------------

    def receive(self, data: memoryview) -> None:
        """LINK_DATA came. Raises ViolationError."""
        if not self._answered:
            raise ViolationError("LINK_DATA before LINK_STATUS")
        received = self.received_bytes + len(data)
        if received > self.receive_limit or not data:
            raise ViolationError(f"link overrun: {received} bytes of {self.receive_limit}")
        self.received_bytes = received
        self.moved_at = self._links.session.now
        if self._on_data is None:
            self._early += data  # at most a window: nothing was consumed yet
        else:
            self._on_data(data)

    def hear(self, on_data: Callable[[memoryview], None]) -> None:
        """Who gets the data, as a view that is valid during the call: at once what came before anybody listened."""
        self._on_data = on_data
        if self._early:
            early, self._early = self._early, bytearray()
            on_data(memoryview(early))

    def consumed(self, size: int, *, late: bool = False) -> None:
        """``size`` bytes went on: an end's Connection took them, or the next hop's record did. Credit for as many.

        ``late`` where it was held back on purpose: no reason for a larger window.
        """
        self.consumed_bytes += size
        if not self.closed and self.receive_limit - self.consumed_bytes <= self.window_bytes >> 1:
            self._renew(late)

    def _renew(self, late: bool) -> None:
        session = self._links.session
        if not self._grown and not late:
            quick = max(GROW_WITHIN_SECONDS, 2 * (session.rtt_seconds or 0))
            most = session.limits.link_window_max_bytes
            if session.now - self._renewed_at <= quick and (not self._pooled or self._links.pool.grow(most)):
                self._grown, self._lent, self.window_bytes = True, self._pooled, most
            self._renewed_at = session.now
        self.receive_limit = self.consumed_bytes + self.window_bytes
        session.outgoing.window_due(self)

    # -- the end -------------------------------------------------------------------------------------------------

    def finish(self, code: int = LinkCode.FINISHED) -> None:
        """End it after what the source still has."""
        if self.closed or self._ending is not None:
            return
        if not self._answered:
            self.close(code)
            return
        self._ending = code
        self.wake()

    def close(self, code: int = LinkCode.RESET) -> None:
        """End it now; what is on the way is dropped."""
        if not self.closed:
            self._links.say(link_frames.LINK_CLOSE, self, bytes((code,)))
            self.end(code)

    def end(self, code: int) -> None:
        """Forget it and tell its owner, once. Loans go back."""
        if self.closed:
            return
        self.closed = True
        self._source = None
        session = self._links.session
        session.outgoing.forget(self)
        if self._lent:
            self._links.pool.shrink(session.limits.link_window_max_bytes)
        self._links.ended(self)
        told, self.on_closed, self.on_answer, self._on_data = self.on_closed, _ignore, _ignore, None
        told(code)


def _piece(size: int, room: int, credit: int, whole: int) -> int:
    """How much of a piece of ``size`` bytes goes now; 0 = it waits for a record of its own, or for credit."""
    most = min(room, credit)
    if size <= most:
        return size
    return 0 if size <= whole or most < SPLIT_FROM_BYTES // 2 else most


GiveBack = Callable[[Link, int], None]


class Pipe:
    """One direction of a splice at a relay: what arrives on ``from_link`` waits here until ``to_link`` has room.

    Holds at most the window that ``from_link`` gave. Credit returns when the next hop's record took the bytes [A30],
    through ``give_back`` where the relay goes no faster than it is told.
    """

    __slots__ = ("_from", "_give_back", "_queue", "_sent", "_to", "moved_bytes")

    def __init__(self, from_link: Link, to_link: Link, give_back: GiveBack | None = None) -> None:
        self._from, self._to, self._give_back = from_link, to_link, give_back
        self._queue: deque[bytes] = deque()
        self._sent = 0
        self.moved_bytes = 0
        to_link.feed(self, pooled=True)
        from_link.hear(self._arrived)

    def _arrived(self, data: memoryview) -> None:
        queue = self._queue
        if queue and len(queue[-1]) + len(data) <= MERGED_BYTES:
            queue[-1] += data
        else:
            queue.append(bytes(data))
        if not self._to.active:
            self._to.wake()

    @property
    def quiet(self) -> bool:
        """Whether nothing waits here."""
        return not self._queue

    def put(self, view: memoryview, now: float) -> int:
        """See LinkSource."""
        queue = self._queue
        if not queue or self._sent:
            return 0
        size = len(queue[0])
        if size > len(view):
            return 0
        view[:size] = queue[0]
        self.taken(size, now)
        return size

    def data_to_send(self, now: float) -> memoryview | None:
        """See LinkSource."""
        return memoryview(self._queue[0])[self._sent :] if self._queue else None

    def taken(self, count: int, now: float) -> None:
        """See LinkSource."""
        self._sent += count
        self.moved_bytes += count
        if self._sent == len(self._queue[0]):
            self._queue.popleft()
            self._sent = 0
        if self._give_back is None:
            self._from.consumed(count)
        else:
            self._give_back(self._from, count)


def splice(one: Link, other: Link, give_back: GiveBack | None = None) -> tuple[Pipe, Pipe]:
    """Join two links at a relay, both ways; when one ends, what waits goes on, then the other ends with its code."""
    pipes = Pipe(one, other, give_back), Pipe(other, one, give_back)
    one.on_closed = other.finish
    other.on_closed = one.finish
    return pipes
