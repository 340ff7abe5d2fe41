"""The key schedule against HKDF written out by hand from the specification (RFC 5869, nothing of the package)."""

from __future__ import annotations

import hashlib
import hmac

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core import schedule
from quantumgate.crypto.secret import Secret
from quantumgate.errors import AuthenticationError

ROOT = Secret(b"r" * 64)


def extract(salt: bytes, ikm: bytes) -> bytes:
    """HKDF-Extract."""
    return hmac.new(salt, ikm, hashlib.sha512).digest()


def expand(prk: bytes, info: bytes, length: int = 64) -> bytes:
    """HKDF-Expand, one block."""
    return hmac.new(prk, info + b"\1", hashlib.sha512).digest()[:length]


def lp(data: bytes) -> bytes:
    """u32 length, data."""
    return len(data).to_bytes(4, "big") + data


class ScheduleTests(SynchronousTestCase):
    """Each function against its line in docs/spec/key-schedule.md."""

    def test_network_and_obfuscation(self) -> None:
        salt = hashlib.sha512(b"QuantumGate/1 net" + lp(b"home")).digest()
        for psk, ikm in ((None, bytes(64)), (Secret(b"s" * 40), b"s" * 40)):
            prk0 = schedule.network_secret(b"home", psk)
            self.assertEqual(prk0.reveal(), extract(salt, ikm))
            obf = schedule.obfuscation_secret(prk0, b"u" * 16)
            self.assertEqual(obf.reveal(), expand(prk0.reveal(), b"qg1 obf" + lp(b"u" * 16)))
            self.assertEqual(schedule.exchange_salt(prk0).reveal(), expand(prk0.reveal(), b"qg1 ke salt"))

    def test_first_keys_belong_to_their_salts(self) -> None:
        obf = Secret(b"o" * 64)
        o1 = schedule.first_flight_key(obf, b"i" * 32)
        box = o1.seal(0, b"x", b"ad")
        self.assertEqual(schedule.first_flight_key(obf, b"i" * 32).open(0, box, b"ad"), b"x")
        for other in (schedule.first_flight_key(obf, b"j" * 32), schedule.answer_key(obf, b"i" * 32, b"r" * 32)):
            self.assertRaises(AuthenticationError, other.open, 0, box, b"ad")

    def test_combiner(self) -> None:
        keys = schedule.handshake_keys(Secret(b"k" * 64), Secret(b"two"), Secret(b"one"), b"t" * 64)
        prk1 = extract(b"k" * 64, lp(b"two") + lp(b"one") + b"t" * 64)
        self.assertEqual(keys.prk1.reveal(), prk1)
        self.assertEqual(keys.fin_r.reveal(), expand(prk1, b"qg1 fin r"))
        self.assertEqual(keys.fin_i.reveal(), expand(prk1, b"qg1 fin i"))
        self.assertRaises(AuthenticationError, keys.hi.open, 1, keys.hr.seal(1, b"x"))

    def test_session(self) -> None:
        prk1 = b"1" * 64
        secrets = schedule.session_secrets(Secret(prk1), b"t" * 64)
        prk2 = extract(expand(prk1, b"qg1 derived"), b"t" * 64)
        self.assertEqual(secrets.root.reveal(), expand(prk2, b"qg1 root"))
        self.assertEqual(secrets.sid, expand(prk2, b"qg1 session id", 32))
        self.assertEqual(secrets.exporter.reveal(), expand(prk2, b"qg1 exporter"))

    def test_rekey(self) -> None:
        made = schedule.next_root(ROOT, Secret(b"two"), Secret(b"one"), b"request", b"response")
        bound = hashlib.sha512(lp(b"request") + lp(b"response")).digest()
        self.assertEqual(made.reveal(), extract(b"r" * 64, lp(b"two") + lp(b"one") + bound))
        self.assertEqual(schedule.rekey_id(ROOT), expand(b"r" * 64, b"qg1 rekey id"))

    def test_export(self) -> None:
        info = b"qg1 exp" + lp(b"label") + lp(hashlib.sha512(b"context").digest())
        self.assertEqual(schedule.export(ROOT, b"label", b"context", 20).reveal(), expand(b"r" * 64, info, 20))

    def test_record_keys_differ_per_direction_and_algorithm(self) -> None:
        boxes = {key.seal(0, b"x") for aead in (1, 2) for key in schedule.record_keys(ROOT, aead)}
        self.assertEqual(len(boxes), 4)
