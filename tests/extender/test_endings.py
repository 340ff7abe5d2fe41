"""The reasons that ``connectionLost`` gives: Twisted's kinds, our codes."""

from __future__ import annotations

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.errors import ChannelReset, LimitError, SessionClosed
from quantumgate.extender.endings import StreamLost, StreamReset, reason_of


class EndingTests(SynchronousTestCase):
    """What a channel's ``on_closed`` says, translated."""

    def test_clean(self) -> None:
        self.assertIsNotNone(reason_of(None).check(ConnectionDone))

    def test_reset(self) -> None:
        """A ConnectionLost for Twisted's protocols, a ChannelReset with its code for ours, with our words."""
        failure = reason_of(ChannelReset("reset by the peer: limit", 4))
        for kind in (StreamReset, ChannelReset, ConnectionLost):
            self.assertIsNotNone(failure.check(kind))
        self.assertEqual((failure.value.code, str(failure.value)), (4, "reset by the peer: limit"))

    def test_session(self) -> None:
        failure = reason_of(SessionClosed("closed by the peer: idle", 1))
        for kind in (StreamLost, SessionClosed, ConnectionLost):
            self.assertIsNotNone(failure.check(kind))
        self.assertEqual((failure.value.code, str(failure.value)), (1, "closed by the peer: idle"))
        self.assertIsNone(reason_of(SessionClosed("lost")).value.code)

    def test_others_pass(self) -> None:
        """A limit stays the limit that it is."""
        self.assertEqual(reason_of(LimitError("x", 1)).value.name, "x")
