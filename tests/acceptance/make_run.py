"""``make run`` as a user does it: circuits, a fetch through three gateways; then Ctrl-C, and nothing is left."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

from tests.acceptance.demonetwork import MakeRun
from tests.acceptance.private_servers import answers
from tests.acceptance.processes import scratch, until
from tests.acceptance.report import Figure, at_most, exactly, noted

LARGE_BYTES = 200_000_000
SMALL_FILES = 100


def figures() -> Iterator[Figure]:
    with MakeRun(scratch() / "make-run.log") as network:
        yield exactly("nodes running", 6, len(network.node_processes()))
        yield exactly("circuits of three gateways shown", True, any(len(path) == 3 for path in network.paths()))
        yield from fetches(network)
        network.interrupt()
        yield exactly("nodes left after Ctrl-C", 0, len(network.node_processes()))
        ports = [network.port, *map(int, re.findall(r" at 127\.0\.0\.1:(\d+)", network.said()))]
        yield exactly("ports left after Ctrl-C", [], [port for port in ports if answers(port)])
        yield exactly("directories left after Ctrl-C", False, network.place.exists())


def fetches(network: MakeRun) -> Iterator[Figure]:
    """Small files and a large one; then again while a gateway is killed."""
    files = scratch()
    names = [f"small{number}" for number in range(SMALL_FILES)] + ["large"]
    for name in names:
        size = LARGE_BYTES if name == "large" else 1000 + len(name)
        (files / name).write_bytes(os.urandom(size))
    with Server(("127.0.0.1", 0), partial(Quiet, directory=str(files))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        here = f"http://127.0.0.1:{server.server_address[1]}"
        same = sum(fetched(network, f"{here}/{name}") == digest((files / name).read_bytes()) for name in names[:-1])
        yield exactly("small files fetched through three gateways, same checksum", SMALL_FILES, same)
        began = time.monotonic()
        whole = fetched(network, f"{here}/large") == digest((files / "large").read_bytes())
        yield exactly("200 MB through three gateways: same checksum", True, whole)
        yield noted("200 MB through three gateways: MB/s", f"{LARGE_BYTES / 1e6 / (time.monotonic() - began):.0f}")
        yield from killed(network, f"{here}/large", f"{here}/small1")
        server.shutdown()


def killed(network: MakeRun, large: str, small: str) -> Iterator[Figure]:
    """kill -9 of the middle gateway while ``large`` is under way."""
    pid = network.pids[network.paths()[-1][1]]
    slow = curl(network, large, "--limit-rate", "20M")
    fetching = subprocess.Popen(slow, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(1)
    os.kill(pid, signal.SIGKILL)
    began = time.monotonic()
    code = fetching.wait(60)
    yield exactly("kill -9 of a gateway in mid transfer: the fetch fails", True, code != 0)
    yield at_most("kill -9 of a gateway in mid transfer: seconds until that is told", 5, time.monotonic() - began)
    again = curl(network, small, "-o", "/dev/null")
    until("the next request", lambda: not subprocess.run(again, stderr=subprocess.DEVNULL, check=False).returncode)
    yield at_most("kill -9 of a gateway in mid transfer: seconds until a request flows", 10, time.monotonic() - began)


class Server(ThreadingHTTPServer):
    """Says nothing of connections that are cut: one is, on purpose."""

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing."""


class Quiet(SimpleHTTPRequestHandler):
    """Says nothing of requests."""

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Nothing."""


def curl(network: MakeRun, url: str, *more: str) -> list[str]:
    return ["curl", "-sS", "-f", "-m", "120", *more, "-x", network.proxy, url]


def fetched(network: MakeRun, url: str) -> str:
    return digest(subprocess.run(curl(network, url), capture_output=True, check=True).stdout)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
