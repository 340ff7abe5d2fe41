"""Tokens: 48 bytes by which a listener knows, before it knows any identity, that it met the dialler before.

A ``TokenMint`` makes them and knows them again; a ``TokenPurse`` keeps those that others gave to us. A token is a hint
for whom to serve first, never an authentication. Its keys live in memory only, so that one which was used before a
restart is nothing after it. Spec: docs/spec/overload.md section 1. [A12] [A14]
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from quantumgate.crypto.aead import AES_256_GCM, IV_BYTES, KEY_BYTES, AeadKey
from quantumgate.crypto.random import RandomSource
from quantumgate.crypto.secret import Secret
from quantumgate.errors import AuthenticationError
from quantumgate.ids import PeerUUID
from quantumgate.wire.limits import TOKENS_KEPT, TOKENS_USED_MAX

SECOND_BYTES = 4


class _Batch:
    """One key, when it was made, and the nonces of its tokens that were used."""

    __slots__ = ("key", "made_at", "used")

    def __init__(self, random: RandomSource, now: float) -> None:
        secret = Secret(random.bytes(KEY_BYTES))
        self.key = AeadKey(AES_256_GCM, secret, Secret(bytes(IV_BYTES)))
        secret.wipe()
        self.made_at = now
        self.used: set[bytes] = set()


@dataclass(frozen=True, slots=True)
class Holder:
    """Who came with a token: to whom it was given, and what ``TokenMint.spend`` needs to strike it out."""

    uuid: PeerUUID
    nonce: bytes
    batch: _Batch


class TokenMint:
    """One node's. ``now`` is monotonic seconds everywhere: no clock that can be set has a say in a token's life."""

    __slots__ = ("_batches", "_life_seconds", "_random", "_used_max")

    def __init__(
        self, random: RandomSource, now: float, *, life_seconds: float, used_max: int = TOKENS_USED_MAX
    ) -> None:
        """A key makes tokens for ``life_seconds`` and opens them for as long again; ``used_max`` bounds its memory."""
        self._random, self._life_seconds, self._used_max = random, life_seconds, used_max
        self._batches = [_Batch(random, now)]

    def issue(self, uuid: PeerUUID, now: float) -> bytes:
        """A new token for this peer. Nothing is kept for it. It looks random to everybody else."""
        self._rotate(now)
        batch = self._batches[0]
        nonce = self._random.bytes(IV_BYTES)
        second = int(now - batch.made_at).to_bytes(SECOND_BYTES, "big")
        return nonce + batch.key.seal(int.from_bytes(nonce, "big"), uuid.bytes + second)

    def holder(self, token: bytes, now: float) -> Holder | None:
        """To whom this token was given; None for one that is no token of ours, too old or used. Changes nothing."""
        self._rotate(now)
        nonce = token[:IV_BYTES]
        for batch in self._batches:
            try:
                plain = batch.key.open(int.from_bytes(nonce, "big"), token[IV_BYTES:])
            except AuthenticationError:
                continue
            age_seconds = now - batch.made_at - int.from_bytes(plain[-SECOND_BYTES:], "big")
            if age_seconds > self._life_seconds or nonce in batch.used:
                return None
            return Holder(PeerUUID(UUID(bytes=plain[:-SECOND_BYTES])), nonce, batch)
        return None

    def spend(self, holder: Holder) -> None:
        """The token is used. Like a salt: call immediately before the answer, never earlier.

        A key with ``used_max`` of them is dropped with all its tokens: a hint may be lost, but none counts twice.
        """
        used = holder.batch.used
        used.add(holder.nonce)
        if len(used) >= self._used_max and holder.batch in self._batches:
            self._batches.remove(holder.batch)

    def _rotate(self, now: float) -> None:
        batches = self._batches
        if not batches or now - batches[0].made_at >= self._life_seconds:
            batches.insert(0, _Batch(self._random, now))
            del batches[2:]


class TokenPurse:
    """The tokens that other nodes gave to us, the newest of each, in memory only."""

    __slots__ = ("_kept", "_life_seconds", "_most")

    def __init__(self, *, life_seconds: float, most: int = TOKENS_KEPT) -> None:
        """Over ``most`` peers the one that gave its token longest ago is forgotten."""
        self._life_seconds, self._most = life_seconds, most
        self._kept: dict[PeerUUID, tuple[bytes, float]] = {}

    def put(self, uuid: PeerUUID, token: bytes, now: float) -> None:
        """This peer gave us a token, in place of an older one."""
        self._kept.pop(uuid, None)
        self._kept[uuid] = token, now
        if len(self._kept) > self._most:
            del self._kept[next(iter(self._kept))]

    def take(self, uuid: PeerUUID, now: float) -> bytes:
        """Its token, which is ours no longer: each is used once. b"" where there is none that is young enough."""
        token, since = self._kept.pop(uuid, (b"", now))
        return token if now - since <= self._life_seconds else b""

    def __len__(self) -> int:
        return len(self._kept)


class Tokens:
    """Both sides of one node: those that it gives and those that it was given."""

    __slots__ = ("mint", "purse")

    def __init__(self, random: RandomSource, now: float, life_seconds: float) -> None:
        self.mint = TokenMint(random, now, life_seconds=life_seconds)
        self.purse = TokenPurse(life_seconds=life_seconds)
