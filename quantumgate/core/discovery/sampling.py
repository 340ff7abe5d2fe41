"""A sample in which no network, and no single source, has more than its turn: who takes part in what, and who is told.

What is left with a keeper and what keepers tell comes from anybody, as often as they like and under as many names; what
they do not have many of is networks. Not for: keeping (``directory.py``) or asking (``search.py``). Spec:
docs/spec/discovery.md section 9.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from quantumgate.core.peer_records import KnownRecord, supersedes
from quantumgate.crypto.random import RandomSource
from quantumgate.ids import PeerUUID

T = TypeVar("T", bound=Hashable)
U = TypeVar("U")


def in_turns(groups: Iterable[Sequence[T]], random: RandomSource) -> Iterator[T]:
    """One of each group, then a second of each, until all are out; within a group, and among groups, by luck.

    What several groups have comes once, and takes none of the turns of the others that have it.
    """
    left, seen = [list(group) for group in groups], set[T]()
    while left:
        round_of, left = left, []
        while round_of:
            group = taken_out(round_of, random)
            one = next((one for one in _shuffled(group, random) if one not in seen), None)
            if one is not None:
                seen.add(one)
                left.append(group)
                yield one


def _shuffled(some: list[T], random: RandomSource) -> Iterator[T]:
    """It is emptied as far as it is read."""
    while some:
        yield taken_out(some, random)


def taken_out(some: list[U], random: RandomSource) -> U:
    """Any of them, taken out; the order of the others is not kept."""
    at = random.below(len(some))
    some[at], some[-1] = some[-1], some[at]
    return some.pop()


def providers(told: Mapping[PeerUUID, Sequence[KnownRecord]], random: RandomSource) -> list[KnownRecord]:
    """Of what each keeper told, every peer once, by its newest record; the first n of them are a fair sample, too."""
    newest: dict[PeerUUID, KnownRecord] = {}
    for known in (known for several in told.values() for known in several):
        before = newest.get(known.identity.uuid)
        if before is None or supersedes(known, before):
            newest[known.identity.uuid] = known
    names = [[known.identity.uuid for known in several] for several in told.values()]
    return [newest[uuid] for uuid in in_turns(names, random)]


def who_yields(sources: Mapping[PeerUUID, str], source: str, secret: bytes) -> PeerUUID | None:
    """Who leaves a full list for one more from ``source``; None = nobody. ``sources`` of those in it, the oldest first.

    The oldest of the network that has most there. Where each has one, networks stay in an order that ``secret`` makes:
    so who comes more often than others, or before them, has no larger part of the list.
    """
    held = Counter(sources.values())
    most = max(held.values())
    if held[source] >= most:
        return None
    if most > 1:
        return next(uuid for uuid, one in sources.items() if held[one] == most)
    last = max(sources, key=lambda uuid: _order(secret, sources[uuid]))
    return last if _order(secret, source) < _order(secret, sources[last]) else None


def _order(secret: bytes, source: str) -> bytes:
    """BLAKE2b under a key: nobody who does not know the secret knows where a network stands."""
    return hashlib.blake2b(source.encode(), digest_size=16, key=secret).digest()
