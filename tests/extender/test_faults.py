"""Faults: put into words whatever they are, counted within a span, the last ones kept."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.extender.faults import FAULTS_KEPT, Fault, FaultCount, described


class FaultTests(SynchronousTestCase):
    """Words and numbers."""

    def test_described(self) -> None:
        """One line, of bounded length."""
        self.assertEqual(described(ValueError("a\n b")), "ValueError: a b")
        self.assertEqual(described(SystemExit()), "SystemExit")
        self.assertLess(len(described(ValueError("x" * 5000))), 600)

    def test_fifth_within_the_span(self) -> None:
        """Four are forgiven, the fifth within ten minutes is too many."""
        count = FaultCount(5, 600)
        self.assertEqual([count.add(Fault(at, "x", "y")) for at in (0, 1, 2, 3, 600)], [False] * 4 + [True])

    def test_slow_ones_are_forgiven(self) -> None:
        """One every three minutes goes on for ever."""
        count = FaultCount(5, 600)
        self.assertFalse(any(count.add(Fault(180.0 * at, "x", "y")) for at in range(100)))
        self.assertEqual((count.total, len(count.kept)), (100, FAULTS_KEPT))

    def test_forgive(self) -> None:
        """A new start begins at nought; the operator still sees what was."""
        count = FaultCount(2, 600)
        count.add(Fault(0, "x", "y"))
        count.forgive()
        self.assertFalse(count.add(Fault(1, "x", "y")))
        self.assertEqual([str(fault) for fault in count.kept], ["y, in x"] * 2)
