"""A ControlledNode without a network: what the control socket and qgate are tried against."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import TestCase
from uuid import UUID

from msgspec.structs import replace
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from quantumgate.control.api import (
    AlgorithmsReport,
    DialReport,
    ExtenderBrief,
    ExtenderReport,
    InvitationReport,
    LanReport,
    MadeInvitation,
    OverloadReport,
    PeerReport,
    PingReport,
    PortMapReport,
    RecordReport,
    RelayReport,
    RelaysReport,
    StatusReport,
)
from quantumgate.control.book_reports import BookEntryReport, BookReport
from quantumgate.control.find_reports import FindReport, ProviderReport, ProvidersReport
from quantumgate.control.key_reports import KeyReport
from quantumgate.errors import ConnectFailed, LocalError
from quantumgate.ids import PeerUUID
from quantumgate.node.access import Access
from quantumgate.node.conduct import Conduct
from quantumgate.node.heirs import Heirs
from quantumgate.node.names import Names
from quantumgate.node.state import State
from quantumgate.wire.invitation_text import Invitation
from quantumgate.wire.limits import DEFAULT_LIMITS
from quantumgate.wire.link_frames import LinkEndpoint
from tests.node.remembering import recalled

ME = UUID("b9a1d3a4-7c1e-8100-9a1b-0c2d3e4f5a6b")
FRIEND = UUID("0b51a0f2-3c4d-8100-8888-000000000001")
STRANGER = UUID("0b51a0f2-3c4d-8100-8888-000000000002")
NO_ADDRESS = "nonsense"
FRIEND_ADDRESS = f"qg://{FRIEND}@192.0.2.7:9999"

ALGORITHMS = AlgorithmsReport(primary="X25519", secondary="ML-KEM-768", symmetric="AES-256-GCM", hash="SHA-512",
                              compression="lz4", signature="ed25519")


def short_directory(test: TestCase) -> Path:
    """A private directory for sockets: trial's own are too deep for the 107 bytes of a unix socket's path."""
    path = Path(tempfile.mkdtemp(prefix="qg"))
    test.addCleanup(shutil.rmtree, path)
    return path


def peer_report(uuid: UUID | None, connected_seconds: float = 12.5, *, relayed: bool = False) -> PeerReport:
    return PeerReport(
        uuid=None if uuid is None else str(uuid), name="", endpoint="tcp:192.0.2.7:9999", direction="outbound",
        authenticated=uuid is not None, relayed=relayed, path=(str(STRANGER),) if relayed else (),
        algorithms=ALGORITHMS, shared_secret=False,
        extenders=("echo",), connected_seconds=connected_seconds, rtt_seconds=0.0123, bytes_sent=1000,
        bytes_received=2_000_000, key_epoch=1, streams=2, why="we dialled it",
    )


FAKE_WALL_SECONDS = 1_800_000_000.0


def fake_access() -> Access:
    """The real rules over a state that is kept nowhere."""
    times: Any = SimpleNamespace(now=lambda: 0.0, wall_seconds=lambda: FAKE_WALL_SECONDS)
    access = Access(recalled(), times, DEFAULT_LIMITS, default="deny")
    access.extenders = lambda: {"echo": ME}
    return access


@dataclass
class FakePeer:
    uuid: UUID | None


INVITATION = Invitation(
    PeerUUID(FRIEND), bytes(32), b"network!", 1_900_000_000, bytes(20), name="friend",
    endpoints=(LinkEndpoint("192.0.2.7", 9999),),
)
"""Of the friend, which lets everybody in who has it."""


@dataclass
class FakeJoined:
    uuid: UUID
    name: str
    proposed: str


@dataclass
class FakeRenewal:
    """``refused``: why it takes no key."""

    taken: int = 0
    refused: str = ""

    def look(self) -> Deferred[KeyReport]:
        if self.refused:
            raise LocalError(self.refused)
        self.taken += 1
        return succeed(KeyReport(uuid=str(ME), serial=self.taken, taken=True))


@dataclass
class FakePairing:
    """Real names over a state that is kept nowhere; invitations that nobody keeps, and one that leads to the friend."""

    node: FakeNode
    state: State = field(default_factory=recalled)
    names: Names = field(init=False)
    heirs: Heirs = field(init=False)
    made: list[MadeInvitation] = field(default_factory=list)
    notices: list[tuple[str, str]] = field(default_factory=list)
    renewal: FakeRenewal = field(default_factory=FakeRenewal)

    def __post_init__(self) -> None:
        self.names = Names(self.state, 16)
        note = self.notices.append
        self.heirs = Heirs(self.state, self.node.access, self.node.wall_seconds, lambda *words: note(words))

    def invite(
        self, endpoints: Sequence[str] = (), *, uses: int, seconds: float, only: Sequence[str], name: str, proposed: str
    ) -> Awaitable[MadeInvitation]:
        if "nonsense" in endpoints:
            raise LocalError("expected host:port, found 'nonsense'")
        report = MadeInvitation(
            id=f"{len(self.made):08x}", state="open", made=int(FAKE_WALL_SECONDS),
            expires=int(FAKE_WALL_SECONDS + seconds), uses=uses, joined=(), only=list(only), name=name,
            invitation=INVITATION.text, proposed_name=proposed, endpoints=list(endpoints) or ["192.0.2.7:9999"],
            anchors=self.node.anchors, note="" if endpoints else "of this network only",
        )
        self.made.insert(0, report)
        return succeed(report)

    def invitations(self) -> Sequence[InvitationReport]:
        names = InvitationReport.__struct_fields__
        return [InvitationReport(**{name: getattr(one, name) for name in names}) for one in self.made]

    def revoke(self, text: str) -> Awaitable[InvitationReport]:
        found = [one for one in self.made if one.id.startswith(text)]
        if not found:
            raise LocalError(f"no invitation begins with {text!r}")
        self.made[self.made.index(found[0])] = gone = replace(found[0], state="revoked")
        return succeed(gone)

    def join(
        self, text: str, hops: int | None = None, via: Sequence[str] = (), *, name: str = "", take_name: bool = False
    ) -> Awaitable[FakeJoined]:
        self.node.asked.append((text, hops, list(via), take_name))
        if text != INVITATION.text:
            return fail(ConnectFailed("invitation-used", "192.0.2.7: this invitation was used", advice="ask again"))
        wanted = name or (INVITATION.name if take_name else "")
        if wanted:
            self.names.put(PeerUUID(FRIEND), wanted)
        self.node.connected.append(FRIEND)
        return succeed(FakeJoined(FRIEND, wanted, INVITATION.name))


@dataclass
class FakeNode:
    """Knows one friend. ``broken`` makes status raise what no node should."""

    access: Access = field(default_factory=fake_access)
    connected: list[UUID | None] = field(default_factory=list)
    relayed: bool = False
    broken: bool = False
    hangs: Deferred[FakePeer] | None = None
    pings_lost: set[int] = field(default_factory=set)
    pings: int = 0
    streams_socket: str = ""
    anchors: Sequence[str] = ()
    overload: OverloadReport = field(default_factory=OverloadReport)
    port_mapping: PortMapReport = field(default_factory=PortMapReport)
    relaying: RelaysReport = field(default_factory=RelaysReport)
    book: BookReport = field(default_factory=BookReport)
    neighbours: LanReport = field(default_factory=LanReport)
    pairing: FakePairing = field(init=False)
    asked: list[tuple[str, int | None, list[str], bool | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pairing = FakePairing(self)

    @property
    def reputation(self) -> Conduct:
        world: Any = SimpleNamespace(now=lambda: 0.0, wall_seconds=self.wall_seconds, clock=Clock())
        return Conduct(self.access.judge.reputation, recalled(), world,
                       DEFAULT_LIMITS)

    def wall_seconds(self) -> float:
        return FAKE_WALL_SECONDS

    def status(self) -> StatusReport:
        if self.broken:
            raise ZeroDivisionError("the inside of a bug")
        waiting = DialReport(address=FRIEND_ADDRESS, phase="waiting", reason="connection refused",
                             advice="is it running?", retry_seconds=4.0)
        return StatusReport(
            uuid=str(ME), version="0.1.0", protocol=1, phase="up", reason="listening", advice="", uptime_seconds=3723.5,
            listening=("tcp:9999",), peers=len(self.connected), relay=RelayReport(),
            extenders=(ExtenderBrief(name="echo", uuid=str(ME), state="running"),), store="memory",
            public_endpoints=(), connecting=() if self.connected else (waiting,), overload=self.overload,
            port_mapping=self.port_mapping,
        )

    def peers_snapshot(self) -> Sequence[PeerReport]:
        return [replace(peer_report(uuid, relayed=self.relayed), name=self.pairing.names.of(uuid))
                for uuid in self.connected]

    def extenders_snapshot(self) -> Sequence[ExtenderReport]:
        return [
            ExtenderReport(name="echo", uuid=str(ME), version="1.0", summary="Sends back what it gets", state="running",
                           distribution="quantumgate-echo", peers=len(self.connected)),
            ExtenderReport(name="odd", uuid="", version="2", summary="", state="failed", reason="raised at import"),
        ]

    def book_snapshot(self, uuid: UUID | None = None) -> BookReport | BookEntryReport:
        if uuid is None:
            return self.book
        if uuid != FRIEND:
            raise LocalError(f"the book knows nothing of {uuid}")
        return BookEntryReport(
            uuid=str(FRIEND), endpoints=["192.0.2.7:9999"], anchors=[], relay=True, public=True, named=False,
            tried=True, made=1_800_000_000, not_after=1_800_021_600, reached=1_800_000_100, failures=2,
            source="4:c633", groups=["4:c000"], two_faced=False, why_not_called="it is connected",
        )

    def find(self, uuid: UUID) -> Deferred[FindReport]:
        found = uuid == FRIEND
        return succeed(FindReport(
            uuid=str(uuid), found=found, end="found" if found else "nobody knows it", asked=12, answered=11,
            seconds=0.82, endpoints=["192.0.2.7:9999"] if found else [], record="qgr:AAAA" if found else "",
            advice="" if found else "it is offline",
        ))

    def find_providers(self, extender: UUID) -> Deferred[ProvidersReport]:
        found = [
            ProviderReport(uuid=str(FRIEND), age_seconds=125.0, endpoints=["192.0.2.7:9999"], record="qgr:AAAA"),
            ProviderReport(uuid=str(STRANGER), age_seconds=5.0, anchors=[str(FRIEND)], record="qgr:BBBB"),
        ] if extender == ME else []
        return succeed(ProvidersReport(
            extender=str(extender), found=bool(found), end="found" if found else "nobody knows it", asked=12,
            answered=11, seconds=0.82, providers=found, advice="" if found else "nobody who runs it",
        ))

    def relays_snapshot(self) -> RelaysReport:
        return self.relaying

    def lan_snapshot(self) -> LanReport:
        return self.neighbours

    def own_record(self, endpoints: Sequence[str] = ()) -> RecordReport:
        if "nonsense" in endpoints:
            raise LocalError("expected host:port, found 'nonsense'")
        return RecordReport(uuid=str(ME), record="qgr:AAAA", not_after=1_900_000_000, endpoints=list(endpoints),
                            anchors=self.anchors, relay=False)

    def connect(
        self, address: str, hops: int | None = None, via: Sequence[str] = (), *, keep: bool | None = None
    ) -> Awaitable[FakePeer]:
        self.asked.append((address, hops, list(via), keep))
        if self.hangs is not None:
            return self.hangs
        if address == NO_ADDRESS:
            return fail(ConnectFailed("bad-address", f"{address}: not an endpoint"))
        if str(FRIEND) not in address:
            return fail(ConnectFailed("no-answer", f"nobody answered at {address}", advice="is the UUID right?"))
        self.connected.append(FRIEND)
        return succeed(FakePeer(FRIEND))

    def disconnect(self, uuid: UUID) -> Awaitable[object]:
        if uuid not in self.connected:
            raise LocalError(f"{uuid} is not connected")
        self.connected.remove(uuid)
        return succeed(None)

    def ping(self, target: str) -> Awaitable[PingReport]:
        if target == NO_ADDRESS:
            return fail(ConnectFailed("bad-address", f"{target}: not an endpoint"))
        self.pings += 1
        if str(FRIEND) not in target or self.pings in self.pings_lost:
            return fail(ConnectFailed("no-answer", f"nobody answered at {target}", advice="is it running?"))
        return succeed(PingReport(uuid=str(FRIEND), endpoint="tcp:192.0.2.7:9999", relayed=self.relayed,
                                  path=(str(STRANGER),) if self.relayed else (), rtt_seconds=0.001 * self.pings))
