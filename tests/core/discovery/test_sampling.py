"""Samples in turns: no source has more than its turn, each is drawn by luck, and who comes often gains nothing."""

from __future__ import annotations

from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.discovery.sampling import in_turns, providers, who_yields
from quantumgate.ids import PeerUUID
from quantumgate.testing.seeded import SeededRandom
from tests.core.discovery.people import by_key
from tests.core.discovery.test_positions import WALL_SECONDS
from tests.simulation.people import identity, record_of


def uuid(number: int) -> PeerUUID:
    return identity(number).public.uuid


class TurnTests(SynchronousTestCase):
    def test_all_come_each_once_and_each_group_in_its_turn(self) -> None:
        groups = [["a1", "a2", "a3", "a4"], ["b1"], [], ["c1", "c2"]]
        drawn = list(in_turns(groups, SeededRandom(1)))
        self.assertEqual(sorted(drawn), ["a1", "a2", "a3", "a4", "b1", "c1", "c2"])
        self.assertEqual([sorted(one[0] for one in drawn[at:upto]) for at, upto in ((0, 3), (3, 5), (5, 7))],
                         [["a", "b", "c"], ["a", "c"], ["a", "a"]])
        self.assertEqual(len(groups[0]), 4)

    def test_what_several_have_takes_nobodys_turn(self) -> None:
        """Seven know the same nine, one makes up others: of the first eight it has one, whatever is drawn."""
        for luck in range(20):
            drawn = in_turns([*([range(9)] * 7), range(100, 108)], SeededRandom(luck))
            first = [next(drawn) for _ in range(8)]
            self.assertEqual((len(set(first)), sum(one >= 100 for one in first)), (8, 1), first)
            self.assertEqual(len([*first, *drawn]), 17)

    def test_luck_decides(self) -> None:
        """Each is first as often as any other, but for chance: 100 in the mean, and 5 sigma are 47."""
        firsts = Counter(next(in_turns([range(3), range(3, 6)], SeededRandom(n))) for n in range(600))
        self.assertEqual(set(firsts), set(range(6)))
        self.assertTrue(all(53 <= count <= 147 for count in firsts.values()), firsts)


class ProviderTests(SynchronousTestCase):
    def test_each_once_by_its_newest_record(self) -> None:
        old, new = (record_of(1, "192.0.2.1", WALL_SECONDS + more, keeper=True) for more in (0, 9))
        other = record_of(2, "192.0.2.2", WALL_SECONDS, keeper=True)
        for luck in range(8):
            drawn = providers({uuid(7): [old, other], uuid(8): [new]}, SeededRandom(luck))
            self.assertEqual(sorted(one.record.seq_ms for one in drawn),
                             sorted((new.record.seq_ms, other.record.seq_ms)))

    def test_a_stolen_online_key_is_not_taken_for_its_successor(self) -> None:
        first, second = (record_of(1, "192.0.2.1", WALL_SECONDS + more, keeper=True) for more in (0, 9))
        stolen, new = by_key(second, 7), by_key(first, 8)
        for luck in range(8):
            self.assertEqual(providers({uuid(7): [stolen], uuid(8): [new]}, SeededRandom(luck)), [new])

    def test_the_first_of_it_are_a_fair_sample(self) -> None:
        """Two of eight keepers lie: of the first eight no more than two are theirs, though all they told is."""
        def some(keeper: int) -> list[object]:
            return [record_of(100 * keeper + n, "192.0.2.1", WALL_SECONDS, keeper=True) for n in range(8)]

        drawn = providers({uuid(n): some(n) for n in range(8)}, SeededRandom(3))  # type: ignore[misc]
        theirs = {known.identity.uuid for n in (0, 1) for known in some(n)}  # type: ignore[attr-defined]
        self.assertEqual((len(drawn), sum(one.identity.uuid in theirs for one in drawn[:8])), (64, 2))

    def test_nobody(self) -> None:
        self.assertEqual(providers({}, SeededRandom(1)), [])


class YieldTests(SynchronousTestCase):
    SECRET = bytes(range(32))

    def test_the_oldest_of_the_network_that_has_most(self) -> None:
        there = {uuid(1): "4:a", uuid(2): "4:b", uuid(3): "4:b", uuid(4): "4:a", uuid(5): "4:b"}
        self.assertEqual(who_yields(there, "4:c", self.SECRET), uuid(2))
        self.assertEqual(who_yields(there, "4:a", self.SECRET), uuid(2))
        self.assertIsNone(who_yields(there, "4:b", self.SECRET))

    def test_where_each_has_one_the_order_of_networks_decides(self) -> None:
        """What is left in the end does not depend on who comes first, or how often."""
        sources = {uuid(n): f"4:{n:x}" for n in range(12)}
        ends = []
        for coming in (list(sources), list(reversed(list(sources))), list(sources)[5:] * 3 + list(sources)[:5]):
            kept: dict[PeerUUID, str] = {}
            for one in coming:
                if one in kept:
                    continue
                if len(kept) == 4:
                    gone = who_yields(kept, sources[one], self.SECRET)
                    if gone is None:
                        continue
                    del kept[gone]
                kept[one] = sources[one]
            ends.append(frozenset(kept))
        self.assertEqual(len(set(ends)), 1)
        self.assertIsNone(who_yields({uuid(1): "4:a"}, "4:a", self.SECRET))
