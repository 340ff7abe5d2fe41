"""What a session may do about an authenticated peer that breaks a rule: it is dead, or says CLOSE with a code.

Not for: the handshake's reactions (``test_rows_01_13_exchange.py``).
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.wire import frames
from quantumgate.wire.codes import CloseCode
from tests.core.sessions import Mallory

WHOLE = 1 << 30
CHUNKS = (WHOLE, 1)
"""How bytes reach the victim: in one piece, and one at a time."""


class SessionReactionTestCase(SynchronousTestCase):
    """``dead`` and ``closed`` are the two reactions of docs/attacks.md; ``alive`` is for what is no attack."""

    def dead(self, mallory: Mallory, what: object = None) -> None:
        """Told once, at once; nothing more is sent or delivered; read on until a drawn moment, then gone."""
        side, connection = mallory.side, mallory.side.connection
        end, heard = side.end, list(side.messages)
        assert end is not None, what
        self.assertEqual((end.reason, end.clean, mallory.listen()), ("damaged", False, []), what)
        self.assertFalse(connection.finished, what)
        until = connection.deadline()
        self.assertTrue(mallory.now + 5 <= until <= mallory.now + 60, what)
        mallory.raw(bytes(1000) + mallory.record(mallory.message(1, b"too late")))
        self.assertEqual((connection.deadline(), side.messages, mallory.listen()), (until, heard, []), what)
        mallory.wait(until - mallory.now - 0.01)
        self.assertFalse(connection.finished, what)
        mallory.wait(0.01)
        self.assertTrue(connection.finished, what)

    def closed(self, mallory: Mallory, code: CloseCode, what: object = None) -> None:
        """One CLOSE with this code, and nothing behind it; gone five seconds later at the latest."""
        (_, _, data), *more = mallory.heard(frames.CLOSE)
        self.assertEqual((frames.U16.unpack_from(data)[0], more), (code, []), what)
        self.assertEqual(mallory.seen[-1][0], frames.CLOSE, what)
        end = mallory.side.end
        assert end is not None, what
        self.assertEqual((end.code, end.by), (code, "local"), what)
        mallory.wait(5)
        self.assertEqual((mallory.side.connection.finished, mallory.listen()), (True, []), what)

    def alive(self, mallory: Mallory, what: object = None) -> None:
        """Nobody was told of an end, and a PING is answered."""
        self.assertIsNone(mallory.side.end, what)
        before = len(mallory.heard(frames.PONG))
        mallory.say(frames.frame(frames.PING, bytes(8)))
        self.assertEqual(len(mallory.heard(frames.PONG)), before + 1, what)

    def flooded(self, said: Callable[[int], tuple[bytes, ...]], most: int) -> tuple[Mallory, int]:
        """Says ``said(0)``, ``said(1)`` and so on to a new victim at one moment until it closes; how many it took."""
        mallory = Mallory()
        for number in range(most):
            mallory.say(*said(number))
            if mallory.side.end is not None:
                self.closed(mallory, CloseCode.FLOOD)
                return mallory, number
        raise self.failureException(f"{most} were taken")
