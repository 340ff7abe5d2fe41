"""One connection of ours, and what becomes of each thing that happens on it.

Owner of a pump: gets its events, asks the desk, keeps what the node must know of the connection. Not for: the
decisions themselves (``desk.py``), bytes, or the table of peers. Spec: docs/spec/dialling.md, docs/spec/session.md.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, Protocol
from uuid import UUID

from twisted.internet.defer import Deferred

from quantumgate import logs
from quantumgate.core.access.addresses import Address
from quantumgate.core.budget import TokenBucket, paced
from quantumgate.core.events import (
    ChannelOffered,
    Closed,
    Event,
    ExtendersChanged,
    LinkArrived,
    LinkAsked,
    Pong,
    Ready,
    Rekeyed,
    RequestMade,
    ReservationAnswered,
    ReservationAsked,
    Said,
    SecurityNotice,
)
from quantumgate.core.overload import Turn
from quantumgate.core.relay.link import Link
from quantumgate.core.requests import KeyNeeded, PeerCheck, PuzzleNeeded, TurnNeeded, Verdict
from quantumgate.errors import ConnectFailed, QuantumGateError, SessionClosed
from quantumgate.ids import PeerUUID
from quantumgate.net.pump import Pump
from quantumgate.node.peers import Peer
from quantumgate.wire import frames
from quantumgate.wire.codes import CloseCode
from quantumgate.wire.link_frames import LinkTarget
from quantumgate.wire.reservation_frames import Grant

_log = logs.named("contact")


ROLE_PEER, ROLE_RELAY_CLIENT = 1, 2
"""ROLE of an ordinary session, and of one that only uses us as a relay (``core/relay/links.py``)."""

LINK_WAIT_LEAST_SECONDS = 0.01
"""Between two looks whether one more link may be asked for."""


class Counted(Protocol):
    """What counts an inbound connection: ``net.intake.Place``, or the count of handshakes over links."""

    def settled(self, *, named: bool = False) -> None: ...
    def draining(self, close: Callable[[], object]) -> None: ...
    def left(self) -> None: ...


class Desk(Protocol):
    """What a contact asks of the node."""

    def now(self) -> float: ...
    def key(self, group: int) -> Deferred[Any]: ...
    def solve(self, request: PuzzleNeeded) -> Deferred[bytes]: ...
    def wait_turn(self, contact: Contact, request: TurnNeeded) -> None: ...
    def judge(self, contact: Contact, check: PeerCheck) -> Verdict | Deferred[Verdict]: ...
    def began(self, contact: Contact) -> None: ...
    def left(self, contact: Contact) -> None: ...
    def ready(self, contact: Contact) -> None: ...
    def channel_offered(self, contact: Contact, channel: Any) -> None: ...
    def link_asked(self, contact: Contact, link: Link, target: LinkTarget) -> None: ...
    def link_arrived(self, contact: Contact, link: Link) -> None: ...
    def links_refused(self, contact: Contact) -> None: ...
    def reservation_asked(self, contact: Contact, rendezvous_key: bytes) -> None: ...
    def reservation_answered(self, contact: Contact, grant: Grant) -> None: ...
    def said(self, contact: Contact, kind: int, content: Any) -> None: ...
    def extenders_changed(self, contact: Contact) -> None: ...
    def security(self, contact: Contact, notice: SecurityNotice) -> None: ...
    def closed(self, contact: Contact, event: Closed) -> None: ...
    def dial_error(self, contact: Contact, event: Closed) -> ConnectFailed: ...


class Contact:
    """``where`` is the address for people, ``dialled`` what was asked for; ``place`` counts an inbound one.

    ``path`` is None for a socket of our own; else the relays that the connection goes through, as far as we know them.
    ``why`` says for people whose wish this path was. ``succeeds``: the contact whose peer this one takes over.
    ``prove`` shows the peer an invitation (``dialling.Target``).
    ``asks``: a relay that is asked something, and was not chosen to carry anything: nothing of it is kept.
    ``address`` is the IP address at the other end of a socket, None where there is none; ``local``: it says nothing,
    for it is this machine, or the listener is marked ``lan``.
    """

    __slots__ = (
        "_desk",
        "_ends",
        "_link_pace",
        "_pongs",
        "address",
        "asks",
        "connected_at",
        "connecting",
        "dialled",
        "ending",
        "explain",
        "given_up",
        "keep",
        "local",
        "outbound",
        "over",
        "path",
        "place",
        "protocol",
        "prove",
        "result",
        "role",
        "session",
        "solving",
        "succeeds",
        "the_peer",
        "told_extenders",
        "where",
        "why",
    )

    def __init__(
        self, desk: Desk, where: str, *, outbound: bool, dialled: str = "", keep: bool = False,
        place: Counted | None = None, role: int = ROLE_PEER, path: tuple[PeerUUID, ...] | None = None,
        why: str = "", succeeds: Contact | None = None, prove: Callable[[bytes], bytes] | None = None,
    ) -> None:
        self._desk, self.why, self.succeeds, self.prove = desk, why, succeeds, prove
        self.role, self.path = role, path
        self.where, self.outbound, self.dialled, self.keep, self.place = where, outbound, dialled, keep, place
        self.address: Address | None = None
        self.asks = False
        self.local = False
        self.protocol: Pump | None = None
        self.connecting: Deferred[Any] | None = None
        self.session: Any = None
        self.solving: Deferred[bytes] | None = None
        self.the_peer: Peer | None = None
        self.connected_at = 0.0
        self.told_extenders: frozenset[UUID] = frozenset()
        self.over = self.given_up = False
        self.ending = ""
        self.explain: Callable[[Closed], Closed] | None = None
        self.result: Deferred[Contact] = Deferred((lambda _: self.give_up()) if outbound else None)
        self._link_pace: TokenBucket | None = None
        self._pongs: list[Deferred[float]] = []
        self._ends: list[Deferred[None]] = []

    @property
    def peer(self) -> Peer:
        """The guests' view of it; there from the moment the session is ready."""
        if self.the_peer is None:
            direction = "outbound" if self.outbound else "inbound"
            identity = self.session.peer
            self.the_peer = Peer(identity.uuid if identity is not None else None, self.where, direction)
            if self.path is not None:
                self.the_peer.relayed, self.the_peer.path = True, list(self.path)
        return self.the_peer

    def take_over(self, peer: Peer) -> None:
        """From now on this is how that peer is reached."""
        self.the_peer = peer
        peer.endpoint, peer.path = self.where, list(self.path or ())

    @property
    def nameless(self) -> bool:
        """Whether we stay anonymous: as the client of a relay, always."""
        return self.role == ROLE_RELAY_CLIENT

    @property
    def counted(self) -> bool:
        """Whether limits per prefix are about it."""
        return self.address is not None and not self.local

    @property
    def stands(self) -> bool:
        """Whether there is a session that goes on. It is over a moment before this contact knows."""
        return not self.over and self.session is not None and self.session.ready and not self.session.closing

    @property
    def damaged(self) -> bool:
        """Whether a record came that was not as its sender sealed it."""
        return self.session is not None and bool(self.session.damaged)

    def has_room_for_a_link(self, most: int) -> bool:
        """Whether a link can be made in it, of ``most``."""
        return self.stands and (self.session.links is None or len(self.session.links.by_id) < most)

    def link_wait_seconds(self, budget: tuple[float, float]) -> float:
        """0 = one more link may be asked for in it now, and is counted; else look again after so long. [A22]

        ``budget`` is what the relay sees as legal, rate and burst: who asks faster floods it.
        """
        now = self._desk.now()
        if self._link_pace is None:
            self._link_pace = paced(budget, now)
        return 0.0 if self._link_pace.take(now) else max(self._link_pace.next_at() - now, LINK_WAIT_LEAST_SECONDS)

    # -- what others ask of it -----------------------------------------------------------------------------------

    def close(self, code: int = CloseCode.BYE, text: str = "", *, graceful: bool = True) -> None:
        """Ends the session, or stops the handshake."""
        if self.protocol is not None:
            self.protocol.connection.close(code, text, now=self._desk.now(), graceful=graceful)
            self.protocol.wake()

    def cut(self, code: int) -> None:
        """Ends it for everybody on this side before this returns; CLOSE goes out with the turn, nothing else does."""
        self.close(code, graceful=False)
        if self.protocol is not None:
            self.protocol.tell_now()

    @property
    def known(self) -> bool:
        """Whether a handshake is under way that brought a token of ours."""
        return self.protocol is not None and self.protocol.connection.brought_token

    def give_way(self) -> None:
        """Somebody else needs the place of this handshake: it is drained from now on."""
        if self.protocol is not None:
            self.protocol.connection.give_way(self._desk.now())
            self.protocol.tell_now()
            self.protocol.wake()

    def drop(self) -> None:
        """Closes the transport without another word."""
        if self.protocol is not None:
            self.protocol.abort()

    def ping(self) -> Deferred[float]:
        """The round trip in seconds. Fails with SessionClosed where the session ends first."""
        pong: Deferred[float] = Deferred(self._pongs.remove)
        if self.session is None or self.over or self.protocol is None:
            pong.errback(SessionClosed("the session is over"))
            return pong
        self._pongs.append(pong)
        self.session.ping(self._desk.now())
        self.protocol.wake()
        return pong

    def say(self, kind: int, data: bytes, *, long: bool = False) -> None:
        """One control frame of the session itself; a ``long`` one goes in pieces where it has to."""
        if self.session is not None and not self.over and self.protocol is not None:
            if long:
                self.session.outgoing.long_control(kind, data)
            else:
                self.session.outgoing.control(frames.frame(kind, data))
            self.protocol.wake()

    def ping_urgently(self) -> None:
        """Find out within seconds whether the peer is still there."""
        if self.session is not None and not self.over and self.protocol is not None:
            self.session.ping_urgently(self._desk.now())
            self.protocol.wake()

    def give_up(self) -> None:
        """Whoever dialled no longer wants it: another way was faster, or the dial was cancelled."""
        self.given_up = True
        if self.connecting is not None:
            self.connecting.cancel()
        self.close(CloseCode.DUPLICATE, graceful=False)

    def ended(self) -> Deferred[None]:
        """Fires when the connection is over for its users."""
        waiter: Deferred[None] = Deferred(self._ends.remove)
        if self.over:
            waiter.callback(None)
        else:
            self._ends.append(waiter)
        return waiter

    def dial_failed(self, error: QuantumGateError) -> None:
        """There will be no session."""
        self.over = True
        if not self.result.called:
            self.result.errback(error)

    def transport_lost(self) -> None:
        """The socket is closed; the core said why before, if there was a core."""
        if self.place is not None:
            self.place.left()
        self._desk.left(self)
        self.protocol = None  # it holds us as its owner

    # -- events --------------------------------------------------------------------------------------------------

    def connection_event(self, protocol: Pump, event: Event) -> None:
        """See ConnectionOwner: never raises. A mistake of ours costs this connection, not the node."""
        self.protocol = protocol
        try:
            self._ways[type(event)](self, event)
        except Exception:
            _log.failure("a mistake in handling {kind}; the connection is dropped", kind=type(event).__name__)
            protocol.abort()

    def _request_made(self, event: RequestMade) -> None:
        request = event.request
        if isinstance(request, KeyNeeded):
            key = self._desk.key(request.group)
            key.addCallbacks(self._key_made, self._key_failed, callbackArgs=(request,))
        elif isinstance(request, PeerCheck):
            verdict = self._desk.judge(self, request)
            if isinstance(verdict, Deferred):
                verdict.addCallback(partial(self._answer, request))
            else:
                self._answer(request, verdict)
        elif isinstance(request, TurnNeeded):
            self._desk.wait_turn(self, request)
        else:
            self.solving = self._desk.solve(request)
            self.solving.addCallbacks(lambda solution: self._answer(request, solution), lambda _: None)

    def take_turn(self, request: TurnNeeded, turn: Turn) -> None:
        """What became of its place in the queue of handshakes."""
        self._answer(request, turn)

    def _key_made(self, key: Any, request: KeyNeeded) -> None:
        if self.over or self.protocol is None:
            key.wipe()
        else:
            self._answer(request, key)

    def _key_failed(self, failure: Any) -> None:
        _log.error("a key could not be made: {why}", why=failure.getErrorMessage())
        self.close()

    def _answer(self, request: Any, value: Any) -> None:
        if self.protocol is not None and not self.over:
            self.protocol.connection.answer(request, value, self._desk.now())
            self.protocol.wake()

    def _ready(self, event: Ready) -> None:
        self.session = event.session
        self.connected_at = self._desk.now()
        self.told_extenders = frozenset(event.session.block.extenders)
        self.prove = None
        if self.given_up:
            self.close(CloseCode.DUPLICATE, graceful=False)
            return
        if self.place is not None:
            self.place.settled(named=event.session.peer is not None and event.session.role == ROLE_PEER)
        self._desk.ready(self)

    def _channel_offered(self, event: ChannelOffered) -> None:
        self._desk.channel_offered(self, event.channel)

    def _link_asked(self, event: LinkAsked) -> None:
        self._desk.link_asked(self, event.link, event.target)

    def _link_arrived(self, event: LinkArrived) -> None:
        self._desk.link_arrived(self, event.link)

    def _reservation_asked(self, event: ReservationAsked) -> None:
        self._desk.reservation_asked(self, event.rendezvous_key)

    def _reservation_answered(self, event: ReservationAnswered) -> None:
        self._desk.reservation_answered(self, event.grant)

    def _said(self, event: Said) -> None:
        self._desk.said(self, event.kind, event.content)

    def _extenders_changed(self, event: ExtendersChanged) -> None:
        self._desk.extenders_changed(self)

    def _pong(self, event: Pong) -> None:
        pongs, self._pongs = self._pongs, []
        for pong in pongs:
            pong.callback(event.rtt_seconds)

    def _rekeyed(self, event: Rekeyed) -> None:
        _log.debug("{peer} is at key epoch {epoch}", peer=logs.peer(self.peer.uuid), epoch=event.epoch)

    def _security(self, event: SecurityNotice) -> None:
        self._desk.security(self, event)

    def _closed(self, event: Closed) -> None:
        self.over = True
        if self.solving is not None:
            self.solving.cancel()
        if self.explain is not None:
            event, self.explain = self.explain(event), None
        self.ending = event.text or event.reason.replace("-", " ")
        pongs, self._pongs = self._pongs, []
        for pong in pongs:
            pong.errback(SessionClosed(event.text or event.reason, event.code))
        self._desk.closed(self, event)
        if not self.result.called and self.outbound:
            self.result.errback(self._desk.dial_error(self, event))
        ends, self._ends = self._ends, []
        for waiter in ends:
            waiter.callback(None)

    _ways: ClassVar[dict[type, Callable[[Contact, Any], None]]] = {
        RequestMade: _request_made,
        Ready: _ready,
        ChannelOffered: _channel_offered,
        LinkAsked: _link_asked,
        LinkArrived: _link_arrived,
        ReservationAsked: _reservation_asked,
        ReservationAnswered: _reservation_answered,
        Said: _said,
        ExtendersChanged: _extenders_changed,
        Pong: _pong,
        Rekeyed: _rekeyed,
        SecurityNotice: _security,
        Closed: _closed,
    }
