"""Every limit of the wire can be set by name, inside a range that holds its default."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.settings.ranges import check_together, checked_limits, limit_names, range_of
from quantumgate.settings.wording import Problem
from quantumgate.wire.limits import DEFAULT_LIMITS


class RangeTests(SynchronousTestCase):
    def test_each_default_is_inside_its_range(self) -> None:
        for name in limit_names():
            low, high = range_of(name)
            value = getattr(DEFAULT_LIMITS, name)
            for part in value if isinstance(value, tuple) else (value,):
                self.assertTrue(low <= part <= high, f"{name} = {part} is not in {low}..{high}")

    def test_each_default_may_be_written_down(self) -> None:
        table = {name: getattr(DEFAULT_LIMITS, name) for name in limit_names()}
        self.assertEqual(checked_limits(table), table)
        check_together(DEFAULT_LIMITS)

    def test_each_refuses_what_is_outside(self) -> None:
        for name in limit_names():
            low, high = range_of(name)
            default = getattr(DEFAULT_LIMITS, name)
            for value in (low - 1, high + 1, True, "1", None):
                wrong = [value, value] if isinstance(default, tuple) else value
                error = self.assertRaises(Problem, checked_limits, {name: wrong})
                self.assertEqual(error.path, ("limits", name))
