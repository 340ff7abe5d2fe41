"""HKDF-SHA-512, HMAC-SHA-512 and the stretching of passphrases, for networks (scrypt) and for files (argon2id).

Results that are kept stay in locked memory. Not for: the key schedule itself (``core/schedule.py``). Spec:
docs/spec/crypto.md (key derivation); RFC 5869, RFC 7914.
"""

from __future__ import annotations

import hashlib
import unicodedata

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from quantumgate.crypto import labels
from quantumgate.crypto.secret import Secret

HASH_BYTES = 64
SCRYPT_COST = 1 << 17
"""N of scrypt; with r = 8 it needs 128 MiB and about half a second, once, at configuration time."""

ARGON2_PASSES, ARGON2_MEMORY_KIB, ARGON2_LANES = 3, 64 * 1024, 4
"""For what lies on a disk: a key file, a store. A tenth of a second and 64 MiB."""

_SHA512 = hashes.SHA512()


def lp(data: bytes) -> bytes:
    """``u32 length || data``, the only way in which variable values are put side by side."""
    return len(data).to_bytes(4, "big") + data


def extract(salt: bytes | Secret, *ikm: bytes | Secret) -> Secret:
    """HKDF-Extract: 64 bytes from input key material of any length, which may come in pieces."""
    return Secret(_hmac(salt, *ikm))


def expand(prk: Secret, info: bytes, length: int = HASH_BYTES) -> Secret:
    """HKDF-Expand: ``length`` bytes (1..16320) bound to info. prk has 64 bytes."""
    made = Secret.blank(length)
    HKDFExpand(_SHA512, length, info).derive_into(prk.borrow(), made.fill_view())
    return made


class Expansion:
    """HKDF-Expand to several results of at most 64 bytes: the key is set up once, and the library alone holds it.

    It is cleared when nothing refers to this any more: not to be kept.
    """

    __slots__ = ("_keyed",)

    def __init__(self, prk: Secret | bytes) -> None:
        """prk has 64 bytes."""
        self._keyed = HMAC(_view(prk), _SHA512)

    @classmethod
    def of_extract(cls, salt: bytes | Secret, ikm: bytes | Secret) -> Expansion:
        """All that comes of Extract(salt, ikm), where that itself is of no further use."""
        return cls(_hmac(salt, ikm))

    def short_lived(self, info: bytes, length: int = HASH_BYTES) -> bytes:
        """In ordinary memory: for the key of a cipher, which is copied into the library, and for what is no secret."""
        keyed = self._keyed.copy()
        keyed.update(info + b"\x01")
        return keyed.finalize()[:length]

    def secret(self, info: bytes) -> Secret:
        """64 bytes to be kept."""
        return Secret(self.short_lived(info))


def hmac_sha512(key: Secret, data: bytes) -> bytes:
    """64 bytes that prove knowledge of key over data."""
    return _hmac(key, data)


def _hmac(key: bytes | Secret, *data: bytes | Secret) -> bytes:
    keyed = HMAC(_view(key), _SHA512)
    for piece in data:
        keyed.update(_view(piece))
    return keyed.finalize()


def _view(data: bytes | Secret) -> bytes | memoryview:
    """For one call: whoever passes ``data`` keeps it alive meanwhile."""
    return data.borrow() if isinstance(data, Secret) else data


def stretch_passphrase(passphrase: str, network_id: bytes) -> Secret:
    """The 64-byte shared secret of a passphrase: scrypt(NFC UTF-8, N = 2^17, r = 8, p = 1), salted per network."""
    salt = hashlib.sha512(labels.PASSPHRASE_SALT + lp(network_id)).digest()[:32]
    text = unicodedata.normalize("NFC", passphrase).encode()
    return Secret(Scrypt(salt=salt, length=HASH_BYTES, n=SCRYPT_COST, r=8, p=1).derive(text))


def stretch_for_file(passphrase: str, salt: bytes, length: int) -> Secret:
    """``length`` bytes of a passphrase (NFC, UTF-8) that seals a file: argon2id. RFC 9106."""
    stretch = Argon2id(
        salt=salt, length=length, iterations=ARGON2_PASSES, lanes=ARGON2_LANES, memory_cost=ARGON2_MEMORY_KIB
    )
    return Secret(stretch.derive(unicodedata.normalize("NFC", passphrase).encode()))
