"""Live peers: one announced session for each identity, whatever arrives twice; guests see ``Peer`` objects only.

The rules for two sessions of one peer [A28], simplified: another instance (process) of the same identity replaces the
old one; of two sessions between the same two instances that were dialled from both ends, the one whose dialler has the
smaller UUID stays; of two dialled from the same end the dialler's newest counts, and the listener keeps the second in
waiting until the first is gone or the second is used. A circuit's successor takes over the peer of the circuit that it
names, which stays beside it until it ends. Not for: handshakes, access. Spec: docs/spec/session.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from zope.interface import implementer

from quantumgate import logs
from quantumgate.ids import PeerUUID
from quantumgate.interfaces import IPeer
from quantumgate.wire.codes import CloseCode

_log = logs.named("peers")


@implementer(IPeer)
class Peer:
    """One live peer, as guests see it; compared by identity. Nothing in it opens a door."""

    __slots__ = ("__weakref__", "authenticated", "direction", "endpoint", "name", "path", "relayed", "uuid")

    def __init__(self, uuid: PeerUUID | None, endpoint: str, direction: str) -> None:
        self.uuid = uuid
        self.name = ""
        self.endpoint = endpoint
        self.direction = direction
        self.authenticated = uuid is not None
        self.relayed = False
        self.path: list[PeerUUID] = []

    def __repr__(self) -> str:
        return f"<Peer {logs.peer(self.uuid)} {self.direction}>"


def _is_apart(peer: Peer) -> bool:
    """Outside the rules for two sessions of one peer: the nameless, and whoever comes through relays. [A28]"""
    return peer.uuid is None or peer.relayed


class Held(Protocol):
    """A contact with a ready session, as the table needs it."""

    @property
    def peer(self) -> Peer: ...
    @property
    def session(self) -> Any: ...
    @property
    def outbound(self) -> bool: ...
    @property
    def stands(self) -> bool: ...
    @property
    def succeeds(self) -> Any: ...
    def take_over(self, peer: Any) -> None: ...
    def close(self, code: int, text: str = "", *, graceful: bool = True) -> None: ...
    def ping_urgently(self) -> None: ...


class PeerTable:
    """``announce(contact)`` and ``withdraw(contact, reason)`` tell the guests' floor; each in turn for one contact.

    ``succeed(former, contact)`` = the same peer is reached by another contact.
    """

    def __init__(
        self,
        own: PeerUUID,
        *,
        announce: Callable[[Any], object],
        withdraw: Callable[[Any, str], object],
        succeed: Callable[[Any, Any], object],
        sessions_per_identity: int,
    ) -> None:
        self._own = own
        self._announce = announce
        self._withdraw = withdraw
        self._succeed = succeed
        self._per_identity = sessions_per_identity
        self._current: dict[PeerUUID, Any] = {}
        self._waiting: dict[PeerUUID, list[Any]] = {}
        self._apart: dict[int, Any] = {}
        self._former: dict[int, list[Any]] = {}

    def __iter__(self) -> Iterator[Any]:
        """Announced contacts, the nameless and the relayed ones last."""
        return iter([*self._current.values(), *self._apart.values()])

    def __len__(self) -> int:
        return len(self._current) + len(self._apart)

    @property
    def sessions(self) -> int:
        """All sessions, those in waiting included: what the limit counts."""
        count = len(self)
        for beside in (self._waiting, self._former):
            if beside:
                count += sum(map(len, beside.values()))
        return count

    def current(self, uuid: PeerUUID) -> Any:
        """The announced contact of this peer, or None."""
        return self._current.get(uuid)

    def contact_of(self, peer: Any) -> Any:
        """The announced contact whose Peer this is, or None."""
        contact = self._apart.get(id(peer)) if _is_apart(peer) else self._current.get(peer.uuid)
        return contact if contact is not None and contact.peer is peer else None

    def all_of(self, uuid: PeerUUID) -> list[Any]:
        """Every contact with this peer, announced or in waiting."""
        current = self._current.get(uuid)
        relayed = [one for one in self._apart.values() if one.peer.uuid == uuid]
        former = [one for contact in relayed for one in self.former_of(contact)]
        return ([current] if current is not None else []) + list(self._waiting.get(uuid, ())) + relayed + former

    def former_of(self, contact: Any) -> list[Any]:
        """Circuits to the same peer that this one has succeeded, and that have not ended yet."""
        return list(self._former.get(id(contact.peer), ()))

    # -- arrivals ------------------------------------------------------------------------------------------------

    def arrived(self, contact: Held) -> Any:
        """A new session. Returns the contact that stands for this peer now: this one, or the one that was there."""
        former = self._succeeded_by(contact)
        if former is not None:
            contact.take_over(former.peer)
            self._former.setdefault(id(former.peer), []).append(former)
            return self._pass_on(former, contact)
        uuid = contact.peer.uuid
        if uuid is None or _is_apart(contact.peer):
            self._apart[id(contact.peer)] = contact
            self._announce(contact)
            return contact
        old = self._current.get(uuid)
        if old is None:
            return self._install(uuid, contact)
        code = self._code_for_old(old, contact, uuid)
        if code is not None:
            return self._replace(uuid, old, contact, code)
        old.ping_urgently()
        if old.outbound == contact.outbound:
            self._keep_waiting(uuid, contact)
        else:
            contact.close(CloseCode.DUPLICATE)
        return old

    def _succeeded_by(self, contact: Any) -> Any:
        """The circuit whose place this new one takes: the one that it was built for, or, at the other end, names."""
        if contact.path is None:
            return None
        if contact.succeeds is not None:
            return contact.succeeds if self.contact_of(contact.succeeds.peer) is contact.succeeds else None
        named, identity = contact.session.peer_block.replaces, contact.session.peer
        if contact.outbound or not named or identity is None:
            return None
        return next((one for one in self._apart.values() if one.peer.relayed and not one.outbound and one.stands
                     and one.peer.uuid == identity.uuid and one.session.sid == named), None)

    def _pass_on(self, former: Any, contact: Any) -> Any:
        """Of two circuits to one peer the second is used from now on."""
        self._apart[id(contact.peer)] = contact
        self._succeed(former, contact)
        return contact

    def _code_for_old(self, old: Held, new: Held, uuid: PeerUUID) -> CloseCode | None:
        """Why the old session goes; None = the new one does not take its place."""
        then, now = old.session.peer_block, new.session.peer_block
        if now.replaces and now.replaces == old.session.sid:
            return CloseCode.REPLACED
        if now.instance != then.instance:
            _log.warn("{peer} came back as another instance; the older session is closed", peer=logs.peer(uuid))
            return CloseCode.REPLACED
        if old.outbound == new.outbound:
            return CloseCode.REPLACED if new.outbound else None
        dialler = self._own if new.outbound else uuid
        return CloseCode.DUPLICATE if dialler == min(self._own, uuid) else None

    def _install(self, uuid: PeerUUID, contact: Any) -> Any:
        self._current[uuid] = contact
        self._announce(contact)
        return contact

    def _replace(self, uuid: PeerUUID, old: Any, new: Any, code: CloseCode) -> Any:
        del self._current[uuid]
        self._withdraw(old, "replaced by a newer session" if code is CloseCode.REPLACED else "duplicate session")
        self._install(uuid, new)
        old.close(code)
        return new

    def _keep_waiting(self, uuid: PeerUUID, contact: Any) -> None:
        waiting = self._waiting.setdefault(uuid, [])
        waiting.append(contact)
        if len(waiting) >= self._per_identity:
            waiting.pop(0).close(CloseCode.TOO_MANY_SESSIONS)

    # -- afterwards ----------------------------------------------------------------------------------------------

    def used(self, contact: Held) -> bool:
        """The peer opened a channel on this one. Whether it is (now) the announced one."""
        uuid = contact.peer.uuid
        if uuid is None or _is_apart(contact.peer):
            return id(contact.peer) in self._apart
        if self._current.get(uuid) is contact:
            return True
        if not self._stop_waiting(uuid, contact):
            return False
        self._replace(uuid, self._current[uuid], contact, CloseCode.REPLACED)
        return True

    def gone(self, contact: Held, reason: str) -> None:
        """Its session is over. A waiting one of the same peer takes its place."""
        uuid = contact.peer.uuid
        if uuid is None or _is_apart(contact.peer):
            self._gone_apart(contact, reason)
        elif self._current.get(uuid) is contact:
            del self._current[uuid]
            self._withdraw(contact, reason)
            waiting = self._waiting.get(uuid)
            if waiting:
                successor = waiting[-1]
                self._stop_waiting(uuid, successor)
                self._install(uuid, successor)
        else:
            self._stop_waiting(uuid, contact)

    def _gone_apart(self, contact: Held, reason: str) -> None:
        """A circuit whose successor is lost while it still stands is used again."""
        key = id(contact.peer)
        former = [one for one in self._former.pop(key, ()) if one is not contact]
        current = self._apart.get(key)
        if current is not contact:
            if former:
                self._former[key] = former
            return
        standing = [one for one in former if one.stands]
        if not standing:
            del self._apart[key]
            self._withdraw(contact, reason)
            return
        heir = standing.pop()
        if standing:
            self._former[key] = standing
        heir.take_over(contact.peer)
        self._pass_on(contact, heir)

    def _stop_waiting(self, uuid: PeerUUID, contact: Any) -> bool:
        waiting = self._waiting.get(uuid, [])
        if contact not in waiting:
            return False
        waiting.remove(contact)
        if not waiting:
            del self._waiting[uuid]
        return True
