"""A client, a relay and a target on real sessions: what two pairs and a splice make of links, in one place.

``Tower`` has alice--gate (a relay's client) and gate--dora (a carrier), pumps both, and joins links at the gate.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from quantumgate.core.credit import CreditPool
from quantumgate.core.events import LinkArrived, LinkAsked
from quantumgate.core.relay.link import Link, Pipe, splice
from quantumgate.core.session_settings import SessionSettings
from quantumgate.ids import PeerUUID
from quantumgate.wire import frames, link_frames
from quantumgate.wire.codes import LinkCode
from quantumgate.wire.link_frames import LinkEndpoint, LinkTarget, RelayTerms
from tests.core.handshake.duel import identity
from tests.core.sessions import PLAIN, Mallory, Pair

CELLS = PLAIN.in_cells(0)
DORA = PeerUUID(identity("dora").public.uuid)
TARGET = LinkTarget(DORA, (LinkEndpoint("192.0.2.7", 9999),))
TERMS = RelayTerms(1_000_000, 2_000_000, 3600)


class Outlet:
    """Bytes to send over a link, in pieces, and what became of the link."""

    def __init__(self, link: Link, *pieces: bytes) -> None:
        self.link = link
        self.pieces = list(pieces)
        self.received = bytearray()
        self.ends: list[int] = []
        self.answers: list[tuple[int, RelayTerms | None]] = []
        self.holding = False
        link.on_closed = self.ends.append
        link.on_answer = lambda code, terms: self.answers.append((code, terms))
        link.feed(self)
        link.hear(self._data)

    def say(self, data: bytes) -> None:
        self.pieces.append(data)
        self.link.wake()

    def _data(self, data: memoryview) -> None:
        self.received += data
        if not self.holding:
            self.link.consumed(len(data))

    @property
    def quiet(self) -> bool:
        return not self.pieces

    def put(self, view: memoryview, now: float) -> int:
        size = len(self.pieces[0]) if self.pieces else 0
        if not 0 < size <= len(view):
            return 0
        view[:size] = self.pieces.pop(0)
        return size

    def data_to_send(self, now: float) -> memoryview | None:
        return memoryview(self.pieces[0]) if self.pieces else None

    def taken(self, count: int, now: float) -> None:
        self.pieces[0] = self.pieces[0][count:]
        if not self.pieces[0]:
            del self.pieces[0]


class Tower:
    """``near`` is alice and the gate, ``far`` the gate and dora. ``ask`` brings a link all the way."""

    def __init__(self, settings: SessionSettings = CELLS, *, near_role: int = 2, far_role: int = 3) -> None:
        if settings.link_pool is CELLS.link_pool:  # one gate, one pool: what a test leaves lent is no other's
            settings = replace(settings, link_pool=CreditPool(settings.limits.link_pool_node_bytes, growth_share=1))
        self.near = Pair(settings, settings, role=near_role)
        self.far = Pair(settings, settings, role=far_role)
        self.alice, self.gate_near = self.near.sides
        self.gate_far, self.dora = self.far.sides
        self.pipes: list[tuple[Pipe, Pipe]] = []
        self.ends: list[tuple[Outlet, Outlet]] = []

    def pump(self, rounds: int = 60) -> Tower:
        for _ in range(rounds):
            before = self.moved()
            self.near.pump()
            self.far.pump()
            if self.moved() == before:
                break
        return self

    def moved(self) -> int:
        return sum(owner.session.bytes_sent for pair in (self.near, self.far) for owner in pair.sides)

    def asked(self) -> LinkAsked:
        return self.gate_near.of(LinkAsked)[-1]

    def ask(self, **more: Any) -> tuple[Outlet, Outlet]:
        """A link from alice to dora through the gate: both ends. ``splice`` joins it there, as ``link.splice`` does."""
        ours = Outlet(self.alice.session.all_links.ask(TARGET))
        self.pump()
        onward = self.gate_far.session.all_links.bring()
        self.pump()
        theirs = Outlet(self.dora.of(LinkArrived)[-1].link)
        asked = self.asked().link
        asked.answer(LinkCode.CONNECTED, TERMS)
        self.pipes.append(more.get("splice", splice)(asked, onward))
        self.pump()
        self.ends.append((ours, theirs))
        return ours, theirs


def brought(**more: Any) -> tuple[Mallory, Link]:
    """A carrier whose initiator is Mallory, and the link that she brought."""
    mallory = Mallory(settings=CELLS, role=3, **more)
    mallory.say(frames.frame(link_frames.LINK_INCOMING, b"", 1))
    return mallory, mallory.side.of(LinkArrived)[0].link
