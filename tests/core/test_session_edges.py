"""Edges of a session that no honest or hostile peer reaches today, and that hold all the same."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.errors import FloodError, ViolationError
from quantumgate.wire import frames
from tests.core.sessions import Mallory


class ViolationAfterCloseTests(SynchronousTestCase):
    """While it waits for the answer to its CLOSE a session ignores what could be one; told of one, it is dead."""

    def test_no_second_close(self) -> None:
        for error in (ViolationError("late"), FloodError("late")):
            mallory = Mallory()
            mallory.side.connection.close(now=mallory.now)
            self.assertTrue(mallory.side.session.fail(error, mallory.now))
            mallory.listen()
            end = mallory.side.end
            self.assertEqual(end and (end.reason, end.by), ("bye", "local"))
            self.assertLessEqual(len(mallory.heard(frames.CLOSE)), 1)
            self.assertTrue(mallory.side.session.over)
