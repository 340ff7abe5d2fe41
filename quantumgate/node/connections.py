"""Makes connections: a handshake, a session's settings and a pump for each transport, with what both its ends allow.

Not for: verdicts (``desk.py``) or choosing addresses (``dialling.py``). Spec: docs/spec/dialling.md [A4] [A17].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

from quantumgate.core.connection import Connection
from quantumgate.core.handshake.initiator import Initiator
from quantumgate.core.handshake.responder import Responder
from quantumgate.core.handshake.settings import HandshakeSettings
from quantumgate.core.replay import ReplayWindow
from quantumgate.core.session_settings import SessionSettings
from quantumgate.ids import PeerUUID
from quantumgate.net.doorway import Lost
from quantumgate.net.intake import Place
from quantumgate.net.prefix import is_loopback
from quantumgate.net.protocol import PeerProtocol
from quantumgate.node.contact import Contact, Desk
from quantumgate.node.world import World


def address_text(address: Any) -> str:
    """A transport's address for people: ``host:port``, ``[ipv6]:port``, ``unix:PATH`` or ``unix``."""
    host, port = getattr(address, "host", None), getattr(address, "port", None)
    if isinstance(host, str) and isinstance(port, int):
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    name = getattr(address, "name", None)
    return f"unix:{name.decode('utf-8', 'replace')}" if isinstance(name, bytes) and name else "unix"


class Connections:
    """``sessions`` is the pattern for every session; ``extenders()`` are the UUIDs to announce at the moment."""

    def __init__(
        self,
        world: World,
        handshakes: HandshakeSettings,
        sessions: SessionSettings,
        replay: ReplayWindow,
        desk: Desk,
        extenders: Callable[[], tuple[UUID, ...]],
    ) -> None:
        self._world, self._handshakes, self._sessions = world, handshakes, sessions
        self._kept = replace(sessions, keep=True)
        self._replay, self._desk, self._extenders = replay, desk, extenders

    @property
    def shared_secret(self) -> bool:
        """Whether this node has a shared secret, so that it may dial and be dialled without a UUID anywhere."""
        return self._handshakes.psk is not None

    def arrive(self, transport: Any, place: Place, lan: bool) -> tuple[PeerProtocol, Lost]:
        """For a transport that was accepted."""
        world, now = self._world, self._desk.now()
        responder = Responder(
            self._handshakes,
            self._replay,
            random=world.random,
            now=now,
            wall_offset_seconds=world.wall_offset_seconds,
            limits=self._sessions.limits,
            allow_unaddressed=self.shared_secret or lan or _both_local(transport),
        )
        settings = self._pattern(keep=False, replaces=b"")
        block = settings.block(clock_ms=int(world.wall_seconds() * 1000))
        contact = Contact(self._desk, address_text(transport.getPeer()), outbound=False, place=place)
        return self._pump(Connection(responder, settings, block, world.random, now), contact)

    def depart(
        self, contact: Contact, target: PeerUUID | None, pin: bytes | None, replaces: bytes, transport: Any
    ) -> tuple[PeerProtocol, Lost]:
        """For a transport that we dialled. Without a target we stay nameless, but for a PSK or loopback."""
        world, now = self._world, self._desk.now()
        anonymous = target is None and not self.shared_secret and not _both_local(transport)
        settings = self._pattern(contact.keep, replaces)
        block = settings.block(anonymous=anonymous, clock_ms=int(world.wall_seconds() * 1000))
        initiator = Initiator(
            self._handshakes,
            target=target,
            pin=pin,
            session_tlvs=block.encode(),
            anonymous=anonymous,
            random=world.random,
            now=now,
            wall_offset_seconds=world.wall_offset_seconds,
            limits=self._sessions.limits,
        )
        return self._pump(Connection(initiator, settings, block, world.random, now), contact)

    def _pattern(self, keep: bool, replaces: bytes) -> SessionSettings:
        """One value for all sessions that are alike: thousands of them share it."""
        sessions, extenders = self._sessions, self._extenders()
        if sessions.extenders != extenders:
            sessions = self._sessions = replace(sessions, extenders=extenders)
            self._kept = replace(sessions, keep=True)
        if replaces:
            return replace(sessions, keep=keep, replaces=replaces)
        return self._kept if keep else sessions

    def _pump(self, connection: Connection, contact: Contact) -> tuple[PeerProtocol, Lost]:
        contact.protocol = PeerProtocol(connection, contact, self._world.clock)
        self._desk.began(contact)
        return contact.protocol, contact.transport_lost


def _both_local(transport: Any) -> bool:
    return is_loopback(transport.getPeer()) and is_loopback(transport.getHost())
