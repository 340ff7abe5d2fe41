"""qgate bench in a process of its own, for it runs a reactor; short, and only its shape is looked at."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import quantumgate
from quantumgate.cli import bench
from quantumgate.errors import LocalError

ROOT = str(Path(quantumgate.__file__).parent.parent)


class BenchTests(SynchronousTestCase):
    def test_measures_everything(self) -> None:
        command = [sys.executable, "-m", "quantumgate.cli.main", "bench", "--seconds", "0.1", "--json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False,
                              env={"PYTHONPATH": ROOT, "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"})
        self.assertEqual(done.returncode, 0, done.stderr)
        report = json.loads(done.stdout)
        self.assertEqual(report["algorithms"]["secondary"], "ML-KEM-768")
        self.assertGreater(report["handshake"]["per_second"], 0)
        self.assertGreater(report["latency"]["median_seconds"], 0)
        self.assertGreater(report["large"]["bytes_per_second"], 0)
        self.assertGreater(report["small"]["messages_per_second"], 0)


class PatienceTests(SynchronousTestCase):
    """Whatever does not come: one sentence that names the step, within its bound."""

    DIAL = """
import sys
from pathlib import Path
from quantumgate.cli import bench
within, less_seconds = bench._within, bench.STEP_SECONDS - float(sys.argv[3])
bench._within = lambda node, what, it, more=0: within(node, what, it, more - less_seconds * (what == "a dial"))
try:
    bench._measured(Path(sys.argv[1]), sys.argv[2], 0.1)
except Exception as error:
    print(type(error).__name__, error)
"""

    def dial(self, port: int, patience_seconds: float = bench.STEP_SECONDS) -> str:
        """What is said of a dial that has so long; binding before it has as long as ever, on a busy machine, too."""
        address = f"qg://c0ffee00-1234-8abc-9def-0123456789ab@127.0.0.1:{port}"
        words = [sys.executable, "-c", self.DIAL, str(Path(self.mktemp()).absolute()), address, str(patience_seconds)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False, env={"PYTHONPATH": ROOT})
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def test_a_dial_that_nobody_answers(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            said = self.dial(silent.getsockname()[1], 0.5)
        self.assertEqual(said, "LocalError the measurement stopped: a dial took more than 0.5 s\n")

    def test_a_dial_that_is_refused(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as gone:
            port = gone.getsockname()[1]
        self.assertIn("ConnectFailed 127.0.0.1:", self.dial(port))

    def test_a_listener_that_never_says_where_it_is(self) -> None:
        self.patch(bench, "START_SECONDS", 0.2)
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as mute:
            start = time.monotonic()
            error = self.assertRaises(LocalError, bench._address, mute)
            self.assertLess(time.monotonic() - start, 10)
            mute.kill()
        self.assertEqual(str(error), "the listening node did not listen within 0.2 s")

    def test_a_listener_that_ends_at_once(self) -> None:
        with subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE) as brief:
            error = self.assertRaises(LocalError, bench._address, brief)
        self.assertEqual(str(error), "the listening node ended before it listened")
