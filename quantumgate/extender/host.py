"""All guests of one node: starts and stops them, tells them of peers, hands them the channels that peers open.

The roof admits peers, then calls ``session_ready``, ``channel_opened``, ``extenders_changed``, ``session_closed``.
Not for: finding extenders (``registry.py``), one guest's life (``lifecycle.py``). See docs/guide/extender-host.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from twisted.internet.defer import Deferred, DeferredList

from quantumgate.errors import LocalError, QuantumGateError, SessionClosed
from quantumgate.extender.doors import ChannelDoor, Landlord, SessionDoor
from quantumgate.extender.faults import Fault, FaultCount
from quantumgate.extender.lifecycle import ExtenderRow, Guest
from quantumgate.extender.reception import admit, expel, meet, part
from quantumgate.extender.registry import Registration
from quantumgate.extender.store import MemoryStore
from quantumgate.wire.codes import ResetCode


class ExtenderHost:
    """The guests' floor of one node. ``registrations`` come from the registry, or from ``registered`` in tests;
    ``spaces`` are what is kept of guests, by UUID: who has none there has one that is forgotten at the stop.
    """

    def __init__(
        self, registrations: Iterable[Registration], landlord: Landlord,
        spaces: Mapping[UUID, MemoryStore] | None = None,
    ) -> None:
        self._landlord = landlord
        self._guests: list[Guest] = [
            Guest(row, landlord, _space(row, spaces or {}), self._guest_changed, FaultCount()) for row in registrations
        ]
        self._by_uuid = {guest.registration.uuid: guest for guest in self._guests if guest.registration.maker}
        self._in_order = sorted((uuid, guest) for uuid, guest in self._by_uuid.items() if uuid is not None)
        self._sessions: dict[Any, SessionDoor] = {}

    # -- the node's life -----------------------------------------------------------------------------------------------

    def start(self) -> Deferred[None]:
        """Fires when every enabled guest runs or has failed; never fails, and not later than the time limit."""
        return self._each([guest.start() for guest in self._guests])

    def stop(self) -> Deferred[None]:
        """Fires when every guest has stopped, or had its time to; never fails."""
        return self._each([guest.stop() for guest in self._guests])

    def start_guest(self, name: str) -> Deferred[None]:
        """One that was stopped, failed or quarantined, by hand. Raises LocalError for a name that is not enabled."""
        return self._named(name).start()

    def stop_guest(self, name: str) -> Deferred[None]:
        """One alone. Raises LocalError for a name that is not enabled."""
        return self._named(name).stop()

    # -- what peers do -------------------------------------------------------------------------------------------------

    def session_ready(self, peer: Any, session: SessionDoor) -> None:
        """An admitted peer. ``peer`` is an IPeer, one object for one session and its successors, compared by identity.
        """
        if peer in self._sessions:
            self.session_closed(peer, "replaced by a newer session")
        self._sessions[peer] = session
        self.extenders_changed(peer, session)

    def session_succeeded(self, peer: Any, session: SessionDoor) -> None:
        """Another session carries this peer from now on: what runs on the old one runs on, what begins begins here."""
        self._sessions[peer] = session
        for guest in self._guests:
            if guest.host is not None and (presence := guest.host.presence(peer)) is not None:
                presence.succeed(session)
        self.extenders_changed(peer, session)

    def session_closed(self, peer: Any, reason: str, error: QuantumGateError | None = None) -> None:
        """Every guest that knew the peer: streams end, sends fail with ``error``, then ``peer_left(reason)``."""
        if self._sessions.pop(peer, None) is not None:
            error = error or SessionClosed(reason)
            for guest in self._guests:
                part(guest, peer, error, reason)

    def channel_opened(self, peer: Any, channel: ChannelDoor) -> None:
        """A channel that this peer offers: accepted or reset when this returns, or when the guest has answered."""
        session = self._sessions.get(peer)
        guest = self._by_uuid.get(channel.extender)
        if session is None or guest is None:
            channel.reset(ResetCode.NO_SUCH_SERVICE)
        else:
            admit(guest, peer, session, channel)

    def extenders_changed(self, peer: Any, session: SessionDoor) -> None:
        """The peer's list of extenders came, or became another."""
        for guest in self._guests:
            if guest.registration.uuid in session.peer_extenders:
                if peer.uuid is not None or guest.registration.anonymous:
                    meet(guest, peer, session, listed=True)
            elif guest.host is not None and (presence := guest.host.presence(peer)) is not None and presence.listed:
                words = "switched off there"
                part(guest, peer, LocalError(f"the peer has switched {guest.name} off"), words)

    def permissions_changed(self, peer: Any) -> None:
        """The node's rules about this peer are others: it leaves guests that it may not use, and meets those it may."""
        session = self._sessions.get(peer)
        if session is None:
            return
        for guest in self._guests:
            if not guest.admits(peer):
                expel(guest, peer)
        self.extenders_changed(peer, session)

    # -- what others ask -----------------------------------------------------------------------------------------------

    def uuids(self) -> tuple[UUID, ...]:
        """Those that run, as told to peers; sorted."""
        return tuple([uuid for uuid, guest in self._in_order if guest.running])

    def findable(self) -> tuple[UUID, ...]:
        """Those of them by which this node may be found; sorted."""
        return tuple([uuid for uuid, guest in self._in_order if guest.running and guest.registration.findable])

    def names(self) -> dict[str, UUID]:
        """The UUIDs of those that are enabled, by name."""
        return {guest.name: uuid for uuid, guest in self._in_order}

    def snapshot(self) -> tuple[ExtenderRow, ...]:
        """Every installed extender, enabled or not."""
        return tuple(guest.row() for guest in self._guests)

    def faults(self, name: str) -> tuple[Fault, ...]:
        """The last faults of one guest, oldest first. Raises LocalError for a name that is not installed."""
        return tuple(self._named(name).faults.kept)

    def instance(self, name: str) -> Any:
        """The running IExtender of this name, None while it does not run."""
        return self._named(name).instance

    def guest_host(self, name: str) -> Any:
        """The IExtenderHost that this guest has, None while it does not run."""
        return self._named(name).host

    def _named(self, name: str) -> Guest:
        for guest in self._guests:
            if guest.name == name:
                return guest
        raise LocalError(f"no extender {name!r} is installed")

    def _guest_changed(self, guest: Guest) -> None:
        """It began or ceased to run: peers are told of the new list, and a new guest of the peers that are there."""
        self._landlord.extenders_changed()
        for peer, session in list(self._sessions.items()):
            if not guest.running:
                break
            if guest.registration.uuid in session.peer_extenders:
                meet(guest, peer, session, listed=True)

    def _each(self, ends: list[Deferred[None]]) -> Deferred[None]:
        return DeferredList(ends).addCallback(lambda _: None)


def _space(row: Registration, spaces: Mapping[UUID, MemoryStore]) -> MemoryStore:
    kept = None if row.uuid is None else spaces.get(row.uuid)
    return MemoryStore() if kept is None else kept
