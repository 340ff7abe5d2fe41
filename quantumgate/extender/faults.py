"""The faults of one guest: put into words, counted within a span of time, the last of them kept for the operator.

Not for: deciding what happens to the guest (``lifecycle.py``).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

FAULTS_MAX = 5
FAULT_SPAN_SECONDS = 600.0
FAULTS_KEPT = 32
_TEXT_CHARACTERS = 500


def described(error: BaseException) -> str:
    """``ImportError: No module named x``, on one line. An exception that cannot be printed is named by its type."""
    name = type(error).__name__
    try:
        text = " ".join(str(error).split())
    except Exception:
        return name
    return f"{name}: {text[:_TEXT_CHARACTERS]}" if text else name


@dataclass(frozen=True)
class Fault:
    """When (seconds of the node's clock), in which method, and what."""

    at_seconds: float
    where: str
    text: str

    def __str__(self) -> str:
        return f"{self.text}, in {self.where}"


class FaultCount:
    """``add`` says whether the guest has now failed ``most`` times within ``span_seconds``."""

    def __init__(self, most: int = FAULTS_MAX, span_seconds: float = FAULT_SPAN_SECONDS) -> None:
        self.most, self.span_seconds = most, span_seconds
        self.total = 0
        self.kept: deque[Fault] = deque(maxlen=FAULTS_KEPT)
        self._recent: deque[float] = deque(maxlen=most)

    def add(self, fault: Fault) -> bool:
        self.total += 1
        self.kept.append(fault)
        self._recent.append(fault.at_seconds)
        return len(self._recent) == self.most and fault.at_seconds - self._recent[0] <= self.span_seconds

    def forgive(self) -> None:
        """The guest begins anew; the kept texts stay."""
        self._recent.clear()
