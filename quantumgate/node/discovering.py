"""What finding peers is made of, put together where ``[discovery]`` asks for it. Read ``assemble.py`` first.

Not for: what it does (``discovery.py``). Spec: docs/spec/discovery.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from quantumgate.core.discovery.book import Book
from quantumgate.core.discovery.directory import Acquaintances, Directory
from quantumgate.core.discovery.positions import Charts
from quantumgate.core.discovery.strategy import Strategy
from quantumgate.core.peer_records import KnownRecord, network_of
from quantumgate.errors import LocalError
from quantumgate.ids import PeerUUID
from quantumgate.node.access import Access
from quantumgate.node.asking import Asking
from quantumgate.node.circuits import Circuits
from quantumgate.node.conduct import Conduct
from quantumgate.node.desk import FrontDesk
from quantumgate.node.dialling import DIRECT
from quantumgate.node.discovery import Discovery
from quantumgate.node.exchanging import Exchanging
from quantumgate.node.finding import Finding, keepers_known
from quantumgate.node.given_records import GivenRecords
from quantumgate.node.keeping import Keeping
from quantumgate.node.lookups import LookUps
from quantumgate.node.outbound import Outbound
from quantumgate.node.own_record import RecordAuthor
from quantumgate.node.state import State
from quantumgate.node.world import World
from quantumgate.settings.schema import Settings
from quantumgate.wire import directory_frames, exchange_frames
from quantumgate.wire.limits import Limits

SECRET_BYTES = 32


def is_public(settings: Settings) -> bool:
    """Whether anybody may be told where this node is: relays unless they say otherwise, others if they say so."""
    wish = settings.discovery.public
    return settings.node.relay if wish == "auto" else wish


def exchanges(settings: Settings) -> bool:
    """Whether this node takes part in exchange: who is public, unless it says otherwise; others if they say so."""
    wish = settings.discovery.exchange
    return is_public(settings) if wish == "auto" else wish


def looks_up(settings: Settings) -> bool:
    """Whether relays are asked where a peer is. Who hides behind relays does not ask them directly."""
    return settings.discovery.lookup and exchanges(settings) and not settings.privacy.hops


def is_findable(settings: Settings) -> bool:
    """Whether our record is left where whoever knows our UUID finds it."""
    wish = settings.discovery.findable
    return looks_up(settings) and (is_public(settings) if wish == "auto" else wish)


def keeps_records(settings: Settings) -> bool:
    """Whether this node keeps others' records: relays that are public do, for strangers may ask them anyway."""
    return looks_up(settings) and settings.node.relay and is_public(settings)


def connections_of(settings: Settings, limits: Limits) -> int:
    """How many it makes by itself. A node that dials through relays makes none: they would show where it is."""
    return 0 if settings.privacy.hops else min(settings.discovery.connections, limits.outbound)


def discovery_of(
    settings: Settings, own: PeerUUID, world: World, limits: Limits, state: State, desk: FrontDesk, access: Access,
    conduct: Conduct, circuits: Circuits, author: RecordAuthor, given: GivenRecords,
    listening: Callable[[], Iterable[str]],
) -> Discovery | None:
    """None where this node does not exchange: then nothing of it is there, and no peer is offered it."""
    if not exchanges(settings):
        return None
    book = Book(own, _secret(state, world), world.random, named=access.names,
                diverse=not settings.relay.allow_private, most_bytes=limits.book_bytes)
    exchanging = Exchanging(
        world, limits, network_of(settings.node.network.encode()), book, conduct, _own_record(author, listening),
        access.names, public=is_public(settings), hidden=bool(settings.privacy.hops),
    )
    exchanging.verified, exchanging.least_serial = partial(_heard, own, author, desk), desk.least_serial
    outbound = None
    if connections := connections_of(settings, limits):
        outbound = Outbound(world, book, desk.table, circuits.reach,
                            lambda known: given.at_endpoints(known, DIRECT), access.names)
        outbound.strategy = Strategy(
            book, world.random, limits, world.wall_seconds(), connections=connections,
            may_call=lambda uuid: access.decide(uuid).admitted, named=access.names,
        )
    discovery = desk.discovery = Discovery(world, state, book, exchanging, outbound, given, _why_not(access))
    desk.ears[exchange_frames.PEX_GET] = exchanging.question
    desk.ears[exchange_frames.PEX] = exchanging.told
    circuits.found = discovery.found
    if looks_up(settings):
        _finding_of(settings, own, world, limits, desk, circuits, author, given, listening, discovery)
    return discovery


def _finding_of(
    settings: Settings, own: PeerUUID, world: World, limits: Limits, desk: FrontDesk, circuits: Circuits,
    author: RecordAuthor, given: GivenRecords, listening: Callable[[], Iterable[str]], discovery: Discovery,
) -> None:
    """Look-ups, and being found."""
    network = network_of(settings.node.network.encode())
    charts = Charts(network)
    acquaintances = Acquaintances(charts)
    asking = Asking(world, limits, circuits.relay_to_ask)
    lookups = LookUps(
        own, world, limits, network, charts, acquaintances, asking,
        keepers_known(discovery.book, circuits.known, charts, own), _own_record(author, listening),
        findable=is_findable(settings), keeps=keeps_records(settings),
    )
    lookups.extenders, lookups.least_serial = author.extenders, desk.least_serial
    keeping = None
    if keeps_records(settings):
        keeping = Keeping(world, limits, Directory(charts, acquaintances, world.random, lookups.meet), network)
        keeping.least_serial = desk.least_serial
        desk.ears |= {directory_frames.FIND: keeping.question, directory_frames.LEAVE: keeping.left}
    desk.ears |= dict.fromkeys((directory_frames.FOUND, directory_frames.LEFT), asking.answered)
    discovery.finding = Finding(world, lookups, keeping, discovery.book, given)
    circuits.look_up = discovery.finding.look_up


def _heard(own: PeerUUID, author: RecordAuthor, desk: FrontDesk, known: KnownRecord) -> None:
    """A record that holds: a newer delegation in it counts from now on; one of ours may be another node's."""
    desk.record_heard(known)
    if known.identity.uuid == own and not author.wrote(known.record):
        desk.twins.seen("there is a record of it that this node did not write")


def _secret(state: State, world: World) -> bytes:
    if not state.book_key:
        state.book_key = world.random.bytes(SECRET_BYTES).hex()
        state.save_in_background()
    return bytes.fromhex(state.book_key)


def _own_record(author: RecordAuthor, listening: Callable[[], Iterable[str]]) -> Callable[[], bytes]:
    """Our own as it is now; b"" where it would name no way to us, or its key has run out."""
    def own() -> bytes:
        try:
            signed = author.current(listening())
        except LocalError:
            return b""
        return signed.encode() if signed.record.endpoints or signed.record.via else b""

    return own


def _why_not(access: Access) -> Callable[[PeerUUID], str]:
    def why_not(uuid: PeerUUID) -> str:
        decision = access.decide(uuid)
        return "" if decision.admitted else f"our own rules do not admit it: {decision.why}"

    return why_not
