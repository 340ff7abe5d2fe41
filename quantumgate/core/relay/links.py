"""All links of one session: ids, which side may do what, and the frames that come. Spec: docs/spec/relays.md, 2 and 3.

Made when the first link is: a session without links has none of this. Not for: the life of one link (``link.py``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from quantumgate.core.budget import FloodGauge
from quantumgate.core.credit import CreditPool
from quantumgate.core.events import LinkArrived, LinkAsked
from quantumgate.core.relay.link import Link
from quantumgate.errors import FloodError, LimitError, LocalError, MalformedError, SessionClosed, ViolationError
from quantumgate.wire import frames, link_frames
from quantumgate.wire.codes import LinkCode
from quantumgate.wire.limits import (
    CONTROL_MESSAGE_BYTES,
    CONTROLS_WAITING_MAX,
    LINK_ID_MAX,
    WINDOW_FREE_RAISE_BYTES,
)

if TYPE_CHECKING:
    from quantumgate.core.session import Session

PEER, RELAY_CLIENT, CARRIER = 1, 2, 3
"""ROLE of a session's initiator: an ordinary peer, one that only relays through us, a relay that brings links."""


class Links:
    """See the module. ``pool`` lends the windows of spliced links."""

    __slots__ = ("_create_gauge", "_incoming_gauge", "_next_id", "_partial", "by_id", "last_peer_id", "pool", "session")

    def __init__(self, session: Session) -> None:
        self.session = session
        limits = session.limits
        carried = session.role == CARRIER
        size = limits.link_pool_egress_bytes if carried else limits.link_pool_client_bytes
        self.pool = CreditPool(size, session.settings.link_pool, growth_share=1)
        self.by_id: dict[int, Link] = {}
        self._next_id = 1 if session.initiator else 2
        self.last_peer_id = 0
        self._partial: tuple[int, bytearray] | None = None
        self._create_gauge: FloodGauge | None = None
        self._incoming_gauge: FloodGauge | None = None

    # -- opening -------------------------------------------------------------------------------------------------

    def ask(self, target: link_frames.LinkTarget) -> Link:
        """LINK_CREATE: ask the peer to reach ``target``. Raises SessionClosed, LimitError, LocalError."""
        if self.session.role == CARRIER:
            raise LocalError("a carrier brings links, it is not asked for any")
        if self.session.role == RELAY_CLIENT and not self.session.initiator:
            raise LocalError("a relay asks its clients for nothing")
        link = self._open(answered=False)
        self.session.outgoing.long_control(link_frames.LINK_CREATE, target.encode(), link.id)
        return link

    def bring(self) -> Link:
        """LINK_INCOMING: a new link that ends at the peer. Raises SessionClosed, LimitError, LocalError."""
        if self.session.role == RELAY_CLIENT:
            raise LocalError("a session of a relay's client takes no links")
        link = self._open(answered=True)
        self.say(link_frames.LINK_INCOMING, link, b"")
        return link

    def _open(self, *, answered: bool) -> Link:
        if not self.session.ready or self.session.closing:
            raise SessionClosed("the session is not open")
        if self._next_id > LINK_ID_MAX:
            raise LimitError("link_ids", LINK_ID_MAX)
        link = self.by_id[self._next_id] = Link(self, self._next_id, ours=True, answered=answered)
        self._next_id += 2
        self.session.timer_moved = True
        return link

    def say(self, kind: int, link: Link, data: bytes) -> None:
        """A control frame of this link."""
        self.session.outgoing.control(frames.frame(kind, data, link.id))

    def ended(self, link: Link) -> None:
        """Called by the link, once."""
        self.by_id.pop(link.id, None)
        if not self.by_id:
            self.session.liveness.channel_ended(self.session.now)
            self.session.timer_moved = True

    def end_all(self, code: int) -> None:
        """The session is over: a link dies with either of its sessions."""
        for link in list(self.by_id.values()):
            link.end(code)

    # -- frames --------------------------------------------------------------------------------------------------

    def data(self, link_id: int, flags: int, data: memoryview) -> None:
        """LINK_DATA; ``data`` is valid during the call. Raises what the peer did wrong."""
        if flags or not link_id:
            raise MalformedError(f"LINK_DATA with flags {flags:#x} on link {link_id}")
        link = self.by_id.get(link_id)
        if link is not None:
            link.receive(data)
        else:
            self._require_ended(link_id, "LINK_DATA")

    def control(self, kind: int, link_id: int, flags: int, data: bytes) -> None:
        """Any other LINK frame. Raises what the peer did wrong."""
        if not link_id or (flags and kind != link_frames.LINK_CREATE):
            raise MalformedError(f"frame type {kind:#x} with flags {flags:#x} on link {link_id}")
        if kind == link_frames.LINK_CREATE:
            self._create(link_id, flags, data)
        elif kind == link_frames.LINK_INCOMING:
            self._incoming(link_id, data)
        else:
            self._of_a_link(kind, link_id, data)

    def _of_a_link(self, kind: int, link_id: int, data: bytes) -> None:
        link = self.by_id.get(link_id)
        if kind == link_frames.LINK_WINDOW:
            limit = frames.decode_u64(data, "LINK_WINDOW")
            if link is None or limit < link.send_limit + WINDOW_FREE_RAISE_BYTES:
                self._count(link_id, link, "LINK_WINDOW")
            if link is not None:
                link.window(limit)
            return
        answers = kind == link_frames.LINK_STATUS
        code, terms = link_frames.decode_status(data) if answers else (link_frames.decode_close(data), None)
        self._count(link_id, link, "LINK_STATUS" if answers else "LINK_CLOSE")
        if link is not None:
            link.answered(code, terms) if answers else link.end(code)

    def _count(self, link_id: int, link: Link | None, name: str) -> None:
        if link is None:
            self._require_ended(link_id, name)
        self.session.incoming.count_control()

    def _require_ended(self, link_id: int, name: str) -> None:
        ours = link_id % 2 == int(self.session.initiator)
        if not (link_id < self._next_id if ours else link_id <= self.last_peer_id):
            raise ViolationError(f"{name} for link {link_id}, which was never opened")

    # -- what the peer opens -------------------------------------------------------------------------------------

    def _create(self, link_id: int, flags: int, data: bytes) -> None:
        """LINK_CREATE in pieces, one at a time."""
        if flags & ~frames.WHOLE or bool(flags & frames.FIRST) == (self._partial is not None):
            raise MalformedError(f"a piece of LINK_CREATE with flags {flags:#x}")
        if self._partial is None:
            self._require_right_to_ask()
            self._take_id(link_id, "LINK_CREATE")
            self._partial = link_id, bytearray()
        elif self._partial[0] != link_id:
            raise MalformedError("two LINK_CREATEs mixed")
        whole = self._partial[1]
        if len(whole) + len(data) > CONTROL_MESSAGE_BYTES or not (data or flags & frames.LAST):
            raise MalformedError("LINK_CREATE is too long, or a piece of it is empty")
        whole += data
        if flags & frames.LAST:
            self._partial = None
            self._asked(link_id, link_frames.LinkTarget.decode(bytes(whole)))

    def _require_right_to_ask(self) -> None:
        """A relay that could ask its nameless client would learn from the answer for "ourselves" who that is."""
        session = self.session
        if session.role == CARRIER or (session.role == RELAY_CLIENT and session.initiator):
            raise ViolationError("LINK_CREATE on a carrier, or from a relay to its client")

    def _asked(self, link_id: int, target: link_frames.LinkTarget) -> None:
        session = self.session
        self._create_gauge = self._counted(self._create_gauge, session.limits.link_create_rate, "LINK_CREATE")
        link = self.by_id[link_id] = Link(self, link_id, ours=False, answered=False)
        if len(self.by_id) > session.limits.links_client or session.closing:
            link.answer(LinkCode.LIMIT)
        else:
            session.timer_moved = True
            session.emit(LinkAsked(link, target))

    def _incoming(self, link_id: int, data: bytes) -> None:
        session = self.session
        if data or session.role == RELAY_CLIENT:
            raise ViolationError("LINK_INCOMING in a session of a relay's client, or with data")
        self._take_id(link_id, "LINK_INCOMING")
        self._incoming_gauge = self._counted(self._incoming_gauge, session.limits.links_carrier_rate, "LINK_INCOMING")
        link = self.by_id[link_id] = Link(self, link_id, ours=False, answered=True)
        if len(self.by_id) > session.limits.links_carrier or session.closing:
            link.close(LinkCode.LIMIT)
        else:
            session.timer_moved = True
            session.emit(LinkArrived(link))

    def _counted(self, gauge: FloodGauge | None, legal: tuple[float, float], name: str) -> FloodGauge:
        """One more of these frames; ``legal`` = rate a second and burst. Raises FloodError."""
        session = self.session
        if gauge is None:
            gauge = FloodGauge(*legal, session.limits.flood_seconds, session.now)
        if gauge.count(session.now) or session.outgoing.controls_waiting >= CONTROLS_WAITING_MAX:
            raise FloodError(f"too many {name}")
        return gauge

    def _take_id(self, link_id: int, name: str) -> None:
        if link_id <= self.last_peer_id or link_id % 2 == int(self.session.initiator):
            raise ViolationError(f"{name} of link {link_id} after {self.last_peer_id}")
        self.last_peer_id = link_id
