"""Beacons: what makes a datagram on the local network readable to this network alone, and when one is sent.

Pure: the hands are ``net/multicast.py``. Not for: who was heard (``heard.py``), or the bytes inside
(``wire/beacons.py``). Spec: docs/spec/discovery.md, the local network. [A17] [A51]
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from quantumgate.core.budget import TokenBucket
from quantumgate.core.schedule import beacon_key, lan_group, lan_secret
from quantumgate.crypto.aead import TAG_BYTES
from quantumgate.crypto.random import RandomSource
from quantumgate.crypto.secret import Secret
from quantumgate.errors import MalformedError
from quantumgate.wire.beacons import BODY_BYTES, Beacon
from quantumgate.wire.limits import BEACON_ANSWERS, BEACON_PAD_BYTES, Limits

SALT_BYTES = 16
DATAGRAM_BYTES = (SALT_BYTES + BODY_BYTES + TAG_BYTES, SALT_BYTES + BODY_BYTES + BEACON_PAD_BYTES + TAG_BYTES)
"""The shortest and the longest beacon."""

FIRST_SECONDS = ((0.0, 0.5), (1.5, 2.5), (3.5, 5.0))
"""When the first three are sent, counted from the start."""


class Seal:
    """Of one network: whoever knows its name, and its shared secret where it has one, reads and makes its beacons."""

    def __init__(self, prk0: Secret, random: RandomSource) -> None:
        """``prk0`` as ``core.schedule.network_secret`` makes it; it stays the caller's."""
        self._secret, self._random = lan_secret(prk0), random
        self._group = lan_group(prk0)

    def groups(self) -> tuple[str, str]:
        """Where the beacons of this network go: an IPv4 group of 239.255.0.0/16, an IPv6 one of the link's scope.

        Networks that share a group by chance read nothing of one another.
        """
        four = IPv4Address(0xEFFF_0000 | int.from_bytes(self._group[:2], "big"))
        six = IPv6Address((0xFF12 << 112) | 0x8000_0000 | int.from_bytes(self._group[2:6], "big"))
        return str(four), str(six)

    def seal(self, beacon: Beacon) -> bytes:
        """One datagram; no two are alike in any byte, nor all in length."""
        salt = self._random.bytes(SALT_BYTES)
        body = beacon.encode(bytes(self._random.below(BEACON_PAD_BYTES + 1)))
        return salt + beacon_key(self._secret, salt).seal(0, body)

    def open(self, datagram: bytes) -> Beacon:
        """Raises MalformedError, or AuthenticationError for what this network did not make."""
        if not DATAGRAM_BYTES[0] <= len(datagram) <= DATAGRAM_BYTES[1]:
            raise MalformedError(f"a datagram of {len(datagram)} bytes")
        key = beacon_key(self._secret, datagram[:SALT_BYTES])
        return Beacon.decode(key.open(0, datagram[SALT_BYTES:]))


class Timetable:
    """When the next beacon is due: three at the start, then now and then, and one in answer to who is new."""

    def __init__(self, limits: Limits, random: RandomSource, now: float) -> None:
        self._limits, self._random = limits, random
        self._answer_at: float | None = None
        self._answers = TokenBucket(1 / limits.beacon_answer_gap_seconds, BEACON_ANSWERS, now)
        self._first: list[float] = []
        self._began_at = now
        self.begin(now)

    def begin(self, now: float) -> None:
        """The first three, from now on: at the start, and when there is a network where there was none."""
        self._began_at = now
        self._first = [now + self._random.uniform(*within) for within in FIRST_SECONDS]
        self._next_at = self._first.pop(0)

    def next_at(self) -> float:
        """The moment of the next beacon."""
        return self._next_at if self._answer_at is None else min(self._next_at, self._answer_at)

    def answer(self, now: float) -> None:
        """Somebody new is there, who waits for us: one beacon soon, unless we answered too often just now."""
        if self._answer_at is None:
            due_at = now if self._answers.has(now) else self._answers.next_at()
            self._answer_at = due_at + self._random.uniform(*self._limits.beacon_answer_seconds)

    def sent(self, now: float) -> None:
        """A beacon that was due went out."""
        if self._answer_at is not None and self._answer_at <= now:
            self._answer_at = None
            self._answers.take(now)
        if self._next_at <= now:
            later = now + self._random.uniform(*self._limits.beacon_seconds)
            self._next_at = self._first.pop(0) if self._first else later
