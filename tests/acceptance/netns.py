"""Network namespaces for the acceptance points: an Internet of routed networks, nodes in it, NATs, and their end.

Every node has a namespace, an address and a /16 of its own; one namespace in the middle routes. The addresses are ones
that a relay dials (section 5 of docs/spec/relays.md), so no rule is switched off; nothing leads out of here. Needs
root, iproute2, dumpcap and, for ``masquerade``, nftables. Not for: what is looked at (``knowledge.py`` and others).
"""

from __future__ import annotations

import os
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

from quantumgate.control.client import ControlClient
from quantumgate.control.paths import find_control
from tests.acceptance.processes import TwistdNode, end, start, until
from tests.acceptance.wiretap import Wiretap

PORT = 9999
COMMAND_SECONDS = 20
INTERFACE = "eth0"

_REAPER = """
import subprocess, sys
prefix = sys.argv[1]
sys.stdin.buffer.read()
def run(*words):
    return subprocess.run(words, capture_output=True, text=True, timeout=20).stdout.split()
names = [word for word in run("ip", "netns", "list") if word.startswith(prefix)]
for name in names:
    for pid in run("ip", "netns", "pids", name):
        subprocess.run(["kill", "-9", pid], timeout=20, capture_output=True)
    run("ip", "netns", "del", name)
"""
"""Waits for the end of its input, which comes when the run ends in whatever way, and takes down what has our prefix."""


def run(*words: str) -> str:
    """What the command printed; RuntimeError with its errors."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


class Place:
    """One namespace. ``address`` is the one on its ``eth0``, towards the Internet."""

    def __init__(self, name: str, address: str) -> None:
        self.name, self.address = name, address
        run("ip", "netns", "add", name)
        for setting in ("all", "default"):  # no neighbour discovery in the captures
            run(*self.before, "sysctl", "-qw", f"net.ipv6.conf.{setting}.disable_ipv6=1")
        run("ip", "-n", name, "link", "set", "lo", "up")

    @property
    def before(self) -> tuple[str, ...]:
        """What stands in front of a command that runs here."""
        return ("ip", "netns", "exec", self.name)

    def tap(self, path: Path, wanted: str = "ip") -> Wiretap:
        """A capture of its ``eth0``."""
        return Wiretap(path, wanted, INTERFACE, self.before)

    def ports(self) -> set[int]:
        """Both ends' ports of every TCP socket here."""
        rows = [line.split() for line in run(*self.before, "cat", "/proc/net/tcp").splitlines()[1:]]
        return {int(end.partition(":")[2], 16) for row in rows for end in row[1:3]} - {0}

    def forward_packets(self) -> None:
        run(*self.before, "sysctl", "-qw", "net.ipv4.ip_forward=1")

    def masquerade(self) -> None:
        """Be a NAT as a home router is: what leaves by ``eth0`` has its address, and nothing comes in unasked."""
        self.forward_packets()
        run(*self.before, "nft", "; ".join((
            "add table ip nat",
            "add chain ip nat out { type nat hook postrouting priority 100; }",
            f"add rule ip nat out oifname {INTERFACE} masquerade",
            "add table ip filter",
            "add chain ip filter in { type filter hook forward priority 0; }",
            f"add rule ip filter in iifname {INTERFACE} ct state != {{ established, related }} drop",
        )))

    def line(self, up: bool) -> None:
        """Pull its cable, or put it in again: nobody is told."""
        run("ip", "-n", self.name, "link", "set", INTERFACE, "up" if up else "down")
        if up:
            self.route_out()

    def route_out(self) -> None:
        run("ip", "-n", self.name, "route", "replace", "default", "via", router_of(self.address))


class Internet:
    """The namespace in the middle; ``with`` it: at its end, or ours, every namespace is gone."""

    def __init__(self) -> None:
        self.prefix = f"qgns{os.getpid()}x"
        self._links = 0

    def __enter__(self) -> Internet:
        words = [sys.executable, "-c", _REAPER, self.prefix]
        self._reaper = subprocess.Popen(words, stdin=subprocess.PIPE, start_new_session=True)
        self.middle = Place(f"{self.prefix}-middle", "")
        self.middle.forward_packets()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reaper.communicate(timeout=120)

    def place(self, name: str, address: str, behind: Place | None = None) -> Place:
        """A namespace with this address; the router before it, ours or ``behind``, has the .1 of its /16."""
        router, made = behind or self.middle, Place(f"{self.prefix}-{name}", address)
        self._links += 1
        there = f"to{self._links}"
        run("ip", "link", "add", INTERFACE, "netns", made.name, "type", "veth", "peer", "name", there, "netns",
            router.name)
        run("ip", "-n", made.name, "addr", "add", f"{address}/16", "dev", INTERFACE)
        run("ip", "-n", router.name, "addr", "add", f"{router_of(address)}/16", "dev", there)
        run("ip", "-n", router.name, "link", "set", there, "up")
        made.line(up=True)
        return made


    def estate(self, place: Place, network: str) -> None:
        """All addresses of ``network`` are this place's, too: whoever runs there binds the one that it likes."""
        run("ip", "-n", place.name, "route", "add", "local", network, "dev", "lo")
        run("ip", "-n", self.middle.name, "route", "add", network, "via", place.address)


def router_of(address: str) -> str:
    """Who stands before that address."""
    return ".".join((*address.split(".")[:2], "0", "1"))


class NodeAt(TwistdNode):
    """A node in a namespace; it listens on the namespace's address unless ``listens`` is off."""

    def __init__(self, directory: Path, place: Place, name: str, configuration: str = "", *, listens: bool = True,
                 relay: bool = False) -> None:
        listen = f'["tcp:{PORT}:interface={place.address}"]' if listens else "[]"
        head = f"[node]\nlisten = {listen}\nrelay = {str(relay).lower()}\n"
        super().__init__(directory, name, head + configuration)
        self.place, self.before, self.host = place, place.before, place.address

    @cached_property
    def uuid(self) -> str:
        return str(self.status()["uuid"])

    def ask(self, command: str, seconds: float = COMMAND_SECONDS, **arguments: Any) -> Any:
        """What ``qgate COMMAND --json`` shows, at once."""
        with ControlClient(find_control(self.data), seconds) as client:
            return client.call(command, **arguments)


def listed(addresses: Sequence[str]) -> str:
    """As a configuration has them."""
    return "[" + ", ".join(f'"{one}"' for one in addresses) + "]"


class EchoServer:
    """A TCP service on loopback that sends back what comes, letters with their case swapped."""

    class Answer(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(ConnectionError):
                while data := self.request.recv(65_536):
                    self.request.sendall(data.swapcase())

    def __enter__(self) -> EchoServer:
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), self.Answer)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def exposed(directory: Path, node: TwistdNode, echo: EchoServer, stack: ExitStack) -> None:
    """``qgate expose web`` at this node, with the echo server behind it."""
    log = directory / f"expose-{node.data.name}.log"
    words = ["-m", "quantumgate.cli.main", "--data", str(node.data), "expose", "web", echo.target]
    stack.callback(end, start([sys.executable, *words], log))
    until("the service is offered", lambda: "is offered to" in log.read_text(encoding="utf-8"))


class Talk:
    """One connection to where ``qgate forward`` listens: says ``text`` again and again and hears it come ``back``.

    ``error`` is how it ended, ``ended_at`` when; ``wrong`` whether anything else came back.
    """

    def __init__(self, url: str, text: bytes, pause_seconds: float = 0.05) -> None:
        host, _, port = url.removeprefix("http://").partition(":")
        self.said = self.back = 0
        self.error, self.ended_at, self.wrong = "", 0.0, False
        self._text, self._pause, self._over = text, pause_seconds, threading.Event()
        self._socket = socket.create_connection((host, int(port)), 60)
        self._socket.settimeout(None)
        self._threads = [threading.Thread(target=self._until_it_ends, args=(one,), daemon=True)
                         for one in (self._say, self._hear)]
        for thread in self._threads:
            thread.start()

    def _until_it_ends(self, work: Callable[[], None]) -> None:
        try:
            work()
        except OSError as error:
            if not self.error:
                self.error, self.ended_at = str(error) or type(error).__name__, time.monotonic()

    def _say(self) -> None:
        while not self._over.wait(self._pause):
            self._socket.sendall(self._text)
            self.said += 1

    def _hear(self) -> None:
        heard, answer = b"", self._text.swapcase()
        while data := self._socket.recv(65_536):
            heard += data
            while len(heard) >= len(answer):
                self.wrong |= not heard.startswith(answer)
                heard, self.back = heard[len(answer) :], self.back + 1
            self.wrong |= not answer.startswith(heard)
        raise ConnectionError("the connection ended")

    def heard(self, more: int, seconds: float = 60) -> None:
        """Wait until so many more came back. Raises RuntimeError where the connection is over."""
        wanted = self.back + more
        until("echoes", lambda: self.back >= wanted or self.error, seconds)
        if self.error:
            raise RuntimeError(self.error)

    def rest(self) -> None:
        """Say nothing more; the connection stays."""
        self._over.set()
        self._threads[0].join(30)

    def close(self) -> None:
        self.rest()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
