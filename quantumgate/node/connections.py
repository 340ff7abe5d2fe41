"""Makes connections: a handshake, a session's settings and a pump for each transport, with what both its ends allow.

A transport is a socket, or a link through relays; the rest is the same. Not for: verdicts (``desk.py``), choosing
addresses (``dialling.py``) or relays (``circuits.py``). Spec: docs/spec/dialling.md [A4] [A17], docs/spec/relays.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

from quantumgate.core.access.addresses import Address
from quantumgate.core.budget import Buckets
from quantumgate.core.connection import Connection
from quantumgate.core.handshake.initiator import Initiator
from quantumgate.core.handshake.responder import Responder
from quantumgate.core.handshake.settings import HandshakeSettings
from quantumgate.core.overload import Ladder
from quantumgate.core.relay.link import Link
from quantumgate.core.replay import ReplayWindow
from quantumgate.core.session_settings import SessionSettings
from quantumgate.core.tokens import Tokens
from quantumgate.crypto.identity import Identity
from quantumgate.ids import PeerUUID, host_text
from quantumgate.net.doorway import Lost
from quantumgate.net.intake import Place
from quantumgate.net.linkpump import LinkPump
from quantumgate.net.prefix import ip_of, is_loopback
from quantumgate.net.protocol import PeerProtocol
from quantumgate.node.contact import ROLE_PEER, Contact, Desk
from quantumgate.node.world import World
from quantumgate.wire.limits import NETWORKS_MET_MAX, Limits

OWN_HOSTS_KEPT = 64
QUIET_RATE = (0.2, 2.0)
"""(a second, burst): a network that asks for no more answers than this while they are short is a quiet one."""


def address_text(address: Any) -> str:
    """A transport's address for people: ``host:port``, ``[ipv6]:port``, ``unix:PATH`` or ``unix``."""
    host, port = getattr(address, "host", None), getattr(address, "port", None)
    if isinstance(host, str) and isinstance(port, int):
        return host_text(host, port)
    name = getattr(address, "name", None)
    return f"unix:{name.decode('utf-8', 'replace')}" if isinstance(name, bytes) and name else "unix"


def circuit_limits(limits: Limits) -> Limits:
    """The same numbers with the times of circuits, which are slower than sockets."""
    return replace(
        limits,
        dial_seconds=limits.link_connect_seconds,
        session_seconds=limits.link_connect_seconds,
        ping_after_seconds=limits.circuit_ping_after_seconds,
    )


class Connections:
    """``sessions`` is the pattern for every session; ``extenders()`` are the UUIDs to announce at the moment.

    ``standing(address)`` is the score of an address, 0 until whoever keeps scores sets it.
    """

    def __init__(
        self,
        world: World,
        handshakes: HandshakeSettings,
        sessions: SessionSettings,
        replay: ReplayWindow,
        desk: Desk,
        extenders: Callable[[], tuple[UUID, ...]],
        tokens: Tokens,
        ladder: Ladder,
    ) -> None:
        self._world, self._handshakes, self._sessions = world, handshakes, sessions
        self._tokens, self._ladder = tokens, ladder
        self.standing: Callable[[Address], float] = _stranger
        self._askers: Buckets[str] = Buckets(*QUIET_RATE, NETWORKS_MET_MAX)
        self._patterns: dict[tuple[bool, int | None, bool], SessionSettings] = {}
        self._replay, self._desk, self._extenders = replay, desk, extenders
        self._own_hosts: dict[str, None] = {}

    def sign_as(self, identity: Identity) -> None:
        """Handshakes that begin from now on are signed by it; those under way go on as they began."""
        self._handshakes = replace(self._handshakes, identity=identity)

    @property
    def shared_secret(self) -> bool:
        """Whether this node has a shared secret, so that it may dial and be dialled without a UUID anywhere."""
        return self._handshakes.psk is not None

    @property
    def own_hosts(self) -> tuple[str, ...]:
        """Addresses of ours that sockets had, the newest last."""
        return tuple(self._own_hosts)

    def _note_own_host(self, address: Any) -> None:
        host = getattr(address, "host", None)
        if isinstance(host, str) and host not in self._own_hosts:
            self._own_hosts[host] = None
            if len(self._own_hosts) > OWN_HOSTS_KEPT:
                del self._own_hosts[next(iter(self._own_hosts))]

    # -- sockets -------------------------------------------------------------------------------------------------

    def arrive(self, transport: Any, place: Place, lan: bool) -> tuple[PeerProtocol, Lost]:
        """For a transport that was accepted."""
        here, there = transport.getHost(), transport.getPeer()
        contact = place.tenant = Contact(self._desk, address_text(there), outbound=False, place=place)
        contact.address, contact.local = ip_of(there), lan or is_loopback(there)
        self._note_own_host(here)
        unaddressed = self.shared_secret or lan or (is_loopback(there) and is_loopback(here))
        favoured = partial(self._favoured, contact.address if contact.counted else None)
        quiet = partial(self._is_quiet, place.prefix if contact.counted else str(contact.address))
        return self._pump(self._answering(self._pattern(), unaddressed, favoured, quiet), contact)

    def _is_quiet(self, network: str) -> bool:
        return self._askers.take(network, self._desk.now())

    def _favoured(self, address: Address | None) -> bool:
        return address is not None and self.standing(address) > 0

    def depart(
        self, contact: Contact, target: PeerUUID | None, pin: bytes | None, replaces: bytes, transport: Any
    ) -> tuple[PeerProtocol, Lost]:
        """For a transport that we dialled. Without a target we stay nameless, but for a PSK or loopback."""
        here, there = transport.getHost(), transport.getPeer()
        contact.address, contact.local = ip_of(there), is_loopback(there)
        self._note_own_host(here)
        anonymous = target is None and not self.shared_secret and not (contact.local and is_loopback(here))
        if contact.role != ROLE_PEER:
            settings, anonymous = self._pattern(cells=0), contact.nameless
        else:
            settings = self._pattern(keep=contact.keep)
            settings = replace(settings, replaces=replaces) if replaces else settings
        return self._pump(self._asking(settings, contact, target, pin, anonymous=anonymous), contact)

    # -- links ---------------------------------------------------------------------------------------------------

    def arrive_over(self, contact: Contact, link: Link) -> None:
        """For a link that a relay brought."""
        settings = self._pattern(relayed=True)
        self._link_pump(self._answering(settings, self.shared_secret, _nobodys, _nobodys), contact, link)

    def depart_over(
        self, contact: Contact, target: PeerUUID, pin: bytes | None, link: Link, depth: int
    ) -> None:
        """For a link that we asked for, ``depth`` layers inside; to a relay on the way we are nameless."""
        settings = self._pattern(relayed=True, cells=depth, keep=contact.keep)
        if contact.succeeds is not None:
            settings = replace(settings, replaces=contact.succeeds.session.sid)
        connection = self._asking(settings, contact, target, pin, anonymous=contact.nameless)
        self._link_pump(connection, contact, link)

    # -- both ----------------------------------------------------------------------------------------------------

    def _answering(
        self, settings: SessionSettings, allow_unaddressed: bool, favoured: Callable[[], bool],
        quiet: Callable[[], bool],
    ) -> Connection:
        world, now = self._world, self._desk.now()
        responder = Responder(
            self._handshakes,
            self._replay,
            random=world.random,
            now=now,
            wall_offset_seconds=world.wall_offset_seconds,
            limits=settings.limits,
            allow_unaddressed=allow_unaddressed,
            mint=self._tokens.mint,
            ladder=self._ladder,
            favoured=favoured,
            quiet=quiet,
        )
        block = settings.block(clock_ms=int(world.wall_seconds() * 1000))
        return Connection(responder, settings, block, world.random, now)

    def _asking(
        self, settings: SessionSettings, contact: Contact, target: PeerUUID | None, pin: bytes | None, *,
        anonymous: bool,
    ) -> Connection:
        world, now = self._world, self._desk.now()
        self._ladder.dialled(now)
        ours = theirs = b""
        if target is not None and not anonymous:
            ours, theirs = self._tokens.mint.issue(target, now), self._tokens.purse.take(target, now)
        block = settings.block(anonymous=anonymous, clock_ms=int(world.wall_seconds() * 1000), token=ours)
        initiator = Initiator(
            self._handshakes,
            target=target,
            pin=pin,
            session_tlvs=block.encode(),
            session_end=contact.prove,
            role=contact.role,
            anonymous=anonymous,
            token=theirs,
            random=world.random,
            now=now,
            wall_offset_seconds=world.wall_offset_seconds,
            limits=settings.limits,
        )
        return Connection(initiator, settings, block, world.random, now)

    def _pattern(self, *, relayed: bool = False, cells: int | None = None, keep: bool = False) -> SessionSettings:
        """One value for all sessions that are alike: thousands of them share it. ``cells`` = the depth of its cells."""
        extenders = self._extenders()
        if self._sessions.extenders != extenders:
            self._sessions = replace(self._sessions, extenders=extenders)
            self._patterns.clear()
        key = (relayed, cells, keep)
        if key not in self._patterns:
            made = replace(self._sessions, keep=keep, relayed=relayed)
            if relayed:
                made = replace(made, limits=circuit_limits(made.limits), relay=False, endpoints=())
            self._patterns[key] = made if cells is None else made.in_cells(cells)
        return self._patterns[key]

    def announce(self, endpoints: tuple[str, ...]) -> None:
        """What sessions over sockets say of us from now on: that we relay, and where we listen."""
        self._sessions = replace(self._sessions, relay=True, endpoints=endpoints)
        self._patterns.clear()

    def _pump(self, connection: Connection, contact: Contact) -> tuple[PeerProtocol, Lost]:
        protocol = contact.protocol = PeerProtocol(connection, contact, self._world.clock)
        self._desk.began(contact)
        return protocol, contact.transport_lost

    def _link_pump(self, connection: Connection, contact: Contact, link: Link) -> None:
        pump = contact.protocol = LinkPump(connection, contact, link, self._world.clock, lost=contact.transport_lost)
        self._desk.began(contact)
        pump.start()


def _stranger(address: Address) -> float:
    """What an address is worth until somebody keeps scores."""
    return 0.0


def _nobodys() -> bool:
    """What comes over a link has no address of its own."""
    return False
