"""Calls that a node makes by itself: connections that it wants to have, and short ones to see who is there.

Only to peers that the rules admit, and directly: a node that dials through relays makes none. Not for: whom to call
(``core/discovery/strategy.py``), or peers that an operator wants connected (``keeper.py``). Spec:
docs/spec/discovery.md section 4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from quantumgate import logs
from quantumgate.core.budget import TokenBucket
from quantumgate.core.discovery.book import Book
from quantumgate.core.discovery.strategy import Aim, Call, Standing, Strategy, anchors_of
from quantumgate.core.peer_records import KnownRecord
from quantumgate.core.places import BY_NAME, group_of
from quantumgate.errors import ConnectFailed, LimitError, QuantumGateError
from quantumgate.ids import PeerUUID
from quantumgate.node.contact import Contact
from quantumgate.node.dialling import Target
from quantumgate.node.world import World
from quantumgate.wire.codes import CloseCode

CALLS_AT_ONCE = 4
CALL_RATE = (1.0, 24)
"""(a second, burst): who fills our book with places that refuse at once must not have them called as fast as that."""

REFUSED_SECONDS = 3600.0
"""Who does not admit us is called again after this time."""

REFUSALS_KEPT = 1024
_log = logs.named("discovery")


class Connected(Protocol):
    """The part of ``peers.PeerTable`` that is asked who is connected."""

    def current(self, uuid: PeerUUID) -> Any: ...


class Outbound:
    """One node's. ``dial(target, keep=)`` makes a direct session; ``target_of`` makes a record into what is dialled."""

    def __init__(
        self, world: World, book: Book, table: Connected, dial: Callable[..., Deferred[Contact]],
        target_of: Callable[[KnownRecord], Target], named: Callable[[PeerUUID], bool],
    ) -> None:
        self._world, self._book, self._table, self._dial = world, book, table, dial
        self._target_of, self._named = target_of, named
        self._calls: dict[PeerUUID, Deferred[Any]] = {}
        self._refused: dict[PeerUUID, float] = {}
        self._standing: dict[PeerUUID, tuple[Contact, Standing]] = {}
        self._wanted: dict[PeerUUID, Standing] = {}
        self._first: list[PeerUUID] = []
        self._let_go: set[PeerUUID] = set()
        self._pace = TokenBucket(*CALL_RATE, world.now())
        self._stopped = False
        self.strategy: Strategy

    @property
    def standing(self) -> list[Standing]:
        """The connections that were made so and are there."""
        return [standing for _, standing in self._standing.values()]

    @property
    def anchors(self) -> tuple[Standing, ...]:
        """Those to make first after the next start."""
        return anchors_of(self.standing)

    def begin(self, first: Iterable[PeerUUID]) -> None:
        """After a start, with these before all others."""
        self._first = list(first)
        self.turn()

    def heard(self, news: Iterable[PeerUUID]) -> None:
        """Records came that are news."""
        if any(map(self.strategy.may_call, news)):
            self.strategy.look_again()
            self.turn()

    def let_go(self, uuid: PeerUUID) -> None:
        """Ended by hand: it is not called by itself any more."""
        self._let_go.add(uuid)

    def take_back(self, uuid: PeerUUID) -> None:
        """Dialled by hand: whatever was said before."""
        self._let_go.discard(uuid)

    def stop(self) -> None:
        """The node goes down."""
        self._stopped = True
        for call in list(self._calls.values()):
            call.cancel()

    def turn(self) -> None:
        """Leaves whose time is over, if nobody uses it, and makes the calls that are due."""
        for over in self.strategy.to_leave(self.standing, self._world.wall_seconds()):
            contact = self._standing[over.uuid][0]
            if not contact.session.in_use:
                contact.session.keep = False
                contact.close(CloseCode.BYE)
        while not self._stopped and len(self._calls) < CALLS_AT_ONCE and self._pace.has(self._world.now()):
            wall = self._world.wall_seconds()
            there = [*self.standing, *self._wanted.values()]
            call = self._anchor() or self.strategy.next_call(there, self._busy, wall)
            if call is None:
                return
            self._make(call, wall)

    def _anchor(self) -> Call | None:
        while self._first:
            uuid = self._first.pop(0)
            entry = self._book.entry(uuid)
            if entry is not None and entry.callable_at and not self._busy(uuid) and self.strategy.may_call(uuid):
                return Call(entry.as_called, Aim.CONNECTION)
        return None

    def against(self, uuid: PeerUUID) -> str:
        """Why it is not called just now, "" = it is, when it is its turn."""
        entry = self._book.entry(uuid)
        if uuid in self._let_go:
            return "it was disconnected by hand"
        if self._table.current(uuid) is not None:
            return "it is connected"
        if uuid in self._calls:
            return "it is being called"
        if self._refused.get(uuid, 0.0) > self._world.now():
            return "it does not admit this node"
        resting = entry is not None and self.strategy.resting(entry, self._world.wall_seconds())
        return "it was called a short while ago" if resting else ""

    def _busy(self, uuid: PeerUUID) -> bool:
        if uuid in self._let_go or self._refused.get(uuid, 0.0) > self._world.now():
            return True
        return uuid in self._calls or self._table.current(uuid) is not None

    def _make(self, call: Call, wall: float) -> None:
        uuid = call.known.identity.uuid
        self._pace.take(self._world.now())
        if call.aim is Aim.CONNECTION:
            self._wanted[uuid] = self._standing_of(call.known, wall)
        self._book.tried(uuid, wall)
        _log.debug("{peer} is called {aim}", peer=logs.peer(uuid), aim=call.aim.value)
        self._calls[uuid] = dialling = self._dial(self._target_of(call.known), keep=False)
        dialling.addCallbacks(partial(self._reached, call), partial(self._failed, call))
        dialling.addBoth(lambda _: self._over(uuid))

    def _standing_of(self, known: KnownRecord, wall: float) -> Standing:
        uuid = known.identity.uuid
        entry = self._book.entry(uuid)
        groups = self._book.groups_called(known)
        suggested = entry is not None and self.strategy.suggested(entry, wall)
        named = self._named(uuid)
        until = self.strategy.until(wall, named=named)
        return Standing(uuid, groups, wall, named=named, suggested=suggested, until=until)

    def _over(self, uuid: PeerUUID) -> None:
        self._calls.pop(uuid, None)
        self._wanted.pop(uuid, None)
        self._world.clock.callLater(0, self.turn)

    def _reached(self, call: Call, contact: Contact) -> None:
        """``arrived`` told the book. A contact that was there before, or that somebody uses by now, is not ours."""
        uuid = call.known.identity.uuid
        if call.aim is not Aim.CONNECTION:
            if contact.outbound and not contact.session.keep and not contact.session.in_use:
                contact.close(CloseCode.BYE)
            return
        contact.session.keep = True
        self._standing[uuid] = contact, self._wanted[uuid]
        contact.ended().addCallback(lambda _: self._ended(uuid, contact))

    def _ended(self, uuid: PeerUUID, contact: Contact) -> None:
        if uuid in self._standing and self._standing[uuid][0] is contact:
            del self._standing[uuid]
            self.strategy.look_again()

    def _answered_at(self, uuid: PeerUUID) -> str:
        """Where somebody answered who did not let us in, as far as there is one place only where it can have been."""
        entry = self._book.entry(uuid)
        hosts = [] if entry is None else [one.host for one in entry.callable_at]
        return hosts[0] if len(set(map(group_of, hosts))) == 1 else BY_NAME

    def _failed(self, call: Call, failure: Failure) -> None:
        """Who answers and does not admit us is there: nobody but it could have said so."""
        uuid, wall, error = call.known.identity.uuid, self._world.wall_seconds(), failure.value
        if self._stopped:
            return
        if isinstance(error, ConnectFailed) and error.reason == "access-denied":
            self._book.succeeded(uuid, wall, self._answered_at(uuid))
            self._refused[uuid] = self._world.now() + REFUSED_SECONDS
            if len(self._refused) > REFUSALS_KEPT:
                del self._refused[next(iter(self._refused))]
        elif isinstance(error, LimitError):
            _log.debug("{peer} was not called: {why}", peer=logs.peer(uuid), why=str(error))  # for want of room here
        elif isinstance(error, QuantumGateError):
            self._book.failed(uuid, wall)
        else:
            _log.failure("a mistake in a call", failure=failure)
