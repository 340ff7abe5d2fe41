"""This node as the anchor of others: their standing sessions bring them links. Spec: docs/spec/relays.md, 7. [A34]

Not for: anchors of our own (``anchors.py``), or carrying what comes (``relays.py``).
"""

from __future__ import annotations

from collections.abc import Callable

from quantumgate import logs
from quantumgate.core.budget import TokenBucket
from quantumgate.core.relay.reservations import Reservations, Signer, grant
from quantumgate.node.contact import Contact
from quantumgate.node.world import World
from quantumgate.wire import frames
from quantumgate.wire.limits import Limits
from quantumgate.wire.link_frames import LinkTarget, RelayTerms
from quantumgate.wire.reservation_frames import Grant

RESERVE_RATE = 1.0, 8.0
"""A second, and at once: each grant is a signature of up to two milliseconds. An honest peer asks twice an hour."""

_log = logs.named("relay")


class Anchorage:
    """One node's. ``willing()`` = it relays; ``terms`` are told with each reservation."""

    def __init__(
        self, identity: Signer, world: World, limits: Limits, willing: Callable[[], bool], terms: RelayTerms
    ) -> None:
        self._identity, self._world, self._limits = identity, world, limits
        self._willing, self._terms = willing, terms
        self.reservations: Reservations[Contact] = Reservations(
            identity.public.uuid, limits.reservations, limits.reservation_seconds
        )
        self._paces: dict[Contact, TokenBucket] = {}
        self._part: Callable[[Contact], object] = _keep

    def sign_as(self, identity: Signer, part: Callable[[Contact], object]) -> None:
        """Vouchers by another key from now on. Those of before verify under a key that nobody meets any more: who has
        one is parted with (``part``), and asks again in a session that stands on the new key."""
        self._identity, self._part = identity, part
        for contact in self.reservations.sessions():
            part(contact)

    def asked(self, contact: Contact, rendezvous_key: bytes) -> None:
        """RESERVE: the peer is admitted, or it would have no session. A refusal says no more than that it is one."""
        if contact.session.signer is not self._identity:
            self._part(contact)
            return
        uuid, now = contact.session.peer.uuid, self._world.now()
        if contact not in self._paces:
            self._paces[contact] = TokenBucket(*RESERVE_RATE, now)
            contact.ended().addCallback(lambda _: self._left(contact))
        known = self._willing() and self._paces[contact].take(now)
        if not known or not self.reservations.reserve(uuid, rendezvous_key, contact, now):
            self.refuse(contact)
            return
        expiry_seconds = int(self._world.wall_seconds() + self._limits.reservation_seconds)
        contact.say(frames.RESERVED, grant(self._identity, uuid, expiry_seconds, self._terms).encode())
        contact.session.keep = True  # it has no channels, and yet both sides need it
        _log.debug("{peer} is reached through this node", peer=logs.peer(uuid))

    def refuse(self, contact: Contact) -> None:
        """Whatever the reason is."""
        contact.say(frames.RESERVED, Grant(0).encode())

    def forget(self, contact: Contact) -> None:
        """What it reserved is over; it learns that when it asks again."""
        self.reservations.left(contact.session.peer.uuid, contact)

    def _left(self, contact: Contact) -> None:
        del self._paces[contact]
        self.forget(contact)

    def find(self, target: LinkTarget) -> Contact | None:
        """The session of a peer that reserved, for who proves to know its key."""
        return self.reservations.find(target.uuid, target.proof, self._world.now(), self._world.wall_seconds())


def _keep(contact: Contact) -> None:
    """As long as there was one key only."""
