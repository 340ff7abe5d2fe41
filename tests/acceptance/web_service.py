"""A Twisted web site, started by ``twist web --listen qg:service=web``, fetched with curl from a node two hops away.

Four gateways, a node that serves, one that is admitted and one that is not. Spec: docs/spec/services.md.
"""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from tests.acceptance.processes import TwistdNode, end, rss_bytes, staged, start, until
from tests.acceptance.report import Figure, at_most, exactly, noted

LOOPBACK = "tcp:0:interface=127.0.0.1"
GATEWAYS, HOPS = 4, 2
PAGE_BYTES, LARGE_BYTES = 10_000, 200_000_000
SMALL_FETCHES = 200


def figures() -> Iterator[Figure]:
    yield from staged(scene)


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


def serve(place: Path, server: TwistdNode, stack: ExitStack) -> tuple[Path, int]:
    """Twisted's own command; its log and its pid."""
    log = place / "web.log"
    words = ["-c", "from twisted.application.twist._twist import Twist; Twist.main()", "--log-format=text", "web"]
    listen = f"qg:service=web:data={server.data}"
    child = start([sys.executable, *words, "--path", str(place / "site"), "--listen", listen], log)
    stack.callback(end, child)
    until("the service is offered", lambda: offers(log) == 1)
    return log, child.pid


def offers(log: Path) -> int:
    return log.read_text(encoding="utf-8").count("service web is offered by the node")


def forward(
    place: Path, node: TwistdNode, address: str, stack: ExitStack, hops: int | None = HOPS
) -> tuple[str, Path, int]:
    """Where curl finds the service, what the command says, and its pid. ``hops`` None: over the session that stands."""
    log = place / f"forward-{node.data.name}-{time.monotonic_ns()}.log"
    words = ["-m", "quantumgate.cli.main", "--data", str(node.data), "forward", "0", f"{address}:web"]
    child = start([sys.executable, *words, *(() if hops is None else ("--hops", str(hops)))], log)
    stack.callback(end, child)
    until("forward listens", lambda: "leads to service" in log.read_text(encoding="utf-8"))
    return "http://" + log.read_text(encoding="utf-8").split()[0], log, child.pid


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
    log, web_pid = serve(place, server, stack)
    url, _, forward_pid = forward(place, client, address, stack)
    yield from fetched(url, sums)
    yield from path_taken(client, server)
    pids = {"program": web_pid, "serving node": server.pid, "client": client.pid, "forward": forward_pid}
    yield from stopped_reader(url, pids | {f"gateway {n}": one.pid for n, one in enumerate(gateways)}, stack)
    yield from refused(place, stranger, server, address, stack)
    yield from restarted(server, port, log, url, sums)


def fetched(url: str, sums: dict[str, str]) -> Iterator[Figure]:
    began = time.monotonic()
    yield exactly("page, same checksum", True, sums["page"] == checksum(f"{url}/page"))
    yield noted("first page, circuit included, seconds", round(time.monotonic() - began, 2))
    began = time.monotonic()
    yield exactly(f"{LARGE_BYTES // 10**6} MB, same checksum", True, sums["large"] == checksum(f"{url}/large"))
    yield noted("large file, MB/s", round(LARGE_BYTES / 1e6 / (time.monotonic() - began)))
    parallel = ("--parallel", "--parallel-max", "50", "-H", "Connection: close", "-o", "/dev/null")
    _, codes = curl(f"{url}/page?[1-{SMALL_FETCHES}]", *parallel, "-w", "%{http_code}\n")
    yield exactly(f"{SMALL_FETCHES} connections, 50 at a time: answered", SMALL_FETCHES, codes.count(b"200"))


def stopped_reader(url: str, pids: dict[str, int], stack: ExitStack) -> Iterator[Figure]:
    """One that asks for the large file five times and reads nothing: nobody may keep it for them."""
    before = {name: rss_bytes(pid) for name, pid in pids.items()}
    host, _, port = url.removeprefix("http://").partition(":")
    for _ in range(5):
        reader = stack.enter_context(socket.create_connection((host, int(port))))
        reader.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
    time.sleep(4)
    growth = {name: (rss_bytes(pid) - before[name]) / 2**20 for name, pid in pids.items()}
    worst = max(growth, key=lambda name: growth[name])
    yield at_most(f"5 stopped readers of {LARGE_BYTES // 10**6} MB: most growth of a process, MiB", 64, growth[worst])
    yield noted("which is", worst)
    yield exactly("a page meanwhile", PAGE_BYTES, len(curl(f"{url}/page", seconds=10)[1]))


def path_taken(client: TwistdNode, server: TwistdNode) -> Iterator[Figure]:
    (peer,) = [one for one in client.peers() if one["uuid"] == server.status()["uuid"]]
    yield exactly("relays on the way", HOPS, len(peer["path"]))
    (seen,) = [one for one in server.peers() if one["uuid"] == client.status()["uuid"]]
    traits = (seen["relayed"], seen["authenticated"])
    yield exactly("the server sees a relayed, authenticated peer", (True, True), traits)


def refused(
    place: Path, stranger: TwistdNode, server: TwistdNode, address: str, stack: ExitStack
) -> Iterator[Figure]:
    url, log, _ = forward(place, stranger, address, stack)
    code, body = curl(f"{url}/page", seconds=30)
    yield exactly("a peer that is not admitted gets", (False, b""), (code == 0, body))
    said = until("the refusal is told", lambda: [line for line in log.read_text().splitlines() if "qgate:" in line])
    yield exactly("it is told that it is not admitted", True, "does not admit" in said[0])
    yield exactly("the server's log says access denied", True, "access denied" in server.said())


def restarted(server: TwistdNode, port: int, log: Path, url: str, sums: dict[str, str]) -> Iterator[Figure]:
    server.__exit__()
    began = time.monotonic()
    code, _ = curl(f"{url}/page", seconds=60)
    yield exactly("while the node is away a fetch fails (52: empty reply, 56: reset)", True, code in (52, 56))
    yield noted("after seconds", round(time.monotonic() - began, 1))
    server.config.write_text(f'[node]\nlisten = ["tcp:{port}:interface=127.0.0.1"]\n', encoding="utf-8")
    began = time.monotonic()
    server.__enter__()
    until("the service is offered again", lambda: offers(log) == 2, 30)
    yield noted("offered again after the start of the node, seconds", round(time.monotonic() - began, 1))
    yield exactly("page after the restart, same checksum", True, sums["page"] == checksum(f"{url}/page"))
