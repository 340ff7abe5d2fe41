"""Tests of quantumgate.crypto.identity."""

from __future__ import annotations

import hashlib
import pickle

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.crypto import labels
from quantumgate.crypto.identity import Identity, PeerIdentity, needs_passphrase, parse_fingerprint, uuid_of
from quantumgate.crypto.random import FixedRandom
from quantumgate.crypto.secret import Secret
from quantumgate.crypto.signatures import KINDS, verify
from quantumgate.errors import BadKeyError, BugError, KeyFileError, LocalError
from quantumgate.ids import QgAddress, parse_peer_uuid
from tests.crypto.cheap import cheapen

IDENTITIES = {kind: Identity.generate(kind, FixedRandom(b"tests")) for kind in KINDS}


class NamingTests(SynchronousTestCase):
    """UUID and fingerprint."""

    def test_uuid(self) -> None:
        """UUIDv8 of the RFC's variant; kind in the next four bits; the other 118 bits are the hash's."""
        for kind, identity in IDENTITIES.items():
            bundle = identity.public.bundle
            digest = hashlib.sha512(b"QuantumGate/1 peer uuid\0" + bundle).digest()
            value = identity.public.uuid.int
            self.assertEqual(value >> 76 & 0xF, 8)
            self.assertEqual(value >> 62 & 0b11, 0b10)
            self.assertEqual(value >> 58 & 0xF, kind)
            kept = ~(0xF << 76 | 0b11 << 62 | 0xF << 58) & (1 << 128) - 1
            self.assertEqual(kept.bit_count(), 118)
            self.assertEqual(value & kept, int.from_bytes(digest[:16], "big") & kept)
            self.assertEqual(parse_peer_uuid(str(identity.public.uuid)), identity.public.uuid)

    def test_fingerprint(self) -> None:
        """SHA-512/256, the standard's and not a cut SHA-512; 52 characters that an address takes."""
        for identity in IDENTITIES.values():
            data = b"QuantumGate/1 fingerprint\0" + identity.public.bundle
            self.assertEqual(identity.public.fingerprint, hashlib.new("sha512_256", data).digest())
            text = identity.public.fingerprint_text
            self.assertEqual(parse_fingerprint(text), identity.public.fingerprint)
            address = QgAddress.parse(f"qg://{identity.public.uuid}.{text}@127.0.0.1:9999")
            self.assertEqual(address.fingerprint, text)

    def test_fingerprint_text_has_one_spelling(self) -> None:
        """Upper case, padding, other lengths and stray bits at the end are refused."""
        text = IDENTITIES[1].public.fingerprint_text
        last = "b" if text[-1] == "a" else chr(ord(text[-1]) + 1)
        for bad in (text.upper(), text + "====", text[:-1], text + "a", text[:-1] + last, "1" + text[1:], ""):
            self.assertRaises(ValueError, parse_fingerprint, bad)

    def test_from_bundle(self) -> None:
        """The same from public bytes alone; a bad bundle is refused."""
        for kind, identity in IDENTITIES.items():
            self.assertEqual(PeerIdentity.from_bundle(identity.public.bundle), identity.public)
            self.assertEqual(identity.public.kind_name, KINDS[kind].name)
            self.assertRaises(BadKeyError, PeerIdentity.from_bundle, identity.public.bundle + b"\0")
        self.assertRaises(BadKeyError, PeerIdentity.from_bundle, b"\1" + bytes(32))

    def test_same_key_another_kind_is_another_peer(self) -> None:
        """The kind is inside the hash and inside the UUID."""
        bundle = IDENTITIES[2].public.bundle
        self.assertNotEqual(uuid_of(bundle), uuid_of(b"\1" + bundle[1:]))


class KeyTests(SynchronousTestCase):
    """Making and using private keys."""

    def test_generate(self) -> None:
        """By number and by name, each time another; from given luck the same."""
        self.assertEqual(Identity.generate("ed448").kind, 3)
        self.assertEqual(Identity.generate().kind, 1)
        self.assertNotEqual(Identity.generate().public, Identity.generate().public)
        self.assertEqual(Identity.generate(2, FixedRandom(b"tests")).public, IDENTITIES[2].public)
        self.assertRaises(LocalError, Identity.generate, "ed25519+mldsa87")

    def test_seeds_of_the_wrong_length(self) -> None:
        """Are our bug."""
        for kind in KINDS:
            for size in (KINDS[kind].seed_bytes - 1, KINDS[kind].seed_bytes + 1):
                self.assertRaises(BugError, Identity, kind, Secret(bytes(size)))

    def test_wipe(self) -> None:
        """The seeds are gone and nothing is signed any more."""
        identity = Identity.generate(2)
        identity.wipe()
        self.assertRaises(BugError, identity.to_file_bytes)
        self.assertRaises(AttributeError, identity.sign, labels.SIGN_RESPONDER, bytes(64))

    def test_is_never_shown(self) -> None:
        """repr names the UUID only; a pickle fails."""
        identity = IDENTITIES[1]
        self.assertEqual(repr(identity), f"<Identity {identity.public.uuid}>")
        self.assertRaises(TypeError, pickle.dumps, identity)


class KeyFileTests(SynchronousTestCase):
    """Key files."""

    def test_plain(self) -> None:
        """format 1, kdf 0, kind, seeds, fingerprint; read back it signs as before."""
        for kind, identity in IDENTITIES.items():
            data = identity.to_file_bytes()
            seeds = FixedRandom(b"tests").bytes(KINDS[kind].seed_bytes)
            self.assertEqual(data, bytes((1, 0, kind)) + seeds + identity.public.fingerprint)
            self.assertFalse(needs_passphrase(data))
            again = Identity.from_file_bytes(data)
            self.assertEqual(again.public, identity.public)
            verify(identity.public.bundle, labels.SIGN_PEER_RECORD, bytes(64), again.sign("peer record", bytes(64)))

    def test_sealed(self) -> None:
        """format 1, kdf 1, salt, iv, AES-256-GCM under Argon2id (t = 3, 64 MiB, p = 4) with the head as AD."""
        data = IDENTITIES[2].to_file_bytes("caf\u00e9", FixedRandom(b"salt"))
        self.assertTrue(needs_passphrase(data))
        self.assertEqual(data[:30], b"\1\1" + FixedRandom(b"salt").bytes(28))
        stretch = Argon2id(salt=data[2:18], length=32, iterations=3, lanes=4, memory_cost=65_536)
        body = AESGCM(stretch.derive("caf\u00e9".encode())).decrypt(data[18:30], data[30:], data[:30])
        self.assertEqual(body, IDENTITIES[2].to_file_bytes()[2:])
        self.assertEqual(Identity.from_file_bytes(data, "cafe\u0301").public, IDENTITIES[2].public)

    def test_every_kind_sealed(self) -> None:
        """There and back."""
        cheapen(self)
        for identity in IDENTITIES.values():
            data = identity.to_file_bytes("passphrase")
            self.assertEqual(Identity.from_file_bytes(data, "passphrase").public, identity.public)
            self.assertNotEqual(data, identity.to_file_bytes("passphrase"))

    def test_wrong_or_missing_passphrase(self) -> None:
        """Says what is needed."""
        cheapen(self)
        data = IDENTITIES[1].to_file_bytes("right")
        for wrong in ("wrong", "", "Right", "right "):
            self.assertRaises(KeyFileError, Identity.from_file_bytes, data, wrong)
        with self.assertRaises(KeyFileError) as caught:
            Identity.from_file_bytes(data)
        self.assertIn("passphrase", caught.exception.advice)

    def test_damage_never_makes_another_identity(self) -> None:
        """Every byte of a plain file flipped, every length cut: KeyFileError, never a node under another name."""
        for kind in (1, 2):
            data = IDENTITIES[kind].to_file_bytes()
            for at in range(len(data)):
                bad = bytearray(data)
                bad[at] ^= 0x40
                self.assertRaises(KeyFileError, Identity.from_file_bytes, bytes(bad))
                self.assertRaises(KeyFileError, Identity.from_file_bytes, data[:at])
            self.assertRaises(KeyFileError, Identity.from_file_bytes, data + b"\0")

    def test_damage_of_a_sealed_file(self) -> None:
        """The same under a passphrase; nor can the kdf byte be changed to skip it."""
        cheapen(self)
        data = IDENTITIES[1].to_file_bytes("passphrase")
        for at in range(len(data)):
            bad = bytearray(data)
            bad[at] ^= 1
            self.assertRaises(KeyFileError, Identity.from_file_bytes, bytes(bad), "passphrase")
            self.assertRaises(KeyFileError, Identity.from_file_bytes, data[:at], "passphrase")

    def test_a_passphrase_for_a_plain_file_is_not_needed(self) -> None:
        """A file without passphrase opens whatever is given."""
        data = IDENTITIES[1].to_file_bytes()
        self.assertEqual(Identity.from_file_bytes(data, "anything").public, IDENTITIES[1].public)
