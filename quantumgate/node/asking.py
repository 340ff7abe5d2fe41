"""Questions to keepers: a nameless session with each, as long as there is something to ask, and the answers.

A keeper learns our address and what we ask, never who we are. It is dialled at the one address by which it stands where
it stands, so that nobody is near anything who is not there. Not for: whom to ask (``lookups.py``), or answering others
(``keeping.py``). Spec: docs/spec/discovery.md section 8.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail, inlineCallbacks
from twisted.python.failure import Failure

from quantumgate.core.discovery.positions import Located
from quantumgate.errors import ConnectFailed
from quantumgate.ids import PeerUUID, host_text
from quantumgate.node.contact import Contact
from quantumgate.node.dialling import Target, ways_to
from quantumgate.node.world import World
from quantumgate.wire import directory_frames as frames
from quantumgate.wire.codes import CloseCode
from quantumgate.wire.features import DIRECTORY
from quantumgate.wire.limits import Limits

LINGER_SECONDS = 20.0
"""A session stays so long after its last question: whom we asked is often who will keep our record."""


class Asking:
    """One node's. ``dial(target)`` makes a nameless session with a relay."""

    def __init__(self, world: World, limits: Limits, dial: Callable[[Target], Deferred[Contact]]) -> None:
        self._world, self._limits, self._dial = world, limits, dial
        self._sessions: dict[PeerUUID, Contact] = {}
        self._waiting: dict[Contact, dict[int, Deferred[Any]]] = {}
        self._last: dict[Contact, int] = {}
        self._number = 0
        self._stopped = False

    def find(self, node: Located, day: int, key: bytes) -> Deferred[frames.Found]:
        """What it keeps under this key, unread. Fails with ConnectFailed."""
        return self._ask(node, frames.FIND, lambda number: frames.Find(number, day, key).encode())

    def leave(
        self, node: Located, day: int, kind: frames.Kind, key: bytes, record: bytes
    ) -> Deferred[frames.LeftAnswer]:
        """A record with it, and what it says to that. Fails with ConnectFailed."""
        return self._ask(
            node, frames.LEAVE, lambda number: frames.Leave(number, day, kind, key, record).encode(), long=True
        )

    def answered(self, contact: Contact, answer: frames.Found | frames.LeftAnswer) -> None:
        """FOUND or LEFT. One that nobody waits for is a violation: it was asked for by its number."""
        waiting = self._waiting.get(contact, {}).pop(answer.number, None)
        if waiting is not None:
            waiting.callback(answer)
        elif answer.number > self._number or not contact.outbound:
            contact.close(CloseCode.VIOLATION, "an answer that nobody asked for", graceful=False)

    @inlineCallbacks
    def _ask(self, node: Located, kind: int, question: Callable[[int], bytes], *, long: bool = False) -> Any:
        contact: Contact = yield self._session(node)
        self._number += 1
        number = self._number
        waiting: Deferred[Any] = Deferred()
        self._waiting[contact][number] = waiting
        self._last[contact] = number
        contact.say(kind, question(number), long=long)
        waiting.addTimeout(self._limits.question_seconds, self._world.clock, _silent)
        try:
            answer = yield waiting
        finally:
            self._waiting.get(contact, {}).pop(number, None)
            self._world.clock.callLater(LINGER_SECONDS, self._close_idle, contact, number)
        return answer

    @inlineCallbacks
    def _session(self, node: Located) -> Any:
        """The one that stands, or a new one."""
        if self._stopped:
            raise ConnectFailed("cancelled", "the node stops")
        standing = self._sessions.get(node.uuid)
        if standing is not None and standing.stands:
            return standing
        contact: Contact = yield self._dial(self._target(node))
        if DIRECTORY not in contact.session.agreed:
            contact.close(CloseCode.BYE)
            raise ConnectFailed("no-directory", f"{node.uuid} keeps no records for others")
        self._sessions[node.uuid] = contact
        if contact not in self._waiting:
            self._waiting[contact] = {}
            contact.ended().addCallback(lambda _: self._ended(node.uuid, contact))
        return contact

    def _target(self, node: Located) -> Target:
        hosts = ((f"[{node.host}]" if ":" in node.host else node.host, node.port),)
        name = f"keeper:{node.uuid}@{host_text(node.host, node.port)}"
        return Target(name, node.uuid, node.fingerprint, ways_to(self._world, hosts), hosts, asks=True)

    def _ended(self, uuid: PeerUUID, contact: Contact) -> None:
        if self._sessions.get(uuid) is contact:
            del self._sessions[uuid]
        self._last.pop(contact, None)
        for waiting in self._waiting.pop(contact, {}).values():
            waiting.errback(ConnectFailed("lost", "the session ended before the answer came"))

    def _close_idle(self, contact: Contact, number: int) -> None:
        """Unless something was asked since."""
        if self._last.get(contact) == number:
            contact.close(CloseCode.BYE)

    def stop(self) -> None:
        """The node stops; it closes the sessions itself."""
        self._stopped = True


def _silent(result: Any, seconds: float) -> Any:
    if isinstance(result, Failure):
        return fail(ConnectFailed("no-answer", f"a keeper did not answer within {seconds:g} s"))
    return result
