"""What goes into the next record: control first, then the classes, late and fair. Spec: docs/spec/channels.md, 4.

Frames wait here unsealed, so priority, re-key and windows never stand behind megabytes of sealed bytes. [A23]
Not for: sealing (``core/records.py``) or padding.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import TYPE_CHECKING

from quantumgate.core.budget import TokenBucket, paced
from quantumgate.core.channel import Channel, Compressed
from quantumgate.core.relay.link import MERGED_BYTES, Link
from quantumgate.wire import frames
from quantumgate.wire.limits import (
    CONTROL_MESSAGE_BYTES,
    EXT_UPDATE_GAP_SECONDS,
    FRAME_HEADER_BYTES,
    INTERACTIVE_SHARE,
    MAX_FRAMES_PER_RECORD,
    MESSAGE_CREDIT_BYTES,
    MESSAGE_TOTAL_BYTES,
    RESET_TEXT_BYTES,
)

if TYPE_CHECKING:
    from quantumgate.core.session import Session

CONTROL_PIECE_BYTES = 4096
QUANTUM_BYTES = 16 * 1024
"""What one channel of several may put into a record before the next one's turn."""

PARTIAL_MIN_BYTES = 1024
"""No smaller beginning of a message is squeezed into the end of a record."""

WHOLE_MESSAGE_OVERHEAD_BYTES = FRAME_HEADER_BYTES + MESSAGE_TOTAL_BYTES
MOST_CONTROL_FRAMES = 256
"""Of each kind in one record; with MOST_PARTS this keeps a record under MAX_FRAMES_PER_RECORD."""

MOST_PARTS = 2 * MAX_FRAMES_PER_RECORD - 4 * MOST_CONTROL_FRAMES
CH_OPEN_MOST_BYTES = 128
_JOIN_FROM_PARTS = 24
Piece = bytes | bytearray | memoryview


class Outgoing:
    """The queues of one session."""

    __slots__ = (
        "_announced_at",
        "_classes",
        "_controls",
        "_extenders",
        "_message_opens",
        "_open_bucket",
        "_pong",
        "_session",
        "_shut",
        "_stream_opens",
        "_streams_turn",
        "_windows",
        "roomy",
        "switch_due",
        "switch_placed",
    )

    def __init__(self, session: Session) -> None:
        self._session = session
        self._controls: deque[bytes] = deque()
        self._windows: dict[Channel | Link, None] = {}
        self._message_opens: OrderedDict[Channel, None] = OrderedDict()
        self._stream_opens: OrderedDict[Channel, None] = OrderedDict()
        self._streams_turn = False
        self._classes: tuple[deque[Channel | Link], ...] = (deque(), deque(), deque())
        self._open_bucket: TokenBucket | None = None
        self._pong: int | None = None
        self._extenders: bytes | None = None
        self._announced_at = float("-inf")
        self.roomy: list[Channel] = []
        self.switch_due = self.switch_placed = self._shut = False

    # -- what to send --------------------------------------------------------------------------------------------

    def control(self, frame: bytes) -> None:
        """A whole control frame, sent before any data. After CLOSE nothing is said any more."""
        if self._shut:
            return
        self._controls.append(frame)
        self._session.timer_moved = True
        self._session.wake()

    def long_control(self, kind: int, data: bytes, channel_id: int = 0) -> None:
        """A control message in pieces, flags first and last, as docs/spec/records.md section 4 has them."""
        pieces = [data[at : at + CONTROL_PIECE_BYTES] for at in range(0, len(data), CONTROL_PIECE_BYTES)] or [b""]
        if len(data) > CONTROL_MESSAGE_BYTES:
            raise ValueError(f"a control message of {len(data)} bytes")
        for number, piece in enumerate(pieces):
            flags = (frames.FIRST if number == 0 else 0) | (frames.LAST if number == len(pieces) - 1 else 0)
            self.control(frames.frame(kind, piece, channel_id, flags))

    def pong(self, token: int) -> None:
        """Answer a PING; only the newest one waits."""
        if not self._shut:
            self._pong = token
            self._session.wake()

    def announce(self, extenders: bytes) -> None:
        """EXT_UPDATE; only the newest list waits, and the peer hears of it at most once a second."""
        if not self._shut:
            self._extenders = extenders
            self._session.timer_moved = True
            self._session.wake()

    def switch(self) -> None:
        """KEY_SWITCH, as soon as what stands before it is said. After CLOSE nothing is said any more."""
        if not self._shut:
            self.switch_due = True
            self._session.wake()

    def window_due(self, channel: Channel | Link) -> None:
        """Its receive_limit rose; one WINDOW or LINK_WINDOW of each waits."""
        self._windows[channel] = None
        self._session.wake()

    def reset_channel(self, channel_id: int, code: int, text: str) -> None:
        """CH_RESET."""
        data = frames.encode_reason(code, text, RESET_TEXT_BYTES)
        self.control(frames.frame(frames.CH_RESET, data, channel_id))

    def open(self, channel: Channel) -> None:
        """CH_OPEN as soon as the peer's max_channels and its budget allow."""
        self._opens_like(channel)[channel] = None
        self._session.timer_moved = True
        self._session.wake()

    def _opens_like(self, channel: Channel) -> OrderedDict[Channel, None]:
        return self._stream_opens if channel.stream else self._message_opens

    def activate(self, channel: Channel | Link) -> None:
        """The channel or link has something to send: a turn in its class."""
        if channel.may_speak:
            channel.active = True
            self._classes[channel.priority - 1].append(channel)
            self._session.wake()

    def forget(self, channel: Channel | Link) -> None:
        """The channel or link ended: nothing of it is sent any more."""
        session = self._session
        session.queued_bytes -= channel.queued_bytes
        channel.queued_bytes = 0
        self._windows.pop(channel, None)
        if channel.active:
            channel.active = False
            self._classes[channel.priority - 1].remove(channel)
        elif isinstance(channel, Channel) and channel.ours and not channel.opened:
            self._opens_like(channel).pop(channel, None)

    def last_words(self, frame: bytes) -> None:
        """Nothing else waits any more, and nothing follows ``frame`` (empty: not even that)."""
        self._controls.clear()
        self._windows.clear()
        self._pong = self._extenders = None
        self.switch_due = False
        if frame:
            self.control(frame)
        self._shut = True

    def take_unopened(self) -> list[Channel]:
        """The channels that wait for CH_OPEN; they do not wait any more."""
        waiting = [*self._message_opens, *self._stream_opens]
        self._message_opens.clear()
        self._stream_opens.clear()
        return waiting

    @property
    def controls_waiting(self) -> int:
        """How many whole control frames wait."""
        return len(self._controls)

    @property
    def opens_waiting(self) -> int:
        """How many channels of ours wait for CH_OPEN."""
        return len(self._message_opens) + len(self._stream_opens)

    @property
    def has_control(self) -> bool:
        """Whether control frames wait."""
        return bool(self._controls or self._windows or self.switch_due) or self._pong is not None

    @property
    def waiting(self) -> bool:
        """Whether a channel or a control frame could be sent, or something waits for its time or room at the peer."""
        return self._words_wait or any(self._classes)

    @property
    def _words_wait(self) -> bool:
        """Whether there is something else than data."""
        if self._controls or self._windows or self.switch_due or self._message_opens or self._stream_opens:
            return True
        return self._pong is not None or self._extenders is not None

    def next_control_at(self) -> float | None:
        """When the next frame may go that waits for nothing but its time."""
        times = [] if self._extenders is None else [self._announced_at + EXT_UPDATE_GAP_SECONDS]
        if self.opens_waiting and self._session.may_open() and self._open_bucket is not None:
            times.append(self._open_bucket.next_at())
        return min(times, default=None)

    # -- filling a record ----------------------------------------------------------------------------------------

    def fill(self, view: memoryview, room: int, now: float) -> int:
        """Put frames into ``view``, at most ``room`` bytes; returns how many. ``switch_placed``: KEY_SWITCH ends it."""
        parts: list[Piece] = []
        used = self._fill_control(parts, room, now) if self._words_wait else 0
        if self.switch_due:
            if not self._controls and room - used >= FRAME_HEADER_BYTES:
                parts.append(frames.frame(frames.KEY_SWITCH))
                used += FRAME_HEADER_BYTES
                self.switch_due, self.switch_placed = False, True
        elif not self._controls:
            taken = self._fill_data(parts, view[used:room] if used else view)
            if taken:
                self._session.last_data_at = now
                used += taken
        if parts:
            _place(parts, view)
        return used

    def _fill_control(self, parts: list[Piece], room: int, now: float) -> int:
        used = 0
        controls = self._controls
        if self._extenders is not None and now >= self._announced_at + EXT_UPDATE_GAP_SECONDS:
            self.long_control(frames.EXT_UPDATE, self._extenders)
            self._extenders, self._announced_at = None, now
        while controls and used + len(controls[0]) <= room and len(parts) < MOST_CONTROL_FRAMES:
            used += len(controls[0])
            parts.append(controls.popleft())
        if self.switch_due:
            return used
        if self._pong is not None and room - used >= 16:
            parts.append(frames.frame(frames.PONG, frames.U64.pack(self._pong)))
            used += 16
            self._pong = None
        while self._windows and room - used >= 16 and len(parts) < MOST_CONTROL_FRAMES:
            channel = next(iter(self._windows))
            del self._windows[channel]
            parts.append(frames.frame(channel.window_kind, frames.U64.pack(channel.receive_limit), channel.id))
            used += 16
        return used + self._fill_opens(parts, room - used, now) if self.opens_waiting else used

    def _fill_opens(self, parts: list[Piece], room: int, now: float) -> int:
        used = 0
        session = self._session
        if self._open_bucket is None:
            self._open_bucket = paced(session.limits.ch_open_rate, now)
        bucket = self._open_bucket
        while self.opens_waiting and len(parts) < 2 * MOST_CONTROL_FRAMES and room - used >= CH_OPEN_MOST_BYTES:
            if not session.may_open() or not bucket.take(now):
                break
            channel = self._next_open()
            body = frames.ChannelOpen(channel.extender, channel.stream, channel.priority, channel.label).encode()
            session.channel_opens(channel)
            parts.append(frames.frame(frames.CH_OPEN, body, channel.id))
            used += len(parts[-1])
            if channel.outbox or channel.fin_due:
                channel.active = True
                self._classes[channel.priority - 1].append(channel)
        session.timer_moved = True
        return used

    def _next_open(self) -> Channel:
        """A channel of messages goes ahead of the streams that wait, then the oldest stream has its turn (ADR 0012)."""
        ahead = bool(self._message_opens) and not (self._streams_turn and self._stream_opens)
        self._streams_turn = ahead
        return (self._message_opens if ahead else self._stream_opens).popitem(last=False)[0]

    def _fill_data(self, parts: list[Piece], view: memoryview) -> int:
        """Classes in order; while a lower one waits, a class takes at most INTERACTIVE_SHARE of what is left.

        ``view`` is the room that the record has left.
        """
        busy = list(filter(None, self._classes))
        if len(busy) < 2:
            return self._fill_from(busy[0], parts, view) if busy else 0
        used, room = 0, len(view)
        for queue in busy:
            share = room - used if queue is busy[-1] else int((room - used) * INTERACTIVE_SHARE)
            used += self._fill_class(queue, parts, view[used : used + share])
        for queue in busy:  # what a share left over goes to whoever still waits
            if queue and used < room:
                used += self._fill_class(queue, parts, view[used:])
        return used

    def _fill_from(self, queue: deque[Channel | Link], parts: list[Piece], view: memoryview) -> int:
        """The only class that has anything; in a circuit that is most often one link."""
        link = queue[0]
        if len(queue) > 1 or not isinstance(link, Link):
            return self._fill_class(queue, parts, view)
        used = link.take(view, len(view))  # what it takes stands last, and in its place
        if link.starved and not link.closed:
            queue.popleft()
            link.active = False
        return used

    def _fill_class(self, queue: deque[Channel | Link], parts: list[Piece], view: memoryview) -> int:
        used, room = 0, len(view)
        stuck = 0
        while queue and stuck < len(queue) and room - used > WHOLE_MESSAGE_OVERHEAD_BYTES:
            channel = queue[0]
            left = room - used
            quantum = left if len(queue) == 1 else min(QUANTUM_BYTES, left)
            if isinstance(channel, Link):
                if used and left <= MERGED_BYTES:
                    break  # no link has anything so short, and the next record is soon
                took = channel.take(view[used:], quantum)
                parts.append(view[used : used + took])
            elif channel.stream:
                took = _take_stream(channel, parts, quantum)
            else:
                took = _take_messages(channel, parts, quantum, left)
            used += took
            if len(parts) >= MOST_PARTS:
                break
            if channel.closed:
                continue  # a link ends with the LINK_CLOSE that it put into the record, and has left the queue
            if channel.starved:
                queue.popleft()
                channel.active = False
                continue
            queue.rotate(-1)
            stuck = 0 if took else stuck + 1
        return used


def _place(parts: list[Piece], view: memoryview) -> None:
    """Put the pieces into the record's buffer: one copy for large ones, one join for a crowd of small ones.

    What a link took stands in its place already, and is copied onto itself.
    """
    if len(parts) > _JOIN_FROM_PARTS:
        joined = b"".join(parts)
        view[: len(joined)] = joined
        return
    at = 0
    for part in parts:
        end = at + len(part)
        view[at:end] = part
        at = end


def _take_messages(channel: Channel, parts: list[Piece], quantum: int, room: int) -> int:
    """Whole messages while the quantum lasts (the last may pass it, if it fits the room), parts of a larger one."""
    outbox = channel.outbox
    credit = channel.send_limit - channel.sent_bytes
    most_parts = MOST_PARTS
    used = cost = 0
    append, head = parts.append, channel.head
    while outbox and used < quantum and len(parts) < most_parts and not channel.head_sent:
        entry = outbox[0]
        size = len(entry)
        if size + WHOLE_MESSAGE_OVERHEAD_BYTES > room - used or size + MESSAGE_CREDIT_BYTES > credit:
            break
        append(head(size, type(entry) is Compressed))
        append(entry)
        outbox.popleft()
        weight = size + MESSAGE_CREDIT_BYTES
        credit -= weight
        cost += weight
        used += size + WHOLE_MESSAGE_OVERHEAD_BYTES
    if cost:
        channel.sent(cost)
    if outbox and used < quantum:
        used += _take_part(channel, parts, min(quantum, room) - used)
    if not outbox and channel.fin_due and room - used >= FRAME_HEADER_BYTES:
        parts += (frames.frame(frames.MSG, channel=channel.id, flags=frames.FIN), b"")
        used += FRAME_HEADER_BYTES
        channel.fin_was_sent()
    return used


def _take_part(channel: Channel, parts: list[Piece], room: int) -> int:
    """The next part of the message at the head of the queue, as long as room and credit allow."""
    entry = channel.outbox[0]
    first = channel.head_sent == 0
    overhead = FRAME_HEADER_BYTES + (MESSAGE_TOTAL_BYTES if first else 0)
    left = len(entry) - channel.head_sent
    size = min(left, room - overhead, channel.credit_bytes)
    if size <= 0 or (size < left and size < PARTIAL_MIN_BYTES and room - overhead < PARTIAL_MIN_BYTES):
        return 0
    last = size == left
    flags = (frames.FIRST if first else 0) | (frames.LAST if last else 0)
    if first and type(entry) is Compressed:
        flags |= frames.COMPRESSED
    word = flags << 24 | size + overhead - FRAME_HEADER_BYTES
    kind = frames.MSG << 24 | channel.id
    parts.append(frames.HEAD_AND_TOTAL.pack(kind, word, len(entry)) if first else frames.HEAD.pack(kind, word))
    parts.append(memoryview(entry)[channel.head_sent : channel.head_sent + size])
    if last:
        channel.outbox.popleft()
        channel.head_sent = 0
    else:
        channel.head_sent += size
    channel.sent(size + (MESSAGE_CREDIT_BYTES if first else 0))
    return size + overhead


def _take_stream(channel: Channel, parts: list[Piece], room: int) -> int:
    """One frame of as many bytes as room and credit allow, gathered from the queue; fin on the last."""
    outbox = channel.outbox
    budget = min(room - FRAME_HEADER_BYTES, channel.send_limit - channel.sent_bytes)
    place = len(parts)
    parts.append(b"")
    size = 0
    while outbox and size < budget and len(parts) < 2 * MAX_FRAMES_PER_RECORD:
        entry = outbox[0]
        start = channel.head_sent
        piece = min(len(entry) - start, budget - size)
        if piece == len(entry):
            parts.append(entry)
        elif type(entry) is bytearray:  # a view of it would forbid to gather more, and another's hook may write now
            parts.append(bytes(entry[start : start + piece]))
        else:
            parts.append(memoryview(entry)[start : start + piece])
        size += piece
        if start + piece == len(entry):
            outbox.popleft()
            channel.head_sent = 0
        else:
            channel.head_sent = start + piece
    fin = not outbox and channel.fin_due and room >= FRAME_HEADER_BYTES
    if not size and not fin:
        del parts[place:]
        return 0
    flags = frames.FIN if fin else 0
    parts[place] = frames.HEAD.pack(frames.MSG << 24 | channel.id, flags << 24 | size)
    if not size:
        parts.append(b"")  # every data frame is two parts or more: MOST_PARTS bounds the frames of a record
    channel.sent(size)
    if fin:
        channel.fin_was_sent()
    return size + FRAME_HEADER_BYTES
