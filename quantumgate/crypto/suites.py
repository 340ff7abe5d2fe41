"""The tables of algorithms: ids on the wire, names for people, sizes, and which library provides each.

One row per algorithm; an id never changes its meaning. Not for: the algorithms themselves (``agreement.py``,
``kem.py``, ``aead.py``) nor whether a library is here (``backends.py``). Spec: docs/spec/crypto.md (algorithms).
"""

from __future__ import annotations

from dataclasses import dataclass

CRYPTOGRAPHY = "cryptography"
LIBOQS = "liboqs"


@dataclass(frozen=True, slots=True)
class PrimaryRow:
    """A Diffie-Hellman group. Both shares have ``share_bytes``."""

    id: int
    name: str
    share_bytes: int
    backend: str = CRYPTOGRAPHY
    slow: bool = False


@dataclass(frozen=True, slots=True)
class SecondaryRow:
    """A key encapsulation mechanism.

    ``slow`` = making a key takes so long (> 5 ms) that it belongs off the reactor's thread. ``opt_in`` = offered only
    where the configuration names it. ``maker`` is the library's name of the form that makes keys, ``user`` of the one
    that encapsulates and opens: an f form of McEliece only makes keys faster, they are the same keys.
    """

    id: int
    name: str
    public_bytes: int
    ciphertext_bytes: int
    backend: str
    maker: str
    user: str
    slow: bool = False
    opt_in: bool = False


@dataclass(frozen=True, slots=True)
class AeadRow:
    """A cipher of application records."""

    id: int
    name: str
    backend: str = CRYPTOGRAPHY


PRIMARIES: dict[int, PrimaryRow] = {
    row.id: row for row in (PrimaryRow(1, "X25519", 32), PrimaryRow(2, "X448", 56), PrimaryRow(3, "P-521", 133))
}

SECONDARIES: dict[int, SecondaryRow] = {
    row.id: row
    for row in (
        SecondaryRow(1, "ML-KEM-768", 1184, 1088, CRYPTOGRAPHY, "ML-KEM-768", "ML-KEM-768"),
        SecondaryRow(2, "ML-KEM-1024", 1568, 1568, CRYPTOGRAPHY, "ML-KEM-1024", "ML-KEM-1024"),
        SecondaryRow(16, "sntrup761", 1158, 1039, LIBOQS, "sntrup761", "sntrup761"),
        SecondaryRow(17, "HQC-192", 4514, 8978, LIBOQS, "HQC-3", "HQC-3"),
        SecondaryRow(18, "FrodoKEM-976-SHAKE", 15632, 15792, LIBOQS, "FrodoKEM-976-SHAKE", "FrodoKEM-976-SHAKE"),
        SecondaryRow(
            32,
            "mceliece460896",
            524_160,
            156,
            LIBOQS,
            "Classic-McEliece-460896f",
            "Classic-McEliece-460896",
            slow=True,
            opt_in=True,
        ),
        SecondaryRow(
            33,
            "mceliece6688128",
            1_044_992,
            208,
            LIBOQS,
            "Classic-McEliece-6688128f",
            "Classic-McEliece-6688128",
            slow=True,
            opt_in=True,
        ),
        SecondaryRow(
            34,
            "mceliece8192128",
            1_357_824,
            208,
            LIBOQS,
            "Classic-McEliece-8192128f",
            "Classic-McEliece-8192128",
            slow=True,
            opt_in=True,
        ),
    )
}

AEADS: dict[int, AeadRow] = {row.id: row for row in (AeadRow(1, "AES-256-GCM"), AeadRow(2, "ChaCha20-Poly1305"))}

DEFAULT_PRIMARIES = tuple(PRIMARIES)
DEFAULT_SECONDARIES = tuple(row.id for row in SECONDARIES.values() if not row.opt_in)
"""In order of preference. What no library here provides is left out by ``kem.offerable``."""
DEFAULT_AEADS = tuple(AEADS)

REKEY_INSTEAD_OF_OPT_IN = 2
"""A re-key replaces any McEliece by ML-KEM-1024: a megabyte per re-key buys nothing."""


@dataclass(frozen=True, slots=True)
class Suite:
    """What a handshake agreed on."""

    primary: int
    secondary: int
    aead: int

    def names(self) -> tuple[str, str, str]:
        """For people: ("X25519", "ML-KEM-768", "AES-256-GCM"). Ids that this version does not know are spelled out."""
        tables = ((PRIMARIES, self.primary), (SECONDARIES, self.secondary), (AEADS, self.aead))
        first, second, third = (table[id_].name if id_ in table else f"unknown {id_}" for table, id_ in tables)
        return first, second, third
