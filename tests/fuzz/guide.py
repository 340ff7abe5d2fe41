"""Keeps the scripts that reach something new, and mutates those: coverage-guided, with every Nth script traced.

Tracing costs ten times the run, so most scripts run untraced; whatever is new is met again soon enough. This is a
guide (arcs between lines of ``quantumgate``), not the figure that is reported (``coverage`` measures that).
"""

from __future__ import annotations

import base64
import random
import sys
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

from tests.fuzz.script import Script, Step, decode, encode

TRACE_EVERY = ((10_000, 4), (100_000, 40))
TRACE_OLD_EVERY = 200
"""A young pool learns more often than an old one: up to so many executions every so manieth."""
FRESH_SHARE = 0.1
POOL_MOST = 4000
KEYED_PARTS = ("quantumgate/core/", "quantumgate/wire/")

Arc = tuple[str, int, int]


class Maker(Protocol):
    """Makes scripts: from nothing, and from others."""

    def fresh(self) -> Script:
        """A new one."""

    def changed(self, script: Sequence[Step], other: Sequence[Step]) -> Script:
        """``script`` with changes, now and then with a part of ``other``."""


def traced(act: Callable[[], object], parts: Sequence[str] = KEYED_PARTS) -> set[Arc]:
    """The arcs between lines of ``parts`` (wire/ and core/) that ``act`` takes; exceptions pass through."""
    arcs: set[Arc] = set()

    def on_call(frame: FrameType, event: str, argument: Any) -> Any:
        name = frame.f_code.co_filename
        if not any(part in name for part in parts):
            return None
        last = -frame.f_lineno

        def on_line(frame: FrameType, event: str, argument: Any) -> Any:
            nonlocal last
            arcs.add((name, last, frame.f_lineno))
            last = frame.f_lineno
            return on_line

        return on_line

    before = sys.gettrace()
    sys.settrace(on_call)
    try:
        act()
    finally:
        sys.settrace(before)
    return arcs


class Guide:
    """The pool of scripts of one process."""

    def __init__(
        self, luck: random.Random, mutator: Maker, run: Callable[[Script], object],
        parts: Sequence[str] = KEYED_PARTS,
    ) -> None:
        self.luck, self.mutator, self.run, self.parts = luck, mutator, run, parts
        self.pool: list[Script] = []
        self.seen: set[Arc] = set()
        self.found: list[Script] = []
        self.executions = self.steps = 0

    def learn(self, script: Script) -> bool:
        """Trace one script; keep it if it goes where none went."""
        arcs = traced(lambda: self.run(script), self.parts)
        fresh = not arcs <= self.seen
        if fresh:
            self.seen |= arcs
            self.pool.append(script)
            if len(self.pool) > POOL_MOST:
                del self.pool[self.luck.randrange(POOL_MOST)]
        return fresh

    def next(self) -> Script:
        luck = self.luck
        if not self.pool or luck.random() < FRESH_SHARE:
            return self.mutator.fresh()
        return self.mutator.changed(luck.choice(self.pool), luck.choice(self.pool))

    def once(self) -> Script:
        """One execution; the script is returned, and raised exceptions are findings."""
        script = self.next()
        self.last = script
        self.executions += 1
        self.steps += len(script)
        if self.executions % self._trace_every() == 0:
            if self.learn(script):
                self.found.append(script)
        else:
            self.run(script)
        return script


    def _trace_every(self) -> int:
        return next((every for young, every in TRACE_EVERY if self.executions <= young), TRACE_OLD_EVERY)


# -- corpora: a text file, one script a line -------------------------------------------------------------------------


def to_line(script: Script) -> str:
    return base64.b64encode(zlib.compress(encode(script), 9)).decode()


def from_line(line: str) -> Script:
    return decode(zlib.decompress(base64.b64decode(line)))


def load(path: Path) -> list[Script]:
    """The scripts of a corpus file; none if there is no file."""
    if not path.exists():
        return []
    return [from_line(line) for line in path.read_text(encoding="ascii").split()]


def smallest_cover(
    scripts: Iterable[Script], run: Callable[[Script], object], parts: Sequence[str] = KEYED_PARTS
) -> list[Script]:
    """Scripts that take all arcs which these take together, small ones first."""
    seen: set[Arc] = set()
    kept = []
    for script in sorted(scripts, key=lambda one: len(encode(one))):
        arcs = traced(lambda one=script: run(one), parts)  # type: ignore[misc]
        if not arcs <= seen:
            seen |= arcs
            kept.append(script)
    return kept
