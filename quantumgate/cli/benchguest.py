"""The extender that `qgate bench` measures through, and the two nodes it runs on: only what any program could do.

The listener is a process of its own (``python -m quantumgate.cli.benchguest DIRECTORY``) that ends with its stdin. Not
for: comparing with others (``bench/`` in the repository does).
"""

from __future__ import annotations

import json
import os
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred

from quantumgate.extender.api import Extender, IPeer, maker
from quantumgate.extender.registry import GROUP, Registry
from quantumgate.node.node import Node
from quantumgate.settings.loader import loads

NAME = "qgate-bench"
UUID = "6f0c3f9e-2d53-4d0e-9d1b-52a7a6f0e1c4"
ECHO, COUNT, TOTAL = b"e", b"c", b"t"
"""The first byte of a message: send it back, count its bytes, or say what was counted since the last time."""

LISTENER = f"""[node]
listen = ["tcp:0:interface=127.0.0.1"]
default_access = "allow"
[limits]
accepts_per_window = 10000
[extenders.{NAME}]
"""
DRIVER = f"""[node]
listen = []
[extenders.{NAME}]
"""


class Bench(Extender):
    """Answers what the other side asks for; the driving side gets the answers through ``answered``."""

    def __init__(self) -> None:
        self.messages = self.bytes = 0
        self.answered: Deferred[bytes] | None = None
        self.arrived: Deferred[IPeer] | None = None
        made.append(self)

    def peer_arrived(self, peer: IPeer) -> None:
        waiting, self.arrived = self.arrived, None
        if waiting is not None:
            waiting.callback(peer)

    def message_received(self, peer: IPeer, message: bytes) -> Any:
        kind = message[:1]
        if kind == COUNT:
            self.messages += 1
            self.bytes += len(message)
            return None
        if kind == ECHO:
            return self.host.send(peer, message.upper()[:1] + message[1:])
        if kind == TOTAL:
            answer = json.dumps([self.messages, self.bytes]).encode()
            self.messages = self.bytes = 0
            return self.host.send(peer, answer)
        waiting, self.answered = self.answered, None
        if waiting is not None:
            waiting.callback(message)
        return None

    async def ask(self, peer: IPeer, message: bytes) -> bytes:
        """Send and await the answer."""
        answered: Deferred[bytes] = Deferred()
        self.answered = answered
        await self.host.send(peer, message)
        return await answered

    def pour(self, peer: IPeer, message: bytes, until: float) -> Deferred[None]:
        """Offer ``message`` again and again as fast as it is taken, until the clock shows ``until`` (seconds)."""
        done: Deferred[None] = Deferred()
        offer, send, seconds = self.host.offer, self.host.send, self.host.clock.seconds

        def fill(_taken: object = None) -> None:
            while seconds() < until:
                if not offer(peer, message):
                    send(peer, message).addCallbacks(fill, done.errback)
                    return
            done.callback(None)

        fill()
        return done


made: list[Bench] = []
"""The guest that the node of this process made."""

extender = maker(Bench, name=NAME, uuid=UUID, version="1", summary="measures a session (qgate bench)")


def bench_node(configuration: str, data: Path) -> Node:
    """A node with this guest, as if a package had brought it."""
    settings = loads(configuration, "qgate bench")
    found = [EntryPoint(name=NAME, value="quantumgate.cli.benchguest:extender", group=GROUP)]
    return Node(settings, data, file="qgate bench", registry=Registry(settings.extenders, found))


def listen(data: Path) -> None:
    """The listening process: says where it is on stdout, as one JSON line, and runs until its stdin ends."""
    from twisted.internet import reactor as real
    from twisted.internet.protocol import Protocol
    from twisted.internet.stdio import StandardIO

    reactor: Any = real
    node = bench_node(LISTENER, data)

    class UntilTheParentGoes(Protocol):
        def connectionLost(self, reason: Any = None) -> None:
            if reactor.running:
                node.stopService().addBoth(lambda _: reactor.stop())

    def say(_ready: object) -> None:
        port = next(int(part) for part in node.listening[0].split(":") if part.isdigit())
        os.write(sys.stdout.fileno(), json.dumps({"address": f"qg://{node.uuid}@127.0.0.1:{port}"}).encode() + b"\n")

    StandardIO(UntilTheParentGoes())  # type: ignore[no-untyped-call]
    node.startService()
    node.when_ready().addCallback(say).addErrback(lambda _: reactor.callWhenRunning(reactor.stop))
    reactor.run()


if __name__ == "__main__":
    listen(Path(sys.argv[1]))
