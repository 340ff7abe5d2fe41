"""What all commands share: help, exit codes, options before or after, no Twisted at start."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from twisted.trial.unittest import SynchronousTestCase

import quantumgate
from quantumgate.cli.main import qgate as group
from tests.cli.tool import qgate

HELP = Path(__file__).parent / "help"
UUID = "0b51a0f2-3c4d-8100-8888-000000000001"


def commands(command: click.Command = group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command with its path below qgate."""
    yield path
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, (*path, name))


class HelpTests(SynchronousTestCase):
    """QG_WRITE_HELP=1 in the environment writes the snapshots anew."""

    def setUp(self) -> None:
        self.patch(os, "environ", {**os.environ, "COLUMNS": "80"})  # whatever terminal the tests run in

    def test_each_is_as_it_was(self) -> None:
        paths = list(commands())
        for path in paths:
            file = HELP / f"{'-'.join(('qgate', *path))}.txt"
            shown = qgate(*path, "--help")
            if os.environ.get("QG_WRITE_HELP"):
                file.write_text(shown.out)
            self.assertEqual((shown.code, shown.err, shown.out), (0, "", file.read_text()), file.name)
        self.assertEqual(len(list(HELP.glob("*.txt"))), len(paths))

    def test_each_has_an_example(self) -> None:
        for path in commands():
            text = qgate(*path, "--help").out
            self.assertTrue("Example:" in text or "First steps:" in text, path)

    def test_what_is_not_built_is_not_offered(self) -> None:
        text = qgate("--help").out
        for name in ("reload",):
            self.assertNotIn(name, text)


class ExitCodeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.nowhere = ("--data", str(Path(self.mktemp()).absolute()))

    def test_wrong_use(self) -> None:
        for arguments in (("nonsense",), ("connect",), ("peers", "--nonsense"), ("disconnect", UUID, UUID),
                          ("disconnect", "me"), ("access", "allow", UUID[:-1]), ("access", "remove", "")):
            outcome = qgate(*arguments)
            self.assertEqual((outcome.code, outcome.out), (2, ""), arguments)
            self.assertIn("Error:", outcome.err)

    def test_wrong_use_of_ping(self) -> None:
        for arguments in (("ping",), ("ping", UUID, "--count", "0"), ("ping", UUID, "--nonsense"), ("--x", "ping")):
            self.assertEqual(qgate(*arguments).code, 64, arguments)

    def test_no_node(self) -> None:
        for arguments in (("status",), ("peers",), ("connect", "x"), ("disconnect", UUID), ("ping", UUID),
                          ("access", "list"), ("access", "allow", UUID), ("extenders",)):
            after = (*arguments, *self.nowhere)
            for line in ((*self.nowhere, *arguments), after, ("--json", *after)):
                outcome = qgate(*line)
                self.assertEqual((outcome.code, outcome.out), (3, ""), line)
                self.assertIn("qgate: no node is running", outcome.err)
                self.assertIn("try: start one with", outcome.err)

    def test_version(self) -> None:
        self.assertEqual(qgate("--version").out, f"qgate {quantumgate.__version__}\n")

    def test_no_traceback_for_a_file_that_cannot_be_read(self) -> None:
        outcome = qgate(*self.nowhere, "id", "import", "/nonexistent/key")
        self.assertEqual((outcome.code, outcome.err), (1, "qgate: /nonexistent/key: No such file or directory\n"))


class StartTests(SynchronousTestCase):
    def loaded(self, *arguments: str) -> list[str]:
        """The heavy packages that a call of qgate in its own process loads."""
        code = ("import sys\nfrom quantumgate.cli.main import run\n"
                f"run({list(arguments)!r})\n"
                "heavy = ('twisted', 'cryptography', 'rich', 'OpenSSL', 'lz4')\n"
                "print(sorted(name for name in heavy if name in sys.modules))")
        environment = {"PYTHONPATH": str(Path(quantumgate.__file__).parent.parent), "HOME": "/nonexistent"}
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
        return list(eval(done.stdout.splitlines()[-1]))

    def test_nothing_heavy_is_loaded_to_ask_a_node(self) -> None:
        self.assertEqual(self.loaded("status"), [])

    def test_nothing_heavy_is_loaded_to_help(self) -> None:
        self.assertEqual(self.loaded("--help"), [])
