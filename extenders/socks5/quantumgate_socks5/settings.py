"""The table ``[extenders.socks5]``: every limit of the proxy and of the exit by name, with its unit and its bounds.

What it refuses is refused before the node starts. Not for: anything that a peer says.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from .policy import Policy
from .wire import DATAGRAM_BYTES

LOOPBACK = "tcp:1080:interface=127.0.0.1"
USER_BYTES = 255


def _count(low: int, high: int) -> Meta:
    return Meta(ge=low, le=high, extra={"expected": f"a whole number from {low} to {high}"})


def _seconds(low: float, high: float) -> Meta:
    return Meta(ge=low, le=high, extra={"expected": f"seconds from {low:g} to {high:g}"})


Connections = Annotated[int, _count(1, 65_535)]
Seconds = Annotated[float, _seconds(0.1, 86_400)]
QueueBytes = Annotated[int, _count(1024, 16 * 1024 * 1024)]
Datagram = Annotated[int, _count(512, DATAGRAM_BYTES)]


class Exit(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """``[extenders.socks5.exit]``: what this node does for its peers. Off unless it is switched on.

    ``tcp``, ``bind`` and ``udp`` are switches of their own. ``allow`` and ``deny`` are rules ``NETWORK:PORTS``; private
    networks are open only where a rule names them. ``peers`` are the UUIDs that may use it, empty = every admitted one.
    """

    enabled: bool = False
    tcp: bool = True
    bind: bool = False
    udp: bool = False
    allow: tuple[str, ...] = ("*:80", "*:443")
    deny: tuple[str, ...] = ()
    peers: tuple[str, ...] = ()
    bind_address: str = ""
    connections: Connections = 4096
    connections_per_peer: Connections = 512
    udp_associations_per_peer: Connections = 32
    resolve_seconds: Seconds = 10
    connect_seconds: Seconds = 20
    bind_seconds: Seconds = 120
    idle_seconds: Seconds = 900
    udp_queue_bytes: QueueBytes = 262_144

    def __post_init__(self) -> None:
        Policy(self.allow, self.deny)
        for text in self.peers:
            uuid_in(text)
        if self.bind or self.bind_address:
            _check_bind_address(self.bind_address)


class Settings(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """``[extenders.socks5]``: the proxy for programs on this side; ``exit`` is the other role.

    ``listen`` is one endpoint string or several, "" for none. ``users`` are names and passwords; without one only
    loopback and unix sockets are listened on. ``exits`` are the UUIDs or qg addresses of the peers that may be chosen,
    empty = every admitted peer that offers itself; those with an address are dialled until ``exits_warm`` are there.
    ``calls_waiting`` calls wait for an exit that is on its way; one that left, and that the node has to connect, is so
    for ``exit_return_seconds``. ``hops`` relays lead to them, None = as many as the node's ``privacy.hops`` says;
    ``via`` names them instead.
    """

    listen: str | tuple[str, ...] = LOOPBACK
    users: dict[str, str] = {}
    exits: tuple[str, ...] = ()
    exits_warm: Connections = 3
    hops: Annotated[int, _count(0, 8)] | None = None
    via: str = ""
    connections: Connections = 4096
    connections_per_user: Connections = 2048
    handshake_seconds: Seconds = 30
    connect_seconds: Seconds = 60
    idle_seconds: Seconds = 600
    bind_seconds: Seconds = 120
    retry_min_seconds: Seconds = 1
    retry_max_seconds: Seconds = 300
    calls_waiting: Connections = 1024
    exit_return_seconds: Seconds = 30
    lines_per_exit: Connections = 384
    lines_idle: Annotated[int, _count(0, 65_535)] = 256
    line_idle_seconds: Seconds = 60
    udp_associations: Connections = 64
    udp_datagram_bytes: Datagram = DATAGRAM_BYTES
    udp_queue_bytes: QueueBytes = 262_144
    exit: Exit = Exit()

    def __post_init__(self) -> None:
        for text in self.exits:
            uuid_in(text)
        for user, password in self.users.items():
            if not (0 < len(user.encode()) <= USER_BYTES and 0 < len(password.encode()) <= USER_BYTES):
                raise ValueError("users: names and passwords have 1 to 255 bytes")
        for text in self.listening:
            if not self.users and not is_private_endpoint(text):
                raise ValueError(f"listen: {text} can be reached by others: set users, or listen on 127.0.0.1")

    @property
    def listening(self) -> tuple[str, ...]:
        """The endpoint strings of ``listen``."""
        return ((self.listen,) if self.listen else ()) if isinstance(self.listen, str) else self.listen


def uuid_in(text: str) -> UUID:
    """The UUID in a qg address, or a bare one. Raises ValueError."""
    try:
        return UUID(re.split(r"[@.?]", text.removeprefix("qg://"), maxsplit=1)[0])
    except ValueError:
        raise ValueError(f"a peer is a UUID or a qg address, found {text!r:.80}") from None


def is_private_endpoint(text: str) -> bool:
    """Whether only this machine reaches it: a unix socket, or TCP on a loopback address. In doubt, no."""
    kind, *arguments = text.replace("\\:", "_").split(":")  # an escaped colon stands inside an address, and is not one
    if kind == "unix":
        return True
    interfaces = [argument.removeprefix("interface=") for argument in arguments if argument.startswith("interface=")]
    if kind not in ("tcp", "tcp4", "tcp6") or len(interfaces) != 1:
        return False
    try:
        return ip_address(interfaces[0].replace("_", ":")).is_loopback
    except ValueError:
        return False


def _check_bind_address(text: str) -> None:
    try:
        ip_address(text)
    except ValueError:
        raise ValueError("bind needs bind_address, the address of this machine that is told to programs") from None
