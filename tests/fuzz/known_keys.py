"""Ephemeral keys that are made once: public-key work is not what is fuzzed, and scripts repeat exactly.

A group of another library needs none here: its keys are zeros and so are its secrets. Not for: anything but fuzzing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from quantumgate.crypto import agreement, kem
from quantumgate.crypto.secret import Secret
from quantumgate.crypto.suites import LIBOQS, SECONDARIES

REMEMBERED = 100
FOREIGN = frozenset(group for group, row in SECONDARIES.items() if row.backend == LIBOQS)
_NO_SECRET = bytes(32)


class LastingKey:
    """A key that outlives its wiping and remembers what it agreed on, in a primary or a secondary group."""

    def __init__(self, public: bytes, agree: Callable[[bytes], Secret]) -> None:
        self.share = self.public = public
        self._agree = agree
        self._known: dict[bytes, bytes] = {}

    def exchange(self, other: bytes) -> Secret:
        """The secret for this share or ciphertext; raises as the library does."""
        if other not in self._known:
            if len(self._known) > REMEMBERED:
                self._known.clear()
            self._known[other] = self._agree(other).reveal()
        return Secret(self._known[other])

    decapsulate = exchange

    def wipe(self) -> None:
        """Not this one."""


@cache
def known_primary(group: int, whose: str) -> LastingKey:
    key = agreement.primary(group).generate()
    return LastingKey(key.share, key.exchange)


@cache
def known_secondary(group: int, whose: str) -> LastingKey:
    if group in FOREIGN:
        return LastingKey(bytes(SECONDARIES[group].public_bytes), lambda _: Secret(_NO_SECRET))
    key = kem.kem(group).generate()
    return LastingKey(key.public, key.decapsulate)


_made: dict[tuple[int, bytes], tuple[bytes, bytes]] = {}


def encapsulated(group: int, public: bytes) -> tuple[bytes, Secret]:
    """The same ciphertext and secret each time for the same key."""
    if group in FOREIGN:
        return bytes(SECONDARIES[group].ciphertext_bytes), Secret(_NO_SECRET)
    known = _made.get((group, public))
    if known is None:
        ciphertext, secret = kem.kem(group).encapsulate(public)
        if len(_made) > REMEMBERED:
            _made.clear()
        known = _made[group, public] = ciphertext, secret.reveal()
    return known[0], Secret(known[1])


class KnownKeys:
    """The ExchangeKeys of a fuzzed side."""

    def primary(self, group: int) -> Any:
        return known_primary(group, "fuzzed")

    def secondary(self, group: int) -> Any:
        return known_secondary(group, "fuzzed")

    def encapsulate(self, group: int, public: bytes) -> tuple[bytes, Secret]:
        return encapsulated(group, public)
