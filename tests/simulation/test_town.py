"""Small towns of the simulation, in seconds: look-ups succeed, liars and floods do not stop them, and the seam of
verification changes nothing. The long runs are acceptance point ``simulation``."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.simulation import runs
from tests.simulation.law import Law, Queue
from tests.simulation.town import Size, Town

SMALL = {"nodes": 200, "networks": 80, "lookups": 40}


class QueueTests(SynchronousTestCase):
    def test_in_order_of_time_then_of_setting(self) -> None:
        queue, seen = Queue(10.0), list[str]()
        for seconds, name in ((2.0, "c"), (1.0, "a"), (1.0, "b"), (5.0, "late")):
            queue.later(seconds, seen.append, name)
        queue.run_until(13.0)
        self.assertEqual((seen, queue.now, queue.done), (["a", "b", "c"], 13.0, 3))


class TownTests(SynchronousTestCase):
    def test_look_ups_succeed(self) -> None:
        row = runs.steady(1, **SMALL)
        self.assertGreaterEqual(row["found"], 39, row)
        self.assertLess(row["questions"]["p95"], 24, row)

    def test_over_midnight(self) -> None:
        row = runs.steady(7, **SMALL)
        self.assertTrue(row["midnight"])
        self.assertGreaterEqual(row["found"], 39, row)

    def test_liars(self) -> None:
        for liars in runs.LIARS:
            row = runs.lies(3, liars, **SMALL)
            self.assertGreaterEqual(row["found"], 36, row)

    def test_a_partition(self) -> None:
        row = runs.parted(4, **SMALL)
        self.assertGreaterEqual(row["within"]["found"], 35, row)
        self.assertEqual(row["later"]["found"], row["later"]["lookups"], row)

    def test_only_who_has_all_the_networks_hides_a_peer(self) -> None:
        """And then it does: the simulation would see it."""
        six, all_of_them = (runs.eclipsed(5, rented, 200, 80) for rented in (5, 10))
        self.assertGreater(six["found"], 30, six)
        self.assertEqual(all_of_them["found"], 0, all_of_them)

    def test_a_flood(self) -> None:
        row = runs.flooded(6, 200, 80, records=5000)
        self.assertEqual(row["found"], row["lookups"], row)

    def test_nobody_is_found_where_nobody_keeps(self) -> None:
        town = Town(8, Size(nodes=30, networks=20, keepers=0.0, findable=1.0), Law())
        town.populate(60)
        town.queue.run_until(town.queue.now + 1200)
        self.assertEqual([node for node in town.online if node.published_at is not None], [])


class SeamTests(SynchronousTestCase):
    def test_verifying_everything_comes_to_the_same(self) -> None:
        """Every record spelt, read and verified at each step: the same questions, the same events, the same counts."""
        seen = []
        for full in (False, True):
            town = runs.grown(9, Size(nodes=60, networks=40), full=full)
            tally = runs.measured(town, 10, 120.0)
            seen.append((tally.rows, dict(town.counts), town.queue.done, [len(one.directory) for one in town.online]))
        self.assertEqual(seen[0], seen[1])
        self.assertGreater(seen[0][1]["questions"], 500)
