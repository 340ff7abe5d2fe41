"""The proxy as people use it: curl through two processes, many short connections, stuck readers, a dying exit.

One hop: near node, exit, target, all on loopback. Needs curl (``apt install curl``).
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.acceptance.processes import MemoryWatch, TwistdNode, end, scratch, start, until
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
        self.checksums = {"big": _written(place / "big", BIG_BYTES), "small": _written(place / "small", SMALL_BYTES)}
        log = place / "server"
        server = start([sys.executable, "-m", "tests.acceptance.fileserver", str(place)], log)
        stack.callback(end, server)
        self.web = int(until("the web server's port", lambda: log.read_text().strip()))
        self.exits = [stack.enter_context(TwistdNode(place, name, EXIT)) for name in ("exit1", "exit2")]
        addresses = str([each.address() for each in self.exits]).replace("'", '"')
        self.port = _free_port()
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
        shutil.rmtree(place, ignore_errors=True)


def short_connections(here: Place) -> Iterator[Figure]:
    """Each is a connection of its own through the whole of it: 20,000 bytes fetched."""
    for count, at_once in ((SHORT, SHORT), (MANY, AT_ONCE)):
        name = f"{count:,} fetches of {SMALL_BYTES:,} bytes, {at_once:,} at once"
        for way, port in (("proxy", here.port), ("direct", 0)):
            seconds, times, failed = asyncio.run(_fetch_all(port, here.web, count, at_once))
            yield exactly(f"{name}, {way}: failed", 0, failed)
            middle, late = times[len(times) // 2] * 1000, times[int(len(times) * 0.99)] * 1000
            words = f"{count / seconds:,.0f} a second, median {middle:.0f} ms, 99 % within {late:.0f} ms"
            yield noted(f"{name}, {way}", words)
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
    before = sum(_cpu_seconds(node.pid) for node in nodes)
    for way in ("direct", "proxy"):
        words = here.curl("big", "-o", "/dev/null", "-w", "%{speed_download}", proxied=way == "proxy")
        rates = [float(subprocess.run(words, capture_output=True, check=True).stdout) / 1e6 for _ in range(2)]
        yield noted(f"1 GiB, {way}: MB/s", " and ".join(f"{rate:,.0f}" for rate in rates))
    cpu = (sum(_cpu_seconds(node.pid) for node in nodes) - before) / 2
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


def _written(path: Path, size: int) -> str:
    """Bytes that nothing can compress; their checksum."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for _ in range(0, size, MIB):
            piece = os.urandom(min(MIB, size))
            file.write(piece)
            digest.update(piece)
    return digest.hexdigest()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def _cpu_seconds(pid: int) -> float:
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def _request(here_port: int) -> bytes:
    return b"\x05\x01\x00\x01\x7f\0\0\x01" + here_port.to_bytes(2)


def _asks(here: Place) -> socket.socket:
    """A program that asks for the large file and does not read it."""
    made = socket.create_connection(("127.0.0.1", here.port))
    made.sendall(b"\x05\x01\x00")
    made.recv(2)
    made.sendall(_request(here.web) + b"GET /big HTTP/1.0\r\n\r\n")
    return made


async def _fetch_all(proxy: int, web: int, count: int, at_once: int) -> tuple[float, list[float], int]:
    """Seconds for all, the time of each that worked, sorted, and how many failed. ``proxy`` 0 = directly."""
    gate, times, failed = asyncio.Semaphore(at_once), [], 0

    async def one() -> None:
        nonlocal failed
        async with gate:
            began = time.perf_counter()
            try:
                size = await asyncio.wait_for(_fetch(proxy, web), 60)
            except (OSError, EOFError, TimeoutError):
                size = -1
            if size == SMALL_BYTES:
                times.append(time.perf_counter() - began)
            else:
                failed += 1

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(count)))
    return time.perf_counter() - began, sorted(times) or [0.0], failed


async def _fetch(proxy: int, web: int) -> int:
    """The size of the body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy or web)
    try:
        if proxy:
            writer.write(b"\x05\x01\x00")
            await reader.readexactly(2)
            writer.write(_request(web))
            if (await reader.readexactly(10))[1]:
                return -1
        writer.write(b"GET /small HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        return len((await reader.read(-1)).partition(b"\r\n\r\n")[2])
    finally:
        writer.close()
