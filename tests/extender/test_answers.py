"""Whatever a guest's method returns becomes something to wait for, or nothing."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.extender.answers import as_deferred


class AnswerTests(SynchronousTestCase):
    """One test for each kind."""

    def test_plain_values(self) -> None:
        """None, and values that mean nothing here."""
        for value in (None, True, b"x", [1]):
            self.assertIsNone(as_deferred(value))

    def test_deferred(self) -> None:
        deferred: Deferred[None] = Deferred()
        self.assertIs(as_deferred(deferred), deferred)

    def test_coroutine(self) -> None:
        """It begins to run at once."""

        async def work() -> str:
            return await succeed("done")

        answer = as_deferred(work())
        assert answer is not None
        self.assertEqual(self.successResultOf(answer), "done")

    def test_exit_in_a_coroutine(self) -> None:
        """SystemExit is an outcome like another."""

        async def work() -> None:
            raise SystemExit(3)

        answer = as_deferred(work())
        assert answer is not None
        self.failureResultOf(answer, SystemExit)

    def test_other_awaitable(self) -> None:
        class Waits:
            def __await__(self) -> Any:
                return (yield succeed(5))

        answer = as_deferred(Waits())
        assert answer is not None
        self.assertEqual(self.successResultOf(answer), 5)

    def test_generator(self) -> None:
        """A method that forgot its inlineCallbacks would silently never run: say so."""
        error = self.assertRaises(TypeError, as_deferred, (x for x in ()))
        self.assertIn("inlineCallbacks", str(error))
