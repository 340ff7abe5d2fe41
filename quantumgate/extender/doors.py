"""What the guests' floor needs from below and above, as types: a session's channels, and the node around the guests.

The core's ``Session`` and ``Channel`` fit the first two; the roof provides a ``Landlord``. Tests provide all three.
Not for: behaviour. Spec: docs/spec/channels.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from twisted.internet.defer import Deferred

from quantumgate.errors import QuantumGateError
from quantumgate.ids import PeerUUID


class ChannelDoor(Protocol):
    """One channel of a session, as ``core.channels.Channel`` has it. The hooks are set by whoever owns the channel."""

    on_message: Callable[[bytes], bool]
    on_data: Callable[[bytes], None]
    on_fin: Callable[[], None]
    on_room: Callable[[], None]
    on_accepted: Callable[[], None]
    on_closed: Callable[[Any], None]

    @property
    def extender(self) -> UUID: ...
    @property
    def stream(self) -> bool: ...
    @property
    def priority(self) -> int: ...
    @property
    def label(self) -> bytes: ...
    @property
    def closed(self) -> bool: ...
    @property
    def queued_bytes(self) -> int: ...

    def accept(self) -> None: ...
    def reset(self, code: int = 0, text: str = "") -> None: ...
    def send(self, message: bytes, compress: bool = True) -> bool: ...
    def write(self, data: bytes) -> bool: ...
    def finish(self) -> None: ...
    def consumed(self, n: int) -> None: ...
    def release(self) -> None: ...


class SessionDoor(Protocol):
    """One session, as ``core.session.Session`` has it."""

    @property
    def peer_extenders(self) -> frozenset[UUID]: ...

    def open_channel(self, extender: UUID, *, stream: bool, priority: int = 2, label: bytes = b"") -> Any: ...


@dataclass(frozen=True, slots=True)
class Provider:
    """A peer that runs the same extender, as a look-up found it. ``address`` is what ``connect`` takes: its record, or
    its UUID alone where its anchors have to be looked for, too."""

    uuid: PeerUUID
    address: str
    age_seconds: float
    """Of its record: so long ago it was there, and said so."""


class Landlord(Protocol):
    """The node around the guests: what ``ExtenderHost`` asks the roof for."""

    @property
    def uuid(self) -> Any:
        """PeerUUID of this node."""

    @property
    def clock(self) -> Any:
        """IReactorTime."""

    @property
    def data_directory(self) -> Path:
        """The node's; guests live in ``extenders/NAME`` below it."""

    def connect(self, address: str, hops: int | None, via: Any) -> Deferred[Any]:
        """The IPeer at ``address``, once its session is ready; fails with ConnectFailed."""

    def find_providers(self, extender: UUID) -> Deferred[Any]:
        """A look-up of peers that run this extender: a report whose ``providers`` are in an order of luck."""

    def disconnect(self, peer: Any) -> Deferred[None]:
        """Closes the session with this peer gracefully."""

    def admits(self, peer: Any, extender: UUID) -> bool:
        """Whether the rules let this peer use this extender."""

    def report(self, peer: Any, extender: str, offence: str) -> None:
        """A guest did not understand what this peer sent."""

    def extenders_changed(self) -> None:
        """``ExtenderHost.uuids()`` changed: tell the peers."""


CloseReason = QuantumGateError | None
"""What ``on_closed`` brings: None when both sides finished, else ChannelReset or SessionClosed."""
