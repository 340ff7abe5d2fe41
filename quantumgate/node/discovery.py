"""Finding peers: the book, exchange with whom is connected, and calls; there only where ``[discovery]`` asks for it.

One turn every few seconds looks what is due. Not for: any of the parts (``exchanging.py``, ``outbound.py``,
``core/discovery``), the local network (``lan.py``), or records that an operator gives (``given_records.py``). Spec:
docs/spec/discovery.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

from twisted.python.failure import Failure

from quantumgate import logs
from quantumgate.control.book_reports import BookEntryReport, BookReport
from quantumgate.core.discovery.book import Book
from quantumgate.core.discovery.entries import Entry
from quantumgate.core.peer_records import KnownRecord
from quantumgate.errors import ConnectFailed, LocalError
from quantumgate.ids import PeerUUID, host_text
from quantumgate.node.contact import Contact
from quantumgate.node.dialling import Target
from quantumgate.node.exchanging import Exchanging
from quantumgate.node.finding import Finding
from quantumgate.node.given_records import GivenRecords
from quantumgate.node.outbound import Outbound
from quantumgate.node.state import State
from quantumgate.node.world import World
from quantumgate.store.tables import BOOK, Key, Row, Rows

TURN_SECONDS = 5.0
KEEP_SECONDS = 30.0
"""What changed in the book is saved so often."""

EXPIRE_SECONDS = 600.0
_log = logs.named("discovery")


class Discovery:
    """One node's."""

    def __init__(
        self, world: World, state: State, book: Book, exchanging: Exchanging, outbound: Outbound | None,
        given: GivenRecords, why_not: Callable[[PeerUUID], str],
    ) -> None:
        self._world, self._state, self.book = world, state, book
        self.exchanging, self.outbound, self._given, self._why_not = exchanging, outbound, given, why_not
        self.finding: Finding | None = None
        self._timer: Any = None
        self._stopped = False
        self._keep_at = self._expire_at = 0.0
        if outbound is not None:
            exchanging.learned = outbound.heard

    # -- life ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """With what was kept; those who stood longest are called first."""
        now = self._world.now()
        self._keep_at, self._expire_at = now + KEEP_SECONDS, now + EXPIRE_SECONDS
        self._timer = self._world.clock.callLater(TURN_SECONDS, self._turn)
        kept = self._state.store.load(BOOK).addCallbacks(self._restore, self._nothing_kept)
        kept.addCallback(lambda _: self._begin())

    def _restore(self, rows: Rows) -> None:
        self.book.restore([(uuid.bytes, *row) for (uuid,), row in rows.items()], self._world.wall_seconds())

    def _nothing_kept(self, failure: Failure) -> None:
        _log.error("the address book is not as it was: {why}", why=failure.getErrorMessage())

    def _begin(self) -> None:
        if self.finding is not None and not self._stopped:
            self.finding.start()
        if self.outbound is not None and not self._stopped:
            self.outbound.begin(sorted(self._state.firsts, key=self._state.firsts.__getitem__))

    def stop(self) -> None:
        """Nothing is called any more; what is known is put where it will be saved with the rest."""
        self._stopped = True
        if self.finding is not None:
            self.finding.stop()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._keep()
        if self.outbound is not None:
            self.outbound.stop()

    def _turn(self) -> None:
        now = self._world.now()
        self._timer = self._world.clock.callLater(TURN_SECONDS, self._turn)
        self.exchanging.turn()
        if now >= self._expire_at:
            self._expire_at = now + EXPIRE_SECONDS
            self.book.expire(self._world.wall_seconds())
        if now >= self._keep_at:
            self._keep_at = now + KEEP_SECONDS
            self._keep()
        self._call()

    def _call(self) -> None:
        if self.outbound is not None:
            self.outbound.turn()

    def _keep(self) -> None:
        changed, removed = self.book.changes()
        rows: dict[Key, Row | None] = {(UUID(bytes=uuid),): None for uuid in removed}
        self._state.store.put(BOOK, rows | {(UUID(bytes=row[0]),): row[1:] for row in changed})
        if self.outbound is not None and self.outbound.standing:
            self._state.firsts = {one.uuid: int(one.since) for one in self.outbound.anchors}
        self._state.save_in_background()

    # -- what others ask -----------------------------------------------------------------------------------------

    def arrived(self, contact: Contact) -> None:
        """A session with a peer stands."""
        if contact.outbound and contact.path is None and contact.session.peer is not None:
            host = "" if contact.address is None else str(contact.address)
            self.book.succeeded(contact.session.peer.uuid, self._world.wall_seconds(), host)
        self.exchanging.arrived(contact)

    def serial_of(self, uuid: PeerUUID) -> int:
        """Of the delegation by which the record in the book is signed; 0 = none is there."""
        entry = self.book.entry(uuid)
        return 0 if entry is None or entry.known.delegation is None else entry.known.delegation.serial

    def found(self, target: Target) -> Target:
        """A bare UUID with what its record says; beside addresses that were given its record is another way."""
        if target.uuid is None or target.anchors or target.otherwise is not None:
            return target
        entry = self.book.entry(target.uuid)
        if entry is None or target.fingerprint not in (None, entry.known.identity.fingerprint):
            return target
        known = entry.as_called
        try:
            by_record = self._given.by_record(known, self._anchors_of(known), target.route)
        except ConnectFailed:
            return target
        if not target.ways:
            return replace(by_record, address=target.address)
        return target if by_record.hosts == target.hosts else replace(target, otherwise=by_record)

    def _anchors_of(self, known: KnownRecord) -> list[KnownRecord]:
        found = (self.book.entry(one.uuid) for one in known.record.via)
        return [one.as_called for one in found if one is not None]

    def let_go(self, uuid: PeerUUID) -> None:
        """Ended by hand."""
        if self.outbound is not None:
            self.outbound.let_go(uuid)

    def take_back(self, uuid: PeerUUID) -> None:
        """Dialled by hand."""
        if self.outbound is not None:
            self.outbound.take_back(uuid)

    # -- for operators -------------------------------------------------------------------------------------------

    def report(self) -> BookReport:
        """What is known, in numbers, and the connections that this node made by itself."""
        book, standing = self.book, self.outbound.standing if self.outbound is not None else []
        entries = list(book)
        return BookReport(
            enabled=True, known=len(book), tried=book.tried_count, named=sum(one.place is None for one in entries),
            public=sum(one.known.record.public for one in entries), groups=len(book.groups()),
            bytes_held=book.bytes_held, exchanging=len(self.exchanging), outcomes=dict(self.exchanging.outcomes),
            connections=[str(one.uuid) for one in standing],
            peers=[str(one.uuid) for one in sorted(entries, key=lambda one: -one.succeeded_at)],
        )

    def entry_report(self, uuid: PeerUUID) -> BookEntryReport:
        """One peer. Raises LocalError where nothing is known of it."""
        entry = self.book.entry(uuid)
        if entry is None:
            raise LocalError(f"the book knows nothing of {uuid}")
        record, wall = entry.known.record, self._world.wall_seconds()
        return BookEntryReport(
            uuid=str(uuid), endpoints=[host_text(one.host, one.port) for one in record.endpoints],
            anchors=[str(one.uuid) for one in record.via], relay=record.relay, public=record.public,
            named=entry.place is None, tried=entry.tried, made=record.seq_ms // 1000,
            not_after=record.not_after_seconds, reached=int(entry.succeeded_at), failures=entry.failures,
            source=entry.source, groups=list(entry.groups), two_faced=entry.two_faced,
            why_not_called=self._against(entry, wall),
        )

    def _against(self, entry: Entry, wall: float) -> str:
        """Why this node does not call it by itself, "" = it does, when it is its turn."""
        if self.outbound is None:
            return "this node makes no connections by itself (discovery.connections = 0, or privacy.hops)"
        if not entry.known.record.endpoints:
            return "its record names no endpoint; it can be dialled through its anchors"
        if not entry.callable_at:
            return "its record names no public address, and names or private ones are not called because of a record"
        if entry.two_faced:
            return "it signed two different records with one number"
        return self._why_not(entry.uuid) or self.outbound.against(entry.uuid)


def book_report(discovery: Discovery | None, uuid: UUID | None) -> BookReport | BookEntryReport:
    """Of a node that has this; one peer's with ``uuid``. Raises LocalError where nothing is known of it."""
    if uuid is None:
        return BookReport() if discovery is None else discovery.report()
    if discovery is None:
        raise LocalError("this node keeps no address book", advice="set discovery.exchange = true and restart")
    return discovery.entry_report(PeerUUID(uuid))
