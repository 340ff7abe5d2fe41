"""The proxy as people use it: curl through two processes, many short connections, stuck readers, a dying exit.

One hop: near node, exit, target, all on loopback. Needs curl (``apt install curl``).
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.acceptance.cost import cpu_seconds
from tests.acceptance.installed import free_port
from tests.acceptance.processes import MemoryWatch, TwistdNode, discard, end, scratch, start, until
from tests.acceptance.report import Figure, at_most, exactly, noted

MIB = 1 << 20
BIG_BYTES = 1 << 30
SMALL_BYTES = 20_000
SHORT, MANY, AT_ONCE = 1000, 10_000, 100
GROWTH_MIB = 32.0
EXIT = """
[node]
listen = ["tcp:0:interface=127.0.0.1"]
default_access = "allow"
[extenders.socks5]
listen = ""
[extenders.socks5.exit]
enabled = true
allow = ["127.0.0.0/8:*"]
"""
NEAR = """
[node]
listen = []
default_access = "allow"
[extenders.socks5]
listen = "tcp:PORT:interface=127.0.0.1"
exits = EXITS
"""


class Place:
    """Two exits, a node with a proxy, a web server with a large file and a small one."""

    def __init__(self, place: Path, stack: ExitStack) -> None:
        self.place = place
        self.checksums = {"big": written(place / "big", BIG_BYTES), "small": written(place / "small", SMALL_BYTES)}
        log = place / "server"
        server = start([sys.executable, "-m", "tests.acceptance.fileserver", str(place)], log)
        stack.callback(end, server)
        self.web = int(until("the web server's port", lambda: log.read_text().strip()))
        self.exits = [stack.enter_context(TwistdNode(place, name, EXIT)) for name in ("exit1", "exit2")]
        addresses = str([each.address() for each in self.exits]).replace("'", '"')
        self.port = free_port()
        text = NEAR.replace("PORT", str(self.port)).replace("EXITS", addresses)
        self.near = stack.enter_context(TwistdNode(place, "near", text))
        until("two exits", lambda: len(self.ready()) == 2)

    def figures(self) -> dict[str, Any]:
        """What the extender says of itself."""
        return next(row["status"]["proxy"] for row in self.near.json("extenders") if row["name"] == "socks5")

    def ready(self) -> list[str]:
        return [row["uuid"] for row in self.figures()["exits"] if row["state"] == "ready"]

    def curl(self, name: str, *more: str, proxied: bool = True) -> list[str]:
        words = ["curl", "-sS", "-m", "120", *more, f"http://127.0.0.1:{self.web}/{name}"]
        return [*words, "-x", f"socks5h://127.0.0.1:{self.port}"] if proxied else words


def figures() -> Iterator[Figure]:
    place = scratch()
    try:
        with ExitStack() as stack:
            here = Place(place, stack)
            for scene in (short_connections, parallel_curls, large_file, stuck_reader, exit_killed):
                yield from scene(here)
    finally:
        discard(place)


def short_connections(here: Place) -> Iterator[Figure]:
    """Each is a connection of its own through the whole of it: 20,000 bytes fetched."""
    for count, at_once in ((SHORT, SHORT), (MANY, AT_ONCE)):
        name = f"{count:,} fetches of {SMALL_BYTES:,} bytes, {at_once:,} at once"
        for way, port in (("proxy", here.port), ("direct", 0)):
            web = "127.0.0.1", here.web
            done = asyncio.run(fetch_all(port, web, "small", SMALL_BYTES, count, at_once))
            yield exactly(f"{name}, {way}: failed", 0, done.failed)
            yield noted(f"{name}, {way}", done)
    yield at_most("streams opened for all of these, per exit", 384 * 2, here.figures()["lines_opened"])


def parallel_curls(here: Place) -> Iterator[Figure]:
    """A hundred processes."""
    outputs = [here.place / f"out{number}" for number in range(AT_ONCE)]
    running = [subprocess.Popen(here.curl("small", "-o", str(path))) for path in outputs]
    codes = [each.wait(120) for each in running]
    whole = sum(hashlib.sha256(path.read_bytes()).hexdigest() == here.checksums["small"] for path in outputs)
    yield exactly("100 curls at once: ended well, whole", (AT_ONCE, AT_ONCE), (codes.count(0), whole))


def large_file(here: Place) -> Iterator[Figure]:
    """Rates side by side, in turns, then once more for the checksum."""
    nodes = [here.near, *here.exits]
    watch = MemoryWatch(*(node.pid for node in nodes))
    before = sum(cpu_seconds(node.pid) for node in nodes)
    for way in ("direct", "proxy"):
        words = here.curl("big", "-o", "/dev/null", "-w", "%{speed_download}", proxied=way == "proxy")
        rates = [float(subprocess.run(words, capture_output=True, check=True).stdout) / 1e6 for _ in range(2)]
        yield noted(f"1 GiB, {way}: MB/s", " and ".join(f"{rate:,.0f}" for rate in rates))
    cpu = (sum(cpu_seconds(node.pid) for node in nodes) - before) / 2
    done = subprocess.run(here.curl("big"), stdout=subprocess.PIPE, check=True)
    yield exactly("1 GiB: same checksum", True, hashlib.sha256(done.stdout).hexdigest() == here.checksums["big"])
    watch.close()
    yield noted("1 GiB: CPU seconds of both nodes", f"{cpu:.2f}")
    yield at_most("1 GiB: most growth of a node, MiB", GROWTH_MIB, max(watch.growth_bytes().values()) / MIB)


def stuck_reader(here: Place) -> Iterator[Figure]:
    """It asks for 1 GiB and reads nothing; ten more do the same; another download goes on beside them."""
    watch = MemoryWatch(here.near.pid, *(each.pid for each in here.exits))
    stuck = [_asks(here) for _ in range(11)]
    time.sleep(3)
    done = subprocess.run(here.curl("big"), stdout=subprocess.PIPE, check=True)
    yield exactly(
        "11 stuck readers: another 1 GiB beside them, whole", True,
        hashlib.sha256(done.stdout).hexdigest() == here.checksums["big"],
    )
    watch.close()
    for each in stuck:
        each.close()
    growth = max(watch.growth_bytes().values()) / MIB
    yield at_most("11 stuck readers: most growth of a node, MiB", 2 * GROWTH_MIB, growth)


def exit_killed(here: Place) -> Iterator[Figure]:
    """kill -9 of the exit in the middle of a transfer: the program is told, the next request takes the other exit."""
    slow = subprocess.Popen(here.curl("big", "--limit-rate", "20M", "-o", "/dev/null"), stderr=subprocess.DEVNULL)
    calls = {row["uuid"]: row["calls"] for row in here.figures()["exits"]}
    busy = max(here.exits, key=lambda each: calls[each.status()["uuid"]])
    time.sleep(1)
    busy.process.kill()  # type: ignore[union-attr]
    began = time.monotonic()
    code = slow.wait(60)
    yield at_most("kill -9 of the exit: seconds until the program is told", 5.0, time.monotonic() - began)
    yield exactly("kill -9 of the exit: curl's exit code (56: connection reset)", 56, code)
    until("the next request", lambda: not subprocess.run(here.curl("small", "-o", "/dev/null"), check=False).returncode)
    yield at_most("kill -9 of the exit: seconds until the next request is answered", 10.0, time.monotonic() - began)


def written(path: Path, size: int) -> str:
    """Bytes that nothing can compress; their checksum."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for at in range(0, size, MIB):
            piece = os.urandom(min(MIB, size - at))
            file.write(piece)
            digest.update(piece)
    return digest.hexdigest()


def _request(host: str, port: int) -> bytes:
    """CONNECT, by name unless the host is all digits."""
    digits = host.replace(".", "").isdigit()
    spelled = b"\x01" + socket.inet_aton(host) if digits else bytes((3, len(host))) + host.encode()
    return b"\x05\x01\x00" + spelled + port.to_bytes(2)


def _asks(here: Place) -> socket.socket:
    """A program that asks for the large file and does not read it."""
    made = socket.create_connection(("127.0.0.1", here.port))
    made.sendall(b"\x05\x01\x00")
    made.recv(2)
    made.sendall(_request("127.0.0.1", here.web) + b"GET /big HTTP/1.0\r\n\r\n")
    return made


@dataclass
class Fetches:
    """How it went: the time of each that worked, sorted. ``started_seconds``: until the last was connected."""

    seconds: float
    started_seconds: float
    times: list[float]
    failed: int

    def __str__(self) -> str:
        middle, late = (self.times[int(len(self.times) * share)] * 1000 for share in (0.5, 0.99))
        rate = len(self.times) / self.seconds
        return f"{rate:,.0f} a second, median {middle:.0f} ms, 99 % within {late:.0f} ms"


async def fetch_all(proxy: int, web: tuple[str, int], name: str, size: int, count: int, at_once: int) -> Fetches:
    """``name`` from a web server, a connection each; one that does not bring ``size`` bytes has failed.

    ``proxy`` 0 = directly. A ``#`` in the server's name is another number for each.
    """
    gate = asyncio.Semaphore(at_once)
    times: list[float] = []
    connected: list[float] = []

    async def one(number: int) -> None:
        async with gate:
            began = time.perf_counter()
            place = web[0].replace("#", str(number)), web[1]
            try:
                got = await asyncio.wait_for(_fetch(proxy, place, name, connected), 60)
            except (OSError, EOFError, TimeoutError):
                return
            if got == size:
                times.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(one(number) for number in range(count)))
    seconds = time.perf_counter() - began
    return Fetches(seconds, max(connected) - began, sorted(times) or [0.0], count - len(times))


async def _fetch(proxy: int, web: tuple[str, int], name: str, connected: list[float]) -> int:
    """The size of the body; when it was connected goes into ``connected``."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy or web[1])
    connected.append(time.perf_counter())
    try:
        if proxy:
            writer.write(b"\x05\x01\x00")
            await reader.readexactly(2)
            writer.write(_request(*web))
            if (await reader.readexactly(10))[1]:
                return -1
        writer.write(b"GET /%b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % name.encode())
        return len((await reader.read(-1)).partition(b"\r\n\r\n")[2])
    finally:
        writer.close()
