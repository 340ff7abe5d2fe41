"""Tests of quantumgate.crypto.kdf."""

from __future__ import annotations

import hashlib
import hmac

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.crypto import kdf
from quantumgate.crypto.secret import Secret


def reference_expand(prk: bytes, info: bytes, length: int) -> bytes:
    """RFC 5869 2.3, from its text."""
    made, block, number = b"", b"", 1
    while len(made) < length:
        block = hmac.new(prk, block + info + bytes((number,)), hashlib.sha512).digest()
        made, number = made + block, number + 1
    return made[:length]


class HkdfTests(SynchronousTestCase):
    """HKDF-SHA-512."""

    def test_known_answer(self) -> None:
        """Inputs of RFC 5869 A.1 under SHA-512 (the values that several libraries publish for it)."""
        prk = kdf.extract(bytes(range(13)), b"\x0b" * 22)
        self.assertEqual(
            prk.reveal().hex(),
            "665799823737ded04a88e47e54a5890bb2c3d247c7a4254a8e61350723590a26"
            "c36238127d8661b88cf80ef802d57e2f7cebcf1e00e083848be19929c61b4237",
        )
        self.assertEqual(
            kdf.expand(prk, bytes(range(0xF0, 0xFA)), 42).reveal().hex(),
            "832390086cda71fb47625bb5ceb168e4c8e26a1a16ed34d9fc7fe92c1481579338da362cb8d9f925d7cb",
        )

    def test_extract_is_hmac(self) -> None:
        """RFC 5869 2.2, with salts and keys as bytes or as secrets, below and above a block."""
        for salt in (b"", b"salt", bytes(64), b"s" * 200):
            for ikm in (b"k", b"k" * 96, b"k" * 1300):
                expected = hmac.new(salt, ikm, hashlib.sha512).digest()
                self.assertEqual(kdf.extract(salt, ikm).reveal(), expected)
                self.assertEqual(kdf.extract(salt, Secret(ikm)).reveal(), expected)
                if salt:
                    self.assertEqual(kdf.extract(Secret(salt), Secret(ikm)).reveal(), expected)

    def test_extract_of_pieces(self) -> None:
        whole = kdf.extract(b"salt", b"one, two")
        self.assertEqual(kdf.extract(b"salt", b"one", b"", Secret(b", "), b"two").reveal(), whole.reveal())

    def test_expand(self) -> None:
        """Against the text of the RFC, at lengths around blocks."""
        prk = kdf.extract(b"salt", b"key")
        for length in (1, 12, 32, 63, 64, 65, 128, 129, 255 * 64):
            expected = reference_expand(prk.reveal(), b"qg1 obf" + bytes(20), length)
            self.assertEqual(kdf.expand(prk, b"qg1 obf" + bytes(20), length).reveal(), expected)
        self.assertEqual(len(kdf.expand(prk, b"x")), 64)

    def test_expansion(self) -> None:
        """One key, several results: each is what Expand alone gives; a key that is wiped meanwhile is kept inside."""
        prk = kdf.extract(b"salt", b"key")
        raw = prk.reveal()
        from_secret, from_bytes = kdf.Expansion(prk), kdf.Expansion(raw)
        prk.wipe()
        for expansion in (from_secret, from_bytes, kdf.Expansion.of_extract(b"salt", Secret(b"key"))):
            for info, length in ((b"one", 64), (b"two", 12), (b"one", 32), (b"", 1)):
                self.assertEqual(expansion.short_lived(info, length), reference_expand(raw, info, length))
            self.assertEqual(expansion.secret(b"one").reveal(), reference_expand(raw, b"one", 64))

    def test_hmac(self) -> None:
        """RFC 4231, test case 1."""
        self.assertEqual(
            kdf.hmac_sha512(Secret(b"\x0b" * 20), b"Hi There").hex(),
            "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
            "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
        )


class FramingTests(SynchronousTestCase):
    """lp."""

    def test_lp(self) -> None:
        """u32, big-endian, then the value."""
        self.assertEqual(kdf.lp(b""), bytes(4))
        self.assertEqual(kdf.lp(b"x" * 258), b"\0\0\1\2" + b"x" * 258)


class PassphraseTests(SynchronousTestCase):
    """From a passphrase to the shared secret."""

    def test_definition(self) -> None:
        """scrypt of the standard library with the numbers of the specification, in NFC."""
        salt = hashlib.sha512(b"QuantumGate/1 psk\0\0\0\x0bQuantumGate").digest()[:32]
        password = "caf\u00e9".encode()
        expected = hashlib.scrypt(password, salt=salt, n=2**17, r=8, p=1, maxmem=2**28, dklen=64)
        self.assertEqual(kdf.stretch_passphrase("cafe\u0301", b"QuantumGate").reveal(), expected)
        self.assertNotEqual(kdf.stretch_passphrase("caf\u00e9", b"QuantumGatf").reveal(), expected)
