"""``make run`` as a process: started as a user starts it, read from what it prints, ended with Ctrl-C.

Not for: what is done through it (``make_run.py``, ``tunnel.py``, ``tunnel_clients.py``).
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from quantumgate.control.client import ControlClient
from quantumgate.control.paths import find_control
from tests.acceptance.processes import end, start, until
from tests.acceptance.report import ROOT

READY_SECONDS = 300
STOP_SECONDS = 40


class MakeRun:
    """``with`` it: it is ready. ``before`` stands in front of the command; ``port`` 0 = a free one."""

    def __init__(self, log: Path, port: int = 0, before: Sequence[str] = ()) -> None:
        self.log, self._wanted, self._before = log, port, before
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> MakeRun:
        subprocess.run(["make", ".venv/ok"], cwd=ROOT, check=True, capture_output=True, timeout=READY_SECONDS)
        words = [*self._before, "make", "run", f"PORT={self._wanted}"]
        self._process = start(words, self.log)
        try:
            until("make run: ready", self._ready, READY_SECONDS)
        except BaseException:
            end(self._process)
            raise
        said = self.said()
        self.port = int(re.findall(r"SOCKS5 on 127\.0\.0\.1:(\d+)", said)[0])
        self.place = Path(re.findall(r"--data (\S+)/you ", said)[0])
        rows = re.findall(r"^ +(you|g\d|exit) .* pid (\d+)$", said, re.MULTILINE)
        self.pids = {name: int(pid) for name, pid in rows}
        return self

    def _ready(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            raise RuntimeError(f"make run ended: {self.said()[-2000:]}")
        return "Ctrl-C stops" in self.said()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            end(self._process)

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    @property
    def proxy(self) -> str:
        """As curl wants it."""
        return f"socks5h://127.0.0.1:{self.port}"

    def paths(self) -> list[list[str]]:
        """The gateways of every circuit that was shown."""
        return [path.split(" > ") for path in re.findall(r"circuit: you > (.*) > exit", self.said())]

    def figures(self, name: str = "you") -> dict[str, Any]:
        """What the proxy of this node says of itself."""
        with ControlClient(find_control(self.place / name), 10) as client:
            rows = client.call("extenders")
        return next(row["status"]["proxy"] for row in rows if row["name"] == "socks5")

    def interrupt(self) -> None:
        """What a terminal's Ctrl-C does: SIGINT to all of its foreground processes."""
        if self._process is not None:
            for pid in self._foreground(self._process.pid):
                os.kill(pid, signal.SIGINT)
            until("make run: over", lambda: self._process is None or self._process.poll() is not None, STOP_SECONDS)

    def _foreground(self, pid: int) -> list[int]:
        """``pid`` and what descends from it in its own session: the nodes have sessions of their own."""
        done = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True)
        rows = [line.split(None, 2) for line in done.stdout.splitlines()[1:]]
        found = [pid]
        for parent in found:
            found += [int(row[0]) for row in rows if int(row[1]) == parent and "qgnode" not in row[2]]
        return found

    def node_processes(self) -> list[str]:
        """The node processes of this run, found by its own directory."""
        done = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True)
        return [line for line in done.stdout.splitlines() if "qgnode" in line and str(self.place) in line]
