"""What a handshake is told by its node: identity, network, algorithms, floors. One value for many handshakes.

Not for: what differs per connection (target, pin, session block). Spec: docs/spec/handshake.md sections 2 and 5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from quantumgate.core import schedule
from quantumgate.crypto import agreement, kem
from quantumgate.crypto.agreement import PrimaryKey
from quantumgate.crypto.identity import Identity
from quantumgate.crypto.kem import KemKey
from quantumgate.crypto.secret import Secret
from quantumgate.crypto.suites import DEFAULT_AEADS, DEFAULT_PRIMARIES, DEFAULT_SECONDARIES, SECONDARIES
from quantumgate.ids import NOBODY, PeerUUID
from quantumgate.wire.limits import (
    CANDIDATE_KEYS,
    DEFAULT_LIMITS,
    FIRST_FLIGHT_BYTES,
    FIRST_FLIGHT_MCELIECE_BYTES,
    Limits,
)
from quantumgate.wire.messages import Lists

DIALLED_REMEMBERED = 64
DEFAULT_NETWORK = b"QuantumGate"
ANONYMOUS_LISTS = Lists((1, 2, 3), (1, 2), (1, 2))
"""The fixed offer of a side without identity: nothing in it tells one installation from another."""


class ExchangeKeys(Protocol):
    """Where ephemeral keys come from. Vectors replay recorded ones; everybody else takes ``LibraryKeys``."""

    def primary(self, group: int) -> PrimaryKey:
        """A fresh key of a primary group."""

    def secondary(self, group: int) -> KemKey:
        """A fresh key pair of a secondary group that is not slow."""

    def encapsulate(self, group: int, public: bytes) -> tuple[bytes, Secret]:
        """(ciphertext, secret). Raises BadKeyError."""


class LibraryKeys:
    """Keys by the crypto floor, with its own randomness."""

    __slots__ = ()

    def primary(self, group: int) -> PrimaryKey:
        """See ExchangeKeys."""
        return agreement.primary(group).generate()

    def secondary(self, group: int) -> KemKey:
        """See ExchangeKeys."""
        return kem.kem(group).generate()

    def encapsulate(self, group: int, public: bytes) -> tuple[bytes, Secret]:
        """See ExchangeKeys."""
        return kem.kem(group).encapsulate(public)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A key that may open a first flight: for one target, under one shared secret."""

    target: bytes
    obf: Secret
    ke_salt: Secret
    shared_secret: bool

    @property
    def addressed(self) -> bool:
        """Whether the dialler knew a UUID."""
        return self.target != NOBODY.bytes


@dataclass(frozen=True)
class HandshakeSettings:
    """``psk``: the shared secret, >= 32 bytes. ``minimum_*``: ids at or above the floor, None = no floor.

    ``allow_unaddressed`` holds for connections that do not say otherwise themselves. ``salt_style`` is "uniform" or
    "printable6" (the dialler's first six bytes look like text). ``least_serial(uuid)``: of the newest delegation that
    was seen of this peer.
    """

    identity: Identity
    network_id: bytes = DEFAULT_NETWORK
    psk: Secret | None = None
    previous_psk: Secret | None = None
    previous_uuid: PeerUUID | None = None
    primaries: tuple[int, ...] = DEFAULT_PRIMARIES
    secondaries: tuple[int, ...] = field(default_factory=lambda: kem.offerable(DEFAULT_SECONDARIES))
    aeads: tuple[int, ...] = DEFAULT_AEADS
    minimum_primaries: frozenset[int] | None = None
    minimum_secondaries: frozenset[int] | None = None
    minimum_aeads: frozenset[int] | None = None
    limits: Limits = DEFAULT_LIMITS
    allow_unaddressed: bool = False
    require_authentication: bool = True
    salt_style: str = "uniform"
    least_serial: Callable[[PeerUUID], int] = lambda uuid: 0
    keys: ExchangeKeys = field(default_factory=LibraryKeys)

    @cached_property
    def lists(self) -> Lists:
        """What we offer and accept, in our order of preference: our lists without what is below the floor."""
        return self._above_floor(Lists(self.primaries, self.secondaries, self.aeads))

    @cached_property
    def anonymous_lists(self) -> Lists:
        """What we accept where the fixed offer was sent."""
        return self._above_floor(ANONYMOUS_LISTS)

    def _above_floor(self, lists: Lists) -> Lists:
        return Lists(
            _above(lists.primaries, self.minimum_primaries),
            _above(lists.secondaries, self.minimum_secondaries),
            _above(lists.aeads, self.minimum_aeads),
        )

    @cached_property
    def candidates(self) -> tuple[Candidate, ...]:
        """The keys that open a first flight sent to us, at most four, the likeliest first."""
        uuid = self.identity.public.uuid.bytes
        wanted = [(uuid, self.psk)]
        if self.previous_uuid is not None:
            wanted.append((self.previous_uuid.bytes, self.psk))
        wanted.append((NOBODY.bytes, self.psk))
        if self.previous_psk is not None:
            wanted.append((uuid, self.previous_psk))
        return tuple(candidate(self.network_id, psk, target) for target, psk in wanted)[:CANDIDATE_KEYS]

    @cached_property
    def addressed_candidates(self) -> tuple[Candidate, ...]:
        """Those of ``candidates`` for diallers who know a UUID."""
        return tuple(one for one in self.candidates if one.addressed)

    @cached_property
    def _prk0(self) -> Secret:
        return schedule.network_secret(self.network_id, self.psk)

    @cached_property
    def _dialled(self) -> dict[bytes, Candidate]:
        return {}

    def dial_candidate(self, target: PeerUUID | None) -> Candidate:
        """The key under which we dial that peer; those of the last few peers are kept."""
        name, kept = (target or NOBODY).bytes, self._dialled
        found = kept.pop(name, None) or _candidate_of(self._prk0, name, self.psk is not None)
        kept[name] = found
        if len(kept) > DIALLED_REMEMBERED:
            del kept[next(iter(kept))]
        return found

    @cached_property
    def first_flight_bytes(self) -> int:
        """The cap of a first flight; larger only where a McEliece group is enabled."""
        large = any(SECONDARIES[group].opt_in for group in self.lists.secondaries if group in SECONDARIES)
        return FIRST_FLIGHT_MCELIECE_BYTES if large else FIRST_FLIGHT_BYTES


def candidate(network_id: bytes, psk: Secret | None, target: bytes) -> Candidate:
    """The key that opens first flights to ``target`` (16 bytes)."""
    prk0 = schedule.network_secret(network_id, psk)
    try:
        return _candidate_of(prk0, target, psk is not None)
    finally:
        prk0.wipe()


def _candidate_of(prk0: Secret, target: bytes, shared_secret: bool) -> Candidate:
    obf = schedule.obfuscation_secret(prk0, target)
    return Candidate(target, obf, schedule.exchange_salt(prk0), shared_secret)


def _above(ids: tuple[int, ...], minimum: frozenset[int] | None) -> tuple[int, ...]:
    return ids if minimum is None else tuple(one for one in ids if one in minimum)
