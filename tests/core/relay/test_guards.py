"""Hops that are kept: two first ones for months, four second ones for days, drawn among those that were named."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.relay.guards import DAY_SECONDS, FIRST, MIDDLE, Layer, refreshed
from quantumgate.core.relay.path import Gateway
from quantumgate.ids import PeerUUID
from tests.core.handshake.duel import SeededRandom

NOW = 1_800_000_000.5
NAMED = [Gateway(PeerUUID(UUID(int=number)), ((f"{number}.1.0.1", 9999),)) for number in range(1, 9)]


def drawn(layer: Layer, seed: int = 0) -> dict[PeerUUID, int]:
    return refreshed(layer, {}, NAMED, NOW, SeededRandom(("guards", seed)))


class FirstTests(SynchronousTestCase):
    def test_two_for_sixty_to_ninety_days(self) -> None:
        for seed in range(50):
            guards = drawn(FIRST, seed)
            self.assertEqual(len(guards), 2)
            for until in guards.values():
                self.assertTrue(60 * DAY_SECONDS <= until - NOW + 1 <= 90 * DAY_SECONDS)

    def test_every_gateway_alike(self) -> None:
        seen = Counter(uuid for seed in range(800) for uuid in drawn(FIRST, seed))
        self.assertEqual(len(seen), 8)
        self.assertTrue(all(150 < count < 250 for count in seen.values()), seen)

    def test_they_stay(self) -> None:
        guards = drawn(FIRST)
        for day in range(60):
            self.assertEqual(refreshed(FIRST, guards, NAMED, NOW + day * DAY_SECONDS, SeededRandom(day)), guards)

    def test_each_goes_at_its_own_time_and_another_comes(self) -> None:
        (one, first), (other, second) = sorted(drawn(FIRST).items(), key=lambda pair: pair[1])
        self.assertLess(first, second)
        later = refreshed(FIRST, {one: first, other: second}, NAMED, first, SeededRandom("later"))
        self.assertEqual((len(later), later[other]), (2, second))
        self.assertNotEqual(later.get(one), first)

    def test_one_that_is_named_no_more_is_none(self) -> None:
        guards = drawn(FIRST)
        rest = [one for one in NAMED if one.uuid not in guards]
        self.assertEqual(set(refreshed(FIRST, guards, rest, NOW, SeededRandom(1))) & set(guards), set())
        self.assertEqual(refreshed(FIRST, guards, [], NOW, SeededRandom(1)), {})

    def test_few_gateways_are_all_of_them(self) -> None:
        self.assertEqual(list(refreshed(FIRST, {}, NAMED[:1], NOW, SeededRandom(1))), [NAMED[0].uuid])

    def test_a_time_that_nobody_set_is_over(self) -> None:
        """Of a clock that was ahead: else its guards would stay for years."""
        kept = {NAMED[0].uuid: int(NOW) + FIRST.most_seconds + 10, NAMED[1].uuid: int(NOW) + 5}
        guards = refreshed(FIRST, kept, NAMED, NOW, SeededRandom("ahead"))
        self.assertNotEqual(guards.get(NAMED[0].uuid), kept[NAMED[0].uuid])
        self.assertEqual(guards[NAMED[1].uuid], kept[NAMED[1].uuid])


class MiddleTests(SynchronousTestCase):
    """Four second hops, for the longer of two even draws between one day and twelve."""

    def test_four_for_one_to_twelve_days(self) -> None:
        for seed in range(50):
            middles = drawn(MIDDLE, seed)
            self.assertEqual(len(middles), 4)
            for until in middles.values():
                self.assertTrue(1 * DAY_SECONDS <= until - NOW + 1 <= 12 * DAY_SECONDS + 1)

    def test_the_longer_of_two(self) -> None:
        """The longer of two even draws is short with the square of the chance of one: a quarter below the half."""
        luck = SeededRandom("lengths")
        days = sorted(MIDDLE.draw_seconds(luck) / DAY_SECONDS for _ in range(4000))
        below = sum(one < 6.5 for one in days) / len(days)
        self.assertTrue(0.22 < below < 0.28, below)
        self.assertTrue(8.1 < sum(days) / len(days) < 8.6, "1 + 11 * 2 / 3")
        self.assertTrue(days[0] >= 1 and days[-1] <= 12)

    def test_half_a_year(self) -> None:
        """Looked at every six hours: always four, none for longer than twelve days at a time or less than one."""
        luck, middles, since, stays = SeededRandom("half a year"), {}, {}, []
        for step in range(180 * 4):
            now = NOW + step * DAY_SECONDS / 4
            fresh = refreshed(MIDDLE, middles, NAMED, now, luck)
            for uuid, until in middles.items():
                if fresh.get(uuid) != until:
                    stays.append(now - since.pop(uuid))
            since.update({uuid: now for uuid, until in fresh.items() if middles.get(uuid) != until})
            self.assertEqual(len(fresh), 4)
            middles = fresh
        self.assertTrue(all(1 <= stay / DAY_SECONDS <= 12.25 for stay in stays), (min(stays), max(stays)))
        self.assertTrue(70 < len(stays) < 105, f"{len(stays)}: 4 * 180 days / 8.3, and the wait to be looked at")
