"""Limits: the page and the module hold the same names and numbers, and the module's own sums come out."""

from __future__ import annotations

import re
from dataclasses import fields

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core import overload
from quantumgate.wire import limits
from quantumgate.wire.limits import DEFAULT_LIMITS, Limits
from tests.house import ROOT

UNITS_OF_MEASURE = frozenset({"KIB", "MIB", "GIB", "DEFAULT_LIMITS"})
UNIT_OF_NAME = {"bytes": "bytes", "seconds": "seconds", "channels": "channels"}


def rows() -> dict[str, tuple[tuple[float, ...], str]]:
    """Values and unit of each row of the page."""
    page = (ROOT / "docs/spec/limits.md").read_text(encoding="utf-8")
    found: dict[str, tuple[tuple[float, ...], str]] = {}
    for name, values, unit in re.findall(r"^\| `(\w+)` \| ([-\d., ]+) \| ([^|]*?) \|", page, flags=re.M):
        if name in found:
            raise AssertionError(f"{name} stands twice on the page")
        found[name] = tuple(float(value) for value in values.split(",")), unit
    return found


def numbers(value: object) -> tuple[float, ...]:
    return tuple(float(one) for one in value) if isinstance(value, tuple) else (float(value),)  # type: ignore[arg-type]


class PageTests(SynchronousTestCase):
    maxDiff = None

    def test_constants(self) -> None:
        module = {name: numbers(value) for name, value in vars(limits).items()
                  if name.isupper() and name not in UNITS_OF_MEASURE}
        self.assertEqual({name: values for name, (values, _) in rows().items() if name.isupper()}, module)

    def test_settable(self) -> None:
        module = {field.name: numbers(getattr(DEFAULT_LIMITS, field.name)) for field in fields(Limits)}
        self.assertEqual({name: values for name, (values, _) in rows().items() if name.islower()}, module)

    def test_the_unit_in_a_name_is_the_unit_of_its_row(self) -> None:
        for name, (_, unit) in rows().items():
            wanted = UNIT_OF_NAME.get(name.lower().rsplit("_", 1)[-1])
            if wanted is not None:
                self.assertIn(wanted, unit, name)


class SumTests(SynchronousTestCase):
    """Numbers that hang together."""

    def test_the_defaults_fit_one_another(self) -> None:
        one = DEFAULT_LIMITS
        self.assertLessEqual(one.initial_window_bytes * one.max_channels, one.initial_windows_sum_bytes)
        self.assertLessEqual(one.max_message_bytes, limits.MAX_MESSAGE_CEILING_BYTES)
        self.assertLessEqual(limits.MAX_MESSAGE_CEILING_BYTES, one.window_pool_peer_bytes // 2)
        self.assertLessEqual(limits.FIRST_WINDOW_BYTES, one.initial_window_bytes)
        self.assertLessEqual(limits.FIRST_CHANNELS, one.max_channels)
        low, high = limits.MAX_RECORD_RANGE_BYTES
        self.assertTrue(low <= one.max_record_bytes <= high)

    def test_the_window_of_salts_covers_twelve_minutes_of_answers(self) -> None:
        """So the floor never passes now less six minutes, where an honest clock may be."""
        needed = limits.ANSWERS_PER_SECOND / overload.PLAIN_COST * 2 * DEFAULT_LIMITS.clock_ahead_seconds
        self.assertGreaterEqual(limits.SALT_ENTRIES, needed)

    def test_a_record_is_its_parts(self) -> None:
        self.assertEqual(limits.RECORD_OVERHEAD_BYTES, 4 + 2 * limits.TAG_BYTES)
