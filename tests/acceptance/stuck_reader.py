"""Readers that stop, at both ends and in the middle of three hops, beside 50 circuits that go on.

All circuits take the same three gateways in the same order, so that they share every carrier. They take what they can
get, so rates are told for each second of processor that was there for them: that they used, or that nobody did. (Others
use this machine, too; a circuit that waits for a stuck one would leave processors idle.) Each round with somebody stuck
is compared to the rounds before and after it, and of these the median taken. What may be held is summed up from
wire/limits.py: what a stuck circuit may add (below), and what all of them together may hold (``allowed_mib``).
"""

from __future__ import annotations

import os
import signal
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

from quantumgate.core.buffers import CROWDED_BUFFERS
from quantumgate.core.channel import QUEUE_MARK_BYTES
from quantumgate.core.connection import SHARED_BUFFERS
from quantumgate.wire.limits import MIB, WINDOW_GROWTH_SHARE, Limits
from tests.acceptance.busy import Downloads, login, request
from tests.acceptance.cost import cpu_seconds
from tests.acceptance.processes import MemoryWatch, discard, rss_bytes, scratch, until
from tests.acceptance.relaynetwork import RelayNetwork
from tests.acceptance.report import Figure, at_least, at_most, exactly, noted
from tests.acceptance.socks5 import written

GATEWAYS, CLIENTS, CIRCUITS = 3, 4, 50
BIG_BYTES = 1 << 30
ROUNDS, ROUND_SECONDS, SETTLE_SECONDS = 5, 3.0, 1.0
WARM_UP_SECONDS = 8.0
RATE_SHARE = 0.8
LIMITS = Limits()
STUCK_MAX = 4
"""Circuits that get stuck at once."""

ALLOCATOR_MIB = 12.0
"""What the peaks of a process differ by from one round to the next, with nobody stuck."""

BUFFERS_MIB = CROWDED_BUFFERS * SHARED_BUFFERS.size_bytes / MIB
"""Buffers for records that are lent at once; beyond, who waits keeps only the bytes it has."""

GATEWAY_MIB = 2 * LIMITS.link_window_max_bytes / MIB
"""What one stuck circuit may hold at a gateway: a grown window each way."""

END_MIB = (LIMITS.window_max_bytes + QUEUE_MARK_BYTES + LIMITS.link_window_bytes) / MIB
"""At either end: a grown window of a stream that is not read, and the queue of one that is not sent."""

Stick = Callable[[], Callable[[], None]]
"""Makes somebody stop reading; calling what it returns ends that."""


def figures() -> Iterator[Figure]:
    place = scratch()
    try:
        with ExitStack() as stack:
            yield from Scene(place, stack).figures()
    finally:
        discard(place)


class Scene:
    """Three gateways, an exit, four busy clients and a fifth whose programs get stuck."""

    def __init__(self, place: Path, stack: ExitStack) -> None:
        written(place / "big", BIG_BYTES)
        self.network = network = RelayNetwork(place, stack, GATEWAYS)
        via = f'via = "{",".join(network.gateways)}"\n'
        self.clients = [network.near(f"near{number}", via) for number in range(CLIENTS)]
        self.fifth = network.near("fifth", via)
        self.sink = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        proxies = [self.clients[number % CLIENTS].port for number in range(CIRCUITS)]
        self.pids = {one.node.data.name: one.node.pid for one in (*self.clients, self.fifth)}
        self.pids |= {"exit": network.exit.pid}
        self.pids |= {one.data.name: one.pid for one in network.gateways.values()}
        self.idle = {name: rss_bytes(pid) for name, pid in self.pids.items()}
        self.most = dict(self.idle)
        self.downloads = Downloads(proxies, network.web)
        stack.callback(self.downloads.close)
        until("all downloads have begun", self.downloads.all_begun, 120)

    def figures(self) -> Iterator[Figure]:
        standing = [len(one.circuits()) for one in self.clients]
        yield noted("circuits of the clients: one for each log-in, and one kept warm", standing)
        yield exactly("gateways on the way, the same for all", True, self._same_way())
        time.sleep(WARM_UP_SECONDS)
        yield from self.beside("a far reader that stopped, a fast near writer", self.far_reader)
        yield from self.beside("a near reader that stopped, a fast far writer", self.near_reader)
        yield from self.beside("a client that reads its socket to the gateway no more", self.client_process, STUCK_MAX)
        yield exactly("downloads that broke off", 0, self.downloads.broken)
        yield from self._held()

    def _same_way(self) -> bool:
        way = list(self.network.gateways)
        return all(circuit["path"] == way for one in (*self.clients, self.fifth) for circuit in one.circuits())

    # -- who gets stuck ------------------------------------------------------------------------------------------------

    def _program(self, user: bytes, port: int) -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self.fifth.port))
        made.sendall(login(user) + request(port))
        answer = made.recv(14, socket.MSG_WAITALL)
        if len(answer) < 14 or answer[5]:
            raise OSError(f"the proxy answered {answer!r}")
        return made

    def far_reader(self) -> Callable[[], None]:
        """A server that accepts and reads nothing; a program that writes as fast as it can."""
        program = self._program(b"writer", self.sink.getsockname()[1])
        server, _ = self.sink.accept()
        threading.Thread(target=_pour, args=(program,), daemon=True).start()

        def over() -> None:
            for each in (program, server):
                each.close()

        return over

    def near_reader(self) -> Callable[[], None]:
        """A program that asks for the large file and reads nothing."""
        program = self._program(b"reader", self.network.web)
        program.sendall(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
        return program.close

    def client_process(self) -> Callable[[], None]:
        """SIGSTOP of the fifth node, with downloads under way: its kernel's buffers fill, then the gateway's."""
        programs = [self._program(b"stopped%d" % number, self.network.web) for number in range(STUCK_MAX)]
        for program in programs:
            program.sendall(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
            threading.Thread(target=_drain, args=(program,), daemon=True).start()
        time.sleep(1)
        pid = self.fifth.node.pid
        os.kill(pid, signal.SIGSTOP)

        def over() -> None:
            os.kill(pid, signal.SIGCONT)
            for program in programs:
                program.close()

        return over

    # -- the others ----------------------------------------------------------------------------------------------------

    def beside(self, what: str, stick: Stick, stuck: int = 1) -> Iterator[Figure]:
        """The 50, without and with, in turns; and by how much the highest level of every process differs."""
        free, beside = [self._round()], []
        for _ in range(ROUNDS):
            over = stick()
            try:
                beside.append(self._round())
            finally:
                over()
            free.append(self._round())
        yield from self._rates(what, [rates for rates, _ in free], [rates for rates, _ in beside])
        yield from self._added(what, stuck, [level for _, level in free], [level for _, level in beside])

    def _round(self) -> tuple[list[float], dict[str, int]]:
        """Rates, and the highest level of each process."""
        watch = MemoryWatch(*self.pids.values())
        time.sleep(SETTLE_SECONDS)
        before = self._processor_seconds()
        rates = self.downloads.rates(ROUND_SECONDS)
        there = (self._processor_seconds() - before) / ROUND_SECONDS
        rates = [rate / there for rate in rates]
        watch.close()
        level = {name: watch.most[pid] for name, pid in self.pids.items()}
        self.most = {name: max(level[name], most) for name, most in self.most.items()}
        return rates, level

    def _processor_seconds(self) -> float:
        """What the network, its programs and its web server used, and what was idle."""
        with open("/proc/stat", encoding="ascii") as file:
            idle = sum(map(int, file.readline().split()[4:6])) / os.sysconf("SC_CLK_TCK")
        return idle + sum(map(cpu_seconds, (os.getpid(), self.network.server, *self.pids.values())))

    def _rates(self, what: str, free: list[list[float]], beside: list[list[float]]) -> Iterator[Figure]:
        for name, of in (("all together", sum), ("the median one", statistics.median), ("the slowest tenth", _slowest)):
            alone, with_it = [of(rates) for rates in free], [of(rates) for rates in beside]
            shares = [here / ((early + late) / 2) for (early, late), here in zip(pairwise(alone), with_it, strict=True)]
            share, words = statistics.median(shares), f"{CIRCUITS} others, {name}"
            yield at_least(f"{what}: {words}, share of the rate without", RATE_SHARE, share)
            rates = f"{statistics.median(alone):.2f} and {statistics.median(with_it):.2f}"
            figure = f"{what}: {words}, MB a processor second, without and with; shares"
            yield noted(figure, f"{rates}; {_listed(shares)}")

    def _added(
        self, what: str, stuck: int, free: list[dict[str, int]], beside: list[dict[str, int]]
    ) -> Iterator[Figure]:
        """The medians of the rounds' highest levels, with less without."""
        added = {
            name: (statistics.median(one[name] for one in beside) - statistics.median(one[name] for one in free)) / MIB
            for name in self.pids
        }
        for kind, own in (("a gateway", GATEWAY_MIB), ("either end", END_MIB), ("another node", 0.0)):
            seen = max(mib for name, mib in added.items() if _kind(name) == kind)
            yield at_most(f"{what}: MiB more in {kind}, at most", stuck * own + ALLOCATOR_MIB, seen)

    def _held(self) -> Iterator[Figure]:
        """Above the idle process, over all rounds."""
        for kind in ("a gateway", "either end", "another node"):
            seen = max((self.most[name] - self.idle[name]) / MIB for name in self.pids if _kind(name) == kind)
            yield at_most(f"all circuits together: MiB in {kind}, at most", allowed_mib(kind), seen)


def _kind(name: str) -> str:
    return "a gateway" if name.startswith("g") else "another node" if name.startswith("near") else "either end"


def allowed_mib(kind: str) -> float:
    """The sum of the named limits for what is open here: windows of links, or of streams and their queues."""
    circuits = CIRCUITS + CLIENTS + 1 + STUCK_MAX
    if kind == "a gateway":
        links = circuits * 2 * LIMITS.link_window_bytes
        return (links + LIMITS.link_pool_node_bytes) / MIB + BUFFERS_MIB
    streams = circuits * (LIMITS.initial_window_bytes + QUEUE_MARK_BYTES)
    return (streams + WINDOW_GROWTH_SHARE * LIMITS.window_pool_node_bytes) / MIB + BUFFERS_MIB


def _listed(shares: list[float]) -> str:
    return " ".join(f"{share:.2f}" for share in shares)


def _slowest(rates: list[float]) -> float:
    """The mean of the slowest tenth."""
    return statistics.mean(rates[: max(1, len(rates) // 10)])


def _pour(program: socket.socket) -> None:
    data = os.urandom(1 << 16)
    try:
        while True:
            program.sendall(data)
    except OSError:
        return


def _drain(program: socket.socket) -> None:
    try:
        while program.recv(1 << 18):
            pass
    except OSError:
        return
