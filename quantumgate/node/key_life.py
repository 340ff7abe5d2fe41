"""How long online keys are good: our own is watched and told of, and sessions end with the delegations they stand on.

Not for: whether a delegation is good when a session begins (``core/handshake``). Spec: docs/spec/identity.md, 7. [A16]
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from quantumgate import logs
from quantumgate.core.delegations import own_delegation
from quantumgate.crypto.identity import Identity
from quantumgate.node.contact import Contact
from quantumgate.node.data_directory import ROTATE
from quantumgate.node.world import World
from quantumgate.wire.codes import CloseCode
from quantumgate.wire.limits import EXPIRY_DRAIN_SECONDS, VALIDITY_SLACK_SECONDS

WARN_SECONDS = 14 * 86_400
"""So long before our own key runs out it is said, in the log once a day and in the status."""

DAY_SECONDS = 86_400
LOOK_SECONDS = 1.0
"""Between two looks whether a session whose time is up still has channels."""

RUN_OUT, REPLACED = "an online key has run out", "an online key was replaced"

_log = logs.named("identity")


class KeyLife:
    """One node's. ``ends_at`` is the unix time at which our own online key runs out, None = the root signs."""

    def __init__(self, identity: Identity, world: World) -> None:
        self._world = world
        self.ends_at = _end_of(identity)
        self._timers: dict[Contact, Any] = {}
        self._warning: Any = None

    def sign_as(self, identity: Identity) -> None:
        """Another key of ours signs from now on. Sessions that stand end with the key that they began with."""
        self.ends_at = _end_of(identity)
        if self._warning is not None and self._warning.active():
            self._warning.cancel()
        self.start()

    # -- our own -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Looks now and every day."""
        if self.ends_at is not None:
            text, _ = self.warning()
            if text:
                _log.warn("{text}", text=text)
            self._warning = self._world.clock.callLater(DAY_SECONDS, self.start)

    def stop(self) -> None:
        """The node stops."""
        if self._warning is not None and self._warning.active():
            self._warning.cancel()
        for contact in list(self._timers):
            self._forget(contact)

    @property
    def seconds_left(self) -> float | None:
        """None = our root signs, and nothing runs out."""
        return None if self.ends_at is None else self.ends_at - self._world.wall_seconds()

    def warning(self) -> tuple[str, str]:
        """(what is to be said of our own key, advice), both empty where it is good for long."""
        left = self.seconds_left
        if left is None or left > WARN_SECONDS:
            return "", ""
        if left <= 0:
            return "the online key of this identity has run out: no peer takes it any more", ROTATE
        days = int(left // DAY_SECONDS)
        word = f"{days} day{'' if days == 1 else 's'}" if days else "less than a day"
        return f"the online key of this identity runs out in {word}", ROTATE

    # -- sessions ------------------------------------------------------------------------------------------------

    def ready(self, contact: Contact) -> None:
        """A session stands: it ends when the first of the two delegations does. Steady time counts from here on."""
        session = contact.session
        own = None if session.signer is None else _end_of(session.signer)
        ends = [] if own is None else [own]
        if session.peer_delegation is not None:
            ends.append(session.peer_delegation.not_after_seconds + VALIDITY_SLACK_SECONDS)
        if ends:
            left = max(0.0, min(ends) - self._world.wall_seconds())
            self._later(left, contact, partial(self._expired, contact, self._world.now() + left, RUN_OUT))
            contact.ended().addCallback(lambda _: self._forget(contact))

    def replaced(self, contact: Contact) -> None:
        """Our key in this session has a successor, and the peer needs something that only the successor signs."""
        self._forget(contact)
        contact.ended().addCallback(lambda _: self._forget(contact))
        self._expired(contact, self._world.now(), REPLACED)

    def _later(self, seconds: float, contact: Contact, what: Callable[[], None]) -> None:
        self._timers[contact] = self._world.clock.callLater(seconds, what)

    def _forget(self, contact: Contact) -> None:
        timer = self._timers.pop(contact, None)
        if timer is not None and timer.active():
            timer.cancel()

    def _expired(self, contact: Contact, since: float, why: str) -> None:
        """Closed as soon as no channel and no link is open, or after a minute."""
        session = contact.session
        busy = bool(session.channels) or (session.links is not None and bool(session.links.by_id))
        if busy and self._world.now() < since + EXPIRY_DRAIN_SECONDS:
            self._later(LOOK_SECONDS, contact, partial(self._expired, contact, since, why))
            return
        peer = None if session.peer is None else session.peer.uuid
        _log.info("{peer}: {why}, the session ends", peer=logs.peer(peer), why=why)
        contact.close(CloseCode.IDENTITY_EXPIRED, why)


def _end_of(identity: Identity) -> int | None:
    """The unix time at which this key of ours runs out; None = it is a root."""
    own = own_delegation(identity)
    return None if own is None else own.not_after_seconds
