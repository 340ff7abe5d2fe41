"""Ended sessions, circuits, channels and streams go at once: no circle of references leaves them to the collector.

With the collector off, whatever is still found by it afterwards was part of a circle or hung on one.
"""

from __future__ import annotations

import gc
from collections import Counter
from typing import Any

from twisted.internet.protocol import Protocol

from quantumgate.errors import QuantumGateError
from tests.node.circuits import AWAY, CircuitCase

SESSIONS, CIRCUITS = 100, 20
OURS = ("quantumgate.",)
THE_STAGE = "quantumgate.testing."


class EchoStream(Protocol):
    """Sends back what comes."""

    transport: Any

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data)


class Ear(Protocol):
    """The near end of a stream."""

    transport: Any

    def __init__(self) -> None:
        self.heard = 0

    def dataReceived(self, data: bytes) -> None:
        self.heard += len(data)


def _echo(peer: Any, label: bytes) -> Any:
    return EchoStream() if label == b"echo" else None


def of_ours() -> dict[str, int]:
    """What the collector finds, of our own classes: the stage of these tests is not looked at."""
    gc.set_debug(gc.DEBUG_SAVEALL)
    gc.collect()
    gc.set_debug(0)
    kinds = [f"{type(one).__module__}.{type(one).__qualname__}" for one in gc.garbage]
    gc.garbage.clear()
    return dict(Counter(kind for kind in kinds if kind.startswith(OURS) and not kind.startswith(THE_STAGE)))


class CycleTests(CircuitCase):
    """Each way for a session to end, and each thing that may have been in it."""

    def setUp(self) -> None:
        super().setUp()
        self.end_guest.stream_opened = _echo  # type: ignore[method-assign]
        self.talks(3)  # what is made once and kept
        self.talks(0)
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)

    def talks(self, hops: int, *, cut: bool = False) -> None:
        """A session with a message and three streams: ended, open and refused ones."""
        peer, host, ears = self.connect(hops, keep=False), self.guest.host, [Ear(), Ear(), Ear()]
        self.done(host.send(peer, b"question" * 1000), 1)
        for ear, label in zip(ears, (b"echo", b"echo", b"nobody"), strict=True):
            host.open_stream(peer, ear, label).addErrback(lambda _: None)
            ear.transport.write(bytes(100_000))
        self.pass_time(1)
        ears[0].transport.loseConnection()
        self.assertEqual([ear.heard for ear in ears], [100_000, 100_000, 0])
        if cut:
            next(one for one in self.client._parts.desk.table if one.peer is peer).drop()  # type: ignore[union-attr]
        else:
            self.done(self.client.disconnect(peer), 1)
        self.pass_time(8)  # eight links a minute
        self.assertEqual(host.peers(), [])

    def test_sessions(self) -> None:
        for number in range(SESSIONS):
            self.talks(0, cut=number % 2 == 1)
        self.assertEqual(of_ours(), {})

    def test_circuits(self) -> None:
        for number in range(CIRCUITS):
            self.talks(3, cut=number % 2 == 1)
        self.assertEqual(of_ours(), {})

    def test_failed_dials(self) -> None:
        """Nobody listens there, it is somebody else, the path leads nowhere."""
        nowhere = f"qg://{self.end.uuid}@45.33.32.9:9999"
        other = f"qg://{self.gates[0].uuid}@{AWAY}:9999"
        for _ in range(5):
            for address, hops in ((nowhere, 0), (other, 0), (nowhere, 2)):
                self.failed(self.client.connect(address, hops=hops), QuantumGateError, 100)
        self.assertEqual(of_ours(), {})
