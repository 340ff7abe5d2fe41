"""Running a few lines in an interpreter of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import quantumgate

ROOT = Path(quantumgate.__file__).parent.parent


def run_script(script: str, *, first_on_path: str = "", **environment: str) -> str:
    """What a fresh interpreter says that runs the script with our package; its errors are the test's."""
    path = os.pathsep.join(part for part in (first_on_path, str(ROOT)) if part)
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONPATH": path, **environment},
    )
    if done.returncode != 0 or done.stderr:
        raise AssertionError(f"exit {done.returncode}: {done.stderr}")
    return done.stdout.strip()
