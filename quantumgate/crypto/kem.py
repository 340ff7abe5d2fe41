"""The secondary key exchange: key encapsulation, ML-KEM first, others where liboqs was found.

Encapsulation always returns (ciphertext, secret), whatever the library's order. Not for: finding liboqs
(``backends.py``). Spec: docs/spec/crypto.md (secondary key exchange); FIPS 203.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import ModuleType

from cryptography.hazmat.primitives.asymmetric import mlkem

from quantumgate.crypto import liboqs
from quantumgate.crypto.secret import Secret
from quantumgate.crypto.suites import SECONDARIES, SecondaryRow
from quantumgate.errors import BadKeyError, BugError, UnavailableError

MLKEM_SEED_BYTES = 64


class KemKey:
    """Our ephemeral key pair for one exchange. ``public`` is what the peer encapsulates to."""

    __slots__ = ("_decapsulate", "_forget", "_row", "public")

    def __init__(
        self,
        row: SecondaryRow,
        public: bytes,
        decapsulate: Callable[[bytes], bytes],
        forget: Callable[[], None] | None = None,
    ) -> None:
        self._row, self.public = row, public
        self._decapsulate: Callable[[bytes], bytes] | None = decapsulate
        self._forget = forget

    def decapsulate(self, ciphertext: bytes) -> Secret:
        """The shared secret. A ciphertext that was not made for this key gives another secret, without an error.

        Raises BadKeyError for a wrong length.
        """
        if self._decapsulate is None:
            raise BugError("an ephemeral key was used after it was wiped")
        if len(ciphertext) != self._row.ciphertext_bytes:
            expected = self._row.ciphertext_bytes
            raise BadKeyError(f"a {self._row.name} ciphertext has {expected} bytes, not {len(ciphertext)}")
        return Secret(self._decapsulate(ciphertext))

    def wipe(self) -> None:
        """Forget the private half, for good."""
        self._decapsulate = None
        if self._forget is not None:
            self._forget()
            self._forget = None

    def __del__(self) -> None:
        self.wipe()

    def __repr__(self) -> str:
        return f"<KemKey {self._row.name}>"


class Kem:
    """One mechanism. Subclasses say how; this class checks lengths and wraps secrets."""

    __slots__ = ("ciphertext_bytes", "id", "name", "public_bytes", "row", "slow")

    def __init__(self, row: SecondaryRow) -> None:
        self.row, self.id, self.name, self.slow = row, row.id, row.name, row.slow
        self.public_bytes, self.ciphertext_bytes = row.public_bytes, row.ciphertext_bytes

    def generate(self, seed: bytes | None = None) -> KemKey:
        """A fresh key pair; from ``seed`` (ML-KEM: 64 bytes, d || z of FIPS 203) where the library can."""
        raise BugError(f"{self.name} has no way to make keys")

    def encapsulate(self, public: bytes) -> tuple[bytes, Secret]:
        """(ciphertext, secret) for the holder of ``public``. Raises BadKeyError for a key that must not be used."""
        if len(public) != self.public_bytes:
            raise BadKeyError(f"a {self.name} key has {self.public_bytes} bytes, not {len(public)}")
        ciphertext, secret = self._encapsulate(public)
        return ciphertext, Secret(secret)

    def _encapsulate(self, public: bytes) -> tuple[bytes, bytes]:
        raise BugError(f"{self.name} has no way to encapsulate")

    def __repr__(self) -> str:
        return f"<Kem {self.name}>"


class MlKem(Kem):
    """ML-KEM of the cryptography package."""

    __slots__ = ("_private", "_public")

    def __init__(
        self,
        row: SecondaryRow,
        private: type[mlkem.MLKEM768PrivateKey | mlkem.MLKEM1024PrivateKey],
        public: type[mlkem.MLKEM768PublicKey | mlkem.MLKEM1024PublicKey],
    ) -> None:
        super().__init__(row)
        self._private, self._public = private, public

    def generate(self, seed: bytes | None = None) -> KemKey:
        """A fresh key pair; from a 64-byte seed for vectors."""
        key = self._private.generate() if seed is None else self._private.from_seed_bytes(seed)
        return KemKey(self.row, key.public_key().public_bytes_raw(), key.decapsulate)

    def _encapsulate(self, public: bytes) -> tuple[bytes, bytes]:
        try:
            secret, ciphertext = self._public.from_public_bytes(public).encapsulate()
        except ValueError:  # the modulus check of FIPS 203 7.2
            raise BadKeyError(f"a {self.name} key that fails the modulus check") from None
        return ciphertext, secret


_MLKEM: dict[int, Kem] = {
    1: MlKem(SECONDARIES[1], mlkem.MLKEM768PrivateKey, mlkem.MLKEM768PublicKey),
    2: MlKem(SECONDARIES[2], mlkem.MLKEM1024PrivateKey, mlkem.MLKEM1024PublicKey),
}


class OqsKem(Kem):
    """A mechanism of liboqs. Each key holds a library object of its own, so keys may be made in any thread."""

    __slots__ = ("_library",)

    def __init__(self, row: SecondaryRow, library: ModuleType) -> None:
        super().__init__(row)
        self._library = library

    def generate(self, seed: bytes | None = None) -> KemKey:
        """A fresh key pair. There is no way to give a seed."""
        if seed is not None:
            raise BugError(f"{self.name} cannot make a key from a seed")
        made = self._library.KeyEncapsulation(self.row.maker)
        return KemKey(self.row, made.generate_keypair(), made.decap_secret, made.free)

    def _encapsulate(self, public: bytes) -> tuple[bytes, bytes]:
        with self._library.KeyEncapsulation(self.row.user) as used:
            try:
                ciphertext, secret = used.encap_secret(public)
            except RuntimeError:
                raise BadKeyError(f"a {self.name} key that must not be used") from None
        return ciphertext, secret


def kem(id_: int) -> Kem:
    """The mechanism of that id. Raises UnavailableError with what to install. The first look at liboqs takes 0.5 s."""
    if id_ in _MLKEM:
        return _MLKEM[id_]
    if id_ not in SECONDARIES:
        raise UnavailableError(f"no secondary key exchange has the id {id_}")
    found = liboqs.find()
    if found.module is not None and found.offers(id_):
        return OqsKem(SECONDARIES[id_], found.module)
    reason = found.problems.get(id_, found.reason)
    raise UnavailableError(f"{SECONDARIES[id_].name} needs liboqs: {reason}", advice=liboqs.ADVICE)


def offerable(ids: Iterable[int]) -> tuple[int, ...]:
    """Those of ``ids`` that can be used here, in the same order."""
    return tuple(id_ for id_ in ids if id_ in _MLKEM or (id_ in SECONDARIES and liboqs.find().offers(id_)))
