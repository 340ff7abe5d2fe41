"""Tests of quantumgate.crypto.backends."""

from __future__ import annotations

import time
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric import mlkem
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.crypto import backends as module
from quantumgate.crypto import liboqs
from quantumgate.crypto.backends import backends, self_test
from quantumgate.crypto.kem import kem
from quantumgate.crypto.liboqs import Finding
from quantumgate.crypto.suites import AEADS, PRIMARIES, SECONDARIES

ABSENT = Finding(None, reason="no liboqs library was found")


class CryptographyTests(SynchronousTestCase):
    """The backend that is always there."""

    def setUp(self) -> None:
        """No liboqs, whatever there is."""
        self.patch(liboqs, "find", lambda: ABSENT)

    def test_every_algorithm_is_asked_and_answers(self) -> None:
        """Each row of the tables that cryptography provides, the KDF, and both halves of both hybrids."""
        checks = self_test()
        self.assertEqual([check for check in checks if not check.ok], [])
        rows = [*PRIMARIES.values(), *SECONDARIES.values(), *AEADS.values()]
        expected = {row.name for row in rows if row.backend == "cryptography"}
        expected |= {"HKDF-SHA-512", "ed25519+mldsa65", "ed448+mldsa87"}
        self.assertEqual({check.algorithm for check in checks}, expected)

    def test_takes_less_than_a_tenth_of_a_second(self) -> None:
        """CPU time, the best of three: it runs at every start."""
        taken = []
        for _ in range(3):
            before = time.process_time()
            self_test()
            taken.append(time.process_time() - before)
        self.assertLess(min(taken), 0.1)

    def failed(self) -> list[str]:
        """Names of the algorithms whose answers were wrong."""
        state = backends()[0].state
        names = [check.algorithm for check in self_test() if not check.ok]
        self.assertEqual(state, "failed" if names else "ok")
        return names

    def test_wrong_answers_are_noticed(self) -> None:
        """Another stored answer for each in turn: just that algorithm fails."""
        self.patch(module, "HKDF_ANSWER", "00" * 64)
        self.assertEqual(self.failed(), ["HKDF-SHA-512"])
        self.patch(module, "AEAD_ANSWERS", {1: module.AEAD_ANSWERS[1], 2: module.AEAD_ANSWERS[1]})
        self.patch(module, "AGREEMENT_ANSWERS", {**module.AGREEMENT_ANSWERS, 3: ""})
        self.assertEqual(self.failed(), ["HKDF-SHA-512", "ChaCha20-Poly1305", "P-521"])

    def test_each_part_of_a_kem_s_answer_counts(self) -> None:
        """Public key, secret, and the secret of a ciphertext that fits nothing."""
        known = module.MLKEM_ANSWERS[2]
        for part in ("public_hash", "secret", "rejected"):
            self.patch(module, "MLKEM_ANSWERS", {1: module.MLKEM_ANSWERS[1], 2: replace(known, **{part: "00" * 32})})
            self.assertEqual(self.failed(), ["ML-KEM-1024"])

    def test_each_part_of_an_identity_s_answer_counts(self) -> None:
        """Fingerprint, Edwards half, ML-DSA half."""
        fingerprint, signature = module.IDENTITY_ANSWERS[4]
        bad = [("00" * 32, signature)]
        bad += [(fingerprint, signature[:at] + bytes((signature[at] ^ 1,)) + signature[at + 1 :]) for at in (5, 500)]
        for answer in bad:
            self.patch(module, "IDENTITY_ANSWERS", {2: module.IDENTITY_ANSWERS[2], 4: answer})
            self.assertEqual(self.failed(), ["ed448+mldsa87"])

    def test_a_wrong_mechanism_is_noticed(self) -> None:
        """A KEM that agrees with itself and with nobody else: what HQC once did."""

        class Other(mlkem.MLKEM768PrivateKey):
            """ML-KEM-768 from another seed than the one given."""

            @classmethod
            def from_seed_bytes(cls, data: bytes) -> mlkem.MLKEM768PrivateKey:
                """The seed backwards."""
                return mlkem.MLKEM768PrivateKey.from_seed_bytes(data[::-1])

        self.patch(kem(1), "_private", Other)
        self.assertEqual(self.failed(), ["ML-KEM-768"])

    def test_a_backend_that_raises_is_a_failed_one(self) -> None:
        """And the others are still asked."""

        def broken(kind: int) -> bool:
            raise RuntimeError(f"no {kind}")

        self.patch(module, "_identity", broken)
        self.assertEqual(self.failed(), ["ed25519+mldsa65", "ed448+mldsa87"])
        self.assertIn("RuntimeError: no 2", [check.detail for check in self_test()])
        self.assertIn("reinstall", backends()[0].advice)

    def test_version(self) -> None:
        """Names the package's version and OpenSSL's."""
        self.assertRegex(backends()[0].version, r"^\d+\.\d+\.\d+ \(.+\)$")


class LiboqsTests(SynchronousTestCase):
    """What the doctor says of liboqs."""

    def report(self, finding: Finding) -> module.Backend:
        """The report on that finding."""
        self.patch(liboqs, "find", lambda: finding)
        return backends()[1]

    def test_absent(self) -> None:
        """It is optional: absent is no failure, and the advice says what would help."""
        report = self.report(ABSENT)
        self.assertEqual((report.state, report.reason, report.checks), ("absent", "no liboqs library was found", ()))
        self.assertTrue(report.advice.startswith("optional"))

    def test_broken(self) -> None:
        """There, but not to be used."""
        report = self.report(Finding(None, path="/x", reason="/x ends its process (signal 7)", broken=True))
        self.assertEqual((report.state, report.reason), ("broken", "/x ends its process (signal 7)"))

    def test_ok_and_failed(self) -> None:
        """One check per row; a wrong answer is named."""
        report = self.report(Finding(liboqs, "0.16.0"))
        names = [row.name for row in SECONDARIES.values() if row.backend == "liboqs"]
        self.assertEqual((report.state, [check.algorithm for check in report.checks]), ("ok", names))
        report = self.report(Finding(liboqs, "0.16.0", problems={17: "known answer differs"}))
        self.assertEqual((report.state, report.reason), ("failed", "HQC-192: known answer differs"))
        self.assertEqual([check.ok for check in report.checks], [name != "HQC-192" for name in names])
