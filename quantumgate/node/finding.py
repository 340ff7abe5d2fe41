"""Look-ups as the node has them: a bare UUID that is dialled, a question of the operator or of a guest, and this node
as a keeper.

Joins the look-ups (``lookups.py``) and the keeper (``keeping.py``) with book, gateways and records. There only where
``[discovery]`` asks for it. Not for: any of those. Spec: docs/spec/discovery.md, 8 and 9.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Protocol
from uuid import UUID

from twisted.internet.defer import Deferred, DeferredList, fail

from quantumgate.control.find_reports import FindReport, ProviderReport, ProvidersReport
from quantumgate.core.discovery.book import Book
from quantumgate.core.discovery.positions import Charts, Located, placed
from quantumgate.core.discovery.search import Search
from quantumgate.core.peer_records import KnownRecord
from quantumgate.core.places import bare_address
from quantumgate.core.relay.path import Gateway
from quantumgate.errors import ConnectFailed, LocalError
from quantumgate.ids import PeerUUID, host_text
from quantumgate.node.dialling import Target
from quantumgate.node.given_records import GivenRecords
from quantumgate.node.keeping import Keeping
from quantumgate.node.lookups import NO_PROVIDER, LookUps
from quantumgate.node.world import World
from quantumgate.wire.record_text import as_text

FOUND_BY_LOOKUP = "a look-up"
"""As a source of records: whoever had it, its owner had signed it."""


class Finding:
    """One node's. ``keeping`` is None where it keeps nothing for others."""

    def __init__(
        self, world: World, lookups: LookUps, keeping: Keeping | None, book: Book, given: GivenRecords,
    ) -> None:
        self._world, self.lookups, self.keeping, self._book, self._given = world, lookups, keeping, book, given

    def start(self) -> None:
        """With the node."""
        self.lookups.start()
        if self.keeping is not None:
            self.keeping.start()

    def stop(self) -> None:
        """With the node."""
        self.lookups.stop()
        if self.keeping is not None:
            self.keeping.stop()

    def look_up(self, target: Target) -> Deferred[Target]:
        """What to dial for a bare UUID. Fails with ConnectFailed, which says how much it was looked for."""
        if target.uuid is None:
            return fail(ConnectFailed("no-address", "only a UUID can be looked for"))
        uuid = target.uuid
        searching = self.lookups.find(uuid).addCallback(lambda search: self._record(uuid, search))
        return searching.addCallback(self._with_anchors).addCallback(self._dialled, target)

    def _record(self, uuid: PeerUUID, search: Search) -> KnownRecord:
        known = search.records.get(uuid)
        if known is None:
            raise self.lookups.why(uuid, search)
        self._book.add(known, FOUND_BY_LOOKUP, self._world.wall_seconds())
        return known

    def _with_anchors(self, known: KnownRecord) -> Any:
        """(It, records of its anchors): those that nothing here knows are looked for, too, where it has no endpoint."""
        missing = [one.uuid for one in known.record.via if self._book.record(one.uuid) is None]
        if known.record.endpoints or not missing:
            return known, ()
        asking = DeferredList([self.lookups.find(uuid) for uuid in missing], consumeErrors=True)
        return asking.addCallback(lambda results: (known, _records_of(missing, results)))

    def _dialled(self, found: tuple[KnownRecord, tuple[KnownRecord, ...]], target: Target) -> Target:
        known, anchors = found
        if target.fingerprint not in (None, known.identity.fingerprint):
            raise ConnectFailed("pin", "the record that was found is of another key with the same UUID",
                                advice="ask its owner in person which fingerprint is right")
        of_book = (self._book.record(one.uuid) for one in known.record.via)
        others = (*anchors, *(one for one in of_book if one is not None))
        return replace(self._given.by_record(known, others, target.route), address=target.address)

    def report(self, uuid: PeerUUID) -> Deferred[FindReport]:
        """What a search for this peer comes to; nobody is dialled but those who are asked."""
        began = self._world.now()

        def over(search: Search) -> FindReport:
            known = search.records.get(uuid)
            if known is not None:
                self._book.add(known, FOUND_BY_LOOKUP, self._world.wall_seconds())
            return FindReport(
                uuid=str(uuid), found=known is not None, end=search.end.value, asked=search.questions,
                answered=search.answers, seconds=round(self._world.now() - began, 3),
                endpoints=[] if known is None else [host_text(one.host, one.port) for one in known.record.endpoints],
                anchors=[] if known is None else [str(one.uuid) for one in known.record.via],
                record="" if known is None else as_text(known.signed.encode()),
                advice="" if known is not None else self.lookups.why(uuid, search).advice,
            )

        return self.lookups.find(uuid).addCallback(over)

    def providers(self, extender: UUID) -> Deferred[ProvidersReport]:
        """What a search for peers that run this extender comes to. They stay out of the book: nobody named them."""
        began = self._world.now()

        def over(search: Search) -> ProvidersReport:
            drawn = self.lookups.drawn(search)
            return ProvidersReport(
                extender=str(extender), found=bool(drawn), end=search.end.value, asked=search.questions,
                answered=search.answers, seconds=round(self._world.now() - began, 3),
                providers=[_provider(known, self._world.wall_seconds()) for known in drawn],
                advice="" if drawn else self.lookups.advice(search, NO_PROVIDER),
            )

        return self.lookups.find_providers(extender).addCallback(over)


def _provider(known: KnownRecord, wall_seconds: float) -> ProviderReport:
    record = known.record
    return ProviderReport(
        uuid=str(known.identity.uuid), age_seconds=round(max(0.0, wall_seconds - record.seq_ms / 1000), 3),
        endpoints=[host_text(one.host, one.port) for one in record.endpoints],
        anchors=[str(one.uuid) for one in record.via], record=as_text(known.signed.encode()),
    )


def _records_of(uuids: list[PeerUUID], results: list[tuple[bool, Any]]) -> tuple[KnownRecord, ...]:
    found = (search.records.get(uuid) for uuid, (good, search) in zip(uuids, results, strict=True) if good)
    return tuple(one for one in found if one is not None)


def keepers_known(
    book: Book, gateways: Callable[[], Iterable[Gateway]], charts: Charts, own: PeerUUID
) -> Callable[[int], list[Located]]:
    """Nodes that may keep records: relays of the book, and gateways; each at its first address."""
    def known(day: int) -> list[Located]:
        relays = (charts.locate(one.known, day) for one in book if one.known.record.relay and not one.two_faced)
        found = {one.uuid: one for one in relays if one is not None}
        for gateway in gateways():
            host, port = gateway.hosts[0]
            address = bare_address(host.strip("[]"))
            if address is not None:
                chart = charts.chart(day)
                found.setdefault(gateway.uuid, placed(chart, gateway.uuid, gateway.fingerprint, str(address), port))
        found.pop(own, None)
        return list(found.values())

    return known


class Discovering(Protocol):
    """The part of ``discovery.Discovery`` that has look-ups, where there are any."""

    finding: Finding | None


def find_report(discovery: Discovering | None, uuid: UUID) -> Deferred[FindReport]:
    """What a node finds. Fails with LocalError where it looks for nobody."""
    if discovery is None or discovery.finding is None:
        return fail(_asks_nobody())
    return discovery.finding.report(PeerUUID(uuid))


def providers_report(discovery: Discovering | None, extender: UUID) -> Deferred[ProvidersReport]:
    """Peers that run an extender. Fails with LocalError where this node asks nobody."""
    if discovery is None or discovery.finding is None:
        return fail(_asks_nobody())
    return discovery.finding.providers(extender)


def _asks_nobody() -> LocalError:
    return LocalError("this node asks no relays where peers are", advice="it needs discovery.exchange = true, "
                      "discovery.lookup = true and privacy.hops = 0")
