"""What is seen of a node under attack from outside: its memory, descriptors and processor, and who fills its log.

Not for: judging (``stage.py``). A line's source is the first address or UUID in it; without one it is the node's own,
told by its words.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from tests.acceptance.cost import cpu_seconds
from tests.acceptance.processes import rss_bytes

EVERY_SECONDS = 0.25
LOG_WINDOW_SECONDS = 10
_AT = re.compile(r"^\d{4}-\d\d-\d\dT(\d\d):(\d\d):(\d\d)\S* (.*)")
_WHO = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{1,3}(?:\.\d{1,3}){3}")
_NUMBER = re.compile(r"[\d.,]+")


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


class Watch:
    """The most of everything since it was made, and what it was then; ``close`` ends it.

    ``cpu_share``: of one processor, on average, when it is over.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.first_rss = self.most_rss = rss_bytes(pid)
        self.most_descriptors = descriptors(pid)
        self._began, self._cpu = time.monotonic(), cpu_seconds(pid)
        self.cpu_share = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._over.wait(EVERY_SECONDS):
            self.most_rss = max(self.most_rss, rss_bytes(self._pid))
            self.most_descriptors = max(self.most_descriptors, descriptors(self._pid))

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        self.cpu_share = (cpu_seconds(self._pid) - self._cpu) / (time.monotonic() - self._began)


def source_of(line: str) -> str:
    """Whom a line of the log is about."""
    found = _WHO.search(line)
    return found.group() if found else _NUMBER.sub("#", line)


class LogRead:
    """A log from where it was when this was made."""

    def __init__(self, path: Path) -> None:
        self._path, self._start = path, path.stat().st_size

    def lines(self) -> list[str]:
        with self._path.open(encoding="utf-8", errors="replace") as file:
            file.seek(self._start)
            return file.read().splitlines()


def fastest_source(lines: Iterable[str]) -> tuple[float, str]:
    """Lines a second of the source that wrote most in LOG_WINDOW_SECONDS, and which it is; the first one is free."""
    times: dict[str, list[int]] = defaultdict(list)
    for line in lines:
        if found := _AT.match(line):
            hours, minutes, seconds, text = found.groups()
            times[source_of(text)].append(int(hours) * 3600 + int(minutes) * 60 + int(seconds))
    most, who = 0, ""
    for source, moments in times.items():
        left = 0
        for right, moment in enumerate(moments):
            while moment - moments[left] >= LOG_WINDOW_SECONDS:
                left += 1
            if right - left + 1 > most:
                most, who = right - left + 1, source
    return max(0, most - 1) / LOG_WINDOW_SECONDS, who
