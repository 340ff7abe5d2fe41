"""What peers say of where this node is: how many have to, for how long it holds, and what a lie is worth."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.discovery.reach import Places, Sightings
from quantumgate.wire.limits import CONFIRMED_PLACES_MAX, DEFAULT_LIMITS, SIGHTING_GROUPS_MAX, SIGHTING_SECONDS

HERE, LIE = "84.20.7.153", "45.33.32.1"
PLACE = (HERE, 9999)
LIMITS = DEFAULT_LIMITS


class SightingsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.sightings = Sightings()

    def test_two_groups_have_to_agree(self) -> None:
        self.sightings.seen("4:a", HERE, True, 0.0)
        self.sightings.seen("4:a", HERE, True, 0.0)
        self.assertEqual(self.sightings.agreed(0.0), [])
        self.sightings.seen("4:b", LIE, True, 0.0)
        self.assertEqual(self.sightings.agreed(0.0), [])
        self.sightings.seen("4:c", HERE, True, 0.0)
        self.assertEqual(self.sightings.agreed(0.0), [HERE])

    def test_one_group_has_one_word(self) -> None:
        """However many peers it has."""
        for number in range(100):
            self.sightings.seen("4:a", LIE, True, float(number))
        self.assertEqual((len(self.sightings), self.sightings.agreed(100.0)), (1, []))

    def test_each_family_by_itself(self) -> None:
        for group in ("4:a", "4:b"):
            self.sightings.seen(group, HERE, None, 0.0)
            self.sightings.seen(group, "2600:3c01::7", None, 0.0)
        self.assertEqual(self.sightings.agreed(0.0), [HERE, "2600:3c01::7"])

    def test_a_word_is_forgotten(self) -> None:
        for at, group in enumerate(("4:a", "4:b")):
            self.sightings.seen(group, HERE, True, float(at))
        self.assertEqual(self.sightings.agreed(SIGHTING_SECONDS - 1), [HERE])
        self.assertEqual(self.sightings.agreed(SIGHTING_SECONDS), [])

    def test_so_many_groups(self) -> None:
        for number in range(SIGHTING_GROUPS_MAX + 9):
            self.sightings.seen(f"4:{number}", HERE, True, 0.0)
        self.assertEqual(len(self.sightings), SIGHTING_GROUPS_MAX)

    def test_ports_that_change(self) -> None:
        self.sightings.seen("4:a", HERE, None, 0.0)
        self.sightings.seen("4:b", HERE, True, 0.0)
        self.assertFalse(self.sightings.ports_change())
        self.sightings.seen("4:c", HERE, False, 0.0)
        self.assertTrue(self.sightings.ports_change())

    def test_what_is_no_address(self) -> None:
        self.sightings.seen("4:a", "h.example", True, 0.0)
        self.assertEqual(len(self.sightings), 0)


class PlacesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.places = Places(LIMITS)

    def due(self, now: float, *places: tuple[str, int]) -> list[tuple[str, int]]:
        return self.places.due(list(places or (PLACE,)), now)

    def test_asked_once_and_confirmed(self) -> None:
        self.assertEqual(self.due(0.0), [PLACE])
        self.places.asked(PLACE)
        self.assertEqual((self.due(1.0), self.places.settled()), ([], False))
        self.assertTrue(self.places.came_through(PLACE, 2.0))
        self.assertEqual((self.places.confirmed(2.0), self.places.settled()), ((PLACE,), True))
        self.assertFalse(self.places.came_through(PLACE, 3.0), "no news")

    def test_confirmed_for_an_hour_and_looked_at_after_half(self) -> None:
        self.due(0.0)
        self.places.came_through(PLACE, 0.0)
        half_seconds = LIMITS.confirmed_seconds / 2
        self.assertEqual((self.due(half_seconds - 1), self.due(half_seconds)), ([], [PLACE]))
        self.places.asked(PLACE)
        self.assertEqual(self.places.confirmed(LIMITS.confirmed_seconds - 1), (PLACE,), "while it is looked at")
        self.assertEqual(self.places.confirmed(LIMITS.confirmed_seconds), ())

    def test_one_failure_of_a_confirmed_place_is_nothing_yet(self) -> None:
        self.due(0.0)
        self.places.came_through(PLACE, 0.0)
        self.assertFalse(self.places.did_not(PLACE, 10.0))
        self.assertEqual(self.places.confirmed(10.0), (PLACE,))
        self.assertTrue(self.places.did_not(PLACE, 80.0))
        self.assertEqual(self.places.confirmed(80.0), ())

    def test_failures_are_tried_later_and_later(self) -> None:
        now, waits = 0.0, []
        for _ in range(9):
            self.assertEqual(self.due(now), [PLACE])
            self.places.did_not(PLACE, now)
            moment = self.places.next_at()
            assert moment is not None
            waits.append(moment - now)
            now = moment
        first_seconds, cap_seconds = LIMITS.reach_retry_seconds
        self.assertEqual(waits, [min(cap_seconds, first_seconds * 2**n) for n in range(9)])
        self.assertEqual(waits[-1], cap_seconds)

    def test_a_place_that_is_ours_no_more_is_forgotten(self) -> None:
        self.due(0.0)
        self.places.came_through(PLACE, 0.0)
        other = (LIE, 9999)
        self.assertEqual((self.due(1.0, other), self.places.confirmed(1.0)), ([other], ()))
        for outcome in (self.places.came_through, self.places.did_not):
            self.assertFalse(outcome(PLACE, 1.0))
        self.assertEqual(self.places.confirmed(1.0), ())

    def test_so_many_places(self) -> None:
        many = [(HERE, 9000 + number) for number in range(CONFIRMED_PLACES_MAX + 5)]
        self.assertEqual(len(self.due(0.0, *many)), CONFIRMED_PLACES_MAX)
