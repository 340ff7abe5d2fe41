"""A few real cores of the kind of which the acceptance point has a hundred: they find one another, as the law says."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.simulation.cores import Cores
from tests.simulation.law import Law


class CoresTests(SynchronousTestCase):
    def test_a_few(self) -> None:
        cores = Cores(12, 10)
        self.addCleanup(cores.close)
        cores.run_for(60.0)
        row = cores.look_ups(8).row()
        self.assertEqual(row["found"], 8, row)
        law = Law()
        self.assertAlmostEqual(row["seconds"]["median"], law.flights * law.latency_seconds, 2)
