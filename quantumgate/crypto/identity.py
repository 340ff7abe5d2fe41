"""Who a peer is: its key bundle, the UUID and fingerprint computed from it, and our own private half.

Key files are bytes in and bytes out here; the caller keeps them (mode 0600). Not for: pins and access rules. Spec:
docs/spec/identity.md; RFC 9562 (UUIDv8), RFC 9106 (Argon2id).
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed448, ed25519, mldsa

from quantumgate.crypto import labels
from quantumgate.crypto.aead import AES_256_GCM, KEY_BYTES, AeadKey
from quantumgate.crypto.kdf import stretch_for_file
from quantumgate.crypto.random import RandomSource, SystemRandom
from quantumgate.crypto.secret import Secret
from quantumgate.crypto.signatures import BUNDLES_REMEMBERED, KINDS, Kind, check_bundle, kind_named, signature_input
from quantumgate.errors import AuthenticationError, BugError, KeyFileError
from quantumgate.ids import PeerUUID

FINGERPRINT_BYTES = 32
TEXTS_REMEMBERED = 256
"""Fingerprints whose text is kept at hand: each contact of a known peer needs it."""

FILE_FORMAT = 1
KDF_NONE = 0
KDF_ARGON2ID = 1
SALT_BYTES = 16
IV_BYTES = 12


def uuid_of(bundle: bytes) -> PeerUUID:
    """UUIDv8: 118 bits of SHA-512 over the bundle, and the kind in the 4 bits after the variant."""
    octets = bytearray(hashlib.sha512(labels.PEER_UUID + b"\0" + bundle).digest()[:16])
    octets[6] = 0x80 | octets[6] & 0x0F
    octets[8] = 0x80 | (bundle[0] & 0x0F) << 2 | octets[8] & 0x03
    return PeerUUID(UUID(bytes=bytes(octets)))


def fingerprint_of(bundle: bytes) -> bytes:
    """SHA-512/256 over the bundle: the 32 bytes that are pinned."""
    digest = hashes.Hash(hashes.SHA512_256())
    digest.update(labels.FINGERPRINT + b"\0" + bundle)
    return digest.finalize()


@dataclass(frozen=True, slots=True)
class PeerIdentity:
    """What is known of a peer: UUID, kind (1..4), bundle (``u8 kind || public keys``) and 32-byte fingerprint."""

    uuid: PeerUUID
    kind: int
    bundle: bytes
    fingerprint: bytes

    @classmethod
    def from_bundle(cls, bundle: bytes) -> PeerIdentity:
        """Raises BadKeyError for a bundle that must not be used. One value for a bundle while it is remembered."""
        return _identity_of(bundle)

    @property
    def kind_name(self) -> str:
        """``ed25519``, ``ed25519+mldsa65``, ``ed448`` or ``ed448+mldsa87``."""
        return KINDS[self.kind].name

    @property
    def fingerprint_text(self) -> str:
        """Base32, lowercase, no padding: 52 characters."""
        return fingerprint_text(self.fingerprint)


@lru_cache(BUNDLES_REMEMBERED)
def _identity_of(bundle: bytes) -> PeerIdentity:
    check_bundle(bundle)
    return PeerIdentity(uuid_of(bundle), bundle[0], bundle, fingerprint_of(bundle))


@lru_cache(TEXTS_REMEMBERED)
def fingerprint_text(fingerprint: bytes) -> str:
    """The text of a 32-byte fingerprint: base32, lowercase, no padding, 52 characters."""
    return base64.b32encode(fingerprint).decode().rstrip("=").lower()


@lru_cache(TEXTS_REMEMBERED)
def parse_fingerprint(text: str) -> bytes:
    """The 32 bytes of a fingerprint's text (as ``ids.QgAddress`` accepts it). Raises ValueError."""
    raw = base64.b32decode(text.upper() + "====")
    if len(raw) != FINGERPRINT_BYTES or fingerprint_text(raw) != text:
        raise ValueError(f"not a fingerprint: {text!r}")
    return raw


class Identity:
    """Our own keys. ``public`` is who we are; the seeds stay in locked memory, the library's key objects do not.

    ``own`` is the public half of these very keys. It is ``public`` too, unless they act for a root: then ``delegation``
    (b"" = none) is what the root signed for them, as it travels.
    """

    __slots__ = ("_edwards", "_mldsa", "_seeds", "delegation", "kind", "own", "public")

    def __init__(self, kind: int, seeds: Secret) -> None:
        """seeds: the Edwards seed, then the ML-DSA seed where the kind has one. They are kept, not copied."""
        table = KINDS[kind]
        if len(seeds) != table.seed_bytes:
            raise BugError(f"{table.name} has {table.seed_bytes} bytes of seeds, not {len(seeds)}")
        self.kind, self._seeds = kind, seeds
        self._edwards = _edwards_key(table, seeds.borrow()[: table.edwards_seed_bytes])
        self._mldsa = _mldsa_key(table, seeds.borrow()[table.edwards_seed_bytes :])
        bundle = bytes((kind,)) + self._edwards.public_key().public_bytes_raw()
        if self._mldsa is not None:
            bundle += self._mldsa.public_key().public_bytes_raw()
        self.public = self.own = PeerIdentity.from_bundle(bundle)
        self.delegation = b""

    @classmethod
    def generate(cls, kind: int | str = 1, random: RandomSource | None = None) -> Identity:
        """A new identity of that kind (number or name), from ``random`` or the system's generator."""
        table = KINDS[kind] if isinstance(kind, int) else kind_named(kind)
        return cls(table.id, Secret((random or SystemRandom()).bytes(table.seed_bytes)))

    def act_for(self, root: PeerIdentity, delegation: bytes) -> Identity:
        """This identity, speaking for ``root`` from now on. That it may is for the caller to know."""
        self.public, self.delegation = root, delegation
        return self

    def sign(self, name: str, content_hash: bytes) -> bytes:
        """The signature called ``name`` (labels.SIGNATURE_NAMES) over a 64-byte hash; both halves of a hybrid."""
        message = signature_input(self.kind, name, content_hash)
        signature = self._edwards.sign(message)
        return signature if self._mldsa is None else signature + self._mldsa.sign(message, labels.PROTOCOL)

    def to_file_bytes(self, passphrase: str | None = None, random: RandomSource | None = None) -> bytes:
        """A key file: ``u8 format, u8 kdf`` and the body, sealed under the passphrase if there is one (0.1 s, 64 MiB).

        Body: ``u8 kind || seeds || fingerprint(32)``; the fingerprint tells a damaged file from another identity.
        """
        body = bytes((self.kind,)) + self._seeds.reveal() + self.own.fingerprint
        if passphrase is None:
            return bytes((FILE_FORMAT, KDF_NONE)) + body
        source = random or SystemRandom()
        head = bytes((FILE_FORMAT, KDF_ARGON2ID)) + source.bytes(SALT_BYTES + IV_BYTES)
        return head + _file_key(passphrase, head).seal(0, body, head)

    @classmethod
    def from_file_bytes(cls, data: bytes, passphrase: str | None = None) -> Identity:
        """The identity in a key file. Raises KeyFileError for a damaged one, or a missing or wrong passphrase."""
        return _parse_body(data[2:] if not needs_passphrase(data) else _open_body(data, passphrase))

    def wipe(self) -> None:
        """Wipe the seeds and drop the library's keys. Using the identity afterwards is a bug."""
        self._seeds.wipe()
        del self._edwards, self._mldsa

    def __repr__(self) -> str:
        return f"<Identity {self.public.uuid}>"


def needs_passphrase(data: bytes) -> bool:
    """Whether a key file is sealed. Raises KeyFileError where it is no key file that we know."""
    if len(data) < 2 or data[0] != FILE_FORMAT or data[1] not in (KDF_NONE, KDF_ARGON2ID):
        raise KeyFileError(
            "not a key file of a known format", advice="restore it from a copy, or use the version that wrote it"
        )
    return data[1] == KDF_ARGON2ID


def _parse_body(body: bytes) -> Identity:
    table = KINDS.get(body[0]) if body else None
    if table is None or len(body) != 1 + table.seed_bytes + FINGERPRINT_BYTES:
        raise KeyFileError("a damaged key file", advice="restore it from a copy")
    identity = Identity(table.id, Secret(body[1 : 1 + table.seed_bytes]))
    if identity.public.fingerprint != body[1 + table.seed_bytes :]:
        raise KeyFileError("a damaged key file", advice="restore it from a copy")
    return identity


def _open_body(data: bytes, passphrase: str | None) -> bytes:
    if passphrase is None:
        raise KeyFileError("the key file is sealed", advice="give its passphrase")
    head, box = data[: 2 + SALT_BYTES + IV_BYTES], data[2 + SALT_BYTES + IV_BYTES :]
    if not box:
        raise KeyFileError("a damaged key file", advice="restore it from a copy")
    try:
        return _file_key(passphrase, head).open(0, box, head)
    except AuthenticationError:
        raise KeyFileError("a wrong passphrase, or a damaged key file") from None


def _file_key(passphrase: str, head: bytes) -> AeadKey:
    salt, iv = head[2 : 2 + SALT_BYTES], head[2 + SALT_BYTES :]
    return AeadKey(AES_256_GCM, stretch_for_file(passphrase, salt, KEY_BYTES), Secret(iv))


def _edwards_key(table: Kind, seed: memoryview) -> ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey:
    if table.edwards is ed25519.Ed25519PublicKey:
        return ed25519.Ed25519PrivateKey.from_private_bytes(seed)
    return ed448.Ed448PrivateKey.from_private_bytes(seed)


def _mldsa_key(table: Kind, seed: memoryview) -> mldsa.MLDSA65PrivateKey | mldsa.MLDSA87PrivateKey | None:
    if table.mldsa is None:
        return None
    if table.mldsa is mldsa.MLDSA65PublicKey:
        return mldsa.MLDSA65PrivateKey.from_seed_bytes(seed)
    return mldsa.MLDSA87PrivateKey.from_seed_bytes(seed)
