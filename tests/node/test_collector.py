"""The garbage collector of a node's process: start-up is put aside, and garbage still goes."""

from __future__ import annotations

import gc
import weakref

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.node import collector


class Knot:
    """Refers to itself: only a collection frees it."""

    def __init__(self) -> None:
        self.me = self


class CollectorTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.addCleanup(gc.set_threshold, *gc.get_threshold())
        self.addCleanup(gc.unfreeze)

    def test_what_is_there_is_put_aside_and_what_was_garbage_is_gone(self) -> None:
        gone = weakref.ref(Knot())
        collector.settle()
        self.assertIsNone(gone())
        self.assertGreater(gc.get_freeze_count(), 10_000)

    def test_later_garbage_is_collected(self) -> None:
        collector.settle()
        first = weakref.ref(Knot())
        kept = [Knot() for _ in range(collector.YOUNG_OBJECTS + 1000)]
        self.assertIsNone(first())
        self.assertEqual(len(kept), collector.YOUNG_OBJECTS + 1000)
