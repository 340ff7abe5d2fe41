"""The clock watch: jumps of the wall clock and late turns are told, the ordinary course of time is not."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.node.clockwatch import ClockWatch
from quantumgate.testing.network import MemoryNetwork
from tests.node.world import Drift, memory_world


class ClockWatchTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.network, self.drift, self.told = MemoryNetwork(), Drift(), list[tuple[float, str]]()
        self.held_up = 0.0
        world = memory_world(self.network, "x", self.drift)
        world = replace(world, now=lambda: self.network.clock.seconds() + self.held_up)
        self.watch = ClockWatch(world, 15, lambda seconds, what: self.told.append((round(seconds), what)))
        self.watch.start()
        self.addCleanup(self.watch.stop)

    def test_nothing_happens_nothing_is_told(self) -> None:
        self.network.clock.pump([5] * 100)
        self.drift.seconds = 14
        self.network.clock.pump([5] * 3)
        self.assertEqual(self.told, [])

    def test_a_jump_either_way_is_told_once(self) -> None:
        for jump in (3600, -3600):
            self.drift.seconds += jump
            self.network.clock.pump([5] * 3)
        self.assertEqual(self.told, [(3600, "the clock jumped"), (-3600, "the clock jumped")])

    def test_a_late_turn_is_told(self) -> None:
        self.held_up, self.drift.seconds = 20, 20
        self.network.clock.pump([5] * 3)
        self.assertEqual(self.told, [(20, "this process was held up")])
