"""The node as one object: start, stop, connect, ask. A Twisted service; everything that takes time is awaitable.

Not for: wiring (``assemble.py``), decisions (``desk.py`` and what it asks) or processes (``tap.py``). Contract:
docs/guide/extender-host.md and docs/guide/operating.md.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, fail, succeed
from twisted.python.failure import Failure

import quantumgate
from quantumgate import logs
from quantumgate.control.api import (
    AnchorsBrief,
    ExtenderBrief,
    ExtenderReport,
    LanReport,
    OverloadReport,
    PeerReport,
    PingReport,
    RecordReport,
    RelaysReport,
    StatusReport,
)
from quantumgate.control.book_reports import BookEntryReport, BookReport
from quantumgate.control.find_reports import FindReport, ProvidersReport
from quantumgate.errors import ConnectFailed, LocalError, QuantumGateError
from quantumgate.extender.registry import Registry
from quantumgate.extender.services import Services, checked_name, stream_address
from quantumgate.ids import NOBODY, PeerUUID
from quantumgate.net.endpoints import ServiceClientEndpoint, ServiceServerEndpoint
from quantumgate.node import dialwords, relay_reports
from quantumgate.node import status as reports
from quantumgate.node.access import Access
from quantumgate.node.announced import own_endpoints
from quantumgate.node.assemble import Parts, assemble, plan
from quantumgate.node.conduct import Conduct
from quantumgate.node.contact import Contact
from quantumgate.node.data_directory import DataDirectory
from quantumgate.node.dialling import Route, Target, parse_target, route_of
from quantumgate.node.discovery import book_report
from quantumgate.node.finding import find_report, providers_report
from quantumgate.node.given_records import is_record_text
from quantumgate.node.own_record import report_of
from quantumgate.node.pairing import Pairing
from quantumgate.node.peers import Peer
from quantumgate.node.recalling import Recalled, recall
from quantumgate.node.status import Phase
from quantumgate.node.world import World, real_world
from quantumgate.settings.places import default_data_directory
from quantumgate.settings.schema import Settings
from quantumgate.wire.codes import CloseCode

_log = logs.named("node")
_text_of = lru_cache(256)(UUID.__str__)
"""Rules name extenders by text, and each peer is judged for each of them."""


class Node(Service):
    """One node. ``Node(settings)`` checks the configuration; ``startService`` takes the data directory and listens.

    ``startService`` raises a LocalError for a directory in use, a damaged key or store, or an endpoint that cannot be
    bound; through ``when_ready`` where opening or binding takes time, as it does once the reactor runs. ``world`` and
    ``registry`` are for tests and programs that bring their own reactor or extenders.
    """

    uuid: PeerUUID = NOBODY
    streams_socket = ""
    """The path of the socket for services, set by whoever opens one (``tap.py``)."""

    def __init__(
        self,
        settings: Settings | None = None,
        data_directory: Path | str | None = None,
        *,
        file: str = "settings",
        world: World | None = None,
        registry: Registry | None = None,
    ) -> None:
        """Raises ConfigurationError, worded for ``file``. The data directory defaults to the user's own."""
        self.settings = settings or Settings()
        self._world = world or real_world()
        self._plan = plan(self.settings, file, self._world, registry)
        self.services = Services()
        path = default_data_directory() if data_directory is None else Path(data_directory).expanduser().absolute()
        self._directory = DataDirectory(path)
        self._parts: Parts | None = None
        self._life = Phase.STOPPED
        self._blocker: tuple[str, str] = ("not started", "")
        self._since = 0.0
        self._occasionally = logs.Occasionally(self._world.now)
        self._waiting_for_ready: list[Deferred[None]] = []
        self._waiting_for_stop: list[Deferred[None]] = []
        self._start_error: Failure | None = None

    # -- life ----------------------------------------------------------------------------------------------------

    def startService(self) -> None:
        """Raises LocalError where the node cannot start."""
        self._start_error = None
        self._life, self._blocker = Phase.STARTING, ("opening its store", "")
        self._directory.lock()
        super().startService()  # type: ignore[no-untyped-call]
        recalled = recall(self._plan, self._directory, self._world)
        recalled.addCallback(self._recalled).addErrback(self._could_not_recall)
        if self._start_error is not None:
            raise self._start_error.value

    def _recalled(self, recalled: Recalled) -> Deferred[None] | None:
        if self._life is not Phase.STARTING:  # stopped while the store was opened
            return recalled.state.store.close().addCallback(lambda _: self._stopped_early())
        self._blocker = ("binding its listeners", "")
        try:
            parts = self._parts = assemble(self._plan, self._directory, recalled, self._world, self)
        except BaseException:
            failure = Failure()  # type: ignore[no-untyped-call]
            return recalled.state.store.close().addCallback(lambda _: failure)
        bound = DeferredList([listener.start() for listener in parts.listeners], consumeErrors=True)
        bound.addCallback(self._bound, parts)
        return None

    def _could_not_recall(self, failure: Failure) -> None:
        stopped = self._life is not Phase.STARTING
        self._life, self._blocker = Phase.FAILED, ("its key or its store cannot be used", "")
        self._directory.unlock()
        if stopped:
            self._stopped_early()
            return
        super().stopService()  # type: ignore[no-untyped-call]
        self._fail_start(failure)

    def _stopped_early(self) -> None:
        self._directory.unlock()
        self._life, self._blocker = Phase.STOPPED, ("stopped", "")
        waiting, self._waiting_for_stop = self._waiting_for_stop, []
        for each in waiting:
            each.callback(None)

    def _fail_start(self, failure: Failure) -> None:
        self._start_error = failure
        waiting, self._waiting_for_ready = self._waiting_for_ready, []
        for each in waiting:
            each.errback(failure)

    def _bound(self, results: list[tuple[bool, Any]], parts: Parts) -> None:
        if self._parts is not parts or self._life is not Phase.STARTING:
            return  # stopped while it was binding
        failures = [result for good, result in results if not good]
        if failures:
            self._could_not_listen(failures[0], parts)
            return
        self._life, self._since = Phase.CONNECTED, self._world.now()
        if self.settings.node.relay:
            private = self.settings.relay.allow_private
            parts.connections.announce(own_endpoints(self.listening, allow_private=private))
            parts.relays.keep_accounts(parts.state.store)
        _log.info("node {uuid} is ready, listening on {listening}", uuid=logs.peer(self.uuid),
                  listening=", ".join(str(logs.place(one)) for one in self.listening) or "nothing")
        if parts.directory.made_identity:
            _log.info("a new identity was made; keep a copy of the key file in the data directory")
        parts.clock_watch.start()
        parts.memory.start()
        parts.desk.key_life.start()
        parts.conduct.start(lambda: parts.desk.contacts)
        parts.farm.start(parts.slow_groups)
        for part in (parts.lan, parts.discovery, parts.reaching):
            if part is not None:
                part.start()
        parts.host.start().addCallback(lambda _: self._keep_configured(parts))
        waiting, self._waiting_for_ready = self._waiting_for_ready, []
        for each in waiting:
            each.callback(None)

    def _could_not_listen(self, failure: Failure, parts: Parts) -> None:
        self._life = Phase.FAILED
        self._blocker = (failure.getErrorMessage(), "free the port, or change node.listen")
        for listener in parts.listeners:
            listener.stop()
        self._give_back(parts)
        super().stopService()  # type: ignore[no-untyped-call]
        self._fail_start(failure)

    def _keep_configured(self, parts: Parts) -> None:
        if self._life is Phase.CONNECTED:
            for address in (*self.settings.relay.anchors, *self.settings.node.connect):
                parts.keeper.keep(parse_target(address, self._world, self._route()))

    def when_ready(self) -> Deferred[None]:
        """Fires when every listener is bound; fails if one cannot be."""
        if self._life is Phase.CONNECTED:
            return succeed(None)
        if self._start_error is not None:
            return fail(self._start_error)
        waiter: Deferred[None] = Deferred(self._waiting_for_ready.remove)
        self._waiting_for_ready.append(waiter)
        return waiter

    def stopService(self) -> Deferred[None]:
        """Guests first, then every session with a CLOSE; fires when the data directory is free again."""
        if not self.running:
            return succeed(None)
        super().stopService()  # type: ignore[no-untyped-call]
        parts = self._parts
        self._life, self._blocker = Phase.STOPPING, ("saying good-bye", "")
        waiting, self._waiting_for_ready = self._waiting_for_ready, []
        for each in waiting:
            each.errback(LocalError("the node was stopped before it was ready"))
        if parts is None:
            early: Deferred[None] = Deferred()
            self._waiting_for_stop.append(early)
            return early
        parts.clock_watch.stop()
        parts.memory.stop()
        if parts.discovery is not None:
            parts.discovery.stop()
        parts.desk.key_life.stop()
        parts.keeper.stop()
        parts.dialling.stop()
        parts.circuits.stop()
        parts.desk.anchors.stop()
        parts.desk.turnstile.stop()
        ports = [listener.stop() for listener in parts.listeners]
        networks = [one.stop() for one in (parts.lan, parts.reaching) if one is not None]
        stopped: Deferred[Any] = DeferredList([*ports, *networks, parts.host.stop()])
        stopped.addCallback(lambda _: self._part_from_all(parts))
        stopped.addCallback(lambda _: self._save(parts))
        stopped.addCallback(lambda _: self._give_back(parts))
        return stopped.addCallback(lambda _: self._stopped())

    def _part_from_all(self, parts: Parts) -> Deferred[Any]:
        """A CLOSE to everybody and the time to answer it; who is over already is dropped at once."""
        limits = self._plan.resolved.limits
        for contact in list(parts.desk.contacts):
            if contact.over:
                contact.drop()
            else:
                contact.close(CloseCode.BYE, graceful=True)
        leaving: Deferred[Any] = parts.desk.all_left()
        leaving.addTimeout(limits.close_drain_seconds + limits.close_answer_seconds, self._world.clock)
        return leaving.addErrback(lambda _: self._drop_the_rest(parts))

    def _drop_the_rest(self, parts: Parts) -> Deferred[Any]:
        for contact in list(parts.desk.contacts):
            contact.drop()
        return parts.desk.all_left()

    def _save(self, parts: Parts) -> None:
        """The rest of it; whether it could be written is told when the store is closed."""
        parts.state.replay_floor_ms = parts.replay.floor_ms
        parts.conduct.stop()
        parts.relays.save_accounts()
        parts.state.save_in_background()

    def _stopped(self) -> None:
        self._life, self._blocker = Phase.STOPPED, ("stopped", "")
        _log.info("the node has stopped")

    def _give_back(self, parts: Parts) -> Deferred[None]:
        parts.conduct.stop()
        parts.farm.stop()
        parts.stock.stop()
        self._parts = None
        return parts.state.store.close().addCallback(lambda _: parts.directory.unlock())

    # -- what people and programs ask ----------------------------------------------------------------------------

    def connect(
        self, address: str, hops: int | None = None, via: Any = None, *, keep: bool | None = None
    ) -> Deferred[Peer]:
        """The peer at a qg address, bare UUID, endpoint string or the text of its record, once its session stands.

        ``hops`` relays between, None = ``privacy.hops``; ``via`` names them instead: a UUID, several, or their text
        with commas. With ``keep`` the connection is made again when it is lost, until ``disconnect``; None keeps a
        direct one, not one through relays. Fails with ConnectFailed, whose ``reason`` is a word and whose text and
        ``advice`` are for people.
        """
        try:
            parts = self._running_parts()
            target = self._target(parts, address, self._route(hops, self._named_relays(via)))
        except QuantumGateError as error:
            return fail(error)
        lasting = target.route.direct if keep is None else keep

        def connected(contact: Contact) -> Peer:
            if lasting:
                parts.keeper.keep(target, contact)
            return contact.peer

        parts.keeper.retry_by_hand(target)
        parts.take_back(target.uuid)
        return parts.circuits.reach(target, keep=lasting).addCallback(connected)

    def _route(self, hops: int | None = None, via: Any = None) -> Route:
        return route_of(hops, via, self.settings.privacy.hops)

    def _named_relays(self, via: Any) -> Any:
        """``via`` with UUIDs where it has names. Raises LocalError where nobody is called so."""
        if not via or isinstance(via, UUID):
            return via
        names, several = self._running_parts().pairing.names, via.split(",") if isinstance(via, str) else via
        return [one if isinstance(one, UUID) else names.peer(one.strip()) for one in several]

    def _target(self, parts: Parts, address: str, route: Route) -> Target:
        if is_record_text(address):
            return parts.given.target(address, route)
        target = parse_target(parts.pairing.names.resolved(address), self._world, route)
        if _present(parts, target) is not None:
            return target
        heard = parts.lan.known(target.uuid) if parts.lan is not None and not target.hosts else None
        if heard is not None and route.direct:
            return heard
        return parts.circuits.completed(parts.pairing.joining.completed(target))

    def disconnect(self, peer: Peer | UUID) -> Deferred[None]:
        """Ends the session and keeps it no longer; by UUID every session of this peer. Fails with LocalError."""
        try:
            parts = self._running_parts()
        except LocalError as error:
            return fail(error)
        table, one = parts.desk.table, None if isinstance(peer, UUID) else peer
        uuid = peer if isinstance(peer, UUID) else peer.uuid
        contact = table.contact_of(one) if one is not None else None
        if contact is not None and contact.path is not None:
            forgotten, contacts = parts.keeper.let_go(contact), [contact, *table.former_of(contact)]
        else:
            forgotten = parts.keeper.forget(PeerUUID(uuid)) if uuid is not None else False
            parts.let_go(None if uuid is None else PeerUUID(uuid))
            contacts = [contact] if contact is not None else table.all_of(PeerUUID(uuid)) if uuid is not None else []
        if not contacts:
            return succeed(None) if forgotten else fail(LocalError("this peer is not connected"))
        ended = [each.ended() for each in contacts]
        for each in contacts:
            each.close(CloseCode.BYE)
        return ended[0] if len(ended) == 1 else DeferredList(ended).addCallback(lambda _: None)

    def ping(self, target: str) -> Deferred[PingReport]:
        """One round trip; a peer that is not connected is dialled first. No answer is a ConnectFailed."""
        try:
            parts = self._running_parts()
            named = self._target(parts, target, self._route())
        except QuantumGateError as error:
            return fail(error)
        seconds = self._plan.resolved.limits.ping_seconds

        def ask(contact: Contact) -> Deferred[PingReport]:
            pong = contact.ping().addTimeout(seconds, self._world.clock)
            return pong.addCallbacks(lambda rtt: _ping_report(contact, rtt), lambda _: no_pong(contact))

        def no_pong(contact: Contact) -> Any:
            raise ConnectFailed("no-answer", dialwords.silence(contact.where, parts.desk.clock_off_seconds))

        present = _present(parts, named)
        return ask(present) if present is not None else parts.circuits.reach(named, keep=False).addCallback(ask)

    def client_endpoint(
        self, peer: PeerUUID | str, service: str, hops: int | None = None, via: Sequence[str] = ()
    ) -> ServiceClientEndpoint:
        """A service of a peer (UUID or qg address), as a Twisted client endpoint: any protocol runs over it."""
        return ServiceClientEndpoint(self.services, str(peer), checked_name(service), hops, via)

    def server_endpoint(self, service: str, to: Collection[PeerUUID] = ()) -> ServiceServerEndpoint:
        """A service of this node, as a Twisted server endpoint; ``to`` names who may use it, empty = who is admitted.

        ``getPeer`` of a connection's transport is a StreamAddress with the peer's UUID.
        """
        return ServiceServerEndpoint(self.services, checked_name(service), to, stream_address(None, service))

    @property
    def peers(self) -> tuple[Peer, ...]:
        """Live peers."""
        return () if self._parts is None else tuple(contact.peer for contact in self._parts.desk.table)

    @property
    def extenders(self) -> tuple[Any, ...]:
        """Installed extenders, a row each."""
        return () if self._parts is None else self._parts.host.snapshot()

    @property
    def guests(self) -> Any:
        """The ExtenderHost, for programs that bring their own extenders. Raises LocalError while stopped."""
        return self._running_parts().host

    @property
    def access(self) -> Access:
        """The access rules. Raises LocalError while the node is stopped."""
        return self._running_parts().access

    @property
    def reputation(self) -> Conduct:
        """The scores. Raises LocalError while the node is stopped."""
        return self._running_parts().conduct

    @property
    def pairing(self) -> Pairing:
        """Names of peers, and invitations. Raises LocalError while the node is stopped."""
        return self._running_parts().pairing

    @property
    def anchored_address(self) -> str:
        """An address by which this node is reached through its anchors, for an invitation; "" where it has none.

        It holds the rendezvous key: whoever has it can find out whether this node is online.
        """
        parts = self._parts
        return "" if parts is None else parts.desk.anchors.address(parts.identity.public.fingerprint_text)

    def own_record(self, endpoints: Collection[str] = ()) -> RecordReport:
        """This node's signed record, a fresh one, for others to reach it by; ``endpoints`` are named beside its own.

        Raises LocalError for an endpoint that is no ``host:port``, or while the node is stopped.
        """
        return report_of(self._running_parts().author.write(self.listening, endpoints), self.uuid)

    @property
    def listening(self) -> list[str]:
        """What is bound, as endpoint strings with real ports."""
        return [] if self._parts is None else [one.bound for one in self._parts.listeners if one.bound]

    def _running_parts(self) -> Parts:
        if self._parts is None or self._life is not Phase.CONNECTED:
            raise LocalError(f"the node is {self._life.value}")
        return self._parts

    # -- snapshots -----------------------------------------------------------------------------------------------

    def wall_seconds(self) -> float:
        """Unix time, as end dates of rules are counted."""
        return self._world.wall_seconds()

    def status(self) -> StatusReport:
        """The node at this moment."""
        parts, now = self._parts, self._world.now()
        down = parts.keeper.reports() if parts is not None else []
        phase, reason, advice = reports.judge(self._situation(down))
        return StatusReport(
            uuid=str(self.uuid),
            version=quantumgate.__version__,
            protocol=reports.PROTOCOL,
            phase=phase.value,
            reason=reason,
            advice=advice,
            uptime_seconds=round(now - self._since, 3) if self._life is Phase.CONNECTED else 0.0,
            listening=self.listening,
            peers=len(self.peers),
            relay=relay_reports.brief(parts.relays if parts is not None else None, self.settings.node.relay),
            extenders=[ExtenderBrief(name=row.name, uuid=row.uuid, state=row.state) for row in self.extenders],
            store=parts.state.store.described if parts is not None else "",
            **reports.reach_facts(None if parts is None else parts.reaching),
            fingerprint=parts.identity.public.fingerprint_text if parts is not None else "",
            network=self.settings.node.network,
            connecting=down,
            notices=_notices(parts) if parts is not None else [],
            overload=self._overload(),
            anchors=self._anchors(),
        )

    def _overload(self) -> OverloadReport:
        parts = self._parts
        if parts is None:
            return OverloadReport()
        memory = parts.memory
        report = parts.desk.turnstile.report()
        return msgspec.structs.replace(report, held_bytes=memory.held_bytes, sent_away=memory.sent_away)

    def _anchors(self) -> AnchorsBrief:
        parts = self._parts
        granted = 0 if parts is None else len(parts.desk.anchors.granted)
        return AnchorsBrief(len(self.settings.relay.anchors) or granted, granted)

    def _situation(self, down: list[Any]) -> reports.Situation:
        parts = self._parts
        return reports.Situation(
            life=self._life,
            peers=len(self.peers),
            kept=len(parts.keeper) if parts is not None else 0,
            down=down,
            invitation=reports.invitation(self.uuid, self.listening),
            admits_strangers=self.settings.node.default_access == "allow",
            blocker=self._blocker[0],
            blocker_advice=self._blocker[1],
            anchors=self._anchors(),
            relay_links=len(parts.relays.carried) if parts is not None and parts.relays.enabled else None,
            warnings=[] if parts is None else _warnings(parts),
        )

    def peers_snapshot(self) -> list[PeerReport]:
        """A report for each live peer."""
        if self._parts is None:
            return []
        return reports.peer_reports(self._parts.desk.table, self._world.now())

    def relays_snapshot(self) -> RelaysReport:
        """What this node carries for others, and its own circuits."""
        parts = self._parts
        if parts is None:
            return RelaysReport()
        report = relay_reports.whole(parts.relays, parts.circuits, self._world.now())
        anchors = sorted(map(str, parts.desk.anchors.granted))
        return msgspec.structs.replace(report, anchors=anchors, anchored_address=self.anchored_address,
                                       anchor_states=parts.desk.anchors.reports())

    def lan_snapshot(self) -> LanReport:
        """Who is heard on the local network."""
        lan = None if self._parts is None else self._parts.lan
        return LanReport() if lan is None else lan.report()

    def book_snapshot(self, uuid: UUID | None = None) -> BookReport | BookEntryReport:
        """What this node knows of where others are, or one of them is. Raises LocalError where that is nothing."""
        return book_report(None if self._parts is None else self._parts.discovery, uuid)

    def find(self, uuid: UUID) -> Deferred[FindReport]:
        """A look-up of this peer. Fails with LocalError where this node makes none."""
        return find_report(None if self._parts is None else self._parts.discovery, uuid)

    def find_providers(self, extender: UUID) -> Deferred[ProvidersReport]:
        """A look-up of peers that run this extender. Fails with LocalError where this node makes none."""
        return providers_report(None if self._parts is None else self._parts.discovery, extender)

    def extenders_snapshot(self) -> list[ExtenderReport]:
        """A report for each installed extender."""
        return reports.extender_reports(self.extenders)

    # -- what the guests' floor and the clock watch ask (extender.doors.Landlord) --------------------------------

    @property
    def clock(self) -> Any:
        """IReactorTime."""
        return self._world.clock

    @property
    def data_directory(self) -> Path:
        """The node's; guests live below it."""
        return self._directory.path

    def admits(self, peer: Any, extender: UUID) -> bool:
        """Whether the rules let this peer use this extender; the nameless are the extender's own affair."""
        if peer.uuid is None or self._parts is None:
            return True
        dialled = peer.direction == "outbound"
        return self._parts.access.decide(peer.uuid, _text_of(extender), dialled=dialled, standing=True).admitted

    def report(self, peer: Any, extender: str, offence: str) -> None:
        """A guest did not understand what this peer sent: it pays. One line a second for each peer and guest."""
        contact = self._parts.desk.table.contact_of(peer) if self._parts is not None else None
        if contact is not None and self._parts is not None:
            self._parts.conduct.reported(contact, extender, offence)
        if self._occasionally.allows((extender, peer.uuid)):
            _log.warn("{peer} sent what the extender {extender} does not understand: {offence}",
                      peer=logs.peer(peer.uuid), extender=extender, offence=offence)

    def extenders_changed(self) -> None:
        """The list of running extenders changed: tell the peers."""
        if self._parts is not None:
            self._parts.desk.own_extenders_changed()

    def clock_jumped(self, seconds: float, what: str) -> None:
        """See who is still there, and dial who is not. [A27]"""
        if self._parts is None:
            return
        _log.warn("{what} by {seconds} s: every peer is pinged now", what=what, seconds=round(seconds))
        for contact in list(self._parts.desk.contacts):
            contact.ping_urgently()
        self._parts.keeper.retry_now()


def _notices(parts: Parts) -> list[str]:
    """What an operator must see: first of all that nothing is being written."""
    problem = parts.state.store.problem
    return [*([f"the store cannot be written: {problem}"] if problem else []), *parts.desk.notices]


def _warnings(parts: Parts) -> list[tuple[str, str]]:
    """What an operator is to be told whatever else goes on."""
    told = (parts.desk.twins.warning(), parts.desk.key_life.warning())
    return [(text, advice) for text, advice in told if text]


def _present(parts: Parts, target: Target) -> Contact | None:
    """The session with this target that stands, whatever way it came: the direct one before one through relays."""
    named = parts.desk.table.all_of(target.uuid) if target.uuid is not None else []
    others = (one for one in parts.desk.table if target.address in (one.dialled, one.where))
    found: Contact | None = next(iter(named), None) or next(others, None)
    return found


def _ping_report(contact: Contact, rtt_seconds: float) -> PingReport:
    peer = contact.peer
    return PingReport(
        uuid=str(peer.uuid or ""), endpoint=peer.endpoint, relayed=peer.relayed,
        path=[str(hop) for hop in peer.path], rtt_seconds=rtt_seconds,
    )
