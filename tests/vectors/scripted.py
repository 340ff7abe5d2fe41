"""Luck and keys that are recorded when vectors are made, and replayed when our code is run against them.

What a library does not take (the coins of ML-KEM encapsulation, the hedge of ML-DSA signatures) is recorded as its
result. Not for: deriving anything; ``derive.py`` does that by hand.
"""

from __future__ import annotations

from typing import Any

from quantumgate.crypto import agreement, kem
from quantumgate.crypto.agreement import PrimaryKey
from quantumgate.crypto.identity import Identity
from quantumgate.crypto.kem import KemKey
from quantumgate.crypto.secret import Secret
from quantumgate.crypto.signatures import verify
from tests.core.handshake.duel import SeededRandom

P521_ORDER = 0x01FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFA51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409  # noqa: E501
PRIVATE_BYTES = {1: 32, 2: 56, 3: 66}


class RecordingRandom(SeededRandom):
    """Notes every draw."""

    def __init__(self, seed: object) -> None:
        super().__init__(seed)
        self.draws: list[Any] = []

    def bytes(self, n: int) -> bytes:
        """Noted in hex."""
        data = super().bytes(n)
        self.draws.append(data.hex())
        return data

    def uniform(self, low: float, high: float) -> float:
        """Only timers are drawn so; any value will do, and it is the same every time."""
        return (low + high) / 2

    def below(self, n: int) -> int:
        """Noted as a number."""
        value = super().below(n)
        self.draws.append(value)
        return value


class ScriptedRandom:
    """Gives the noted draws again, in order, and nothing beyond them."""

    def __init__(self, draws: list[Any]) -> None:
        self.draws = list(draws)

    def bytes(self, n: int) -> bytes:
        """The next draw."""
        data = bytes.fromhex(self.draws.pop(0))
        if len(data) != n:
            raise AssertionError(f"{n} bytes drawn, {len(data)} noted")
        return data

    def uniform(self, low: float, high: float) -> float:
        """As when it was recorded."""
        return (low + high) / 2

    def below(self, n: int) -> int:
        """The next draw."""
        value = self.draws.pop(0)
        if not 0 <= value < n:
            raise AssertionError(f"{value} noted, drawn below {n}")
        return int(value)


class Exact:
    """A RandomSource of exactly these bytes."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def bytes(self, n: int) -> bytes:
        """All of them."""
        if n != len(self.data):
            raise AssertionError(f"{n} bytes drawn of {len(self.data)}")
        return self.data

    def uniform(self, low: float, high: float) -> float:
        """Never drawn."""
        raise AssertionError

    def below(self, n: int) -> int:
        """Never drawn."""
        raise AssertionError


def primary_from(group: int, private: bytes) -> PrimaryKey:
    """An ephemeral key from its private half as the vectors spell it (P-521: the scalar, 66 octets)."""
    if group == 3:
        private = (int.from_bytes(private, "big") - 1).to_bytes(74, "big")
    return agreement.primary(group).generate(Exact(private))


class RecordingKeys:
    """Fresh ephemeral keys, from seeds that are noted; ciphertexts are noted with their secrets."""

    def __init__(self, seed: object) -> None:
        self._random = SeededRandom(("keys", seed))
        self.script: list[dict[str, Any]] = []

    def primary(self, group: int) -> PrimaryKey:
        """See ExchangeKeys."""
        private = self._random.bytes(PRIVATE_BYTES[group])
        if group == 3:
            private = (int.from_bytes(private, "big") % (P521_ORDER - 1) + 1).to_bytes(66, "big")
        key = primary_from(group, private)
        self.script.append({"primary": group, "private": private.hex(), "share": key.share.hex()})
        return key

    def secondary(self, group: int) -> KemKey:
        """See ExchangeKeys."""
        seed = self._random.bytes(kem.MLKEM_SEED_BYTES)
        key = kem.kem(group).generate(seed)
        self.script.append({"secondary": group, "seed": seed.hex(), "public": key.public.hex()})
        return key

    def encapsulate(self, group: int, public: bytes) -> tuple[bytes, Secret]:
        """See ExchangeKeys."""
        ciphertext, secret = kem.kem(group).encapsulate(public)
        noted = {"public": public.hex(), "ciphertext": ciphertext.hex(), "secret": secret.reveal().hex()}
        self.script.append({"encapsulate": group, **noted})
        return ciphertext, secret


class ScriptedKeys:
    """The same keys again, each call checked against what was noted."""

    def __init__(self, script: list[dict[str, Any]]) -> None:
        self.script = list(script)

    def _next(self, what: str, group: int) -> dict[str, Any]:
        noted = self.script.pop(0)
        if noted.get(what) != group:
            raise AssertionError(f"{what} {group} wanted, {noted} noted")
        return noted

    def primary(self, group: int) -> PrimaryKey:
        """See ExchangeKeys."""
        return primary_from(group, bytes.fromhex(self._next("primary", group)["private"]))

    def secondary(self, group: int) -> KemKey:
        """See ExchangeKeys."""
        return kem.kem(group).generate(bytes.fromhex(self._next("secondary", group)["seed"]))

    def encapsulate(self, group: int, public: bytes) -> tuple[bytes, Secret]:
        """See ExchangeKeys."""
        noted = self._next("encapsulate", group)
        if noted["public"] != public.hex():
            raise AssertionError("encapsulation to another key than the noted one")
        return bytes.fromhex(noted["ciphertext"]), Secret(bytes.fromhex(noted["secret"]))


class RecordingIdentity(Identity):
    """Notes what it signs."""

    __slots__ = ("script",)

    def __init__(self, kind: int, seeds: Secret) -> None:
        super().__init__(kind, seeds)
        self.script: list[dict[str, str]] = []

    def sign(self, name: str, content_hash: bytes) -> bytes:
        """See Identity."""
        signature = super().sign(name, content_hash)
        self.script.append({"name": name, "hash": content_hash.hex(), "signature": signature.hex()})
        return signature


class ScriptedIdentity(Identity):
    """Gives the noted signatures, if it is asked for exactly those; a classical one is also made anew and compared."""

    __slots__ = ("script",)

    def __init__(self, kind: int, seeds: Secret, script: list[dict[str, str]]) -> None:
        super().__init__(kind, seeds)
        self.script = list(script)

    def sign(self, name: str, content_hash: bytes) -> bytes:
        """See Identity."""
        noted = self.script.pop(0)
        if (noted["name"], noted["hash"]) != (name, content_hash.hex()):
            raise AssertionError(f"signature {name!r} over another hash than the noted one")
        signature = bytes.fromhex(noted["signature"])
        verify(self.own.bundle, name, content_hash, signature)
        if self.kind in (1, 3) and super().sign(name, content_hash) != signature:
            raise AssertionError("another signature than the noted one")
        return signature
