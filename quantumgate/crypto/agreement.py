"""The primary key exchange: X25519, X448 and P-521, one ephemeral key per handshake.

A share that is low-order, non-canonical, off the curve or of another length is refused: honest peers never send one,
and a low-order share would make the result known to everybody. Not for: the secondary exchange (``kem.py``). Spec:
docs/spec/crypto.md (primary key exchange); RFC 7748, NIST SP 800-56A.
"""

from __future__ import annotations

from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric import ec, x448, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from quantumgate.crypto.random import RandomSource
from quantumgate.crypto.secret import Secret
from quantumgate.crypto.suites import PRIMARIES
from quantumgate.errors import BadKeyError, BugError, UnavailableError

_P25519 = 2**255 - 19
_P448 = 2**448 - 2**224 - 1
_P521_ORDER = 2**521 - 0x5AE79787C40D069948033FEB708F65A2FC44A36477663B851449048E16EC79BF7
_P521 = ec.SECP521R1()


class PrimaryKey:
    """Our ephemeral half of one exchange. ``share`` is what the peer gets."""

    __slots__ = ("_exchange", "_name", "share")

    def __init__(self, name: str, share: bytes, exchange: Callable[[bytes], bytes]) -> None:
        self._name = name
        self._exchange: Callable[[bytes], bytes] | None = exchange
        self.share = share

    def exchange(self, peer_share: bytes) -> Secret:
        """The shared secret (32, 56 or 66 bytes). Raises BadKeyError for a share that must not be used."""
        if self._exchange is None:
            raise BugError("an ephemeral key was used after it was wiped")
        if len(peer_share) != len(self.share):
            raise BadKeyError(f"a {self._name} share has {len(self.share)} bytes, not {len(peer_share)}")
        try:
            return Secret(self._exchange(peer_share))
        except ValueError:
            raise BadKeyError(f"a {self._name} share that must not be used") from None

    def wipe(self) -> None:
        """Forget the private half; the library clears its copy when nothing refers to it any more."""
        self._exchange = None

    def __repr__(self) -> str:
        return f"<PrimaryKey {self._name}>"


class PrimaryGroup:
    """A way to make ephemeral keys."""

    __slots__ = ("_make", "id", "name", "share_bytes")

    def __init__(self, id_: int, make: Callable[[RandomSource | None], tuple[bytes, Callable[[bytes], bytes]]]) -> None:
        row = PRIMARIES[id_]
        self.id, self.name, self.share_bytes = id_, row.name, row.share_bytes
        self._make = make

    def generate(self, random: RandomSource | None = None) -> PrimaryKey:
        """A fresh key; with ``random`` it is made from that source's bytes (vectors), else by the library."""
        return PrimaryKey(self.name, *self._make(random))


def _make_x25519(random: RandomSource | None) -> tuple[bytes, Callable[[bytes], bytes]]:
    kind = x25519.X25519PrivateKey
    key = kind.generate() if random is None else kind.from_private_bytes(random.bytes(32))

    def exchange(share: bytes) -> bytes:
        _check_canonical(share, _P25519)
        return key.exchange(x25519.X25519PublicKey.from_public_bytes(share))

    return key.public_key().public_bytes_raw(), exchange


def _make_x448(random: RandomSource | None) -> tuple[bytes, Callable[[bytes], bytes]]:
    kind = x448.X448PrivateKey
    key = kind.generate() if random is None else kind.from_private_bytes(random.bytes(56))

    def exchange(share: bytes) -> bytes:
        _check_canonical(share, _P448)
        return key.exchange(x448.X448PublicKey.from_public_bytes(share))

    return key.public_key().public_bytes_raw(), exchange


def _make_p521(random: RandomSource | None) -> tuple[bytes, Callable[[bytes], bytes]]:
    key = ec.generate_private_key(_P521) if random is None else ec.derive_private_key(_scalar(random), _P521)

    def exchange(share: bytes) -> bytes:
        return key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(_P521, share))

    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint), exchange


def _scalar(random: RandomSource) -> int:
    """1 <= d < order. 64 bits more than the order has make the bias negligible (FIPS 186-5 A.2.1)."""
    return int.from_bytes(random.bytes(74), "big") % (_P521_ORDER - 1) + 1


def _check_canonical(share: bytes, prime: int) -> None:
    """RFC 7748 lets a receiver reduce; we refuse, so that a key has exactly one spelling in the transcript."""
    if int.from_bytes(share, "little") >= prime:
        raise ValueError("non-canonical share")


_GROUPS = {1: PrimaryGroup(1, _make_x25519), 2: PrimaryGroup(2, _make_x448), 3: PrimaryGroup(3, _make_p521)}


def primary(id_: int) -> PrimaryGroup:
    """The group of that id. Raises UnavailableError."""
    try:
        return _GROUPS[id_]
    except KeyError:
        raise UnavailableError(f"no primary key exchange has the id {id_}") from None
