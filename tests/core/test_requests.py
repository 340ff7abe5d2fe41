"""Requests are told apart by being themselves: two alike may be under way at once."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.requests import KeyNeeded, PeerCheck, Verdict
from quantumgate.wire.codes import CloseCode


class RequestTests(SynchronousTestCase):
    def test_each_is_itself(self) -> None:
        for one, two in ((KeyNeeded(16), KeyNeeded(16)), (PeerCheck(None, 1, True), PeerCheck(None, 1, True))):
            self.assertEqual(one, one)
            self.assertNotEqual(one, two)
            self.assertEqual(len({one, two}), 2)

    def test_no_without_a_reason_is_access_denied(self) -> None:
        self.assertEqual(Verdict(False), Verdict(False, CloseCode.ACCESS_DENIED, ""))
