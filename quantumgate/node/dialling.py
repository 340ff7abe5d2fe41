"""From the text of an address to a session: what it names, the ways to it raced, one dial at a time for each peer.

Not for: trying again (``keeper.py``) or what happens on a connection (``contact.py``). Spec: docs/spec/dialling.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import Any
from uuid import UUID

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.python.failure import Failure

from quantumgate.core.access.addresses import address_of
from quantumgate.core.access.decision import Decision
from quantumgate.core.access.rules import CONNECT, RELAY
from quantumgate.core.relay.path import Gateway
from quantumgate.crypto.identity import parse_fingerprint
from quantumgate.errors import ConnectFailed, LimitError, LocalError
from quantumgate.ids import PeerUUID, QgAddress, host_text, parse_peer_uuid
from quantumgate.net.dialer import dial, unreachable
from quantumgate.net.doorway import Lost
from quantumgate.net.protocol import PeerProtocol
from quantumgate.net.racing import AllFailed, Race
from quantumgate.node import dialwords
from quantumgate.node.access import Access
from quantumgate.node.connections import Connections
from quantumgate.node.contact import ROLE_PEER, Contact
from quantumgate.node.desk import FrontDesk
from quantumgate.node.pins import Pins
from quantumgate.node.world import World
from quantumgate.wire.limits import Limits
from quantumgate.wire.reservation_frames import Grant

ADDRESSES_REMEMBERED = 256
"""Addresses that need not be parsed again at the next dial."""

ADDRESS_ADVICE = "give qg://UUID@host:port instead of the UUID, or make it known first: qgate connect ADDRESS|RECORD"

UNADDRESSED_ADVICE = (
    "an address without a UUID works on one machine, with a shared secret, or where the listener has lan = true; "
    "else dial qg://UUID@host:port"
)


@dataclass(frozen=True, slots=True)
class Way:
    """One way to a peer: its text for people, and what makes the endpoint (ValueError for a bad string).

    ``host``: the host of a qg address, where there is one.
    """

    text: str
    endpoint: Callable[[], IStreamClientEndpoint]
    host: str = ""


@dataclass(frozen=True, slots=True)
class Route:
    """How a peer is to be reached: through ``hops`` relays, or exactly those of ``via``. ``why``: whose wish it is."""

    hops: int = 0
    via: tuple[PeerUUID, ...] = ()
    why: str = field(default="", compare=False)

    @property
    def direct(self) -> bool:
        """No relays at all."""
        return not self.hops and not self.via

    def __str__(self) -> str:
        return " via " + ",".join(map(str, self.via)) if self.via else f" through {self.hops}" if self.hops else ""


DIRECT = Route()


def route_of(hops: int | None, via: Any, default_hops: int) -> Route:
    """What a caller asks for; ``hops`` None = the default. Raises LocalError for a ``via`` that names no peers."""
    if via:
        several = via.split(",") if isinstance(via, str) else (via,) if isinstance(via, UUID) else tuple(via)
        relays = tuple(parse_peer_uuid(str(one).strip()) for one in several)
        return Route(len(relays), relays, "through the relays that were named")
    if hops is not None:
        return Route(hops, why=f"{hops} relay{'s' if hops > 1 else ''} asked for") if hops else DIRECT
    return Route(default_hops, why=f"privacy.hops = {default_hops}") if default_hops else DIRECT


@dataclass(frozen=True, slots=True)
class Target:
    """What an address names. ``uuid`` is None for an endpoint string; ``hosts`` are those of a qg address.

    ``anchors`` = through one of which it is reached, for who has the ``rendezvous_key``; ``vouchers`` = what they
    signed about it. ``record`` = its signed record, where the last relay needs that. ``otherwise`` = where to reach it
    if this fails. ``prove`` makes the last TLVs of our SESSION, for who is to see an invitation. ``asks``: a relay that
    is asked something (``contact.py``).
    """

    address: str
    uuid: PeerUUID | None
    fingerprint: bytes | None
    ways: tuple[Way, ...]
    hosts: tuple[tuple[str, int], ...] = ()
    route: Route = DIRECT
    anchors: tuple[Gateway, ...] = ()
    rendezvous_key: bytes = field(default=b"", repr=False)
    vouchers: tuple[tuple[PeerUUID, Grant], ...] = field(default=(), repr=False)
    record: bytes = field(default=b"", repr=False)
    otherwise: Target | None = None
    prove: Callable[[bytes], bytes] | None = field(default=None, repr=False)
    asks: bool = False
    key: str = field(init=False)
    """One dial at a time, and one connection that is kept, for each of these."""

    @property
    def bare(self) -> bool:
        """Whether it is a UUID and nothing else."""
        return self.uuid is not None and not (self.ways or self.hosts or self.anchors or self.otherwise or self.prove)

    def __post_init__(self) -> None:
        named = self.address if self.uuid is None else str(self.uuid)
        object.__setattr__(self, "key", f"{named}{self.route}{' with an invitation' if self.prove else ''}")


def parse_target(address: str, world: World, route: Route = DIRECT) -> Target:
    """A qg address, a bare UUID or a Twisted endpoint string. Raises ConnectFailed for what is none of them."""
    named = _named(address)
    if named is None:
        return Target(address, None, None, (Way(address, lambda: world.client(address)),), route=route)
    fingerprint = parse_fingerprint(named.fingerprint) if named.fingerprint else None
    ways = ways_to(world, named.hosts)
    if named.anchors:
        return _behind_anchors(address, named, fingerprint, route)
    return Target(address, named.uuid, fingerprint, ways, named.hosts, route)


def _behind_anchors(address: str, named: QgAddress, fingerprint: bytes | None, route: Route) -> Target:
    """A peer that cannot be dialled."""
    anchors = tuple(
        Gateway(one.uuid, one.hosts, parse_fingerprint(one.fingerprint) if one.fingerprint else None)
        for one in named.anchors
    )
    shown = address.partition("?")[0]
    return Target(shown, named.uuid, fingerprint, (), (), through_an_anchor(route), anchors,
                  parse_fingerprint(named.key))


THROUGH_ANCHOR = "through its anchor"
"""Why there is a relay that nobody asked for."""


def through_an_anchor(route: Route) -> Route:
    """Who did not ask for relays gets the one that has to be."""
    return Route(1, why=THROUGH_ANCHOR) if route.direct else route


@lru_cache(ADDRESSES_REMEMBERED)
def _named(address: str) -> QgAddress | None:
    try:
        named = QgAddress.parse(address)
        for text in (named.fingerprint, named.key, *(one.fingerprint for one in named.anchors)):
            parse_fingerprint(text) if text else None
    except (LocalError, ValueError) as error:
        if address.startswith("qg://"):
            raise ConnectFailed("bad-address", str(error), advice="an address is qg://UUID@host:port") from None
        return None
    return named


def ways_to(world: World, hosts: Iterable[tuple[str, int]]) -> tuple[Way, ...]:
    """One for each host and port."""
    return tuple(Way(host_text(host, port), partial(world.host, host, port), host) for host, port in hosts)


class Dialling:
    """One node's dials."""

    def __init__(
        self,
        own: PeerUUID,
        world: World,
        limits: Limits,
        desk: FrontDesk,
        connections: Connections,
        access: Access,
        pins: Pins,
    ) -> None:
        self._own, self._world, self._limits = own, world, limits
        self._desk, self._connections, self._access, self._pins = desk, connections, access, pins
        self._under_way: dict[str, tuple[Deferred[Contact], list[Deferred[Contact]]]] = {}

    def connect(self, target: Target, *, keep: bool, role: int = ROLE_PEER) -> Deferred[Contact]:
        """The contact with this peer, the present one or a new one. Fails with ConnectFailed or LimitError.

        A session of another role, which carries links only, is always a new one; so is one for an invitation.
        """
        sought = target.uuid if role == ROLE_PEER and target.prove is None else None
        present = None if sought is None else self._desk.table.current(sought)
        if present is not None:
            return succeed(present)
        try:
            self._check(target, CONNECT if role == ROLE_PEER else RELAY)
        except (LocalError, ConnectFailed) as error:
            return fail(error)
        key = target.key if role == ROLE_PEER else _key_of_carrier(target, role)
        waiter: Deferred[Contact] = Deferred(lambda gone: self._gave_up(key, gone))
        if key in self._under_way:
            self._under_way[key][1].append(waiter)
            return waiter
        race: Race[Contact] = Race(
            [self._attempt(target, way, keep, role) for way in target.ways], self._world.clock, discard=_keep_it
        )
        result = race.run()
        self._under_way[key] = (result, [waiter])
        result.addBoth(self._over, target, key)
        return waiter

    def _check(self, target: Target, about: str) -> None:
        if target.uuid == self._own:
            raise ConnectFailed("self", "this is me", advice="the address names this node itself")
        if not target.ways:
            raise ConnectFailed("no-address", f"no address is known for {target.uuid}", advice=ADDRESS_ADVICE)
        if target.uuid is not None:
            decision = self._access.decide(target.uuid, about, dialled=True)
            if not decision.admitted:
                raise ConnectFailed("denied", f"our own rules do not admit {target.uuid}: {decision.why}",
                                    advice=decision.advice)
            pinned = self._pins.of(target.uuid)
            if pinned is not None and target.fingerprint not in (None, pinned):
                raise ConnectFailed("pin", "the address names another key than the one that is pinned for this UUID",
                                    advice="ask its owner in person which fingerprint is right")
        if self._desk.table.sessions >= self._limits.sessions:
            raise LimitError("sessions", self._limits.sessions)

    def _attempt(self, target: Target, way: Way, keep: bool, role: int) -> Callable[[], Deferred[Contact]]:
        def start() -> Deferred[Contact]:
            contact = Contact(self._desk, way.text, outbound=True, dialled=target.address, keep=keep, role=role,
                              why=target.route.why, prove=target.prove)
            contact.asks = target.asks
            blocked = self._access.filtered(address_of(way.host.strip("[]")), outbound=True)
            if blocked is not None:
                error = ConnectFailed("denied", _blocked(way.text, blocked), advice=blocked.advice)
                contact.dial_failed(error)
                return contact.result
            try:
                endpoint = way.endpoint()
            except (ValueError, TypeError) as error:
                why = f"{way.text}: not an endpoint that can be dialled: {error}"
                advice = "an endpoint is tcp:HOST:PORT, tls:HOST:PORT or unix:PATH"
                contact.dial_failed(ConnectFailed("bad-address", why, advice=advice))
                return contact.result
            self._open(contact, target, endpoint)
            return contact.result

        return start

    def _open(self, contact: Contact, target: Target, endpoint: IStreamClientEndpoint) -> None:
        pin, replaces = target.fingerprint, b""
        if target.uuid is not None:
            pin = pin or self._pins.of(target.uuid)
            replaces = self._desk.last_sid.get(target.uuid, b"")
        contact.connecting = dial(
            endpoint,
            lambda transport: self._meet(contact, target.uuid, pin, replaces, transport),
            clock=self._world.clock,
            seconds=self._limits.dial_seconds,
        )
        contact.connecting.addCallbacks(lambda _: _connected(contact), self._unreachable, errbackArgs=(contact,))

    def _meet(
        self, contact: Contact, target: PeerUUID | None, pin: bytes | None, replaces: bytes, transport: Any
    ) -> tuple[PeerProtocol, Lost]:
        """Not a byte goes to an address that is blocked; of a name the address is known only now."""
        pump, lost = self._connections.depart(contact, target, pin, replaces, transport)
        blocked = self._access.filtered(contact.address, outbound=True)
        if blocked is not None:
            contact.explain = lambda event: replace(event, reason="denied", text=_blocked(contact.where, blocked),
                                                    advice=blocked.advice)
            pump.connection.close(now=self._world.now(), graceful=False)
        return pump, lost

    def _unreachable(self, failure: Failure, contact: Contact) -> None:
        contact.connecting = None
        sentence = dialwords.silence(contact.where, self._desk.clock_off_seconds)
        contact.dial_failed(unreachable(failure, contact.where, sentence))

    def _over(self, result: Any, target: Target, key: str) -> None:
        waiters = self._under_way.pop(key)[1]
        for waiter in waiters:
            if isinstance(result, Failure):
                waiter.errback(self._worded(result, target))
            else:
                waiter.callback(result)

    def _worded(self, failure: Failure, target: Target) -> BaseException:
        error = failure.value
        if not isinstance(error, AllFailed):
            return ConnectFailed("cancelled", "the dial was given up")
        told = [each.value for each in error.failures if isinstance(each.value, ConnectFailed)]
        if not told:
            return error.failures[0].value or error
        worst = dialwords.most_telling(told)
        if target.uuid is None and worst.reason == "no-answer" and not self._connections.shared_secret:
            worst.advice = UNADDRESSED_ADVICE
        return worst

    def _gave_up(self, key: str, waiter: Deferred[Contact]) -> None:
        """The dial goes on while somebody waits for it."""
        if key in self._under_way:
            race, waiters = self._under_way[key]
            waiters.remove(waiter)
            if not waiters:
                race.cancel()

    def stop(self) -> None:
        """Gives up every dial."""
        for race, _ in list(self._under_way.values()):
            race.cancel()


def _blocked(where: str, decision: Decision) -> str:
    return f"our own rules forbid connections with {where}: {decision.why}"


def _key_of_carrier(target: Target, role: int) -> str:
    """With the addresses, which a stranger chose: where his lead nowhere, others must not wait for his dial."""
    return f"{target.key} as {role} at {','.join(way.text for way in target.ways)}"


def _connected(contact: Contact) -> None:
    contact.connecting = None


def _keep_it(contact: Contact) -> None:
    """A contact that is given up closes itself when its session comes; the standing one must not be touched."""
