"""The store against bare sqlite3 at the same durability: transactions a second, and how long the reactor waits.

    python bench/bench_store.py [--seconds 3] [--rounds 3] [--place DIR]

Both write rows of 200 octets into SQLite with its write-ahead log and ``synchronous = FULL``. Bare: one connection, a
commit for each row. Ours: 64 tasks on a running reactor, each waiting until its row is durable before the next;
then one task alone. Rounds alternate, medians count. A gap is how much later than after a millisecond the reactor came
back to a timer while ours wrote, or (quiet) nobody. One JSON object on stdout.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred, gatherResults
from twisted.internet.task import LoopingCall, deferLater

from quantumgate.crypto.secret import Secret
from quantumgate.store.opening import store_at
from quantumgate.store.sealed import StoreKey
from quantumgate.store.store import Store
from quantumgate.store.tables import SETTINGS

TASKS, VALUE_BYTES, TICK_SECONDS = 64, 200, 0.001
VALUE = bytes(range(VALUE_BYTES))


def bare(place: Path, seconds: float) -> float:
    """Commits a second."""
    connection = sqlite3.connect(place / "bare.db", isolation_level=None)
    for line in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL",
                 "CREATE TABLE IF NOT EXISTS settings (id BLOB PRIMARY KEY, name TEXT, value BLOB)"):
        connection.execute(line)
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        connection.execute("INSERT OR REPLACE INTO settings VALUES (?, ?, ?)", (os.urandom(32), f"{count}", VALUE))
        count += 1
    rate = count / (time.perf_counter() - began)
    connection.close()
    return rate


class Ours:
    """The store of a node, in its thread, on a reactor that runs."""

    def __init__(self, place: Path, seconds: float, key: StoreKey | None = None) -> None:
        self._seconds, self._count = seconds, 0
        self.gaps_seconds: list[float] = []
        self.store: Store = store_at("", place, key, reactor)
        self._opened = False

    async def rate(self, tasks: int) -> float:
        """Durable writes a second, each told to who waited for it."""
        if not self._opened:
            await self.store.open()
        self._opened = True
        watch = LoopingCall(self._tick)
        self._last = began = time.perf_counter()
        watch.start(TICK_SECONDS, now=False)
        before = self._count
        await gatherResults([ensureDeferred(self._write(began + self._seconds)) for _ in range(tasks)])
        watch.stop()
        return (self._count - before) / (time.perf_counter() - began)

    async def watch(self) -> None:
        """The gaps of a reactor that has nothing else to do: what the machine takes."""
        watch = LoopingCall(self._tick)
        self._last = time.perf_counter()
        watch.start(TICK_SECONDS, now=False)
        await deferLater(reactor, self._seconds)  # type: ignore[arg-type]
        watch.stop()

    async def _write(self, end: float) -> None:
        while time.perf_counter() < end:
            self._count += 1
            self.store.put(SETTINGS, {(f"{self._count}",): (VALUE,)})
            await self.store.flushed()

    def _tick(self) -> None:
        now = time.perf_counter()
        self.gaps_seconds.append(max(0.0, now - self._last - TICK_SECONDS))
        self._last = now


def share(values: list[float], part: float) -> float:
    """The value that this part of all does not exceed."""
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


async def measured(place: Path, seconds: float, rounds: int) -> dict[str, Any]:
    """Everything, as it goes to stdout."""
    key = StoreKey("key file", Secret(bytes(range(64))))
    open_one, sealed = Ours(_made(place / "open"), seconds), Ours(_made(place / "sealed"), seconds, key)
    found: dict[str, list[float]] = {"bare": [], "open": [], "sealed": [], "alone": []}
    quiet = Ours(place, seconds)
    for _ in range(rounds):
        await quiet.watch()
        found["bare"].append(bare(place, seconds))
        found["open"].append(await open_one.rate(TASKS))
        found["sealed"].append(await sealed.rate(TASKS))
        found["alone"].append(await open_one.rate(1))
        await deferLater(reactor, 0.1)  # type: ignore[arg-type]
    for each in (open_one, sealed):
        await each.store.close()
    gaps = open_one.gaps_seconds + sealed.gaps_seconds
    rates = {f"{name}_per_second": round(median(rows), 1) for name, rows in found.items()}
    worst = min(rates["open_per_second"], rates["sealed_per_second"])
    return {**rates, "ratio": round(worst / rates["bare_per_second"], 3), "tasks": TASKS,
            "quiet_gap_milliseconds_99.9": round(share(quiet.gaps_seconds, 0.999) * 1000, 2),
            "gap_milliseconds_99.9": round(share(gaps, 0.999) * 1000, 2),
            "gap_milliseconds_longest": round(max(gaps) * 1000, 2), "gaps": len(gaps)}


def _made(place: Path) -> Path:
    place.mkdir()
    return place


def main(say: Callable[[str], Any] = print) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--place", help="a directory on the disk that is meant")
    wanted = parser.parse_args()
    code: list[int] = [1]

    async def run() -> None:
        with tempfile.TemporaryDirectory(dir=wanted.place) as place:
            say(json.dumps(await measured(Path(place), wanted.seconds, wanted.rounds)))
        code[0] = 0

    started: Deferred[None] = Deferred()
    started.addCallback(lambda _: ensureDeferred(run()))
    started.addErrback(lambda failure: failure.printTraceback()).addBoth(
        lambda _: reactor.stop())  # type: ignore[attr-defined]
    reactor.callWhenRunning(started.callback, None)  # type: ignore[attr-defined]
    reactor.run()  # type: ignore[attr-defined]
    return code[0]


if __name__ == "__main__":
    sys.exit(main())
