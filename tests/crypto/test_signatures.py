"""Tests of quantumgate.crypto.signatures."""

from __future__ import annotations

import hashlib

from cryptography.hazmat.primitives.asymmetric import ed448, ed25519, mldsa
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.crypto import labels, signatures
from quantumgate.crypto.identity import Identity
from quantumgate.crypto.random import FixedRandom
from quantumgate.crypto.signatures import BUNDLES_REMEMBERED, KINDS, check_bundle, kind_named, signature_input, verify
from quantumgate.errors import AuthenticationError, BadKeyError, BugError, LocalError
from tests.crypto.curves import D448, D25519, L25519, P448, P25519, edwards_add, encode448, encode25519, torsion25519

IDENTITIES = {kind: Identity.generate(kind, FixedRandom(b"tests")) for kind in KINDS}
HASH = hashlib.sha512(b"content").digest()
NAME = labels.SIGN_INITIATOR
L448 = 2**446 - 0x8335DC163BB124B65129C96FDE933D8D723A70AADC873D6D54A7BB0D


class InputTests(SynchronousTestCase):
    """What is signed."""

    def test_layout(self) -> None:
        """64 spaces, the protocol, the name, a zero, the kind, the hash."""
        expected = b" " * 64 + b"QuantumGate/1 rekey request\x00\x03" + HASH
        self.assertEqual(signature_input(3, "rekey request", HASH), expected)

    def test_nothing_else_is_signed(self) -> None:
        """Unknown names and other lengths are our bug."""
        for name, content in (("", HASH), ("delegation ", HASH), (NAME, HASH[:-1]), (NAME, HASH + b"\0"), (NAME, b"")):
            self.assertRaises(BugError, signature_input, 1, name, content)


class VerifyTests(SynchronousTestCase):
    """Signatures of all kinds."""

    def refuse(self, bundle: bytes, signature: bytes, name: str = NAME, content: bytes = HASH) -> None:
        """AuthenticationError, nothing else."""
        self.assertRaises(AuthenticationError, verify, bundle, name, content, signature)

    def test_own_signatures_verify(self) -> None:
        """Every kind, every name, with the length of the table."""
        for kind, identity in IDENTITIES.items():
            for name in labels.SIGNATURE_NAMES:
                signature = identity.sign(name, HASH)
                self.assertEqual(len(signature), KINDS[kind].signature_bytes)
                verify(identity.public.bundle, name, HASH, signature)

    def test_bound_to_name_content_and_key(self) -> None:
        """Under another name, over another hash, by another key of the kind: no."""
        for kind, identity in IDENTITIES.items():
            signature = identity.sign(NAME, HASH)
            self.refuse(identity.public.bundle, signature, labels.SIGN_RESPONDER)
            self.refuse(identity.public.bundle, signature, content=HASH[::-1])
            self.refuse(Identity.generate(kind).public.bundle, signature)

    def test_edited_signatures(self) -> None:
        """A bit flipped in each half, at each end."""
        for kind, identity in IDENTITIES.items():
            signature = identity.sign(NAME, HASH)
            cut = KINDS[kind].edwards_signature_bytes
            for at in {0, cut // 2, cut - 1, min(cut, len(signature) - 1), len(signature) - 1}:
                bad = bytearray(signature)
                bad[at] ^= 1
                self.refuse(identity.public.bundle, bytes(bad))

    def test_wrong_lengths(self) -> None:
        """One byte more, one less, nothing."""
        for identity in IDENTITIES.values():
            signature = identity.sign(NAME, HASH)
            for bad in (b"", signature[:-1], signature[1:], signature + b"\0"):
                self.refuse(identity.public.bundle, bad)

    def test_a_hybrid_needs_both_halves(self) -> None:
        """One valid half and one of another key, either way; the half of another message, either way."""
        for kind in (2, 4):
            ours, theirs = IDENTITIES[kind], Identity.generate(kind)
            cut = KINDS[kind].edwards_signature_bytes
            good, foreign, other = ours.sign(NAME, HASH), theirs.sign(NAME, HASH), ours.sign(NAME, HASH[::-1])
            verify(ours.public.bundle, NAME, HASH, good[:cut] + ours.sign(NAME, HASH)[cut:])
            for bad in (foreign, other):
                self.refuse(ours.public.bundle, good[:cut] + bad[cut:])
                self.refuse(ours.public.bundle, bad[:cut] + good[cut:])
            self.refuse(ours.public.bundle, good[:cut] + bytes(len(good) - cut))

    def test_what_is_remembered_decides_nothing(self) -> None:
        """The keys of a bundle are kept for a while; every signature is still verified, every bad bundle refused."""
        identity, other = IDENTITIES[1], IDENTITIES[2]
        for bundle, signer in ((identity.public.bundle, identity), (other.public.bundle, other)) * 2:
            signature = signer.sign(NAME, HASH)
            verify(bundle, NAME, HASH, signature)
            self.refuse(bundle, signature[:-1] + bytes((signature[-1] ^ 1,)))
            self.refuse(bundle, signature, content=hashlib.sha512(b"other").digest())
        for _ in range(2):
            self.assertRaises(BadKeyError, verify, b"\x01" + bytes(32), NAME, HASH, bytes(64))
        for seed in range(BUNDLES_REMEMBERED + 9):
            passing = Identity.generate(1, FixedRandom(bytes((seed,))))
            verify(passing.public.bundle, NAME, HASH, passing.sign(NAME, HASH))
        self.assertLessEqual(signatures._public_keys.cache_info().currsize, BUNDLES_REMEMBERED)

    def test_no_kind_passes_for_another(self) -> None:
        """The Edwards half of a hybrid does not verify as the plain kind with the same key, nor the other way round."""
        for hybrid, plain in ((2, 1), (4, 3)):
            cut, public = KINDS[hybrid].edwards_signature_bytes, KINDS[plain].edwards_public_bytes
            identity = IDENTITIES[hybrid]
            stripped = bytes((plain,)) + identity.public.bundle[1 : 1 + public]
            self.refuse(stripped, identity.sign(NAME, HASH)[:cut])

    def test_mldsa_context(self) -> None:
        """The ML-DSA half is made under the context QuantumGate/1; the same message under others is refused."""
        for kind, private in ((2, mldsa.MLDSA65PrivateKey), (4, mldsa.MLDSA87PrivateKey)):
            table = KINDS[kind]
            seeds = FixedRandom(b"tests").bytes(table.seed_bytes)
            key = private.from_seed_bytes(seeds[table.edwards_seed_bytes :])
            message = signature_input(kind, NAME, HASH)
            edwards = IDENTITIES[kind].sign(NAME, HASH)[: table.edwards_signature_bytes]
            verify(IDENTITIES[kind].public.bundle, NAME, HASH, edwards + key.sign(message, b"QuantumGate/1"))
            for context in (b"", b"QuantumGate/2", b"QuantumGate/1 "):
                self.refuse(IDENTITIES[kind].public.bundle, edwards + key.sign(message, context))

    def test_malleated_signatures(self) -> None:
        """S + L: the same equation, another string (attack row 9)."""
        for kind, order, half in ((1, L25519, 32), (2, L25519, 32), (3, L448, 57), (4, L448, 57)):
            signature = IDENTITIES[kind].sign(NAME, HASH)
            s = int.from_bytes(signature[half : 2 * half], "little")
            self.assertLess(s, order)
            for multiple in (1, 2, 3):
                moved = (s + multiple * order).to_bytes(half, "little")
                self.refuse(IDENTITIES[kind].public.bundle, signature[:half] + moved + signature[2 * half :])

    def test_rfc_8032_values_through_the_same_library(self) -> None:
        """RFC 8032 7.1 test 2 and 7.4 blank: the Edwards halves are the standard's."""
        key = ed25519.Ed25519PrivateKey.from_private_bytes(
            bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
        )
        self.assertEqual(
            key.sign(b"\x72").hex(),
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        )
        longer = ed448.Ed448PrivateKey.from_private_bytes(
            bytes.fromhex(
                "6c82a562cb808d10d632be89c8513ebf6c929f34ddfa8c9f63c9960ef6e348a3"
                "528c8a3fcc2f044e39a3fc5b94492f8f032e7549a20098f95b"
            )
        )
        self.assertEqual(
            longer.sign(b"").hex(),
            "533a37f6bbe457251f023c0d88f976ae2dfb504a843e34d2074fd823d41a591f2b233f034f628281f2fd7a22ddd47d7828c59bd0"
            "a21bfd3980ff0d2028d4b18a9df63e006c5d1c2d345b925d8dc00b4104852db99ac5c7cdda8530a113a0f4dbb61149f05a736326"
            "8c71d95808ff2e652600",
        )


class BundleTests(SynchronousTestCase):
    """Public keys that are refused when they are parsed."""

    def refuse(self, bundle: bytes) -> None:
        """BadKeyError by check_bundle and by verify."""
        self.assertRaises(BadKeyError, check_bundle, bundle)
        self.assertRaises(BadKeyError, verify, bundle, NAME, HASH, bytes(64))

    def test_lengths(self) -> None:
        """As in the table; one byte more or less, or nothing, is refused."""
        for kind, expected in ((1, 33), (2, 1985), (3, 58), (4, 2650)):
            bundle = IDENTITIES[kind].public.bundle
            self.assertEqual((len(bundle), KINDS[kind].bundle_bytes), (expected, expected))
            check_bundle(bundle)
            for bad in (bundle[:-1], bundle + b"\0", bundle[:1]):
                self.refuse(bad)
        self.refuse(b"")

    def test_unknown_kinds(self) -> None:
        """0, 5 and all above, with any of the lengths."""
        for kind in (0, 5, 15, 16, 255):
            for size in (32, 1984, 57, 2649):
                self.refuse(bytes((kind,)) + b"\x42" * size)

    def test_ed25519_small_order(self) -> None:
        """The eight torsion points, computed here from the curve, alone and in a hybrid."""
        points = torsion25519()
        self.assertEqual(len(points), 8)
        mldsa_half = IDENTITIES[2].public.bundle[33:]
        for point in points:
            doubled = point
            for _ in range(3):
                doubled = edwards_add(doubled, doubled, -1, D25519, P25519)
            self.assertEqual(doubled, (0, 1))
            self.refuse(b"\1" + encode25519(point))
            self.refuse(b"\2" + encode25519(point) + mldsa_half)

    def test_ed25519_small_order_with_the_other_sign(self) -> None:
        """x = 0 with the sign bit set is a second spelling of a small-order point."""
        for y in (1, P25519 - 1):
            self.refuse(b"\1" + (y | 1 << 255).to_bytes(32, "little"))

    def test_ed25519_non_canonical(self) -> None:
        """y from p to 2^255 - 1, with either sign bit."""
        for extra in range(19):
            for sign in (0, 1 << 255):
                self.refuse(b"\1" + (P25519 + extra | sign).to_bytes(32, "little"))

    def test_universal_forgery(self) -> None:
        """Why: with the neutral element as key, S = 1 and R = B sign every message for the library, not for us."""
        base = bytes.fromhex("58" + "66" * 31)
        forged = base + (1).to_bytes(32, "little")
        neutral = encode25519((0, 1))
        for name in labels.SIGNATURE_NAMES:
            ed25519.Ed25519PublicKey.from_public_bytes(neutral).verify(forged, signature_input(1, name, HASH))
            self.assertRaises(BadKeyError, verify, b"\1" + neutral, name, HASH, forged)

    def test_ed448_small_order(self) -> None:
        """Four points: (0, 1), (0, -1), (1, 0), (-1, 0), in every spelling of the sign."""
        for point in ((0, 1), (0, P448 - 1), (1, 0), (P448 - 1, 0)):
            doubled = edwards_add(point, point, 1, D448, P448)
            self.assertEqual(edwards_add(doubled, doubled, 1, D448, P448), (0, 1))
            for sign in (0, 0x80):
                raw = bytearray(encode448(point))
                raw[56] ^= sign
                self.refuse(b"\3" + bytes(raw))
                self.refuse(b"\4" + bytes(raw) + IDENTITIES[4].public.bundle[58:])

    def test_ed448_non_canonical(self) -> None:
        """y not below p, and bits of the last byte other than the sign."""
        for y in (P448, P448 + 1, 2**448 - 1, 2**448, 2**454, 2**455 - 1):
            for sign in (0, 1 << 455):
                self.refuse(b"\3" + (y | sign).to_bytes(57, "little"))
        for bit in range(7):
            raw = bytearray(IDENTITIES[3].public.bundle)
            raw[57] |= 1 << bit
            self.refuse(bytes(raw))

    def test_off_the_curve(self) -> None:
        """A y without a point is parsed, but no signature verifies under it."""
        raw = b"\1" + (2).to_bytes(32, "little")
        check_bundle(raw)
        self.assertRaises(AuthenticationError, verify, raw, NAME, HASH, IDENTITIES[1].sign(NAME, HASH))


class KindTests(SynchronousTestCase):
    """Names of kinds."""

    def test_names(self) -> None:
        """As the operator writes them."""
        self.assertEqual(
            [kind_named(name).id for name in ("ed25519", "ed25519+mldsa65", "ed448", "ed448+mldsa87")], [1, 2, 3, 4]
        )
        with self.assertRaises(LocalError) as caught:
            kind_named("rsa")
        self.assertIn("ed25519+mldsa65", caught.exception.advice)
