"""Limits per prefix of any length: how many connections at a time, how many attempts in a window, how many links.

A count belongs to a prefix *and* its length: two limits never share one. Not for: the built-in counts of connections
in the handshake (``net/intake.py``). Spec: docs/spec/access.md section 4.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from quantumgate.core.access.addresses import NARROW_BITS, Address, Network, within
from quantumgate.core.access.decision import BY_HAND, CONFIGURATION
from quantumgate.core.budget import Buckets
from quantumgate.errors import LimitError, LocalError

MINUTE_SECONDS = 60.0
_FAMILIES = {"ipv4": 4, "ipv6": 6}


def family_of_text(text: str) -> tuple[int, int]:
    """``ipv4/24`` or ``ipv6/56`` as (4, 24), (6, 56). Raises LocalError."""
    family, slash, length = text.partition("/")
    version = _FAMILIES.get(family)
    if version is None or not slash or not (length.isascii() and length.isdigit() and len(length) <= 3):
        raise LocalError(f"expected ipv4/LENGTH or ipv6/LENGTH, found {text!r:.40}")
    if int(length) > NARROW_BITS[version]:
        raise LocalError(f"a length of {family} is at most {NARROW_BITS[version]}, found {text!r:.40}")
    return version, int(length)


@dataclass(frozen=True, slots=True)
class PrefixLimit:
    """For each network of this length by itself; 0 = not limited.

    ``connections`` at a time, both ways; ``attempts`` to connect in a window; ``links`` asked for in a minute.
    """

    version: int
    bits: int
    connections: int = 0
    attempts: int = 0
    links: int = 0
    made_by: str = BY_HAND

    @property
    def text(self) -> str:
        """As people write it."""
        return f"ipv{self.version}/{self.bits}"


class _Counts:
    """What one limit has counted."""

    def __init__(self, limit: PrefixLimit, window_seconds: float, most: int) -> None:
        self.limit = limit
        self.connections: Counter[Network] = Counter()
        self.attempts = _bucket(limit.attempts, window_seconds, most)
        self.links = _bucket(limit.links, MINUTE_SECONDS, most)

    def key(self, address: Address) -> Network:
        return within(address, self.limit.bits)

    def full(self, address: Address) -> bool:
        return bool(self.limit.connections) and self.connections[self.key(address)] >= self.limit.connections


def _bucket(number: int, seconds: float, most: int) -> Buckets[Network] | None:
    return Buckets(number / seconds, number, most) if number else None


class PrefixLimits:
    """All of them; at most ``most``, each with at most ``prefixes_most`` networks whose attempts it remembers."""

    def __init__(self, most: int, prefixes_most: int, window_seconds: float) -> None:
        self._most, self._prefixes_most, self._window_seconds = most, prefixes_most, window_seconds
        self._rows: dict[tuple[int, int], _Counts] = {}

    def __iter__(self) -> Iterator[PrefixLimit]:
        return (row.limit for row in self._rows.values())

    def put(self, new: PrefixLimit, standing: Iterable[Address] = ()) -> None:
        """Takes the place of one by hand for the same length. ``standing``: connections that are there already."""
        old = self._rows.get((new.version, new.bits))
        if old is not None and old.limit.made_by == CONFIGURATION:
            raise LocalError(f"the configuration limits {new.text}", advice="edit access.limits and restart")
        if old is None and len(self._rows) >= self._most:
            raise LimitError("prefix_limits", self._most)
        made = self._rows[new.version, new.bits] = _Counts(new, self._window_seconds, self._prefixes_most)
        made.connections.update(made.key(one) for one in standing if one.version == new.version)

    def remove(self, version: int, bits: int) -> None:
        """Raises LocalError where there is none by hand."""
        old = self._rows.get((version, bits))
        if old is None or old.limit.made_by == CONFIGURATION:
            raise LocalError(f"there is no limit by hand for ipv{version}/{bits}",
                             advice="edit access.limits and restart" if old else "qgate access limits list shows all")
        del self._rows[version, bits]

    # -- connections ---------------------------------------------------------------------------------------------

    def came(self, address: Address) -> None:
        """A connection stands, whoever dialled."""
        for row in self._of(address):
            row.connections[row.key(address)] += 1

    def left(self, address: Address) -> None:
        """It is over."""
        for row in self._of(address):
            key = row.key(address)
            row.connections[key] -= 1
            if row.connections[key] <= 0:
                del row.connections[key]

    def full(self, address: Address) -> PrefixLimit | None:
        """The limit that leaves no room for one more."""
        return next((row.limit for row in self._of(address) if row.full(address)), None)

    def beyond(self, standing: Iterable[Address]) -> list[int]:
        """Which of these connections, oldest first, are more than a limit allows: their places in the list."""
        counts: Counter[tuple[int, Network]] = Counter()
        over = []
        for number, address in enumerate(standing):
            keys = [(row.limit.connections, (row.limit.bits, row.key(address)))
                    for row in self._of(address) if row.limit.connections]
            if any(counts[key] >= most for most, key in keys):
                over.append(number)
            else:
                counts.update(key for _, key in keys)
        return over

    # -- attempts ------------------------------------------------------------------------------------------------

    def attempt(self, address: Address, now: float) -> PrefixLimit | None:
        """Counts one attempt to connect; the limit that it is too many for."""
        return next((row.limit for row in self._of(address) if not _take(row.attempts, row.key(address), now)), None)

    def tried_too_often(self, address: Address, now: float) -> PrefixLimit | None:
        """What ``attempt`` would say; nothing is counted."""
        return next((row.limit for row in self._of(address) if row.attempts is not None
                     and not row.attempts.has(row.key(address), now)), None)

    def link(self, address: Address, now: float) -> PrefixLimit | None:
        """Counts one link that is asked for; the limit that it is too many for."""
        return next((row.limit for row in self._of(address) if not _take(row.links, row.key(address), now)), None)

    def _of(self, address: Address) -> list[_Counts]:
        return [row for (version, _), row in self._rows.items() if version == address.version]


def _take(buckets: Buckets[Network] | None, key: Network, now: float) -> bool:
    return buckets is None or buckets.take(key, now)
