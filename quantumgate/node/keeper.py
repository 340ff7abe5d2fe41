"""Keeps connections: those of ``[node] connect`` and those made by hand, until they are ended by hand. [A52]

A direct one is kept up whoever dials; one through relays is kept by its own circuit, and a lost one is built anew,
through other relays where it can be. Not for: one dial (``dialling.py``) or the delays' arithmetic
(``net/backoff.py``). Spec: docs/spec/liveness.md [A27].
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from quantumgate import logs
from quantumgate.control.api import DialReport
from quantumgate.errors import QuantumGateError, SessionClosed
from quantumgate.ids import PeerUUID
from quantumgate.net.backoff import Backoff
from quantumgate.node.contact import Contact
from quantumgate.node.dialling import Target
from quantumgate.node.world import World
from quantumgate.wire.limits import Limits

LASTING_SECONDS = 10
"""A session that lasted this long makes the next retry start from the first step again."""

Connect = Callable[..., Deferred[Contact]]
_log = logs.named("keeper")


class Kept:
    """One peer that is to be connected. ``uuid`` is learned at the first contact where the address has none."""

    def __init__(self, target: Target, backoff: Backoff) -> None:
        self.target = target
        self.uuid = target.uuid
        self.backoff = backoff
        self.timer: IDelayedCall | None = None
        self.dialling: Deferred[Any] | None = None
        self.error: BaseException | None = None
        self.contact: Contact | None = None

    @property
    def up(self) -> bool:
        """It is connected."""
        return self.contact is not None

    def stop(self) -> None:
        """No retry, no dial."""
        if self.timer is not None and self.timer.active():
            self.timer.cancel()
        self.timer = None
        if self.dialling is not None:
            self.dialling.cancel()


class Keeper:
    """One node's. ``connect(target, keep=True)`` is ``Circuits.reach``: directly, or as the target's route says."""

    def __init__(self, world: World, limits: Limits, connect: Connect) -> None:
        self._world, self._limits, self._connect = world, limits, connect
        self._kept: dict[str, Kept] = {}

    def keep(self, target: Target, contact: Contact | None = None) -> None:
        """From now on this peer is to be connected; ``contact`` if it is."""
        kept = self._entry(target, contact)
        if kept is None:
            backoff = Backoff(
                self._world.random,
                first_seconds=self._limits.redial_min_seconds,
                cap_seconds=self._limits.redial_max_seconds,
            )
            kept = self._kept[target.key] = Kept(target, backoff)
        if contact is None:
            self._dial(kept)
        else:
            self._came_up(kept, contact)

    def _entry(self, target: Target, contact: Contact | None) -> Kept | None:
        uuid = contact.peer.uuid if contact is not None else target.uuid
        direct = target.route.direct and uuid is not None
        return self._kept.get(target.key) or (self._of(uuid) if direct else None)

    def forget(self, uuid: PeerUUID | None = None, address: str = "") -> bool:
        """No longer. Whether there was such a peer."""
        found = [key for key, kept in self._kept.items()
                 if (uuid is not None and kept.uuid == uuid) or kept.target.address == address]
        for key in found:
            self._kept.pop(key).stop()
        return bool(found)

    def let_go(self, contact: Contact) -> bool:
        """This circuit alone is no longer kept. Whether it was."""
        found = [key for key, kept in self._kept.items() if kept.contact is contact]
        for key in found:
            self._kept.pop(key).stop()
        return bool(found)

    def _of(self, uuid: PeerUUID | None) -> Kept | None:
        return next((kept for kept in self._kept.values() if kept.uuid == uuid and kept.target.route.direct), None)

    # -- what happens --------------------------------------------------------------------------------------------

    def arrived(self, contact: Contact) -> None:
        """A session stands, whoever dialled it. One through relays is nobody's but its builder's."""
        kept = self._of(contact.peer.uuid) if contact.peer.uuid is not None and contact.path is None else None
        if kept is not None:
            self._came_up(kept, contact)

    def succeeded(self, former: Contact, contact: Contact) -> None:
        """The same peer is reached by another circuit."""
        for kept in self._kept.values():
            if kept.contact is former:
                self._came_up(kept, contact)

    def gone(self, contact: Contact, still_connected: bool, wait_seconds: float = 0.0) -> None:
        """A session is over; ``still_connected`` = another one of the same peer stands. ``wait_seconds`` = at least."""
        if contact.the_peer is None:
            return
        for kept in self._kept.values():
            if kept.up and _was_that(kept, contact) and (contact.path is not None or not still_connected):
                kept.contact, kept.error = None, SessionClosed(f"the session ended: {contact.ending}")
                if self._world.now() - contact.connected_at >= LASTING_SECONDS:
                    kept.backoff.reset()
                self._later(kept, wait_seconds)

    def retry_now(self) -> None:
        """The clock jumped or the network changed: every waiting one is dialled at once."""
        for kept in list(self._kept.values()):
            self._retry(kept)

    def retry_by_hand(self, target: Target) -> None:
        """Somebody asks for this peer now: if it is kept and waits, its delays start from the first step again."""
        kept = self._entry(target, None)
        if kept is not None:
            self._retry(kept)

    def _retry(self, kept: Kept) -> None:
        if not kept.up and kept.dialling is None:
            kept.backoff.reset()
            self._dial(kept)

    def stop(self) -> None:
        """The node goes down."""
        kept, self._kept = self._kept, {}
        for each in kept.values():
            each.stop()

    def _came_up(self, kept: Kept, contact: Contact) -> None:
        kept.uuid = contact.peer.uuid or kept.uuid
        kept.contact, kept.error = contact, None
        contact.session.keep = True
        kept.backoff.next_try = None
        if kept.timer is not None and kept.timer.active():
            kept.timer.cancel()
        kept.timer = None

    def _dial(self, kept: Kept) -> None:
        if kept.dialling is not None:
            return
        if kept.timer is not None and kept.timer.active():
            kept.timer.cancel()
        kept.timer = None
        kept.backoff.next_try = None
        kept.dialling = dialling = self._connect(kept.target, keep=True)
        dialling.addCallbacks(self._connected, self._failed, callbackArgs=(kept,), errbackArgs=(kept,))

    def _connected(self, contact: Contact, kept: Kept) -> None:
        kept.dialling = None
        if kept.target.key in self._kept:
            self._came_up(kept, contact)
        if contact.over:
            self.gone(contact, still_connected=False)

    def _failed(self, failure: Failure, kept: Kept) -> None:
        kept.dialling, kept.error = None, failure.value
        if self._kept.get(kept.target.key) is kept and not kept.up:
            self._later(kept)
            _log.info("{where} is not connected; next try in {seconds} s", where=logs.place(kept.target.address),
                      seconds=round(kept.backoff.seconds_left(self._world.now()) or 0, 1))

    def _later(self, kept: Kept, least_seconds: float = 0.0) -> None:
        delay_seconds = max(kept.backoff.failed(self._world.now()), least_seconds)
        kept.backoff.next_try = self._world.now() + delay_seconds
        kept.timer = self._world.clock.callLater(delay_seconds, self._dial, kept)

    # -- for operators -------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._kept)

    def reports(self) -> list[DialReport]:
        """Those that are not up, and why."""
        now = self._world.now()
        return [_report(kept, now) for kept in self._kept.values() if not kept.up]


def _was_that(kept: Kept, contact: Contact) -> bool:
    """Whether the contact that ended is the one that was kept; a direct one stands for all of its peer."""
    if contact.path is not None or not kept.target.route.direct:
        return kept.contact is contact
    uuid = contact.peer.uuid
    return kept.uuid == uuid if uuid is not None else kept.target.address == contact.dialled


def _report(kept: Kept, now: float) -> DialReport:
    error, retry_seconds = kept.error, kept.backoff.seconds_left(now)
    return DialReport(
        address=f"{kept.target.address}{kept.target.route}",
        phase="dialling" if kept.dialling is not None else "waiting",
        reason="no answer yet" if error is None else str(error),
        advice=error.advice if isinstance(error, QuantumGateError) else "",
        retry_seconds=retry_seconds,
    )
