"""200 kinds of bad first flight, each by three deliveries, with the dialler's FIN and without: none can be told apart.

The quick part; the same with more samples, and with sockets, is ``make acceptance probes``.
"""

from __future__ import annotations

import random
from collections import defaultdict

from twisted.trial.unittest import SynchronousTestCase

from tests.attacks.alike import distance, p_value, p_values, told_apart
from tests.attacks.openings import KINDS, kinds
from tests.attacks.probes import BOB, DELIVERIES, every_kind, probe, reactions, window
from tests.core.handshake.duel import SeededRandom
from tests.core.handshake.duel import window as fresh_window

SAMPLES, FIN_SAMPLES = 6, 2
"""Where the moment is drawn, and where it must be the same for all; sixty of both in the acceptance point."""


class ProbeTests(SynchronousTestCase):
    """On the fake clock."""

    def closes(self, samples: int, *, fin: bool) -> dict[str, list[float]]:
        """Seconds by kind, of all deliveries; nothing was said, and the close was an orderly one."""
        found = defaultdict(list)
        for kind, delivery, reaction in reactions(samples, "quick", fin=fin):
            self.assertEqual((reaction.said, reaction.clean), (b"", True), (kind, delivery))
            found[kind].append(reaction.closed_after_seconds)
        self.assertEqual({len(found), *map(len, found.values())}, {KINDS, samples * len(DELIVERIES)})
        return found

    def test_silence_ends_at_a_moment_that_tells_nothing(self) -> None:
        found = self.closes(SAMPLES, fin=False)
        every = [seconds for group in found.values() for seconds in group]
        self.assertTrue(30 <= min(every) < 31 and 89 < max(every) <= 90, (min(every), max(every)))
        self.assertEqual(told_apart(p_values(found)), [])

    def test_a_fin_is_answered_at_once(self) -> None:
        found = self.closes(FIN_SAMPLES, fin=True)
        self.assertEqual({seconds for group in found.values() for seconds in group}, {0.0})

    def test_with_the_same_luck_they_close_at_the_same_moment(self) -> None:
        """Stronger than any count of samples."""
        replay, seen = window(), set()
        for make in every_kind().values():
            for plan_for in DELIVERIES.values():
                luck = SeededRandom("plan")
                reaction = probe(plan_for(make(luck), luck), replay, SeededRandom("same"), fin=False)
                seen.add(reaction.closed_after_seconds)
        self.assertEqual(len(seen), 1)

    def test_what_is_no_bad_flight_is_answered(self) -> None:
        """Else the silence would prove nothing: the flight that is replayed, where it comes first."""
        flight = kinds(BOB.candidates[0])["replayed"](SeededRandom(0))
        replay = fresh_window()
        self.assertNotEqual(probe([(0.0, flight)], replay, SeededRandom(1), fin=False).said, b"")


class AlikeTests(SynchronousTestCase):
    """The statistics."""

    def test_against_another_implementation(self) -> None:
        """scipy 1.x, ``stats.ks_2samp``: exact below 100, else asymptotic; the samples are of ``random.Random(1)``."""
        luck = random.Random(1)
        for one, other, shift, far, chance in KNOWN:
            sample = [luck.random() + shift for _ in range(one)]
            every = sorted(sample + [luck.random() for _ in range(other)])
            self.assertAlmostEqual(distance(sample, every), far, 9)
            self.assertTrue(0.8 < p_value(far, one, other) / chance < 1.2, far)

    def test_a_group_that_differs_is_named(self) -> None:
        luck = random.Random(2)
        groups = {f"{n}": [luck.uniform(30, 90) for _ in range(100)] for n in range(50)}
        self.assertEqual(told_apart(p_values(groups)), [])
        groups["7"] = [value + 20 for value in groups["7"]]
        groups["9"] = [60 + value / 1000 for value in groups["9"]]
        self.assertEqual(sorted(told_apart(p_values(groups))), ["7", "9"])

    def test_holm_steps_down(self) -> None:
        self.assertEqual(told_apart({"a": 0.004, "b": 0.006, "c": 0.5}, 0.0125), ["a", "b"])
        self.assertEqual(told_apart({"a": 0.005, "b": 0.001, "c": 0.5}, 0.0125), ["b", "a"])
        self.assertEqual(told_apart({"a": 0.005, "b": 0.006, "c": 0.5}, 0.0125), [])


KNOWN = (
    (20, 3980, 0.0, 0.12311557788944724, 0.8885811888171187),
    (20, 3980, 0.3, 0.4771356783919598, 0.00011068178629994041),
    (100, 1900, 0.05, 0.08, 0.5531909152584421),
    (100, 1900, 0.2, 0.23, 6.849897537158826e-05),
    (600, 119_400, 0.05, 0.061582914572864356, 0.0206864599708753),
)
