"""Drained connections by network: the fullest one is always found, against a count by hand, and at any size."""

from __future__ import annotations

import random
from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.net.drains import Drains


class One:
    def __init__(self, prefix: str) -> None:
        self.prefix, self.seat = prefix, -1


class DrainsTests(SynchronousTestCase):
    def test_the_fullest_network(self) -> None:
        drains: Drains[One] = Drains()
        self.assertEqual(drains.fullest, 0)
        ones = [One(prefix) for prefix in "abbc"]
        for one in ones:
            drains.add(one)
        self.assertEqual((drains.fullest, drains.counts), (2, {"a": 1, "b": 2, "c": 1}))
        self.assertEqual({drains.doom(1).prefix, drains.doom(0).prefix}, {"a", "b"})
        drains.remove(ones[1])
        self.assertEqual(drains.counts["b"], 1)

    def test_the_doomed_are_counted_and_not_doomed_twice(self) -> None:
        """With one in each network: each doom finds another one."""
        drains: Drains[One] = Drains()
        ones = [One(str(number)) for number in range(50)]
        for one in ones:
            drains.add(one)
        doomed = [drains.doom(0) for _ in range(50)]
        self.assertEqual(len(set(doomed)), 50)
        self.assertEqual((drains.fullest, len(drains.counts)), (0, 50))
        for one in ones:
            drains.remove(one)
        self.assertEqual((drains.fullest, drains.counts), (0, {}))

    def test_against_a_count_by_hand(self) -> None:
        luck, drains = random.Random(3), Drains[One]()
        free: list[One] = []
        doomed: list[One] = []
        sizes: Counter[str] = Counter()
        for _ in range(5000):
            deed = luck.random()
            if deed < 0.5:
                free.append(One(str(luck.randrange(12))))
                drains.add(free[-1])
            elif deed < 0.75 and free:
                one = free.pop(luck.randrange(len(free)))
                drains.remove(one)
            elif deed < 0.9 and free:
                one = drains.doom(luck.randrange(drains.fullest))
                self.assertEqual(sizes[one.prefix], max(sizes.values()))
                free.remove(one)
                doomed.append(one)
            elif doomed:
                drains.remove(doomed.pop())
            sizes = Counter(one.prefix for one in free)
            self.assertEqual(drains.fullest, max(sizes.values(), default=0))
            self.assertEqual(drains.counts, Counter(one.prefix for one in free + doomed))
