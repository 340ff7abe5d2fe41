"""Path bias: through which relays circuits die without an explanation, and when it is too many. [A29]

A relay that cannot read a circuit can still end it, and go on doing so until one suits it. Each circuit is a *passage*:
whom it met, and who could have ended it. Of those who could, the one through whom the largest share of all passages
died is charged, with a margin for a target that is down, a relay that nobody reaches, and our own network, none of
which a relay can help. Not for: what is done about it (``node/blame.py``). Spec: docs/spec/relays.md, 6.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from quantumgate.ids import NOBODY, PeerUUID
from quantumgate.wire.limits import Limits

OUR_END = NOBODY
"""Who is always among those that could: our own network, or whatever befalls circuits anyway."""

MARGIN = 1.5
"""How much likelier than anything else a relay has to be before it is charged."""

SETTLED_SECONDS = 180.0
"""A death is judged when it is this old: where our network is gone, the other circuits have noticed by then."""

TOGETHER_SECONDS = 10.0
"""Deaths that come together are one: a relay that was started anew chose none of them."""

PASSAGES_KEPT = 1024
"""Ended ones, within the hour; the oldest go."""


@dataclass(slots=True, eq=False)
class Passage:
    """One circuit. ``met``: relays that it reached, and whatever it tried to reach from there."""

    met: set[PeerUUID] = field(default_factory=lambda: {OUR_END})
    ended_at: float | None = None
    accused: tuple[PeerUUID, ...] = ()
    others: tuple[PeerUUID, ...] = ()

    @property
    def died(self) -> bool:
        """Without an explanation."""
        return bool(self.others)


def suspects(
    path: Sequence[PeerUUID], target: PeerUUID, reached: int, lost: int | None, *, silent: bool = False
) -> tuple[tuple[PeerUUID, ...], tuple[PeerUUID, ...]]:
    """Who could have ended a circuit that had reached so many of its relays: relays, and others.

    ``lost`` = the position of the nearest relay whose session is over: itself did it, or the one before it, who
    carried that session. Of the first hop nobody is suspected: whoever is on the wire can cut it off. Where all of
    them stand, it is the last of them or what lies beyond; ``silent`` = it owed an answer, so that it is itself.
    """
    if not reached or lost == 0:
        return (), ()
    if lost is not None:
        return (path[lost - 1], path[lost]), ()
    last = path[reached - 1]
    return (last,), () if silent else (path[reached] if reached < len(path) else target,)


class PathBias:
    """One node's. Times are the caller's steady seconds."""

    def __init__(self, limits: Limits) -> None:
        self._most, self._window_seconds = limits.relay_deaths, limits.relay_deaths_seconds
        self._standing: set[Passage] = set()
        self._ended: deque[Passage] = deque(maxlen=PASSAGES_KEPT)

    def begin(self, met: Iterable[PeerUUID] = ()) -> Passage:
        """A circuit is being built, or stands."""
        passage = Passage()
        passage.met.update(met)
        self._standing.add(passage)
        return passage

    def ended(self, passage: Passage, now: float) -> None:
        """Over, and everybody knows why: we closed it, the target did, or a relay said that it is full."""
        if passage.ended_at is None:
            passage.ended_at = now
            self._standing.discard(passage)
            self._ended.append(passage)

    def died(self, passage: Passage, now: float, accused: Collection[PeerUUID], others: Collection[PeerUUID]) -> None:
        """Over, and nobody says why. ``accused``: relays that could have done it; ``others``: who else could."""
        if passage.ended_at is None:
            passage.accused, passage.others = tuple(accused), (OUR_END, *others)
            passage.met.update(accused, others)
            self.ended(passage, now)

    def charges(self, now: float) -> dict[PeerUUID, float]:
        """Deaths of the last hour that each relay answers for; one that two are as likely to have caused is halved."""
        while self._ended and now - self._ended[0].ended_at > self._window_seconds:  # type: ignore[operator]
            self._ended.popleft()
        rates = self._rates()
        charges: dict[PeerUUID, float] = {}
        last: dict[PeerUUID, float] = {}
        for passage in self._ended:
            at = passage.ended_at or 0.0
            guilty = _guilty(passage, rates) if now - at >= SETTLED_SECONDS else ()
            for relay in guilty:
                if at - last.get(relay, float("-inf")) >= TOGETHER_SECONDS:
                    charges[relay] = charges.get(relay, 0.0) + 1 / len(guilty)
                    last[relay] = at
        return charges

    def excessive(self, now: float) -> list[PeerUUID]:
        """Relays through which more circuits died than is allowed; the worst first."""
        over = [(charge, relay) for relay, charge in self.charges(now).items() if charge > self._most]
        return [relay for _, relay in sorted(over, key=lambda pair: -pair[0])]

    def forget(self, relay: PeerUUID) -> None:
        """It has been judged: the same deaths do not count again."""
        for passage in self._ended:
            passage.accused = tuple(one for one in passage.accused if one != relay)

    def _rates(self) -> dict[PeerUUID, float]:
        """Of all passages that met somebody, the share that died with it among those who could have been it.

        One more death and one more life are added to each, so that a single passage proves little.
        """
        met: Counter[PeerUUID] = Counter()
        died: Counter[PeerUUID] = Counter()
        for passage in (*self._standing, *self._ended):
            met.update(passage.met)
            died.update({*passage.accused, *passage.others})
        return {one: (died[one] + 1) / (met[one] + 2) for one in met}


def _guilty(passage: Passage, rates: dict[PeerUUID, float]) -> tuple[PeerUUID, ...]:
    """The likeliest of the accused, unless something else may as well have been the cause."""
    if not passage.accused:
        return ()
    worst = max(rates[one] for one in passage.accused)
    if any(rates[one] * MARGIN >= worst for one in passage.others):
        return ()
    return tuple(one for one in passage.accused if rates[one] == worst)
