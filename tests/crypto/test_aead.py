"""Tests of quantumgate.crypto.aead."""

from __future__ import annotations

import hashlib
import hmac

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.crypto.aead import AES_256_GCM, CHACHA20_POLY1305, AeadKey, aead_from
from quantumgate.crypto.secret import Secret
from quantumgate.errors import AuthenticationError, BugError, UnavailableError

BOTH = (AES_256_GCM, CHACHA20_POLY1305)


def key_of(algorithm: int, mark: int = 1) -> AeadKey:
    """A key that depends on mark."""
    return AeadKey(algorithm, Secret(bytes((mark,)) * 32), Secret(bytes((mark,)) * 12))


class VectorTests(SynchronousTestCase):
    """Published boxes. The nonce is iv XOR n, so n = 0 uses the iv itself."""

    def test_aes_256_gcm(self) -> None:
        """McGrew and Viega, The Galois/Counter Mode of Operation, test case 16."""
        key = AeadKey(
            AES_256_GCM,
            Secret(bytes.fromhex("feffe9928665731c6d6a8f9467308308" * 2)),
            Secret(bytes.fromhex("cafebabefacedbaddecaf888")),
        )
        text = bytes.fromhex(
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
            "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
        )
        box = bytes.fromhex(
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
            "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
            "76fc6ece0f4e1768cddf8853bb2d551b"
        )
        ad = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
        self.assertEqual(key.seal(0, text, ad), box)
        self.assertEqual(key.open(0, box, ad), text)

    def test_chacha20_poly1305(self) -> None:
        """RFC 8439 2.8.2."""
        key = AeadKey(
            CHACHA20_POLY1305, Secret(bytes(range(0x80, 0xA0))), Secret(bytes.fromhex("070000004041424344454647"))
        )
        text = (
            b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
            b"sunscreen would be it."
        )
        box = bytes.fromhex(
            "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
            "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
            "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
            "3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691"
        )
        ad = bytes.fromhex("50515253c0c1c2c3c4c5c6c7")
        self.assertEqual(key.seal(0, text, ad), box)
        self.assertEqual(key.open(0, box, ad), text)


class NonceTests(SynchronousTestCase):
    """nonce = iv XOR n."""

    def test_counter_is_xored_into_the_end_of_the_iv(self) -> None:
        """Sealing as n under one iv is sealing as 0 under the iv with n XORed in, big-endian."""
        for algorithm in BOTH:
            for n in (1, 2, 0x0102030405060708, (1 << 64) - 1):
                key = key_of(algorithm)
                moved = bytes(a ^ b for a, b in zip(b"\1" * 12, n.to_bytes(12, "big"), strict=True))
                other = AeadKey(algorithm, Secret(b"\1" * 32), Secret(moved))
                self.assertEqual(key.seal(n, b"text", b"ad"), other.seal(0, b"text", b"ad"))

    def test_another_counter_does_not_open(self) -> None:
        """Nor another key, ad, text or tag."""
        for algorithm in BOTH:
            key = key_of(algorithm)
            box = key.seal(7, b"text", b"ad")
            self.assertRaises(AuthenticationError, key.open, 6, box, b"ad")
            self.assertRaises(AuthenticationError, key.open, 7, box, b"ae")
            self.assertRaises(AuthenticationError, key_of(algorithm, 2).open, 7, box, b"ad")
            for at in range(len(box)):
                bad = bytearray(box)
                bad[at] ^= 0x80
                self.assertRaises(AuthenticationError, key.open, 7, bad, b"ad")
        self.assertRaises(AuthenticationError, key_of(1).open, 0, key_of(2).seal(0, b"text"), b"")

    def test_short_boxes(self) -> None:
        """0 to 15 bytes cannot be a box, 16 can be one of nothing."""
        for algorithm in BOTH:
            key = key_of(algorithm)
            for n in range(16):
                self.assertRaises(AuthenticationError, key.open, 0, bytes(n))
            self.assertEqual(key.open(0, key.seal(0, b"")), b"")


class IntoTests(SynchronousTestCase):
    """Sealing and opening in buffers."""

    def test_same_bytes_as_seal_and_open(self) -> None:
        """From another buffer, at sizes from 0 to 64 KiB."""
        for algorithm in BOTH:
            key = key_of(algorithm)
            for size in (0, 1, 4, 15, 16, 17, 1000, 65_536):
                text = bytes(n % 251 for n in range(size))
                out = bytearray(size + 16)
                key.seal_into(5, text, b"ad", memoryview(out))
                self.assertEqual(bytes(out), key.seal(5, text, b"ad"))
                back = bytearray(size)
                key.open_into(5, out, b"ad", memoryview(back))
                self.assertEqual(bytes(back), text)

    def test_in_place(self) -> None:
        """data and out may be the same memory, as records use it."""
        for algorithm in BOTH:
            key = key_of(algorithm)
            for size in (0, 4, 1000, 65_536):
                text = bytes(n % 251 for n in range(size))
                memory = memoryview(bytearray(text + bytes(16)))
                key.seal_into(5, memory[:size], b"ad", memory)
                self.assertEqual(bytes(memory), key.seal(5, text, b"ad"))
                key.open_into(5, memory, b"ad", memory[:size])
                self.assertEqual(bytes(memory[:size]), text)

    def test_nothing_unauthenticated_is_left(self) -> None:
        """After a failure the output holds zeros, in place or not: the library itself leaves the plaintext there."""
        for algorithm in BOTH:
            key = key_of(algorithm)
            box = bytearray(key.seal(5, b"text" * 25, b"ad"))
            box[-1] ^= 1
            out = bytearray(b"\xff" * 100)
            self.assertRaises(AuthenticationError, key.open_into, 5, box, b"ad", memoryview(out))
            self.assertEqual(bytes(out), bytes(100))
            memory = memoryview(box)
            self.assertRaises(AuthenticationError, key.open_into, 5, memory, b"ad", memory[:100])
            self.assertEqual(bytes(memory[:100]), bytes(100))

    def test_short_boxes(self) -> None:
        """Fewer than 16 bytes fail like any other box."""
        for algorithm in BOTH:
            for n in range(16):
                out = memoryview(bytearray())
                self.assertRaises(AuthenticationError, key_of(algorithm).open_into, 0, bytes(n), b"", out)


class KeyTests(SynchronousTestCase):
    """Making keys."""

    def test_wrong_sizes_and_ids(self) -> None:
        """Keys have 32 bytes, ivs 12, ids are 1 and 2."""
        for size in (16, 31, 33):
            self.assertRaises(BugError, AeadKey, 1, Secret(bytes(size)), Secret(bytes(12)))
        for size in (8, 11, 13):
            self.assertRaises(BugError, AeadKey, 2, Secret(bytes(32)), Secret(bytes(size)))
        for id_ in (0, 3, 65535):
            self.assertRaises(UnavailableError, AeadKey, id_, Secret(bytes(32)), Secret(bytes(12)))

    def test_outlives_its_secrets(self) -> None:
        """The library has its own copy of the key, so the secrets can be wiped at once."""
        for algorithm in BOTH:
            key, iv = Secret(b"\1" * 32), Secret(b"\1" * 12)
            made = AeadKey(algorithm, key, iv)
            key.wipe()
            iv.wipe()
            self.assertEqual(made.seal(3, b"x"), key_of(algorithm).seal(3, b"x"))

    def test_aead_from(self) -> None:
        """key = Expand(P, "qg1 NAME key")(32), iv = Expand(P, "qg1 NAME iv")(12), by plain HMAC."""
        prk = bytes(range(64))
        key = hmac.new(prk, b"qg1 hs r2i key\1", hashlib.sha512).digest()[:32]
        iv = hmac.new(prk, b"qg1 hs r2i iv\1", hashlib.sha512).digest()[:12]
        for algorithm in BOTH:
            expected = AeadKey(algorithm, Secret(key), Secret(iv)).seal(9, b"text", b"ad")
            self.assertEqual(aead_from(Secret(prk), "hs r2i", algorithm).seal(9, b"text", b"ad"), expected)

    def test_is_never_shown(self) -> None:
        """repr tells the algorithm only."""
        self.assertEqual(repr(key_of(1)), "<AeadKey algorithm 1>")
