"""What a relay allows: how many links, how often, how much. Spec: docs/spec/relays.md, 5. [A29] [A31]

Numbers only; ``node/relays.py`` asks before it opens a socket. Not for: credit of one link (``link.py``), or where one
may lead (``core/places.py``).
"""

from __future__ import annotations

from collections import Counter

from quantumgate.core.budget import TokenBucket
from quantumgate.wire.codes import LinkCode
from quantumgate.wire.limits import Limits

PREFIXES_KEPT = 4096
DAY_SECONDS = 86_400.0


class _Client:
    """One prefix's account."""

    __slots__ = ("addresses", "day_began", "links", "moved_bytes")

    def __init__(self, limits: Limits, now: float) -> None:
        self.links = TokenBucket(*limits.links_prefix_rate, now)
        self.addresses = TokenBucket(*limits.link_new_addresses_rate, now)
        self.moved_bytes = 0
        self.day_began = now

    def new_day(self, now: float) -> None:
        """Its account of bytes begins anew, if it is time."""
        if now - self.day_began >= DAY_SECONDS:
            self.day_began, self.moved_bytes = now, 0


class Quota:
    """One relay's. ``refused`` counts refusals by the name of the limit."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._clients: dict[str, _Client] = {}
        self.carried = 0
        self.refused: Counter[str] = Counter()

    def refusal(self, prefix: str, now: float, *, exempt: bool) -> int | None:
        """The code that a new link of this client gets, None = it may go on and is counted until ``ended``.

        ``exempt``: loopback and the like, where a prefix says nothing about who is there.
        """
        if self.carried >= self._limits.links_node:
            self.refused["links_node"] += 1
            return LinkCode.RELAY_LIMIT
        if not exempt and (name := self._over(self._client(prefix, now), now)):
            self.refused[name] += 1
            return LinkCode.LIMIT
        self.carried += 1
        return None

    def _over(self, client: _Client, now: float) -> str:
        client.new_day(now)
        if client.moved_bytes >= self._limits.link_volume_prefix_bytes:
            return "link_volume_prefix_bytes"
        return "" if client.links.take(now) else "links_prefix_rate"

    def new_address(self, prefix: str, now: float) -> bool:
        """Whether this client may make us dial one more address that we have no carrier to."""
        if self._client(prefix, now).addresses.take(now):
            return True
        self.refused["link_new_addresses_rate"] += 1
        return False

    def moved(self, prefix: str, moved_bytes: int, now: float) -> bool:
        """Counts what links that stand have carried; whether this client has used up its day."""
        client = self._client(prefix, now)
        client.new_day(now)
        client.moved_bytes += moved_bytes
        return client.moved_bytes >= self._limits.link_volume_prefix_bytes

    def ended(self, prefix: str, moved_bytes: int, now: float) -> None:
        """A link that was counted is over; ``moved_bytes`` since ``moved`` was told last."""
        self.carried -= 1
        self._client(prefix, now).moved_bytes += moved_bytes

    def accounts(self, now: float) -> list[tuple[str, float, int]]:
        """Of every client that something was carried for today: the age of its day in seconds, and the bytes."""
        found = ((prefix, now - client.day_began, client.moved_bytes) for prefix, client in self._clients.items())
        return [(prefix, age, moved) for prefix, age, moved in found if moved and age < DAY_SECONDS]

    def restore(self, prefix: str, age_seconds: float, moved_bytes: int, now: float) -> None:
        """What was carried for this client before we started, on a day that is so old."""
        client = self._client(prefix, now)
        client.day_began = min(client.day_began, now - age_seconds)
        client.moved_bytes += moved_bytes

    def _client(self, prefix: str, now: float) -> _Client:
        client = self._clients.pop(prefix, None)
        if client is None:
            client = _Client(self._limits, now)
            if len(self._clients) >= PREFIXES_KEPT:
                self._clients.pop(next(iter(self._clients)))
        self._clients[prefix] = client  # the one that asked last is forgotten last
        return client
