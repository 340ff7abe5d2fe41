"""The configurations that the bench's two nodes run on are right, and its guest is found as a package's would be."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.cli.benchguest import DRIVER, LISTENER, NAME, bench_node


class NodeTests(SynchronousTestCase):
    def test_both_are_accepted(self) -> None:
        for configuration in (LISTENER, DRIVER):
            node = bench_node(configuration, Path(self.mktemp()))
            self.assertIn(NAME, node.settings.extenders)
