"""Budgets: what they let through, and that a timer set for the next token finds it. [A22]"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.budget import Buckets, FloodGauge, TokenBucket, paced


class TokenBucketTests(SynchronousTestCase):
    """Time is a number that the test tells."""

    def test_burst_then_rate(self) -> None:
        """The burst at once, then one token for each 1/rate seconds."""
        bucket = TokenBucket(10, 3, 0.0)
        self.assertEqual([bucket.take(0.0) for _ in range(4)], [True, True, True, False])
        self.assertFalse(bucket.take(0.05))
        self.assertTrue(bucket.take(0.1))

    def test_the_next_token_is_there_when_promised(self) -> None:
        """Rounding must not leave it a hair short: whoever waits for ``next_at`` would spin on the same moment."""
        for rate in (3.0, 7.0, 160.0, 333.3):
            bucket = TokenBucket(rate, 1, 12345.678)
            now = 12345.678
            bucket.take(now)
            for _ in range(2000):
                now = bucket.next_at()
                self.assertTrue(bucket.take(now), (rate, now))

    def test_an_honest_sender_is_never_a_flood(self) -> None:
        """A sender that paces itself stays under the receiver's gauge for as long as it likes."""
        sender, gauge = paced((200, 1000), 0.0), FloodGauge(200, 1000, 5, 0.0)
        now = 0.0
        for _ in range(5000):
            if not sender.take(now):
                now = sender.next_at()
                self.assertTrue(sender.take(now))
            self.assertFalse(gauge.count(now))

    def test_twice_the_burst_is_a_flood(self) -> None:
        """The burst may be passed by itself once, not more."""
        gauge = FloodGauge(50, 500, 5, 0.0)
        counted = [gauge.count(0.0) for _ in range(1001)]
        self.assertEqual(counted, [False] * 1000 + [True])

    def test_a_sustained_excess_is_a_flood(self) -> None:
        """Over the budget for longer than the named seconds."""
        gauge = FloodGauge(1, 1, 5, 0.0)
        counted = [gauge.count(second * 0.9) for second in range(200)]
        self.assertTrue(counted[-1])
        self.assertFalse(counted[0])


class BucketsTests(SynchronousTestCase):
    def test_at_most_so_many(self) -> None:
        """Beyond, the one that asked longest ago begins anew."""
        buckets: Buckets[int] = Buckets(0.001, 1, 3)
        self.assertEqual([buckets.take(key, 0.0) for key in (1, 2, 3, 1)], [True, True, True, False])
        self.assertTrue(buckets.take(4, 0.0))
        self.assertEqual([len(buckets), buckets.has(1, 0.0), buckets.has(2, 0.0)], [3, False, True])
