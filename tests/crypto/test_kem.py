"""Tests of quantumgate.crypto.kem. What needs liboqs is in OqsTests."""

from __future__ import annotations

import threading

from cryptography.hazmat.primitives.asymmetric import mlkem
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from quantumgate.crypto import liboqs
from quantumgate.crypto.kem import kem, offerable
from quantumgate.crypto.liboqs import Finding
from quantumgate.crypto.random import FixedRandom
from quantumgate.crypto.suites import SECONDARIES
from quantumgate.errors import BadKeyError, BugError, UnavailableError

MLKEMS = [kem(1), kem(2)]


class KemTests(SynchronousTestCase):
    """What holds for any mechanism; here for ML-KEM, below for liboqs's."""

    def mechanisms(self) -> list[int]:
        """Ids to try."""
        return [1, 2]

    def test_there_and_back(self) -> None:
        """One secret for both, of 24 or 32 bytes; (ciphertext, secret) in this order; lengths of the table."""
        for id_ in self.mechanisms():
            mechanism = kem(id_)
            key = mechanism.generate()
            ciphertext, secret = mechanism.encapsulate(key.public)
            self.assertEqual(len(key.public), SECONDARIES[id_].public_bytes)
            self.assertEqual(len(ciphertext), SECONDARIES[id_].ciphertext_bytes)
            self.assertEqual(len(secret), 24 if id_ == 18 else 32)
            self.assertEqual(key.decapsulate(ciphertext), secret)
            again, other = mechanism.encapsulate(key.public)
            self.assertNotEqual((ciphertext, secret), (again, other))

    def test_a_replaced_ciphertext_gives_another_secret(self) -> None:
        """Implicit rejection: no error, and nothing in common with the right secret (attack row 8)."""
        for id_ in self.mechanisms():
            mechanism = kem(id_)
            key, other = mechanism.generate(), mechanism.generate()
            ciphertext, secret = mechanism.encapsulate(key.public)
            for at in (0, len(ciphertext) // 2):
                bad = bytearray(ciphertext)
                bad[at] ^= 1
                self.assertNotEqual(key.decapsulate(bytes(bad)), secret)
            self.assertNotEqual(other.decapsulate(ciphertext), secret)
            self.assertEqual(key.decapsulate(bytes(len(ciphertext))), key.decapsulate(bytes(len(ciphertext))))

    def test_wrong_lengths(self) -> None:
        """Keys and ciphertexts with one byte more, one less, none."""
        for id_ in self.mechanisms():
            mechanism = kem(id_)
            key = mechanism.generate()
            ciphertext, _ = mechanism.encapsulate(key.public)
            for bad in (b"", key.public[:-1], key.public[1:], key.public + b"\0"):
                self.assertRaises(BadKeyError, mechanism.encapsulate, bad)
            for bad in (b"", ciphertext[:-1], ciphertext[1:], ciphertext + b"\0"):
                self.assertRaises(BadKeyError, key.decapsulate, bad)

    def test_wipe(self) -> None:
        """A wiped key is of no use, and says so; wiping twice is nothing."""
        for id_ in self.mechanisms():
            mechanism = kem(id_)
            key = mechanism.generate()
            ciphertext, _ = mechanism.encapsulate(key.public)
            key.wipe()
            key.wipe()
            self.assertRaises(BugError, key.decapsulate, ciphertext)


class MlKemTests(SynchronousTestCase):
    """ML-KEM of the cryptography package."""

    def test_seed(self) -> None:
        """The same seed makes the same key: d || z of FIPS 203."""
        for mechanism in MLKEMS:
            seed = FixedRandom(b"seed").bytes(64)
            a, b = mechanism.generate(seed), mechanism.generate(seed)
            self.assertEqual(a.public, b.public)
            ciphertext, secret = mechanism.encapsulate(a.public)
            self.assertEqual(b.decapsulate(ciphertext), secret)

    def test_modulus_check(self) -> None:
        """A coefficient of q = 3329 or more in the first, a middle or the last place (FIPS 203 7.2)."""
        for mechanism in MLKEMS:
            public = mechanism.generate().public
            for at in (0, 384, mechanism.public_bytes - 32 - 3):
                for low, high in ((3329, None), (4095, None), (None, 3329), (None, 4095)):
                    a = public[at] | (public[at + 1] & 15) << 8 if low is None else low
                    b = public[at + 1] >> 4 | public[at + 2] << 4 if high is None else high
                    three = bytes((a & 255, a >> 8 | (b & 15) << 4, b >> 4))
                    self.assertRaises(BadKeyError, mechanism.encapsulate, public[:at] + three + public[at + 3 :])

    def test_largest_legal_coefficient(self) -> None:
        """3328 everywhere is a legal key; the seed of the matrix may be anything."""
        for mechanism in MLKEMS:
            three = bytes((3328 & 255, 3328 >> 8 | (3328 & 15) << 4, 3328 >> 4))
            mechanism.encapsulate(three * ((mechanism.public_bytes - 32) // 3) + b"\xff" * 32)

    def test_all_zero_key_is_legal(self) -> None:
        """And harmless: secrets still differ, for the message is drawn by the sender (attack row 7)."""
        for mechanism in MLKEMS:
            first, second = (mechanism.encapsulate(bytes(mechanism.public_bytes))[1] for _ in range(2))
            self.assertNotEqual(first, second)

    def test_the_library_s_own_order_is_turned(self) -> None:
        """cryptography returns (secret, ciphertext); were the turn forgotten, lengths would tell."""
        key = mlkem.MLKEM768PrivateKey.generate()
        ciphertext, secret = kem(1).encapsulate(key.public_key().public_bytes_raw())
        self.assertEqual(key.decapsulate(ciphertext), secret.reveal())


class AvailabilityTests(SynchronousTestCase):
    """What can be offered."""

    def test_unknown_ids(self) -> None:
        """No table row, no mechanism."""
        for id_ in (0, 3, 19, 35, 65535):
            self.assertRaises(UnavailableError, kem, id_)
        self.assertEqual(offerable((0, 1, 3, 65535)), (1,))

    def test_without_liboqs(self) -> None:
        """Its mechanisms are unavailable with the reason and what to do; ML-KEM stays."""
        self.patch(liboqs, "find", lambda: Finding(None, reason="no liboqs library was found"))
        self.assertEqual(offerable(SECONDARIES), (1, 2))
        with self.assertRaises(UnavailableError) as caught:
            kem(32)
        self.assertEqual(str(caught.exception), "mceliece460896 needs liboqs: no liboqs library was found")
        self.assertEqual(caught.exception.advice, liboqs.ADVICE)

    def test_one_wrong_answer_closes_one_row(self) -> None:
        """A library with a wrong HQC is used for the rest."""
        self.patch(liboqs, "find", lambda: Finding(liboqs, problems={17: "known answer differs"}))
        self.assertEqual(offerable((18, 17, 16, 2, 1)), (18, 16, 2, 1))
        with self.assertRaises(UnavailableError) as caught:
            kem(17)
        self.assertEqual(str(caught.exception), "HQC-192 needs liboqs: known answer differs")


class OqsTests(KemTests):
    """The same for every row of liboqs that is here, and what only they have."""

    def setUp(self) -> None:
        """Skip where there is none."""
        if not self.mechanisms():
            reason = liboqs.find().reason or "it has none of our mechanisms"
            raise SkipTest(f"{reason}; set OQS_INSTALL_PATH to the prefix of a shared liboqs 0.16")

    def mechanisms(self) -> list[int]:
        """Those of liboqs."""
        return [id_ for id_ in offerable(SECONDARIES) if id_ not in (1, 2)]

    def test_the_two_forms_of_mceliece_are_one(self) -> None:
        """Keys of the f form open with the other, and the other way round: one id for both [A46]."""
        module = liboqs.find().module
        assert module is not None
        for id_ in (id_ for id_ in self.mechanisms() if SECONDARIES[id_].maker != SECONDARIES[id_].user):
            row = SECONDARIES[id_]
            for maker, user in ((row.maker, row.user), (row.user, row.maker)):
                with module.KeyEncapsulation(maker) as made:
                    public = made.generate_keypair()
                    with module.KeyEncapsulation(user) as used:
                        ciphertext, secret = used.encap_secret(public)
                    self.assertEqual(made.decap_secret(ciphertext), secret)
                    with module.KeyEncapsulation(user, made.export_secret_key()) as opened:
                        self.assertEqual(opened.decap_secret(ciphertext), secret)

    def test_keys_made_in_another_thread(self) -> None:
        """As the key farm makes them."""
        for id_ in self.mechanisms():
            made = []
            thread = threading.Thread(target=lambda made=made, id_=id_: made.append(kem(id_).generate()))
            thread.start()
            thread.join()
            ciphertext, secret = kem(id_).encapsulate(made[0].public)
            self.assertEqual(made[0].decapsulate(ciphertext), secret)

    def test_no_seeds(self) -> None:
        """liboqs cannot make these keys from a seed: asking is our bug."""
        for id_ in self.mechanisms():
            self.assertRaises(BugError, kem(id_).generate, bytes(64))
