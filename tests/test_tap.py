"""``twistd qgnode`` in a process of its own: exit codes, the one line on stderr."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.node.data_directory import DataDirectory
from quantumgate.store.opening import STORE_FILE

ROOT = Path(__file__).parents[1]
RUN = "import sys; from twisted.scripts.twistd import run; sys.argv[0] = 'twistd'; run()"


class ExitTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.place = Path(self.mktemp()).absolute()
        self.place.mkdir(parents=True)

    def twistd(self, configuration: str) -> subprocess.CompletedProcess[str]:
        config = self.place / "node.toml"
        config.write_text(configuration)
        words = [sys.executable, "-c", RUN, "-n", "qgnode", "--config", str(config), "--data", str(self.place / "data")]
        return subprocess.run(words, cwd=self.place, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True,
                              text=True, timeout=30, check=False)

    def test_a_bad_configuration_is_one_line_and_2(self) -> None:
        done = self.twistd("[node]\nbogus = 1\n")
        self.assertEqual((done.returncode, done.stderr.count("\n")), (2, 1))
        self.assertTrue(done.stderr.startswith(f"{self.place / 'node.toml'}: node.bogus: expected"), done.stderr)
        self.assertFalse((self.place / "data").exists())

    def test_a_directory_in_use_is_one_line_with_the_pid_and_1(self) -> None:
        holder = DataDirectory(self.place / "data")
        holder.lock()
        self.addCleanup(holder.unlock)
        done = self.twistd("[node]\nlisten = []\n")
        self.assertEqual((done.returncode, done.stderr.count("\n")), (1, 1))
        self.assertIn(f"pid {os.getpid()}", done.stderr)

    def test_a_damaged_store_is_one_line_with_the_way_back_and_1(self) -> None:
        directory = DataDirectory(self.place / "data")
        directory.lock()
        directory.identity("ed25519")
        directory.unlock()
        (self.place / "data" / STORE_FILE).write_bytes(b"{" * 9000)
        done = self.twistd("[node]\nlisten = []\n")
        self.assertEqual((done.returncode, done.stderr.count("\n")), (1, 1))
        self.assertIn("qgate store restore", done.stderr)
        self.assertEqual((self.place / "data" / STORE_FILE).read_bytes(), b"{" * 9000)
