"""Exchange of records with the peers that are connected: asks, answers, verifies, and lets the book know.

Signatures are verified off the reactor thread, one message at a time. Not for: when to ask or whom to tell what
(``core/discovery``), or calls (``outbound.py``). Spec: docs/spec/discovery.md section 2. [A34] [A51]
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from typing import Any, Protocol

from twisted.python.failure import Failure

from quantumgate import logs
from quantumgate.core.access.reputation import Deed
from quantumgate.core.budget import Buckets
from quantumgate.core.discovery.book import Added, Book, Rejected
from quantumgate.core.discovery.exchange import Exchange
from quantumgate.core.peer_records import KnownRecord, judge
from quantumgate.core.places import group_of
from quantumgate.errors import CryptoError, FloodError, RemoteProtocolError, ReplacedError, ViolationError
from quantumgate.ids import PeerUUID
from quantumgate.node.contact import Contact
from quantumgate.node.world import World
from quantumgate.wire import exchange_frames as frames
from quantumgate.wire.codes import CloseCode
from quantumgate.wire.features import EXCHANGE
from quantumgate.wire.limits import PEX_CHECKS_WAITING, PEX_RECORDS, Limits

RELAYED = "through relays"
"""As a group of networks: of all who reach us through relays, for nobody knows where they are."""

SESSIONS_A_TURN = 256
"""Sessions that are looked at in one turn; the others come in the next."""

BUDGETS_KEPT = 4096
FRIENDS_WAITING = 4 * PEX_CHECKS_WAITING
"""Messages that wait for a look, strangers' and all, before what a peer that our rules name says is dropped."""

_log = logs.named("discovery")


class Scores(Protocol):
    """The part of ``conduct.Conduct`` that is asked whom to believe, and told what somebody did."""

    def esteem(self, uuid: PeerUUID | None) -> float: ...
    def count(self, deed: Deed, contact: Any) -> None: ...
    def signed(self, deed: Deed, uuid: PeerUUID) -> None: ...


class Exchanging:
    """One node's. ``own()`` is its record as it is now; ``named``: whether a rule admits a peer by name.

    ``public``: anybody may have our own record; ``hidden``: who is reached through relays does not get it.
    """

    def __init__(
        self, world: World, limits: Limits, network: bytes, book: Book, scores: Scores, own: Callable[[], bytes],
        named: Callable[[PeerUUID], bool], *, public: bool, hidden: bool,
    ) -> None:
        self._world, self._limits, self._network, self._book = world, limits, network, book
        self._scores, self._own, self._named, self._public, self._hidden = scores, own, named, public, hidden
        self._with: dict[Contact, Exchange] = {}
        self._turns: deque[Contact] = deque()
        self._budgets: Buckets[PeerUUID] = Buckets(*limits.pex_rate, BUDGETS_KEPT)
        self._waiting: deque[tuple[Contact, tuple[bytes, ...], bool]] = deque()
        self._checking = False
        self.learned: Callable[[list[PeerUUID]], object] = lambda news: None
        self.verified: Callable[[KnownRecord], object] = lambda known: None
        """Told of each record that holds, news or not."""
        self.least_serial: Callable[[PeerUUID], int] = lambda uuid: 0
        """Of the newest delegation that was seen of a peer."""
        self.outcomes: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._with)

    # -- sessions ------------------------------------------------------------------------------------------------

    def arrived(self, contact: Contact) -> None:
        """A session stands. Both sides have to have names, and to have agreed."""
        session = contact.session
        if EXCHANGE not in session.agreed or session.peer is None or session.local is None:
            return
        if not contact.outbound and self._named(session.peer.uuid):
            session.keep = True  # it called us to stay: else we would close it every quarter of an hour, unused
        self._with[contact] = Exchange(self._limits, self._world.now())
        self._turns.append(contact)
        contact.ended().addCallback(lambda _: self._left(contact))
        self._look(contact, self._own(), self._world.now())

    def _left(self, contact: Contact) -> None:
        self._with.pop(contact, None)
        self._turns.remove(contact)

    def turn(self) -> None:
        """Looks whether it is time for anything, for so many sessions."""
        own, now = self._own(), self._world.now()
        for _ in range(min(len(self._turns), SESSIONS_A_TURN)):
            contact = self._turns[0]
            self._turns.rotate(-1)
            self._look(contact, own, now)

    def _look(self, contact: Contact, own: bytes, now: float) -> None:
        exchange, named = self._with[contact], self._named(contact.session.peer.uuid)
        if not contact.stands:
            return
        if self._may_have_ours(contact, named) and exchange.wants_own(own, now, named=named):
            exchange.pushed(own)
            contact.say(frames.PEX, frames.Told((own,), own=True).encode(), long=True)
        if exchange.wants_to_ask(now, named=named):
            exchange.asked(now)
            contact.say(frames.PEX_GET, frames.encode_get(PEX_RECORDS))

    def _may_have_ours(self, contact: Contact, named: bool) -> bool:
        return self._public or (named and not (self._hidden and contact.path is not None))

    # -- frames --------------------------------------------------------------------------------------------------

    def question(self, contact: Contact, count: int) -> None:
        """PEX_GET."""
        exchange, wall = self._with.get(contact), self._world.wall_seconds()
        if exchange is None:
            return
        try:
            exchange.question(self._world.now())
        except FloodError as error:
            contact.close(CloseCode.FLOOD, str(error), graceful=False)
            return
        uuid = contact.session.peer.uuid
        if self._named(uuid):
            fitting = self._book.news(count, exchange.told, wall)
        else:
            fitting = self._book.sample(count, self._group(contact), wall)
        others = [known for known in fitting if known.identity.uuid != uuid]
        told = frames.that_fit(known.signed.encode() for known in others)
        exchange.tell(others[: len(told.records)])
        contact.say(frames.PEX, told.encode(), long=True)

    def told(self, contact: Contact, told: frames.Told) -> None:
        """PEX. What a peer with a negative score says is not looked at, nor is more than its budget."""
        exchange = self._with.get(contact)
        if exchange is None:
            return
        try:
            records = exchange.answered(told)
        except ViolationError as error:
            contact.close(CloseCode.VIOLATION, str(error), graceful=False)
            return
        uuid = contact.session.peer.uuid
        if self._scores.esteem(uuid) < 0:
            self.outcomes["not believed"] += len(records)
            return
        affordable = tuple(one for one in records if self._budgets.take(uuid, self._world.now()))
        self.outcomes["over budget"] += len(records) - len(affordable)
        if affordable and self._queued(contact, affordable, own=told.own):
            self._check_next()
        elif not told.own:
            exchange.learned(False, named=self._named(uuid))

    def _queued(self, contact: Contact, records: tuple[bytes, ...], *, own: bool) -> bool:
        """Whether there is room; what a peer that our rules name says goes before what others say."""
        named = self._named(contact.session.peer.uuid)
        if len(self._waiting) >= (FRIENDS_WAITING if named else PEX_CHECKS_WAITING):
            return False
        (self._waiting.appendleft if named else self._waiting.append)((contact, records, own))
        return True

    # -- verdicts ------------------------------------------------------------------------------------------------

    def _check_next(self) -> None:
        if self._checking or not self._waiting:
            return
        contact, records, own = self._waiting.popleft()
        self._checking = True
        now_ms = int(self._world.wall_seconds() * 1000)
        checking = self._world.elsewhere(_judged, records, self._network, now_ms, self.least_serial)
        checking.addBoth(self._checked, contact, own)

    def _checked(self, result: Any, contact: Contact, own: bool) -> None:
        self._checking = False
        if isinstance(result, Failure):
            _log.failure("records could not be looked at", failure=result)
        else:
            self._take(contact, result, own)
        self._check_next()

    def _take(self, contact: Contact, verdicts: list[KnownRecord | Exception], own: bool) -> None:
        uuid, news = contact.session.peer.uuid, list[PeerUUID]()
        for verdict in verdicts:
            if isinstance(verdict, Exception):
                self._bad(contact, verdict)
            elif own and verdict.identity.uuid != uuid:
                self._bad(contact, ViolationError("a record of somebody else as its own"))
            elif self._keep(contact, verdict):
                news.append(verdict.identity.uuid)
        exchange = self._with.get(contact)
        if exchange is not None and not own:
            exchange.learned(bool(news), named=self._named(uuid))
        if news:
            self.learned(news)

    def _keep(self, contact: Contact, known: KnownRecord) -> bool:
        """Whether it was news."""
        self.verified(known)
        outcome = self._book.add(known, self._group(contact), self._world.wall_seconds())
        self.outcomes[outcome.name.lower().replace("_", " ")] += 1
        if outcome is Rejected.EQUIVOCATION:
            _log.warn("{peer} signed two different records with one number", peer=logs.peer(known.identity.uuid))
            self._scores.signed(Deed.EQUIVOCATION, known.identity.uuid)
        return outcome in (Added.NEW, Added.NEWER)

    def _bad(self, contact: Contact, error: Exception) -> None:
        """Who passes a record on has verified it: a signature that is none is its own doing. Clocks differ, and so do
        the times that records are good for; a kind of identity that is not installed here is nobody's fault, nor is it
        one's that he has not heard of a newer delegation."""
        self.outcomes["bad"] += 1
        if isinstance(error, ReplacedError):
            return
        if isinstance(error, ViolationError):
            self._scores.count(Deed.RECORD, contact)
        elif isinstance(error, RemoteProtocolError) and contact.stands:
            contact.close(CloseCode.VIOLATION, f"a record that does not hold: {error}", graceful=False)

    def _group(self, contact: Contact) -> str:
        """Who told us, as far as it counts for what others say."""
        return RELAYED if contact.address is None else group_of(str(contact.address))


def _judged(
    records: tuple[bytes, ...], network: bytes, now_ms: int, least_serial: Callable[[PeerUUID], int]
) -> list[KnownRecord | Exception]:
    """Off the reactor thread: each verified, or what is wrong with it."""
    verdicts: list[KnownRecord | Exception] = []
    for record in records:
        try:
            verdicts.append(judge(record, network=network, now_ms=now_ms, least_serial=least_serial))
        except (RemoteProtocolError, CryptoError) as error:
            verdicts.append(error)
    return verdicts
