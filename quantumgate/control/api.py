"""What the control socket asks of a node, and the shapes of its answers, whose JSON names are a contract with users.

Not for: how the bytes travel (``messages.py``), or what the numbers mean (the node). Told in docs/guide/operating.md.
Imports nothing heavy: qgate loads it on every call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from uuid import UUID

    from quantumgate.control.book_reports import BookEntryReport, BookReport
    from quantumgate.control.find_reports import FindReport, ProvidersReport
    from quantumgate.control.key_reports import KeyReport
    from quantumgate.ids import PeerUUID


class RelayReport(Struct, frozen=True, kw_only=True):
    """The sums of ``RelaysReport``, for ``status``; ``refused`` counts links that were not carried."""

    enabled: bool = False
    links: int = 0
    bytes: int = 0
    refused: int = 0


class CarriedReport(Struct, frozen=True, kw_only=True):
    """A link that this node carries for somebody: all that it knows of it.

    ``client`` is the neighbour before us, an address or ``through UUID``; ``target`` the UUID of the one behind us and
    ``endpoint`` its address, "" while it is being reached.
    """

    client: str
    target: str
    endpoint: str
    state: Literal["reaching", "carrying"]
    seconds: float
    bytes: int


class CircuitReport(Struct, frozen=True, kw_only=True):
    """A circuit of our own; ``path`` are its relays, nearest first, ``endpoint`` the address of the nearest.

    ``state``: ``running out`` = another one has taken its place, and it ends with what still runs on it.
    """

    peer: str
    path: Sequence[str]
    endpoint: str
    why: str
    seconds: float
    rtt_seconds: float | None
    bytes_sent: int
    bytes_received: int
    state: Literal["in use", "running out"] = "in use"


class GatewayReport(Struct, frozen=True, kw_only=True):
    """A gateway that circuits may take. One that failed lately is ``avoided`` for so many seconds, 0 = it is not.

    ``deaths``: circuits that it cost us within the hour, as far as can be told; after too many it is ``dropped`` for so
    many seconds, and ``why`` says so.
    """

    uuid: str
    hosts: Sequence[str]
    avoided_seconds: float
    deaths: float = 0.0
    dropped_seconds: float = 0.0
    why: str = ""


AnchorState = Literal["open", "asked", "refused", "not connected"]


class AnchorReport(Struct, frozen=True):
    """An anchor of this node: ``open`` = it keeps a way here, ``refused`` = it is no relay, or has no room for us."""

    uuid: str
    hosts: Sequence[str]
    state: AnchorState


class AnchorsBrief(Struct, frozen=True):
    """How many anchors are named, and how many of them keep a way to this node open."""

    named: int = 0
    open: int = 0


class RelaysReport(Struct, frozen=True, kw_only=True):
    """Links that are carried, circuits that were made, what was refused and failed, by reason; since the start."""

    enabled: bool = False
    accepting: bool = False
    carried: Sequence[CarriedReport] = ()
    carried_bytes: int = 0
    refused: Mapping[str, int] = {}
    circuits: Sequence[CircuitReport] = ()
    failed: Mapping[str, int] = {}
    gateways: Sequence[GatewayReport] = ()
    anchors: Sequence[str] = ()
    """Those that keep a way to this node open at the moment."""
    anchored_address: str = ""
    """How it is reached through them. Holds the rendezvous key: for whoever may know whether this node is online."""
    anchor_states: Sequence[AnchorReport] = ()
    reserved_here: Sequence[str] = ()
    """Peers that are reached through this node."""


class RecordReport(Struct, frozen=True, kw_only=True):
    """This node's signed record. ``record`` is its text, ``not_after`` unix time; ``anchors`` are UUIDs.

    With anchors it holds the rendezvous key: for whoever may know whether this node is online.
    """

    uuid: str
    record: str
    not_after: int
    endpoints: Sequence[str]
    anchors: Sequence[str]
    relay: bool


class ExtenderBrief(Struct, frozen=True, kw_only=True):
    name: str
    uuid: str
    state: str


class OverloadReport(Struct, frozen=True, kw_only=True):
    """The overload ladder. ``step`` 0 to 3, ``does`` what that means; ``used_share`` of the budget for handshakes.

    ``waiting`` handshakes wait for their turn; ``puzzle_bits`` of the puzzles that are given now, 0 = none are. The
    rest counts since the start: strangers that were given a puzzle, met silence, were refused because the node is full.
    ``held_bytes`` are held for peers, as counted by ``limits.memory_bytes``; ``sent_away`` sessions were ended for it.
    """

    step: int = 0
    does: str = ""
    used_share: float = 0.0
    waiting: int = 0
    puzzle_bits: int = 0
    puzzles: int = 0
    silenced: int = 0
    refused_busy: int = 0
    held_bytes: int = 0
    sent_away: int = 0


class PortMapReport(Struct, frozen=True, kw_only=True):
    """What came of ``discovery.port_mapping``. ``protocol`` and ``router``: who answered; ``outside``: its address on
    the Internet, as it says; ``ports`` of it lead here, as it says; ``confirmed``: places by which somebody came in."""

    enabled: bool = False
    protocol: str = ""
    router: str = ""
    outside: str = ""
    ports: Sequence[int] = ()
    confirmed: Sequence[str] = ()
    why: str = ""


class StatusReport(Struct, frozen=True, kw_only=True):
    """A node at one moment. ``phase`` is one word, ``reason`` why it is in it, ``advice`` what to do (may be empty)."""

    uuid: str
    version: str
    protocol: int
    phase: str
    reason: str
    advice: str
    uptime_seconds: float
    listening: Sequence[str]
    peers: int
    relay: RelayReport
    extenders: Sequence[ExtenderBrief]
    store: str
    public_endpoints: Sequence[str]
    fingerprint: str = ""
    network: str = ""
    connecting: Sequence[DialReport] = ()
    notices: Sequence[str] = ()
    overload: OverloadReport = OverloadReport()
    anchors: AnchorsBrief = AnchorsBrief()
    reachability: str = ""
    """Why strangers cannot dial this node, as far as is known; "" where they can, or nobody has said anything."""
    port_mapping: PortMapReport = PortMapReport()


class DialReport(Struct, frozen=True, kw_only=True):
    """A peer of ``[node] connect``, or a dial by hand, that is not up."""

    address: str
    phase: str
    reason: str
    advice: str
    retry_seconds: float | None = None


class AlgorithmsReport(Struct, frozen=True, kw_only=True):
    primary: str
    secondary: str
    symmetric: str
    hash: str
    compression: str
    signature: str


class PeerReport(Struct, frozen=True, kw_only=True):
    """One live session. ``uuid`` is None for an anonymous peer; ``path`` are the gateways between, nearest first."""

    uuid: str | None
    name: str
    endpoint: str
    direction: Literal["inbound", "outbound"]
    authenticated: bool
    relayed: bool
    path: Sequence[str]
    algorithms: AlgorithmsReport
    shared_secret: bool
    extenders: Sequence[str]
    connected_seconds: float
    rtt_seconds: float | None
    bytes_sent: int
    bytes_received: int
    key_epoch: int
    streams: int
    fingerprint: str = ""
    why: str = ""


class ExtenderReport(Struct, frozen=True, kw_only=True):
    """An installed or enabled extender. ``state`` is one word; ``reason`` says why it is not running.

    ``status`` is what the extender says of itself while it runs; its keys are its own.
    """

    name: str
    uuid: str
    version: str
    summary: str
    state: str
    reason: str = ""
    distribution: str = ""
    failures: int = 0
    peers: int = 0
    status: Mapping[str, Any] = {}


class RuleReport(Struct, frozen=True, kw_only=True):
    """A rule about a peer. ``only``: what it is about, "" = everything; ``until``: unix seconds, None = for ever."""

    peer: str
    word: str
    only: str
    made_by: str
    until: float | None = None
    name: str = ""


class FilterReport(Struct, frozen=True, kw_only=True):
    """A network that may dial, or with which there is no connection. ``kind`` is allow or block."""

    network: str
    kind: str
    made_by: str
    until: float | None = None


class PrefixLimitReport(Struct, frozen=True, kw_only=True):
    """Numbers for each network of one length; 0 = not limited."""

    prefix: str
    connections: int
    attempts: int
    links: int
    made_by: str


HeardState = Literal["connected", "dialling", "waiting", "listed"]


class HeardReport(Struct, frozen=True, kw_only=True):
    """A node that is heard on the local network, for so many seconds, and silent for so many since its last beacon.

    ``state``: ``waiting`` = it is dialled again later, ``listed`` = not at all; ``why`` says why in either case.
    """

    uuid: str
    endpoints: Sequence[str]
    state: HeardState
    why: str
    heard_seconds: float
    silent_seconds: float


class LanReport(Struct, frozen=True, kw_only=True):
    """The local network: what beacons leave from, who is heard, how many datagrams were not believed and why."""

    enabled: bool = False
    addresses: Sequence[str] = ()
    heard: Sequence[HeardReport] = ()
    dropped: Mapping[str, int] = {}


class AccessReport(Struct, frozen=True, kw_only=True):
    """``allow`` and ``deny`` are peer UUIDs: those of the configuration file and those given by hand.

    ``rules`` holds these and all others. ``made_by`` is configuration or hand.
    """

    default: str
    allow: Sequence[str]
    deny: Sequence[str]
    default_by: str = "configuration"
    rules: Sequence[RuleReport] = ()
    filters: Sequence[FilterReport] = ()
    limits: Sequence[PrefixLimitReport] = ()


class ScoreReport(Struct, frozen=True, kw_only=True):
    """A score. ``kind`` is address, network or peer; refused for so long at least, 0 = it is not."""

    of: str
    kind: str
    score: float
    refused_seconds: float


class AccessExplanation(Struct, frozen=True, kw_only=True):
    """The verdict that ``subject`` would get now. ``rule`` is a word for programs, ``why`` the sentence for people.

    ``made_by``: configuration, hand, built-in or conduct; ``until``: unix seconds at which a refusal ends by itself.
    """

    subject: str
    about: str
    admitted: bool
    rule: str
    why: str
    made_by: str
    until: float | None
    advice: str
    score: float
    name: str = ""


class SuccessionReport(Struct, frozen=True, kw_only=True):
    """An identity that passes itself on to another, verified. ``not_after`` is unix time.

    ``pinned``, ``name`` and ``rules`` (by hand, how many) are what the new one inherits here; ``configured``: the
    configuration names the old one, and stays as it is.
    """

    old_uuid: str
    old_fingerprint: str
    old_kind: str
    new_uuid: str
    new_fingerprint: str
    new_kind: str
    not_after: int
    pinned: bool
    name: str
    rules: int
    configured: bool
    taken: bool


class NameReport(Struct, frozen=True):
    """What a peer is called on this node."""

    name: str
    uuid: str


class InvitationReport(Struct, frozen=True, kw_only=True):
    """An invitation that this node made. ``id`` names it to ``revoke``; times are unix seconds.

    ``joined``: UUIDs of who came in by it; ``name``: what such a peer is called here; ``only`` as in rules.
    """

    id: str
    state: Literal["open", "used", "expired", "revoked"]
    made: int
    expires: int
    uses: int
    joined: Sequence[str]
    only: Sequence[str]
    name: str


class MadeInvitation(InvitationReport, frozen=True, kw_only=True):
    """The same with its text, which is told once, and what it says of this node."""

    invitation: str
    proposed_name: str
    endpoints: Sequence[str]
    anchors: Sequence[str]
    note: str = ""


class JoinReport(Struct, frozen=True, kw_only=True):
    """Who invited us: what it is called here, "" = nothing, and what it proposes; ``peer`` is its session."""

    uuid: str
    name: str
    proposed_name: str
    peer: PeerReport


class PingReport(Struct, frozen=True, kw_only=True):
    """One answered PING. ``path`` is empty for a direct peer."""

    uuid: str
    endpoint: str
    relayed: bool
    path: Sequence[str]
    rtt_seconds: float
    name: str = ""


class PingSummary(Struct, frozen=True, kw_only=True):
    """The sums of one ``qgate ping``. Times are None where nothing was answered."""

    target: str
    sent: int
    answered: int
    relayed: bool
    rtt_min_seconds: float | None
    rtt_median_seconds: float | None
    rtt_max_seconds: float | None

    @classmethod
    def of(cls, target: str, sent: int, times: Sequence[float], relayed: bool) -> PingSummary:
        ordered = sorted(times)
        if not ordered:
            return cls(target=target, sent=sent, answered=0, relayed=relayed, rtt_min_seconds=None,
                       rtt_median_seconds=None, rtt_max_seconds=None)
        middle = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
        return cls(target=target, sent=sent, answered=len(ordered), relayed=relayed, rtt_min_seconds=ordered[0],
                   rtt_median_seconds=middle, rtt_max_seconds=ordered[-1])


class ControlledAccess(Protocol):
    """``node.access``: rules by hand. The awaitables fire when a restart would know them too.

    ``only`` names capabilities and extenders, () = everything. Subjects are peers' UUIDs, addresses or networks.
    LocalErrors say what cannot be, and what to do.
    """

    def allow(self, uuid: UUID, only: Sequence[str] = ()) -> Awaitable[object]: ...
    def deny(self, uuid: UUID, only: Sequence[str] = ()) -> Awaitable[object]: ...
    def ban(self, subject: UUID | str, until: float | None = None, only: Sequence[str] = ()) -> Awaitable[object]: ...
    def unban(self, subject: UUID | str) -> Awaitable[object]: ...
    def remove(self, uuid: UUID, only: Sequence[str] = ()) -> Awaitable[object]: ...
    def set_default(self, word: str) -> Awaitable[object]: ...
    def add_filter(self, network: str, *, block: bool, until: float | None = None) -> Awaitable[object]: ...
    def remove_filter(self, network: str, *, block: bool) -> Awaitable[object]: ...
    def set_limit(self, prefix: str, connections: int, attempts: int, links: int) -> Awaitable[object]: ...
    def remove_limit(self, prefix: str) -> Awaitable[object]: ...
    def list(self) -> AccessReport: ...
    def explained(self, subject: str, about: str = "") -> AccessExplanation: ...


class ControlledReputation(Protocol):
    """``node.reputation``: scores. ``reset`` of "" forgets all."""

    def set(self, subject: str, score: float) -> None: ...
    def reset(self, subject: str) -> None: ...
    def list(self) -> Sequence[ScoreReport]: ...


class ControlledNames(Protocol):
    """``node.names``: what peers are called. The awaitables fire when a restart would know, too."""

    def report(self) -> Sequence[NameReport]: ...
    def peer(self, text: str) -> PeerUUID: ...
    def of(self, uuid: PeerUUID | None) -> str: ...
    def put(self, uuid: PeerUUID, text: str) -> Awaitable[object]: ...
    def forget(self, text: str) -> Awaitable[object]: ...


class JoinedPeer(Protocol):
    """Who invited us; ``name`` what it is called here now, ``proposed`` what it wants to be called."""

    @property
    def uuid(self) -> UUID: ...
    @property
    def name(self) -> str: ...
    @property
    def proposed(self) -> str: ...


class ControlledHeirs(Protocol):
    """``node.pairing.heirs``: LocalErrors say why a succession cannot be taken."""

    def look(self, text: str) -> SuccessionReport: ...
    def take(self, text: str) -> Awaitable[SuccessionReport]: ...


class ControlledRenewal(Protocol):
    """``node.pairing.renewal``: takes up the key that lies in the data directory, or says in a LocalError why not."""

    def look(self) -> Awaitable[KeyReport]: ...


class ControlledPairing(Protocol):
    """``node.pairing``: names, invitations made and used. LocalErrors and ConnectFailed say what cannot be, and why."""

    @property
    def names(self) -> ControlledNames: ...
    @property
    def heirs(self) -> ControlledHeirs: ...
    @property
    def renewal(self) -> ControlledRenewal: ...
    def invite(
        self, endpoints: Sequence[str], *, uses: int, seconds: float, only: Sequence[str], name: str, proposed: str
    ) -> Awaitable[MadeInvitation]: ...
    def invitations(self) -> Sequence[InvitationReport]: ...
    def revoke(self, text: str) -> Awaitable[InvitationReport]: ...
    def join(
        self, text: str, hops: int | None = None, via: Sequence[str] = (), *, name: str, take_name: bool
    ) -> Awaitable[JoinedPeer]: ...


class ConnectedPeer(Protocol):
    @property
    def uuid(self) -> UUID | None: ...


class ControlledNode(Protocol):
    """The part of a Node that the control socket calls, always on the reactor thread.

    Errors are QuantumGateErrors; a ConnectFailed's ``reason`` and ``advice`` travel to the operator. Awaitables may be
    Deferreds. ``connect`` takes a qg address, a bare UUID, an endpoint string or a record's text and fires when the
    session is up; ``hops`` None is the configured number, ``via`` names relays, ``keep`` makes it again when lost.
    ``disconnect`` raises LocalError where no such peer is connected. ``ping`` is one round trip and is called again for
    each of ``--count``: a peer that is not connected is dialled first; no answer is a ConnectFailed. ``streams_socket``
    is the path of the socket for services, "" where there is none. Where a UUID is asked for as text, and as an
    address, a name does, too.
    """

    @property
    def access(self) -> ControlledAccess: ...
    @property
    def reputation(self) -> ControlledReputation: ...
    @property
    def streams_socket(self) -> str: ...
    @property
    def pairing(self) -> ControlledPairing: ...
    def wall_seconds(self) -> float: ...
    def status(self) -> StatusReport: ...
    def peers_snapshot(self) -> Sequence[PeerReport]: ...
    def extenders_snapshot(self) -> Sequence[ExtenderReport]: ...
    def relays_snapshot(self) -> RelaysReport: ...
    def book_snapshot(self, uuid: UUID | None = None) -> BookReport | BookEntryReport: ...
    def find(self, uuid: UUID) -> Awaitable[FindReport]: ...
    def find_providers(self, extender: UUID) -> Awaitable[ProvidersReport]: ...
    def lan_snapshot(self) -> LanReport: ...
    def own_record(self, endpoints: Sequence[str] = ()) -> RecordReport: ...
    def connect(
        self, address: str, hops: int | None = None, via: Sequence[str] = (), *, keep: bool | None = None
    ) -> Awaitable[ConnectedPeer]: ...
    def disconnect(self, uuid: UUID) -> Awaitable[object]: ...
    def ping(self, target: str) -> Awaitable[PingReport]: ...
