"""Where others see this node and whether they can dial it: asks peers, lets them dial back, and does the same for them.

A dial back is a session of ROLE 3 that carries nothing: the dialler has proved its key here and we ours there, so
neither has to take the other's word. Not for: what is believed (``core/discovery/reach.py``). Spec:
docs/spec/discovery.md section 7.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from quantumgate import logs
from quantumgate.core.access.addresses import address_of
from quantumgate.core.budget import Buckets, TokenBucket
from quantumgate.core.discovery.reach import Place, Places, Sightings
from quantumgate.core.places import group_of, may_lead_to
from quantumgate.core.relay.links import CARRIER
from quantumgate.ids import PeerUUID, host_text
from quantumgate.node.contact import Contact
from quantumgate.node.dialling import Target, ways_to
from quantumgate.node.world import World
from quantumgate.wire.codes import CloseCode
from quantumgate.wire.features import REACH
from quantumgate.wire.limits import REACH_DIALS_MAX, REACH_GROUPS_MET_MAX, SIGHTING_GROUPS_MAX, Limits
from quantumgate.wire.link_frames import LinkEndpoint
from quantumgate.wire.reach_frames import (
    NOT_REACHED,
    REACH_ANSWER,
    REACH_ASK,
    REACHED,
    REFUSED,
    SEEN,
    ReachAnswer,
    encode_ask,
)

LOOK_SECONDS = 1.5
"""After something changed, so that several sessions that come at once are one change."""

ANSWER_SECONDS = 60.0
"""A peer that has not answered by then does not: its dial may take 10 s, and the handshake 30 s."""

PORTS_TRIED = 4
_log = logs.named("reach")


class _Ask:
    """What one peer was asked. ``arrived``: its dial came in."""

    __slots__ = ("arrived", "place", "port", "timer")

    def __init__(self, port: int, place: Place | None) -> None:
        self.port, self.place, self.arrived = port, place, False
        self.timer: Any = None


class Reachability:
    """One node's. ``dial(target, keep=, role=)`` makes sessions; ``changed()`` = other places are confirmed, or a look
    at them is over; ``mapped`` = ports that a router leads here, beside those that listen."""

    def __init__(
        self, own: PeerUUID, world: World, limits: Limits, dial: Callable[..., Deferred[Contact]],
        listening: Callable[[], Iterable[str]], own_hosts: Callable[[], Iterable[str]], *, allow_private: bool,
    ) -> None:
        self._own, self._world, self._limits, self._dial = own, world, limits, dial
        self._listening, self._own_hosts, self._allow_private = listening, own_hosts, allow_private
        self._sightings, self._places = Sightings(), Places(limits)
        self._saw: dict[Contact, str] = {}
        self._kept: dict[Contact, bool | None] = {}
        self._asks: dict[Contact, _Ask] = {}
        self._asked_at: dict[Contact, float] = {}
        self._helping: set[Deferred[Any]] = set()
        self._paces: Buckets[PeerUUID] = Buckets(*limits.reach_peer_rate, REACH_GROUPS_MET_MAX)
        self._networks: Buckets[str] = Buckets(*limits.reach_group_rate, REACH_GROUPS_MET_MAX)
        self._pace = TokenBucket(*limits.reach_rate, world.now())
        self._timer: Any = None
        self._stopped = False
        self.mapped: tuple[int, ...] = ()
        self.changed: Callable[[], object] = _nobody

    # -- sessions ------------------------------------------------------------------------------------------------

    def router_leads(self, ports: tuple[int, ...]) -> None:
        """These ports of the router lead here, as it says."""
        if ports != self.mapped:
            self.mapped = ports
            self.look_soon()

    def arrived(self, contact: Contact) -> None:
        """A session stands; one over a socket, between peers with names that agreed on it, can tell us something."""
        if contact.path is None and contact.address is not None and REACH in contact.session.agreed:
            self._saw[contact] = ""
            contact.ended().addCallback(lambda _: self._left(contact))
            self.look_soon()

    def _left(self, contact: Contact) -> None:
        self._saw.pop(contact, None)
        self._kept.pop(contact, None)
        self._asked_at.pop(contact, None)
        ask = self._asks.pop(contact, None)
        if ask is not None:
            self._over(ask)

    def carrier_came(self, contact: Contact) -> None:
        """A session that only carries links came in: if it is of ROLE 3, the dial back of somebody whom we asked?"""
        session = contact.session
        if contact.outbound or session.role != CARRIER or session.peer is None:
            return
        for asked, ask in self._asks.items():
            if ask.place is not None and asked.peer.uuid == session.peer.uuid:
                ask.arrived = True

    # -- asking --------------------------------------------------------------------------------------------------

    def look_soon(self) -> None:
        """Something changed."""
        self._look_in(LOOK_SECONDS)

    def _look_in(self, wait_seconds: float) -> None:
        if self._stopped:
            return
        if self._timer is not None and self._timer.active():
            if self._timer.getTime() <= self._world.clock.seconds() + wait_seconds:
                return
            self._timer.cancel()
        self._timer = self._world.clock.callLater(wait_seconds, self._look)

    def _look(self) -> None:
        now = self._world.now()
        for contact, kept_port in self._kept.items():  # what they said holds as long as their sessions stand
            self._sightings.seen(group_of(str(contact.address)), self._saw[contact], kept_port, now)
        self._ask_where_we_are(now)
        places = [(host, port) for host in self._sightings.agreed(now) for port in self._ports(host)]
        waiting = False
        for place in self._places.due(places, now):
            dialler = self._dialler_for(place, now)
            if dialler is not None:
                self._ask(dialler, place[1], place)
            waiting = waiting or dialler is None
        self.changed()
        moment = now + self._limits.reach_gap_seconds if waiting else self._places.next_at()
        if moment is not None and self._saw:
            self._look_in(max(LOOK_SECONDS, moment - now))

    def _ask_where_we_are(self, now: float) -> None:
        """Of whom we do not know it yet, one of each group of networks."""
        met = {group_of(str(one.address)) for one, host in self._saw.items() if host or one in self._asks}
        for contact in list(self._saw):
            group = group_of(str(contact.address))
            if group not in met and len(met) < SIGHTING_GROUPS_MAX and contact not in self._asks and self._far(contact):
                met.add(group)
                self._ask(contact, 0, None)

    def _far(self, contact: Contact) -> bool:
        """Whether this peer is where the rest of the world is, too."""
        return may_lead_to(str(contact.address), 9999, allow_private=self._allow_private)

    def _dialler_for(self, place: Place, now: float) -> Contact | None:
        """Who sees us at that address, and was not asked just now; who was asked longest ago first."""
        gap_seconds = self._limits.reach_gap_seconds
        able = [one for one, host in self._saw.items() if host == place[0] and one not in self._asks
                and (one not in self._asked_at or now - self._asked_at[one] >= gap_seconds)]
        return min(able, key=lambda one: self._asked_at.get(one, 0.0), default=None)

    def _ask(self, contact: Contact, port: int, place: Place | None) -> None:
        ask = self._asks[contact] = _Ask(port, place)
        if place is not None:
            self._asked_at[contact] = self._world.now()
            self._places.asked(place)
        ask.timer = self._world.clock.callLater(ANSWER_SECONDS, self._silent, contact)
        contact.say(REACH_ASK, encode_ask(port))

    def _silent(self, contact: Contact) -> None:
        ask = self._asks.pop(contact, None)
        if ask is not None:
            self._over(ask)

    def _ports(self, host: str) -> tuple[int, ...]:
        """Where we could be dialled at this address: what listens for its family, and what a router leads here."""
        address, found = address_of(host), list(self.mapped)
        for text in self._listening():
            kind, _, rest = text.replace("\\", "").partition(":")
            port, _, option = rest.partition(":interface=")
            bound = address_of(option)
            six = bound.version == 6 if bound is not None else kind == "tcp6"
            if kind in ("tcp", "tcp4", "tcp6") and port.isdigit() and address is not None and (
                six == (address.version == 6)
            ) and (bound is None or self._allow_private or not bound.is_loopback):
                found.append(int(port))
        return tuple(dict.fromkeys(found))[:PORTS_TRIED]

    # -- what they answer ----------------------------------------------------------------------------------------

    def answered(self, contact: Contact, answer: ReachAnswer) -> None:
        """REACH_ANSWER. What nobody asked for ends the session."""
        ask = self._asks.pop(contact, None)
        if ask is None or ask.port != answer.port:
            contact.close(CloseCode.VIOLATION, "REACH_ANSWER without REACH_ASK", graceful=False)
            return
        host = answer.seen.host
        if contact in self._saw and self._far(contact) and may_lead_to(host, 9999, allow_private=self._allow_private):
            self._saw[contact], self._kept[contact] = host, self._kept_port(contact, answer)
        elif contact in self._saw:
            self._saw[contact] = "-"
        self._over(ask, answer.code)

    def _kept_port(self, contact: Contact, answer: ReachAnswer) -> bool | None:
        """Whether our socket's own port was seen; of one that dialled us that is no wonder."""
        own = _port_of(contact, "getHost") if contact.outbound else 0
        return own == answer.seen.port if own else None

    def _over(self, ask: _Ask, code: int = NOT_REACHED) -> None:
        """One question is answered, or never will be."""
        if ask.timer is not None and ask.timer.active():
            ask.timer.cancel()
        if ask.place is not None:
            self._judge(ask, ask.place, code)
        self.look_soon()

    def _judge(self, ask: _Ask, place: Place, code: int) -> None:
        now, where = self._world.now(), host_text(*place)
        if ask.arrived and code == REACHED:
            if self._places.came_through(place, now):
                _log.info("this node can be dialled at {where}", where=logs.place(where))
        elif self._places.did_not(place, now):
            _log.warn("this node can no longer be dialled at {where}", where=logs.place(where))

    # -- being asked ---------------------------------------------------------------------------------------------

    def asked(self, contact: Contact, port: int) -> None:
        """REACH_ASK: say where it is seen, and dial that very address, and no other, at the port that it names."""
        if contact.path is not None or contact.address is None:
            contact.close(CloseCode.VIOLATION, "REACH_ASK over a link", graceful=False)
            return
        if not port:
            self._answer(contact, SEEN, port)
            return
        host, uuid, now = str(contact.address), contact.session.peer.uuid, self._world.now()
        allowed = may_lead_to(host, port, allow_private=self._allow_private, own=frozenset(self._own_hosts()))
        paced = self._paces.take(uuid, now) and self._networks.take(group_of(host), now)
        if not allowed or not paced or len(self._helping) >= REACH_DIALS_MAX or not self._pace.take(now):
            self._answer(contact, REFUSED, port)
            return
        ways = ways_to(self._world, ((f"[{host}]" if ":" in host else host, port),))
        dialled = self._dial(Target(f"back:{uuid}", uuid, None, ways), keep=False, role=CARRIER)
        self._helping.add(dialled)
        dialled.addBoth(self._dialled_back, dialled, contact, port)

    def _dialled_back(self, result: Any, dialled: Deferred[Any], contact: Contact, port: int) -> None:
        self._helping.discard(dialled)
        if not isinstance(result, Failure):
            result.close(CloseCode.BYE)
        self._answer(contact, NOT_REACHED if isinstance(result, Failure) else REACHED, port)

    def _answer(self, contact: Contact, code: int, port: int) -> None:
        endpoint = LinkEndpoint(str(contact.address), _port_of(contact, "getPeer"))
        contact.say(REACH_ANSWER, ReachAnswer(code, port, endpoint).encode())

    # -- what is known -------------------------------------------------------------------------------------------

    def confirmed(self) -> tuple[Place, ...]:
        """Where strangers can dial this node: IP addresses and ports."""
        return self._places.confirmed(self._world.now())

    def words(self) -> str:
        """What stands between this node and those who would dial it, "" where nothing is known to."""
        now = self._world.now()
        if self.confirmed():
            return ""
        agreed = self._sightings.agreed(now)
        if not agreed:
            return "not enough peers say where they see this node" if self._saw else ""
        own = {str(address_of(host.strip("[]"))) for host in (*self._own_hosts(), *self._world.own_addresses())}
        if agreed[0] in own:
            return "nobody can dial this node: its own address does not answer, a firewall may be in front of it"
        kind = "a NAT that changes ports" if self._sightings.ports_change() else "a NAT"
        return f"nobody can dial this node: it is behind {kind}"

    def stop(self) -> None:
        """The node stops."""
        self._stopped = True
        for dialled in list(self._helping):
            dialled.cancel()
        for timer in (self._timer, *(ask.timer for ask in self._asks.values())):
            if timer is not None and timer.active():
                timer.cancel()


def _port_of(contact: Contact, whose: str) -> int:
    """Of the socket under a session, as ``getHost`` or ``getPeer`` of its transport says; 0 where there is none."""
    transport: Any = getattr(contact.protocol, "transport", None)
    return 0 if transport is None else int(getattr(getattr(transport, whose)(), "port", 0))


def _nobody() -> None:
    """Until somebody wants to know."""
