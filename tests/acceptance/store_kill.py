"""200 times kill -9 under write load, on SQLite, on SQLite sealed and on PostgreSQL: nothing acknowledged is lost.

A node writes values, rules and pins and says which of them is durable; it is killed at a random moment, which may be in
the middle of its start. The next one tells what it remembers before it writes on.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.acceptance.processes import staged
from tests.acceptance.report import ROOT, Figure, at_least, exactly, noted
from tests.acceptance.store_writer import KEYS
from tests.store import postgres

CYCLES = int(os.environ.get("STORE_KILL_CYCLES", "200"))
LONGEST_SECONDS, READY_SECONDS = 0.8, 60.0
IN_THE_START_SHARE = 0.15


class Known:
    """What was acknowledged so far, over all cycles."""

    def __init__(self) -> None:
        self.values: dict[str, int] = {}
        self.rules: set[int] = set()
        self.pins: set[int] = set()
        self.uuid = ""
        self.acknowledged = 0
        self.lost: list[str] = []

    def told(self, word: str, number: int) -> None:
        self.acknowledged += 1
        if word == "rule":
            self.rules.add(number)
        elif word == "pin":
            self.pins.add(number)
        else:
            key = f"key {number % KEYS}"
            self.values[key] = max(number, self.values.get(key, 0))

    def compare(self, remembered: dict[str, Any]) -> None:
        """A later value than the acknowledged one is as good: it was written, and the word of it did not reach us."""
        self.uuid = self.uuid or remembered["uuid"]
        if remembered["uuid"] != self.uuid:
            self.lost.append("the identity")
        self.lost += [f"rule {one}" for one in self.rules - set(remembered["rules"])]
        self.lost += [f"pin {one}" for one in self.pins - set(remembered["pins"])]
        self.lost += [f"{key}: {number}" for key, number in self.values.items()
                      if remembered["values"].get(key, 0) < number]


class Nursery:
    """The process that writers come from."""

    def __init__(self, place: Path) -> None:
        self._errors = (place / "nursery.log").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.acceptance.store_writer"], cwd=ROOT, text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=self._errors)

    def born(self, *words: object) -> int:
        """The pid of a new one."""
        assert self._process.stdin is not None
        self._process.stdin.write("".join(f"{word}\t" for word in words) + "\n")
        self._process.stdin.flush()
        return int(self._line())

    def gone(self) -> None:
        """Returns when it has ended."""
        if self._line() != "ended":
            raise RuntimeError("the nursery lost a writer")

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._errors.close()


class Cycle:
    """One life of the writer."""

    def __init__(self, nursery: Nursery, place: Path, config: Path, known: Known, number: int,
                 luck: random.Random) -> None:
        self.out = place / f"{number}.out"
        self.out.touch()
        self._nursery, self._known, self._luck = nursery, known, luck
        self.pid = nursery.born(config, place / "data", number, self.out, place / "errors.log")

    def live_and_die(self) -> bool:
        """Whether it opened its store before it was killed. Raises RuntimeError where it did not open, or ended."""
        early = self._luck.random() < IN_THE_START_SHARE
        if not early:
            self._wait_until_open()
        time.sleep(self._luck.uniform(0, LONGEST_SECONDS))
        ended = self._is_over()
        self.end()
        if ended:
            raise RuntimeError("the writer ended by itself")
        return self._heard()

    def end(self) -> None:
        """Kill it: not a word to it before."""
        if self.pid:
            try:
                os.kill(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass  # it ended by itself, which is told elsewhere
            self._nursery.gone()
            self.pid = 0

    def _is_over(self) -> bool:
        return not Path(f"/proc/{self.pid}").exists()

    def _wait_until_open(self) -> None:
        last = time.monotonic() + READY_SECONDS
        while b"\n" not in self.out.read_bytes():
            if time.monotonic() > last or self._is_over():
                raise RuntimeError("the store did not open")
            time.sleep(0.01)

    def _heard(self) -> bool:
        first, *rest = self.out.read_text().split("\n")
        if not rest:
            return False
        self._known.compare(json.loads(first))
        for line in rest[:-1]:  # the last piece is what comes behind the last newline: nothing, or half a line
            word, number = line.split()
            self._known.told(word, int(number))
        self.out.unlink()
        return True


def killed(directory: Path, name: str, node: str) -> Iterator[Figure]:
    """``CYCLES`` lives on one kind of store."""
    place = directory / name
    place.mkdir()
    config = place / "node.toml"
    config.write_text(f"[node]\nlisten = []\n{node}\n")
    config.chmod(0o600)
    known, luck, opened, refused = Known(), random.Random(name), 0, 0
    nursery = Nursery(place)
    for number in range(CYCLES):
        cycle = Cycle(nursery, place, config, known, number, luck)
        try:
            opened += cycle.live_and_die()
        except RuntimeError as error:
            refused += 1
            print(f"  {name}, cycle {number}: {error}\n{(place / 'errors.log').read_text()[-2000:]}", flush=True)
        finally:
            cycle.end()
    nursery.close()
    errors = (place / "errors.log").read_text()
    yield exactly(f"{name}: cycles in which the store did not open", 0, refused)
    yield exactly(f"{name}: identities, rules, pins and acknowledged values lost in {CYCLES} kills", 0, len(known.lost))
    yield at_least(f"{name}: acknowledged writes meanwhile", 10 * CYCLES, known.acknowledged, digits=0)
    yield noted(f"{name}: killed after the store had opened, before", f"{opened}, {CYCLES - opened - refused}")
    if errors or known.lost:
        yield exactly(f"{name}: said on stderr", "", (errors + " ".join(known.lost))[-500:])


def checked(place: Path, config: Path) -> Iterator[Figure]:
    words = [sys.executable, "-m", "quantumgate.cli.main", "store", "check", "--data", str(place / "data"),
             "--config", str(config)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    yield exactly(f"{place.name}: qgate store check afterwards", 0, done.returncode)


def _scene(directory: Path, stack: ExitStack) -> Iterator[Figure]:
    key = directory / "key"
    key.write_bytes(bytes(range(64)))
    key.chmod(0o600)
    server = postgres.Server(durable=True)
    stack.callback(server.remove)
    for name, node in (("SQLite", ""), ("SQLite, sealed", f'store_key_file = "{key}"'),
                       ("PostgreSQL", f'store = "{server.space("kills")}"')):
        yield from killed(directory, name, node)
        yield from checked(directory / name, directory / name / "node.toml")


def figures() -> Iterator[Figure]:
    """The point's rows."""
    yield from staged(_scene)
