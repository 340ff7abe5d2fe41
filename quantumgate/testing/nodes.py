"""Nodes in memory on a fake clock: real handshakes, real sessions, real extenders, no sockets, no waiting.

For authors of extenders, and for simulations of many nodes. ``pair`` gives two that are connected:

    nodes = pair(my_maker)
    nodes.left.host("mine").send(nodes.left.peer(nodes.right), b"hello")
    nodes.settle()
    nodes.right.guest("mine")       # has received it

Not for: access rules, configuration, reconnecting: those are the node's (``quantumgate.node``). Everybody is admitted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from twisted.internet.defer import Deferred, fail, succeed

from quantumgate.control.find_reports import ProviderReport, ProvidersReport
from quantumgate.core.connection import Connection
from quantumgate.core.events import ChannelOffered, Closed, ExtendersChanged, Ready, RequestMade
from quantumgate.core.handshake.initiator import Initiator
from quantumgate.core.handshake.responder import Responder
from quantumgate.core.handshake.settings import HandshakeSettings
from quantumgate.core.replay import ReplayWindow
from quantumgate.core.requests import KeyNeeded, Verdict
from quantumgate.core.session_settings import SessionSettings
from quantumgate.crypto import kem
from quantumgate.crypto.identity import Identity
from quantumgate.errors import ConnectFailed, LocalError, SessionClosed
from quantumgate.extender.host import ExtenderHost
from quantumgate.extender.registry import registered
from quantumgate.ids import QgAddress
from quantumgate.net.protocol import PeerProtocol
from quantumgate.net.pump import Pump
from quantumgate.node.peers import Peer
from quantumgate.testing.clock import OrderedClock
from quantumgate.testing.network import MemoryNetwork
from quantumgate.testing.seeded import SeededRandom
from quantumgate.testing.weather import Weather
from quantumgate.wire.codes import CloseCode

START_SECONDS = 1000.0
WALL_OFFSET_SECONDS = 1_700_000_000.0
"""The clock of a memory network shows this moment of 2023 at second 0."""

DIAL_SECONDS = 60.0
T = TypeVar("T")


@cache
def seeded_identity(name: str, kind: int = 1) -> Identity:
    """The same identity for the same name, in every test."""
    return Identity.generate(kind, SeededRandom(("identity", name, kind)))


class Contact:
    """One connection of a memory node, and what happens on it."""

    def __init__(self, node: MemoryNode, there: str, outbound: bool) -> None:
        self.node, self.there, self.outbound = node, there, outbound
        self.peer: Peer | None = None
        self.session: Any = None
        self.protocol: Pump | None = None
        self.closed: Closed | None = None
        self.ready: Deferred[Any] = Deferred()

    def connection_event(self, protocol: Pump, event: Any) -> None:
        """See ConnectionOwner."""
        self.protocol = protocol
        node, host = self.node, self.node.extenders
        if isinstance(event, RequestMade):
            self._answer(protocol, event.request)
        elif isinstance(event, Ready):
            self._ready(event.session)
        elif isinstance(event, ChannelOffered):
            host.channel_opened(self.peer, event.channel)
        elif isinstance(event, ExtendersChanged):
            host.extenders_changed(self.peer, self.session)
        elif isinstance(event, Closed):
            self._closed(event)
        node.events.append(event)

    def _answer(self, protocol: Pump, request: Any) -> None:
        value = kem.kem(request.group).generate() if isinstance(request, KeyNeeded) else Verdict(True)
        protocol.connection.answer(request, value, self.node.clock.seconds())
        protocol.wake()

    def _ready(self, session: Any) -> None:
        self.session = session
        uuid = session.peer.uuid if session.peer is not None else None
        self.peer = Peer(uuid, f"memory:{self.there}", "outbound" if self.outbound else "inbound")
        self.peer.name = self.there
        self.node.contacts[self.peer] = self
        self.node.extenders.session_ready(self.peer, session)
        if not self.ready.called:
            self.ready.callback(self.peer)

    def _closed(self, event: Closed) -> None:
        self.closed = event
        if self.peer is not None:
            self.node.contacts.pop(self.peer, None)
            error = SessionClosed(event.text or event.reason, event.code)
            self.node.extenders.session_closed(self.peer, event.reason, error)
        if not self.ready.called:
            self.ready.errback(ConnectFailed(event.reason, event.text, advice=event.advice))
            if not self.outbound:
                self.ready.addErrback(lambda _: None)

    def close(self, code: int = CloseCode.BYE, *, graceful: bool = True) -> None:
        """Ends the session, as the operator would."""
        if self.protocol is not None:
            self.protocol.connection.close(code, now=self.node.clock.seconds(), graceful=graceful)
            self.protocol.wake()


class MemoryNode:
    """One node: an identity, a place on the network, its extenders. It is the landlord of its guests."""

    def __init__(
        self, nodes: MemoryNodes, name: str, makers: Iterable[Any], tables: Mapping[str, Any], anonymous: bool = False
    ) -> None:
        self.name, self.nodes, self.clock, self.anonymous = name, nodes, nodes.clock, anonymous
        self.identity = seeded_identity(name)
        self.uuid = self.identity.public.uuid
        self.address = str(QgAddress(self.uuid, ((name, 9999),)))
        self.random = nodes.network.random.branch(name)
        self.contacts: dict[Any, Contact] = {}
        self.events: list[Any] = []
        self.reports: list[tuple[Any, str, str]] = []
        self.handshake = HandshakeSettings(self.identity, require_authentication=False)
        an_hour_ago = self.clock.seconds() + WALL_OFFSET_SECONDS - 3600
        self.replay = ReplayWindow(self.random.bytes(32), int(an_hour_ago * 1000))
        rows = [registered(maker, tables.get(maker.name), "in memory") for maker in makers]
        self.extenders = ExtenderHost(rows, self)
        self.extenders.start()

    # -- for tests -----------------------------------------------------------------------------------------------------

    def guest(self, name: str) -> Any:
        """The running IExtender of this name. Raises LocalError with the reason where it does not run."""
        return self._running(name, self.extenders.instance(name))

    def host(self, name: str) -> Any:
        """The IExtenderHost that this guest has."""
        return self._running(name, self.extenders.guest_host(name))

    def peer(self, other: MemoryNode | None = None) -> Any:
        """The IPeer under which this node knows the other, by default the only one. LocalError where there is none."""
        for peer, contact in self.contacts.items():
            if other is None or contact.there == other.name:
                return peer
        raise LocalError(f"{self.name} is not connected to {other.name if other else 'anybody'}")

    def contact(self, other: MemoryNode | None = None) -> Contact:
        """The connection below that peer."""
        return self.contacts[self.peer(other)]

    def _running(self, name: str, found: Any) -> Any:
        row = next(row for row in self.extenders.snapshot() if row.name == name)
        if found is None:
            raise LocalError(f"extender {name} of {self.name} does not run: {row.state} {row.reason}")
        return found

    # -- Landlord ------------------------------------------------------------------------------------------------------

    @property
    def data_directory(self) -> Path:
        """A directory of the test's own: ``pair(..., directory=self.mktemp())``."""
        if self.nodes.directory is None:
            raise LocalError("a guest wants its data_directory: give one to pair(..., directory=self.mktemp())")
        return self.nodes.directory / self.name

    def connect(self, address: str, hops: int | None = None, via: Any = None) -> Deferred[Any]:
        """The IPeer of another memory node, by its ``address`` or UUID."""
        target = QgAddress.parse(address)
        for peer in self.contacts:
            if peer.uuid == target.uuid:
                return succeed(peer)
        for other in self.nodes.all:
            if other.uuid == target.uuid:
                return self.nodes.dial(self, other)
        return fail(ConnectFailed("no-answer", f"no memory node has the UUID {target.uuid}"))

    def find_providers(self, extender: UUID) -> Deferred[ProvidersReport]:
        """All others that run it, connected or not."""
        others = (one for one in self.nodes.all if one is not self and extender in one.extenders.uuids())
        found = [ProviderReport(uuid=str(one.uuid), age_seconds=0.0) for one in others]
        return succeed(ProvidersReport(extender=str(extender), found=bool(found), end="found", asked=0, answered=0,
                                       seconds=0.0, providers=found))

    def disconnect(self, peer: Any) -> Deferred[None]:
        """Closes gracefully."""
        self.contacts[peer].close()
        return succeed(None)

    def admits(self, peer: Any, extender: UUID) -> bool:
        """Everybody may use everything."""
        return True

    def report(self, peer: Any, extender: str, offence: str) -> None:
        """Kept in ``reports``."""
        self.reports.append((peer, extender, offence))

    def extenders_changed(self) -> None:
        """Tells every peer the new list."""
        for contact in self.contacts.values():
            contact.session.set_extenders(self.extenders.uuids())

    # -- connections ---------------------------------------------------------------------------------------------------

    def settings(self) -> SessionSettings:
        """What a new session of this node is told."""
        uuids: tuple[UUID, ...] = self.extenders.uuids()
        return SessionSettings(extenders=uuids, instance=self.random.branch("instance").below(1 << 63), keep=True)


class MemoryNodes:
    """Nodes by name on one network and one clock. Time passes only in ``advance``, ``settle`` and ``result``."""

    def __init__(
        self,
        *makers: Any,
        names: Iterable[str] = ("left", "right"),
        tables: Mapping[str, Any] | None = None,
        makers_of: Mapping[str, Iterable[Any]] | None = None,
        anonymous: Iterable[str] = (),
        directory: str | Path | None = None,
        weather: Weather | None = None,
        seed: object = 0,
    ) -> None:
        self.clock = OrderedClock()
        self.clock.advance(START_SECONDS)
        self.directory = Path(directory) if directory is not None else None
        self.network = MemoryNetwork(self.clock, seed=seed, weather=weather)
        nameless = frozenset(anonymous)
        self._nodes: dict[str, MemoryNode] = {}
        for name in names:
            here = (makers_of or {}).get(name, makers)
            self._nodes[name] = MemoryNode(self, name, here, tables or {}, name in nameless)
        self.advance(0)

    def __getitem__(self, name: str) -> MemoryNode:
        return self._nodes[name]

    @property
    def all(self) -> list[MemoryNode]:
        """Every node, in order of making."""
        return list(self._nodes.values())

    @property
    def left(self) -> MemoryNode:
        """The node called left: of a pair, the one that dialled."""
        return self._nodes["left"]

    @property
    def right(self) -> MemoryNode:
        """The node called right."""
        return self._nodes["right"]

    # -- connecting ----------------------------------------------------------------------------------------------------

    def dial(self, one: MemoryNode, other: MemoryNode) -> Deferred[Any]:
        """``one`` dials ``other``: the IPeer that it gets, or ConnectFailed."""
        near, far = Contact(one, other.name, True), Contact(other, one.name, False)
        now, offset = self.clock.seconds(), WALL_OFFSET_SECONDS
        block = one.settings().block(anonymous=one.anonymous)
        initiator = Initiator(
            one.handshake,
            target=other.uuid,
            session_tlvs=block.encode(),
            anonymous=one.anonymous,
            random=one.random,
            now=now,
            wall_offset_seconds=offset,
        )
        responder = Responder(other.handshake, other.replay, random=other.random, now=now, wall_offset_seconds=offset)
        answer = other.settings()
        client = Connection(initiator, one.settings(), block, one.random, now)
        server = Connection(responder, answer, answer.block(), other.random, now)
        near.protocol = PeerProtocol(client, near, self.clock)
        far.protocol = PeerProtocol(server, far, self.clock)
        self.network.join(far.protocol, near.protocol, (other.name, one.name))
        return near.ready

    def connect(self, one: MemoryNode, other: MemoryNode) -> tuple[Any, Any]:
        """Until both know each other: (the peer that ``one`` sees, the peer that ``other`` sees)."""
        peer = self.result(self.dial(one, other), DIAL_SECONDS)
        self.settle()
        return peer, other.peer(one)

    # -- time ----------------------------------------------------------------------------------------------------------

    def advance(self, seconds: float = 0.0) -> None:
        """Lets time pass; every call that falls due on the way comes at its own moment."""
        self._run(self.clock.seconds() + seconds, lambda: False)

    def settle(self, most_seconds: float = 600.0) -> None:
        """Until nothing is under way on the network and nothing is due now. Timers that lie ahead stay there."""
        self._run(self.clock.seconds() + most_seconds, lambda: self.network.quiet and not self.clock.due)
        if not self.network.quiet:
            raise AssertionError(f"something is still under way after {most_seconds:g} seconds: is there a partition?")

    def result(self, deferred: Deferred[T], most_seconds: float = 600.0) -> T:
        """What it fires with; raises what it fails with. AssertionError if it has not fired after ``most_seconds``."""
        outcome: list[Any] = []
        deferred.addCallbacks(lambda value: outcome.append((value, None)), lambda f: outcome.append((None, f.value)))
        self._run(self.clock.seconds() + most_seconds, lambda: bool(outcome))
        if not outcome:
            raise AssertionError(f"the Deferred has not fired after {most_seconds:g} seconds")
        value, error = outcome[0]
        if error is not None:
            raise error
        return value  # type: ignore[no-any-return]

    def stop(self) -> None:
        """Everything ends: guests stop, sessions close, and no delayed call of the nodes is left."""
        for node in self.all:
            self.result(node.extenders.stop())
        for node in self.all:
            for contact in list(node.contacts.values()):
                contact.close(graceful=False)
        self.advance(DIAL_SECONDS)
        self.network.cut()

    def _run(self, end: float, done: Callable[[], bool]) -> None:
        while not done() and self.clock.step(end):
            pass


def pair(*makers: Any, **more: Any) -> MemoryNodes:
    """Two connected nodes, ``left`` (which dialled) and ``right``, that run these extenders.

    ``tables``: the settings of extenders by name; ``makers_of``: other extenders for one side, ``{"right": [maker]}``;
    ``anonymous``: names of nodes without identity; ``weather``, ``seed``: the network; ``directory``: for guests' data.
    """
    nodes = MemoryNodes(*makers, **more)
    nodes.connect(nodes.left, nodes.right)
    return nodes
