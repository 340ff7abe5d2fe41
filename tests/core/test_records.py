"""Sealed records: what was sealed is opened, in order, once, whole, and by the right key only."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core import schedule
from quantumgate.core.records import RecordOpener, RecordSealer
from quantumgate.crypto.secret import Secret
from quantumgate.errors import AuthenticationError, LocalError, MalformedError
from quantumgate.wire.limits import RECORD_COUNTER_MAX, RECORD_HEADER_BYTES, RECORD_OVERHEAD_BYTES

KEY, OTHER = schedule.record_keys(Secret(bytes(64)), 1)
MOST = 1000


def sealed(sealer: RecordSealer, body: bytes) -> bytearray:
    """A record."""
    buffer = bytearray(RECORD_OVERHEAD_BYTES + len(body) + 9)
    buffer[RECORD_HEADER_BYTES : RECORD_HEADER_BYTES + len(body)] = body
    size = sealer.seal(memoryview(buffer), len(body))
    return buffer[:size]


def opened(opener: RecordOpener, record: bytearray, most: int = MOST) -> bytes:
    """Its body."""
    view = memoryview(record)
    size = opener.body_bytes(view[:RECORD_HEADER_BYTES], most)
    return bytes(opener.open_body(view[:RECORD_HEADER_BYTES], view[RECORD_HEADER_BYTES : size + RECORD_OVERHEAD_BYTES]))


class RecordTests(SynchronousTestCase):
    """docs/spec/records.md, sections 1 and 2."""

    def setUp(self) -> None:
        self.sealer, self.opener = RecordSealer(KEY), RecordOpener(KEY)

    def test_comes_back_in_order(self) -> None:
        for body in (b"x", b"two", bytes(MOST)):
            record = sealed(self.sealer, body)
            self.assertEqual(len(record), len(body) + RECORD_OVERHEAD_BYTES)
            self.assertEqual(opened(self.opener, record), body)
        self.assertEqual((self.sealer.records, self.opener.records), (3, 3))
        self.assertEqual(self.sealer.sealed_bytes, self.opener.opened_bytes)
        self.assertEqual(self.sealer.sealed_bytes, 4 + MOST + 3 * RECORD_OVERHEAD_BYTES)

    def test_twice_or_out_of_order(self) -> None:
        one, two = sealed(self.sealer, b"one"), sealed(self.sealer, b"two")
        again = bytearray(one)
        self.assertRaises(AuthenticationError, opened, self.opener, two)
        self.assertEqual(opened(self.opener, one), b"one")
        self.assertRaises(AuthenticationError, opened, self.opener, again)

    def test_another_key(self) -> None:
        self.assertRaises(AuthenticationError, opened, RecordOpener(OTHER), sealed(self.sealer, b"x"))

    def test_header_and_body_belong_together(self) -> None:
        """A body behind the header of another record of the same number and length."""
        one, two = sealed(RecordSealer(KEY), b"one"), sealed(RecordSealer(KEY), b"two")
        self.assertEqual(one[:RECORD_HEADER_BYTES], two[:RECORD_HEADER_BYTES])
        long = sealed(RecordSealer(KEY), b"longer")
        view = memoryview(one)
        self.opener.body_bytes(view[:RECORD_HEADER_BYTES], MOST)
        wrong = memoryview(long)[:RECORD_HEADER_BYTES]
        self.assertRaises(AuthenticationError, self.opener.open_body, wrong, view[RECORD_HEADER_BYTES:])

    def test_length_is_exact(self) -> None:
        self.assertEqual(opened(RecordOpener(KEY), sealed(RecordSealer(KEY), bytes(MOST))), bytes(MOST))
        for body, most in ((bytes(MOST), MOST - 1), (b"", MOST)):
            self.assertRaises(MalformedError, opened, RecordOpener(KEY), sealed(RecordSealer(KEY), body), most)

    def test_flags_are_zero(self) -> None:
        header = bytearray(RECORD_HEADER_BYTES)
        for word in (b"\0\0\1\1", b"\0\0\1\x80"):
            KEY.seal_into(0, word, b"", memoryview(header))
            self.assertRaises(MalformedError, self.opener.body_bytes, memoryview(header), MOST)

    def test_the_last_number(self) -> None:
        self.sealer.records = self.opener.records = RECORD_COUNTER_MAX - 1
        self.assertEqual(opened(self.opener, sealed(self.sealer, b"last")), b"last")
        self.assertRaises(LocalError, sealed, self.sealer, b"x")
        self.sealer.records = RECORD_COUNTER_MAX
        record = bytearray(RECORD_OVERHEAD_BYTES + 1)
        header = memoryview(record)[:RECORD_HEADER_BYTES]
        KEY.seal_into(2 * RECORD_COUNTER_MAX, b"\0\0\1\0", b"", header)
        self.assertRaises(MalformedError, opened, self.opener, record)
