"""What an opened record says: takes its body apart and hands each frame to whom it concerns.

The loop is the hot path of small messages: a whole, plain message for a listening channel costs one unpack, one copy
and the guest's call. Everything else takes the slow road below. Raises RemoteProtocolError; the session decides what
follows. Spec: docs/spec/records.md, sections 3 and 4; docs/spec/frames.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from quantumgate.core.budget import FloodGauge
from quantumgate.core.channel import Channel
from quantumgate.core.events import ReservationAnswered, ReservationAsked, Said
from quantumgate.core.relay.links import PEER
from quantumgate.core.state import FRAMES, FrameRule, SessionPhase
from quantumgate.errors import ChannelReset, FloodError, MalformedError, ViolationError
from quantumgate.wire import features, frames, link_frames
from quantumgate.wire.codes import FIRST_GUEST_RESET_CODE, ResetCode, describe
from quantumgate.wire.limits import (
    CLOSE_TEXT_BYTES,
    CONTROL_MESSAGE_BYTES,
    CONTROLS_WAITING_MAX,
    FRAME_HEADER_BYTES,
    LATE_FRAMES_MAX,
    LATE_FRAMES_PER_OPEN,
    MAX_FRAMES_PER_RECORD,
    MESSAGE_CREDIT_BYTES,
    MESSAGE_TOTAL_BYTES,
    RESET_TEXT_BYTES,
    WINDOW_FREE_RAISE_BYTES,
)
from quantumgate.wire.reservation_frames import Grant, decode_reserve
from quantumgate.wire.session_tlvs import SessionBlock

if TYPE_CHECKING:
    from quantumgate.core.session import Session

_unpack_head = frames.HEAD.unpack_from
_unpack_total = frames.U32.unpack_from


class Incoming:
    """The receiving half of one session."""

    __slots__ = ("_control_gauge", "_late_left", "_open_gauge", "_partials", "_session", "last_peer_id")

    def __init__(self, session: Session) -> None:
        self._session = session
        self._partials: dict[int, bytearray] = {}
        self._control_gauge: FloodGauge | None = None
        self._open_gauge: FloodGauge | None = None
        self.last_peer_id = self._late_left = 0

    def process(self, body: memoryview) -> None:
        """One opened record."""
        session = self._session
        channels = session.channels
        max_message = session.block.max_message
        at, end, count = 0, len(body), 0
        had_messages = False
        while at < end:
            if end - at < FRAME_HEADER_BYTES:
                if body[at]:
                    raise MalformedError("a record ends inside a frame")
                break
            word, size_word = _unpack_head(body, at)
            start = at + FRAME_HEADER_BYTES
            at = start + (size_word & 0xFFFFFF)
            kind = word >> 24
            if kind == frames.PADDING:
                break
            count += 1
            if at > end or count > MAX_FRAMES_PER_RECORD:
                raise MalformedError("a frame is longer than its record" if at > end else "too many frames in a record")
            if kind == frames.MSG:
                had_messages = True
                channel = channels.get(word & 0xFFFFFF)
                if channel is not None and channel.ear and size_word >> 24 == frames.WHOLE:
                    size = at - start - MESSAGE_TOTAL_BYTES
                    cost = size + MESSAGE_CREDIT_BYTES
                    received = channel.received_bytes + cost
                    if size < 0 or _unpack_total(body, start)[0] != size:
                        raise MalformedError("a whole message that is not as long as its total")
                    if received > channel.receive_limit or size > max_message:
                        raise ViolationError(f"{received} bytes of {channel.receive_limit}, a message of {size}")
                    channel.received_bytes = received
                    if channel.on_message(bytes(body[start + MESSAGE_TOTAL_BYTES : at])):
                        channel.consumed_bytes += cost
                        if channel.receive_limit - channel.consumed_bytes <= channel.window_bytes >> 1:
                            channel.renew()
                    elif not channel.closed:
                        channel.hold(cost, size)
                else:
                    self._message(channel, word & 0xFFFFFF, size_word >> 24, bytes(body[start:at]))
            elif kind == link_frames.LINK_DATA:
                had_messages = True
                if session.phase is SessionPhase.READY or self._rule(kind) is FrameRule.TAKEN:
                    (session.links or session.all_links).data(word & 0xFFFFFF, size_word >> 24, body[start:at])
            else:
                last = at == end or body[at] == frames.PADDING
                self._control(kind, word & 0xFFFFFF, size_word >> 24, bytes(body[start:at]), last)
                if session.phase is SessionPhase.OVER:
                    return
        if had_messages:
            session.last_data_at = session.now

    def _message(self, channel: Channel | None, channel_id: int, flags: int, data: bytes) -> None:
        if channel is None and self._rule(frames.MSG) is FrameRule.IGNORED:
            return
        if flags & ~frames.MSG_FLAGS:
            raise MalformedError(f"MSG with flags {flags:#x}")
        if channel is not None:
            channel.receive(flags, data)
        else:
            self._require_ended(channel_id, "MSG")

    def _rule(self, kind: int) -> FrameRule:
        """What the table says of this type now. In a session that is over nothing is wrong any more."""
        phase = self._session.phase
        rule = FRAMES[phase].get(kind)
        if rule is None:
            if phase is SessionPhase.OVER:
                return FrameRule.IGNORED
            raise MalformedError(f"frame type {kind:#x} is not legal here ({phase.name})")
        return rule

    def _require_ended(self, channel_id: int, name: str) -> None:
        """Frames for ended channels are ignored, for never opened ones they are a violation."""
        if not self._session.was_opened(channel_id):
            raise ViolationError(f"{name} for channel {channel_id}, which was never opened")

    def channel_opened(self) -> None:
        """Each channel, ours or theirs, refused or not, explains a few frames that cross its end on the way."""
        self._late_left = min(self._late_left + LATE_FRAMES_PER_OPEN, LATE_FRAMES_MAX)

    # -- control frames ------------------------------------------------------------------------------------------

    def _control(self, kind: int, channel_id: int, flags: int, data: bytes, ends_record: bool) -> None:
        agreed = features.TYPES.get(kind)
        if agreed is not None and agreed.feature in self._session.agreed:
            self._agreed_frame(kind, agreed, channel_id, flags, data)
            return
        rule = self._rule(kind)
        if kind in link_frames.LINK_TYPES:
            if rule is FrameRule.TAKEN:
                self._session.all_links.control(kind, channel_id, flags, data)
            return
        on_channel, long = kind in frames.CHANNEL_TYPES, kind in frames.LONG_TYPES
        if bool(channel_id) != on_channel or (flags and not long):
            raise MalformedError(f"frame type {kind:#x} with flags {flags:#x} on channel {channel_id}")
        if rule is FrameRule.IGNORED:
            return
        if self._session.role != PEER and kind in (frames.CH_OPEN, frames.EXT_UPDATE):
            raise ViolationError("a session that only carries links takes no channels")
        if on_channel:
            self._channel_frame(kind, channel_id, data)
        elif long:
            self._long_frame(kind, flags, data)
        else:
            self._single_frame(kind, data, ends_record)

    def _agreed_frame(self, kind: int, agreed: features.Agreed, channel_id: int, flags: int, data: bytes) -> None:
        """Of a type that stands in both sides' FEATURES, for whoever listens to it."""
        session = self._session
        if channel_id or (flags and not agreed.long):
            raise MalformedError(f"frame type {kind:#x} with flags {flags:#x} on channel {channel_id}")
        if session.phase is SessionPhase.CLOSING:
            return
        if agreed.long:
            self._long_frame(kind, flags, data)
        else:
            self.count_control()
            session.emit(Said(kind, agreed.decode(data)))

    def _single_frame(self, kind: int, data: bytes, ends_record: bool) -> None:
        session = self._session
        if kind == frames.CLOSE:
            session.peer_closed(*frames.decode_reason(data, CLOSE_TEXT_BYTES))
        elif kind == frames.PING:
            self.count_control()
            session.outgoing.pong(frames.decode_u64(data, "PING"))
        elif kind == frames.PONG:
            if not session.liveness.pong(frames.decode_u64(data, "PONG"), session.now):
                self.count_control()
        elif kind == frames.KEY_SWITCH:
            if data or not ends_record:
                raise MalformedError("KEY_SWITCH is empty and the last frame of its record")
            session.rekey.peer_switched()
        elif kind in (frames.RESERVE, frames.RESERVED):
            self._reservation(kind, data)

    def _reservation(self, kind: int, data: bytes) -> None:
        """Between peers with names only; each is a control frame that counts."""
        session = self._session
        if session.role != PEER or session.peer is None or session.local is None:
            raise ViolationError("a reservation in a session that only carries links, or of somebody without a name")
        self.count_control()
        asked = kind == frames.RESERVE
        session.emit(ReservationAsked(decode_reserve(data)) if asked else ReservationAnswered(Grant.decode(data)))

    def _long_frame(self, kind: int, flags: int, data: bytes) -> None:
        partial = self._partials.get(kind)
        if flags & ~frames.WHOLE or bool(flags & frames.FIRST) == (partial is not None):
            raise MalformedError(f"a piece of control message {kind:#x} with flags {flags:#x}")
        if partial is None:
            self.count_control()
            partial = self._partials[kind] = bytearray()
        if len(partial) + len(data) > CONTROL_MESSAGE_BYTES or not (data or flags & frames.LAST):
            raise MalformedError(f"control message {kind:#x} is too long, or a piece of it is empty")
        partial += data
        if flags & frames.LAST:
            del self._partials[kind]
            self._long_message(kind, bytes(partial))

    def _long_message(self, kind: int, data: bytes) -> None:
        session = self._session
        if kind in features.TYPES:
            session.emit(Said(kind, features.TYPES[kind].decode(data)))
        elif kind == frames.SESSION:
            session.agree(SessionBlock.decode(data))
        elif kind == frames.EXT_UPDATE:
            session.peer_extenders_changed(frames.decode_extenders(data))
        elif kind == frames.REKEY_REQ:
            session.rekey.request_received(data)
        else:
            session.rekey.response_received(data)

    # -- channel frames ------------------------------------------------------------------------------------------

    def _channel_frame(self, kind: int, channel_id: int, data: bytes) -> None:
        if kind == frames.CH_OPEN:
            self._open(channel_id, frames.ChannelOpen.decode(data))
            return
        channel = self._session.channels.get(channel_id)
        if kind == frames.WINDOW:
            self._window(channel, channel_id, frames.decode_u64(data, "WINDOW"))
        elif kind == frames.CH_ACCEPT:
            if data:
                raise MalformedError("CH_ACCEPT is empty")
            channel.accepted_by_peer() if channel is not None else self._late(channel_id, "CH_ACCEPT")
        else:
            code, text = frames.decode_reason(data, RESET_TEXT_BYTES)
            if channel is None:
                self._late(channel_id, "CH_RESET")
                return
            name = describe(code, ResetCode) if code < FIRST_GUEST_RESET_CODE else f"extender code {code:#x}"
            channel.end(ChannelReset(f"reset by the peer: {name}" + (f": {text}" if text else ""), code))

    def _window(self, channel: Channel | None, channel_id: int, limit: int) -> None:
        if channel is None:
            self._late(channel_id, "WINDOW")
            return
        if not channel.stream and not channel.ours:
            raise ViolationError("WINDOW for messages that only the peer itself sends")
        if limit < channel.send_limit + WINDOW_FREE_RAISE_BYTES:
            self.count_control()
        channel.window(limit)

    def _late(self, channel_id: int, name: str) -> None:
        """A frame for a channel that ended here while it was on its way: a few for each channel are nobody's fault."""
        self._require_ended(channel_id, name)
        if self._late_left:
            self._late_left -= 1
        else:
            self.count_control()

    def _open(self, channel_id: int, opened: frames.ChannelOpen) -> None:
        session = self._session
        if self._open_gauge is None:
            self._open_gauge = FloodGauge(*session.limits.ch_open_rate, session.limits.flood_seconds, session.now)
        if self._open_gauge.count(session.now):
            raise FloodError("too many CH_OPEN")
        if session.outgoing.controls_waiting >= CONTROLS_WAITING_MAX:
            raise FloodError("CH_OPEN after CH_OPEN, and no answer is read")
        if channel_id <= self.last_peer_id or channel_id % 2 == int(session.initiator):
            raise ViolationError(f"CH_OPEN of channel {channel_id} after {self.last_peer_id}")
        self.last_peer_id = channel_id
        self.channel_opened()
        self._admit(channel_id, opened.extender, opened)

    def _admit(self, channel_id: int, extender: UUID, opened: frames.ChannelOpen) -> None:
        session = self._session
        most = session.block.max_channels
        if session.peer_channels >= most:
            session.outgoing.reset_channel(channel_id, ResetCode.LIMIT, f"{most} channels are open")
        elif session.closing:
            session.outgoing.reset_channel(channel_id, ResetCode.REFUSED, "the session is closing")
        else:
            stream, priority, label = opened.stream, opened.priority, opened.label
            channel = Channel(
                session, channel_id, extender, stream=stream, priority=priority, label=label, ours=False
            )
            session.peer_opened(channel)

    def count_control(self) -> None:
        """One control frame of those that have a budget. Raises FloodError."""
        session = self._session
        if self._control_gauge is None:
            rate, burst = session.limits.control_frame_rate
            self._control_gauge = FloodGauge(rate, burst, session.limits.flood_seconds, session.now)
        if self._control_gauge.count(session.now):
            raise FloodError("too many control frames")
