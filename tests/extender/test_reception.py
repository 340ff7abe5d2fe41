"""What peers bring: the arrival comes first, whatever the peer does. Streams: see test_streams.py."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.wire.codes import ResetCode
from tests.extender.guests import Boom, Meeting, Notes, Recorder


class ReceptionTests(SynchronousTestCase):
    """Seen from the guest on the right."""

    def test_order(self) -> None:
        """Arrived, then what it sent, then left."""
        meeting = Meeting()
        assert meeting.link is not None
        meeting.host.open_stream(meeting.peer, Recorder(), b"first").addErrback(lambda _: None)
        meeting.settle()
        meeting.link.close(reason="lost")
        expected = [("arrived", meeting.back), ("stream", b"first"), ("left", meeting.back, "lost")]
        self.assertEqual(meeting.right.calls, expected)

    def test_raising_on_arrival(self) -> None:
        """The peer is there all the same: its messages are delivered."""

        class Unfriendly(Notes):
            def peer_arrived(self, peer: Any) -> None:
                raise Boom

        meeting = Meeting(right=Unfriendly)
        meeting.host.offer(meeting.peer, b"x")
        meeting.settle()
        self.assertEqual(meeting.right.messages, [b"x"])
        self.flushLoggedErrors(Boom)

    def test_slow_arrival(self) -> None:
        """A ``peer_arrived`` that takes its time does not hold up messages."""
        meeting = Meeting(right=type("Slow", (Notes,), {"peer_arrived": lambda self, peer: Deferred()}))
        meeting.host.offer(meeting.peer, b"x")
        meeting.settle()
        self.assertEqual(meeting.right.messages, [b"x"])

    def test_guest_that_gives_up_on_arrival(self) -> None:
        """Where a peer's arrival was one fault too many, its channel is reset, not half taken."""

        class Fragile(Notes):
            def peer_arrived(self, peer: Any) -> None:
                raise Boom

        meeting = Meeting(right=Fragile, anonymous_left=True, anonymous=True)
        assert meeting.link is not None
        for _ in range(4):
            meeting.right_host._guests[0].fault("before", Boom())
        meeting.host.offer(meeting.peer, b"x")
        meeting.settle()
        self.assertEqual(meeting.right_host.snapshot()[0].state, "quarantined")
        (channel,) = meeting.link.sessions[0].sent,
        self.assertEqual((meeting.right.messages, len(channel)), ([], 1))
        self.assertEqual(meeting.link.sessions[1].channels, [])
        self.flushLoggedErrors(Boom)

    def test_code_for_the_nameless(self) -> None:
        """An anonymous peer learns that it needs an identity."""
        meeting = Meeting(anonymous_left=True)
        assert meeting.link is not None
        opened = meeting.host.open_stream(meeting.peer, Recorder())
        meeting.settle()
        self.assertEqual(self.failureResultOf(opened).value.code, ResetCode.IDENTITY_NEEDED)
