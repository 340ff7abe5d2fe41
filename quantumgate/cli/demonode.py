"""One node of ``make run``: its configuration, its process from ready to gone, and what qgate says of it.

Everything goes through what a user has: ``twistd qgnode`` and the control socket. Not for: which nodes there are
(``demo.py``), or telling of them (``demowatch.py``).
"""

from __future__ import annotations

import ctypes
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from quantumgate.control.client import ControlClient
from quantumgate.control.paths import find_control
from quantumgate.errors import QuantumGateError

READY_SECONDS = 60.0
STOP_SECONDS = 15.0
ANSWER_SECONDS = 10.0
_PR_SET_PDEATHSIG = 1


class DemoFailed(Exception):
    """Something did not come up; ``str()`` is what the user sees."""


class DemoNode:
    """One ``twistd -n qgnode`` with a data directory of its own below ``place``."""

    def __init__(self, place: Path, name: str, configuration: str) -> None:
        self.name, self.data, self.log_path = name, place / name, place / f"{name}.log"
        self._configuration = place / f"{name}.toml"
        self._configuration.write_text(configuration, encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None
        self.uuid = self.address = ""

    @property
    def command(self) -> list[str]:
        twistd = Path(sys.executable).with_name("twistd")  # the one of our own environment
        options = ["--config", str(self._configuration), "--data", str(self.data)]
        return [str(twistd), "--nodaemon", "--pidfile=", "qgnode", *options]

    @property
    def pid(self) -> int:
        """Of its process, 0 before there is one."""
        return self._process.pid if self._process is not None else 0

    # -- its process ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """The process; ``wait_until_ready`` comes later, so that several can start at once."""
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is ours: we stop the nodes in order
                preexec_fn=_end_with_parent,  # noqa: PLW1509 - one system call, no lock is taken
            )

    def wait_until_ready(self) -> None:
        """Fills in ``uuid`` and ``address``. Raises DemoFailed with the end of its log."""
        last = time.monotonic() + READY_SECONDS
        while not self._is_ready():
            if self._process is None or self._process.poll() is not None:
                raise DemoFailed(f"node {self.name} ended:\n{self.log_end()}")
            if time.monotonic() > last:
                raise DemoFailed(f"node {self.name} is not ready after {READY_SECONDS:.0f} s:\n{self.log_end()}")
            time.sleep(0.1)

    def _is_ready(self) -> bool:
        try:
            status = self.ask("status")
        except QuantumGateError:
            return False
        self.uuid, self.address = status["uuid"], qg_address(status)
        return status["phase"] not in ("starting", "stopped", "failed")

    def terminate(self) -> None:
        """Ask it to go."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def wait(self) -> None:
        """Until it is gone; one that does not go is killed."""
        if self._process is None:
            return
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def log_end(self) -> str:
        """Its last words."""
        return self.log_path.read_text(encoding="utf-8", errors="replace")[-2000:]

    # -- what it says --------------------------------------------------------------------------------------------

    def ask(self, command: str, **arguments: Any) -> Any:
        """What ``qgate COMMAND --json`` answers. Raises QuantumGateError, NoNodeRunning where nobody is there."""
        with ControlClient(find_control(self.data), ANSWER_SECONDS) as client:
            return client.call(command, **arguments)

    def shown(self, *words: str) -> str:
        """``qgate WORDS`` for this node as a user types it."""
        tool = Path(sys.executable).with_name("qgate")
        near = os.path.relpath(tool) if tool.exists() else f"{sys.executable} -m quantumgate.cli.main"
        return f"{near} --data {self.data} {shlex.join(words)}"


@contextmanager
def running(nodes: Iterable[DemoNode]) -> Iterator[None]:
    """These processes, all started at once, from ready to gone."""
    nodes = list(nodes)
    try:
        for node in nodes:
            node.start()
        for node in nodes:
            node.wait_until_ready()
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave the others behind
        for node in nodes:
            node.terminate()
        for node in nodes:
            node.wait()


def qg_address(status: dict[str, Any]) -> str:
    """Where a running node can be dialled on this machine, "" where it does not listen."""
    ports = [found[0] for text in status["listening"] if (found := re.search(r"\d{4,5}", text))]
    return f"qg://{status['uuid']}@127.0.0.1:{ports[0]}" if ports else ""


def _end_with_parent() -> None:
    """A node must not outlive us, however we end. Linux only; elsewhere the orderly stop has to do."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
