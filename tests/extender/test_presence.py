"""What one guest has with one peer, and that all of it ends together."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.errors import SessionClosed
from quantumgate.extender.delivery import Sender
from quantumgate.extender.presence import Presence
from quantumgate.wire.codes import ResetCode
from tests.extender.fakes import FakeChannel
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
