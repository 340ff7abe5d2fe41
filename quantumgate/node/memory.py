"""Bytes held for peers, by peer and together: who holds too much is sent away, the least esteemed and newest first.

A look every other second, and four a second while more than half is in use. Not for: the bounds of one session (core),
half-open connections (``net/intake.py``) or what the interpreter takes. Spec: docs/spec/overload.md section 6.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from uuid import UUID

from twisted.internet.interfaces import IDelayedCall

from quantumgate import logs
from quantumgate.core.held import held_bytes
from quantumgate.ids import PeerUUID
from quantumgate.node.contact import Contact
from quantumgate.node.world import World
from quantumgate.wire.codes import CloseCode
from quantumgate.wire.limits import Limits

LOOK_SECONDS, LOOK_SOON_SECONDS = 2.0, 0.25
LITTLE_BYTES = 64 * 1024
"""Who holds no more than one initial window is not sent away while others hold more: it would free nothing."""

_log = logs.named("node")


class MemoryWatch:
    """``held_bytes`` is the sum of the last look, ``sent_away`` counts sessions."""

    def __init__(
        self, world: World, limits: Limits, contacts: Callable[[], Iterable[Contact]],
        esteem: Callable[[PeerUUID | None], float],
    ) -> None:
        """``esteem(uuid)`` is a peer's score; None asks for a nameless one's."""
        self._world, self._limits, self._contacts = world, limits, contacts
        self._call: IDelayedCall | None = None
        self._occasionally = logs.Occasionally(world.now)
        self._esteem = esteem
        self.held_bytes = 0
        self.sent_away = 0

    def start(self) -> None:
        """Begin to look."""
        self._look()

    def stop(self) -> None:
        """No more."""
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None

    @property
    def full(self) -> bool:
        """Whether nobody new should be let in for now."""
        return self.held_bytes > self._limits.memory_bytes

    def _look(self) -> None:
        holders = [(contact, held_bytes(contact.protocol.connection)) for contact in self._contacts()
                   if contact.protocol is not None and not contact.over]
        self.held_bytes = sum(held for _, held in holders)
        if self.held_bytes > self._limits.memory_peer_bytes:  # else nobody does
            self._send_away(self._too_much(holders), "memory_peer_bytes")
        if self.held_bytes > self._limits.memory_bytes:
            self._send_away(self._worst_first(holders), "memory_bytes", self._limits.memory_bytes)
        crowded = self.held_bytes > self._limits.memory_bytes / 2
        self._call = self._world.clock.callLater(LOOK_SOON_SECONDS if crowded else LOOK_SECONDS, self._look)

    def _too_much(self, holders: list[tuple[Contact, int]]) -> list[tuple[Contact, int]]:
        """All sessions of each peer that holds more than any may. Nameless ones count alone."""
        held: dict[UUID | Contact, int] = {}
        for contact, size in holders:
            held[_owner(contact)] = held.get(_owner(contact), 0) + size
        most = self._limits.memory_peer_bytes
        return [(contact, size) for contact, size in holders if size and held[_owner(contact)] > most]

    def _worst_first(self, holders: list[tuple[Contact, int]]) -> list[tuple[Contact, int]]:
        left = [(contact, size) for contact, size in holders if size and not _going(contact)]
        return sorted(left, key=lambda one: (one[1] <= LITTLE_BYTES, self._esteem_of(one[0]), -one[0].connected_at))

    def _esteem_of(self, contact: Contact) -> float:
        session = contact.session
        return self._esteem(session.peer.uuid if session is not None and session.peer is not None else None)

    def _send_away(self, worst: list[tuple[Contact, int]], limit: str, down_to_bytes: int = -1) -> None:
        for contact, size in worst:
            if self.held_bytes <= down_to_bytes:
                return
            self.held_bytes -= size
            self.sent_away += 1
            if self._occasionally.allows(limit):
                _log.warn("limit {limit} reached (limits.{limit}): {where} held {size} bytes and is sent away",
                          limit=limit, where=logs.place(contact.where), size=size)
            contact.close(CloseCode.OUT_OF_RESOURCES, f"limit {limit}", graceful=False)


def _owner(contact: Contact) -> UUID | Contact:
    session = contact.session
    return session.peer.uuid if session is not None and session.peer is not None else contact


def _going(contact: Contact) -> bool:
    return contact.over or (contact.session is not None and contact.session.closing)
