"""First hops: two, drawn once, kept for months, and only among those that the operator named."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.relay.guards import DAY_SECONDS, GUARDS, KEPT_SECONDS, refreshed
from quantumgate.core.relay.path import Gateway
from quantumgate.ids import PeerUUID
from tests.core.handshake.duel import SeededRandom

NOW = 1_800_000_000.5
NAMED = [Gateway(PeerUUID(UUID(int=number)), ((f"{number}.1.0.1", 9999),)) for number in range(1, 9)]


class GuardTests(SynchronousTestCase):
    def drawn(self, seed: int = 0) -> dict[PeerUUID, int]:
        return refreshed({}, NAMED, NOW, SeededRandom(("guards", seed)))

    def test_two_for_sixty_to_ninety_days(self) -> None:
        for seed in range(50):
            guards = self.drawn(seed)
            self.assertEqual(len(guards), GUARDS)
            for until in guards.values():
                self.assertTrue(60 * DAY_SECONDS <= until - NOW + 1 <= 90 * DAY_SECONDS)

    def test_every_gateway_alike(self) -> None:
        seen = Counter(uuid for seed in range(800) for uuid in self.drawn(seed))
        self.assertEqual(len(seen), 8)
        self.assertTrue(all(150 < count < 250 for count in seen.values()), seen)

    def test_they_stay(self) -> None:
        guards = self.drawn()
        for day in range(60):
            self.assertEqual(refreshed(guards, NAMED, NOW + day * DAY_SECONDS, SeededRandom(day)), guards)

    def test_each_goes_at_its_own_time_and_another_comes(self) -> None:
        (one, first), (other, second) = sorted(self.drawn().items(), key=lambda pair: pair[1])
        self.assertLess(first, second)
        later = refreshed({one: first, other: second}, NAMED, first, SeededRandom("later"))
        self.assertEqual((len(later), later[other]), (2, second))
        self.assertNotEqual(later.get(one), first)

    def test_one_that_is_named_no_more_is_none(self) -> None:
        guards = self.drawn()
        rest = [one for one in NAMED if one.uuid not in guards]
        self.assertEqual(set(refreshed(guards, rest, NOW, SeededRandom(1))) & set(guards), set())
        self.assertEqual(refreshed(guards, [], NOW, SeededRandom(1)), {})

    def test_few_gateways_are_all_of_them(self) -> None:
        self.assertEqual(list(refreshed({}, NAMED[:1], NOW, SeededRandom(1))), [NAMED[0].uuid])

    def test_a_time_that_nobody_set_is_over(self) -> None:
        """Of a clock that was ahead: else its guards would stay for years."""
        kept = {NAMED[0].uuid: int(NOW) + KEPT_SECONDS[1] + 10, NAMED[1].uuid: int(NOW) + 5}
        guards = refreshed(kept, NAMED, NOW, SeededRandom("ahead"))
        self.assertNotEqual(guards.get(NAMED[0].uuid), kept[NAMED[0].uuid])
        self.assertEqual(guards[NAMED[1].uuid], kept[NAMED[1].uuid])
