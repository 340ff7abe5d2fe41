"""The guides' code runs: every Python block of a page, in order, in one namespace; files that a page names are written.

A block below ``<!-- file: NAME -->`` is that file; test files among them are run by trial. Not for: shell lines.
"""

from __future__ import annotations

import configparser
import os
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.extender.registry import GROUP, Registry

GUIDE = Path(__file__).resolve().parent.parent / "docs" / "guide"
_BLOCK = re.compile(r"(?:<!-- file: (?P<file>\S+) -->\n)?```(?P<language>\w+)\n(?P<text>.*?)^```$", re.M | re.S)


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    file: str | None
    language: str
    text: str
    line: int


def blocks(page: Path) -> list[Block]:
    """All of them, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(found["file"], found["language"], found["text"], text.count("\n", 0, found.start("text")) + 1)
        for found in _BLOCK.finditer(text)
    ]


class GuideTests(SynchronousTestCase):
    """Each page in a directory of its own."""

    def written(self, page: str) -> tuple[Path, list[Block]]:
        """The page's files, on the path; its blocks."""
        directory = Path(self.mktemp())
        directory.mkdir()
        found = blocks(GUIDE / page)
        for block in found:
            if block.file is not None:
                (directory / block.file).write_text(block.text, encoding="utf-8")
        sys.path.insert(0, str(directory))
        self.addCleanup(sys.path.remove, str(directory))
        modules = [Path(block.file).stem for block in found if block.file and block.file.endswith(".py")]
        self.addCleanup(lambda: [sys.modules.pop(name, None) for name in modules])
        return directory, found

    def test_python_blocks(self) -> None:
        """Those that are no file are run one after the other."""
        for page in sorted(GUIDE.glob("*.md")):
            _, found = self.written(page.name)
            namespace: dict[str, Any] = {"__name__": "guide"}
            for block in found:
                if block.language == "python" and block.file is None:
                    padded = "\n" * (block.line - 1) + block.text  # so that a traceback names the page's line
                    exec(compile(padded, str(page), "exec"), namespace)

    def test_ten_lines(self) -> None:
        """The first extender is as short as promised."""
        (first, *_) = blocks(GUIDE / "first-extender.md")
        self.assertEqual((first.file, len(first.text.splitlines())), ("hello.py", 10))

    def test_its_test_passes(self) -> None:
        """As the reader runs it, in a process of its own; and it fails when the extender is broken."""
        directory, _ = self.written("first-extender.md")
        self.assertIn("PASSED (successes=1)", self.trial(directory))
        source = (directory / "hello.py").read_text(encoding="utf-8")
        (directory / "hello.py").write_text(source.replace('b"hello"', 'b"go away"'), encoding="utf-8")
        self.assertIn("FAILED", self.trial(directory))

    def trial(self, directory: Path) -> str:
        path = os.pathsep.join([str(GUIDE.parent.parent), *sys.path])
        done = subprocess.run(
            [sys.executable, "-m", "twisted.trial", "test_hello"],
            cwd=directory,
            env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            timeout=120,
            text=True,
            check=False,
        )
        return done.stdout

    def test_package_is_found(self) -> None:
        """Its entry point leads the registry to the maker, with the configuration of the page."""
        directory, _ = self.written("first-extender.md")
        package = configparser.ConfigParser()
        package.read(directory / "setup.cfg", encoding="utf-8")
        name, _, value = package["options.entry_points"][GROUP].strip().partition(" = ")
        self.assertEqual(package["options"]["py_modules"], "hello")
        enabled = tomllib.loads((directory / "quantumgate.toml").read_text(encoding="utf-8"))["extenders"]
        (row,) = Registry(enabled, [EntryPoint(name, value, GROUP)]).run()
        self.assertEqual((row.name, row.problem), ("hello", ""))
        tomllib.loads((directory / "pyproject.toml").read_text(encoding="utf-8"))

    def test_configuration_is_valid(self) -> None:
        """The node's own schema takes what the page shows."""
        from quantumgate.settings.schema import Settings
        from quantumgate.settings.wording import checked

        directory, _ = self.written("first-extender.md")
        text = (directory / "quantumgate.toml").read_text(encoding="utf-8")
        self.assertEqual(checked(tomllib.loads(text), Settings).extenders, {"hello": {}})

    def test_tunnelling_configurations_are_valid(self) -> None:
        """What tunnelling.md shows is taken by the node and by the extender."""
        from quantumgate.settings.schema import Settings
        from quantumgate.settings.wording import checked

        directory, _ = self.written("tunnelling.md")
        for file in ("exit.toml", "near.toml"):
            text = (directory / file).read_text(encoding="utf-8")
            tables = checked(tomllib.loads(text), Settings).extenders
            (row,) = [row for row in Registry(tables).run() if row.enabled]
            self.assertEqual((row.name, row.problem), ("socks5", ""), file)
