"""What this node takes in before it knows who is there: half-open connections, accept rates, drained sockets.

Every number that a stranger can reach is counted here, per network prefix. Not for: who may stay once authenticated
(``node/access.py``) or the bytes (``protocol.py``). Spec: docs/spec/limits.md, [A33] and section 7.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from enum import Enum
from typing import Any, Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from quantumgate.core.budget import TokenBucket
from quantumgate.net.drains import Drains
from quantumgate.net.prefix import LOCAL, network_of
from quantumgate.wire.limits import FIRST_FLIGHT_BYTES, FIRST_FLIGHT_MCELIECE_BYTES, NETWORKS_MET_MAX, Limits

FLIGHT_PREFIX_BITS = (24, 56)
ACCEPT_PREFIX_BITS = (32, 64)
TOKENLESS_SECONDS = 1.0
"""What a handshake without a token is left alone for, when others need its place. [ADR 0191]"""

CROWD_RATE = (20.0, 50.0)
"""(a second, burst): while more than this connect, they are taken in rounds. [ADR 0192]"""

ROUND_SECONDS = 0.1
"""From one round to the next. Whoever comes second in one finds all that it needs in the processor's caches: ten at a
time cost half of what they cost one by one, twenty still less."""


class Luck(Protocol):
    """The part of ``crypto.random.RandomSource`` that evictions need."""

    def uniform(self, low: float, high: float) -> float: ...
    def below(self, n: int) -> int: ...


class Gate(Protocol):
    """Who is let in at all, before anything is counted: access rules, filters, scores."""

    def knock(self, peer: Any, lan: bool) -> str: ...
    def pushed(self, peer: Any, lan: bool) -> None: ...


class Tenant(Protocol):
    """Who has a place: the part of ``contact.Contact`` that matters when another one needs it."""

    @property
    def known(self) -> bool: ...
    def give_way(self) -> None: ...


class OpenGate:
    """For a node without rules about addresses."""

    def knock(self, peer: Any, lan: bool) -> str:
        """Everybody may come in."""
        return ""

    def pushed(self, peer: Any, lan: bool) -> None:
        """Nobody pays for coming too often."""


class Stage(Enum):
    """Where an accepted connection stands, for counting only."""

    HALF_OPEN = "half open"
    DRAINING = "draining"
    SETTLED = "settled"
    GONE = "gone"


def _nothing() -> None:
    return None


class Place:
    """One accepted connection in the counts. ``settled``, ``draining``, ``left`` move it on; repeats are free."""

    __slots__ = ("_intake", "close", "eviction", "prefix", "seat", "since", "stage", "tenant")

    def __init__(self, intake: Intake, prefix: str, since: float) -> None:
        self._intake = intake
        self.prefix, self.since = prefix, since
        self.seat = -1
        self.tenant: Tenant | None = None
        self.stage = Stage.HALF_OPEN
        self.close: Callable[[], object] = _nothing
        self.eviction: IDelayedCall | None = None

    def settled(self, *, named: bool = False) -> None:
        """The handshake is over and a session stands, with an admitted peer if ``named``: it no longer counts here."""
        self.tenant = None
        self._intake.move(self, Stage.SETTLED)
        if named:
            self._intake.met(self.prefix)

    def draining(self, close: Callable[[], object]) -> None:
        """The first flight failed; ``close`` drops the socket when it is this one's turn to be evicted."""
        self.close = close
        self._intake.move(self, Stage.DRAINING)

    def left(self) -> None:
        """The socket is closed."""
        self._intake.move(self, Stage.GONE)
        self.close, self.tenant = _nothing, None  # they would hold the connection, which holds this


class Intake:
    """The counts of one node: ``half_open``, ``drained`` (read and thrown away), ``refused`` by limit.

    Loopback and ``lan`` listeners are exempt from everything that is per prefix. The last of ``half_open`` are for
    networks that admitted peers came from since the start, and for addresses that ``did_good``. Where there is no room
    for one more, the oldest handshake gives way that has had its time and shows no token. [ADR 0191]
    """

    def __init__(
        self, limits: Limits, clock: IReactorTime, luck: Luck, *, mceliece: bool = False, gate: Gate | None = None
    ) -> None:
        """``mceliece``: a McEliece group is enabled, so that a first flight may be 1.5 MiB."""
        self._gate = gate or OpenGate()
        self._limits = limits
        self.clock = clock
        self._crowd = TokenBucket(*CROWD_RATE, clock.seconds())
        self._luck = luck
        flight_bytes = FIRST_FLIGHT_MCELIECE_BYTES if mceliece else FIRST_FLIGHT_BYTES
        self.half_open_max = min(limits.half_open, limits.half_open_bytes // flight_bytes)
        self._strangers_max = self.half_open_max - int(self.half_open_max * limits.half_open_reserve_share)
        self._met: dict[str, None] = {}
        self.did_good: Callable[[Any], bool] = _nobody
        self.half_open = 0
        self.drained = 0
        self.refused: Counter[str] = Counter()
        self._half_open: Counter[str] = Counter()
        self._opening: dict[Place, None] = {}
        self._drains: Drains[Place] = Drains()
        self._accepts: OrderedDict[str, deque[float]] = OrderedDict()

    def accept(self, address: Any, *, lan: bool = False) -> Place | None:
        """A place for a connection from ``address`` (a Twisted address), or None: close it before any byte is read."""
        yielding, refusal = None, self._gate.knock(address, lan)
        if not refusal:
            yielding, refusal = self._room_for(address, lan)
        if refusal:
            self.refused[refusal] += 1
            if refusal == "accepts_per_window":
                self._gate.pushed(address, lan)
            return None
        if yielding is not None:
            yielding.give_way()
        prefix, now = network_of(address, *FLIGHT_PREFIX_BITS), self.clock.seconds()
        if not lan and prefix != LOCAL:
            self._note_accept(network_of(address, *ACCEPT_PREFIX_BITS), now)
        self.half_open += 1
        self._half_open[prefix] += 1
        place = Place(self, prefix, now)
        self._opening[place] = None
        return place

    def rest_seconds(self, address: Any, *, lan: bool = False) -> float:
        """How long nobody else is to be taken in after this one, whether or not it was; 0 while few connect."""
        if lan or network_of(address, *FLIGHT_PREFIX_BITS) == LOCAL or self._crowd.take(self.clock.seconds()):
            return 0.0
        return ROUND_SECONDS

    def full(self, address: Any, *, lan: bool = False) -> str:
        """The limit that leaves no room for a connection from ``address`` now, "" = there is room."""
        return self._room_for(address, lan)[1]

    def _room_for(self, address: Any, lan: bool) -> tuple[Tenant | None, str]:
        """Who has to give way for one more, if somebody has to; or the limit that leaves no room."""
        prefix = network_of(address, *FLIGHT_PREFIX_BITS)
        if not lan and prefix != LOCAL and (limit := self._limit_of(address, prefix)):
            return None, limit
        if self.half_open < self._strangers_max:
            return None, ""
        trusted = prefix in self._met or self.did_good(address)
        if trusted and self.half_open < self.half_open_max:
            return None, ""
        yielding = self._yielding(trusted)
        return yielding, "half_open" if yielding is None else ""

    def _limit_of(self, address: Any, prefix: str) -> str:
        """Of the counts by prefix."""
        if self._drains.counts[prefix] >= self._limits.drain_prefix:
            return "drain_prefix"
        if self._half_open[prefix] >= self._limits.half_open_prefix:
            return "half_open_prefix"
        return "" if self._rate_allows(network_of(address, *ACCEPT_PREFIX_BITS)) else "accepts_per_window"

    def _yielding(self, trusted: bool) -> Tenant | None:
        """Who would give way; to strangers nobody does from a network that we know."""
        before = self.clock.seconds() - TOKENLESS_SECONDS
        for place in self._opening:
            if place.since > before:
                return None
            if place.tenant is not None and not place.tenant.known and (trusted or place.prefix not in self._met):
                return place.tenant
        return None

    def met(self, prefix: str) -> None:
        """An admitted peer came from this network."""
        self._met.pop(prefix, None)
        self._met[prefix] = None
        if len(self._met) > NETWORKS_MET_MAX:
            del self._met[next(iter(self._met))]

    def _rate_allows(self, prefix: str) -> bool:
        recent, limits = self._accepts.get(prefix), self._limits
        if recent is None or len(recent) < limits.accepts_per_window:
            return True
        return recent[0] <= self.clock.seconds() - limits.accepts_window_seconds

    def _note_accept(self, prefix: str, now: float) -> None:
        """The newest of each, who came last in the end: those that may be forgotten stand in front."""
        accepts, limits = self._accepts, self._limits
        accepts.setdefault(prefix, deque(maxlen=limits.accepts_per_window)).append(now)
        accepts.move_to_end(prefix)
        before = now - limits.accepts_window_seconds
        while len(accepts) > limits.drain_sockets or accepts[next(iter(accepts))][-1] <= before:
            accepts.popitem(last=False)

    def move(self, place: Place, stage: Stage) -> None:
        """Takes ``place`` out of the count it is in and puts it into that of ``stage``. Places call it themselves."""
        if place.stage in (stage, Stage.GONE):
            return
        self._take_out(place)
        place.stage = stage
        if stage is Stage.DRAINING:
            self.drained += 1
            self._drains.add(place)
            if self.drained > self._limits.drain_sockets:
                self._evict_from_the_fullest()

    def _take_out(self, place: Place) -> None:
        if place.stage is Stage.HALF_OPEN:
            del self._opening[place]
            self.half_open -= 1
            self._half_open[place.prefix] -= 1
            if not self._half_open[place.prefix]:
                del self._half_open[place.prefix]
        elif place.stage is Stage.DRAINING:
            self.drained -= 1
            if place.eviction is not None and place.eviction.active():
                place.eviction.cancel()
            self._drains.remove(place)

    def _evict_from_the_fullest(self) -> None:
        """Closes one random socket of the fullest prefix at a random moment: never because of what somebody sent."""
        if self._drains.fullest:
            place = self._drains.doom(self._luck.below(self._drains.fullest))
            delay_seconds = self._luck.uniform(0, self._limits.drain_evict_seconds)
            place.eviction = self.clock.callLater(delay_seconds, place.close)


def _nobody(address: Any) -> bool:
    """Until somebody keeps scores."""
    return False
