"""QuantumGate as somebody installs it: a fresh clone, a home of its own, a shell that knows nothing of this tree.

Not for: the tree's own code (``processes.py`` runs that). Whatever is started ends with the surroundings.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

from tests.acceptance.processes import discard, end, scratch, start, until
from tests.acceptance.report import ROOT

KEPT = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CONFIG_FILE", "LANG", "LC_ALL")
"""Variables of ours that say where packages come from, and nothing of this tree."""


class Surroundings:
    """A place with a home directory; ``path`` is $PATH, ``first`` are shell lines that stand before each script."""

    def __init__(self, path: str | None = None, **more: str) -> None:
        self.place = scratch()
        self.home, self.clone = self.place / "home", self.place / "clone"
        self.home.mkdir()
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        self.environment = {"HOME": str(self.home), "PATH": path or clean_path(), **kept, **more}
        self.first: list[str] = []
        self._running: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Surroundings:
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(self.clone)], check=True, timeout=60)
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._running:
            end_group(process)
        discard(self.place)

    def words(self, script: str) -> list[str]:
        """For bash, with nothing of our own environment; ``exec`` so that a signal reaches the last command."""
        given = [f"{name}={value}" for name, value in self.environment.items()]
        lines = "\n".join((*self.first, script))
        return [shutil.which("env") or "env", "-i", *given, shutil.which("bash") or "bash", "-e", "-c", lines]

    def run(self, script: str, seconds: float = 60) -> str:
        """What it printed. RuntimeError with its errors where it fails."""
        done = subprocess.run(
            self.words(script), cwd=self.clone, capture_output=True, text=True, timeout=seconds, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{script!r} ended with {done.returncode}: {(done.stdout + done.stderr)[-2000:]}")
        return done.stdout

    def json(self, script: str) -> Any:
        return json.loads(self.run(f"{script} --json"))

    def start(self, script: str, log: Path) -> subprocess.Popen[bytes]:
        """A command that stays, its output in ``log``."""
        process = start(["sh", "-c", 'cd "$0" && exec "$@"', str(self.clone), *self.words(f"exec {script}")], log)
        self._running.append(process)
        return process

    def start_node(self, script: str, log: Path, status: str) -> subprocess.Popen[bytes]:
        """The same for a node, once ``status`` is answered."""
        process = self.start(script, log)

        def answers() -> bool:
            if process.poll() is not None:
                raise RuntimeError(f"{script!r} ended with {process.returncode}: {log.read_text()[-2000:]}")
            with contextlib.suppress(RuntimeError):
                return bool(self.json(status)["listening"])
            return False

        until(f"{log.name}: ready", answers, 30)
        return process


def clean_path() -> str:
    """$PATH without this tree's virtual environment."""
    ours = os.environ.get("VIRTUAL_ENV", str(ROOT / ".venv"))
    return os.pathsep.join(part for part in os.environ["PATH"].split(os.pathsep) if not part.startswith(ours))


def end_group(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, and SIGKILL after a while."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    end(process)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
