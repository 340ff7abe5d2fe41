"""HKDF, boxes and the two key exchanges (crypto.md).

Not for signatures (identity.py), nor for what is derived from what (schedule.py).
"""
from __future__ import annotations

import hashlib
import hmac
import unicodedata
from functools import lru_cache
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec, mlkem, x448, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .octets import Refused, lp, require, u

AES_256_GCM = 1
AEADS: dict[int, type[AESGCM] | type[ChaCha20Poly1305]] = {AES_256_GCM: AESGCM, 2: ChaCha20Poly1305}
TAG_OCTETS = 16
X25519, X448, P521 = 1, 2, 3
SHARE_OCTETS = {X25519: 32, X448: 56, P521: 133}
P25519 = 2**255 - 19
P448 = 2**448 - 2**224 - 1
P_521 = 2**521 - 1
N_521 = 2**521 - 0x5AE79787C40D069948033FEB708F65A2FC44A36477663B851449048E16EC79BF7
MLKEM768, MLKEM1024 = 1, 2
KEM_KEY_OCTETS = {MLKEM768: 1184, MLKEM1024: 1568}
KEM_ANSWER_OCTETS = {MLKEM768: 1088, MLKEM1024: 1568}
KEM_PRIVATE: dict[int, type[mlkem.MLKEM768PrivateKey] | type[mlkem.MLKEM1024PrivateKey]] = {
    MLKEM768: mlkem.MLKEM768PrivateKey, MLKEM1024: mlkem.MLKEM1024PrivateKey}


class Keys(NamedTuple):
    """The key (32 octets) and iv (12 octets) of one direction."""

    key: bytes
    iv: bytes


def sha512(data: bytes) -> bytes:
    """SHA-512 of the data."""
    return hashlib.sha512(data).digest()


def mac(key: bytes, message: bytes) -> bytes:
    """HMAC-SHA-512."""
    return hmac.digest(key, message, "sha512")


def extract(salt: bytes, secret: bytes) -> bytes:
    """HKDF-Extract with SHA-512."""
    return mac(salt, secret)


def expand(prk: bytes, info: bytes, length: int = 64) -> bytes:
    """HKDF-Expand with SHA-512, to 16 320 octets at most."""
    require(length <= 255 * 64, "export", "too long")
    block, out = b"", b""
    for counter in range(1, -(-length // 64) + 1):
        block = mac(prk, block + info + u(1, counter))
        out += block
    return out[:length]


def keys(prk: bytes, name: str) -> Keys:
    """The key and iv called `name` below a PRK."""
    label = b"qg1 " + name.encode("ascii")
    return Keys(expand(prk, label + b" key", 32), expand(prk, label + b" iv", 12))


@lru_cache(maxsize=4)
def passphrase_secret(passphrase: str, network_id: str) -> bytes:
    """The shared secret of a passphrase, 64 octets."""
    salt = sha512(b"QuantumGate/1 psk" + lp(network_id.encode()))[:32]
    return Scrypt(salt=salt, length=64, n=2**17, r=8, p=1).derive(unicodedata.normalize("NFC", passphrase).encode())


def nonce(of: Keys, n: int) -> bytes:
    """iv XOR n, n being a 96-bit number."""
    return u(12, int.from_bytes(of.iv, "big") ^ n)


def seal(of: Keys, n: int, ad: bytes, plaintext: bytes, aead: int) -> bytes:
    """One box."""
    return AEADS[aead](of.key).encrypt(nonce(of, n), plaintext, ad)


def unseal(of: Keys, n: int, ad: bytes, box: bytes, aead: int, step: str) -> bytes:
    """What is in a box; one that does not open is refused at `step`."""
    require(len(box) >= TAG_OCTETS, step, "shorter than a tag")
    try:
        return AEADS[aead](of.key).decrypt(nonce(of, n), box, ad)
    except InvalidTag as error:
        raise Refused(step, "does not open") from error


def share_of(group: int, private: bytes) -> bytes:
    """The share of a private key (X25519, X448: the private octets; P-521: the scalar modulo n - 1)."""
    if group == X25519:
        return x25519.X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()
    if group == X448:
        return x448.X448PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()
    return _p521(private).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def agree(group: int, private: bytes, share: bytes) -> bytes:
    """The raw result of the primary exchange; shares that must not be used are refused."""
    require(len(share) == SHARE_OCTETS[group], "share", "length")
    if group == P521:
        return _agree_p521(private, share)
    prime = P25519 if group == X25519 else P448
    require(int.from_bytes(share, "little") < prime, "share", "not the one spelling")
    try:
        if group == X25519:
            return x25519.X25519PrivateKey.from_private_bytes(private).exchange(
                x25519.X25519PublicKey.from_public_bytes(share))
        return x448.X448PrivateKey.from_private_bytes(private).exchange(x448.X448PublicKey.from_public_bytes(share))
    except ValueError as error:
        raise Refused("share", "a result of zeros") from error


def _p521(private: bytes) -> ec.EllipticCurvePrivateKey:
    require(len(private) == 66, "share", "length of the private key")
    return ec.derive_private_key(int.from_bytes(private, "big") % (N_521 - 1), ec.SECP521R1())


def _agree_p521(private: bytes, share: bytes) -> bytes:
    x, y = (int.from_bytes(share[at:at + 66], "big") for at in (1, 67))
    require(share[0] == 4 and x < P_521 and y < P_521, "share", "coordinates")
    try:
        point = ec.EllipticCurvePublicNumbers(x, y, ec.SECP521R1()).public_key()
    except ValueError as error:
        raise Refused("share", "not on the curve") from error
    return _p521(private).exchange(ec.ECDH(), point)


def kem_public(group: int, seed: bytes) -> bytes:
    """The public key of an ML-KEM seed d || z."""
    return KEM_PRIVATE[group].from_seed_bytes(seed).public_key().public_bytes_raw()


def decapsulate(group: int, seed: bytes, ciphertext: bytes) -> bytes:
    """The secret that the other side sent under the public key of this seed."""
    require(len(ciphertext) == KEM_ANSWER_OCTETS[group], "ciphertext", "length")
    return KEM_PRIVATE[group].from_seed_bytes(seed).decapsulate(ciphertext)


def check_kem_key(group: int, public: bytes) -> None:
    """FIPS 203 section 7.2: length, and each 12-bit coefficient (little-endian) below 3329."""
    require(len(public) == KEM_KEY_OCTETS[group], "public key", "length")
    for at in range(0, len(public) - 32, 3):
        pair = int.from_bytes(public[at:at + 3], "little")
        require(pair & 0xFFF < 3329 and pair >> 12 < 3329, "public key", "a coefficient is not reduced")
