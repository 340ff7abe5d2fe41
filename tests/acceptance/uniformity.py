"""The statistics of first flights: chi-square for each byte position, and the five published rules that block them.

The rules are those of Wu et al., "How the Great Firewall of China Detects and Blocks Fully Encrypted Traffic" (USENIX
Security 2023), section 4, written again from the paper's text. Not for: capturing (``uniform.py``).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

_TLS = re.compile(rb"[\x16\x17]\x03[\x00-\x09]")
_HTTP = (b"GET ", b"PUT ", b"POST ", b"HEAD ")
_PRINTABLE = bytes(range(0x20, 0x7F))
_RUN = re.compile(rb"[\x20-\x7e]{21}")


def exempt_from_blocking(payload: bytes) -> bool:
    """Whether the first TCP payload passes by one of the five rules; what passes by none was blocked."""
    mean_bits = int.from_bytes(payload, "big").bit_count() / len(payload)
    printable = len(payload) - len(payload.translate(None, _PRINTABLE))
    return (
        not 3.4 < mean_bits < 4.6
        or not payload[:6].translate(None, _PRINTABLE)
        or printable * 2 > len(payload)
        or _RUN.search(payload) is not None
        or _TLS.match(payload) is not None
        or payload.startswith(_HTTP)
    )


def chi_square_p(counts: Sequence[int]) -> float:
    """The chance that uniform draws spread at least as unevenly as these counts (Pearson's test, upper tail)."""
    expected = sum(counts) / len(counts)
    statistic = sum((count - expected) ** 2 for count in counts) / expected
    return upper_gamma((len(counts) - 1) / 2, statistic / 2)


def upper_gamma(a: float, x: float) -> float:
    """Q(a, x), the regularized upper incomplete gamma function: a series below a + 1, a continued fraction above."""
    if x <= 0:
        return 1.0
    front = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1:
        term = total = 1 / a
        for n in range(1, 10_000):
            term *= x / (a + n)
            total += term
            if term < total * 1e-15:
                break
        return 1 - front * total
    return front * _fraction(a, x)


def _fraction(a: float, x: float) -> float:
    """Lentz's method for the continued fraction of Q (Numerical Recipes' ``gcf``, written anew)."""
    b = x + 1 - a
    c, d = 1e300, 1 / b
    value = d
    for n in range(1, 10_000):
        step = -n * (n - a)
        b += 2
        d = 1 / (step * d + b)
        c = b + step / c
        value *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return value


def position_p_values(flights: Sequence[bytes], positions: int) -> list[float]:
    """One p-value for each byte position from 0."""
    values = []
    for at in range(positions):
        counts = [0] * 256
        for flight in flights:
            counts[flight[at]] += 1
        values.append(chi_square_p(counts))
    return values
