"""HKDF-SHA-512, HMAC-SHA-512 and the stretching of passphrases.

Results stay in locked memory. Not for: the key schedule itself (``core/schedule.py``). Spec: docs/spec/crypto.md (key
derivation); RFC 5869, RFC 7914.
"""

from __future__ import annotations

import hashlib
import hmac
import unicodedata

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from quantumgate.crypto import labels
from quantumgate.crypto.secret import Secret

HASH_BYTES = 64
SCRYPT_COST = 1 << 17
"""N of scrypt; with r = 8 it needs 128 MiB and about half a second, once, at configuration time."""

_SHA512 = hashes.SHA512()


def lp(data: bytes) -> bytes:
    """``u32 length || data``, the only way in which variable values are put side by side."""
    return len(data).to_bytes(4, "big") + data


def extract(salt: bytes | Secret, ikm: bytes | Secret) -> Secret:
    """HKDF-Extract: 64 bytes from input key material of any length."""
    key = salt.borrow() if isinstance(salt, Secret) else salt  # the name ``salt`` keeps the secret itself alive
    return Secret(hmac.digest(key, ikm.borrow() if isinstance(ikm, Secret) else ikm, "sha512"))


def expand(prk: Secret, info: bytes, length: int = HASH_BYTES) -> Secret:
    """HKDF-Expand: ``length`` bytes (1..16320) bound to info. prk has 64 bytes."""
    made = Secret.blank(length)
    HKDFExpand(_SHA512, length, info).derive_into(prk.borrow(), made.fill_view())
    return made


def expand_pair(prk: Secret, first: tuple[bytes, int], second: tuple[bytes, int]) -> Secret:
    """Two expansions, each of (info, length), side by side in one secret: a key and its iv live and die together."""
    cut = first[1]
    made = Secret.blank(cut + second[1])
    source, view = prk.borrow(), made.fill_view()
    HKDFExpand(_SHA512, cut, first[0]).derive_into(source, view[:cut])
    HKDFExpand(_SHA512, second[1], second[0]).derive_into(source, view[cut:])
    return made


def hmac_sha512(key: Secret, data: bytes) -> bytes:
    """64 bytes that prove knowledge of key over data."""
    return hmac.digest(key.borrow(), data, "sha512")


def mix(*parts: bytes | Secret) -> Secret:
    """``lp(a) || lp(b) || ...`` in locked memory: input key material of several secrets."""
    return Secret.join(piece for part in parts for piece in (len(part).to_bytes(4, "big"), part))


def stretch_passphrase(passphrase: str, network_id: bytes) -> Secret:
    """The 64-byte shared secret of a passphrase: scrypt(NFC UTF-8, N = 2^17, r = 8, p = 1), salted per network."""
    salt = hashlib.sha512(labels.PASSPHRASE_SALT + lp(network_id)).digest()[:32]
    text = unicodedata.normalize("NFC", passphrase).encode()
    return Secret(Scrypt(salt=salt, length=HASH_BYTES, n=SCRYPT_COST, r=8, p=1).derive(text))
