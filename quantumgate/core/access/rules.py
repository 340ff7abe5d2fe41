"""Rules that people make: which networks may knock, and what each peer may do.

Kept as plain values, looked up by exact prefix or UUID, so that thousands cost what one costs. Not for: the order in
which they count (``judge.py``) or files. Spec: docs/spec/access.md sections 2 and 3.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from quantumgate.core.access.addresses import Address, Network, hinted, within
from quantumgate.core.access.decision import BY_HAND, CONFIGURATION
from quantumgate.errors import LimitError, LocalError
from quantumgate.ids import PeerUUID

EVERYTHING = ""
CONNECT, RELAY, RESERVE = "connect", "relay", "reserve"
CAPABILITIES = (CONNECT, RELAY, RESERVE)
"""What a rule may be about beside everything: sessions, links, reservations; or the UUID of an extender."""

Word = Literal["allow", "deny", "ban"]


def in_force(until: float | None, wall: float) -> bool:
    """Whether something with this end date (unix seconds, None = for ever) still counts."""
    return until is None or wall < until


@dataclass(frozen=True, slots=True)
class Filter:
    """One network that may knock, or may not. A ``block`` may end by itself."""

    network: Network
    block: bool
    made_by: str = BY_HAND
    until: float | None = None


class Filters:
    """All filters of a node; at most ``most``."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._rows: dict[tuple[Network, bool], Filter] = {}
        self._lengths: Counter[tuple[bool, int, int]] = Counter()

    def __iter__(self) -> Iterator[Filter]:
        return iter(self._rows.values())

    @property
    def allows(self) -> bool:
        """Whether there is any allow filter: then whoever is inside none of them stays outside."""
        return any(not block for block, _, _ in self._lengths)

    def add(self, new: Filter) -> None:
        """Takes the place of one by hand for the same network. Raises LocalError where the configuration has it."""
        key = (new.network, new.block)
        old = self._rows.get(key)
        if old is not None and old.made_by == CONFIGURATION:
            raise LocalError(f"the configuration has this filter for {new.network}", advice="edit [access] and restart")
        if old is None:
            if len(self._rows) >= self._most:
                raise LimitError("address_filters", self._most)
            self._lengths[_length(new)] += 1
        self._rows[key] = new

    def remove(self, network: Network, *, block: bool) -> None:
        """Raises LocalError where there is none by hand."""
        old = self._rows.get((network, block))
        if old is None or old.made_by == CONFIGURATION:
            raise LocalError(f"there is no {'block' if block else 'allow'} filter by hand for {network}",
                             advice="edit [access] and restart" if old else "qgate access filters list shows all")
        self._drop(old)

    def prune(self, wall: float) -> None:
        """Forgets what has ended."""
        for row in [row for row in self._rows.values() if not in_force(row.until, wall)]:
            self._drop(row)

    def _drop(self, row: Filter) -> None:
        del self._rows[row.network, row.block]
        self._lengths[_length(row)] -= 1
        if not self._lengths[_length(row)]:
            del self._lengths[_length(row)]

    def blocking(self, address: Address, wall: float) -> Filter | None:
        """The narrowest block in force around this address, or around one that it hints at."""
        if not self._rows:
            return None
        for one in hinted(address):
            found = self._around(one, True, wall)
            if found is not None:
                return found
        return None

    def allowing(self, address: Address) -> Filter | None:
        """The narrowest allow around this very address."""
        if not self._rows:
            return None
        return self._around(address, False, 0.0)

    def _around(self, address: Address, block: bool, wall: float) -> Filter | None:
        lengths = (bits for kind, version, bits in self._lengths if kind is block and version == address.version)
        for bits in sorted(lengths, reverse=True):
            found = self._rows.get((within(address, bits), block))
            if found is not None and in_force(found.until, wall):
                return found
        return None


def _length(row: Filter) -> tuple[bool, int, int]:
    return row.block, row.network.version, row.network.prefixlen


@dataclass(frozen=True, slots=True)
class PeerRule:
    """What one peer may do, or may not. ``about`` is EVERYTHING, one of CAPABILITIES, or an extender's UUID as text.

    Only a ban ends by itself.
    """

    peer: PeerUUID
    word: Word
    about: str = EVERYTHING
    made_by: str = BY_HAND
    until: float | None = None

    def fits(self, about: str) -> bool:
        """Whether this rule speaks of ``about``. Who may use an extender, or reserve, may connect for it."""
        if self.about in (EVERYTHING, about):
            return True
        return self.word == "allow" and about == CONNECT and self.about != RELAY


class PeerRules:
    """All rules about peers; at most ``most``."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._rows: dict[PeerUUID, dict[tuple[bool, str, str], PeerRule]] = {}
        self._count = 0

    def __iter__(self) -> Iterator[PeerRule]:
        return (rule for rows in self._rows.values() for rule in rows.values())

    def __len__(self) -> int:
        return self._count

    def of(self, peer: PeerUUID) -> Iterable[PeerRule]:
        """The rules about this peer, in the order in which they were made."""
        rows = self._rows.get(peer)
        return rows.values() if rows is not None else ()

    def names(self, peer: PeerUUID) -> bool:
        """Whether any rule is about this peer."""
        return bool(self._rows) and peer in self._rows

    def find(self, peer: PeerUUID, word: Word, about: str, wall: float) -> PeerRule | None:
        """A rule in force of this word that fits; the configuration's before one by hand, and everything before one."""
        fitting = [rule for rule in self.of(peer)
                   if rule.word == word and rule.fits(about) and in_force(rule.until, wall)]
        return min(fitting, key=lambda rule: (rule.made_by == BY_HAND, rule.about != EVERYTHING), default=None)

    def put(self, new: PeerRule, wall: float) -> None:
        """A rule by hand takes the place of the one by hand about the same thing; a ban stands beside it.

        Raises LocalError where an allow could not take effect, LimitError where there is no more room.
        """
        if new.word == "allow":
            self._check_allow(new, wall)
        self.prune(wall)
        self.restore(new)

    def restore(self, new: PeerRule) -> None:
        """The same without a look at the others, for what the configuration or the state file says."""
        key = _key(new)
        rows = self._rows.setdefault(new.peer, {})
        if key not in rows:
            if self._count >= self._most:
                self._tidy(new.peer)
                raise LimitError("peer_rules", self._most)
            self._count += 1
        rows[key] = new

    def _check_allow(self, new: PeerRule, wall: float) -> None:
        ban = self.find(new.peer, "ban", new.about, wall)
        if ban is not None:
            raise LocalError(f"{new.peer} is banned", advice=f"qgate access unban {new.peer}")
        denied = self.find(new.peer, "deny", new.about, wall)
        if denied is not None and denied.made_by == CONFIGURATION:
            raise LocalError(f"{new.peer} is denied by the configuration",
                             advice="take it out of access.deny and restart")
        if denied is not None and denied.about != new.about:
            raise LocalError(f"{new.peer} is denied everything", advice=f"qgate access remove {new.peer}")

    def remove(self, peer: PeerUUID, about: str | None = None, *, bans: bool = False) -> None:
        """Forgets rules by hand, or bans; ``about`` None = whatever they are about. LocalError where there is none."""
        gone = [rule for rule in self.of(peer) if rule.made_by == BY_HAND and (rule.word == "ban") is bans
                and about in (None, rule.about)]
        if not gone:
            configured = any(rule.made_by == CONFIGURATION for rule in self.of(peer))
            what = f"{peer} is not banned" if bans else f"there is no rule by hand for {peer}"
            raise LocalError(what, advice="edit [access] and restart" if configured and not bans else "")
        for rule in gone:
            self._drop(rule)

    def prune(self, wall: float) -> None:
        """Forgets bans that have ended."""
        for rule in [rule for rule in self if not in_force(rule.until, wall)]:
            self._drop(rule)

    def _drop(self, rule: PeerRule) -> None:
        del self._rows[rule.peer][_key(rule)]
        self._count -= 1
        self._tidy(rule.peer)

    def _tidy(self, peer: PeerUUID) -> None:
        if not self._rows[peer]:
            del self._rows[peer]


def _key(rule: PeerRule) -> tuple[bool, str, str]:
    return rule.word == "ban", rule.made_by, rule.about
