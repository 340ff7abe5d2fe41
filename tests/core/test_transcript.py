"""The transcript against a hash written out by hand."""

from __future__ import annotations

import hashlib

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.transcript import Transcript


class TranscriptTests(SynchronousTestCase):
    """TH = SHA-512 over lp(tag) || lp(value)."""

    def test_starts_with_the_protocol(self) -> None:
        expected = hashlib.sha512(b"\0\0\0\x05proto\0\0\0\x0dQuantumGate/1").digest()
        self.assertEqual(Transcript().digest(), expected)

    def test_values_do_not_run_together(self) -> None:
        first, second = Transcript(), Transcript()
        first.add_all((b"a", b"b"), (b"12", b"3"))
        second.add_all((b"a", b"b"), (b"1", b"23"))
        self.assertNotEqual(first.digest(), second.digest())

    def test_a_digest_ends_nothing(self) -> None:
        once, twice = Transcript(), Transcript()
        twice.digest()
        once.add(b"ext", b"")
        twice.add(b"ext", b"")
        self.assertEqual(once.digest(), twice.digest())
        self.assertNotEqual(once.digest(), Transcript().digest())

    def test_a_value_without_a_tag_is_a_mistake(self) -> None:
        self.assertRaises(ValueError, Transcript().add_all, (b"a",), (b"1", b"2"))
