"""A ban during traffic, with real processes: streams over a direct session and over circuits, cut by one call.

A node serves an endless source of bytes; another reads it directly and through two gateways. Spec: docs/spec/access.md.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from quantumgate.control.client import ControlClient
from quantumgate.control.paths import find_control
from tests.acceptance.installed import free_port
from tests.acceptance.processes import QgateFailed, TwistdNode, end, staged, start, until
from tests.acceptance.report import Figure, at_least, at_most, exactly
from tests.acceptance.web_service import gateway, user

LAST_BYTE_MS = 200
READ_SECONDS = 2.0


def figures() -> Iterator[Figure]:
    yield from staged(scene)


class Source:
    """A TCP server that sends zeros to everybody, for ever."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                threading.Thread(target=self._send, args=(self.socket.accept()[0],), daemon=True).start()
            except OSError:
                return

    def _send(self, line: socket.socket) -> None:
        try:
            while True:
                line.sendall(bytes(65536))
        except OSError:
            line.close()


class Reader:
    """Reads all that comes; knows how much it was, when the last byte was there, and whether there is an end."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.count, self.last_at, self.over = 0, 0.0, False
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            while data := self.socket.recv(1 << 20):
                self.count += len(data)
                self.last_at = time.monotonic()
        except OSError:
            pass
        self.over = True


def child(place: Path, name: str, said: str, stack: ExitStack, *words: str) -> str:
    """A qgate that stays; what it said once it said ``said``."""
    log = place / f"{name}.log"
    process = start([sys.executable, "-m", "quantumgate.cli.main", *words], log)
    stack.callback(end, process)
    until(name, lambda: said in log.read_text(encoding="utf-8"))
    return log.read_text(encoding="utf-8")


def reader(place: Path, client: TwistdNode, address: str, hops: int, stack: ExitStack) -> Reader:
    words = ("--data", str(client.data), "forward", "0", f"{address}:source", "--hops", str(hops))
    where = child(place, f"forward{hops}-{time.monotonic_ns()}", "leads to service", stack, *words)
    return Reader(int(where.split()[0].rpartition(":")[2]))


def ask(node: TwistdNode, command: str, **arguments: Any) -> Any:
    """Over the control socket, without the start of a process."""
    with ControlClient(find_control(node.data)) as control:
        return control.call(command, **arguments)


def refused(client: TwistdNode, address: str, *more: str) -> str:
    try:
        client.qgate("connect", address, *more)
    except (QgateFailed, subprocess.TimeoutExpired) as error:
        return "does not admit" if "does not admit" in str(error) else str(error)[:80]
    return "connected"


def scene(place: Path, stack: ExitStack) -> Iterator[Figure]:
    gateways = [stack.enter_context(gateway(place, number)) for number in range(3)]
    listen = f"tcp:{free_port()}:interface=127.0.0.1"  # the same after a restart
    server = TwistdNode(place, "server", f'[node]\nlisten = ["{listen}"]\n')
    server.__enter__()
    stack.callback(server.__exit__)
    client = stack.enter_context(user(place, "client", [one.address() for one in gateways]))
    uuid, address = client.status()["uuid"], server.address()
    server.qgate("access", "allow", uuid)
    source = Source()
    offer = ("expose", "source", f"127.0.0.1:{source.port}")
    child(place, "expose", "source", stack, "--data", str(server.data), *offer)
    readers = {hops: reader(place, client, address, hops, stack) for hops in (0, 2)}
    for one in readers.values():
        until("bytes come", lambda one=one: one.count)  # type: ignore[misc]
    time.sleep(READ_SECONDS)
    yield from cut(server, client, uuid, readers)
    yield from stays_cut(server, client, uuid, address)


def cut(server: TwistdNode, client: TwistdNode, uuid: str, readers: dict[int, Reader]) -> Iterator[Figure]:
    names = {0: "directly", 2: "through two gateways"}
    for hops, one in readers.items():
        yield at_least(f"read {names[hops]} before the ban, MB", 1, one.count / 1e6)
    began = time.monotonic()
    ask(server, "access.ban", subject=uuid)
    done = time.monotonic()
    left = len(ask(server, "peers"))
    yield exactly("peers of the server when the command returns", 0, left)
    yield at_most("the command took, ms", 100, (done - began) * 1000, digits=1)
    time.sleep(1.5)
    for hops, one in readers.items():
        late = (one.last_at - began) * 1000
        yield at_most(f"last byte {names[hops]} after the command was given, ms", LAST_BYTE_MS, late, digits=1)
        yield exactly(f"the stream {names[hops]} has ended", True, one.over)
    yield exactly("peers of the client 1.5 s later", 0, sum(one["uuid"] != uuid for one in _peers_of(client, server)))


def _peers_of(client: TwistdNode, server: TwistdNode) -> list[dict[str, Any]]:
    own = server.status()["uuid"]
    return [one for one in ask(client, "peers") if one["uuid"] == own]


def stays_cut(server: TwistdNode, client: TwistdNode, uuid: str, address: str) -> Iterator[Figure]:
    yield exactly("dialled again, directly", "does not admit", refused(client, address, "--hops", "0"))
    yield exactly("dialled again, through two gateways", "does not admit", refused(client, address, "--hops", "2"))
    told = ask(server, "access.explain", subject=uuid)
    yield exactly("explain names the rule", "ban", told["rule"])
    server.__exit__()
    server.__enter__()
    again = server.address()
    yield exactly("after a restart of the server", "does not admit", refused(client, again, "--hops", "0"))
    server.qgate("access", "unban", uuid)
    yield exactly("after unban", "connected", refused(client, again, "--hops", "0"))
    ask(server, "access.ban", subject="127.0.0.0/8", seconds=3600)
    yield exactly("peers of the server after a ban of the network", 0, len(ask(server, "peers")))
    told = ask(server, "access.explain", subject="::ffff:127.0.0.1")
    yield exactly("explain names the filter", "block-filter", told["rule"])
