"""Who is reached through a relay because there was no other way is dialled directly as soon as there is one.

Both ends say where they can be dialled, and each dials the other; new work goes over the direct session, and the
relayed one ends when nothing runs on it any more. Not for: circuits that were asked for, which are for hiding, or
reaching a peer in the first place (``circuits.py``). Spec: docs/spec/discovery.md section 7.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from quantumgate import logs
from quantumgate.core.budget import TokenBucket
from quantumgate.core.discovery.reach import Place
from quantumgate.core.places import may_lead_to
from quantumgate.errors import ConnectFailed
from quantumgate.ids import PeerUUID, QgAddress
from quantumgate.net.backoff import Backoff
from quantumgate.node.contact import Contact
from quantumgate.node.dialling import THROUGH_ANCHOR, Route, Target, ways_to
from quantumgate.node.world import World
from quantumgate.wire.codes import CloseCode
from quantumgate.wire.features import REACH
from quantumgate.wire.link_frames import LinkEndpoint
from quantumgate.wire.reach_frames import PLACES, encode_places

RETRY_SECONDS = (5.0, 600.0)
NEWS_RATE = (1 / 60, 4)
"""(a second, burst): other places than before are dialled at once so often; more of them wait for the next try."""

IDLE_LOOK_SECONDS = 2.0
"""How often a session that was replaced is looked at: whether anything still runs on it."""

QUIET_SECONDS = 2.0
"""Nothing came on it for so long: what the peer had queued when it learned of the direct session is here."""

WHY = "a direct way, after one through a relay"
_log = logs.named("reach")


class Keeping(Protocol):
    """The part of ``keeper.Keeper`` that is told of it."""

    def succeeded(self, former: Contact, contact: Contact) -> None: ...


@dataclass(slots=True)
class _Relayed:
    """One session through relays. ``moved``: a direct one has taken its place; ``news``: how often its frames may
    bring about a dial."""

    news: TokenBucket
    hosts: tuple[Place, ...] = ()
    backoff: Backoff | None = None
    dialling: Deferred[Contact] | None = None
    timer: Any = None
    moved: bool = False
    first_why: str = ""
    told: tuple[Place, ...] | None = field(default=None)

    def stop_timer(self) -> None:
        if self.timer is not None and self.timer.active():
            self.timer.cancel()


class DirectWays:
    """One node's. ``dial(target, keep=)`` makes direct sessions; ``places()``: where strangers can dial us."""

    def __init__(
        self, world: World, dial: Callable[..., Deferred[Contact]], keeper: Keeping,
        places: Callable[[], Iterable[Place]], direct: Callable[[PeerUUID], Any],
        own_hosts: Callable[[], Iterable[str]], *, allow_private: bool,
    ) -> None:
        self._world, self._dial, self._keeper, self._places = world, dial, keeper, places
        self._direct, self._own_hosts, self._allow_private = direct, own_hosts, allow_private
        self._relayed: dict[Contact, _Relayed] = {}

    def arrived(self, contact: Contact) -> None:
        """A session stands: through relays, where nobody hides behind them; or the direct one that was looked for."""
        if contact.path is None:
            for relayed in [one for one in self._relayed if one.peer.uuid == contact.peer.uuid]:
                self._moved(relayed, contact)
        elif REACH in contact.session.agreed and contact.outbound and contact.why.startswith(THROUGH_ANCHOR):
            self._follow(contact)

    def _follow(self, contact: Contact) -> _Relayed:
        """The end that built the circuit speaks first, if only to say that it does not hide; the other one answers."""
        news = TokenBucket(*NEWS_RATE, self._world.now())
        relayed = self._relayed[contact] = _Relayed(news, first_why=contact.why)
        contact.ended().addCallback(lambda _: self._left(contact))
        self._tell(contact)
        return relayed

    def _left(self, contact: Contact) -> None:
        relayed = self._relayed.pop(contact)
        relayed.stop_timer()
        if relayed.dialling is not None:
            relayed.dialling.cancel()

    def places_changed(self) -> None:
        """Others of our places are confirmed now."""
        for contact in list(self._relayed):
            self._tell(contact)

    def _tell(self, contact: Contact) -> None:
        """Where it can dial us, if that is news to it."""
        relayed, places = self._relayed[contact], tuple(self._places())
        if places != relayed.told:
            contact.say(PLACES, encode_places(tuple(LinkEndpoint(host, port) for host, port in places)))
        relayed.told = places

    # -- dialling ------------------------------------------------------------------------------------------------

    def told(self, contact: Contact, places: tuple[LinkEndpoint, ...]) -> None:
        """PLACES: where the peer says that it can be dialled. What a relay would not dial we do not dial either."""
        relayed = self._relayed.get(contact)
        if relayed is None:
            if contact.path is None or contact.outbound:
                return
            relayed = self._follow(contact)
        standing = self._direct(contact.session.peer.uuid)
        if standing is not None:
            self._moved(contact, standing)
            return
        own = frozenset(self._own_hosts())
        relayed.hosts = tuple((one.host, one.port) for one in places
                              if may_lead_to(one.host, one.port, allow_private=self._allow_private, own=own))
        if not relayed.hosts:
            self._say_why(contact, "nobody can dial it" if relayed.told else "nobody can dial it, nor this node")
        elif relayed.dialling is None and not relayed.moved:
            self._try_news(contact, relayed)

    def _try_news(self, contact: Contact, relayed: _Relayed) -> None:
        """At once, or when it is time: whoever says where to dial must not decide how often."""
        if relayed.news.take(self._world.now()):
            relayed.backoff = Backoff(self._world.random, first_seconds=RETRY_SECONDS[0], cap_seconds=RETRY_SECONDS[1])
            self._try(contact, relayed)
        elif relayed.timer is None or not relayed.timer.active():
            wait_seconds = relayed.news.next_at() - self._world.now()
            relayed.timer = self._world.clock.callLater(wait_seconds, self._try, contact, relayed)

    def _try(self, contact: Contact, relayed: _Relayed) -> None:
        relayed.stop_timer()
        if not relayed.hosts:
            return
        hosts = tuple((f"[{host}]" if ":" in host else host, port) for host, port in relayed.hosts)
        identity = contact.session.peer
        target = Target(str(QgAddress(identity.uuid, hosts)), identity.uuid, identity.fingerprint,
                        ways_to(self._world, hosts), hosts, Route(why=WHY))
        relayed.dialling = dialling = self._dial(target, keep=contact.keep)
        dialling.addCallbacks(self._reached, self._failed, callbackArgs=(contact, relayed),
                              errbackArgs=(contact, relayed))

    def _reached(self, direct: Contact, contact: Contact, relayed: _Relayed) -> None:
        relayed.dialling = None
        if contact in self._relayed:
            self._moved(contact, direct)

    def _failed(self, failure: Any, contact: Contact, relayed: _Relayed) -> None:
        relayed.dialling = None
        if contact not in self._relayed or relayed.backoff is None or relayed.moved:
            return
        error = failure.value
        self._say_why(contact, f"direct failed: {error}" if isinstance(error, ConnectFailed) else "direct failed")
        wait_seconds = relayed.backoff.failed(self._world.now())
        relayed.timer = self._world.clock.callLater(wait_seconds, self._try, contact, relayed)

    def _say_why(self, contact: Contact, why: str) -> None:
        """For people who ask why there is a relay."""
        first = self._relayed[contact].first_why
        contact.why = f"{first}; {why}" if first else why

    # -- moving over ---------------------------------------------------------------------------------------------

    def _moved(self, contact: Contact, direct: Contact) -> None:
        """From now on the direct one is the one that is kept."""
        relayed = self._relayed[contact]
        if relayed.moved or direct is contact:
            return
        relayed.moved = True
        relayed.stop_timer()
        if not direct.outbound:
            direct.why = "after it was reached through a relay"
        _log.info("{peer} is reached directly now", peer=logs.peer(direct.peer.uuid))
        self._keeper.succeeded(contact, direct)
        contact.keep = contact.session.keep = False
        self._say_why(contact, "there is a direct session now: what began here ends here")
        direct.ended().addCallback(lambda _: self._alone_again(contact))
        self._look_whether_idle(contact)

    def _alone_again(self, contact: Contact) -> None:
        """The direct one was lost first."""
        relayed = self._relayed.get(contact)
        uuid = contact.peer.uuid
        if relayed is not None and uuid is not None and self._direct(uuid) is None:
            relayed.moved = False

    def _look_whether_idle(self, contact: Contact) -> None:
        relayed = self._relayed.get(contact)
        if relayed is None or not relayed.moved:
            return
        session = contact.session
        quiet = self._world.now() - session.last_data_at >= QUIET_SECONDS
        if quiet and not session.queued_bytes and not any(one.stream for one in session.channels.values()):
            contact.close(CloseCode.REPLACED)
        elif relayed.timer is None or not relayed.timer.active():
            relayed.timer = self._world.clock.callLater(IDLE_LOOK_SECONDS, self._look_whether_idle, contact)

    def stop(self) -> None:
        """The node stops."""
        for relayed in self._relayed.values():
            relayed.stop_timer()
            if relayed.dialling is not None:
                relayed.dialling.cancel()
