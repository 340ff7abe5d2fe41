"""Signatures by identity keys of kinds 1 to 4: their input, their verification, and which public keys are refused.

Hybrids verify only if both halves do. Not for: private keys (``identity.py``). Spec: docs/spec/identity.md
(signatures); RFC 8032, FIPS 204.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed448, ed25519, mldsa

from quantumgate.crypto import labels
from quantumgate.errors import AuthenticationError, BadKeyError, BugError, LocalError

HASH_BYTES = 64
_P25519 = 2**255 - 19
_P448 = 2**448 - 2**224 - 1
_ORDER_8_Y = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
"""y of four of the eight points of small order of Ed25519; the other four have -y, 0, 1 and -1."""
_SMALL_ORDER_25519 = frozenset((0, 1, _P25519 - 1, _ORDER_8_Y, _P25519 - _ORDER_8_Y))
_SMALL_ORDER_448 = frozenset((0, 1, _P448 - 1))


BUNDLES_REMEMBERED = 128
"""Bundles that were looked at lately are not checked, hashed and loaded anew: a peer that comes back is known."""


@dataclass(frozen=True, slots=True)
class Kind:
    """An identity kind: one Edwards curve, and one ML-DSA beside it or none. Sizes in bytes, per half."""

    id: int
    name: str
    edwards: type[ed25519.Ed25519PublicKey | ed448.Ed448PublicKey]
    edwards_public_bytes: int
    edwards_signature_bytes: int
    edwards_seed_bytes: int
    mldsa: type[mldsa.MLDSA65PublicKey | mldsa.MLDSA87PublicKey] | None = None
    mldsa_public_bytes: int = 0
    mldsa_signature_bytes: int = 0
    mldsa_seed_bytes: int = 0

    @property
    def bundle_bytes(self) -> int:
        """Length of the public bundle with its kind byte."""
        return 1 + self.edwards_public_bytes + self.mldsa_public_bytes

    @property
    def signature_bytes(self) -> int:
        """Length of a signature, both halves together."""
        return self.edwards_signature_bytes + self.mldsa_signature_bytes

    @property
    def seed_bytes(self) -> int:
        """Length of the private seeds, both halves together."""
        return self.edwards_seed_bytes + self.mldsa_seed_bytes


KINDS: dict[int, Kind] = {
    1: Kind(1, "ed25519", ed25519.Ed25519PublicKey, 32, 64, 32),
    2: Kind(2, "ed25519+mldsa65", ed25519.Ed25519PublicKey, 32, 64, 32, mldsa.MLDSA65PublicKey, 1952, 3309, 32),
    3: Kind(3, "ed448", ed448.Ed448PublicKey, 57, 114, 57),
    4: Kind(4, "ed448+mldsa87", ed448.Ed448PublicKey, 57, 114, 57, mldsa.MLDSA87PublicKey, 2592, 4627, 32),
}


def kind_named(name: str) -> Kind:
    """The kind that people call ``ed25519``, ``ed25519+mldsa65``, ... Raises LocalError."""
    for kind in KINDS.values():
        if kind.name == name:
            return kind
    names = ", ".join(kind.name for kind in KINDS.values())
    raise LocalError(f"no identity kind is called {name!r}", advice=f"one of {names}")


def signature_input(kind: int, name: str, content_hash: bytes) -> bytes:
    """``0x20*64 || "QuantumGate/1 " || name || 0x00 || kind || content_hash``; name: one of labels.SIGNATURE_NAMES."""
    if name not in labels.SIGNATURE_NAMES or len(content_hash) != HASH_BYTES:
        raise BugError(f"nothing is signed as {name!r} over {len(content_hash)} bytes")
    return labels.SIGNATURE + name.encode() + bytes((0, kind)) + content_hash


def check_bundle(bundle: bytes) -> None:
    """Raises BadKeyError unless bundle is ``u8 kind || public keys``, exact, with an Edwards key of its own."""
    kind = _kind_of(bundle)
    raw = bundle[1 : 1 + kind.edwards_public_bytes]
    if kind.edwards is ed25519.Ed25519PublicKey:
        _check_edwards(raw, 255, _P25519, _SMALL_ORDER_25519)
    else:
        _check_edwards(raw, 455, _P448, _SMALL_ORDER_448)


def verify(bundle: bytes, name: str, content_hash: bytes, signature: bytes) -> None:
    """Raises AuthenticationError unless signature is by the key(s) of bundle over that name and hash.

    content_hash: SHA-512 of the content, or the transcript hash. Both halves of a hybrid must verify. Raises
    BadKeyError for a bundle that ``check_bundle`` refuses.
    """
    kind, edwards, mldsa_key = _public_keys(bundle)
    if len(signature) != kind.signature_bytes:
        raise AuthenticationError(f"a {kind.name} signature has {kind.signature_bytes} bytes, not {len(signature)}")
    message = signature_input(kind.id, name, content_hash)
    cut = kind.edwards_signature_bytes
    try:
        edwards.verify(signature[:cut], message)
        if mldsa_key is not None:
            mldsa_key.verify(signature[cut:], message, labels.PROTOCOL)
    except (InvalidSignature, ValueError):
        raise AuthenticationError("a signature does not verify") from None


@lru_cache(BUNDLES_REMEMBERED)
def _public_keys(bundle: bytes) -> tuple[Kind, Any, Any]:
    """(kind, Edwards key, ML-DSA key or None) of a bundle that may be used. Raises BadKeyError for any other."""
    check_bundle(bundle)
    kind = KINDS[bundle[0]]
    end = 1 + kind.edwards_public_bytes
    try:
        second = kind.mldsa.from_public_bytes(bundle[end:]) if kind.mldsa is not None else None
        return kind, kind.edwards.from_public_bytes(bundle[1:end]), second
    except ValueError:
        raise AuthenticationError("a signature does not verify") from None


def _kind_of(bundle: bytes) -> Kind:
    kind = KINDS.get(bundle[0]) if bundle else None
    if kind is None:
        raise BadKeyError("a bundle of no known kind")
    if len(bundle) != kind.bundle_bytes:
        raise BadKeyError(f"a bundle of kind {kind.name} has {kind.bundle_bytes} bytes, not {len(bundle)}")
    return kind


def _check_edwards(raw: bytes, sign_bit: int, prime: int, small_order: frozenset[int]) -> None:
    """Refuse what the library accepts: with a small-order key, one signature is valid for every message."""
    y = int.from_bytes(raw, "little") & ((1 << sign_bit) - 1)
    if y >= prime:
        raise BadKeyError("an Edwards key with a non-canonical encoding")
    if y in small_order:
        raise BadKeyError("an Edwards key of small order")
