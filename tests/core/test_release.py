"""An ended session that was let go is no circle; whole nodes: tests/node/test_no_cycles.py."""

from __future__ import annotations

import gc
from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.session import Session
from quantumgate.wire.codes import CloseCode
from tests.core.sessions import ECHO, Pair


def left_for_the_collector() -> Counter[str]:
    """How many sessions and channels only a collection would find."""
    gc.set_debug(gc.DEBUG_SAVEALL)
    gc.collect()
    gc.set_debug(0)
    kinds = Counter(type(one).__name__ for one in gc.garbage)
    gc.garbage.clear()
    return Counter({name: kinds[name] for name in ("Session", "Channel", "Outgoing", "Incoming") if kinds[name]})


class ReleaseTests(SynchronousTestCase):
    """With the collector off."""

    def ended(self, *, let_go: bool) -> None:
        """A session with a channel that was never answered and an open link, closed by one side."""
        pair = Pair()
        pair.alice.session.open_channel(ECHO, stream=True)
        pair.bob.accepting = False
        pair.pump()
        pair.alice.session.close(CloseCode.BYE, "", pair.now, graceful=False)
        pair.pump()
        for side in pair.sides:
            assert isinstance(side.session, Session)
            if let_go:
                side.connection.let_go()
                self.assertEqual((side.session.bytes_sent > 0, side.session.over), (True, True))

    def test_it_goes_at_once(self) -> None:
        self.ended(let_go=True)
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        self.ended(let_go=True)
        self.assertEqual(left_for_the_collector(), Counter())
        self.ended(let_go=False)
        self.assertEqual(left_for_the_collector()["Session"], 2)
