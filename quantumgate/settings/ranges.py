"""What each number of ``[limits]`` may be set to. The numbers themselves are in ``wire/limits.py``.

A range keeps a typing error from making a node unreachable or unbounded; it is not advice. Rules go by unit, the
exceptions by name, so that a limit added to ``Limits`` is settable at once. Spec: docs/spec/limits.md.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from quantumgate.settings.wording import Path, Problem, found_text, number_text, pair_text, unknown_key
from quantumgate.wire import limits as wire_limits
from quantumgate.wire.limits import DEFAULT_LIMITS, GIB, KIB, MIB, Limits

DAY_SECONDS = 86_400
BY_UNIT: tuple[tuple[str, tuple[float, float]], ...] = (
    ("_rate_bytes", (1, 16 * GIB)),
    ("_bytes", (KIB, 64 * GIB)),
    ("_seconds", (0.01, 31 * DAY_SECONDS)),
    ("_share", (0.001, 1)),
    ("_rate", (0.001, 1_000_000)),
    ("", (1, 10_000_000)),
)
BY_NAME: dict[str, tuple[float, float]] = {
    "max_record_bytes": wire_limits.MAX_RECORD_RANGE_BYTES,
    "max_message_bytes": (KIB, wire_limits.MAX_MESSAGE_CEILING_BYTES),
    "initial_window_bytes": (wire_limits.FIRST_WINDOW_BYTES, 4 * MIB),  # a peer refuses a SESSION with less
    "max_channels": (wire_limits.FIRST_CHANNELS, 65_535),
    "sessions_per_identity": (1, 64),
    "sessions_reserve_share": (0, 0.9),
    "half_open_reserve_share": (0, 0.9),
    "cpu_reserve_share": (0.001, 0.9),  # strangers need some of it
    "progress_bytes": (0, 64 * KIB),
    "key_records_max": (1024, wire_limits.KEY_RECORDS_MAX),
    "key_bytes_max": (MIB, wire_limits.KEY_BYTES_MAX),
    "rekey_volume_bytes": (MIB, wire_limits.KEY_BYTES_MAX),
    "clock_ahead_seconds": (60, 3600),
    "clock_window_seconds": (600, 7 * DAY_SECONDS),
}
NOT_ABOVE: tuple[tuple[str, str], ...] = (
    ("sessions_per_identity", "sessions"),
    ("half_open_prefix", "half_open"),
    ("drain_prefix", "drain_sockets"),
    ("queue_pause_bytes", "queue_error_bytes"),
    ("initial_window_bytes", "window_max_bytes"),
    ("window_max_bytes", "window_pool_peer_bytes"),
    ("window_pool_peer_bytes", "window_pool_node_bytes"),
    ("redial_min_seconds", "redial_max_seconds"),
    ("blocked_min_seconds", "blocked_max_seconds"),
    ("rekey_volume_bytes", "key_bytes_max"),
)
"""Pairs of limits of which the first may not be above the second."""


def range_of(name: str) -> tuple[float, float]:
    """The smallest and the largest value that ``limits.NAME`` may have."""
    return BY_NAME.get(name) or next(bounds for unit, bounds in BY_UNIT if name.endswith(unit))


def limit_names() -> tuple[str, ...]:
    return tuple(field.name for field in fields(Limits))


def checked_limits(table: dict[str, Any]) -> dict[str, Any]:
    """``[limits]`` as arguments for ``Limits``: names, types and ranges are right. Raises Problem."""
    names = limit_names()
    result = {}
    for name, value in table.items():
        path: Path = ("limits", name)
        if name not in names:
            raise _unknown(path, names)
        default = getattr(DEFAULT_LIMITS, name)
        result[name] = _pair(path, value, default) if isinstance(default, tuple) else _number(path, value, default)
    return result


def check_together(limits: Limits) -> None:
    """The rules between limits. Raises Problem naming the pair."""
    for low, high in NOT_ABOVE:
        if getattr(limits, low) > getattr(limits, high):
            raise Problem(("limits", low), f"at most limits.{high} = {getattr(limits, high)}",
                          found_text(getattr(limits, low)))
    if limits.max_message_bytes * 2 > limits.window_pool_peer_bytes:
        raise Problem(("limits", "max_message_bytes"),
                      f"at most half of limits.window_pool_peer_bytes = {limits.window_pool_peer_bytes}",
                      found_text(limits.max_message_bytes))
    floor_most = int(limits.rekey_volume_bytes * wire_limits.BUDGET_PACE)
    if limits.rekey_floor_bytes > floor_most:  # the peer may have counted less than we, and would be right to object
        raise Problem(("limits", "rekey_floor_bytes"),
                      f"at most {floor_most} ({wire_limits.BUDGET_PACE} of limits.rekey_volume_bytes)",
                      found_text(limits.rekey_floor_bytes))
    window_sum = limits.initial_windows_sum_bytes
    if limits.max_channels * limits.initial_window_bytes > window_sum:
        most = window_sum // limits.initial_window_bytes
        raise Problem(("limits", "max_channels"),
                      f"at most {most} (max_channels x limits.initial_window_bytes may be "
                      f"limits.initial_windows_sum_bytes = {window_sum})",
                      found_text(limits.max_channels))


def _unknown(path: Path, names: tuple[str, ...]) -> Problem:
    problem = unknown_key(path, names)
    if problem.expected.startswith("one of"):
        return Problem(path, "the name of a limit (qgate check --limits lists them)", problem.found)
    return problem


def _number(path: Path, value: object, default: float) -> float:
    low, high = range_of(str(path[1]))
    whole = isinstance(default, int) and not _is_fraction(str(path[1]))
    kind = "a whole number" if whole else "a number"
    wrong_type = isinstance(value, bool) or not isinstance(value, int if whole else int | float)
    if wrong_type or not low <= value <= high:  # type: ignore[operator]
        raise Problem(path, f"{kind} from {number_text(low)} to {number_text(high)}", found_text(value))
    return value  # type: ignore[return-value]


def _pair(path: Path, value: object, default: tuple[float, float]) -> tuple[float, float]:
    wanted = "a pair of numbers"
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise Problem(path, wanted, found_text(value))
    pair = tuple(_number(path, part, 0.5) for part in value)
    if not _is_budget(str(path[1])) and pair[0] > pair[1]:
        raise Problem(path, "a pair of numbers, the smaller first", pair_text(pair[0], pair[1]))
    return pair[0], pair[1]


def _is_fraction(name: str) -> bool:
    """Times may have parts of a second, though many defaults are whole; the clock's windows are whole by the spec."""
    return name.endswith("_seconds") and not name.startswith("clock_")


def _is_budget(name: str) -> bool:
    """(per second, burst) pairs, which have no order, unlike the ends of a range."""
    return name.endswith("_rate")

