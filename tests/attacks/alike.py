"""Whether samples come from one distribution: Kolmogorov and Smirnov's test of two samples, and Holm's correction.

Each group is compared with all the others together. Not for: what was measured (``probes.py``).
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence

ERROR_RATE = 0.01
"""That any group is told apart although all are alike."""


def distance(sample: Sequence[float], every: Sequence[float]) -> float:
    """The greatest distance of the distribution of ``sample`` from that of all in ``every`` that are not in it.

    ``every`` is sorted and holds ``sample``; so it is the distance from ``every``, stretched by what is its own share.
    """
    ordered, size, whole = sorted(sample), len(sample), len(every)
    most = 0.0
    for value in set(ordered):
        upto = bisect_right(ordered, value) / size - bisect_right(every, value) / whole
        below = bisect_left(ordered, value) / size - bisect_left(every, value) / whole
        most = max(most, abs(upto), abs(below))
    return most / (1 - size / whole)


def p_value(greatest: float, one: int, other: int) -> float:
    """The chance of so great a distance between samples of these sizes: Kolmogorov's law with Stephens' correction.

    M. A. Stephens, J. Roy. Stat. Soc. B 32 (1970) 115. With ties the chance is smaller than what this gives.
    """
    root = math.sqrt(one * other / (one + other))
    x = (root + 0.12 + 0.11 / root) * greatest
    if x < 0.2:  # the series does not converge there, and the chance is 1 to ten digits
        return 1.0
    return min(1.0, 2 * sum((-1) ** (n - 1) * math.exp(-2 * (n * x) ** 2) for n in range(1, 101)))


def p_values(groups: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """For each group the chance that it differs so much from all the others together."""
    every = sorted(value for group in groups.values() for value in group)
    return {
        name: p_value(distance(group, every), len(group), len(every) - len(group)) for name, group in groups.items()
    }


def told_apart(p_of: Mapping[str, float], rate: float = ERROR_RATE) -> list[str]:
    """Which groups differ by Holm's step-down procedure: the chance that it names any in vain is ``rate`` at most."""
    named: list[str] = []
    for name in sorted(p_of, key=lambda name: p_of[name]):
        if p_of[name] > rate / (len(p_of) - len(named)):
            break
        named.append(name)
    return named
