"""The wiring: the only place that constructs the parts of a node and ties them together.

Read it from the top to see what a node consists of. Not for: behaviour. Tour: README, house.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IStreamServerEndpoint

from quantumgate import logs
from quantumgate.core.access.addresses import Address, address_of
from quantumgate.core.access.rules import PeerRule
from quantumgate.core.credit import CreditPool
from quantumgate.core.discovery.beacon import Seal
from quantumgate.core.handshake.settings import ExchangeKeys, HandshakeSettings
from quantumgate.core.overload import Ladder
from quantumgate.core.relay.path import Gateway
from quantumgate.core.replay import ReplayWindow
from quantumgate.core.schedule import network_secret
from quantumgate.core.session_settings import SessionSettings
from quantumgate.core.tokens import Tokens
from quantumgate.crypto.identity import Identity
from quantumgate.crypto.kdf import stretch_passphrase
from quantumgate.crypto.kem import kem
from quantumgate.crypto.secret import Secret
from quantumgate.crypto.suites import SECONDARIES
from quantumgate.errors import ConfigurationError, LocalError, QuantumGateError
from quantumgate.extender.host import ExtenderHost
from quantumgate.extender.registry import Registration, Registry, registered
from quantumgate.extender.services import SERVICES_UUID
from quantumgate.ids import PeerUUID, QgAddress
from quantumgate.net.intake import Intake
from quantumgate.net.keyfarm import KeyFarm
from quantumgate.net.keystock import KeyStock
from quantumgate.net.listener import Listener
from quantumgate.net.prefix import ip_of
from quantumgate.net.solving import Solver
from quantumgate.node.access import Access, about_of
from quantumgate.node.anchors import Anchors, key_of
from quantumgate.node.announced import AnnouncedGateways
from quantumgate.node.building import Builder
from quantumgate.node.circuits import Circuits
from quantumgate.node.clockwatch import ClockWatch
from quantumgate.node.conduct import Conduct
from quantumgate.node.connections import Connections
from quantumgate.node.data_directory import DataDirectory
from quantumgate.node.desk import FrontDesk
from quantumgate.node.dialling import Dialling, parse_target
from quantumgate.node.directly import DirectWays
from quantumgate.node.discovering import discovery_of, exchanges, is_findable, is_public, keeps_records
from quantumgate.node.discovery import Discovery
from quantumgate.node.enforcement import Enforcement
from quantumgate.node.given_records import GivenRecords
from quantumgate.node.heirs import Heirs
from quantumgate.node.inviting import Inviting
from quantumgate.node.joining import Joining, Ours
from quantumgate.node.keeper import Keeper
from quantumgate.node.key_life import KeyLife
from quantumgate.node.lan import LocalNetwork
from quantumgate.node.mapping import PortMapping
from quantumgate.node.memory import MemoryWatch
from quantumgate.node.names import Names
from quantumgate.node.own_record import RecordAuthor
from quantumgate.node.pairing import Pairing
from quantumgate.node.paths import Paths, gateway_of
from quantumgate.node.pins import Pins
from quantumgate.node.reach import Reachability
from quantumgate.node.reaching import Reaching
from quantumgate.node.recalling import Recalled, revealed
from quantumgate.node.record_checks import RecordChecks
from quantumgate.node.relays import Relays
from quantumgate.node.rendezvous import Rendezvous
from quantumgate.node.renewal import Renewal
from quantumgate.node.reservations import Anchorage
from quantumgate.node.state import State
from quantumgate.node.store_key import store_key_of
from quantumgate.node.turnstile import Turnstile
from quantumgate.node.twins import Twins
from quantumgate.node.world import World
from quantumgate.settings.loader import read_identity_passphrase, read_shared_secret
from quantumgate.settings.resolve import Resolved, resolve
from quantumgate.settings.schema import Settings
from quantumgate.store.interface import StoreError
from quantumgate.store.opening import database_at
from quantumgate.store.sealed import StoreKey
from quantumgate.wire.features import DIRECTORY, EXCHANGE, REACH
from quantumgate.wire.limits import (
    ANSWERS_PER_SECOND,
    DEFAULT_LIMITS,
    FIRST_FLIGHT_BYTES,
    PEER_RECORD_EXTENDERS,
    Limits,
)

_log = logs.named("node")


@dataclass(slots=True)
class Parts:
    """A running node's parts, from the ground up."""

    directory: DataDirectory
    identity: Identity
    state: State
    pins: Pins
    door: Enforcement
    farm: KeyFarm
    stock: KeyStock
    slow_groups: tuple[int, ...]
    replay: ReplayWindow
    desk: FrontDesk
    connections: Connections
    dialling: Dialling
    relays: Relays
    circuits: Circuits
    keeper: Keeper
    author: RecordAuthor
    given: GivenRecords
    host: ExtenderHost
    intake: Intake
    listeners: tuple[Listener, ...]
    clock_watch: ClockWatch
    memory: MemoryWatch
    discovery: Discovery | None
    pairing: Pairing
    lan: LocalNetwork | None
    reaching: Reaching | None

    def let_go(self, uuid: PeerUUID | None) -> None:
        """Ended by hand: nothing here calls this peer by itself, until somebody asks for it."""
        for part in (self.lan, self.discovery):
            if part is not None and uuid is not None:
                part.let_go(uuid)

    def take_back(self, uuid: PeerUUID | None) -> None:
        """Dialled by hand: whatever was said before."""
        for part in (self.lan, self.discovery):
            if part is not None and uuid is not None:
                part.take_back(uuid)

    @property
    def access(self) -> Access:
        """The rules."""
        return self.door.access

    @property
    def conduct(self) -> Conduct:
        """The scores."""
        return self.door.conduct


@dataclass(frozen=True, slots=True)
class Plan:
    """A checked configuration, ready to become a node: nothing in it can be wrong any more."""

    resolved: Resolved
    psk: Secret | None
    key_passphrase: Secret | None
    store_key: StoreKey | None
    endpoints: tuple[IStreamServerEndpoint, ...]
    gateways: tuple[Gateway, ...]
    anchors: tuple[Gateway, ...]
    registrations: tuple[Registration, ...]
    rules: tuple[PeerRule, ...]
    """The configuration's, about extenders by their UUIDs."""


def plan(settings: Settings, file: str, world: World, registry: Registry | None = None) -> Plan:
    """Checks all that can be checked without touching the data directory. Raises ConfigurationError, in one line."""
    resolved = resolve(settings, file)
    registry = registry or Registry(settings.extenders)
    try:
        registrations = registry.run()
    except ConfigurationError as error:
        raise ConfigurationError(f"{file}: {error}", advice=error.advice) from None
    for line in registry.configuration_errors():
        raise ConfigurationError(f"{file}: {line}")
    _check_findable(settings, registrations, file)
    _check_store(settings.node.store, file)
    endpoints = tuple(_server(world, file, number, one.endpoint) for number, one in enumerate(resolved.listen))
    shared = read_shared_secret(settings, file)
    network_id = settings.node.network.encode()
    psk = stretch_passphrase(shared, network_id) if isinstance(shared, str) else Secret(shared) if shared else None
    words = read_identity_passphrase(settings, file)
    key_passphrase = None if words is None else Secret(words.encode())
    store_key = store_key_of(settings, file, key_passphrase)
    gateways, anchors = (
        tuple(_gateway(world, file, f"{key}[{number}]", address) for number, address in enumerate(addresses))
        for key, addresses in (("gateways", settings.relay.gateways), ("anchors", settings.relay.anchors))
    )
    rules = tuple(_rule(rule, registrations, file) for rule in resolved.rules)
    return Plan(resolved, psk, key_passphrase, store_key, endpoints, gateways, anchors, registrations, rules)


def _rule(rule: PeerRule, registrations: tuple[Registration, ...], file: str) -> PeerRule:
    names = {row.name: row.uuid for row in registrations if row.uuid is not None}
    try:
        return replace(rule, about=about_of(rule.about, {**names, "services": SERVICES_UUID}))
    except LocalError as error:
        raise ConfigurationError(
            f'{file}: access.{rule.word}: expected connect, relay, reserve or an enabled extender in only, found '
            f'"{rule.about}"', advice=error.advice) from None


def _gateway(world: World, file: str, key: str, address: str) -> Gateway:
    try:
        return gateway_of(parse_target(address, world), QgAddress.parse(address).hosts)
    except QuantumGateError as error:
        raise ConfigurationError(
            f'{file}: relay.{key}: expected qg://UUID@host:port, found "{address}" ({error})'
        ) from None


def _check_findable(settings: Settings, registrations: tuple[Registration, ...], file: str) -> None:
    """Nobody is found by an extender who is not to be found at all; and a record names so many."""
    named = [row.name for row in registrations if row.findable]
    if named and not is_findable(settings):
        raise ConfigurationError(
            f"{file}: extenders.{named[0]}.findable: expected a node that is findable itself, found one that is not",
            advice="set discovery.findable = true, which needs discovery.exchange = true, discovery.lookup = true and "
                   "privacy.hops = 0",
        )
    if len(named) > PEER_RECORD_EXTENDERS:
        raise ConfigurationError(f"{file}: extenders.{named[PEER_RECORD_EXTENDERS]}.findable: expected at most "
                                 f"{PEER_RECORD_EXTENDERS} extenders that are, found {len(named)}")


def _check_store(url: str, file: str) -> None:
    """What only the store knows of its URL, and whether what it needs is installed."""
    try:
        database_at(url, Path())
    except StoreError as error:
        raise ConfigurationError(f"{file}: {error}", advice=error.advice) from None


def _server(world: World, file: str, number: int, text: str) -> IStreamServerEndpoint:
    try:
        return world.server(text)
    except Exception as error:  # endpoint parsers are plugins, and load keys: whatever they raise is about this key
        why = " ".join(str(error).split()) or type(error).__name__
        raise ConfigurationError(
            f'{file}: node.listen[{number}]: expected a Twisted endpoint string, found "{text}" ({why})'
        ) from None


def assemble(plan: Plan, directory: DataDirectory, recalled: Recalled, world: World, landlord: Any) -> Parts:
    """Everything, constructed and tied, nothing started. ``directory`` is locked. Raises LocalError.

    ``landlord`` is the node: ``extender.doors.Landlord``, ``clock_jumped``, and ``services``, its own guest.
    """
    resolved, limits, identity, state = plan.resolved, plan.resolved.limits, recalled.identity, recalled.state
    landlord.uuid = own = identity.public.uuid
    pins, node, door = Pins(state), resolved.settings.node, _door(plan, state, world)
    stock = KeyStock(world.clock)
    farm = KeyFarm(lambda group: kem(group).generate(), world.elsewhere)
    tokens = Tokens(world.random, world.now(), limits.token_seconds)
    strict = node.require_authentication
    desk = FrontDesk(own, world, limits, door.access, pins, farm.take, tokens, require_authentication=strict)
    handshakes = replace(handshake_settings(plan, identity, stock), least_serial=desk.least_serial)
    host = ExtenderHost(_guests(plan, landlord), landlord, recalled.spaces)
    replay = _replay(state, world, limits, budgeted=node.handshake_budget)
    memory = MemoryWatch(world, limits, lambda: desk.contacts, door.conduct.esteem)
    sessions, ladder = session_settings(resolved, world), _ladder(plan, world, desk, memory)
    connections = Connections(world, handshakes, sessions, replay, desk, host.uuids, tokens, ladder)
    dialling = Dialling(own, world, limits, desk, connections, door.access, pins)
    listeners = _listeners(plan, intake := _intake(world, limits, handshakes, door), connections)
    relays = _relays(plan, own, world, desk, connections, dialling, listeners)
    circuits = _circuits(plan, own, world, desk, connections, dialling, pins, state, listeners, landlord.services)
    keeper = Keeper(world, limits, circuits.reach)
    desk.guests, desk.keeper, desk.relays, desk.our_extenders = host, keeper, relays, host.uuids
    relays.anchorage = Anchorage(identity, world, limits, lambda: relays.enabled, relays.terms)
    desk.anchors = anchors = Anchors(own, world, plan.anchors, key_of(state, world.random) if plan.anchors else b"")
    desk.key_life, desk.twins = KeyLife(identity, world), Twins(world)
    _tie(door, plan, connections, desk, host, relays, circuits)
    parts = Parts(
        directory=directory,
        identity=identity,
        state=state,
        pins=pins,
        door=door,
        farm=farm,
        stock=stock,
        slow_groups=tuple(group for group in handshakes.lists.secondaries[:1] if SECONDARIES[group].slow),
        replay=replay,
        desk=desk,
        connections=connections,
        dialling=dialling,
        relays=relays,
        circuits=circuits,
        keeper=keeper,
        author=(author := _author(plan, identity, world, anchors, host)),
        given=(given := GivenRecords(world, handshakes.network_id, circuits.gateway, pins)),
        host=host,
        intake=intake,
        listeners=listeners,
        clock_watch=ClockWatch(world, limits.clock_jump_seconds, landlord.clock_jumped),
        memory=memory,
        discovery=_discovery(plan, own, world, desk, door, circuits, author, given, state, listeners),
        pairing=_pairing(plan, identity, world, desk, door, circuits, state, author, anchors, keeper, listeners),
        lan=_lan(plan, own, world, desk, door, circuits, listeners) if resolved.settings.discovery.lan else None,
        reaching=_reaching(plan, own, world, desk, connections, dialling, keeper, anchors, author, state, listeners),
    )
    parts.pairing.renewal = Renewal(parts, world, revealed(plan.key_passphrase), lambda: bool(landlord.running))
    return parts


def _guests(plan: Plan, landlord: Any) -> tuple[Registration, ...]:
    """Those of the configuration, and the node's own."""
    return (*plan.registrations, registered(landlord.services.maker(), None, "quantumgate"))


def _reaching(
    plan: Plan, own: PeerUUID, world: World, desk: FrontDesk, connections: Connections, dialling: Dialling,
    keeper: Keeper, anchors: Anchors, author: RecordAuthor, state: State, listeners: tuple[Listener, ...],
) -> Reaching | None:
    settings = plan.resolved.settings
    if not settings.discovery.reachability:
        return None
    anchors.make_key = partial(key_of, state, world.random)
    own_hosts, private = partial(_own_hosts, connections, listeners), settings.relay.allow_private
    reach = Reachability(
        own, world, plan.resolved.limits, dialling.connect, lambda: (one.bound for one in listeners if one.bound),
        own_hosts, allow_private=private,
    )
    hidden = bool(settings.privacy.hops)
    unnamed = settings.relay.automatic_anchors and settings.relay.accept_relayed and not settings.relay.anchors
    rendezvous = Rendezvous(world, anchors, desk.announced.with_contacts, lambda: bool(reach.confirmed()))
    directly = DirectWays(world, dialling.connect, keeper, reach.confirmed, desk.table.current, own_hosts,
                          allow_private=private)
    mapping = PortMapping(world, settings.discovery.router, lambda: (one.bound for one in listeners if one.bound),
                          reach.router_leads)
    desk.reaching = reaching = Reaching(
        reach, rendezvous if unnamed and not hidden and not settings.node.relay else None,
        None if hidden else directly, desk.ears, mapping if settings.discovery.port_mapping else None,
    )
    if not hidden or is_public(settings):  # a record goes further than those who dialled us, and know
        author.public_endpoints = reaching.endpoints
    return reaching


def _lan(
    plan: Plan, own: PeerUUID, world: World, desk: FrontDesk, door: Enforcement, circuits: Circuits,
    listeners: tuple[Listener, ...],
) -> LocalNetwork:
    settings = plan.resolved.settings
    prk0 = network_secret(settings.node.network.encode(), plan.psk)
    epoch = int.from_bytes(world.random.bytes(8), "big")
    return LocalNetwork(
        own, epoch, world, plan.resolved.limits, Seal(prk0, world.random), desk.table, door.access, circuits.reach,
        lambda: (one.bound for one in listeners if one.bound), dials=not settings.privacy.hops,
        notice=desk.notice_of_ourselves,
    )


def _pairing(
    plan: Plan, identity: Identity, world: World, desk: FrontDesk, door: Enforcement, circuits: Circuits,
    state: State, author: RecordAuthor, anchors: Anchors, keeper: Keeper, listeners: tuple[Listener, ...],
) -> Pairing:
    settings, secret, limits = plan.resolved.settings, plan.psk is not None, plan.resolved.limits
    network, names = settings.node.network, _names(desk, state, limits)
    desk.inviting = Inviting(identity.public, network.encode(), world, state, door.access, names, limits.invitations,
                             shared_secret=secret)
    ours = Ours(identity.public.uuid, network, secret)
    joining = Joining(ours, world, state, door.access, names, circuits.reach)
    heirs = Heirs(state, door.access, world.wall_seconds, desk.notice_of_ourselves)
    pairing = Pairing(names, heirs, desk.inviting, joining, author, anchors, keep=keeper.keep,
                      own_addresses=world.own_addresses, hops=settings.privacy.hops)
    pairing.listening = lambda: (one.bound for one in listeners if one.bound)
    return pairing


def _names(desk: FrontDesk, state: State, limits: Limits) -> Names:
    """What peers are called, shown by those that are connected from the moment it changes."""
    names = desk.names = Names(state, limits.petnames)

    def show(uuid: PeerUUID) -> None:
        for contact in desk.table.all_of(uuid):
            contact.peer.name = names.of(uuid)

    names.changed = show
    return names


def _discovery(
    plan: Plan, own: PeerUUID, world: World, desk: FrontDesk, door: Enforcement, circuits: Circuits,
    author: RecordAuthor, given: GivenRecords, state: State, listeners: tuple[Listener, ...],
) -> Discovery | None:
    return discovery_of(
        plan.resolved.settings, own, world, plan.resolved.limits, state, desk, door.access, door.conduct, circuits,
        author, given, lambda: (one.bound for one in listeners if one.bound),
    )


def _own_hosts(connections: Connections, listeners: tuple[Listener, ...]) -> tuple[str, ...]:
    """Addresses that lead to us: of our sockets so far, and of what listens."""
    return (*connections.own_hosts, *(one.host for one in listeners if one.host))


def _with_middles(plan: Plan, services: Any) -> bool:
    """Whether second hops are kept, too: where others can make us build circuits, and where it is asked for."""
    return plan.resolved.middle_guards or bool(plan.anchors) or bool(services.names)


def _circuits(
    plan: Plan, own: PeerUUID, world: World, desk: FrontDesk, connections: Connections, dialling: Dialling, pins: Pins,
    state: State, listeners: tuple[Listener, ...], services: Any,
) -> Circuits:
    limits = plan.resolved.limits
    paths = Paths(
        own, world, limits, state, plan.gateways, own_hosts=partial(_own_hosts, connections, listeners),
        own_anchors=[one.uuid for one in plan.anchors], with_middles=partial(_with_middles, plan, services),
        diverse=not plan.resolved.settings.relay.allow_private,
    )
    builder = Builder(world, limits, desk, connections, dialling.connect, pins)
    circuits = desk.circuits = Circuits(world, limits, paths, builder, dialling.connect)
    return circuits


def _ladder(plan: Plan, world: World, desk: FrontDesk, memory: MemoryWatch) -> Ladder:
    budgeted = plan.resolved.settings.node.handshake_budget
    ladder = Ladder(world.random, world.now(), plan.resolved.limits, budgeted=budgeted)
    ladder.full = lambda: memory.full or desk.full()
    desk.turnstile, desk.solver = Turnstile(world, ladder), Solver(world.clock)
    return ladder


def _relays(
    plan: Plan, own: PeerUUID, world: World, desk: FrontDesk, connections: Connections, dialling: Dialling,
    listeners: tuple[Listener, ...],
) -> Relays:
    node, relaying = plan.resolved.settings.node, plan.resolved.settings.relay
    relays = Relays(
        own, world, plan.resolved.limits, desk, connections, dialling.connect, enabled=node.relay,
        accepting=relaying.accept_relayed, allow_private=relaying.allow_private,
        rate_bytes_per_second=relaying.rate_bytes_per_second,
        own_addresses=partial(_own_hosts, connections, listeners),
    )
    relays.record_checks = RecordChecks(world, plan.resolved.limits, node.network.encode())
    relays.record_checks.least_serial = desk.least_serial
    return relays


def _author(plan: Plan, identity: Identity, world: World, anchors: Anchors, host: ExtenderHost) -> RecordAuthor:
    node, private = plan.resolved.settings.node, plan.resolved.settings.relay.allow_private
    author = RecordAuthor(identity, world, node.network.encode(), anchors, relay=node.relay, allow_private=private,
                          public=is_public(plan.resolved.settings))
    author.extenders = host.findable
    return author


def _intake(world: World, limits: Limits, handshakes: HandshakeSettings, door: Enforcement) -> Intake:
    large = handshakes.first_flight_bytes > FIRST_FLIGHT_BYTES
    intake = Intake(limits, world.clock, world.random, mceliece=large, gate=door)
    intake.did_good = lambda peer: (address := ip_of(peer)) is not None and door.conduct.score(address) > 0
    door.access.full = lambda address: intake.full(IPv4Address("TCP", str(address), 0))  # the counts read its text
    return intake


def _door(plan: Plan, state: State, world: World) -> Enforcement:
    resolved = plan.resolved
    access = Access(
        state, world, resolved.limits, default=resolved.settings.node.default_access, rules=plan.rules,
        filters=resolved.filters, prefix_limits=resolved.prefix_limits,
    )
    return Enforcement(access, Conduct(access.judge.reputation, state, world, resolved.limits), world)


def _tie(
    door: Enforcement, plan: Plan, connections: Connections, desk: FrontDesk, host: ExtenderHost, relays: Relays,
    circuits: Circuits,
) -> None:
    """What the rules are about, and what follows from them."""
    desk.anchorage, announced = relays.anchorage, AnnouncedGateways(door.access.names)
    desk.announced, circuits.paths.announced = announced, announced.gateways
    desk.twins.told = partial(desk.notice_of_ourselves, "twin")
    named = [gateway.hosts for gateway in (*plan.gateways, *plan.anchors)]
    configured = frozenset(address_of(host) for hosts in named for host, _ in hosts)

    def known_relay(address: Address) -> bool:
        told = (host for gateway in announced.gateways.values() for host, _ in gateway.hosts)
        return address in configured or any(address_of(host.strip("[]")) == address for host in told)

    door.access.extenders, door.access.relaying = host.names, lambda: relays.enabled or relays.accepting
    door.conduct.known_relay, connections.standing = known_relay, door.conduct.score
    door.contacts, door.carried = (lambda: desk.contacts), (lambda: relays.carried)
    door.unreserve, door.permissions_changed = relays.anchorage.forget, host.permissions_changed
    desk.conduct, desk.enforcement = door.conduct, door


def _listeners(plan: Plan, intake: Intake, connections: Connections) -> tuple[Listener, ...]:
    return tuple(
        Listener(one.endpoint, endpoint, intake, connections.arrive, lan=one.lan)
        for one, endpoint in zip(plan.resolved.listen, plan.endpoints, strict=True)
    )


def handshake_settings(plan: Plan, identity: Identity, keys: ExchangeKeys) -> HandshakeSettings:
    """What every handshake of this node is told; ``keys`` is where its ephemeral keys come from."""
    resolved = plan.resolved
    return HandshakeSettings(
        identity=identity,
        network_id=resolved.settings.node.network.encode(),
        psk=plan.psk,
        primaries=resolved.primaries,
        secondaries=resolved.secondaries,
        aeads=resolved.aeads,
        minimum_primaries=resolved.minimum_primaries,
        minimum_secondaries=resolved.minimum_secondaries,
        minimum_aeads=resolved.minimum_aeads,
        limits=resolved.limits,
        require_authentication=resolved.settings.node.require_authentication,
        keys=keys,
    )


def session_settings(resolved: Resolved, world: World) -> SessionSettings:
    """The pattern for every session of this process; ``instance`` tells it from the next one."""
    return SessionSettings(
        limits=resolved.limits,
        instance=int.from_bytes(world.random.bytes(8), "big"),
        compression=resolved.compression,
        padding=resolved.padding,
        features=(EXCHANGE,) * exchanges(resolved.settings) + (DIRECTORY,) * keeps_records(resolved.settings)
        + (REACH,) * resolved.settings.discovery.reachability,
        node_pool=CreditPool(resolved.limits.window_pool_node_bytes),
        link_pool=CreditPool(resolved.limits.link_pool_node_bytes, growth_share=1),
    )


def _replay(state: State, world: World, limits: Limits, *, budgeted: bool) -> ReplayWindow:
    """The CPU budget for answers is a share of a core; ``answers_per_second`` is what the default share comes to."""
    wall_ms = int(world.wall_seconds() * 1000)
    floor_ms = state.replay_floor_ms
    if floor_ms > wall_ms + limits.clock_window_seconds * 1000:
        _log.warn("the clock was set back by more than a day: the saved replay floor is dropped")
        floor_ms = 0
    rate = ANSWERS_PER_SECOND * limits.cpu_share / DEFAULT_LIMITS.cpu_share if budgeted else float("inf")
    return ReplayWindow(
        world.random.bytes(32), wall_ms, saved_floor_ms=floor_ms, answers_per_second=rate, limits=limits
    )
