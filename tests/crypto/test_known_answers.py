"""Tests of quantumgate.crypto.known_answers: second opinions on the recorded values."""

from __future__ import annotations

import hashlib
import hmac

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from quantumgate.crypto import liboqs
from quantumgate.crypto.identity import Identity
from quantumgate.crypto.known_answers import (
    AGREEMENT_ANSWERS,
    HKDF_ANSWER,
    IDENTITY_ANSWERS,
    KNOWN_ANSWER,
    LIBOQS_ANSWERS,
    MLKEM_ANSWERS,
)
from quantumgate.crypto.random import FixedRandom
from quantumgate.crypto.secret import Secret
from quantumgate.crypto.signatures import KINDS, signature_input
from quantumgate.crypto.suites import SECONDARIES
from tests.crypto.curves import P521_G, p521_multiply

P521_ORDER = 2**521 - 0x5AE79787C40D069948033FEB708F65A2FC44A36477663B851449048E16EC79BF7


def draws(name: str) -> FixedRandom:
    """The stream of that known answer."""
    return FixedRandom(KNOWN_ANSWER + name.encode())


class SecondOpinionTests(SynchronousTestCase):
    """By other code than that which recorded them."""

    def test_hkdf(self) -> None:
        """From the text of RFC 5869."""
        luck = draws("HKDF-SHA-512")
        prk = hmac.new(luck.bytes(64), luck.bytes(80), hashlib.sha512).digest()
        self.assertEqual(hmac.new(prk, b"qg1 root\1", hashlib.sha512).hexdigest(), HKDF_ANSWER)

    def test_p521(self) -> None:
        """By plain arithmetic on the curve."""
        luck = draws("P-521")
        a, b = (int.from_bytes(luck.bytes(74), "big") % (P521_ORDER - 1) + 1 for _ in range(2))
        digest = hashlib.sha256()
        for scalar in (a, b):
            x, y = p521_multiply(scalar, P521_G)
            digest.update(b"\4" + x.to_bytes(66, "big") + y.to_bytes(66, "big"))
        digest.update(p521_multiply(a * b % P521_ORDER, P521_G)[0].to_bytes(66, "big"))
        self.assertEqual(digest.hexdigest(), AGREEMENT_ANSWERS[3])

    def test_every_liboqs_row_has_an_answer(self) -> None:
        """One for each that liboqs provides, and no other."""
        self.assertEqual(set(LIBOQS_ANSWERS), {row.id for row in SECONDARIES.values() if row.backend == "liboqs"})

    def test_ml_kem_by_liboqs(self) -> None:
        """The same key from the seed, the same secrets from the recorded and from the zero ciphertext."""
        module = liboqs.find().module
        names = module.get_enabled_kem_mechanisms() if module is not None else ()
        if not {"ML-KEM-768", "ML-KEM-1024"} <= set(names):
            raise SkipTest("set OQS_INSTALL_PATH to the prefix of a shared liboqs 0.16 with ML-KEM")
        for id_, known in MLKEM_ANSWERS.items():
            name = SECONDARIES[id_].name
            with module.KeyEncapsulation(name) as key:
                public = key.generate_keypair_seed(draws(name).bytes(64))
                self.assertEqual(hashlib.sha256(public).hexdigest(), known.public_hash)
                self.assertEqual(key.decap_secret(known.ciphertext).hex(), known.secret)
                self.assertEqual(key.decap_secret(bytes(len(known.ciphertext))).hex(), known.rejected)

    def test_ml_dsa_by_liboqs(self) -> None:
        """The recorded signature verifies there too, under our context and under no other."""
        module = liboqs.find().module
        names = module.get_enabled_sig_mechanisms() if module is not None else ()
        if not {"ML-DSA-65", "ML-DSA-87"} <= set(names):
            raise SkipTest("set OQS_INSTALL_PATH to the prefix of a shared liboqs 0.16 with ML-DSA")
        content = hashlib.sha512(b"known answer").digest()
        for kind, (_, signature) in IDENTITY_ANSWERS.items():
            table = KINDS[kind]
            identity = Identity(kind, Secret(draws(table.name).bytes(table.seed_bytes)))
            public = identity.public.bundle[1 + table.edwards_public_bytes :]
            message = signature_input(kind, "responder signature", content)
            with module.Signature("ML-DSA-65" if kind == 2 else "ML-DSA-87") as checker:
                half = signature[table.edwards_signature_bytes :]
                self.assertTrue(checker.verify_with_ctx_str(message, half, b"QuantumGate/1", public))
                self.assertFalse(checker.verify_with_ctx_str(message, half, b"QuantumGate/2", public))
