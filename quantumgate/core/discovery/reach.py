"""Where this node is seen, and where it can be dialled: what peers report, and which of it is believed.

One peer's word is nothing: an address counts when peers of two groups of networks report it, and a place when a third
party dialled it and its dial came in here. Not for: asking or dialling (``node/reach.py``). Spec:
docs/spec/discovery.md section 7.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import Enum

from quantumgate.core.places import bare_address
from quantumgate.wire.limits import CONFIRMED_PLACES_MAX, SIGHTING_GROUPS_MAX, SIGHTING_SECONDS, Limits

GROUPS_AGREEING = 2
"""Peers of so many different groups of networks have to see us at an address before it is believed."""

Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Sighting:
    """One group's word. ``kept_port``: whether our own port was seen, None where we do not know it."""

    host: str
    kept_port: bool | None
    at: float


class Sightings:
    """What peers say where they see us: one word for each group of networks and family of addresses, the newest."""

    def __init__(self) -> None:
        self._by_group: dict[tuple[str, int], Sighting] = {}

    def seen(self, group: str, host: str, kept_port: bool | None, now: float) -> None:
        """A peer of this group sees us at that IP address."""
        address = bare_address(host)
        if address is None:
            return
        key = (group, address.version)
        self._by_group.pop(key, None)
        self._by_group[key] = Sighting(str(address), kept_port, now)
        if len(self._by_group) > SIGHTING_GROUPS_MAX:
            del self._by_group[next(iter(self._by_group))]

    def agreed(self, now: float) -> list[str]:
        """The addresses that enough groups report, the best attested in front."""
        self._by_group = {key: one for key, one in self._by_group.items() if now - one.at < SIGHTING_SECONDS}
        counts = Counter(one.host for one in self._by_group.values())
        return [host for host, count in counts.most_common() if count >= GROUPS_AGREEING]

    def ports_change(self) -> bool:
        """Whether somebody between us and them changes ports: then nobody can be told where a dial would get in."""
        return any(one.kept_port is False for one in self._by_group.values())

    def __len__(self) -> int:
        return len(self._by_group)


class Standing(Enum):
    """What is known of one place of ours."""

    UNKNOWN = "not tried yet"
    ASKED = "a peer was asked to dial it"
    CONFIRMED = "a peer dialled it and came through"
    FAILED = "peers dialled it and did not come through"


@dataclass(slots=True)
class _Known:
    standing: Standing = Standing.UNKNOWN
    failures: int = 0
    next_at: float = 0.0
    until: float = 0.0


class Places:
    """What was found out of each place of ours. ``failures`` in a row make the next try later."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._known: dict[Place, _Known] = {}

    def due(self, places: list[Place], now: float) -> list[Place]:
        """Which of these should be dialled now; what is not among them any more is forgotten."""
        self._known = {place: self._known.get(place, _Known()) for place in places[:CONFIRMED_PLACES_MAX]}
        return [place for place, known in self._known.items()
                if known.standing is not Standing.ASKED and known.next_at <= now]

    def asked(self, place: Place) -> None:
        """Somebody was asked to dial it."""
        if place in self._known and self._known[place].standing is not Standing.CONFIRMED:
            self._known[place].standing = Standing.ASKED

    def came_through(self, place: Place, now: float) -> bool:
        """The dial came in here. Whether that is news."""
        known = self._known.get(place)
        if known is None:
            return False
        news = known.standing is not Standing.CONFIRMED
        life_seconds = self._limits.confirmed_seconds
        known.standing, known.failures = Standing.CONFIRMED, 0
        known.until, known.next_at = now + life_seconds, now + life_seconds / 2
        return news

    def did_not(self, place: Place, now: float) -> bool:
        """It did not come in, or nobody answered. Whether the place was confirmed before and is so no longer."""
        known = self._known.get(place)
        if known is None:
            return False
        known.failures += 1
        first_seconds, cap_seconds = self._limits.reach_retry_seconds
        known.next_at = now + min(cap_seconds, first_seconds * 2.0 ** min(known.failures - 1, 32))
        if known.standing is Standing.CONFIRMED and known.failures < 2 and known.until > now:
            return False
        lost = known.standing is Standing.CONFIRMED
        known.standing = Standing.FAILED
        return lost

    def confirmed(self, now: float) -> tuple[Place, ...]:
        """Where strangers can dial us, as far as anybody knows."""
        return tuple(place for place, known in self._known.items()
                     if known.standing is Standing.CONFIRMED and known.until > now)

    def settled(self) -> bool:
        """Whether each place was tried, and none is being tried: what is not confirmed then is not reachable."""
        return all(known.standing in (Standing.CONFIRMED, Standing.FAILED) for known in self._known.values())

    def next_at(self) -> float | None:
        """When one of them is due again."""
        moments = [known.next_at for known in self._known.values() if known.standing is not Standing.ASKED]
        return min(moments, default=None)
