"""What happened inside a Connection, for whoever drives it. Hot data goes through the hooks of a Channel instead."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from quantumgate.wire.link_frames import LinkTarget
from quantumgate.wire.reservation_frames import Grant

if TYPE_CHECKING:
    from quantumgate.core.channel import Channel
    from quantumgate.core.relay.link import Link
    from quantumgate.core.session import Session


PATH_LOST = "path-lost"
"""Reason of a Closed: silence after a PING, or a transport that takes nothing. An end without CLOSE is "lost"."""


@dataclass(frozen=True, slots=True)
class RequestMade:
    """The core needs something from outside; give it back with ``Connection.answer(request, value, now)``."""

    request: Any


@dataclass(frozen=True, slots=True)
class Ready:
    """Both SESSION blocks are known: channels may be opened."""

    session: Session


@dataclass(frozen=True, slots=True)
class ChannelOffered:
    """The peer opened a channel; set its hooks, then ``accept()`` or ``reset()`` it."""

    channel: Channel


@dataclass(frozen=True, slots=True)
class LinkAsked:
    """The peer wants a link to ``target``; ``link.answer`` says what became of it."""

    link: Link
    target: LinkTarget


@dataclass(frozen=True, slots=True)
class LinkArrived:
    """A relay brings a link that ends here: give it a source and hooks, or close it."""

    link: Link


@dataclass(frozen=True, slots=True)
class ReservationAsked:
    """The peer wants to be reached through us by whoever knows ``rendezvous_key``."""

    rendezvous_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ReservationAnswered:
    """What the peer says to our RESERVE, or to none: it is for the owner to know whether there was one."""

    grant: Grant


@dataclass(frozen=True, slots=True)
class Said:
    """A frame of a type that both sides agreed on (``wire/features.py``), and what its reader makes of its data."""

    kind: int
    content: Any


@dataclass(frozen=True, slots=True)
class ExtendersChanged:
    """The peer runs another set of extenders now."""

    extenders: frozenset[UUID]


@dataclass(frozen=True, slots=True)
class Pong:
    """A PING that we asked for was answered."""

    rtt_seconds: float


@dataclass(frozen=True, slots=True)
class Rekeyed:
    """Both directions run under the keys of this epoch."""

    epoch: int


@dataclass(frozen=True, slots=True)
class SecurityNotice:
    """Something an operator should see: a pin mismatch, an identity online twice."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Closed:
    """The connection is over for its user; the transport may live a little longer. Exactly once."""

    reason: str
    text: str = ""
    code: int | None = None
    advice: str = ""
    clean: bool = False
    by: str = "local"


Event = (
    RequestMade
    | Ready
    | ChannelOffered
    | LinkAsked
    | LinkArrived
    | ReservationAsked
    | ReservationAnswered
    | Said
    | ExtendersChanged
    | Pong
    | Rekeyed
    | SecurityNotice
    | Closed
)
