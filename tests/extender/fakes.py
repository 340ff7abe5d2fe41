"""Two sessions without cryptography, joined by queues, that obey the contract of core Session and Channel; a landlord.

``Link.pump`` moves everything that credit allows. Not for: proving that the core keeps the contract: the tests that
use ``quantumgate.testing.pair`` run the same guests over real sessions.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from quantumgate.control.find_reports import ProviderReport, ProvidersReport
from quantumgate.errors import ChannelReset, ConnectFailed, LimitError, SessionClosed
from quantumgate.extender.host import ExtenderHost
from quantumgate.extender.registry import Registration

MAX_MESSAGE_BYTES = 1 << 20
NAMES = UUID("8d5f0f5e-6d63-4f2b-9c0a-4f0b9a0f7a11")


def _ignore(*_: Any) -> None:
    return None


class FakePeer:
    """An IPeer."""

    endpoint, direction, authenticated, relayed = "memory", "inbound", True, False

    def __init__(self, name: str, anonymous: bool = False) -> None:
        self.name, self.path = name, []
        self.uuid = None if anonymous else uuid5(NAMES, name)


class FakeChannel:
    """One end of a channel. Small marks, so that tests reach them."""

    window_bytes = 4096
    mark_bytes = 8192
    error_bytes = 65536

    def __init__(self, session: FakeSession, extender: UUID, stream: bool, priority: int, label: bytes, ours: bool):
        self.session, self.extender, self.stream = session, extender, stream
        self.priority, self.label, self.ours = priority, label, ours
        self.twin: FakeChannel = self
        self.closed = self.answered = self.busy = self.wants_room = False
        self.fin_queued = self.fin_sent = self.fin_received = False
        self.outbox: deque[bytes] = deque()
        self.inbox: deque[bytes | None] = deque()
        self.queued_bytes = self.held_bytes = 0
        self.credit = self.window_bytes
        self.reset_code: int | None = None
        self.accepts = 0
        self.on_message: Callable[[bytes], bool] = lambda _: True
        self.on_data: Callable[[bytes], None] = _ignore
        self.on_fin: Callable[[], None] = _ignore
        self.on_room: Callable[[], None] = _ignore
        self.on_accepted: Callable[[], None] = _ignore
        self.on_closed: Callable[[Any], None] = _ignore

    def accept(self) -> None:
        assert not self.ours and not self.answered and not self.closed, "accept: once, by the one who was asked"
        self.answered = True
        self.session.link.later(self.twin.was_accepted)
        self.drain()

    def was_accepted(self) -> None:
        if not self.closed:
            self.answered = True
            self.on_accepted()

    def reset(self, code: int = 0, text: str = "") -> None:
        if self.closed:
            return
        self.reset_code = int(code)
        reason = ChannelReset(f"reset by the peer: {text}", int(code))
        self.session.link.later(lambda: self.twin.end(reason))
        self.end(ChannelReset(text or "reset by this side", int(code)))

    def end(self, reason: Any) -> None:
        if not self.closed:
            self.closed = True
            self.outbox.clear()
            self.inbox.clear()
            self.queued_bytes = 0
            self.session.channels.remove(self)
            self.on_closed(reason)

    def send(self, message: bytes, compress: bool = True) -> bool:
        assert type(message) is bytes and not self.stream and self.ours
        if self.closed or self.fin_queued:
            raise ChannelReset("the channel is closed")
        if self.queued_bytes and self.queued_bytes + len(message) > self.mark_bytes:
            self.wants_room = True
            return False
        if len(message) > MAX_MESSAGE_BYTES:
            raise LimitError("max_message_bytes", MAX_MESSAGE_BYTES)
        self.session.sent.append((message, compress))
        self.outbox.append(message)
        self.queued_bytes += len(message)
        return True

    def write(self, data: bytes) -> bool:
        assert type(data) is bytes and self.stream
        if self.closed or self.fin_queued:
            raise ChannelReset("the stream is closed")
        if self.queued_bytes + len(data) > self.error_bytes:
            self.reset(4, "writer went on past the queue")
            raise LimitError("queue_error_bytes", self.error_bytes)
        if data:
            self.outbox.append(data)
            self.queued_bytes += len(data)
        full = self.queued_bytes > self.mark_bytes
        self.wants_room = self.wants_room or full
        return not full

    def finish(self) -> None:
        self.fin_queued = True

    def consumed(self, n: int) -> None:
        assert not self.closed
        self.twin.credit += n

    def release(self) -> None:
        if not self.closed and self.busy:
            self.busy = False
            self.twin.credit += self.held_bytes
            self.drain()

    def drain(self) -> None:
        while self.inbox and self.answered and not self.busy and not self.closed:
            self.hand_over(self.inbox.popleft())

    def hand_over(self, entry: bytes | None) -> None:
        if entry is None:
            self.on_fin()
            if self.fin_sent or not self.stream:
                self.end(None)
        elif self.stream:
            self.on_data(entry)
        elif self.on_message(entry):
            if not self.closed:
                self.twin.credit += len(entry)
        elif not self.closed:
            self.busy, self.held_bytes = True, len(entry)

    def pump(self) -> bool:
        """Sends one piece. Whether there was one."""
        if self.closed or (not self.outbox and not (self.fin_queued and not self.fin_sent)):
            return False
        if self.outbox:
            entry = self.outbox.popleft()
            piece = entry[: max(self.credit, 0)] if self.stream else entry
            if entry and self.credit <= 0:
                self.outbox.appendleft(entry)
                return False
            if len(piece) < len(entry):
                self.outbox.appendleft(entry[len(piece) :])
            self.credit -= len(piece)
            self.queued_bytes -= len(piece)
            self.deliver(piece)
            if self.wants_room and self.queued_bytes <= self.mark_bytes // 2 and not self.closed:
                self.wants_room = False
                self.on_room()
            return True
        self.fin_sent = True
        self.deliver(None)
        if self.fin_received or not self.stream:
            self.end(None)
        return True

    def deliver(self, entry: bytes | None) -> None:
        twin = self.twin
        if not twin.closed:
            twin.fin_received = twin.fin_received or entry is None
            twin.inbox.append(entry)
            twin.drain()


class FakeSession:
    """One side of a link."""

    def __init__(self, link: Link, peer_extenders: frozenset[UUID]) -> None:
        self.link, self.peer_extenders = link, peer_extenders
        self.twin: FakeSession = self
        self.channels: list[FakeChannel] = []
        self.offered: Callable[[FakeChannel], None] = _ignore
        self.sent: list[tuple[bytes, bool]] = []
        self.closed = False
        self.most_channels = 512

    def open_channel(self, extender: UUID, *, stream: bool, priority: int = 2, label: bytes = b"") -> FakeChannel:
        if self.closed:
            raise SessionClosed("the session is closed")
        if len(self.channels) >= self.most_channels:
            raise LimitError("max_channels", self.most_channels)
        ours = FakeChannel(self, extender, stream, priority, label, True)
        theirs = FakeChannel(self.twin, extender, stream, priority, label, False)
        ours.twin, theirs.twin = theirs, ours
        self.channels.append(ours)
        self.twin.channels.append(theirs)
        self.link.later(lambda: None if theirs.closed else self.twin.offered(theirs))
        return ours


class Link:
    """Two hosts, ``left`` and ``right``, each with the other as a peer."""

    def __init__(self, left: ExtenderHost, right: ExtenderHost, *, anonymous_left: bool = False) -> None:
        self.sides = (left, right)
        self.sessions = (
            FakeSession(self, frozenset(right.uuids())),
            FakeSession(self, frozenset() if anonymous_left else frozenset(left.uuids())),
        )
        self.sessions[0].twin, self.sessions[1].twin = self.sessions[1], self.sessions[0]
        self.peers = (FakePeer("right"), FakePeer("left", anonymous_left))
        self.due: deque[Callable[[], None]] = deque()
        for host, peer, session in zip(self.sides, self.peers, self.sessions, strict=True):
            session.offered = lambda channel, host=host, peer=peer: host.channel_opened(peer, channel)  # type: ignore[misc]
        for host, peer, session in zip(self.sides, self.peers, self.sessions, strict=True):
            host.session_ready(peer, session)

    def later(self, function: Callable[[], None]) -> None:
        self.due.append(function)

    def step(self) -> bool:
        """One event, or one piece of each channel. Whether anything happened."""
        if self.due:
            self.due.popleft()()
            return True
        channels = [channel for session in self.sessions for channel in session.channels]
        return sum(channel.pump() for channel in channels) > 0

    def pump(self) -> None:
        while self.step():
            pass

    def lists_changed(self) -> None:
        """Both sides tell each other which extenders they run."""
        for at in (0, 1):
            self.sessions[at].peer_extenders = frozenset(self.sides[1 - at].uuids())
            self.sides[at].extenders_changed(self.peers[at], self.sessions[at])

    def close(self, code: int | None = 0, reason: str = "bye") -> None:
        """As the core does: every channel is told first, then the node."""
        self.due.clear()
        for at, session in enumerate(self.sessions):
            if session.closed:
                continue
            session.closed = True
            error = SessionClosed(reason, code)
            for channel in list(session.channels):
                channel.end(error)
            self.sides[at].session_closed(self.peers[at], reason, error)


class FakeLandlord:
    """The node around the guests."""

    def __init__(self, clock: Clock, name: str = "node", directory: str = "unused") -> None:
        self.uuid, self.clock, self.data_directory = uuid5(NAMES, name), clock, Path(directory)
        self.reports: list[tuple[Any, str, str]] = []
        self.disconnected: list[Any] = []
        self.forbidden: set[tuple[Any, UUID]] = set()
        self.changes = 0

    def connect(self, address: str, hops: int | None, via: Any) -> Deferred[Any]:
        return fail(ConnectFailed("no-answer", f"nobody at {address}"))

    def disconnect(self, peer: Any) -> Deferred[None]:
        self.disconnected.append(peer)
        return succeed(None)

    def find_providers(self, extender: UUID) -> Deferred[Any]:
        return succeed(ProvidersReport(
            extender=str(extender), found=True, end="found", asked=9, answered=8, seconds=0.5,
            providers=[ProviderReport(uuid=str(uuid5(NAMES, "there")), age_seconds=60.0, endpoints=["192.0.2.7:9999"],
                                      record="qgr:AAAA"),
                       ProviderReport(uuid=str(uuid5(NAMES, "behind")), age_seconds=5.0, record="qgr:BBBB")],
        ))

    def admits(self, peer: Any, extender: UUID) -> bool:
        return (peer, extender) not in self.forbidden

    def report(self, peer: Any, extender: str, offence: str) -> None:
        self.reports.append((peer, extender, offence))

    def extenders_changed(self) -> None:
        self.changes += 1


def started(clock: Clock, *registrations: Registration, name: str = "node") -> ExtenderHost:
    """A host whose guests have been started."""
    host = ExtenderHost(registrations, FakeLandlord(clock, name))
    host.start()
    return host
