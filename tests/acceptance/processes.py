"""Real processes for the acceptance points: ``twistd`` nodes, ``qgate``, a proxy that counts bytes.

Everything dies with the process that started it and is otherwise ended by its own pid. Loopback only.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from tests.acceptance.report import ROOT

_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1
T = TypeVar("T")


def _die_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def scratch() -> Path:
    """A fresh directory; short, since unix socket paths hold 107 bytes."""
    return Path(tempfile.mkdtemp(prefix="qga-"))


def start(words: list[str], log: Path, **environment: str) -> subprocess.Popen[bytes]:
    """A child in the project's root, its output in ``log``, that dies with us."""
    with log.open("ab") as out:
        return subprocess.Popen(
            words,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - one prctl, no lock is taken
        )


def end(child: subprocess.Popen[bytes]) -> int:
    """Ask it to go, then make it; its exit code."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(15)
        except subprocess.TimeoutExpired:
            child.kill()
    return child.wait()


def until(what: str, ask: Callable[[], T], seconds: float = 20) -> T:
    """The first true answer; TimeoutError names ``what``."""
    end_at = time.monotonic() + seconds
    while True:
        if answer := ask():
            return answer
        if time.monotonic() > end_at:
            raise TimeoutError(f"{what}: not seen in {seconds} s")
        time.sleep(0.05)


def rss_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class QgateFailed(Exception):
    """``qgate`` ended with a code other than 0; ``str()`` is what it said."""

    def __init__(self, code: int, said: str) -> None:
        self.code = code
        super().__init__(said.strip())


class TwistdNode:
    """``twistd -n qgnode`` with a data directory and a configuration of its own."""

    def __init__(self, place: Path, name: str, configuration: str, kind: str = "", **environment: str) -> None:
        self.data, self.log, self.config = place / name, place / f"{name}.log", place / f"{name}.toml"
        self.environment = environment
        self.config.write_text(configuration, encoding="utf-8")
        self.process: subprocess.Popen[bytes] | None = None
        self.kind = kind

    def __enter__(self) -> TwistdNode:
        if self.kind:
            self.qgate("init", "--kind", self.kind)
        words = ["-m", "twisted", "-n", "--pidfile=", "qgnode", "--config", str(self.config), "--data", str(self.data)]
        self.process = start([sys.executable, *words], self.log, **self.environment)
        until(f"{self.log.name}: ready", self._answers, 30)
        return self

    def __exit__(self, *_: object) -> None:
        if self.process:
            end(self.process)

    def _answers(self) -> bool:
        if self.process and self.process.poll() is not None:
            raise RuntimeError(f"the node ended with {self.process.returncode}: {self.said()[-2000:]}")
        try:
            return bool(self.status()["listening"]) or "listen = []" in self.config.read_text()
        except QgateFailed:
            return False

    def qgate(self, *words: str, seconds: float = 60) -> str:
        """What ``qgate --data OURS WORDS`` printed; raises QgateFailed."""
        command = [sys.executable, "-m", "quantumgate.cli.main", "--data", str(self.data), *words]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds, check=False)
        if done.returncode:
            raise QgateFailed(done.returncode, done.stdout + done.stderr)
        return done.stdout

    def json(self, *words: str) -> Any:
        return json.loads(self.qgate(*words, "--json"))

    def status(self) -> dict[str, Any]:
        return self.json("status")

    def peers(self) -> list[dict[str, Any]]:
        answer = self.json("peers")
        return answer if isinstance(answer, list) else answer["peers"]

    def port(self) -> int:
        """The TCP port of the first listener."""
        first = self.status()["listening"][0]
        return next(int(word) for word in first.replace(":", " ").split() if word.isdigit() and int(word) > 255)

    def address(self, port: int | None = None) -> str:
        return f"qg://{self.status()['uuid']}@127.0.0.1:{port or self.port()}"

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    @property
    def pid(self) -> int:
        if self.process is None:
            raise RuntimeError("not started")
        return self.process.pid


class CountingProxy:
    """Passes TCP on to a port of this machine and counts what goes each way."""

    def __init__(self, port: int) -> None:
        self.target, self.to_dialler, self.to_listener = port, 0, 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self.socket.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self.target))
            for source, sink, name in ((near, far, "to_listener"), (far, near, "to_dialler")):
                threading.Thread(target=self._pass, args=(source, sink, name), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, name: str) -> None:
        try:
            while data := source.recv(65536):
                setattr(self, name, getattr(self, name) + len(data))
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            sink.close()

    def close(self) -> None:
        self.socket.close()
