"""Tests of quantumgate.crypto.liboqs_probe: the child, run for real against libraries that are bad or missing.

Against a good one it runs in test_liboqs.RealLibraryTests.
"""

from __future__ import annotations

import ast
import os
import sys
from pathlib import Path

from cryptography.hazmat.bindings import _rust
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from quantumgate.crypto import liboqs, liboqs_probe
from quantumgate.crypto.liboqs import run_probe
from quantumgate.crypto.random import FixedRandom

PROBE = [sys.executable, "-I", str(Path(liboqs_probe.__file__))]


class ProbeTests(SynchronousTestCase):
    """The child, run for real."""

    def setUp(self) -> None:
        """A prefix of our own."""
        self.prefix = Path(self.mktemp()).absolute()
        (self.prefix / "lib").mkdir(parents=True)
        before = os.environ.get("OQS_INSTALL_PATH")
        if before is None:
            self.addCleanup(os.environ.pop, "OQS_INSTALL_PATH")
        else:
            self.addCleanup(os.environ.__setitem__, "OQS_INSTALL_PATH", before)
        os.environ["OQS_INSTALL_PATH"] = str(self.prefix)
        if not str(next(liboqs_probe.candidates(), self.prefix)).startswith(str(self.prefix)):
            raise SkipTest("liboqs is installed system-wide and would be found first: run where it is not")
        self.library = self.prefix / "lib" / "liboqs.so"

    def test_nothing_there(self) -> None:
        """An empty prefix."""
        self.assertEqual(run_probe(PROBE).reason, "no liboqs library was found")

    def test_a_text_file(self) -> None:
        """Is no library; the child lives."""
        self.library.write_text("not a library")
        found = run_probe(PROBE)
        self.assertEqual((found.reason, found.path), (f"{self.library} does not load", str(self.library)))

    def test_a_truncated_library(self) -> None:
        """Kills the child (SIGBUS here) or does not load; this process lives and names the file."""
        whole = Path(str(_rust.__file__)).read_bytes()
        self.library.write_bytes(whole[: len(whole) // 3])
        found = run_probe(PROBE)
        self.assertTrue(found.broken)
        self.assertIsNone(found.module)
        self.assertTrue(found.reason.startswith(str(self.library)), found.reason)

    def test_another_library_of_that_name(self) -> None:
        """Loads, but is not liboqs."""
        self.library.symlink_to(str(_rust.__file__))
        self.assertEqual(run_probe(PROBE).reason, f"{self.library} does not load")

    def test_a_child_that_cannot_run(self) -> None:
        """Is reported, not raised."""
        found = run_probe([str(self.prefix / "no such program")])
        self.assertEqual((found.reason, found.broken), ("the probe could not run: FileNotFoundError", True))

    def test_a_child_that_hangs(self) -> None:
        """Is ended."""
        self.patch(liboqs, "PROBE_SECONDS", 0.2)
        found = run_probe([sys.executable, "-c", "import sys; sys.stdin.close(); import time; time.sleep(60)"])
        self.assertEqual(found.reason, "the probe could not run: TimeoutExpired")


class StreamTests(SynchronousTestCase):
    """The probe's own copy of the fixed stream (it may import nothing of ours)."""

    def test_is_fixed_random(self) -> None:
        """The same bytes as random.FixedRandom's."""
        stream = liboqs_probe.Stream("seed")
        self.assertEqual(b"".join(stream.draw(n) for n in (0, 1, 3044, 64)), FixedRandom(b"seed").bytes(3109))

    def test_needs_the_standard_library_alone(self) -> None:
        """It runs with ``-I``, where an uninstalled checkout is not on the path, and beside files called random.py."""
        tree = ast.parse(Path(liboqs_probe.__file__).read_text())
        names = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
        names |= {alias.name for n in ast.walk(tree) if isinstance(n, ast.Import) for alias in n.names}
        self.assertEqual({str(name).split(".")[0] for name in names} - sys.stdlib_module_names, set())
