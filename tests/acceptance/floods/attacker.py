"""The attacker's process: one flood at its fixed rate against one host, for so many seconds, then all is closed.

    python -m tests.acceptance.floods.attacker FLOOD HOST PORT UUID SECONDS [--sink] [--bystander ADDRESS]

``FLOOD`` is a module beside this one, whose ``attack(target)`` makes a ``Strikes``. The rate is kept whatever comes
back: a strike that is late is made up for. Prints one JSON line at the end. Against the bare sink of a control run the
same is done, as far as there is anybody to do it to.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import random
import resource
import select
import socket
import sys
import time
from abc import ABC, abstractmethod
from collections import Counter, deque
from dataclasses import dataclass

from quantumgate.core.handshake.settings import DEFAULT_NETWORK, Candidate, candidate
from quantumgate.ids import PeerUUID, parse_peer_uuid

CATCH_UP = 50
"""Strikes made up for at once, before what came back is looked at."""

ASKED, UNASKED = "dialled where it asked for it", "dialled unasked"
"""Of the connections that the node makes: to an address from which somebody asked for it, and to any other."""


@dataclass(frozen=True)
class Target:
    """Who is attacked; ``sink``: it is the bare one. ``bystander`` is a node that the victim can reach."""

    host: str
    port: int
    uuid: PeerUUID
    sink: bool = False
    bystander: tuple[PeerUUID, str, int] | None = None

    @property
    def candidate(self) -> Candidate:
        """What opens first flights to it: whoever knows the UUID has it."""
        return candidate(DEFAULT_NETWORK, None, self.uuid.bytes)


class Strikes(ABC):
    """A flood. ``strike`` is called ``per_second`` times a second, ``tend`` in between; ``counts`` is told then."""

    per_second = 1.0

    def __init__(self, target: Target) -> None:
        self.target = target
        self.luck = random.Random(7)
        self.counts: Counter[str] = Counter()

    @abstractmethod
    def strike(self) -> None:
        """Once more."""

    def tend(self) -> None:  # noqa: B027 - not every flood hears anything
        """See to what came back."""


class Lines:
    """Connections of the crowd that never block. At most ``held`` at once: beyond, the oldest one is closed."""

    def __init__(self, target: Target, counts: Counter[str], held: int) -> None:
        self._target, self._counts, self._held = target, counts, held
        self._poll = select.epoll()
        self._lines: dict[int, tuple[socket.socket, bytes, bool]] = {}
        self._order: deque[tuple[int, socket.socket]] = deque()
        self.answered_bytes = 0

    def __len__(self) -> int:
        return len(self._lines)

    def open(self, source: str, data: bytes = b"", *, close: bool = False) -> None:
        """Connect, say ``data``, then close or hold on."""
        line = socket.socket()
        line.setblocking(False)
        line.bind((source, 0))
        line.connect_ex((self._target.host, self._target.port))
        number = line.fileno()
        self._lines[number] = line, data, close
        self._order.append((number, line))
        self._poll.register(number, select.EPOLLOUT)
        self._counts["connections"] += 1
        while len(self._lines) > self._held:
            oldest, line = self._order.popleft()
            if oldest in self._lines and self._lines[oldest][0] is line:
                self._close(oldest)

    def tend(self) -> None:
        """Everything that is due, without waiting."""
        for number, event in self._poll.poll(0):
            if number not in self._lines:
                continue
            if event & (select.EPOLLERR | select.EPOLLHUP):
                self._counts["refused"] += 1
                self._close(number)
            elif event & select.EPOLLOUT:
                self._opened(number)
            else:
                self._read(number)

    def _opened(self, number: int) -> None:
        line, data, close = self._lines[number]
        try:
            if data:
                line.send(data)
        except OSError:
            close = True
        if close:
            self._close(number)
        else:
            self._poll.modify(number, select.EPOLLIN)

    def _read(self, number: int) -> None:
        try:
            data = self._lines[number][0].recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self.answered_bytes += len(data)
        if data:
            self._counts["answers"] += 1
        else:
            self._counts["closed by it"] += 1
            self._close(number)

    def _close(self, number: int) -> None:
        self._lines.pop(number)[0].close()

    def drip(self, count: int, luck: random.Random) -> None:
        """A byte over some of the connections that are held."""
        for number in luck.sample(list(self._lines), min(count, len(self._lines))):
            try:
                self._lines[number][0].send(b"\0")
            except OSError:
                continue


def run(flood: Strikes, seconds: float) -> dict[str, object]:
    """At its rate, open loop; how it went."""
    began, done = time.monotonic(), 0
    while (passed := time.monotonic() - began) < seconds:
        due = int(passed * flood.per_second) + 1
        for _ in range(min(due - done, CATCH_UP)):
            flood.strike()
            done += 1
        flood.tend()
        if done >= due:
            time.sleep(min(0.01, max(0.0, (due / flood.per_second) - (time.monotonic() - began))))
    used = os.times()
    return {"strikes": done, "per_second": round(done / seconds, 1), "counts": dict(flood.counts),
            "cpu_share": round((used.user + used.system) / seconds, 3)}


def _target(words: argparse.Namespace) -> Target:
    bystander = None
    if words.bystander:
        uuid, _, place = words.bystander.removeprefix("qg://").partition("@")
        host, _, port = place.partition(":")
        bystander = parse_peer_uuid(uuid), host, int(port)
    return Target(words.host, words.port, parse_peer_uuid(words.uuid), words.sink, bystander)


def main() -> None:
    parser = argparse.ArgumentParser(prog="attacker", description=__doc__)
    for name, kind in (("flood", str), ("host", str), ("port", int), ("uuid", str), ("seconds", float)):
        parser.add_argument(name, type=kind)
    parser.add_argument("--sink", action="store_true")
    parser.add_argument("--bystander")
    words = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    flood: Strikes = importlib.import_module(f"tests.acceptance.floods.{words.flood}").attack(_target(words))
    sys.stdout.write(json.dumps(run(flood, words.seconds)) + "\n")
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
