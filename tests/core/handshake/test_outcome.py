"""How a handshake ends, as values: what both sides hold, and what a failure tells nobody unless asked."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.handshake.outcome import Failed
from tests.core.handshake.duel import Duel, settings


class OutcomeTests(SynchronousTestCase):
    def test_both_sides_hold_the_same(self) -> None:
        one, two = Duel().run().established
        for name in ("role", "suite", "sid", "shared_secret", "retried"):
            self.assertEqual(getattr(one, name), getattr(two, name), name)
        self.assertEqual(one.root.reveal(), two.root.reveal())
        self.assertEqual(one.exporter.reveal(), two.exporter.reveal())
        self.assertEqual((one.initiator, two.initiator, one.peer, two.peer), (True, False, two.local, one.local))
        self.assertEqual((one.peer_session, one.leftover, two.leftover), (b"", b"", b""))

    def test_a_failure_says_nothing_by_itself(self) -> None:
        failed = Failed("authentication", "the handshake failed")
        self.assertEqual((failed.advice, failed.blame, failed.detail), ("", "", ""))
        self.assertFalse(failed.silent or failed.security_event)
        with self.assertRaises(FrozenInstanceError):
            failed.silent = True  # type: ignore[misc]

    def test_what_was_wrong_stays_in_the_detail(self) -> None:
        """The message for people is the same whichever check failed; only a local log may know more."""
        duel = Duel(r=settings("bob", network_id=b"another network")).run()
        failed = duel.failures[1]
        assert failed is not None
        self.assertEqual((failed.message, failed.silent), ("the handshake failed", True))
        self.assertNotEqual(failed.detail, "")
