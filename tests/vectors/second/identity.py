"""Bundles, UUIDs, fingerprints and signatures (identity.md).

Not for addresses and key files, which no vector holds.
"""
from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed448, ed25519, mldsa

from .crypto import P448, P25519, sha512
from .octets import Refused, require, u

CONTEXT = b"QuantumGate/1"
EdwardsKey = ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey
LatticeKey = mldsa.MLDSA65PrivateKey | mldsa.MLDSA87PrivateKey
ORDER_8_Y = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7


class Kind(NamedTuple):
    """What an identity of one kind is made of; lengths in octets, 0 where there is no ML-DSA half."""

    edwards_octets: int
    edwards_signature_octets: int
    lattice_octets: int
    lattice_signature_octets: int


KINDS = {1: Kind(32, 64, 0, 0), 2: Kind(32, 64, 1952, 3309), 3: Kind(57, 114, 0, 0), 4: Kind(57, 114, 2592, 4627)}


HANDSHAKES, RECORDS, VOUCHERS = 1, 2, 4


class Delegation(NamedTuple):
    """What a root lets an online key do (identity.md section 7); unix seconds."""

    online: bytes
    serial: int
    not_before: int
    not_after: int
    usages: int


def uuid_of(bundle: bytes) -> bytes:
    """The UUID of a bundle, 16 octets."""
    octets = bytearray(sha512(b"QuantumGate/1 peer uuid" + b"\0" + bundle)[:16])
    octets[6] = 0x80 | octets[6] & 0x0F
    octets[8] = 0x80 | bundle[0] << 2 | octets[8] & 0x03
    return bytes(octets)


def fingerprint_of(bundle: bytes) -> bytes:
    """The fingerprint of a bundle, 32 octets."""
    return hashlib.new("sha512_256", b"QuantumGate/1 fingerprint" + b"\0" + bundle).digest()


def fingerprint_text(fingerprint: bytes) -> str:
    """A fingerprint as text, 52 characters."""
    return base64.b32encode(fingerprint).decode("ascii").lower().rstrip("=")


def signature_input(name: str, kind: int, h: bytes) -> bytes:
    """What a key of this kind signs for a hash of 64 octets."""
    return b" " * 64 + b"QuantumGate/1 " + name.encode("ascii") + b"\0" + u(1, kind) + h


def check_bundle(bundle: bytes) -> int:
    """The kind of an acceptable bundle; others are refused."""
    require(bool(bundle) and bundle[0] in KINDS, "bundle", "kind")
    kind = KINDS[bundle[0]]
    require(len(bundle) == 1 + kind.edwards_octets + kind.lattice_octets, "bundle", "length")
    point = int.from_bytes(bundle[1:1 + kind.edwards_octets], "little")
    prime, bits = (P25519, 255) if kind.edwards_octets == 32 else (P448, 455)
    y = point & (1 << bits) - 1
    require(y < prime, "bundle", "y is not below the prime")
    small = y in (0, 1, prime - 1) or (prime == P25519 and y in (ORDER_8_Y, P25519 - ORDER_8_Y))
    require(not small, "bundle", "small order")
    return bundle[0]


@dataclass(frozen=True)
class Identity:
    """The private half: signs, knows its bundle."""

    kind: int
    edwards: EdwardsKey
    lattice: LatticeKey | None

    @classmethod
    def from_seeds(cls, kind: int, seeds: bytes) -> Identity:
        """From the seeds as a key file has them: Edwards seed, then ML-DSA seed."""
        cut = KINDS[kind].edwards_octets
        edwards: EdwardsKey = (ed25519.Ed25519PrivateKey.from_private_bytes(seeds[:cut]) if cut == 32 else
                               ed448.Ed448PrivateKey.from_private_bytes(seeds[:cut]))
        make: dict[int, Callable[[bytes], LatticeKey]] = {
            2: mldsa.MLDSA65PrivateKey.from_seed_bytes, 4: mldsa.MLDSA87PrivateKey.from_seed_bytes}
        require(len(seeds) == cut + 32 * (kind in make), "seeds", "length")
        return cls(kind, edwards, make[kind](seeds[cut:]) if kind in make else None)

    @property
    def bundle(self) -> bytes:
        """The public half."""
        lattice = self.lattice.public_key().public_bytes_raw() if self.lattice else b""
        return u(1, self.kind) + self.edwards.public_key().public_bytes_raw() + lattice

    @property
    def signature_octets(self) -> int:
        """The length of every signature of this identity."""
        return KINDS[self.kind].edwards_signature_octets + KINDS[self.kind].lattice_signature_octets

    def sign(self, name: str, h: bytes, given: bytes) -> bytes:
        """The signature; the ML-DSA half draws randomness, so it is taken from a `given` signature."""
        made = self.edwards.sign(signature_input(name, self.kind, h))
        return made + given[len(made):]


@dataclass(frozen=True)
class Deputy:
    """An online key: says whose bundle it is, and signs in its place."""

    root: Identity
    online: Identity

    @property
    def bundle(self) -> bytes:
        """The root's."""
        return self.root.bundle

    @property
    def kind(self) -> int:
        """Of both."""
        return self.root.kind

    @property
    def signature_octets(self) -> int:
        """As the root's: the kinds are the same."""
        return self.root.signature_octets

    def sign(self, name: str, h: bytes, given: bytes) -> bytes:
        """By the online key."""
        return self.online.sign(name, h, given)


def read_delegation(octets: bytes) -> Delegation:
    """Length and kinds; the rest is for check_delegation."""
    require(bool(octets) and octets[0] in KINDS, "delegation form", "kind")
    kind = KINDS[octets[0]]
    size = 1 + kind.edwards_octets + kind.lattice_octets
    signature = kind.edwards_signature_octets + kind.lattice_signature_octets
    require(len(octets) == 1 + 32 + size + 26 + signature, "delegation form", "length")
    terms = octets[33 + size:33 + size + 26]
    serial, begin, end = (int.from_bytes(terms[at:at + 8], "big") for at in (0, 8, 16))
    return Delegation(octets[33:33 + size], serial, begin, end, int.from_bytes(terms[24:], "big"))


def check_delegation(octets: bytes, root: bytes, usage: int, now_ms: int) -> Delegation:
    """Section 7, in its order; no serial was seen before."""
    found = read_delegation(octets)
    require(octets[0] == root[0] == found.online[0], "delegation", "another kind")
    require(octets[1:33] == fingerprint_of(root), "delegation", "another root")
    require(0 < found.not_after - found.not_before <= 90 * 86_400, "delegation", "life")
    check_bundle(found.online)
    require(found.usages & usage != 0, "delegation", "usage")
    require((found.not_before - 600) * 1000 <= now_ms <= (found.not_after + 600) * 1000, "delegation", "time")
    cut = KINDS[root[0]]
    end = len(octets) - cut.edwards_signature_octets - cut.lattice_signature_octets
    verify(root, "delegation", sha512(octets[:end]), octets[end:], "delegation signature")
    return found


def verify(bundle: bytes, name: str, h: bytes, signature: bytes, step: str) -> None:
    """Refuse at `step` unless the length is exact and each half verifies."""
    kind = KINDS[bundle[0]]
    cut = kind.edwards_signature_octets
    require(len(signature) == cut + kind.lattice_signature_octets, step, "length")
    signed = signature_input(name, bundle[0], h)
    edwards, lattice = bundle[1:1 + kind.edwards_octets], bundle[1 + kind.edwards_octets:]
    try:
        if kind.edwards_octets == 32:
            ed25519.Ed25519PublicKey.from_public_bytes(edwards).verify(signature[:cut], signed)
        else:
            ed448.Ed448PublicKey.from_public_bytes(edwards).verify(signature[:cut], signed)
        if bundle[0] == 2:
            mldsa.MLDSA65PublicKey.from_public_bytes(lattice).verify(signature[cut:], signed, CONTEXT)
        if bundle[0] == 4:
            mldsa.MLDSA87PublicKey.from_public_bytes(lattice).verify(signature[cut:], signed, CONTEXT)
    except (InvalidSignature, ValueError) as error:
        raise Refused(step, "signature") from error
