"""A write that is cut off at any moment leaves the old file or the new one, whole; and what is told as written lasts.

A power cut is played by an exception that nothing in the code catches; what had not been fsynced by then is taken away.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.ids import parse_peer_uuid
from quantumgate.node import data_directory
from quantumgate.node.data_directory import write_atomically

STEPS = ("open", "fchmod", "fsync", "rename", "fsync directory")
ONE = parse_peer_uuid("c0ffee00-1234-8abc-9def-0123456789ab")


class PowerCut(BaseException):
    """Nobody's OSError."""


class Recorder:
    """``os`` with a list of what was called, and a cut before the step of that number."""

    def __init__(self, cut_before: int | None = None) -> None:
        self.steps: list[str] = []
        self.cut_before = cut_before
        self.directories: set[int] = set()

    def __getattr__(self, name: str) -> Any:
        found = getattr(os, name)
        return self._watched(name, found) if name in ("open", "fchmod", "fsync", "rename") else found

    def _watched(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def made(*arguments: Any, **more: Any) -> Any:
            directory = name == "open" and bool(arguments[1] & os.O_DIRECTORY)
            if not directory:
                if len(self.steps) == self.cut_before:
                    raise PowerCut(name)
                self.steps.append("fsync directory" if arguments[0] in self.directories else name)
            result = call(*arguments, **more)
            if directory:
                self.directories.add(result)
            elif name == "open":
                self.directories.discard(result)  # a number that was free again
            return result

        return made


class CrashTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir(parents=True)
        self.path = self.directory / "state.json"

    def cut(self, before: int | None) -> Recorder:
        recorder = Recorder(before)
        self.patch(data_directory, "os", recorder)
        return recorder

    def test_the_order(self) -> None:
        """The content is on the disk before the name points to it, and the name before anybody is told."""
        recorder = self.cut(None)
        write_atomically(self.path, b"new")
        self.assertEqual(tuple(recorder.steps), STEPS)

    def test_cut_before_each_step(self) -> None:
        for number, step in enumerate(STEPS):
            self.path.write_bytes(b"old")
            self.cut(number)
            self.assertRaises(PowerCut, write_atomically, self.path, b"new")
            expected = b"new" if number > STEPS.index("rename") else b"old"
            self.assertEqual(self.path.read_bytes(), expected, step)

    def test_what_a_cut_leaves_is_in_nobodys_way(self) -> None:
        self.path.write_bytes(b"old")
        self.cut(STEPS.index("rename"))
        self.assertRaises(PowerCut, write_atomically, self.path, b"half")
        (litter,) = [each for each in self.directory.iterdir() if each != self.path]
        self.assertEqual(litter.stat().st_mode & 0o777, 0o600)
        self.cut(None)
        write_atomically(self.path, b"new")
        self.assertEqual((self.path.read_bytes(), list(self.directory.iterdir())), (b"new", [self.path]))
