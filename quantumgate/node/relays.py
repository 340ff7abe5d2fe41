"""This node as a relay, and as the end of links that relays bring. Spec: docs/spec/relays.md, 3 and 5. [A29] [A31]

A link leads into a session of ours with its target, never into a bare socket; what may not be answers 5 or 7 at once,
what does not work answers 3 after a time that says nothing. Not for: circuits of our own (``circuits.py``).
"""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.python.failure import Failure

from quantumgate import logs
from quantumgate.core.places import bare_address, may_lead_to
from quantumgate.core.relay.link import Link, Pipe, splice
from quantumgate.core.relay.links import CARRIER
from quantumgate.core.relay.quota import Quota
from quantumgate.core.relay.rate import CarriedRate
from quantumgate.errors import ConnectFailed, QuantumGateError
from quantumgate.ids import PeerUUID
from quantumgate.net.intake import TOKENLESS_SECONDS
from quantumgate.net.prefix import LOCAL
from quantumgate.node.connections import Connections
from quantumgate.node.contact import Contact, Desk
from quantumgate.node.dialling import Target, ways_to
from quantumgate.node.record_checks import RecordChecks, RecordRefused
from quantumgate.node.relay_accounts import RelayAccounts
from quantumgate.node.reservations import Anchorage
from quantumgate.node.world import World
from quantumgate.store.interface import IStore
from quantumgate.wire.codes import LinkCode
from quantumgate.wire.limits import Limits
from quantumgate.wire.link_frames import LinkEndpoint, LinkTarget, RelayTerms

Dial = Callable[..., Deferred[Contact]]
_log = logs.named("relay")

ROUND_SECONDS = 15.0
"""How often a relay looks for links that are over without a word."""

OUTLIVED_SECONDS = 600.0
"""What a link has beyond the life that its client was told: the client, who counts from later on, ends it first."""

LOOK_UPS_MAX = 4
"""Names of others that are looked up at a time: each holds one of the process's threads."""


class Carried:
    """One link that this node carries: both its halves and what went through. ``fail_at``: until when it is tried."""

    __slots__ = (
        "asked", "began_at", "carrier", "client", "counted_bytes", "fail_at", "failing", "onward", "pipes", "prefix",
        "target", "way",
    )  # fmt: skip

    def __init__(self, asked: Link, client: Contact, target: PeerUUID, prefix: str, now: float) -> None:
        self.asked, self.client, self.target, self.began_at = asked, client, target, now
        self.prefix, self.fail_at = prefix, now
        self.pipes: tuple[Pipe, ...] = ()
        self.onward: Link | None = None
        self.carrier: Contact | None = None
        self.counted_bytes = 0
        self.way: Deferred[Any] | None = None
        self.failing: Any = None

    @property
    def moved_bytes(self) -> int:
        """Both ways."""
        return sum(pipe.moved_bytes for pipe in self.pipes)

    @property
    def over(self) -> bool:
        """Whether nothing is held for it any more: what waits for one half outlives the other."""
        return self.asked.closed and (self.onward is None or self.onward.closed)

    def quiet_too_long(self, now: float, limits: Limits) -> bool:
        """Whether its silence is its end. A half whose other half is over has less time. [A32] [A37]"""
        if self.onward is None:
            return False
        halved = self.asked.closed or self.onward.closed
        still = now - max(self.asked.moved_at, self.onward.moved_at)
        return still >= (limits.link_grace_seconds if halved else limits.link_idle_seconds)

    def outlived(self, now: float, life_seconds: float) -> bool:
        """Whether it goes on after the life that was told when it began, and its client does not end it."""
        return 0 < life_seconds <= now - self.began_at - OUTLIVED_SECONDS

    def close(self, code: int) -> None:
        """Both halves, at once."""
        for half in (self.asked, self.onward):
            if half is not None:
                half.close(code)


class Relays:
    """One node's. ``own_addresses()`` lead back to us; ``dial(target, keep=, role=)`` makes sessions."""

    anchorage: Anchorage
    record_checks: RecordChecks
    """Both are set by whoever assembles the node."""

    accounts: RelayAccounts | None = None
    """Of a node that is a relay, once it runs."""

    def __init__(
        self,
        own: PeerUUID,
        world: World,
        limits: Limits,
        desk: Desk,
        connections: Connections,
        dial: Dial,
        *,
        enabled: bool,
        accepting: bool,
        allow_private: bool,
        rate_bytes_per_second: int = 0,
        own_addresses: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        self._own, self._world, self._limits, self._desk = own, world, limits, desk
        self._connections, self._dial, self._own_addresses = connections, dial, own_addresses
        self.enabled, self.accepting, self._allow_private = enabled, accepting or enabled, allow_private
        self.terms = RelayTerms(rate_bytes_per_second, limits.link_volume_prefix_bytes,
                                 int(limits.circuit_end_seconds))
        self.quota = Quota(limits)
        self.carried: set[Carried] = set()
        self.moved_bytes = 0
        self.refused: Counter[str] = Counter()
        self._carriers: dict[PeerUUID, list[Contact]] = {}
        self._rate = CarriedRate(rate_bytes_per_second, world.now()) if rate_bytes_per_second else None
        self._rate_call: Any = None
        self._round_call: Any = None
        self._look_ups = 0
        self._half_open = 0
        self._half_open_by: Counter[int] = Counter()
        self.handshakes: dict[_Handshake, None] = {}
        """Over links and under way, the oldest first."""

    # -- links that others want ----------------------------------------------------------------------------------

    def asked(self, contact: Contact, link: Link, target: LinkTarget) -> None:
        """LINK_CREATE in one of our sessions."""
        if link.closed:  # in the record that asked for it: nobody would tell us of its end any more
            return
        now = self._world.now()
        if not self.enabled or target.uuid == self._own:
            self._refuse(link, LinkCode.POLICY, "not a relay" if not self.enabled else "leads to ourselves")
            return
        prefix, exempt = self._client_of(contact)
        code = self.quota.refusal(prefix, now, exempt=exempt)
        if code is not None:
            self._refuse(link, code, "quota")
            if code == LinkCode.LIMIT:
                self._desk.links_refused(contact)
            return
        carried = Carried(link, contact, target.uuid, prefix, now)
        carried.fail_at = now + self._world.random.uniform(*self._limits.link_fail_seconds)
        self.carried.add(carried)
        link.on_closed = lambda _: self._half_ended(carried)
        self._round_later()
        way = carried.way = self._carrier(target, contact)
        way.addTimeout(carried.fail_at - now, self._world.clock)
        way.addCallbacks(self._carry, self._unreachable, callbackArgs=(carried,), errbackArgs=(carried,))

    def _client_of(self, contact: Contact) -> tuple[str, bool]:
        """Whose account pays: the prefix at the first hop; over links, whoever brought them."""
        prefix = getattr(contact.place, "prefix", LOCAL)
        return prefix, prefix == LOCAL

    def _refuse(self, link: Link, code: int, why: str) -> None:
        self.refused[why] += 1
        link.answer(code)

    def _half_ended(self, carried: Carried) -> None:
        """Counted until both halves are over: what waits for the second one is held until then."""
        if not carried.over:
            return
        self.carried.discard(carried)
        if carried.way is not None:
            carried.way.cancel()
        for call in (carried.failing, *(() if self.carried else (self._round_call, self._rate_call))):
            if call is not None and call.active():
                call.cancel()
        self.quota.ended(carried.prefix, carried.moved_bytes - carried.counted_bytes, self._world.now())
        self.moved_bytes += carried.moved_bytes

    def _carry(self, carrier: Contact, carried: Carried) -> None:
        link = carried.asked
        if link.closed:
            return
        try:
            onward = carrier.session.all_links.bring()
        except QuantumGateError as error:
            self._unreachable(Failure(error), carried)  # type: ignore[no-untyped-call]
            return
        link.answer(LinkCode.CONNECTED, self.terms)
        carried.pipes = splice(link, onward, None if self._rate is None else self._give_back)
        carried.onward, carried.carrier = onward, carrier
        for half in (link, onward):
            half.on_closed = partial(self._splice_ended, carried, half.on_closed)
        if carrier.protocol is not None:
            carrier.protocol.wake()

    def _splice_ended(self, carried: Carried, end_other: Callable[[int], None], code: int) -> None:
        end_other(code)
        self._half_ended(carried)

    def _unreachable(self, failure: Failure, carried: Carried) -> None:
        """Every reason looks alike from outside, in words and in time: a relay is no port scanner."""
        link = carried.asked
        if link.closed:
            return
        error = failure.value
        if not isinstance(error, QuantumGateError | CancelledError | DeferredTimeout):
            _log.failure("a link came to nothing by a mistake of ours", failure=failure)
        self.refused[error.reason if isinstance(error, ConnectFailed) else "unreachable"] += 1
        if isinstance(error, NowhereError | RecordRefused):
            link.answer(LinkCode.POLICY)
            return
        wait = max(0.0, carried.fail_at - self._world.now())
        carried.failing = self._world.clock.callLater(wait, link.answer, LinkCode.UNREACHABLE)

    # -- while they are carried ----------------------------------------------------------------------------------

    def _round_later(self) -> None:
        if self.carried and (self._round_call is None or not self._round_call.active()):
            self._round_call = self._world.clock.callLater(ROUND_SECONDS, self._round)

    def _round(self) -> None:
        """Ends links that nobody uses, that are too old, or whose client has used up its day."""
        now = self._world.now()
        for carried in list(self.carried):
            fresh = carried.moved_bytes - carried.counted_bytes
            carried.counted_bytes += fresh
            used_up = self.quota.moved(carried.prefix, fresh, now) and carried.prefix != LOCAL
            if used_up or carried.outlived(now, self.terms.lifetime_seconds):
                carried.close(LinkCode.LIMIT)
            elif carried.quiet_too_long(now, self._limits):
                carried.close(LinkCode.RESET)
        self.save_accounts()
        self._round_later()

    def keep_accounts(self, store: IStore) -> Deferred[None]:
        """What clients have had today counts over a restart. Fires when it is known."""
        self.accounts = RelayAccounts(self.quota, store, self._world)
        return self.accounts.recall()

    def save_accounts(self) -> None:
        """As they are now."""
        if self.accounts is not None:
            self.accounts.save()

    def _give_back(self, link: Link, count: int) -> None:
        """For a relay that goes no faster than it is told."""
        if self._rate is not None:
            self._rate.moved(link, count, self._world.now())
            self._release_later(self._rate)

    def _release_later(self, rate: CarriedRate) -> None:
        due = rate.due_in_seconds()
        if due is not None and (self._rate_call is None or not self._rate_call.active()):
            self._rate_call = self._world.clock.callLater(due, self._release, rate)

    def _release(self, rate: CarriedRate) -> None:
        self._rate_call = None
        rate.release(self._world.now())
        self._release_later(rate)

    # -- carriers ------------------------------------------------------------------------------------------------

    def _carrier(self, target: LinkTarget, client: Contact) -> Deferred[Contact]:
        """A session with the target that brings links: a standing one with room, or a new one."""
        if target.proof:
            return self._reserved(target)
        most = self._limits.links_carrier
        standing = [one for one in self._carriers.get(target.uuid, ()) if one.has_room_for_a_link(most)]
        if standing:
            return succeed(min(standing, key=lambda one: len(one.session.all_links.by_id)))
        if len(self._carriers.get(target.uuid, ())) >= self._limits.carriers_per_pair:
            return fail(ConnectFailed("limit", "every carrier to this relay is full"))
        prefix, exempt = self._client_of(client)
        if not exempt and not self.quota.new_address(prefix, self._world.now()):
            return fail(ConnectFailed("limit", "too many new addresses"))
        if not target.record:
            return self._carrier_at(target.uuid, target.endpoints)
        named = self.record_checks.endpoints(target, client)
        dialled: Deferred[Contact] = named.addCallback(partial(self._carrier_at, target.uuid, signed=True))
        return dialled

    def _carrier_at(
        self, uuid: PeerUUID, endpoints: tuple[LinkEndpoint, ...], *, signed: bool = False
    ) -> Deferred[Contact]:
        """A new session; ``signed`` = the peer itself names these places, ports below 1024 among them."""
        names = [one for one in endpoints if one.is_name]
        if not names:
            return self._dial_carrier(uuid, endpoints, signed)
        plain = tuple(one for one in endpoints if not one.is_name)
        dialled: Deferred[Contact] = self._looked_up(names).addCallback(
            lambda found: self._dial_carrier(uuid, (*plain, *found), signed)
        )
        return dialled

    def _looked_up(self, names: list[LinkEndpoint]) -> Deferred[tuple[LinkEndpoint, ...]]:
        """What the names stand for. A look-up holds a thread for as long as it takes, wanted or not."""
        if self._look_ups >= LOOK_UPS_MAX:
            return fail(ConnectFailed("limit", "too many names are being looked up"))
        self._look_ups += 1
        answer: Deferred[tuple[LinkEndpoint, ...]] = Deferred()
        self._world.elsewhere(_look_up, names).addBoth(self._look_up_over).chainDeferred(answer)
        return answer

    def _look_up_over(self, result: Any) -> Any:
        self._look_ups -= 1
        return result

    def _reserved(self, target: LinkTarget) -> Deferred[Contact]:
        """The session of a peer that reserved; to the client nothing tells why there is none. [A34]"""
        contact = self.anchorage.find(target)
        if contact is None or not contact.has_room_for_a_link(self._limits.links_carrier):
            return fail(ConnectFailed("unreachable", "no reservation, or not for this client"))
        return succeed(contact)

    def _dial_carrier(self, uuid: PeerUUID, endpoints: tuple[LinkEndpoint, ...], signed: bool) -> Deferred[Contact]:
        may_lead = partial(
            may_lead_to, allow_private=self._allow_private, own=frozenset(self._own_addresses()), signed=signed
        )
        allowed = [one for one in endpoints if may_lead(one.host, one.port)]
        if not allowed:
            return fail(NowhereError())
        ways = ways_to(self._world, tuple((one.host, one.port) for one in allowed))
        return self._dial(Target(f"carrier:{uuid}", uuid, None, ways), keep=False, role=CARRIER)

    def session_ready(self, contact: Contact) -> None:
        """A session that only carries links stands: ours to a target, or one that another relay or client made."""
        session = contact.session
        if session.role == CARRIER and contact.outbound:
            self._carriers.setdefault(session.peer.uuid, []).append(contact)
            contact.ended().addCallback(lambda _: self._carrier_ended(session.peer.uuid, contact))

    def _carrier_ended(self, uuid: PeerUUID, contact: Contact) -> None:
        carriers = self._carriers[uuid]
        carriers.remove(contact)
        if not carriers:
            del self._carriers[uuid]

    # -- links that end here -------------------------------------------------------------------------------------

    def arrived(self, contact: Contact, link: Link) -> None:
        """LINK_INCOMING: somebody's session with us, through relays."""
        if link.closed:  # see ``asked``
            return
        if not self.accepting:
            link.close(LinkCode.POLICY)
            return
        limits = self._limits
        over_all = self._half_open >= limits.half_open_links
        over_carrier = self._half_open_by[id(contact)] >= limits.half_open_carrier
        if (over_all or over_carrier) and not self._make_room(id(contact) if over_carrier else None):
            link.close(LinkCode.LIMIT)
            return
        relay = contact.session.peer
        where = f"through {relay.uuid}" if relay is not None else "through a relay"
        path = (relay.uuid,) if relay is not None else ()
        place = _Handshake(self, id(contact), self._world.now())
        inner = place.contact = Contact(self._desk, where, outbound=False, place=place, path=path)
        self._connections.arrive_over(inner, link)

    def _make_room(self, carrier: int | None) -> bool:
        """The oldest handshake (of this carrier) that has had its time and shows no token gives way. [A31]"""
        before = self._world.now() - TOKENLESS_SECONDS
        for one in self.handshakes:
            if one.since > before:
                return False
            if carrier in (None, one.carrier) and not one.known:
                one.give_way()
                return True
        return False

    def half_open(self, carrier: int, change: int) -> None:
        """Handshakes over links have a budget of their own. [A31]"""
        self._half_open += change
        self._half_open_by[carrier] += change
        if not self._half_open_by[carrier]:
            del self._half_open_by[carrier]


class NowhereError(ConnectFailed):
    """Every endpoint of a target is one that a relay does not dial."""

    def __init__(self) -> None:
        super().__init__("policy", "no endpoint that a relay may dial")


class _Handshake:
    """Counts one handshake over a link while it is half open; see ``contact.Counted``."""

    __slots__ = ("_open", "_relays", "carrier", "contact", "since")

    def __init__(self, relays: Relays, carrier: int, now: float) -> None:
        self._relays, self.carrier, self.since, self._open = relays, carrier, now, True
        self.contact: Contact | None = None
        relays.handshakes[self] = None
        relays.half_open(carrier, 1)

    @property
    def known(self) -> bool:
        """Whether it brought a token."""
        protocol = None if self.contact is None else self.contact.protocol
        return protocol is not None and protocol.connection.brought_token

    def give_way(self) -> None:
        """Its place is somebody else's."""
        contact = self.contact
        self._over()
        if contact is not None:
            contact.drop()

    def _over(self) -> None:
        if self._open:
            self._open, self.contact = False, None  # it has us as its place: no circle
            del self._relays.handshakes[self]
            self._relays.half_open(self.carrier, -1)

    def settled(self, *, named: bool = False) -> None:
        self._over()

    def draining(self, close: Callable[[], object]) -> None:
        """A failed handshake over a link reads on within its window; it stays counted until its timer is over."""

    def left(self) -> None:
        self._over()


def _look_up(names: list[LinkEndpoint]) -> tuple[LinkEndpoint, ...]:
    """Off the reactor thread: what the names stand for. A name that is none leads nowhere."""
    found: dict[LinkEndpoint, None] = {}
    for one in names:
        try:
            for *_, address in socket.getaddrinfo(one.host, one.port, type=socket.SOCK_STREAM):
                if bare_address(str(address[0])) is not None:
                    found[LinkEndpoint(str(address[0]), one.port)] = None
        except OSError:
            continue
    return tuple(found)[:8]
