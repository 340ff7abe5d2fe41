"""PADME buckets: never shorter, at most 12 % longer, few of them, and the sizes of large records are buckets."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.wire.padme import padme


class PadmeTests(SynchronousTestCase):
    """docs/spec/records.md, section 5."""

    def test_known_buckets(self) -> None:
        for size, bucket in ((0, 0), (1, 1), (2, 2), (3, 3), (9, 10), (100, 104), (1000, 1024), (1025, 1088)):
            self.assertEqual(padme(size), bucket, size)

    def test_large_records_are_buckets(self) -> None:
        for size in (16_384, 65_536, 262_144):
            self.assertEqual((padme(size), padme(size - 1)), (size, size))
            self.assertGreater(padme(size + 1), size + 1)

    def test_every_size_up_to_64_kib(self) -> None:
        last, buckets = 0, set()
        for size in range(1, 65_537):
            bucket = padme(size)
            self.assertTrue(size <= bucket <= size * 1.12, size)
            self.assertTrue(last <= bucket and padme(bucket) == bucket, size)
            buckets.add(bucket)
            last = bucket
        self.assertLess(len(buckets), 200)
