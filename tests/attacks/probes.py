"""A probe and what comes of it: bytes reach a listener on a fake clock; what it says, when and how it closes.

The listener is a Responder behind its Connection and the pump of a socket, as in a node. Not for: which bytes
(``openings.py``), or real sockets (``tests/acceptance/probes.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Protocol

from quantumgate.core.connection import Connection
from quantumgate.core.events import Closed, Event
from quantumgate.core.handshake import Responder
from quantumgate.core.replay import ReplayWindow
from quantumgate.net.protocol import PeerProtocol
from quantumgate.net.pump import Pump
from quantumgate.testing.clock import OrderedClock
from quantumgate.testing.network import MemoryNetwork
from quantumgate.wire.limits import DEFAULT_LIMITS
from tests.attacks.mallory import A_MS, NOW_MS
from tests.attacks.openings import BOB, HOUR_MS, Make, entered, kinds
from tests.core.handshake.duel import START, WALL_OFFSET_SECONDS, SeededRandom
from tests.core.sessions import PLAIN

Plan = list[tuple[float, bytes]]
"""Seconds after the opening of the connection, and what is sent then."""


def at_once(data: bytes, luck: SeededRandom) -> Plan:
    """All of it when the connection stands."""
    return [(0.0, data)]


def in_pieces(data: bytes, luck: SeededRandom) -> Plan:
    """The first 100 bytes one by one within four seconds, the rest in up to eight pieces within four more."""
    moments = sorted(luck.uniform(0, 4) for _ in data[:100])
    plan = [(at, data[n : n + 1]) for n, at in enumerate(moments)]
    step = max(1, -(-len(data[100:]) // 8))
    rest = [data[at : at + step] for at in range(100, len(data), step)]
    return (plan or [(0.0, b"")]) + [(4 + 0.5 * n, piece) for n, piece in enumerate(rest)]


def and_more(data: bytes, luck: SeededRandom) -> Plan:
    """All of it, and then a random byte at ten moments within 25 s."""
    moments = sorted(luck.uniform(0, 25) for _ in range(10))
    return [(0.0, data), *((at, luck.bytes(1)) for at in moments)]


DELIVERIES: Mapping[str, Callable[[bytes, SeededRandom], Plan]] = {
    "at once": at_once, "in pieces": in_pieces, "and more": and_more
}  # fmt: skip


@dataclass(frozen=True)
class Reaction:
    """``closed_after_seconds``: after the opening, or after the dialler's FIN where it sent one."""

    said: bytes
    closed_after_seconds: float
    clean: bool


class _Prober(Protocol):
    def __init__(self) -> None:
        self.said = bytearray()
        self.clean: bool | None = None

    def dataReceived(self, data: bytes) -> None:
        self.said += data

    def connectionLost(self, reason: Any = None) -> None:
        self.clean = reason.check(ConnectionDone) is not None


class _Owner:
    """Does of a node's desk what a failed handshake needs."""

    def connection_event(self, protocol: Pump, event: Event) -> None:
        if isinstance(event, Closed) and not protocol.connection.finished:
            protocol.read_slowly(DEFAULT_LIMITS.drain_rate_bytes)


def window() -> ReplayWindow:
    """One that began an hour ago and knows the flight that is replayed."""
    return entered(ReplayWindow(b"w" * 32, NOW_MS - HOUR_MS), NOW_MS)


def every_kind() -> dict[str, Make]:
    """What Bob must not answer."""
    return kinds(BOB.candidates[0], A_MS)


def probe(plan: Plan, replay: ReplayWindow, luck: SeededRandom, *, fin: bool) -> Reaction:
    """What comes of a connection; ``luck`` is the listener's. With ``fin`` the dialler closes behind the last piece."""
    clock = OrderedClock()
    clock.advance(START)
    network = MemoryNetwork(clock)
    responder = Responder(BOB, replay, random=luck, now=START, wall_offset_seconds=WALL_OFFSET_SECONDS)
    connection = Connection(responder, PLAIN, PLAIN.block(), luck, START)
    pump, prober = PeerProtocol(connection, _Owner(), clock), _Prober()
    network.join(pump, prober)
    near, far = network.connections[0]
    for at, piece in plan:
        clock.callLater(at, far.write, piece)
    began = START + plan[-1][0] if fin else START
    if fin:
        clock.callLater(plan[-1][0], far.loseConnection)
    while not near.over:
        if not clock.step(began + HOUR_MS / 1000):
            raise AssertionError("never closed")
    closed_after_seconds = clock.seconds() - began
    clock.advance(0)
    return Reaction(bytes(prober.said), closed_after_seconds, prober.clean is not False)


def reactions(samples: int, seed: object, *, fin: bool) -> Iterator[tuple[str, str, Reaction]]:
    """(kind, delivery, reaction) of so many connections of each kind by each delivery, each with luck of its own."""
    replay = window()
    for kind, make in every_kind().items():
        for delivery, plan_for in DELIVERIES.items():
            for number in range(samples):
                luck = SeededRandom((seed, kind, delivery, number, fin))
                plan, victims = plan_for(make(luck), luck), SeededRandom(("victim", seed, kind, delivery, number))
                yield kind, delivery, probe(plan, replay, victims, fin=fin)
