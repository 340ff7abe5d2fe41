"""qgate bench in a process of its own, for it runs a reactor; short, and only its shape is looked at."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import quantumgate

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
