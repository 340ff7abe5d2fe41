"""A whole Node in this process for a benchmark: its configuration, its ``bench`` guest, and the reactor around it.

Only what a program that uses the library would use: ``loads`` for the configuration, ``Node``, and an extender found by
its entry point. ``light_dial`` is the exception: thousands of initiators of their own identity in one process.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import bench_guest
import common as c
from installed import pretend_installed
from twisted.python import log

from quantumgate import logs
from quantumgate.core.connection import Connection
from quantumgate.core.events import ChannelOffered, Closed, RequestMade
from quantumgate.core.handshake.initiator import Initiator
from quantumgate.core.handshake.settings import HandshakeSettings
from quantumgate.core.requests import Verdict
from quantumgate.core.session_settings import SessionSettings
from quantumgate.crypto.identity import Identity
from quantumgate.crypto.random import SystemRandom
from quantumgate.ids import parse_peer_uuid
from quantumgate.net.protocol import PeerProtocol
from quantumgate.node import collector
from quantumgate.node.node import Node
from quantumgate.settings.loader import loads
from quantumgate.wire.limits import DEFAULT_LIMITS


def configuration(variant: str, named: dict[str, Any], listen: str | None, *, guest: bool = True) -> str:
    """Default configuration but compression off; see bench_ours.py for the variants. ``named``: keys TABLE.NAME."""
    words = variant.split("-")
    chosen = {"node.listen": [listen] if listen else [], "node.default_access": "allow", "log.level": "warn", **named}
    if "lz4" not in words:
        chosen["algorithms.compression"] = []
    if "chacha" in words:
        chosen["algorithms.symmetric"] = ["ChaCha20-Poly1305"]
    if "plain" in words:
        chosen["privacy.padding"] = "off"
    tables: dict[str, list[str]] = {"extenders.bench": []} if guest else {}
    for key, value in chosen.items():
        table, _, name = key.rpartition(".")
        tables.setdefault(table, []).append(f"{name} = {json.dumps(value)}")
    return "\n".join(line for table, lines in tables.items() for line in (f"[{table}]", *lines)) + "\n"


class BenchNode:
    """``run(on_ready)``: called when the node listens and its guest has started. ``guest``: whether it has ours."""

    hops = 0
    """How many relays lead to the peers that it connects to."""

    def __init__(
        self, name: str, variant: str, named: dict[str, Any], listen: str | None = None, *, guest: bool = True
    ) -> None:
        from twisted.internet import reactor

        if os.environ.get("BENCH_DEBUG"):
            log.startLogging(sys.stderr, setStdout=False)
        place = Path(c.tmpdir())
        pretend_installed(place / "installed", "bench = bench_guest:extender")
        self.reactor: Any = reactor
        self.data = place / name
        if "hybrid" in variant.split("-"):
            write_identity(self.data, "ed25519+mldsa65")
        settings = loads(configuration(variant, named, listen, guest=guest), "bench")
        logs.configure(settings.log.level, redact=settings.log.redact)
        self.node = Node(settings, self.data)

    def run(self, on_ready: Callable[[], object]) -> None:
        """Start, and run the reactor until ``stop``."""
        self.reactor.callWhenRunning(self._start, on_ready)
        self.reactor.run()

    def _start(self, on_ready: Callable[[], object]) -> None:
        try:
            self.node.startService()
        except Exception as error:
            self.failed(error)
            return
        ready = self.node.when_ready()
        ready.addCallback(lambda _: self.reactor.callLater(0.05, self._settled, on_ready))
        ready.addErrback(lambda failure: self.failed(failure.value))

    def _settled(self, on_ready: Callable[[], object]) -> None:
        collector.settle()  # as tap.py does for a node's process
        on_ready()

    @property
    def guest(self) -> Any:
        return bench_guest.made[-1]

    @property
    def port(self) -> int:
        return next(int(part) for part in self.node.listening[0].split(":") if part.isdigit())

    @property
    def address(self) -> str:
        return f"qg://{self.node.uuid}@127.0.0.1:{self.port}"

    def connect(self, address: str) -> None:
        """Through the guest's own host, as an extender does; a failure ends the run."""
        self.guest.host.connect(address, hops=self.hops).addErrback(lambda failure: self.failed(failure.value))

    def failed(self, error: object) -> None:
        c.say(error=f"{type(error).__name__}: {error}")
        self.stop()

    def finish(self, result: dict[str, Any]) -> None:
        c.say(result=result)
        self.stop()

    def stop(self) -> None:
        if self.reactor.running:
            self.reactor.stop()


def write_identity(data: Path, kind: str) -> None:
    """A data directory whose node is of that kind."""
    from quantumgate.node.data_directory import DataDirectory

    directory = DataDirectory(data)
    directory.lock()
    directory.identity(kind)
    directory.unlock()


class LightOwner:
    """Meets the events of one light initiator: admits, accepts, and calls ``ready`` at the first message."""

    def __init__(self, ready: Callable[[], object], failed: Callable[[object], object]) -> None:
        self.ready, self.failed = ready, failed

    def connection_event(self, protocol: Any, event: Any) -> None:
        if isinstance(event, RequestMade):
            protocol.connection.answer(event.request, Verdict(True), protocol.connection_now())
            protocol.wake()
        elif isinstance(event, ChannelOffered):
            event.channel.on_message = self._greeted
            event.channel.accept()
        elif isinstance(event, Closed) and event.by != "local":
            self.failed(f"a light session ended: {event}")

    def _greeted(self, _message: bytes) -> bool:
        self.ready()
        return True


class LightProtocol(PeerProtocol):
    """The node's pump, for an initiator without a node."""

    def connection_now(self) -> float:
        from twisted.internet import reactor

        return float(reactor.seconds())


def light_dial(node: BenchNode, uuid: str, port: int, ready: Callable[[], object]) -> None:
    """One session of a new identity with the node ``uuid``; ``ready()`` when the responder's first message is there."""
    from twisted.internet.protocol import ClientFactory

    settings = SessionSettings(extenders=(UUID(bench_guest.UUID),), compression=False, keep=True)
    block, luck, now = settings.block(), SystemRandom(), node.reactor.seconds()
    initiator = Initiator(
        HandshakeSettings(Identity.generate(1)), target=parse_peer_uuid(uuid), pin=None, session_tlvs=block.encode(),
        random=luck, now=now, wall_offset_seconds=time.time() - now, limits=DEFAULT_LIMITS,
    )  # fmt: skip
    owner = LightOwner(ready, node.failed)
    factory = ClientFactory()
    factory.noisy = False
    connection = Connection(initiator, settings, block, luck, now)
    factory.buildProtocol = lambda _: LightProtocol(connection, owner, node.reactor)  # type: ignore[method-assign]
    node.reactor.connectTCP("127.0.0.1", port, factory)


def told(info: str) -> dict[str, Any]:
    """What the responder said of itself."""
    ready: dict[str, Any] = json.loads(info)
    return ready
