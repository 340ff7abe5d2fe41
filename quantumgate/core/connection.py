"""The one door of the core: bytes, time and answers go in; bytes, events and a deadline come out.

``buffer()`` and ``received(n, now)`` let a socket read straight into the record that will be opened in place;
``data_to_send(now)`` seals as late as possible, ``taken(n, now)`` tells how much of it the transport took. After any
error the connection is finished and says so once, with a ``Closed`` event. Not for: timers, sockets, or who may
connect.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from quantumgate.core.buffers import BufferPool
from quantumgate.core.events import PATH_LOST, Closed, Event, RequestMade, SecurityNotice
from quantumgate.core.handshake.initiator import Initiator
from quantumgate.core.handshake.outcome import Established, Failed
from quantumgate.core.handshake.responder import Responder
from quantumgate.core.padding import WIRE_CELLS
from quantumgate.core.release import release
from quantumgate.core.session import Session
from quantumgate.core.session_settings import SessionSettings
from quantumgate.core.state import SessionPhase
from quantumgate.crypto.random import RandomSource
from quantumgate.errors import RemoteProtocolError
from quantumgate.wire.codes import CloseCode
from quantumgate.wire.limits import CELL_WIRE_BYTES, RECORD_HEADER_BYTES, RECORD_OVERHEAD_BYTES, TAG_BYTES
from quantumgate.wire.session_tlvs import SessionBlock

READ_BYTES = 64 * 1024
"""The least room that ``buffer`` offers."""

SEALED_AHEAD_BYTES = 128 * 1024
"""Of cells that are sealed in one go; a larger record waits alone. [A23]"""

SHARED_BUFFERS = BufferPool()


class Connection:
    """See the module. ``block`` is the SESSION block of this side; an initiator's handshake was given its encoding."""

    __slots__ = (
        "_block",
        "_body_bytes",
        "_buffers",
        "_dead_until",
        "_deadline_told",
        "_filled",
        "_handshake",
        "_hanging_up",
        "_out",
        "_out_end",
        "_out_start",
        "_random",
        "_read",
        "_settings",
        "_stalled_since",
        "_storage",
        "_timer_moved",
        "_view",
        "events",
        "finished",
        "on_output",
        "session",
    )

    def __init__(
        self,
        handshake: Initiator | Responder,
        settings: SessionSettings,
        block: SessionBlock,
        random: RandomSource,
        now: float,
        buffers: BufferPool = SHARED_BUFFERS,
    ) -> None:
        self._handshake: Initiator | Responder | None = handshake
        self._settings, self._block, self._random, self._buffers = settings, block, random, buffers
        self.session: Session | None = None
        self.finished = False
        self.on_output: Any = None
        self.events: deque[Event] = deque()
        """What happened, oldest first; ``next_event`` takes from it."""
        self._dead_until: float | None = None
        self._stalled_since: float | None = None
        self._hanging_up = False
        self._timer_moved, self._deadline_told = True, float("inf")
        self._storage: bytearray | None = None
        self._view = memoryview(b"")
        self._read = self._filled = 0
        self._body_bytes: int | None = None
        self._out: memoryview | bytearray | None = None
        self._out_start = self._out_end = 0
        self._watch_handshake(now)

    # -- bytes in ------------------------------------------------------------------------------------------------

    def buffer(self) -> memoryview:
        """Where the next bytes are to be written; then call ``received``. Valid until then."""
        if self._storage is None:
            self._storage = self._buffers.borrow()
            self._view = memoryview(self._storage)
        elif len(self._storage) - self._filled < READ_BYTES or self._needed() > len(self._storage) - self._read:
            self._move_to_front()
        return self._view[self._filled :]

    def _needed(self) -> int:
        """Bytes of the record under way, as far as they are known."""
        return RECORD_OVERHEAD_BYTES + self._body_bytes if self._body_bytes is not None else RECORD_HEADER_BYTES

    def _move_to_front(self) -> None:
        """A record that began near the end of the buffer: what there is of it is copied, once."""
        if self._storage is None:
            return
        rest = bytes(self._view[self._read : self._filled])
        needed = max(self._needed(), len(rest) + READ_BYTES)
        if needed > len(self._storage):
            self._release_storage()
            self._storage = self._buffers.borrow(needed)
            self._view = memoryview(self._storage)
        self._view[: len(rest)] = rest
        self._read, self._filled = 0, len(rest)

    def _release_storage(self) -> None:
        if self._storage is not None:
            self._buffers.give_back(self._storage)
            self._storage = None
            self._view = memoryview(b"")
        self._read = self._filled = 0

    def received(self, count: int, now: float) -> None:
        """``count`` bytes were written into ``buffer()``."""
        self._filled += count
        if self._dead_until is not None or self.finished:
            self._read = self._filled
        elif self.session is not None:
            self._open_records(self.session, now)
        elif self._handshake is not None:
            data = bytes(self._view[self._read : self._filled])
            self._release_storage()
            self._handshake.receive(data, now)
            self._watch_handshake(now)
        else:
            self._read = self._filled
        if self._read == self._filled:
            self._release_storage()
        elif self._buffers.crowded:
            self._keep_the_rest_small()

    def _keep_the_rest_small(self) -> None:
        """Many wait for the rest of a record: each keeps what it has, not a whole buffer."""
        rest = bytearray(self._view[self._read : self._filled])
        self._release_storage()
        self._storage, self._view, self._filled = rest, memoryview(rest), len(rest)

    def receive(self, data: bytes | bytearray | memoryview, now: float) -> None:
        """The same for bytes that are somewhere else already; they are copied in, in pieces that fit."""
        view = memoryview(data)
        while view and not self.finished:
            room = self.buffer()
            count = min(len(room), len(view))
            room[:count] = view[:count]
            self.received(count, now)
            view = view[count:]

    def receive_in_place(self, data: memoryview, now: float) -> None:
        """The same for bytes that nobody needs any more: whole records are opened where they are."""
        if self.session is None or self._storage is not None or self._dead_until is not None or data.readonly:
            self.receive(data, now)
            return
        self._view, self._read, self._filled = data, 0, len(data)
        self._open_records(self.session, now)
        rest = self._view[self._read : self._filled]
        self._view, self._read, self._filled = memoryview(b""), 0, 0
        if rest:
            self.receive(rest, now)

    def _open_records(self, session: Session, now: float) -> None:
        try:
            while self._filled - self._read >= RECORD_HEADER_BYTES:
                if session.over:
                    break  # nothing that follows CLOSE or the loss of the path is even opened
                start = self._read + RECORD_HEADER_BYTES
                header = self._view[self._read : start]
                if self._body_bytes is None:
                    self._body_bytes = session.header(header)
                end = start + self._body_bytes + TAG_BYTES
                if end > self._filled:
                    return
                self._read, self._body_bytes = end, None
                session.body(header, self._view[start:end], now)
        except RemoteProtocolError as error:
            if session.fail(error, now):
                self._die(now)
            else:
                self._open_records(session, now)
        if session.over:
            self._read = self._filled

    def _die(self, now: float) -> None:
        """Dead channel: nothing more is sent, what comes is discarded until a drawn moment. Spec: session.md, 5."""
        self._dead_until = now + self._random.uniform(*self._settings.limits.dead_seconds)
        self._timer_moved = True
        self._drop_output()

    def _drop_output(self) -> None:
        if isinstance(self._out, bytearray):
            self._buffers.give_back(self._out)
        self._out = None

    @property
    def discarding(self) -> bool:
        """Whether what comes in is only read to be thrown away: no reason to read it fast."""
        return self._dead_until is not None

    @property
    def brought_token(self) -> bool:
        """Whether a handshake is under way whose dialler brought a token of ours."""
        return self._handshake is not None and self._handshake.token_holder is not None

    @property
    def buffered_bytes(self) -> int:
        """Of the buffers with a record that is under way, in and out."""
        return (0 if self._storage is None else len(self._storage)) + (0 if self._out is None else len(self._out))

    def give_way(self, now: float) -> None:
        """Whoever dials us has its handshake under way for long, and others need its place: silence from now on."""
        if isinstance(self._handshake, Responder):
            self._handshake.give_way(now)
            self._watch_handshake(now)

    def eof(self, now: float) -> None:
        """The peer's end of the transport is closed."""
        if self._handshake is not None:
            self._handshake.eof(now)
            self._watch_handshake(now)
        elif self.session is not None:
            self.session.lost("the connection was cut without CLOSE")
        self._finish()

    def _finish(self) -> None:
        self.finished = True
        self._release_storage()
        self._drop_output()

    def let_go(self) -> None:
        """The transport is gone and the last event was taken: nothing here refers back to whoever drove it."""
        self.on_output = None
        if self.session is not None:
            release(self.session)

    # -- the handshake -------------------------------------------------------------------------------------------

    def _watch_handshake(self, now: float) -> None:
        handshake = self._handshake
        if handshake is None:
            return
        while handshake.requests:
            self.events.append(RequestMade(handshake.requests.pop(0)))
        outcome = handshake.outcome
        if isinstance(outcome, Established):
            self._begin_session(outcome, now)
        elif isinstance(outcome, Failed):
            self._handshake_failed(outcome)
        self._wake()

    def _begin_session(self, established: Established, now: float) -> None:
        handshake, self._handshake = self._handshake, None
        if handshake is not None:
            self._queue_handshake_output(handshake.output())
        session = self.session = Session(established, self._settings, self._block, self._random, now)
        session.on_output = self._wake
        session.events = self.events
        if not established.verdict.admitted:
            session.close(established.verdict.code, established.verdict.text, now, graceful=False)
        elif not established.initiator:
            try:
                session.begin_as_responder(established.peer_session, established.verdict.token)
            except RemoteProtocolError as error:
                if session.fail(error, now):
                    self._die(now)
        if established.leftover:
            self.receive(established.leftover, now)

    def _handshake_failed(self, failed: Failed) -> None:
        handshake, self._handshake = self._handshake, None
        if failed.security_event:
            self.events.append(SecurityNotice(failed.reason, failed.message))
        self.events.append(Closed(failed.reason, failed.message, advice=failed.advice, by="handshake"))
        if handshake is not None:
            self._queue_handshake_output(handshake.output())
            self._dead_until = handshake.deadline() if failed.silent else None
        self._hanging_up = not failed.silent
        if self._hanging_up and self._out is None:
            self._finish()

    def _queue_handshake_output(self, data: bytes) -> None:
        if data:
            if self._out is not None:
                data = bytes(self._out[self._out_start : self._out_end]) + data
            self._out, self._out_start, self._out_end = memoryview(data), 0, len(data)

    def answer(self, request: Any, value: Any, now: float) -> None:
        """What a ``RequestMade`` event asked for."""
        if self._handshake is not None:
            self._handshake.answer(request, value, now)
            self._watch_handshake(now)

    # -- bytes out -----------------------------------------------------------------------------------------------

    def _wake(self) -> None:
        if self.on_output is not None:
            self.on_output()

    def data_to_send(self, now: float) -> memoryview | None:
        """Bytes for the transport, sealed now; call ``taken`` with how many it took, then ask again."""
        if self._out is None:
            if self._handshake is not None:
                self._queue_handshake_output(self._handshake.output())
            elif self.session is not None and self._dead_until is None:
                self._seal(self.session, now)
            if self._out is None:
                return None
        if self._stalled_since is None:
            self._stall_begins(now)
        return memoryview(self._out)[self._out_start : self._out_end]

    def seal_into(self, view: memoryview, now: float) -> int:
        """For a transport that is memory: the next record, sealed where it is to stand; it counts as taken.

        0 = nothing is to be sent, or ``view`` is shorter than the largest record: ``data_to_send`` knows.
        """
        session = self.session
        if session is None or self._out is not None or self._dead_until is not None:
            return 0
        session.woken = False  # also where there is too little room: whoever asked is told of the next thing anew
        if len(view) < session.record_room_bytes:
            return 0
        size = session.seal_next(view, now)
        if session.phase is not SessionPhase.READY:
            session.drained(now)
            self._finish_if_said()
        return size

    def _stall_begins(self, now: float) -> None:
        """From now on the transport has something to take."""
        self._stalled_since = now
        if now + self._settings.limits.stall_seconds < self._deadline_told:
            self._timer_moved = True

    def _seal(self, session: Session, now: float) -> None:
        session.woken = False
        self._seal_record(session, now)
        if session.phase is SessionPhase.DRAINING:
            session.woken = True  # if this was all, CLOSE is queued now, and goes into the same piece
            session.drained(now)
            session.woken = False
            self._seal_record(session, now)
        self._finish_if_said()

    def _seal_record(self, session: Session, now: float) -> None:
        """Into a buffer of its own, or behind the one that is sealed already."""
        if not (session.outgoing.roomy or session.wants_to_send):
            return
        if self._out is None:
            self._out, self._out_start, self._out_end = self._buffers.borrow(session.record_room_bytes), 0, 0
        elif len(self._out) - self._out_end < session.record_room_bytes:
            return  # then it is a piece of its own
        view = memoryview(self._out)[self._out_end :]
        size = session.seal_next(view, now)
        if size and session.cells == WIRE_CELLS:
            size = _seal_more(session, view, size, now)
        self._out_end += size
        if not self._out_end:
            self._drop_output()

    def _finish_if_said(self) -> None:
        session = self.session
        if session is None:
            if self._hanging_up and self._out is None:
                self._finish()
        elif session.over and self._dead_until is None:
            said = self._out is None and session.said_everything
            if said or session.path_lost:
                self._finish()

    def taken(self, count: int, now: float) -> None:
        """The transport took ``count`` bytes of what ``data_to_send`` gave."""
        if self._out is None:
            return
        self._out_start += count
        if self._out_start == self._out_end:
            self._stalled_since = None
            self._drop_output()
            if self.session is None or self.session.over:
                self._finish_if_said()
            return
        if count:
            self._stalled_since = now
        if self._buffers.crowded and isinstance(self._out, bytearray):
            rest = bytes(self._out[self._out_start : self._out_end])
            self._drop_output()
            self._out, self._out_start, self._out_end = memoryview(rest), 0, len(rest)

    # -- events, time, the end -----------------------------------------------------------------------------------

    def next_event(self) -> Event | None:
        """What happened, oldest first."""
        return self.events.popleft() if self.events else None

    @property
    def quiet(self) -> bool:
        """Whether there is nothing more to say now: asking ``data_to_send`` again would give nothing."""
        session = self.session
        if self._out is not None:
            return False
        if session is None:
            return self._handshake is not None and self._handshake.quiet
        if session.phase is not SessionPhase.READY:
            return False
        return not (session.outgoing.waiting or session.outgoing.roomy)

    @property
    def timer_moved(self) -> bool:
        """Whether ``deadline`` may have come nearer since it was last asked."""
        return self._timer_moved or self.session is None or self.session.timer_moved

    @property
    def eventful(self) -> bool:
        """Whether bytes that came or went brought about what a pump must see to: an event, an end, a new deadline."""
        session = self.session
        if session is None or session.timer_moved or self._timer_moved:
            return True
        return bool(self.events) or self.finished or self._dead_until is not None

    def deadline(self) -> float:
        """When ``expire`` wants to be called, in the caller's monotonic seconds."""
        self._timer_moved = False
        self._deadline_told = at = self._next_deadline()
        return at

    def _next_deadline(self) -> float:
        if self._dead_until is not None:
            return self._dead_until
        if self._handshake is not None:
            return self._handshake.deadline()
        own = self.session.deadline() if self.session is not None else float("inf")
        if self._stalled_since is not None:
            return min(own, self._stalled_since + self._settings.limits.stall_seconds)
        return own

    def expire(self, now: float) -> None:
        """Time has passed."""
        if self._dead_until is not None:
            if now >= self._dead_until:
                self._finish()
        elif self._handshake is not None:
            self._handshake.expire(now)
            self._watch_handshake(now)
        else:
            self._expire_session(now)

    def _expire_session(self, now: float) -> None:
        session, stalled = self.session, self._stalled_since
        if stalled is not None and now >= stalled + self._settings.limits.stall_seconds:
            if session is not None:
                session.lost("path lost: the transport took no byte for too long", PATH_LOST)
            self._finish()
        elif session is not None:
            session.expire(now)
            self._finish_if_said()

    def close(self, code: int = CloseCode.BYE, text: str = "", *, now: float, graceful: bool = True) -> None:
        """End it: a session says CLOSE, a handshake just stops."""
        if self.session is not None:
            self.session.close(code, text, now, graceful=graceful)
        elif self._handshake is not None:
            self._handshake = None
            self.events.append(Closed("cancelled", "closed by this side during the handshake"))
            self._finish()
        self._wake()


def _seal_more(session: Session, view: memoryview, end: int, now: float) -> int:
    """Cells are small for a system call each: as many as may wait in the transport go in one piece. Its new end."""
    while end + CELL_WIRE_BYTES[1] <= SEALED_AHEAD_BYTES:
        size = session.seal_next(view[end:], now)
        if not size:
            break
        end += size
    return end
