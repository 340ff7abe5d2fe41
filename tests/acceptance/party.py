"""One process with a Node in it, for points that need more than ``qgate``: answers as ``echo``, or drives a scenario.

    python -m tests.acceptance.party answer CONFIG DATA
    python -m tests.acceptance.party SCENARIO CONFIG DATA ADDRESS [NUMBER]

Prints JSON lines: first ``{"address": ...}``, a driver then its results. The guest is found by its entry point, like
any other. Scenarios are in ``scenarios.py``; what the answering side does with messages and streams is below.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet import protocol, task
from twisted.internet.interfaces import IHalfCloseableProtocol
from zope.interface import implementer

from bench.installed import pretend_installed
from quantumgate.extender.api import Extender, maker

UUID = "2b7d2ea5-7a52-4f5b-8d3d-6f4c9a0b1e77"


def say(**result: object) -> None:
    sys.stdout.write(json.dumps(result) + "\n")
    sys.stdout.flush()


@implementer(IHalfCloseableProtocol)
class EchoStream(protocol.Protocol):
    """Sends back what comes, reads only while that is taken, and ends when the peer has ended."""

    def connectionMade(self) -> None:
        self.transport.registerProducer(self, True)

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data)

    def pauseProducing(self) -> None:
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        self.transport.resumeProducing()

    def stopProducing(self) -> None:
        """The stream is over."""

    def readConnectionLost(self) -> None:
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """Nothing more to send."""


@implementer(IHalfCloseableProtocol)
class SinkStream(protocol.Protocol):
    """Counts and checksums what comes; says both at the end."""

    def __init__(self) -> None:
        self.count = self.check = 0

    def dataReceived(self, data: bytes) -> None:
        self.count += len(data)
        self.check = zlib.crc32(data, self.check)

    def readConnectionLost(self) -> None:
        self.transport.write(b"%d %d" % (self.count, self.check))
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """Nothing more to send."""


class StuckStream(SinkStream):
    """Reads nothing until a message ``go`` comes."""

    stuck: list[StuckStream] = []

    def connectionMade(self) -> None:
        self.transport.pauseProducing()
        self.stuck.append(self)


class Party(Extender):
    """The guest of either side. ``heard(peer, message)`` is a driver's; without it messages are echoed."""

    made: list[Party] = []

    def __init__(self) -> None:
        self.made.append(self)
        self.heard: Callable[[Any, bytes], Any] | None = None
        self.arrived: list[Any] = []

    def peer_arrived(self, peer: Any) -> None:
        self.arrived.append(peer)

    def message_received(self, peer: Any, message: bytes) -> Any:
        if self.heard is not None:
            return self.heard(peer, message)
        if message == b"go":
            while StuckStream.stuck:
                StuckStream.stuck.pop().transport.resumeProducing()
        return self.host.send(peer, message)

    def stream_opened(self, peer: Any, label: bytes) -> Any:
        return {b"echo": EchoStream, b"sink": SinkStream, b"stuck": StuckStream}[label]()


extender = maker(Party, name="party", uuid=UUID, summary="plays a part in the acceptance runs")


def waited_seconds() -> float:
    """How long this thread was ready to run while others had the processors; 0 where the system does not say."""
    try:
        with open("/proc/thread-self/schedstat", encoding="ascii") as file:
            return int(file.read().split()[1]) / 1e9
    except OSError:
        return 0.0


class TurnWatch:
    """The longest that the reactor was away from this watch, in seconds, since it began: by the clock, and without
    the time in which other processes had the processor (which is a matter of the machine, not of the node)."""

    EVERY_SECONDS = 0.001

    def __init__(self) -> None:
        self.longest_seconds = self.busiest_seconds = 0.0
        self._at, self._waited = time.perf_counter(), waited_seconds()
        task.LoopingCall(self._look).start(self.EVERY_SECONDS, now=False)

    def _look(self) -> None:
        now, waited = time.perf_counter(), waited_seconds()
        away = now - self._at - self.EVERY_SECONDS
        self.longest_seconds = max(self.longest_seconds, away)
        self.busiest_seconds = max(self.busiest_seconds, away - (waited - self._waited))
        self._at, self._waited = now, waited


def say_epoch(node: Any, watch: TurnWatch) -> None:
    """The answering side's own view, for the points about keys."""
    for peer in node.peers_snapshot():
        turns = {"longest_here": watch.longest_seconds, "busiest_here": watch.busiest_seconds}
        say(epochs_here=peer.key_epoch, **turns)


def main() -> None:
    from twisted.internet import reactor

    from quantumgate.node.node import Node
    from quantumgate.settings.loader import load
    from tests.acceptance import scenarios

    scenario, config, data, *rest = sys.argv[1:]
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    pretend_installed(Path(data).parent / "installed", "party = tests.acceptance.party:extender")
    node = Node(load(Path(config)), data)

    def up() -> None:
        from tests.acceptance.party import Party as Loaded  # the entry point's, which is not __main__'s

        port = next((part for one in node.listening for part in one.split(":") if part.isdigit()), "")
        say(address=f"qg://{node.uuid}@127.0.0.1:{port}", pid=os.getpid())
        if scenario == "answer":
            task.LoopingCall(say_epoch, node, TurnWatch()).start(1, now=False)
        else:
            scenarios.begin(scenario, node, Loaded.made[0], rest, say, TurnWatch())

    def start() -> None:
        node.startService()
        node.when_ready().addCallback(lambda _: reactor.callLater(0.1, up))

    reactor.callWhenRunning(start)
    reactor.addSystemEventTrigger("before", "shutdown", node.stopService)
    reactor.run()


if __name__ == "__main__":
    main()
