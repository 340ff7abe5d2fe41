"""The session core and its pump without a node: Connection and PeerProtocol over TCP, fixed keys, one channel.

Between ``thin.py`` (records only) and ``bench_ours.py`` (the node): what the session itself costs. Called like every
peer script, ``bench_core.py --metric a|b|c [--variant plain]``; ``plain`` switches padding off.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any
from uuid import UUID

sys.path.insert(0, os.environ.get("BENCH_PEERS", str(Path(__file__).resolve().parent / "peers")))

import common as c

from quantumgate.core.connection import Connection
from quantumgate.core.events import ChannelOffered, Ready
from quantumgate.core.handshake.outcome import Established
from quantumgate.core.requests import Verdict
from quantumgate.core.session_settings import SessionSettings
from quantumgate.crypto.random import SystemRandom
from quantumgate.crypto.secret import Secret
from quantumgate.crypto.suites import Suite
from quantumgate.net.protocol import PeerProtocol
from quantumgate.wire.session_tlvs import SessionBlock

GUEST = UUID(int=1)


class Finished:
    """Stands for a handshake that is over."""

    def __init__(self, outcome: Established) -> None:
        self.outcome, self.requests = outcome, []  # type: ignore[var-annotated]

    def output(self) -> bytes:
        return b""


class Owner:
    """Meets the events of one connection; ``on_ready(session)``, ``on_message(bytes)`` are the application."""

    def __init__(self, on_ready: Any, on_message: Any) -> None:
        self.on_ready, self.on_message = on_ready, on_message

    def connection_event(self, protocol: Any, event: Any) -> None:
        if isinstance(event, Ready):
            self.channel = event.session.open_channel(GUEST, stream=False)
            self.on_ready(self.channel)
        elif isinstance(event, ChannelOffered):
            event.channel.on_message = self._message
            event.channel.accept()

    def _message(self, message: bytes) -> bool:
        self.on_message(message)
        return True


def protocol(initiator: bool, variant: str, owner: Owner) -> PeerProtocol:
    from twisted.internet import reactor

    settings = SessionSettings(extenders=(GUEST,), compression=False, padding="off" if variant == "plain" else "padme")
    established = Established(
        initiator=initiator, role=1, peer=None, local=None, signer=None, suite=Suite(1, 1, 1), root=Secret(bytes(64)),
        sid=bytes(32), exporter=Secret(bytes(64)), peer_session=b"" if initiator else SessionBlock().encode(),
        leftover=b"", shared_secret=False, verdict=Verdict(True), retried=False,
    )  # fmt: skip
    handshake: Any = Finished(established)
    connection = Connection(handshake, settings, settings.block(), SystemRandom(), reactor.seconds())
    return PeerProtocol(connection, owner, reactor)


def server(a: Any) -> None:
    from twisted.internet import protocol as twisted_protocol
    from twisted.internet import reactor

    class Listening(twisted_protocol.Factory):
        def buildProtocol(self, addr: Any) -> Any:
            total = 0

            def counted(message: bytes) -> None:
                nonlocal total
                if a.metric == "b":
                    owner.channel.send(message)
                elif len(message) == 3:
                    owner.channel.send(b"%d" % total)
                else:
                    total += len(message)

            owner = Owner(lambda channel: channel.send(b"R"), counted)
            return protocol(False, a.variant, owner)

    port = reactor.listenTCP(0, Listening(), interface="127.0.0.1")
    c.say(port=port.getHost().port)
    reactor.run()


def client(a: Any) -> None:
    from twisted.internet import protocol as twisted_protocol
    from twisted.internet import reactor

    size = {"a": c.MSG, "b": c.ECHO, "c": c.SMALL}[a.metric]
    data, times = os.urandom(size), []  # type: ignore[var-annotated]

    def report(result: dict[str, Any]) -> None:
        c.say(result=result)
        reactor.stop()

    def greeted(_message: bytes) -> None:
        (ping if a.metric == "b" else pour)()

    def ping() -> None:
        nonlocal at
        owner.on_message = echoed
        at = time.perf_counter()
        owner.channel.send(data)

    def echoed(_message: bytes) -> None:
        times.append(time.perf_counter() - at)
        report(c.latency(times[200:])) if len(times) == a.count + 200 else ping()

    def pour() -> None:
        nonlocal meter
        meter = c.Meter(client=os.getpid(), server=a.server_pid)
        owner.on_message = counted
        owner.channel.on_room = fill
        fill()

    def fill() -> None:
        nonlocal sent
        send = owner.channel.send
        while 0 <= sent < a.bytes:
            if not send(data):
                return
            sent += size
        if sent >= 0:
            sent = -1 if send(b"END") else sent

    def counted(message: bytes) -> None:
        result = meter.stop(int(message))
        report(result if a.metric == "a" else c.per_message(result, int(message), size))

    at, sent, meter = 0.0, 0, None  # type: ignore[var-annotated]
    owner = Owner(lambda channel: None, greeted)
    factory = twisted_protocol.ClientFactory()
    factory.buildProtocol = lambda addr: protocol(True, a.variant, owner)  # type: ignore[method-assign]
    reactor.connectTCP("127.0.0.1", a.port, factory)
    reactor.run()


def run(a: Any) -> dict[str, Any]:
    count = {"a": 2048 * c.MB, "c": 30 * c.MB}.get(a.metric, 0)
    return c.pair(__file__, a, nbytes=count, count=10_000 if a.metric == "b" else 0)


if __name__ == "__main__":
    c.main(run, {"server": server, "client": client})
