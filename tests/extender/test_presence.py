"""What one guest has with one peer, and that all of it ends together."""

from __future__ import annotations

from collections import deque
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.errors import SessionClosed
from quantumgate.extender.delivery import Sender
from quantumgate.extender.presence import Presence
from quantumgate.wire.codes import ResetCode
from tests.extender.fakes import FakeChannel, FakeSession, Link
from tests.extender.guests import Meeting, Recorder


class PresenceTests(SynchronousTestCase):
    """Taken from a meeting of two guests."""

    def setUp(self) -> None:
        self.meeting = Meeting()
        presence = self.meeting.other.presence(self.meeting.back)
        assert isinstance(presence, Presence)
        self.presence = presence

    def test_one_outbox_for_each_priority(self) -> None:
        self.assertIs(self.presence.outbox(1), self.presence.outbox(1))
        self.assertIsNot(self.presence.outbox(1), self.presence.outbox(2))

    def test_only_the_normal_one_is_fast(self) -> None:
        """``offer`` must not end up in another class."""
        told: list[Sender | None] = []
        self.presence._fast = lambda peer, sender: told.append(sender)
        for priority in (1, 3):
            self.presence.outbox(priority).send(b"x")
        self.assertEqual(told, [])
        self.presence.outbox(2).send(b"x")
        self.assertEqual(len(told), 1)

    def test_ends_together(self) -> None:
        """Waiting sends, streams and channels from the peer, with one reason; and twice is once."""
        meeting = self.meeting
        assert meeting.link is not None
        meeting.host.open_stream(meeting.peer, Recorder()).addErrback(lambda _: None)
        meeting.host.send(meeting.peer, b"x")
        meeting.settle()
        waiting = [meeting.other.send(meeting.back, bytes(FakeChannel.mark_bytes)) for _ in range(2)][1]
        incoming = [channel for channel in meeting.link.sessions[1].channels if not channel.ours]
        self.assertEqual((len(incoming), self.presence.stream_count), (2, 1))
        for _ in range(2):
            self.presence.end(SessionClosed("over", 5), ResetCode.GUEST_FAILED)
        self.assertEqual(self.failureResultOf(waiting, SessionClosed).value.code, 5)
        self.assertEqual([reason.value.code for reason in meeting.right.protocols[0].reasons], [5])
        self.assertEqual({channel.reset_code for channel in incoming}, {ResetCode.GUEST_FAILED})
        self.assertEqual(self.presence.stream_count, 0)

    def test_ended_channels_are_forgotten(self) -> None:
        """A peer that opens and resets message channels for ever does not grow a list."""
        assert self.meeting.link is not None
        session: Any = self.meeting.link.sessions[0]
        for _ in range(50):
            channel = session.open_channel(self.meeting.left_host.uuids()[0], stream=False)
            self.meeting.settle()
            channel.reset()
            self.meeting.settle()
        self.assertLess(len(self.presence._incoming), 3)


class SuccessionTests(SynchronousTestCase):
    """The peer is reached over another session: what begins goes there, in order behind what is under way."""

    def setUp(self) -> None:
        self.meeting = Meeting()
        self.meeting.host.send(self.meeting.peer, b"zero")
        self.meeting.settle()
        self.right = self.meeting.right

    @property
    def old(self) -> Any:
        return self.meeting.link

    def succeed(self) -> Link:
        """A second link between the two, which takes over at both ends."""
        first = self.old
        left, right = first.sides
        second = Link.__new__(Link)
        second.sides, second.peers, second.due = first.sides, first.peers, deque()
        second.sessions = (FakeSession(second, first.sessions[0].peer_extenders),
                           FakeSession(second, first.sessions[1].peer_extenders))
        second.sessions[0].twin, second.sessions[1].twin = second.sessions[1], second.sessions[0]
        for host, peer, session in zip((left, right), first.peers, second.sessions, strict=True):
            session.offered = lambda channel, host=host, peer=peer: host.channel_opened(peer, channel)
            host.session_succeeded(peer, session)
        return second

    def pump(self, *links: Link) -> None:
        """Whatever the order in which two circuits are."""
        for link in links:
            link.pump()

    def test_nobody_is_told(self) -> None:
        before = list(self.right.calls)
        self.pump(self.succeed(), self.old)
        self.assertEqual(self.right.calls, before)

    def test_messages_stay_in_order_though_the_new_circuit_is_faster(self) -> None:
        host, peer = self.meeting.host, self.meeting.peer
        for message in (b"one", b"two"):
            host.send(peer, message)
        new = self.succeed()
        for message in (b"three", b"four"):
            host.send(peer, message)
        self.pump(new)
        self.assertEqual(self.right.messages, [b"zero"])
        self.pump(self.old, new)
        self.assertEqual(self.right.messages, [b"zero", b"one", b"two", b"three", b"four"])

    def test_and_though_the_guest_takes_its_time(self) -> None:
        """A message that waits for the guest's Deferred holds up what came over the new circuit, too."""
        host, peer = self.meeting.host, self.meeting.peer
        slow: Deferred[None] = Deferred()
        self.right.answer = lambda: slow
        host.send(peer, b"one")
        self.pump(self.old)
        new = self.succeed()
        host.send(peer, b"two")
        self.pump(self.old, new)
        self.assertEqual(self.right.messages, [b"zero", b"one"])
        self.right.answer = None
        slow.callback(None)
        self.pump(self.old, new)
        self.assertEqual(self.right.messages, [b"zero", b"one", b"two"])

    def test_priorities_do_not_wait_for_one_another(self) -> None:
        host, peer = self.meeting.host, self.meeting.peer
        host.send(peer, b"normal")
        new = self.succeed()
        host.send(peer, b"urgent", priority=1)
        self.pump(new)
        self.assertEqual(self.right.messages, [b"zero", b"urgent"])

    def test_what_waited_for_room_goes_over_the_new_one(self) -> None:
        host, peer = self.meeting.host, self.meeting.peer
        large = [bytes((number,)) * FakeChannel.mark_bytes for number in range(3)]
        sends = [host.send(peer, message) for message in large]
        new = self.succeed()
        self.pump(self.old, new, self.old, new)
        self.assertEqual(self.right.messages[1:], large)
        for each in sends:
            self.successResultOf(each)
        self.assertTrue(host.offer(peer, b"and again"))
        self.pump(new)
        self.assertEqual(self.right.messages[-1], b"and again")

    def test_an_old_circuit_that_is_lost_holds_nothing_back(self) -> None:
        host, peer = self.meeting.host, self.meeting.peer
        host.send(peer, b"lost on the way")
        new = self.succeed()
        host.send(peer, b"heard")
        self.pump(new)
        for session in self.old.sessions:
            for channel in list(session.channels):
                channel.end(SessionClosed("lost"))
        self.pump(new)
        self.assertEqual(self.right.messages, [b"zero", b"heard"])

    def test_streams_run_on_and_say_so(self) -> None:
        mine = Recorder()
        self.meeting.host.open_stream(self.meeting.peer, mine).addErrback(lambda _: None)
        self.meeting.settle()
        transport: Any = mine.transport
        self.assertFalse(transport.superseded)
        new = self.succeed()
        self.assertTrue(transport.superseded)
        transport.write(b"still")
        self.pump(self.old, new)
        self.assertEqual(self.right.protocols[0].received, b"still")
        other = Recorder()
        self.meeting.host.open_stream(self.meeting.peer, other).addErrback(lambda _: None)
        self.pump(new)
        self.assertEqual((len(self.right.protocols), other.transport.superseded), (2, False))  # type: ignore[union-attr]
        self.assertEqual(sum(channel.stream for channel in new.sessions[0].channels), 1)
        for host, peer, session in zip(self.old.sides, self.old.peers, self.old.sessions, strict=True):
            host.session_succeeded(peer, session)  # the new one was lost
        self.assertEqual((transport.superseded, other.transport.superseded), (False, True))  # type: ignore[union-attr]

    def test_what_is_held_back_goes_with_the_peer(self) -> None:
        host, peer = self.meeting.host, self.meeting.peer
        host.send(peer, b"one")
        new = self.succeed()
        host.send(peer, b"two")
        self.pump(new)
        self.meeting.right_host.session_closed(self.meeting.back, "over")
        self.assertEqual(self.right.messages, [b"zero"])
