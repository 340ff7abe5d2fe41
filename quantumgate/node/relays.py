"""This node as a relay, and as the end of links that relays bring. Spec: docs/spec/relays.md, 3 and 5. [A29] [A31]

A link leads into a session of ours with its target, never into a bare socket; what may not be answers 5 or 7 at once,
what does not work answers 3 after a time that says nothing. Not for: circuits of our own (``circuits.py``).
"""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.python.failure import Failure

from quantumgate import logs
from quantumgate.core.relay.link import Link, Pipe, splice
from quantumgate.core.relay.links import CARRIER
from quantumgate.core.relay.quota import Quota, bare_address, may_lead_to
from quantumgate.errors import ConnectFailed, QuantumGateError
from quantumgate.ids import PeerUUID
from quantumgate.net.prefix import LOCAL
from quantumgate.node.connections import Connections
from quantumgate.node.contact import Contact, Desk
from quantumgate.node.dialling import Target, Way
from quantumgate.node.world import World
from quantumgate.wire.codes import LinkCode
from quantumgate.wire.limits import Limits
from quantumgate.wire.link_frames import LinkEndpoint, LinkTarget, RelayTerms

Dial = Callable[..., Deferred[Contact]]
_log = logs.named("relay")


class Carried:
    """One link that this node carries: both its halves and what went through."""

    __slots__ = ("asked", "began_at", "carrier", "client", "pipes", "target")

    def __init__(self, asked: Link, client: Contact, target: PeerUUID, now: float) -> None:
        self.asked, self.client, self.target, self.began_at = asked, client, target, now
        self.pipes: tuple[Pipe, ...] = ()
        self.carrier: Contact | None = None

    @property
    def moved_bytes(self) -> int:
        """Both ways."""
        return sum(pipe.moved_bytes for pipe in self.pipes)


class Relays:
    """One node's. ``own_addresses()`` lead back to us; ``dial(target, keep=, role=)`` makes sessions."""

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
        self._terms = RelayTerms(rate_bytes_per_second, limits.link_volume_prefix_bytes,
                                 int(limits.circuit_end_seconds))
        self.quota = Quota(limits)
        self.carried: set[Carried] = set()
        self.moved_bytes = 0
        self.refused: Counter[str] = Counter()
        self._carriers: dict[PeerUUID, list[Contact]] = {}
        self._half_open = 0
        self._half_open_by: Counter[int] = Counter()

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
            return
        carried = Carried(link, contact, target.uuid, now)
        self.carried.add(carried)
        link.on_closed = lambda _: self._gave_up(carried, prefix)
        fail_at = now + self._world.random.uniform(*self._limits.link_fail_seconds)
        way = self._carrier(target, prefix, exempt)
        way.addTimeout(fail_at - now, self._world.clock)
        way.addCallbacks(
            self._carry, self._unreachable, callbackArgs=(carried, prefix), errbackArgs=(carried, fail_at)
        )

    def _client_of(self, contact: Contact) -> tuple[str, bool]:
        """Whose account pays: the prefix at the first hop; over links, whoever brought them."""
        prefix = getattr(contact.place, "prefix", LOCAL)
        return prefix, prefix == LOCAL

    def _refuse(self, link: Link, code: int, why: str) -> None:
        self.refused[why] += 1
        link.answer(code)

    def _gave_up(self, carried: Carried, prefix: str) -> None:
        self.carried.discard(carried)
        self.quota.ended(prefix, carried.moved_bytes, self._world.now())
        self.moved_bytes += carried.moved_bytes

    def _carry(self, carrier: Contact, carried: Carried, prefix: str) -> None:
        link = carried.asked
        if link.closed:
            return
        try:
            onward = carrier.session.all_links.bring()
        except QuantumGateError as error:
            self._unreachable(Failure(error), carried, self._world.now())  # type: ignore[no-untyped-call]
            return
        link.answer(LinkCode.CONNECTED, self._terms)
        carried.pipes, carried.carrier = splice(link, onward), carrier
        finish = link.on_closed

        def over(code: int) -> None:
            finish(code)
            self._gave_up(carried, prefix)

        link.on_closed = over
        if carrier.protocol is not None:
            carrier.protocol.wake()

    def _unreachable(self, failure: Failure, carried: Carried, fail_at: float) -> None:
        """Every reason looks alike from outside, in words and in time: a relay is no port scanner."""
        link = carried.asked
        error = failure.value
        self.refused[error.reason if isinstance(error, ConnectFailed) else "unreachable"] += 1
        if isinstance(error, NowhereError):
            link.answer(LinkCode.POLICY)
            return
        wait = max(0.0, fail_at - self._world.now())
        self._world.clock.callLater(wait, lambda: link.answer(LinkCode.UNREACHABLE))

    # -- carriers ------------------------------------------------------------------------------------------------

    def _carrier(self, target: LinkTarget, prefix: str, exempt: bool) -> Deferred[Contact]:
        """A session with the target that brings links: a standing one with room, or a new one."""
        standing = [one for one in self._carriers.get(target.uuid, ()) if _has_room(one, self._limits)]
        if standing:
            return succeed(min(standing, key=lambda one: len(one.session.all_links.by_id)))
        if len(self._carriers.get(target.uuid, ())) >= self._limits.carriers_per_pair:
            return fail(ConnectFailed("limit", "every carrier to this relay is full"))
        if not exempt and not self.quota.new_address(prefix, self._world.now()):
            return fail(ConnectFailed("limit", "too many new addresses"))
        names = [one for one in target.endpoints if one.is_name]
        if not names:
            return self._dial_carrier(target.uuid, target.endpoints)
        found = self._world.elsewhere(_look_up, names)
        plain = tuple(one for one in target.endpoints if not one.is_name)
        dialled: Deferred[Contact] = found.addCallback(
            lambda more: self._dial_carrier(target.uuid, (*plain, *more))
        )
        return dialled

    def _dial_carrier(self, uuid: PeerUUID, endpoints: tuple[LinkEndpoint, ...]) -> Deferred[Contact]:
        own = frozenset(self._own_addresses())
        allowed = [
            one for one in endpoints if may_lead_to(one.host, one.port, allow_private=self._allow_private, own=own)
        ]
        if not allowed:
            return fail(NowhereError())
        ways = tuple(Way(_text(one), _maker(self._world, one)) for one in allowed)
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
        if self._half_open >= limits.half_open_links or self._half_open_by[id(contact)] >= limits.half_open_carrier:
            link.close(LinkCode.LIMIT)
            return
        relay = contact.session.peer
        where = f"through {relay.uuid}" if relay is not None else "through a relay"
        path = (relay.uuid,) if relay is not None else ()
        inner = Contact(self._desk, where, outbound=False, place=_Handshake(self, id(contact)), path=path)
        self._connections.arrive_over(inner, link)

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

    __slots__ = ("_carrier", "_open", "_relays")

    def __init__(self, relays: Relays, carrier: int) -> None:
        self._relays, self._carrier, self._open = relays, carrier, True
        relays.half_open(carrier, 1)

    def _over(self) -> None:
        if self._open:
            self._open = False
            self._relays.half_open(self._carrier, -1)

    def settled(self) -> None:
        self._over()

    def draining(self, close: Callable[[], object]) -> None:
        """A failed handshake over a link reads on within its window; it stays counted until its timer is over."""

    def left(self) -> None:
        self._over()


def _has_room(contact: Contact, limits: Limits) -> bool:
    session = contact.session
    return not contact.over and session.ready and not session.closing and (
        session.links is None or len(session.links.by_id) < limits.links_carrier
    )


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


def _text(one: LinkEndpoint) -> str:
    return f"[{one.host}]:{one.port}" if ":" in one.host else f"{one.host}:{one.port}"


def _maker(world: World, one: LinkEndpoint) -> Callable[[], Any]:
    return lambda: world.host(one.host, one.port)
