"""Without a key a store keeps values as they are, and names rows by a hash."""

from __future__ import annotations

import hashlib

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.store.seal import ID_BYTES, Unsealed


class UnsealedTests(SynchronousTestCase):
    def test_as_it_is(self) -> None:
        seal = Unsealed()
        self.assertEqual((seal.shut(b"value", b"place"), seal.open(b"value", b"place")), (b"value", b"value"))
        self.assertEqual(seal.id_of(b"place"), hashlib.sha256(b"place").digest())
        self.assertEqual((len(seal.id_of(b"")), seal.sealed), (ID_BYTES, False))
