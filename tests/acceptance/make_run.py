"""``make run`` as a user does it: circuits, a fetch through three gateways; then Ctrl-C, and nothing is left."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.acceptance.processes import end, scratch, start, until
from tests.acceptance.report import Figure, at_most, exactly, noted

PORT = 18099
LARGE_BYTES = 200_000_000
SMALL_FILES = 100


def figures() -> Iterator[Figure]:
    log = scratch() / "make-run.log"
    child = start(["make", "run", f"PORT={PORT}"], log)
    try:
        until("make run: ready", lambda: "Ctrl-C stops" in log.read_text(encoding="utf-8"), 300)
        said = log.read_text(encoding="utf-8")
        yield exactly("nodes running", 6, len(node_processes(said)))
        path = re.findall(r"circuit: you > (g\d > g\d > g\d) > exit", said)
        yield exactly("circuits of three gateways shown", True, bool(path))
        yield from fetches(log)
        for pid in children(child.pid):
            os.kill(pid, signal.SIGINT)
        until("make run: over", lambda: child.poll() is not None, 40)
        yield exactly("nodes left after Ctrl-C", 0, len(node_processes(said)))
        ports = [PORT, *map(int, re.findall(r" at 127\.0\.0\.1:(\d+)", said))]
        yield exactly("ports left after Ctrl-C", [], [port for port in ports if answers(port)])
        yield exactly("directories left after Ctrl-C", False, place(said).exists())
    finally:
        end(child)


def fetches(log: Path) -> Iterator[Figure]:
    """Small files and a large one; then again while a gateway is killed."""
    files = scratch()
    names = [f"small{number}" for number in range(SMALL_FILES)] + ["large"]
    for name in names:
        size = LARGE_BYTES if name == "large" else 1000 + len(name)
        (files / name).write_bytes(os.urandom(size))
    with Server(("127.0.0.1", 0), partial(Quiet, directory=str(files))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        here = f"http://127.0.0.1:{server.server_address[1]}"
        same = sum(fetched(f"{here}/{name}") == digest((files / name).read_bytes()) for name in names[:-1])
        yield exactly("small files fetched through three gateways, same checksum", SMALL_FILES, same)
        began = time.monotonic()
        whole = fetched(f"{here}/large") == digest((files / "large").read_bytes())
        yield exactly("200 MB through three gateways: same checksum", True, whole)
        yield noted("200 MB through three gateways: MB/s", f"{LARGE_BYTES / 1e6 / (time.monotonic() - began):.0f}")
        yield from killed(f"{here}/large", f"{here}/small1", log)
        server.shutdown()


def killed(large: str, small: str, log: Path) -> Iterator[Figure]:
    """kill -9 of the middle gateway while ``large`` is under way."""
    path = re.findall(r"circuit: you > (.*) > exit", log.read_text(encoding="utf-8"))[-1].split(" > ")
    pid = int(re.findall(rf"^ +{path[1]} .* pid (\d+)$", log.read_text(encoding="utf-8"), re.MULTILINE)[0])
    slow = curl(large, "--limit-rate", "20M")
    fetching = subprocess.Popen(slow, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(1)
    os.kill(pid, signal.SIGKILL)
    began = time.monotonic()
    code = fetching.wait(60)
    yield exactly("kill -9 of a gateway in mid transfer: the fetch fails", True, code != 0)
    yield at_most("kill -9 of a gateway in mid transfer: seconds until that is told", 5, time.monotonic() - began)
    until("the next request", lambda: not subprocess.run(curl(small), capture_output=True, check=False).returncode)
    yield at_most("kill -9 of a gateway in mid transfer: seconds until a request flows", 10, time.monotonic() - began)


class Server(ThreadingHTTPServer):
    """Says nothing of connections that are cut: one is, on purpose."""

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing."""


class Quiet(SimpleHTTPRequestHandler):
    """Says nothing of requests."""

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Nothing."""


def curl(url: str, *more: str) -> list[str]:
    return ["curl", "-sS", "-f", "-m", "120", *more, "-x", f"socks5h://127.0.0.1:{PORT}", url]


def fetched(url: str) -> str:
    return digest(subprocess.run(curl(url), capture_output=True, check=True).stdout)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def place(said: str) -> Path:
    """The directory of this run."""
    return Path(re.findall(r"--data (\S+)/you ", said)[0])


def node_processes(said: str) -> list[str]:
    """The node processes of this run, found by its own directory."""
    done = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if "qgnode" in line and str(place(said)) in line]


def children(pid: int) -> list[int]:
    """``pid`` and what descends from it in its own session: what a terminal's Ctrl-C reaches."""
    done = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True)
    rows = [line.split(None, 2) for line in done.stdout.splitlines()[1:]]
    found = [pid]
    for parent in found:
        found += [int(row[0]) for row in rows if int(row[1]) == parent and "qgnode" not in row[2]]
    return found


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
