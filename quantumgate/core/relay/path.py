"""Which relays a circuit goes through. Spec: docs/spec/relays.md, 6. [A3] [A50]

Random among those that are allowed together; never a silently shorter path. Not for: building it
(``node/building.py``), or how gateways are found (``node/paths.py``).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from quantumgate.core.places import network_of
from quantumgate.errors import ConnectFailed
from quantumgate.ids import PeerUUID
from quantumgate.wire.limits import CIRCUIT_HOPS_MAX


class Luck(Protocol):
    """The part of ``crypto.random.RandomSource`` that choices need."""

    def below(self, n: int) -> int: ...


@dataclass(frozen=True, slots=True)
class Gateway:
    """A relay that may be a hop: its name, key and where it listens."""

    uuid: PeerUUID
    hosts: tuple[tuple[str, int], ...]
    fingerprint: bytes | None = None
    family: str = ""
    """What its operator declares to run it with; "" = alone."""

    @property
    def networks(self) -> frozenset[str]:
        """Of its addresses; a name has none, and is taken to be alone."""
        return frozenset(network for host, _ in self.hosts if (network := network_of(host)))


@dataclass(frozen=True, slots=True)
class PathWish:
    """``hops`` relays to ``target``. ``avoid``: networks of both ends, ``kin``: their families; ``bad``: relays that
    are not wanted; ``firsts``, ``middles``: the only first and second hops, where there are any. ``diverse`` False for
    one machine."""

    hops: int
    target: PeerUUID
    avoid: frozenset[str] = frozenset()
    kin: frozenset[str] = frozenset()
    bad: frozenset[PeerUUID] = frozenset()
    firsts: tuple[PeerUUID, ...] = ()
    middles: tuple[PeerUUID, ...] = ()
    diverse: bool = True


def require_length(hops: int) -> None:
    """Raises ConnectFailed for more relays, or fewer, than a circuit of ours may have."""
    if not 0 < hops <= CIRCUIT_HOPS_MAX:
        raise ConnectFailed("bad-path", f"a circuit has 1 to {CIRCUIT_HOPS_MAX} relays, not {hops}")


def choose(wish: PathWish, gateways: Sequence[Gateway], luck: Luck) -> tuple[Gateway, ...]:
    """Hops, first one first. Raises ConnectFailed where no such path exists: never a shorter one instead."""
    require_length(wish.hops)
    usable = [one for one in gateways if one.uuid != wish.target and one.uuid not in wish.bad]
    for first in _shuffled(_among(usable, wish.firsts), luck):
        if _fits(first, (), wish) and (rest := _extend((first,), _shuffled(usable, luck), wish)):
            return rest
    raise ConnectFailed(
        "no-path",
        f"no path of {wish.hops} relays: {len(usable)} of {len(gateways)} known gateways can be used"
        + (" and those are too close to one another or to an end" if len(usable) >= wish.hops else ""),
        advice="name more gateways in [relay] gateways, or ask for fewer hops",
    )


def _among(gateways: Sequence[Gateway], only: tuple[PeerUUID, ...]) -> list[Gateway]:
    return [one for one in gateways if one.uuid in only] if only else list(gateways)


def _extend(path: tuple[Gateway, ...], candidates: Sequence[Gateway], wish: PathWish) -> tuple[Gateway, ...] | None:
    if len(path) == wish.hops:
        return path
    left = [one for one in candidates if _fits(one, path, wish)]
    if len(path) + len(left) < wish.hops:
        return None
    following = _among(left, wish.middles) if len(path) == 1 else left
    return next((whole for one in following if (whole := _extend((*path, one), left, wish))), None)


def _fits(one: Gateway, path: Collection[Gateway], wish: PathWish) -> bool:
    if one.family in wish.kin - {""}:
        return False
    if any(one.uuid == other.uuid or (one.family and one.family == other.family) for other in path):
        return False
    if not wish.diverse:
        return True
    return not one.networks & wish.avoid and not any(one.networks & other.networks for other in path)


def _shuffled(gateways: Sequence[Gateway], luck: Luck) -> list[Gateway]:
    rest, mixed = list(gateways), []
    while rest:
        mixed.append(rest.pop(luck.below(len(rest))))
    return mixed
