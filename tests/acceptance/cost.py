"""What a piece of work cost: seconds by the clock, CPU seconds of processes. Not for: memory (``processes.py``)."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path


def cpu_seconds(pid: int) -> float:
    """What a process has used so far, its threads included."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


class Cost:
    """Of everything since it was made, for processes by their names."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = pids
        self._began, self._before = time.monotonic(), self._used()

    def _used(self) -> dict[str, float]:
        return {name: cpu_seconds(pid) for name, pid in self._pids.items()}

    def said(self, size: int) -> str:
        """Of moving ``size`` bytes."""
        seconds = time.monotonic() - self._began
        used = {name: now - self._before[name] for name, now in self._used().items()}
        each = " ".join(f"{name} {value:.1f}" for name, value in used.items())
        return f"{size / 1e6 / seconds:.1f} MB/s in {seconds:.1f} s; CPU seconds {sum(used.values()):.1f} ({each})"
