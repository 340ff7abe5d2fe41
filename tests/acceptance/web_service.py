"""A Twisted web site, started by ``twist web --listen qg:service=web``, fetched with curl from a node two hops away.

Four gateways, a node that serves, one that is admitted and one that is not. Spec: docs/spec/services.md.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from tests.acceptance.processes import TwistdNode, end, rss_bytes, scratch, start, until
from tests.acceptance.report import Figure, exactly, noted

LOOPBACK = "tcp:0:interface=127.0.0.1"
GATEWAYS, HOPS = 4, 2
PAGE_BYTES, LARGE_BYTES = 10_000, 200_000_000
SMALL_FETCHES = 200


def figures() -> Iterator[Figure]:
    place = scratch()
    try:
        with ExitStack() as stack:
            yield from scene(place, stack)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def gateway(place: Path, number: int) -> TwistdNode:
    text = f'[node]\nlisten = ["{LOOPBACK}"]\nrelay = true\n[relay]\nallow_private = true\n'
    return TwistdNode(place, f"g{number}", text)


def user(place: Path, name: str, gateways: list[str]) -> TwistdNode:
    named = ", ".join(f'"{one}"' for one in gateways)
    return TwistdNode(place, name, f"[node]\nlisten = []\n[relay]\nallow_private = true\ngateways = [{named}]\n")


def site(place: Path) -> dict[str, str]:
    """Two files and their checksums."""
    (place / "site").mkdir()
    sums = {}
    for name, size in (("page", PAGE_BYTES), ("large", LARGE_BYTES)):
        data = os.urandom(size)
        (place / "site" / name).write_bytes(data)
        sums[name] = hashlib.sha256(data).hexdigest()
    return sums


def serve(place: Path, server: TwistdNode, stack: ExitStack) -> Path:
    """Twisted's own command; its log."""
    log = place / "web.log"
    words = ["-c", "from twisted.application.twist._twist import Twist; Twist.main()", "--log-format=text", "web"]
    listen = f"qg:service=web:data={server.data}"
    child = start([sys.executable, *words, "--path", str(place / "site"), "--listen", listen], log)
    stack.callback(end, child)
    until("the service is offered", lambda: offers(log) == 1)
    return log


def offers(log: Path) -> int:
    return log.read_text(encoding="utf-8").count("service web is offered by the node")


def forward(place: Path, node: TwistdNode, address: str, stack: ExitStack) -> tuple[str, Path]:
    """Where curl finds the service, and what the command says."""
    log = place / f"forward-{node.data.name}.log"
    words = ["-m", "quantumgate.cli.main", "--data", str(node.data), "forward", "0", f"{address}:web"]
    stack.callback(end, start([sys.executable, *words, "--hops", str(HOPS)], log))
    until("forward listens", lambda: "leads to service" in log.read_text(encoding="utf-8"))
    return "http://" + log.read_text(encoding="utf-8").split()[0], log


def curl(url: str, *more: str, seconds: int = 120) -> tuple[int, bytes]:
    words = ["curl", "-s", "--max-time", str(seconds), *more, url]
    done = subprocess.run(words, capture_output=True, timeout=seconds + 10, check=False)
    return done.returncode, done.stdout


def checksum(url: str) -> str:
    return hashlib.sha256(curl(url)[1]).hexdigest()


def scene(place: Path, stack: ExitStack) -> Iterator[Figure]:
    sums = site(place)
    gateways = [stack.enter_context(gateway(place, number)) for number in range(GATEWAYS)]
    addresses = [one.address() for one in gateways]
    server = TwistdNode(place, "server", f'[node]\nlisten = ["{LOOPBACK}"]\n')
    server.__enter__()
    stack.callback(server.__exit__)
    client, stranger = (stack.enter_context(user(place, name, addresses)) for name in ("client", "stranger"))
    server.qgate("access", "allow", client.status()["uuid"])
    address, port = server.address(), server.port()
    log = serve(place, server, stack)
    url, _ = forward(place, client, address, stack)
    yield from fetched(url, sums)
    yield from path_taken(client, server)
    yield noted("memory of the serving node, MB", round(rss_bytes(server.pid) / 1e6))
    yield from refused(place, stranger, server, address, stack)
    yield from restarted(server, port, log, url, sums)


def fetched(url: str, sums: dict[str, str]) -> Iterator[Figure]:
    began = time.monotonic()
    yield exactly("page, checksum", sums["page"], checksum(f"{url}/page"))
    yield noted("first page, circuit included, seconds", round(time.monotonic() - began, 2))
    began = time.monotonic()
    yield exactly(f"{LARGE_BYTES // 10**6} MB, checksum", sums["large"], checksum(f"{url}/large"))
    yield noted("large file, MB/s", round(LARGE_BYTES / 1e6 / (time.monotonic() - began)))
    parallel = ("--parallel", "--parallel-max", "50", "-H", "Connection: close", "-o", "/dev/null")
    _, codes = curl(f"{url}/page?[1-{SMALL_FETCHES}]", *parallel, "-w", "%{http_code}\n")
    yield exactly(f"{SMALL_FETCHES} connections, 50 at a time: answered", SMALL_FETCHES, codes.count(b"200"))


def path_taken(client: TwistdNode, server: TwistdNode) -> Iterator[Figure]:
    (peer,) = [one for one in client.peers() if one["uuid"] == server.status()["uuid"]]
    yield exactly("relays on the way", HOPS, len(peer["path"]))
    (seen,) = [one for one in server.peers() if one["uuid"] == client.status()["uuid"]]
    traits = (seen["relayed"], seen["authenticated"])
    yield exactly("the server sees a relayed, authenticated peer", (True, True), traits)


def refused(
    place: Path, stranger: TwistdNode, server: TwistdNode, address: str, stack: ExitStack
) -> Iterator[Figure]:
    url, log = forward(place, stranger, address, stack)
    code, body = curl(f"{url}/page", seconds=30)
    yield exactly("a peer that is not admitted gets", (False, b""), (code == 0, body))
    said = until("the refusal is told", lambda: [line for line in log.read_text().splitlines() if "qgate:" in line])
    yield exactly("it is told that it is not admitted", True, "does not admit" in said[0])
    yield exactly("the server's log says access denied", True, "access denied" in server.said())


def restarted(server: TwistdNode, port: int, log: Path, url: str, sums: dict[str, str]) -> Iterator[Figure]:
    server.__exit__()
    code, _ = curl(f"{url}/page", seconds=30)
    yield exactly("while the node is away a fetch fails", True, code != 0)
    server.config.write_text(f'[node]\nlisten = ["tcp:{port}:interface=127.0.0.1"]\n', encoding="utf-8")
    began = time.monotonic()
    server.__enter__()
    until("the service is offered again", lambda: offers(log) == 2, 30)
    yield noted("offered again after the start of the node, seconds", round(time.monotonic() - began, 1))
    yield exactly("page after the restart, checksum", sums["page"], checksum(f"{url}/page"))
