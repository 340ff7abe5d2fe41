"""Anchors of our own: relays that keep a way to this node open where nobody can dial it. Spec: docs/spec/relays.md, 7.

The sessions with them are kept like any other (``keeper.py``); here is what is asked in them, and when again. Not for:
being an anchor (``reservations.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from quantumgate import logs
from quantumgate.control.api import AnchorReport, AnchorState
from quantumgate.core.relay.path import Gateway
from quantumgate.core.relay.reservations import REFRESH_SHARE, check_grant
from quantumgate.crypto.identity import fingerprint_text
from quantumgate.crypto.random import RandomSource
from quantumgate.errors import AuthenticationError, ViolationError
from quantumgate.ids import PeerUUID, QgAddress, host_text
from quantumgate.node.contact import Contact
from quantumgate.node.state import State
from quantumgate.node.world import World
from quantumgate.wire import frames
from quantumgate.wire.codes import CloseCode
from quantumgate.wire.invitation_text import InvitingAnchor
from quantumgate.wire.limits import ANCHORS_MAX, RENDEZVOUS_KEY_BYTES
from quantumgate.wire.link_frames import LinkEndpoint
from quantumgate.wire.peer_records import Anchor
from quantumgate.wire.reservation_frames import Grant

REFUSED_SECONDS = 600.0
"""An anchor that refuses is asked again after this time."""

LIFE_SECONDS_MAX = 3600.0
_log = logs.named("relay")


def key_of(state: State, random: RandomSource) -> bytes:
    """This node's rendezvous key: drawn once, for it stands in invitations."""
    if not state.rendezvous_key:
        state.rendezvous_key = random.bytes(RENDEZVOUS_KEY_BYTES).hex()
        state.save_in_background()
    return bytes.fromhex(state.rendezvous_key)


class Anchors:
    """One node's. ``granted`` holds the anchors that it is reached through at the moment, with what they signed."""

    def __init__(self, own: PeerUUID, world: World, anchors: Sequence[Gateway], rendezvous_key: bytes) -> None:
        self._own, self._world, self._key = own, world, rendezvous_key
        self._anchors = {one.uuid: one for one in anchors}
        self._asked: set[Contact] = set()
        self._with: dict[PeerUUID, Contact] = {}
        self._timers: dict[PeerUUID, Any] = {}
        self._refused: set[PeerUUID] = set()
        self.granted: dict[PeerUUID, Grant] = {}
        self._adopted: set[PeerUUID] = set()
        self.make_key: Callable[[], bytes] = bytes
        """The rendezvous key, for anchors that nobody named."""

    def address(self, fingerprint: str) -> str:
        """Of this node, through its anchors; "" where it has none. ``fingerprint``: our own, as text."""
        if not self._anchors:
            return ""
        anchors = tuple(
            QgAddress(one.uuid, one.hosts, fingerprint_text(one.fingerprint) if one.fingerprint else "")
            for one in self._anchors.values()
        )
        return str(QgAddress(self._own, (), fingerprint, fingerprint_text(self._key), anchors))

    @property
    def rendezvous_key(self) -> bytes:
        """For a record that names anchors."""
        return self._key

    def via(self) -> tuple[Anchor, ...]:
        """The anchors that keep a way open now, for our own record: each with the voucher that it gave us."""
        now = self._world.wall_seconds()
        return tuple(
            Anchor(uuid, self._with[uuid].session.peer.fingerprint, grant.encode())
            for uuid, grant in self.granted.items() if grant.expiry_seconds > now
        )

    def inviting(self) -> tuple[InvitingAnchor, ...]:
        """The anchors that were named, for an invitation; those that keep a way open now come first."""
        ordered = sorted(self._anchors.values(), key=lambda one: one.uuid not in self.granted)
        return tuple(
            InvitingAnchor(one.uuid, one.fingerprint or self._met(one.uuid), tuple(
                LinkEndpoint(host.strip("[]"), port) for host, port in one.hosts))
            for one in ordered[:ANCHORS_MAX]
        )

    def _met(self, uuid: PeerUUID) -> bytes:
        """The fingerprint of an anchor that is connected."""
        contact = self._with.get(uuid)
        return b"" if contact is None else contact.session.peer.fingerprint

    def reports(self) -> list[AnchorReport]:
        """Each anchor that was named, and what has become of it."""
        return [
            AnchorReport(str(one.uuid), [host_text(*host) for host in one.hosts], self._state_of(one.uuid))
            for one in self._anchors.values()
        ]

    def _state_of(self, uuid: PeerUUID) -> AnchorState:
        if uuid in self.granted:
            return "open"
        if uuid in self._refused:
            return "refused"
        return "asked" if uuid in self._with else "not connected"

    # -- relays that nobody named --------------------------------------------------------------------------------

    def adopt(self, gateway: Gateway, contact: Contact) -> None:
        """A peer that relays is asked in the session that stands, for as long as that does."""
        if gateway.uuid not in self._anchors:
            self._key = self._key or self.make_key()
            self._anchors[gateway.uuid] = gateway
            self._adopted.add(gateway.uuid)
            contact.session.keep = True
            self.arrived(contact)

    def adopted(self) -> list[Gateway]:
        """Those."""
        return [self._anchors[uuid] for uuid in self._adopted]

    def release(self) -> None:
        """They are not needed any more: what they granted runs out."""
        for uuid in list(self._adopted):
            contact = self._with.get(uuid)
            if contact is not None:
                contact.session.keep, asked = contact.keep, contact in self._asked
                self._left(uuid, contact)
                if asked:  # its answer is on the way, and no violation
                    self._asked.add(contact)
            self._forget(uuid)

    def _forget(self, uuid: PeerUUID) -> None:
        if uuid in self._adopted:
            self._adopted.discard(uuid)
            del self._anchors[uuid]

    # -- sessions ------------------------------------------------------------------------------------------------

    def arrived(self, contact: Contact) -> None:
        """A session stands: with an anchor it is asked at once."""
        identity = contact.session.peer
        if identity is not None and identity.uuid in self._anchors:
            self._with[identity.uuid] = contact
            contact.ended().addCallback(lambda _: self._left(identity.uuid, contact))
            self._ask(identity.uuid, contact)

    def _ask(self, uuid: PeerUUID, contact: Contact) -> None:
        self._asked.add(contact)
        contact.say(frames.RESERVE, self._key)

    def _left(self, uuid: PeerUUID, contact: Contact) -> None:
        """The reservation goes with its session, unless a newer session with that anchor has one."""
        self._asked.discard(contact)
        if self._with.get(uuid) is contact:
            del self._with[uuid]
            self._refused.discard(uuid)
            self._stop_timer(uuid)
            self.granted.pop(uuid, None)
            self._forget(uuid)

    def answered(self, contact: Contact, grant: Grant) -> None:
        """RESERVED. What nobody asked for, or what the anchor did not sign, ends the session."""
        if contact not in self._asked:
            contact.close(CloseCode.VIOLATION, "RESERVED without RESERVE", graceful=False)
            return
        self._asked.discard(contact)
        anchor = contact.session.peer
        if self._with.get(anchor.uuid) is not contact:
            return  # a newer session with this anchor is asked in its turn
        if not grant.expiry_seconds:
            self.granted.pop(anchor.uuid, None)
            self._refused.add(anchor.uuid)
            _log.warn("{peer} takes no reservations", peer=logs.peer(anchor.uuid))
            self._later(anchor.uuid, contact, REFUSED_SECONDS)
            return
        try:
            check_grant(grant, anchor, self._own, contact.session.peer_delegation)
        except (AuthenticationError, ViolationError):
            contact.close(CloseCode.VIOLATION, "a voucher that does not verify", graceful=False)
            return
        self.granted[anchor.uuid] = grant
        self._refused.discard(anchor.uuid)
        life_seconds = min(max(2.0, grant.expiry_seconds - self._world.wall_seconds()), LIFE_SECONDS_MAX)
        self._later(anchor.uuid, contact, life_seconds * self._world.random.uniform(*REFRESH_SHARE))

    def _later(self, uuid: PeerUUID, contact: Contact, wait_seconds: float) -> None:
        self._stop_timer(uuid)
        self._timers[uuid] = self._world.clock.callLater(wait_seconds, self._ask, uuid, contact)

    def _stop_timer(self, uuid: PeerUUID) -> None:
        timer = self._timers.pop(uuid, None)
        if timer is not None and timer.active():
            timer.cancel()

    def stop(self) -> None:
        """The node stops."""
        for uuid in list(self._timers):
            self._stop_timer(uuid)
