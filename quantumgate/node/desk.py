"""The front desk: one word on every contact, and one place that tells guests, table and log what happened.

Not for: rules (``access.py``, ``pins.py``), counts of strangers (``net/intake.py``) or making connections
(``connections.py``). Spec: docs/spec/access.md [A43] [A49], docs/spec/session.md [A28].
"""

from __future__ import annotations

import statistics
from collections import Counter, deque
from collections.abc import Callable
from typing import Any, Protocol
from uuid import UUID

from twisted.internet.defer import Deferred

from quantumgate import logs
from quantumgate.control.api import AnchorReport
from quantumgate.core.access.decision import Decision, Rule
from quantumgate.core.access.reputation import Deed
from quantumgate.core.access.rules import RELAY, RESERVE
from quantumgate.core.events import Closed, SecurityNotice
from quantumgate.core.invitations import Answer, Issued
from quantumgate.core.peer_records import KnownRecord
from quantumgate.core.relay.link import Link
from quantumgate.core.relay.path import Gateway
from quantumgate.core.requests import PeerCheck, PuzzleNeeded, TurnNeeded, Verdict
from quantumgate.core.session import DAMAGED
from quantumgate.core.tokens import Tokens
from quantumgate.errors import ConnectFailed, LocalError
from quantumgate.ids import PeerUUID
from quantumgate.net.solving import Solver
from quantumgate.node import dialwords
from quantumgate.node.access import Access
from quantumgate.node.conduct import Conduct
from quantumgate.node.contact import ROLE_PEER, ROLE_RELAY_CLIENT, Contact
from quantumgate.node.enforcement import Enforcement
from quantumgate.node.inviting import REFUSALS, Inviting
from quantumgate.node.key_life import KeyLife
from quantumgate.node.names import Names
from quantumgate.node.peers import PeerTable
from quantumgate.node.pins import Pins
from quantumgate.node.turnstile import Turnstile
from quantumgate.node.twins import TWIN_WAIT_SECONDS, Twins
from quantumgate.node.world import World
from quantumgate.wire.codes import CloseCode, LinkCode
from quantumgate.wire.limits import Limits
from quantumgate.wire.link_frames import LinkTarget
from quantumgate.wire.reservation_frames import Grant

NOTICES_KEPT = 50
CLOCK_OPINIONS_KEPT = 32
LOST_SESSIONS_KEPT = 256
_log = logs.named("node")


class Guests(Protocol):
    """The calls of ``extender.host.ExtenderHost`` that sessions need."""

    def session_ready(self, peer: Any, session: Any) -> None: ...
    def session_closed(self, peer: Any, reason: str) -> None: ...
    def channel_opened(self, peer: Any, channel: Any) -> None: ...
    def extenders_changed(self, peer: Any, session: Any) -> None: ...
    def session_succeeded(self, peer: Any, session: Any) -> None: ...


class Keeping(Protocol):
    """The part of ``keeper.Keeper`` that sessions need."""

    def arrived(self, contact: Contact) -> None: ...
    def succeeded(self, former: Contact, contact: Contact) -> None: ...
    def gone(self, contact: Contact, still_connected: bool, wait_seconds: float = 0.0) -> None: ...


class Circling(Protocol):
    """The part of ``circuits.Circuits`` that sessions need."""

    def succeeded(self, former: Contact, contact: Contact) -> None: ...


class Relaying(Protocol):
    """The part of ``relays.Relays`` that sessions need."""

    enabled: bool
    accepting: bool
    refused: Counter[str]

    def session_ready(self, contact: Contact) -> None: ...
    def asked(self, contact: Contact, link: Link, target: LinkTarget) -> None: ...
    def arrived(self, contact: Contact, link: Link) -> None: ...


class Announcing(Protocol):
    """The part of ``announced.AnnouncedGateways`` that sessions need."""

    def arrived(self, contact: Contact) -> None: ...
    def with_contacts(self) -> list[tuple[Gateway, Contact]]: ...


class Discovering(Protocol):
    """The part of ``discovery.Discovery`` that sessions need."""

    def arrived(self, contact: Contact) -> None: ...
    def serial_of(self, uuid: PeerUUID) -> int: ...


class Reserving(Protocol):
    """The part of ``reservations.Anchorage`` that sessions need."""

    def asked(self, contact: Contact, rendezvous_key: bytes) -> None: ...
    def refuse(self, contact: Contact) -> None: ...


class Anchoring(Protocol):
    """The part of ``anchors.Anchors`` that sessions and reports need."""

    granted: dict[PeerUUID, Grant]

    def arrived(self, contact: Contact) -> None: ...
    def answered(self, contact: Contact, grant: Grant) -> None: ...
    def address(self, fingerprint: str) -> str: ...
    def reports(self) -> list[AnchorReport]: ...
    def stop(self) -> None: ...


class Reaching(Protocol):
    """The part of ``reaching.Reaching`` that sessions need."""

    def arrived(self, contact: Contact) -> None: ...
    def carrier_came(self, contact: Contact) -> None: ...


class FrontDesk:
    """One node's. What stands here below is set by whoever assembles the node."""

    guests: Guests
    relays: Relaying
    announced: Announcing
    anchorage: Reserving
    anchors: Anchoring
    keeper: Keeping
    circuits: Circling
    turnstile: Turnstile
    solver: Solver
    conduct: Conduct
    inviting: Inviting
    names: Names
    enforcement: Enforcement
    key_life: KeyLife
    twins: Twins
    our_extenders: Callable[[], tuple[UUID, ...]]

    def __init__(
        self,
        own: PeerUUID,
        world: World,
        limits: Limits,
        access: Access,
        pins: Pins,
        key: Callable[[int], Deferred[Any]],
        tokens: Tokens,
        *,
        require_authentication: bool,
    ) -> None:
        self._world, self._limits, self._access, self._pins = world, limits, access, pins
        self._tokens = tokens
        self._require_authentication = require_authentication
        self._occasionally = logs.Occasionally(world.now)
        self._clock_opinions: dict[PeerUUID, float] = {}
        self.key = key
        self.notices: deque[str] = deque(maxlen=NOTICES_KEPT)
        self.contacts: set[Contact] = set()
        self._emptied: Deferred[None] | None = None
        self.discovery: Discovering | None = None
        self.last_sid: dict[PeerUUID, bytes] = {}
        self.reaching: Reaching | None = None
        self.ears: dict[int, Callable[[Contact, Any], None]] = {}
        """Who listens to a frame type that was agreed on, by its number."""
        self.table = PeerTable(
            own, announce=self._announce, withdraw=self._withdraw, succeed=self._succeeded,
            sessions_per_identity=limits.sessions_per_identity,
        )

    def now(self) -> float:
        """The core's time."""
        return self._world.now()

    @property
    def clock_off_seconds(self) -> float | None:
        """The median of what authenticated peers' clocks say about ours; positive = ours is behind."""
        return statistics.median(self._clock_opinions.values()) if self._clock_opinions else None

    def began(self, contact: Contact) -> None:
        """It has a transport now."""
        self.contacts.add(contact)
        self.enforcement.began(contact)

    def left(self, contact: Contact) -> None:
        """Its transport is closed."""
        if contact in self.contacts:
            self.enforcement.left(contact)
            self.contacts.remove(contact)
        if self._emptied is not None and not self.contacts and not self._emptied.called:
            self._emptied.callback(None)

    def all_left(self) -> Deferred[None]:
        """Fires when no transport is open; for a node that stops."""
        self._emptied = Deferred()
        if not self.contacts:
            self._emptied.callback(None)
        return self._emptied

    def solve(self, request: PuzzleNeeded) -> Deferred[bytes]:
        """Somebody whom we dial has more to do than it can."""
        return self.solver.solve(request)

    def wait_turn(self, contact: Contact, request: TurnNeeded) -> None:
        """We have more to do than we can, and this one is a stranger."""
        self.turnstile.wait(contact, request)

    # -- verdicts ------------------------------------------------------------------------------------------------

    def judge(self, contact: Contact, check: PeerCheck) -> Verdict | Deferred[Verdict]:
        """Whether to go on with whoever proved to be there; who dialled us gets a token for the next time.

        Later for who comes in by an invitation: a kill must not make us forget whom we have let in.
        """
        verdict = self._verdict(contact, check)
        if isinstance(verdict, Deferred):
            return verdict.addCallback(self._with_token, contact, check)
        return self._with_token(verdict, contact, check)

    def _with_token(self, verdict: Verdict, contact: Contact, check: PeerCheck) -> Verdict:
        if contact.outbound or check.identity is None or not verdict.admitted:
            return verdict
        return Verdict(True, token=self._tokens.mint.issue(check.identity.uuid, self.now()))

    def _verdict(self, contact: Contact, check: PeerCheck) -> Verdict | Deferred[Verdict]:
        if check.identity is None:
            return self._judge_nameless(contact, check)
        if self._pins.contradicts(check.identity):
            self._notice("pin", f"another key than the pinned one at {contact.where}", check.identity.uuid, contact)
            return Verdict(False, CloseCode.ACCESS_DENIED)
        if check.role != ROLE_PEER:
            return self._judge_links(contact, check.identity.uuid, check.role)
        decision = self._access.decide(check.identity.uuid, dialled=contact.outbound)
        if check.invitation and (decision.admitted or decision.rule is Rule.DEFAULT):
            return self._judge_invited(contact, check, check.identity.uuid, decision)
        if not decision.admitted:
            return self._deny(contact, check.identity.uuid, decision.why)
        return self._room(contact, check)

    def _judge_invited(
        self, contact: Contact, check: PeerCheck, uuid: PeerUUID, decision: Decision
    ) -> Verdict | Deferred[Verdict]:
        """Who shows an invitation is judged by it: docs/spec/addresses.md section 5."""
        answer, issued = self.inviting.heard(check.invitation, check.transcript, uuid)
        if answer is Answer.AGAIN and decision.rule is not Rule.ALLOW:
            answer = Answer.USED
        if issued is None:
            self.conduct.count_of(Deed.INVITATION, contact, uuid)
            return self._deny(contact, uuid, "it shows an invitation that we do not know")
        if answer in REFUSALS:
            _log.info("{peer} is not let in: its invitation {short} is {answer}", peer=logs.peer(uuid),
                      short=issued.short, answer=answer.value)
            return Verdict(False, REFUSALS[answer])
        if not self._has_room(known=True):
            self._say_full(logs.peer(uuid))
            return Verdict(False, CloseCode.TOO_MANY_SESSIONS)
        return self._let_in(contact, uuid, issued) if answer is Answer.ACCEPTED else Verdict(True)

    def _let_in(self, contact: Contact, uuid: PeerUUID, issued: Issued) -> Verdict | Deferred[Verdict]:
        try:
            return self.inviting.let_in(issued, uuid).addCallback(lambda _: Verdict(True))
        except LocalError as error:
            return self._deny(contact, uuid, str(error))

    def _judge_nameless(self, contact: Contact, check: PeerCheck) -> Verdict:
        if check.role != ROLE_PEER:
            return self._judge_links(contact, None, check.role)
        if self._require_authentication:
            return self._deny(contact, None, "node.require_authentication = true")
        return self._room(contact, check)

    def _judge_links(self, contact: Contact, uuid: PeerUUID | None, role: int) -> Verdict:
        """A session that only carries links: a relay's client, or a relay that brings links to us."""
        decision = None if uuid is None else self._access.decide(uuid, RELAY, dialled=contact.outbound)
        if decision is not None and not decision.admitted:
            return self._deny(contact, uuid, decision.why)
        if not contact.outbound and role == ROLE_RELAY_CLIENT and not self.relays.enabled:
            return self._deny(contact, uuid, "this node carries no traffic for others (node.relay = false)")
        if not contact.outbound and role != ROLE_RELAY_CLIENT and not self.relays.accepting:
            return self._deny(contact, uuid, "this node is not reached through relays (relay.accept_relayed = false)")
        return Verdict(True)

    def full(self) -> bool:
        """Whether there is no room for one more stranger: the last sessions are for those whom we know."""
        if self._has_room(known=False):
            return False
        self._say_full("a stranger")
        return True

    def _has_room(self, *, known: bool) -> bool:
        most = self._limits.sessions
        return self.table.sessions < (most if known else most - int(most * self._limits.sessions_reserve_share))

    def _room(self, contact: Contact, check: PeerCheck) -> Verdict:
        uuid = None if check.identity is None else check.identity.uuid
        known = contact.outbound or check.known or (uuid is not None and self._access.names(uuid))
        if self._has_room(known=known):
            return Verdict(True)
        self._say_full(logs.peer(uuid))
        return Verdict(False, CloseCode.TOO_MANY_SESSIONS)

    def _say_full(self, who: object) -> None:
        if self._occasionally.allows("sessions"):
            _log.warn("limit sessions = {n} reached (limits.sessions): {who} is turned away", n=self._limits.sessions,
                      who=who)

    def _deny(self, contact: Contact, uuid: PeerUUID | None, why: str) -> Verdict:
        source = contact.address or contact.path or uuid  # names cost whoever is refused nothing
        if self._occasionally.allows(("denied", source)):
            _log.warn("access denied: {peer} at {where}: {why}", peer=logs.peer(uuid), where=logs.place(contact.where),
                      why=logs.words(why))
        return Verdict(False, CloseCode.ACCESS_DENIED, f"our own rules do not admit {uuid}: {why}"
                       if contact.outbound else "")

    # -- sessions ------------------------------------------------------------------------------------------------

    def ready(self, contact: Contact) -> None:
        """A session stands: pin, table, guests; whoever dialled gets the contact that counts."""
        identity = contact.session.peer
        self.key_life.ready(contact)
        if identity is not None:
            chosen = contact.outbound and contact.session.role == ROLE_RELAY_CLIENT and not contact.asks
            if contact.session.role == ROLE_PEER or chosen:
                stranger = not contact.outbound and not self._access.names(identity.uuid)
                self._pins.pin(identity, stranger=stranger)  # whom we chose or admitted; not whom others made us meet
            self._pins.heard(identity, contact.session.peer_delegation)
            self._hear_clock(identity.uuid, contact.session.peer_block.clock_ms)
            self._take_token(contact, identity.uuid)
        if contact.role != ROLE_PEER or contact.session.role != ROLE_PEER:
            self.relays.session_ready(contact)
            if self.reaching is not None:
                self.reaching.carrier_came(contact)
            if contact.outbound and not contact.result.called:
                contact.result.callback(contact)
            return
        contact.session.keep = contact.session.keep or contact.keep
        standing = self.table.arrived(contact)
        if standing is contact:
            self.keeper.arrived(contact)
            self.announced.arrived(contact)
            self.anchors.arrived(contact)
            if self.discovery is not None:
                self.discovery.arrived(contact)
            if self.reaching is not None:
                self.reaching.arrived(contact)
            self._tell_extenders(contact)
        if contact.outbound and not contact.result.called:
            contact.result.callback(standing)

    def _take_token(self, contact: Contact, uuid: PeerUUID) -> None:
        """What this peer gives us for our next dial; a side without a name has no use for it. [A14]

        Not of sessions that only carry links: strangers choose whom a relay meets, and could fill the purse.
        """
        session, token = contact.session, contact.session.peer_block.token
        if token and session.local is not None and session.role == ROLE_PEER:
            self._tokens.purse.put(uuid, token, self.now())

    def _hear_clock(self, uuid: PeerUUID, clock_ms: int | None) -> None:
        if clock_ms is None:
            return
        self._clock_opinions.pop(uuid, None)
        self._clock_opinions[uuid] = off_seconds = clock_ms / 1000 - self._world.wall_seconds()
        if len(self._clock_opinions) > CLOCK_OPINIONS_KEPT:
            del self._clock_opinions[next(iter(self._clock_opinions))]
        if abs(off_seconds) > self._limits.clock_warn_seconds and self._occasionally.allows("clock"):
            _log.warn("{peer} says that this clock is {off} s off", peer=logs.peer(uuid), off=round(off_seconds))

    def _announce(self, contact: Contact) -> None:
        contact.peer.name = self.names.of(contact.peer.uuid)
        _log.info("{peer} is connected, {direction}, at {where}", peer=logs.peer(contact.peer.uuid),
                  direction=contact.peer.direction, where=logs.place(contact.where))
        self.guests.session_ready(contact.peer, contact.session)

    def _withdraw(self, contact: Contact, reason: str) -> None:
        _log.info("{peer} is gone: {reason}", peer=logs.peer(contact.peer.uuid), reason=reason)
        self.guests.session_closed(contact.peer, reason)

    def _succeeded(self, former: Contact, contact: Contact) -> None:
        """A circuit took the place of another: guests keep the peer, and what runs on the old one runs on.

        While there are two, the new one is kept: it may have nothing to do before the old one is done.
        """
        _log.debug("{peer} is reached over another circuit", peer=logs.peer(contact.peer.uuid))
        contact.keep = contact.keep or former.keep
        contact.session.keep, former.session.keep = True, False
        self.keeper.succeeded(former, contact)
        self.circuits.succeeded(former, contact)
        self.guests.session_succeeded(contact.peer, contact.session)
        if former.over:
            self.anchors.arrived(contact)
            self._alone_again(contact)

    def channel_offered(self, contact: Contact, channel: Any) -> None:
        """To the guests, if this is the session that counts; a peer that uses a waiting one makes it so."""
        if self.table.used(contact):
            self.guests.channel_opened(contact.peer, channel)
        else:
            channel.reset()

    def link_asked(self, contact: Contact, link: Link, target: LinkTarget) -> None:
        """Somebody wants us to relay."""
        refusal = None if link.closed else self.enforcement.link_refused(contact)
        if refusal is None:
            self.relays.asked(contact, link, target)
            return
        self.relays.refused["access"] += 1
        link.answer(LinkCode.LIMIT if refusal.rule is Rule.PREFIX_LINKS else LinkCode.POLICY)

    def links_refused(self, contact: Contact) -> None:
        """It asks for more links than it may have."""
        self.conduct.count(Deed.LINKS, contact)

    def link_arrived(self, contact: Contact, link: Link) -> None:
        """Somebody reaches us through a relay."""
        self.relays.arrived(contact, link)

    def reservation_asked(self, contact: Contact, rendezvous_key: bytes) -> None:
        """Somebody wants to be reached through us."""
        uuid = contact.session.peer.uuid
        if self._access.decide(uuid, RESERVE, dialled=contact.outbound).admitted:
            self.anchorage.asked(contact, rendezvous_key)
        else:
            self.anchorage.refuse(contact)

    def reservation_answered(self, contact: Contact, grant: Grant) -> None:
        """What an anchor says to us."""
        self.anchors.answered(contact, grant)

    def said(self, contact: Contact, kind: int, content: Any) -> None:
        """A frame of a type that we named in FEATURES: somebody here listens to it, or nobody of us asked anything."""
        ear = self.ears.get(kind)
        if ear is None:
            contact.close(CloseCode.VIOLATION, "an answer that nobody asked for", graceful=False)
        else:
            ear(contact, content)

    def extenders_changed(self, contact: Contact) -> None:
        """The peer's list is another one."""
        if self.table.contact_of(contact.peer) is contact:
            self.guests.extenders_changed(contact.peer, contact.session)

    def own_extenders_changed(self) -> None:
        """Our own list is another one: tell everybody."""
        for contact in self.table:
            self._tell_extenders(contact)

    def _tell_extenders(self, contact: Contact) -> None:
        """An anonymous side names none; the others what runs now, if that is not what they know."""
        session, uuids = contact.session, self.our_extenders()
        if session.local is None or session.closing or contact.told_extenders == frozenset(uuids):
            return
        contact.told_extenders = frozenset(uuids)
        session.set_extenders(uuids)
        if contact.protocol is not None:
            contact.protocol.wake()

    def least_serial(self, uuid: PeerUUID) -> int:
        """Of the newest delegation that is known of this peer: remembered with its pin, or in the book's record."""
        in_book = self.discovery.serial_of(uuid) if self.discovery is not None else 0
        return max(self._pins.least_serial(uuid), in_book)

    def record_heard(self, known: KnownRecord) -> None:
        """A record of a peer, verified: it may hold a newer delegation than its sessions."""
        self._pins.heard(known.identity, known.delegation)

    # -- ends ----------------------------------------------------------------------------------------------------

    def closed(self, contact: Contact, event: Closed) -> None:
        """The core's last word on this connection; a drained one lingers without a word."""
        wait_seconds = self._look_for_a_twin(contact, event)
        self.turnstile.left(contact)
        self.conduct.closed(contact, event)
        if contact.session is None:
            self._never_stood(contact, event)
        elif contact.the_peer is not None:
            if contact.outbound and not event.clean and contact.peer.uuid is not None and contact.path is None:
                self._remember_lost(contact.peer.uuid, contact.session.sid)
            self.table.gone(contact, event.reason)
            self._alone_again(self.table.contact_of(contact.the_peer))
        if event.reason == DAMAGED and self._occasionally.allows((DAMAGED, contact.where)):
            _log.warn("what came from {where} was altered on the way: the session is over",
                      where=logs.place(contact.where))
        if event.by == "handshake" or event.reason == DAMAGED:
            self._linger(contact)
        uuid = contact.the_peer.uuid if contact.the_peer is not None else None
        if contact.role == ROLE_PEER:
            self.keeper.gone(contact, uuid is not None and self.table.current(uuid) is not None, wait_seconds)

    def _look_for_a_twin(self, contact: Contact, event: Closed) -> float:
        """A peer ends our only session with it because we came again, and we did not. How long to stay away then.

        Two nodes with one key would take each other's sessions away as fast as they can dial.
        """
        if event.code != CloseCode.REPLACED or event.by != "remote" or contact.the_peer is None:
            return 0.0
        uuid = contact.the_peer.uuid
        if uuid is None or contact.path is not None or contact.session.local is None:
            return 0.0
        again = [one for one in self.table.all_of(uuid) if one is not contact]
        if again or any(one.outbound and one.session is None and not one.over for one in self.contacts):
            return 0.0
        self.twins.seen(f"{uuid} has a session with another node that has our key")
        return TWIN_WAIT_SECONDS

    def _alone_again(self, contact: Contact | None) -> None:
        """A circuit whose predecessors have all ended is kept only where that is asked for."""
        if contact is not None and contact.path is not None and not self.table.former_of(contact):
            contact.session.keep = contact.keep

    def _remember_lost(self, uuid: PeerUUID, sid: bytes) -> None:
        """For REPLACES in the next dial: the peer may not have noticed that this one is dead."""
        self.last_sid.pop(uuid, None)
        self.last_sid[uuid] = sid
        if len(self.last_sid) > LOST_SESSIONS_KEPT:
            del self.last_sid[next(iter(self.last_sid))]

    def _never_stood(self, contact: Contact, event: Closed) -> None:
        if contact.outbound and event.code == CloseCode.ACCESS_DENIED:
            _log.warn("access denied: {where} does not admit this identity", where=logs.place(contact.where))
        elif event.reason == "delegation" and self._occasionally.allows("delegation"):
            _log.warn("a handshake with {where} came to nothing: {why}", where=logs.place(contact.where),
                      why=logs.words(event.text))
        elif contact.outbound:
            _log.debug("the dial to {where} failed: {reason}", where=logs.place(contact.where), reason=event.reason)
        elif event.code is None and self._occasionally.allows(("handshake", event.reason)):
            _log.debug("a handshake from {where} came to nothing: {reason}", where=logs.place(contact.where),
                       reason=event.reason)

    def _linger(self, contact: Contact) -> None:
        """A connection that says nothing more but reads on: slowly, and counted. [A33]"""
        protocol = contact.protocol
        if protocol is None or protocol.connection.finished:
            return
        protocol.read_slowly(self._limits.drain_rate_bytes)
        if contact.place is not None:
            contact.place.draining(protocol.hang_up)

    def security(self, contact: Contact, notice: SecurityNotice) -> None:
        """Something that an operator should see."""
        if notice.kind == "twin":
            self.twins.seen(f"a node at {contact.where} dialled us with our key")
            return
        uuid = contact.the_peer.uuid if contact.the_peer is not None else None
        self._notice(notice.kind, notice.text, uuid, contact)

    def _notice(self, kind: str, text: str, uuid: PeerUUID | None, contact: Contact) -> None:
        self.notices.append(f"{kind}: {text}")
        if self._occasionally.allows(("security", kind, uuid)):
            _log.critical("security: {kind}: {peer} at {where}", kind=kind, peer=logs.peer(uuid),
                          where=logs.place(contact.where))

    def notice_of_ourselves(self, kind: str, text: str) -> None:
        """Something that an operator should see, and that no session is about."""
        self.notices.append(f"{kind}: {text}")
        _log.critical("security: {kind}: {text}", kind=kind, text=logs.words(text))

    def dial_error(self, contact: Contact, event: Closed) -> ConnectFailed:
        """What to tell whoever dialled."""
        return dialwords.closed_during_dial(contact.where, event, self.clock_off_seconds)
