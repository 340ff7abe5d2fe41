"""Authenticated encryption with counted nonces: AES-256-GCM and ChaCha20-Poly1305.

The nonce is the key's iv XOR a counter that the caller keeps; repeating a counter under one key gives everything away.
Not for: deciding counters or associated data (records and handshake do). Spec: docs/spec/crypto.md (boxes); RFC 5116.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from quantumgate.crypto import labels
from quantumgate.crypto.kdf import Expansion
from quantumgate.crypto.secret import Secret
from quantumgate.errors import AuthenticationError, BugError, UnavailableError

AES_256_GCM = 1
CHACHA20_POLY1305 = 2
KEY_BYTES = 32
IV_BYTES = 12
TAG_BYTES = 16

_CIPHERS: dict[int, type[AESGCM | ChaCha20Poly1305]] = {AES_256_GCM: AESGCM, CHACHA20_POLY1305: ChaCha20Poly1305}


class AeadKey:
    """One key and iv. Sealing adds 16 bytes; n is 0 <= n < 2^96 and never used twice for sealing."""

    __slots__ = ("_cipher", "_iv", "algorithm")

    def __init__(self, algorithm: int, key: Secret, iv: Secret) -> None:
        """algorithm: 1 or 2; key: 32 bytes; iv: 12 bytes. The library keeps its own copy of the key."""
        if algorithm not in _CIPHERS:
            raise UnavailableError(f"no AEAD has the id {algorithm}")
        if len(key) != KEY_BYTES or len(iv) != IV_BYTES:
            raise BugError("an AEAD key has 32 bytes and its iv 12")
        self.algorithm = algorithm
        self._take(key.borrow(), iv.borrow())

    def _take(self, key: bytes | memoryview, iv: bytes | memoryview) -> None:
        self._cipher = _CIPHERS[self.algorithm](key)
        self._iv = int.from_bytes(iv, "big")

    def seal(self, n: int, data: bytes | bytearray | memoryview, ad: bytes = b"") -> bytes:
        """The box: ciphertext and tag, len(data) + 16 bytes."""
        return self._cipher.encrypt((self._iv ^ n).to_bytes(12, "big"), data, ad)

    def open(self, n: int, data: bytes | bytearray | memoryview, ad: bytes = b"") -> bytes:
        """What was sealed. Raises AuthenticationError."""
        try:
            return self._cipher.decrypt((self._iv ^ n).to_bytes(12, "big"), data, ad)
        except InvalidTag:
            raise AuthenticationError("a box does not open") from None

    def seal_into(self, n: int, data: bytes | bytearray | memoryview, ad: bytes | memoryview, out: memoryview) -> None:
        """Seal into out (exactly len(data) + 16 bytes). In place is fine: data may be ``out[:-16]``."""
        self._cipher.encrypt_into((self._iv ^ n).to_bytes(12, "big"), data, ad, out)

    def open_into(self, n: int, data: bytes | bytearray | memoryview, ad: bytes | memoryview, out: memoryview) -> None:
        """Open into out (exactly len(data) - 16 bytes), also in place. On failure out is zeroed.

        Raises AuthenticationError. The library writes plaintext before it has seen the tag, hence the zeroing: nothing
        that was not authenticated may stay where somebody could read it.
        """
        try:
            self._cipher.decrypt_into((self._iv ^ n).to_bytes(12, "big"), data, ad, out)
        except InvalidTag:
            out[:] = bytes(len(out))
            raise AuthenticationError("a box does not open") from None

    def __repr__(self) -> str:
        return f"<AeadKey algorithm {self.algorithm}>"


def aead_from(prk: Secret | Expansion, label: str, algorithm: int) -> AeadKey:
    """keys(P, name) of the specification: key and iv by ``qg1 NAME key`` and ``qg1 NAME iv``."""
    if algorithm not in _CIPHERS:
        raise UnavailableError(f"no AEAD has the id {algorithm}")
    under = prk if isinstance(prk, Expansion) else Expansion(prk)
    made = AeadKey.__new__(AeadKey)
    made.algorithm = algorithm
    made._take(under.short_lived(labels.key_info(label), KEY_BYTES), under.short_lived(labels.iv_info(label), IV_BYTES))
    return made
