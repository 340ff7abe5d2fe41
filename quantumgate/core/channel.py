"""One channel of a session: messages one way, or a byte stream both ways. Spec: docs/spec/channels.md.

The owner (an extender's host) calls the methods and sets the hooks, plain attributes that are called at once: a hot
path has no event objects. Hooks must not raise. Not for: the order in which channels get room (``core/outgoing.py``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import UUID

from quantumgate.core.compression import CompressionChoice
from quantumgate.core.credit import GROW_WITHIN_SECONDS
from quantumgate.errors import (
    ChannelReset,
    LimitError,
    LocalError,
    MalformedError,
    SessionClosed,
    ViolationError,
)
from quantumgate.wire import frames
from quantumgate.wire.codes import ResetCode
from quantumgate.wire.compressed import inflate
from quantumgate.wire.limits import (
    COMPRESS_MIN_BYTES,
    MESSAGE_CREDIT_BYTES,
    MESSAGE_TOTAL_BYTES,
    WINDOW_FREE_RAISE_BYTES,
)

if TYPE_CHECKING:
    from quantumgate.core.session import Session

QUEUE_MARK_BYTES = 512 * 1024
"""What one channel may hold unsent before ``send`` says "full"; one with nothing queued always takes one message."""

GATHER_BYTES = 1024
GATHERED_BYTES = 16 * 1024
"""Smaller writes than the first are gathered up to the second: a stream written byte by byte is no queue of bytes."""

HEADS_KEPT = 1024


class Compressed(bytes):
    """A message in its compressed form, as it stands in a queue."""

    __slots__ = ()


def _done(message: bytes) -> bool:
    return True


def _ignore(*_: object) -> None:
    return None


class Channel:
    """See the module. ``ours`` = opened by this side. Byte counts are payload, as credit counts it."""

    __slots__ = (
        "_answered",
        "_busy",
        "_choice",
        "_fin_queued",
        "_fin_received",
        "_fin_sent",
        "_grown_bytes",
        "_heads",
        "_held_bytes",
        "_held_raw_bytes",
        "_inbox",
        "_lent_bytes",
        "_loan_ends",
        "_mute",
        "_part_compressed",
        "_part_left",
        "_parts",
        "_renewed_at",
        "_session",
        "_wants_room",
        "active",
        "allow_compressed",
        "closed",
        "consumed_bytes",
        "ear",
        "extender",
        "head_sent",
        "id",
        "label",
        "on_accepted",
        "on_closed",
        "on_data",
        "on_fin",
        "on_message",
        "on_room",
        "opened",
        "ours",
        "outbox",
        "priority",
        "queued_bytes",
        "receive_limit",
        "received_bytes",
        "send_limit",
        "sent_bytes",
        "stream",
        "window_bytes",
    )

    window_kind = frames.WINDOW

    def __init__(
        self,
        session: Session,
        channel_id: int,
        extender: UUID,
        *,
        stream: bool,
        priority: int,
        label: bytes,
        ours: bool,
    ) -> None:
        self._session = session
        self.id, self.extender, self.stream, self.priority = channel_id, extender, stream, priority
        self.label, self.ours = label, ours
        self.closed = self._answered = self.opened = False
        # sending
        self.outbox: deque[bytes | bytearray] = deque()
        self._mute = stream or not ours
        self.head_sent = self.queued_bytes = self.sent_bytes = 0
        self.send_limit = session.peer_block.initial_window
        self.active = self._wants_room = self._fin_queued = self._fin_sent = False
        self._heads: dict[int, bytes] = {}
        self._choice: CompressionChoice | None = None
        # receiving
        self.ear = False
        """True while a whole plain message can be handed over at once; kept by ``listen``."""
        self.allow_compressed = session.block.compression != ()
        self.received_bytes = self.consumed_bytes = 0
        self.window_bytes = self.receive_limit = session.block.initial_window
        self._busy = self._fin_received = self._part_compressed = False
        self._grown_bytes = 0
        self._lent_bytes = self._loan_ends = self._held_bytes = self._held_raw_bytes = self._part_left = 0
        self._parts: bytearray | None = None
        self._inbox: deque[bytes | bytearray | None] = deque()
        self._renewed_at = session.now
        # hooks
        self.on_message: Callable[[bytes], bool] = _done
        self.on_data: Callable[[bytes], None] = _ignore
        self.on_fin: Callable[[], None] = _ignore
        self.on_room: Callable[[], None] = _ignore
        self.on_accepted: Callable[[], None] = _ignore
        self.on_closed: Callable[[ChannelReset | SessionClosed | None], None] = _ignore

    @property
    def kept_bytes(self) -> int:
        """What came and was not taken yet; a message in a guest's hands counts as it is there, inflated."""
        return self.received_bytes - self.consumed_bytes + max(0, self._held_raw_bytes - self._held_bytes)

    # -- opening and ending --------------------------------------------------------------------------------------

    def accept(self) -> None:
        """Take a channel that the peer opened: CH_ACCEPT, then everything that has arrived meanwhile."""
        if self.ours or self._answered or self.closed:
            raise LocalError("only a channel that the peer opened can be accepted, and once")
        self._answered = True
        self._session.outgoing.control(frames.frame(frames.CH_ACCEPT, channel=self.id))
        if self.outbox or self.fin_due:
            self._session.outgoing.activate(self)
        self.listen()
        self._drain_inbox()

    def accepted_by_peer(self) -> None:
        """CH_ACCEPT came. Raises ViolationError where nothing was asked."""
        if not self.ours or self._answered:
            raise ViolationError("CH_ACCEPT for a channel that waits for none")
        self._answered = True
        self.listen()
        self.on_accepted()

    @property
    def answered(self) -> bool:
        """Whether CH_ACCEPT has been sent or received."""
        return self._answered

    @property
    def may_speak(self) -> bool:
        """Whether MSG may be sent: after our CH_OPEN, or after our CH_ACCEPT."""
        return self.opened if self.ours else self._answered

    def reset(self, code: int = ResetCode.CANCELLED, text: str = "") -> None:
        """End it now, both ways; what is queued is dropped."""
        if self.closed:
            return
        if self.opened or not self.ours:
            self._session.outgoing.reset_channel(self.id, code, text)
        self.end(ChannelReset(text or "reset by this side", code))

    def end(self, reason: ChannelReset | SessionClosed | None) -> None:
        """Forget the channel and tell its owner, once. Loans go back to the pool."""
        if self.closed:
            return
        self.closed = True
        self.ear = False
        session = self._session
        session.outgoing.forget(self)
        self._mute = True
        session.pool.shrink(self._grown_bytes)
        self._repay()
        held, self._held_raw_bytes = self._held_raw_bytes, 0
        session.hands.held_bytes -= held
        self.outbox.clear()
        self._inbox.clear()
        self._parts = None
        session.channel_ended(self)
        told, self.on_message, self.on_closed = self.on_closed, _done, _ignore
        self.on_data = self.on_fin = self.on_room = self.on_accepted = _ignore
        told(reason)
        if held:
            session.hands.freed()

    # -- sending -------------------------------------------------------------------------------------------------

    def send(self, message: bytes, compress: bool = True) -> bool:
        """Queue one message. False = full, nothing was kept, ``on_room`` will be called.

        Raises LimitError over the peer's max_message, ChannelReset when the channel is over, LocalError on a stream and
        on a channel that the peer opened: only its opener sends on it.
        """
        if self._mute:
            raise self._why_mute()
        size = len(message)
        session = self._session
        if self.queued_bytes and (
            self.queued_bytes + size > QUEUE_MARK_BYTES or session.queued_bytes > session.limits.queue_pause_bytes
        ):
            self._wants_room = True
            return False
        if size > session.peer_block.max_message:
            raise LimitError("max_message_bytes", session.peer_block.max_message)
        if compress and size >= COMPRESS_MIN_BYTES and session.compressing:
            message = self._compressed(message)
            size = len(message)
        self.outbox.append(message)
        size += MESSAGE_CREDIT_BYTES
        self.queued_bytes += size
        session.queued_bytes += size
        if not self.active:
            session.outgoing.activate(self)
        return True

    def _why_mute(self) -> ChannelReset | LocalError:
        if self.closed or self._fin_queued:
            return ChannelReset("the channel is closed", ResetCode.CANCELLED)
        return LocalError("a stream takes bytes" if self.stream else "only its opener sends on a channel of messages")

    def _compressed(self, message: bytes) -> bytes:
        if self._choice is None:
            self._choice = CompressionChoice()
        shrunk = self._choice.shrink(message)
        return message if shrunk is None else Compressed(shrunk)

    def write(self, data: bytes) -> bool:
        """Queue bytes of a stream. False = over the mark, wait for ``on_room``.

        Past ``queue_error_bytes`` (the channel's own, or the session's with this channel over its mark) the channel
        is reset and LimitError raised: a writer that does not listen is stopped.
        """
        if self.closed or self._fin_queued or not self.stream:
            raise self._why_mute() if self.stream else LocalError("a channel of messages takes messages")
        session = self._session
        most = session.limits.queue_error_bytes
        queued = self.queued_bytes + len(data)
        if queued > most or (self.queued_bytes > QUEUE_MARK_BYTES and session.queued_bytes + len(data) > most):
            self.reset(ResetCode.LIMIT, "writer went on past the queue")
            raise LimitError("queue_error_bytes", most)
        if data:
            self._gather(data)
            self.queued_bytes += len(data)
            session.queued_bytes += len(data)
            if not self.active:
                session.outgoing.activate(self)
        full = self.queued_bytes > QUEUE_MARK_BYTES
        if self.queued_bytes and session.queued_bytes > session.limits.queue_pause_bytes:
            full = True  # only where something is queued here: else nothing would ever call on_room
        self._wants_room = self._wants_room or full
        return not full

    def _gather(self, data: bytes) -> None:
        if len(data) >= GATHER_BYTES:
            self.outbox.append(bytes(data))
        elif self.outbox and type(self.outbox[-1]) is bytearray and len(self.outbox[-1]) < GATHERED_BYTES:
            self.outbox[-1] += data
        else:
            self.outbox.append(bytearray(data))

    def finish(self) -> None:
        """Half close: nothing more will be sent. After both sides have, ``on_closed(None)``.

        A channel of messages has one direction and ends with its opener's ``finish``; the other side can ``reset`` it.
        """
        if self.closed or self._fin_queued:
            return
        if not self.stream and not self.ours:
            raise LocalError("only its opener finishes a channel of messages")
        self._fin_queued = self._mute = True
        if not self.active:
            self._session.outgoing.activate(self)

    @property
    def fin_due(self) -> bool:
        """Whether the fin flag is to be put on the frame that empties the queue."""
        return self._fin_queued and not self._fin_sent

    def fin_was_sent(self) -> None:
        """The frame with fin is in the record that is being filled; whom that ends is told when it is sealed."""
        self._fin_sent = True
        if self._fin_received or not self.stream:
            self._session.outgoing.roomy.append(self)

    def tell(self) -> None:
        """What sending has brought about, told when no record is being filled: the end of the channel, or room."""
        if self._fin_sent and (self._fin_received or not self.stream):
            self.end(None)
        elif not self.closed:
            self.on_room()

    def head(self, size: int, compressed: bool) -> bytes:
        """Frame header and total of a whole message of ``size`` bytes. Cached: most traffic repeats few sizes."""
        key = -size if compressed else size
        head = self._heads.get(key)
        if head is None:
            if len(self._heads) >= HEADS_KEPT:
                self._heads.clear()
            flags = frames.WHOLE | (frames.COMPRESSED if compressed else 0)
            word = flags << 24 | size + MESSAGE_TOTAL_BYTES
            head = self._heads[key] = frames.HEAD_AND_TOTAL.pack(frames.MSG << 24 | self.id, word, size)
        return head

    @property
    def starved(self) -> bool:
        """Whether nothing of it can be sent before it is fed or given credit."""
        if self.outbox:
            return self.credit_bytes <= 0
        return not self.fin_due

    @property
    def credit_bytes(self) -> int:
        """What may be sent of the head of the queue now, by credit; 0 or less = wait for WINDOW."""
        begins = not self.stream and not self.head_sent
        return self.send_limit - self.sent_bytes - (MESSAGE_CREDIT_BYTES if begins else 0)

    def sent(self, cost: int) -> None:
        """``cost`` bytes of credit, payload and what messages cost beside it, left the queue."""
        self.sent_bytes += cost
        self.queued_bytes -= cost
        session = self._session
        session.queued_bytes -= cost
        if self._wants_room and self.queued_bytes <= QUEUE_MARK_BYTES // 2:
            self._wants_room = False
            session.outgoing.roomy.append(self)

    def window(self, limit: int) -> None:
        """WINDOW came: the peer takes up to ``limit``; a lower one is ignored."""
        if limit > self.send_limit:
            self.send_limit = limit
            if not self.active and (self.outbox or self.fin_due):
                self._session.outgoing.activate(self)

    # -- receiving -----------------------------------------------------------------------------------------------

    def receive(self, flags: int, data: bytes) -> None:
        """A MSG frame that is not one whole plain message for a listening ear. Raises what the peer did wrong."""
        if self._fin_received:
            raise ViolationError("MSG after fin")
        if self.stream:
            self._receive_stream(flags, data)
        else:
            self._receive_message(flags, data)

    def _charge(self, size: int) -> None:
        received = self.received_bytes + size
        if received > self.receive_limit:
            raise ViolationError(f"window overrun: {received} bytes of {self.receive_limit}")
        self.received_bytes = received

    def _receive_stream(self, flags: int, data: bytes) -> None:
        if flags & ~frames.FIN or not (data or flags):
            raise MalformedError(f"a stream frame with flags {flags:#x}, {len(data)} bytes")
        if self.ours and not self._answered:
            raise ViolationError("stream data before CH_ACCEPT")
        self._charge(len(data))
        if data:
            if self._answered:
                self.on_data(data)
            elif self._inbox and isinstance(self._inbox[-1], bytearray):
                self._inbox[-1] += data
            else:
                self._inbox.append(bytearray(data))
        if flags and not self.closed:
            self._receive_fin()

    def _receive_fin(self) -> None:
        self._fin_received = True
        if self._answered and not self._inbox and not self._busy:
            self._deliver_fin()
        else:
            self._inbox.append(None)

    def _deliver_fin(self) -> None:
        self.on_fin()
        if self._fin_sent or not self.stream:
            self.end(None)

    def _receive_message(self, flags: int, data: bytes) -> None:
        if self.ours:
            raise ViolationError("a message on a channel that this side opened")
        if flags & ~frames.MSG_FLAGS:
            raise MalformedError(f"a message frame with flags {flags:#x}")
        if flags == frames.FIN and not data and self._parts is None:
            self._receive_fin()
            return
        if flags & frames.FIRST:
            data = self._begin_message(flags, data)
            self._charge(MESSAGE_CREDIT_BYTES)
        elif self._parts is None or flags & frames.COMPRESSED:
            raise MalformedError("a message part without its beginning")
        self._charge(len(data))
        if self._parts is None or len(data) > self._part_left:
            raise MalformedError("the parts of a message are more than its total")
        if not data and not flags & frames.LAST:
            raise MalformedError("an empty message part")
        self._part_left -= len(data)
        self._parts += data
        if flags & frames.LAST:
            self._end_message(flags)
        elif flags & frames.FIN:
            raise MalformedError("fin inside a message")
        elif flags & frames.FIRST:
            self.borrow_for_part()

    def _begin_message(self, flags: int, data: bytes) -> bytes:
        if self._parts is not None or len(data) < MESSAGE_TOTAL_BYTES:
            raise MalformedError("a message begins inside another, or without its total")
        total = frames.U32.unpack_from(data)[0]
        if total > self._session.block.max_message:
            raise ViolationError(f"a message of {total} bytes, max_message is {self._session.block.max_message}")
        self._parts, self._part_left, self.ear = bytearray(), total, False
        self._part_compressed = bool(flags & frames.COMPRESSED)
        return data[MESSAGE_TOTAL_BYTES:]

    def borrow_for_part(self) -> None:
        """Lend the peer the rest of the message under way; it waits in the session where the pool is empty. [A41]

        One loan a channel: a guest that does not take its messages must not hold the whole pool.
        """
        ends = self.received_bytes + self._part_left
        missing = ends - self.receive_limit
        if self._parts is None or missing <= 0 or self._lent_bytes:
            self._session.loans.not_needed(self)
            return
        missing = max(missing, WINDOW_FREE_RAISE_BYTES)  # a smaller WINDOW would count against our budget at the peer
        if self._session.loans.lend(self, missing):
            self._lent_bytes, self._loan_ends = missing, ends
            self.receive_limit += missing
            self._session.outgoing.window_due(self)

    def _end_message(self, flags: int) -> None:
        parts, compressed = self._parts, self._part_compressed
        if self._part_left or parts is None:
            raise MalformedError("the parts of a message are fewer than its total")
        self._parts = None
        self._session.loans.forget(self)
        data = bytes(parts)
        if self._answered and not self._busy and not self._inbox and self._session.hands.free:
            self._hand_over(data, compressed)
        else:
            self._inbox.append(Compressed(data) if compressed else data)
            if not self._session.hands.free:
                self._session.hands.wait(self)
        if not self.closed:
            self.listen()
        if flags & frames.FIN and not self.closed:
            self._receive_fin()

    def _hand_over(self, data: bytes, compressed: bool) -> None:
        message = data
        if compressed:
            if not self.allow_compressed:
                raise ViolationError("a compressed message on a channel that takes none")
            message = inflate(data, self._session.block.max_message)
        if self.on_message(message):
            self._taken(len(data) + MESSAGE_CREDIT_BYTES)
        elif not self.closed:
            self.hold(len(data) + MESSAGE_CREDIT_BYTES, len(message))

    def hold(self, credit_bytes: int, raw_bytes: int) -> None:
        """The guest keeps the message: nothing more is delivered and no credit renewed until ``release``."""
        self._busy = True
        self._held_bytes, self._held_raw_bytes = credit_bytes, raw_bytes
        self._session.hands.held_bytes += raw_bytes
        self.listen()
        if not self._session.hands.free:
            self._session.hands.are_full()

    def release(self) -> None:
        """The guest is done with the message that ``on_message`` answered False for."""
        if self.closed or not self._busy:
            return
        self._busy = False
        session = self._session
        session.hands.held_bytes -= self._held_raw_bytes
        self._held_raw_bytes = 0
        self._taken(self._held_bytes)
        self.listen()
        self._drain_inbox()
        session.hands.freed()

    def listen(self) -> None:
        """Keep ``ear``: whether a whole plain message can be handed over at once."""
        blocked = self.stream or self.ours or self._busy or bool(self._inbox) or self._parts is not None
        self.ear = self._answered and not blocked and not self.closed and self._session.hands.free

    def _drain_inbox(self) -> None:
        inbox = self._inbox
        while inbox and self._answered and not self._busy and not self.closed:
            if not self.stream and not self._session.hands.free:
                self._session.hands.wait(self)
                return
            entry = inbox.popleft()
            if entry is None:
                self._deliver_fin()
            elif self.stream:
                self.on_data(bytes(entry))
            elif not self._handed_over_late(bytes(entry), type(entry) is Compressed):
                return
        if not self.closed:
            self.listen()

    def _handed_over_late(self, data: bytes, compressed: bool) -> bool:
        """As ``_hand_over``, but the guest's own call brought us here: it must not be blamed for what the peer sent."""
        try:
            self._hand_over(data, compressed)
        except ViolationError as error:
            self._session.fail(error, self._session.now)
            return False
        return True

    def drain_inbox(self) -> None:
        """Deliver what waited for other channels' guests; called by the session."""
        self._drain_inbox()

    def consumed(self, size: int) -> None:
        """The reader of a stream took ``size`` bytes: credit for as many more."""
        if not self.closed:
            self._taken(size)

    def _taken(self, size: int) -> None:
        self.consumed_bytes += size
        if self._lent_bytes and self.consumed_bytes >= self._loan_ends:
            self._repay()
            self.borrow_for_part()
        if not self.closed and self.receive_limit - self.consumed_bytes <= self.window_bytes >> 1:
            self.renew()

    def _repay(self) -> None:
        lent, self._lent_bytes = self._lent_bytes, 0
        if lent:
            self._session.loans.repay(lent)

    def renew(self) -> None:
        """Half of the window is consumed: give credit again, from a window that follows the reader."""
        if self.closed:
            return
        session = self._session
        quick = max(GROW_WITHIN_SECONDS, 2 * (session.rtt_seconds or 0))
        pace, self._renewed_at = (session.now - self._renewed_at) / quick, session.now
        change = session.pool.resize(self.window_bytes, self._grown_bytes, session.limits.window_max_bytes, pace)
        self._grown_bytes += change
        self.window_bytes += change
        limit = self.consumed_bytes + self.window_bytes
        if limit > self.receive_limit:
            self.receive_limit = limit
            session.outgoing.window_due(self)
