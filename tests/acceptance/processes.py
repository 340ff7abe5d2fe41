"""Real processes for the acceptance points: ``twistd`` nodes, ``qgate``, a proxy that counts bytes.

Everything dies with the process that started it and is otherwise ended by its own pid. Loopback only.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self, TypeVar

from tests.acceptance.report import ROOT, Figure

_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1
T = TypeVar("T")


def _die_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def scratch() -> Path:
    """A fresh directory; short, since unix socket paths hold 107 bytes."""
    return Path(tempfile.mkdtemp(prefix="qga-"))


def discard(place: Path) -> None:
    """What a point leaves behind goes, unless QUANTUMGATE_KEEP asks for the logs: then it says where they lie."""
    if os.environ.get("QUANTUMGATE_KEEP"):
        print(f"  kept: {place}", flush=True)
    else:
        shutil.rmtree(place, ignore_errors=True)


def staged(scene: Callable[[Path, ExitStack], Iterator[Figure]]) -> Iterator[Figure]:
    """The figures of a scene with a directory of its own; what it enters or gives to the stack is over afterwards."""
    directory = scratch()
    try:
        with ExitStack() as stack:
            yield from scene(directory, stack)
    finally:
        discard(directory)


def start(words: list[str], log: Path, errors: Path | None = None, **environment: str) -> subprocess.Popen[bytes]:
    """A child in the project's root that dies with us; its output in ``log``, its errors there or in ``errors``."""
    with log.open("ab") as out, (errors or log).open("ab") as err:
        return subprocess.Popen(
            words,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
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
    """``twistd -n qgnode`` with a data directory and a configuration of its own.

    Of a kind of node that runs elsewhere: ``before`` stands in front of its command, ``program`` is run in place of
    twistd, ``host`` is where it is dialled.
    """

    before: tuple[str, ...] = ()
    program: tuple[str, ...] = ("-c", "from twisted.scripts.twistd import run; run()")
    host = "127.0.0.1"

    def __init__(self, place: Path, name: str, configuration: str, kind: str = "", **environment: str) -> None:
        self.data, self.log, self.config = place / name, place / f"{name}.log", place / f"{name}.toml"
        self.environment = environment
        self.config.write_text(configuration, encoding="utf-8")
        self.process: subprocess.Popen[bytes] | None = None
        self.kind = kind

    def __enter__(self) -> Self:
        if self.kind:
            self.qgate("init", "--kind", self.kind)
        words = ["-n", "--pidfile=", "qgnode", "--config", str(self.config), "--data", str(self.data)]
        command = [*self.before, sys.executable, *self.program, *words]
        self.process = start(command, self.log, **self.environment)
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
        return f"qg://{self.status()['uuid']}@{self.host}:{port or self.port()}"

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    @property
    def pid(self) -> int:
        if self.process is None:
            raise RuntimeError("not started")
        return self.process.pid


class PartyProcess:
    """A process of ``party.py``; ``get(key)`` is its next JSON line that has the key. ``before``: see TwistdNode."""

    def __init__(
        self, place: Path, name: str, configuration: str, scenario: str, *more: str, before: Sequence[str] = ()
    ) -> None:
        self.log, self.out = place / f"{name}.log", place / f"{name}.out"
        config = place / f"{name}.toml"
        config.write_text(configuration, encoding="utf-8")
        program = [*before, sys.executable, "-m", "tests.acceptance.party"]
        words = [*program, scenario, str(config), str(place / name), *more]
        self.out.touch()
        self.process = start(words, self.out, errors=self.log)
        self._read = 0

    def get(self, key: str, seconds: float = 60) -> dict[str, Any]:
        return until(f"{self.out.name}: {key}", lambda: self._next(key), seconds)  # type: ignore[return-value]

    def _next(self, key: str) -> dict[str, Any] | None:
        for line in self.out.read_text(encoding="utf-8").splitlines()[self._read :]:
            self._read += 1
            said: dict[str, Any] = json.loads(line)
            if "error" in said:
                raise RuntimeError(f"{self.out.name}: {said['error']}\n{self.log.read_text()[-2000:]}")
            if key in said:
                return said
        if self.process.poll() not in (None, 0):
            raise RuntimeError(f"{self.out.name} ended with {self.process.returncode}: {self.log.read_text()[-2000:]}")
        return None

    def all_said(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.read_text(encoding="utf-8").splitlines()]

    @property
    def address(self) -> str:
        return str(self.get("address")["address"])

    def __enter__(self) -> PartyProcess:
        return self

    def __exit__(self, *_: object) -> None:
        end(self.process)


class MemoryWatch:
    """The resident bytes of processes, several times a second, until it is closed; ``growth_bytes`` from the first."""

    def __init__(self, *pids: int) -> None:
        self.first = {pid: rss_bytes(pid) for pid in pids}
        self.most = dict(self.first)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._over.wait(0.1):
            for pid in self.most:
                try:
                    self.most[pid] = max(self.most[pid], rss_bytes(pid))
                except OSError:
                    continue

    def growth_bytes(self) -> dict[int, int]:
        return {pid: self.most[pid] - self.first[pid] for pid in self.most}

    def close(self) -> None:
        self._over.set()
        self._thread.join()


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
