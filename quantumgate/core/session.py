"""One session after its handshake: records in, records out, channels, and how it ends. Spec: docs/spec/session.md.

It touches nothing: bytes, time and luck are arguments. Its parts: ``incoming`` (what arrives), ``outgoing`` (what
goes next), ``rekey`` and ``liveness``. Not for: the handshake, or what extenders mean by their messages.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from uuid import UUID

from quantumgate.core import schedule
from quantumgate.core.channel import Channel
from quantumgate.core.credit import CreditPool, Loans
from quantumgate.core.events import ChannelOffered, Closed, Event, ExtendersChanged, Ready
from quantumgate.core.hands import Hands
from quantumgate.core.handshake.outcome import Established
from quantumgate.core.incoming import Incoming
from quantumgate.core.liveness import Liveness
from quantumgate.core.outgoing import Outgoing
from quantumgate.core.padding import cell_body_bytes, cell_of, padded_body_bytes, wanted_cells
from quantumgate.core.records import RecordOpener, RecordSealer
from quantumgate.core.rekey import Rekey
from quantumgate.core.relay.links import PEER, Links
from quantumgate.core.session_settings import SessionSettings
from quantumgate.core.state import SESSION, Change
from quantumgate.core.state import SessionPhase as Phase
from quantumgate.crypto.aead import AeadKey
from quantumgate.crypto.random import RandomSource
from quantumgate.errors import (
    FloodError,
    LimitError,
    LocalError,
    MalformedError,
    RemoteProtocolError,
    SessionClosed,
    ViolationError,
)
from quantumgate.wire import frames
from quantumgate.wire.codes import CloseCode, LinkCode, ResetCode, describe
from quantumgate.wire.features import agreed_on
from quantumgate.wire.limits import (
    CHANNEL_ID_MAX,
    CLOSE_TEXT_BYTES,
    CONTROL_MESSAGE_BYTES,
    FIRST_RECORD_BYTES,
    LABEL_BYTES,
    OPENS_WAITING_MAX,
    RECORD_HEADER_BYTES,
    RECORD_OVERHEAD_BYTES,
    SLOW_PATH_BYTES_PER_SECOND,
)
from quantumgate.wire.session_tlvs import CELLS, VERSION_NUMBER, SessionBlock, token_tlv

RATE_WINDOW_SECONDS = 0.1
DAMAGED = "damaged"
IDS_USED_UP = "the channel ids of this session are used up: the next session has new ones"
_ZEROS = bytes(64 * 1024)
_UNKNOWN = SessionBlock(max_record=FIRST_RECORD_BYTES, max_channels=0, compression=())
"""What is assumed of a peer whose SESSION has not come."""


class Session:
    """See the module. ``now`` is the caller's monotonic time of the last thing that happened."""

    __slots__ = (
        "_buffers",
        "_close_reason",
        "_closed_told",
        "_ids_missed",
        "_keep",
        "_next_id",
        "_opener",
        "_our_open",
        "_phase_until",
        "_rate_bytes",
        "_rate_since",
        "_record_room",
        "_sealer",
        "_slow",
        "_unanswered",
        "agreed",
        "block",
        "bytes_received",
        "bytes_sent",
        "cells",
        "channels",
        "compressing",
        "damaged",
        "events",
        "exporter",
        "hands",
        "incoming",
        "initiator",
        "last_data_at",
        "last_received_at",
        "limits",
        "links",
        "liveness",
        "loans",
        "local",
        "now",
        "on_output",
        "outgoing",
        "over",
        "path_lost",
        "peer",
        "peer_block",
        "peer_channels",
        "peer_delegation",
        "peer_extenders",
        "phase",
        "pool",
        "queued_bytes",
        "random",
        "rekey",
        "rekey_mark_bytes",
        "role",
        "rtt_seconds",
        "settings",
        "shared_secret",
        "sid",
        "signer",
        "suite",
        "timer_moved",
        "woken",
    )

    def __init__(
        self, established: Established, settings: SessionSettings, block: SessionBlock, random: RandomSource, now: float
    ) -> None:
        """``block`` is the SESSION block that we sent or send."""
        self.settings, self.limits, self.block, self.random = settings, settings.limits, block, random
        self.signer = established.signer
        self._close_reason: tuple[int, str] = (CloseCode.BYE, "")
        self._unanswered: deque[tuple[float, Channel]] = deque()
        self.initiator, self.role = established.initiator, established.role
        self.peer, self.local, self.peer_delegation = established.peer, established.local, established.peer_delegation
        self.suite, self.sid, self.exporter = established.suite, established.sid, established.exporter
        self.shared_secret, self.timer_moved = established.shared_secret, True
        self.peer_block = _UNKNOWN
        self.peer_extenders: frozenset[UUID] = frozenset()
        self.compressing, self._keep, self.agreed = False, settings.keep, frozenset[int]()
        self.now = self.last_received_at = self.last_data_at = now
        self.bytes_sent = self.bytes_received = self.queued_bytes = 0
        self.rtt_seconds: float | None = None
        self.phase, self.path_lost, self.damaged = Phase.OPENING, False, False
        self.over = False
        """Nothing is delivered any more. Kept beside ``phase``: it is asked at every record."""
        self._phase_until: float | None = now + self.limits.session_seconds if self.initiator else None
        self.events: deque[Event] = deque()
        self._closed_told = self._ids_missed = False
        self.on_output: Callable[[], None] = _nothing
        self.woken = False
        self.channels: dict[int, Channel] = {}
        self._next_id = 1 if self.initiator else 2
        self._our_open = self.peer_channels = 0
        self.pool = CreditPool(self.limits.window_pool_peer_bytes, settings.node_pool)
        self.loans, self.hands = Loans(self.pool), Hands(self)
        self.links: Links | None = None
        self._record_room = FIRST_RECORD_BYTES
        self.cells = cell_body_bytes(settings.cell_depth) if settings.padding == "cells" else None
        self._slow = False
        self._rate_since, self._rate_bytes = now, 0
        self.rekey_mark_bytes = 0
        i2r, r2i = schedule.record_keys(established.root, self.suite.aead)
        self._sealer = RecordSealer(i2r if self.initiator else r2i)
        self._opener = RecordOpener(r2i if self.initiator else i2r)
        self.outgoing = Outgoing(self)
        self.incoming = Incoming(self)
        self.liveness = Liveness(self, now)
        self.rekey = Rekey(self, established.root, now)

    # -- state ---------------------------------------------------------------------------------------------------

    def _change(self, change: Change, until: float | None = None) -> None:
        """One step along the table; ``until`` is when the new phase ends by itself."""
        self.phase = SESSION[self.phase, change]
        self._phase_until, self.timer_moved = until, True
        self.over = self.phase is Phase.OVER

    @property
    def ready(self) -> bool:
        """Whether both SESSION blocks are known."""
        return self.phase is not Phase.OPENING

    @property
    def closing(self) -> bool:
        """No new channels any more."""
        return self.phase not in (Phase.OPENING, Phase.READY)

    @property
    def keep(self) -> bool:
        """Whether an idle session is held open."""
        return self._keep

    @keep.setter
    def keep(self, keep: bool) -> None:
        self._keep, self.timer_moved = keep, True
        self.wake()

    @property
    def record_room_bytes(self) -> int:
        """The largest record that is sent, on the wire."""
        return self.cells[1] + RECORD_OVERHEAD_BYTES if self.cells else self._record_room

    @property
    def key_epoch(self) -> int:
        """How often the keys were renewed."""
        return self.rekey.epoch

    def emit(self, event: Event) -> None:
        """Tell whoever drives the connection."""
        self.events.append(event)

    def wake(self) -> None:
        """Something waits to be sent."""
        if not self.woken:
            self.woken = True
            self.on_output()

    # -- SESSION -------------------------------------------------------------------------------------------------

    def begin_as_responder(self, peer_session: bytes, token: bytes = b"") -> None:
        """Our SESSION goes first, with this token; the initiator's came in msg3. Raises MalformedError."""
        self.outgoing.long_control(frames.SESSION, self.block.encode() + token_tlv(token))
        self.agree(SessionBlock.decode(peer_session))

    def agree(self, peer: SessionBlock) -> None:
        """Both SESSION blocks are known. Raises MalformedError for a peer that does not speak the version it chose."""
        if peer.version < VERSION_NUMBER:
            raise MalformedError(f"highest version {peer.version} in a session of version {VERSION_NUMBER}")
        self.peer_block = peer
        self.peer_extenders = peer.extenders
        self._record_room = min(peer.max_record, self.limits.max_record_bytes)
        if not self.initiator and (self.role != PEER or self.settings.relayed):
            self.cells = wanted_cells(peer.padding - CELLS)
        named = self.peer is not None and self.local is not None
        self.agreed = agreed_on(self.role, self.block.features, peer.features, named=named)
        self.compressing = bool(self.block.compression) and bool(set(peer.compression) & set(self.block.compression))
        self._change(Change.AGREE)
        self.emit(Ready(self))

    def set_extenders(self, extenders: Iterable[UUID]) -> None:
        """Tell the peer another list of extenders; of several in a row only the last may ever be sent.

        Raises LimitError for a list that does not fit a control message.
        """
        data = frames.encode_extenders(tuple(sorted(set(extenders))))
        if len(data) > CONTROL_MESSAGE_BYTES:
            raise LimitError("control_message_bytes", CONTROL_MESSAGE_BYTES, "none: it is fixed")
        self.outgoing.announce(data)

    def peer_extenders_changed(self, extenders: frozenset[UUID]) -> None:
        """EXT_UPDATE came."""
        self.peer_extenders = extenders
        self.emit(ExtendersChanged(extenders))

    # -- channels ------------------------------------------------------------------------------------------------

    def open_channel(self, extender: UUID, *, stream: bool, priority: int = 2, label: bytes = b"") -> Channel:
        """A new channel of ours; over the peer's max_channels it waits, unsent, until another one ends.

        Raises SessionClosed, also when the ids are used up, or LimitError for a label of more than 64 bytes, or when
        too many channels wait already.
        """
        if self.phase is not Phase.READY:
            raise SessionClosed("the session is not open")
        if self.role != PEER:
            raise LocalError("this session only carries links")
        if len(label) > LABEL_BYTES:
            raise LimitError("label_bytes", LABEL_BYTES)
        if self.ids_used_up:
            self._ids_missed = self.timer_moved = True
            self.wake()
            raise SessionClosed(IDS_USED_UP, CloseCode.OUT_OF_RESOURCES)
        if self.outgoing.opens_waiting >= OPENS_WAITING_MAX:
            raise LimitError("opens_waiting", OPENS_WAITING_MAX)
        if priority not in frames.PRIORITIES:
            raise LocalError(f"a channel's priority is 1, 2 or 3, not {priority}")
        channel = Channel(self, 0, extender, stream=stream, priority=priority, label=label, ours=True)
        self.outgoing.open(channel)
        return channel

    @property
    def ids_used_up(self) -> bool:
        """Ids are never used twice in a session; after the last one only another session has channels."""
        return self._next_id > CHANNEL_ID_MAX

    @property
    def _worn_out(self) -> bool:
        """Whether somebody wants a channel for which there is no id: the session is to be renewed (ADR 0013)."""
        return self.ids_used_up and (self._ids_missed or self.outgoing.opens_waiting > 0)

    def _end_worn_out(self, now: float) -> None:
        for waiting in self.outgoing.take_unopened():
            waiting.end(SessionClosed(IDS_USED_UP, CloseCode.OUT_OF_RESOURCES))
        self.close(CloseCode.OUT_OF_RESOURCES, IDS_USED_UP, now)

    def may_open(self) -> bool:
        """Whether the peer's max_channels leaves room for one more of ours."""
        return self._our_open < self.peer_block.max_channels and not self.ids_used_up

    def channel_opens(self, channel: Channel) -> None:
        """CH_OPEN of this channel goes into the record that is being filled: now it gets its id."""
        channel.id = self._next_id
        channel.opened = True
        self._unanswered.append((self.now, channel))
        self._next_id += 2
        self._our_open += 1
        self.channels[channel.id] = channel
        self.incoming.channel_opened()
        self.timer_moved = True

    def peer_opened(self, channel: Channel) -> None:
        """CH_OPEN came and there is room for it."""
        self.channels[channel.id] = channel
        self.peer_channels += 1
        self.timer_moved = True
        self.emit(ChannelOffered(channel))

    def was_opened(self, channel_id: int) -> bool:
        """Whether this id was ever in use; frames for ended channels are ignored."""
        ours = channel_id % 2 == int(self.initiator)
        return 0 < channel_id < self._next_id if ours else 0 < channel_id <= self.incoming.last_peer_id

    def channel_ended(self, channel: Channel) -> None:
        """Called by the channel, once."""
        if self.channels.pop(channel.id, None) is not None:
            if channel.ours:
                self._our_open -= 1
                self.wake()
            else:
                self.peer_channels -= 1
        self.hands.forget(channel)
        self.loans.forget(channel)
        if not self.in_use:
            self.liveness.channel_ended(self.now)

    @property
    def in_hands_bytes(self) -> int:
        """Inflated bytes of messages that guests have not released."""
        return self.hands.held_bytes

    # -- links -----------------------------------------------------------------------------------------------------

    @property
    def all_links(self) -> Links:
        """The session's links, made when the first one is."""
        if self.links is None:
            self.links = Links(self)
        return self.links

    @property
    def in_use(self) -> bool:
        """Whether a channel or a link is open."""
        return bool(self.channels) or (self.links is not None and bool(self.links.by_id))

    # -- bytes in ------------------------------------------------------------------------------------------------

    def header(self, header: memoryview) -> int:
        """Body bytes of the record whose header box this is. Raises RemoteProtocolError."""
        return self._opener.body_bytes(header, self.block.max_record)

    def body(self, header: memoryview, sealed: memoryview, now: float) -> None:
        """One whole record. Raises RemoteProtocolError; the caller gives it to ``fail``."""
        plain = self._opener.open_body(header, sealed)
        self.now = self.last_received_at = now
        self.bytes_received += len(sealed) + RECORD_HEADER_BYTES
        self.incoming.process(plain)
        if self.bytes_sent + self.bytes_received >= self.rekey_mark_bytes and self.phase is Phase.READY:
            self.rekey.data_moved(now)

    @property
    def records_sealed(self) -> int:
        """Records sent under the present key."""
        return self._sealer.records

    def receive_under(self, key: AeadKey) -> None:
        """The peer switched: the next record is under this key."""
        self._opener = RecordOpener(key)

    def key_is_worn(self, records_max: int, bytes_max: int) -> bool:
        """The hard stop: no key may protect more than this, in either direction."""
        sealer, opener = self._sealer, self._opener
        records = max(sealer.records, opener.records)
        return records >= records_max or max(sealer.sealed_bytes, opener.opened_bytes) >= bytes_max

    # -- bytes out -----------------------------------------------------------------------------------------------

    @property
    def wants_to_send(self) -> bool:
        """Whether ``seal_next`` could have something."""
        return self.outgoing.waiting

    def seal_next(self, buffer: memoryview, now: float) -> int:
        """Fill and seal one record into ``buffer``; its bytes, or 0 when nothing may be sent now."""
        self.now = now
        outgoing = self.outgoing
        if outgoing.roomy:
            self._tell_roomy()
        if self.over and not outgoing.has_control:
            return 0
        cells = self.cells
        most = cells[1] if cells else (FIRST_RECORD_BYTES if self._slow else self._record_room) - RECORD_OVERHEAD_BYTES
        view = buffer[RECORD_HEADER_BYTES : RECORD_HEADER_BYTES + most]
        used = outgoing.fill(view, most, now)
        if not used:
            self._rate_since, self._rate_bytes = now, 0
            return 0
        size = used if used == most else self._pad(view, used, most)
        sent = self._sealer.seal(buffer, size)
        self.bytes_sent += sent
        if not cells:
            self._measure_rate(sent, now)
        if outgoing.switch_placed:
            outgoing.switch_placed = False
            self._sealer = RecordSealer(self.rekey.switch_sent())
        elif self.bytes_sent + self.bytes_received >= self.rekey_mark_bytes and self.phase is Phase.READY:
            self.rekey.data_moved(now)
        if outgoing.roomy:
            self._tell_roomy()
        return sent

    def _tell_roomy(self) -> None:
        roomy, self.outgoing.roomy = self.outgoing.roomy, []
        for channel in roomy:
            channel.tell()

    def _pad(self, view: memoryview, used: int, most: int) -> int:
        if self.cells:
            size = cell_of(self.cells, used)
        elif self.settings.padding == "off":
            return used
        else:
            size = padded_body_bytes(used, most)
        for at in range(used, size, len(_ZEROS)):
            end = min(size, at + len(_ZEROS))
            view[at:end] = _ZEROS[: end - at]
        return size

    def _measure_rate(self, sent: int, now: float) -> None:
        """On a slow path records stay small, so that an interactive frame does not wait behind a quarter megabyte."""
        self._rate_bytes += sent
        elapsed = now - self._rate_since
        if elapsed >= RATE_WINDOW_SECONDS:
            self._slow = self._rate_bytes / elapsed < SLOW_PATH_BYTES_PER_SECOND
            self._rate_since, self._rate_bytes = now, 0

    # -- the end -------------------------------------------------------------------------------------------------

    def close(self, code: int, text: str, now: float, *, graceful: bool = True) -> None:
        """End the session: graceful = what is queued goes first (at most close_drain_seconds), then CLOSE."""
        self.now = now
        if self.phase in (Phase.CLOSING, Phase.OVER) or (graceful and self.phase is Phase.DRAINING):
            return
        if graceful and self.phase is Phase.READY and self._has_more:
            self._close_reason = (code, text)
            self._change(Change.CLOSE_GRACEFULLY, now + self.limits.close_drain_seconds)
            return
        self._send_close(code, text, now)

    @property
    def _has_more(self) -> bool:
        """Whether a graceful close has something to wait for: also what waits for credit."""
        return bool(self.queued_bytes) or self.wants_to_send

    def _send_close(self, code: int, text: str, now: float, change: Change = Change.CLOSE_NOW) -> None:
        self._change(change, now + self.limits.close_answer_seconds)
        self._end_channels(f"closed by this side: {describe(code, CloseCode)}", code)
        self.outgoing.last_words(frames.frame(frames.CLOSE, frames.encode_reason(code, text, CLOSE_TEXT_BYTES)))
        self._tell_closed(Closed(_word(code), text, code, clean=True, by="local"))

    def peer_closed(self, code: int, text: str) -> None:
        """CLOSE came: answer it once, then it is over."""
        answer = self.phase is not Phase.CLOSING
        self._change(Change.PEER_CLOSED)
        self._end_channels(f"closed by the peer: {describe(code, CloseCode)}", code)
        if answer:  # else our own CLOSE is said, or still waits to be: the two crossed
            bye = frames.frame(frames.CLOSE, frames.encode_reason(CloseCode.BYE, "", CLOSE_TEXT_BYTES))
            self.outgoing.last_words(bye)
        self.rekey.wipe()
        self._tell_closed(Closed(_word(code), text, code, clean=True, by="remote"))

    def lost(self, text: str, reason: str = "lost") -> None:
        """The path is gone: nothing can be said any more."""
        self.path_lost, self.damaged = True, self.damaged or reason == DAMAGED
        if self.phase is not Phase.OVER:
            self._change(Change.LOST)
            self._end_channels(text, None)
            self.outgoing.last_words(b"")
            self.rekey.wipe()
        self._tell_closed(Closed(reason, text, by="transport"))

    def fail(self, error: RemoteProtocolError, now: float) -> bool:
        """What the peer sent was wrong. True = the channel is dead: nothing more is sent, and input is discarded."""
        self.now = now
        if isinstance(error, ViolationError | FloodError) and self.phase not in (Phase.CLOSING, Phase.OVER):
            code = CloseCode.FLOOD if isinstance(error, FloodError) else CloseCode.VIOLATION
            self._send_close(code, str(error), now)
            return False
        self.lost(str(error), DAMAGED)
        return True

    def _end_channels(self, text: str, code: int | None) -> None:
        for channel in (*self.channels.values(), *self.outgoing.take_unopened()):
            channel.end(SessionClosed(text, code))
        self._unanswered.clear()
        self.loans.end()
        if self.links is not None:
            self.links.end_all(LinkCode.RESET)

    def _tell_closed(self, event: Closed) -> None:
        if not self._closed_told:
            self._closed_told = True
            self.emit(event)

    @property
    def said_everything(self) -> bool:
        """Over, and no answering CLOSE waits to be sealed."""
        return self.over and not self.outgoing.has_control

    # -- time ----------------------------------------------------------------------------------------------------

    def deadline(self) -> float:
        """When ``expire`` has something to do."""
        self.timer_moved = False
        times = [self._phase_until] if self._phase_until is not None else []
        if self.phase is Phase.READY:
            times += [self.now] if self._worn_out else [self.liveness.deadline(), self.rekey.deadline()]
        if self.phase in (Phase.READY, Phase.DRAINING):
            times += [at for at in (self._accept_deadline(), self._control_deadline()) if at is not None]
        return min(times, default=float("inf"))

    def _control_deadline(self) -> float | None:
        """When to ask for a record. Where one was asked for and does not come, the transport is full: ask no more."""
        at = self.outgoing.next_control_at()
        return None if at is None or (self.woken and at <= self.now) else at

    def _accept_deadline(self) -> float | None:
        waiting = self._unanswered
        while waiting and (waiting[0][1].answered or waiting[0][1].closed):
            waiting.popleft()
        return waiting[0][0] + self.limits.accept_seconds if waiting else None

    def expire(self, now: float) -> None:
        """Time has passed."""
        self.now = now
        if self._phase_until is not None and now >= self._phase_until:
            self._phase_over(now)
        if self.phase is Phase.READY:
            self.liveness.expire(now)
        if self.phase is Phase.READY:
            self.rekey.expire(now)
        if self.phase is Phase.READY and self._worn_out:
            self._end_worn_out(now)
        if self.phase in (Phase.READY, Phase.DRAINING):
            while (accept_at := self._accept_deadline()) is not None and now >= accept_at:
                self._unanswered.popleft()[1].reset(ResetCode.TIMEOUT, "no answer to CH_OPEN")
            at = self.outgoing.next_control_at()
            if at is not None and now >= at:
                self.wake()

    def _phase_over(self, now: float) -> None:
        if self.phase is Phase.OPENING:
            self.lost("not accepted: no SESSION from the peer", "not-accepted")
        elif self.phase is Phase.DRAINING:
            self._send_close(*self._close_reason, now, Change.DRAINED)
        else:
            self._change(Change.ANSWER_TIME)
            self.path_lost = True
            self.rekey.wipe()

    def drained(self, now: float) -> None:
        """Everything that was queued has been sealed; a graceful close goes on."""
        if self.phase is Phase.DRAINING and not self._has_more:
            self._send_close(*self._close_reason, now, Change.DRAINED)

    def ping(self, now: float) -> None:
        """Ask for a round trip; a Pong event follows."""
        self.liveness.ping(now, self.limits.ping_seconds, asked=True)

    def ping_urgently(self, now: float) -> None:
        """The clock jumped or the network changed: see within ping_urgent_seconds whether the peer is still there."""
        self.liveness.ping(now, self.limits.ping_urgent_seconds, asked=False)

    def export(self, label: bytes, context: bytes, size_bytes: int) -> bytes:
        """Key material for the application, bound to this session. Spec: docs/spec/key-schedule.md section 7."""
        return schedule.export(self.exporter, label, context, size_bytes).reveal()


def _nothing() -> None:
    return None


def _word(code: int) -> str:
    return describe(code, CloseCode).replace(" ", "-")
