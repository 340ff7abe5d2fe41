"""Errors say whose fault it is, and carry what a program needs beside the words."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate import errors
from quantumgate.errors import (
    BugError,
    ChannelReset,
    ConnectFailed,
    CryptoError,
    LimitError,
    LocalError,
    QuantumGateError,
    RemoteProtocolError,
    SessionClosed,
)

EVERY = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, QuantumGateError)]


class FamilyTests(SynchronousTestCase):
    def test_whose_fault(self) -> None:
        """Each error of a wrong step is local, remote or a bug, and of one only; ends are nobody's."""
        ends = {QuantumGateError, CryptoError, ConnectFailed, SessionClosed, ChannelReset}
        for kind in EVERY:
            blamed = [one for one in (LocalError, RemoteProtocolError, BugError) if issubclass(kind, one)]
            self.assertEqual(len(blamed), 0 if kind in ends else 1, kind.__name__)

    def test_each_says_what_it_is(self) -> None:
        self.assertEqual([kind.__name__ for kind in EVERY if not kind.__doc__], [])

    def test_advice(self) -> None:
        self.assertEqual(QuantumGateError("words").advice, "")
        self.assertEqual(LocalError("words", advice="do").advice, "do")
        self.assertEqual(QuantumGateError.advice, "", "advice belongs to one error, not to its class")


class CarriedTests(SynchronousTestCase):
    def test_limit(self) -> None:
        error = LimitError("sessions", 8192)
        self.assertEqual((error.name, error.value, error.key), ("sessions", 8192, "limits.sessions"))
        for word in ("sessions", "8192", "limits.sessions"):
            self.assertIn(word, str(error))
        self.assertEqual(LimitError("x", 1, "node.x").key, "node.x")

    def test_codes_and_reasons(self) -> None:
        self.assertEqual((SessionClosed("x").code, SessionClosed("x", 3).code), (None, 3))
        self.assertEqual((ChannelReset("x").code, ChannelReset("x", 0x8001).code), (0, 0x8001))
        error = ConnectFailed("refused", "nobody there", advice="look")
        self.assertEqual((error.reason, str(error), error.advice), ("refused", "nobody there", "look"))
