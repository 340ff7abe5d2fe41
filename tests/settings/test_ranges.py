"""Every limit of the wire can be set by name, inside a range that holds its default."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.session_settings import SessionSettings
from quantumgate.settings.ranges import check_together, checked_limits, limit_names, range_of
from quantumgate.settings.wording import Problem
from quantumgate.wire.limits import BUDGET_PACE, DEFAULT_LIMITS, MIB
from quantumgate.wire.session_tlvs import SessionBlock


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

    def test_what_may_be_announced_is_what_peers_take(self) -> None:
        """The smallest and the largest values make a SESSION block that its receiver accepts."""
        for name in ("max_record_bytes", "initial_window_bytes", "max_channels", "max_message_bytes"):
            for value in range_of(name):
                block = SessionSettings(limits=replace(DEFAULT_LIMITS, **{name: int(value)})).block()
                self.assertEqual(SessionBlock.decode(block.encode()), block)

    def test_together(self) -> None:
        """Pairs at their bound, and one beyond it."""
        most = int(DEFAULT_LIMITS.rekey_volume_bytes * BUDGET_PACE)
        check_together(replace(DEFAULT_LIMITS, rekey_floor_bytes=most))
        for wrong in (
            {"rekey_floor_bytes": most + 1},
            {"max_channels": 513},
            {"max_message_bytes": 8 * MIB + 1},
            {"queue_pause_bytes": DEFAULT_LIMITS.queue_error_bytes + 1},
        ):
            error = self.assertRaises(Problem, check_together, replace(DEFAULT_LIMITS, **wrong))
            self.assertEqual(error.path, ("limits", *wrong))
        check_together(replace(DEFAULT_LIMITS, max_channels=512, max_message_bytes=8 * MIB))
