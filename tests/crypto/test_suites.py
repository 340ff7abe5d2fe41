"""Tests of quantumgate.crypto.suites."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.crypto.suites import (
    AEADS,
    DEFAULT_AEADS,
    DEFAULT_PRIMARIES,
    DEFAULT_SECONDARIES,
    PRIMARIES,
    REKEY_INSTEAD_OF_OPT_IN,
    SECONDARIES,
    Suite,
)


class TableTests(SynchronousTestCase):
    """The numbers of section 1.2, written out a second time."""

    def test_primaries(self) -> None:
        """Ids, names, sizes."""
        found = [(row.id, row.name, row.share_bytes) for row in PRIMARIES.values()]
        self.assertEqual(found, [(1, "X25519", 32), (2, "X448", 56), (3, "P-521", 133)])

    def test_secondaries(self) -> None:
        """Ids, names, sizes, and which are offered only by name."""
        found = [(row.id, row.name, row.public_bytes, row.ciphertext_bytes, row.opt_in) for row in SECONDARIES.values()]
        self.assertEqual(
            found,
            [
                (1, "ML-KEM-768", 1184, 1088, False),
                (2, "ML-KEM-1024", 1568, 1568, False),
                (16, "sntrup761", 1158, 1039, False),
                (17, "HQC-192", 4514, 8978, False),
                (18, "FrodoKEM-976-SHAKE", 15632, 15792, False),
                (32, "mceliece460896", 524_160, 156, True),
                (33, "mceliece6688128", 1_044_992, 208, True),
                (34, "mceliece8192128", 1_357_824, 208, True),
            ],
        )

    def test_names_in_liboqs(self) -> None:
        """Which form makes keys and which uses them."""
        found = {row.id: (row.maker, row.user) for row in SECONDARIES.values() if row.backend == "liboqs"}
        self.assertEqual([found[id_] for id_ in (16, 17)], [("sntrup761",) * 2, ("HQC-3",) * 2])
        self.assertEqual(found[18], ("FrodoKEM-976-SHAKE",) * 2)
        for id_, name in ((32, "460896"), (33, "6688128"), (34, "8192128")):
            self.assertEqual(found[id_], (f"Classic-McEliece-{name}f", f"Classic-McEliece-{name}"))

    def test_aeads(self) -> None:
        """Two ciphers."""
        self.assertEqual([(row.id, row.name) for row in AEADS.values()], [(1, "AES-256-GCM"), (2, "ChaCha20-Poly1305")])

    def test_keys_are_the_ids(self) -> None:
        """A row stands under its own id."""
        for table in (PRIMARIES, SECONDARIES, AEADS):
            self.assertEqual([row.id for row in table.values()], list(table))

    def test_defaults(self) -> None:
        """Preference: the default first; McEliece only where it is named; what is slow is opt-in."""
        self.assertEqual(DEFAULT_PRIMARIES, (1, 2, 3))
        self.assertEqual(DEFAULT_SECONDARIES, (1, 2, 16, 17, 18))
        self.assertEqual(DEFAULT_AEADS, (1, 2))
        self.assertEqual([row.id for row in SECONDARIES.values() if row.slow], [32, 33, 34])
        self.assertFalse(SECONDARIES[REKEY_INSTEAD_OF_OPT_IN].opt_in)


class SuiteTests(SynchronousTestCase):
    """What was agreed."""

    def test_names(self) -> None:
        """For people; unknown ids do not fail."""
        self.assertEqual(Suite(1, 1, 1).names(), ("X25519", "ML-KEM-768", "AES-256-GCM"))
        self.assertEqual(Suite(3, 34, 2).names(), ("P-521", "mceliece8192128", "ChaCha20-Poly1305"))
        self.assertEqual(Suite(9, 1, 1).names(), ("unknown 9", "ML-KEM-768", "AES-256-GCM"))
