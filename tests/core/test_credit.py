"""Windows and loans: what is lent is counted in both pools, waits in order, and always comes back."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.channel import Channel
from quantumgate.core.credit import GROW_WITHIN_SECONDS, SHRINK_AFTER, CreditPool
from quantumgate.wire import frames
from quantumgate.wire.limits import KIB, MESSAGE_CREDIT_BYTES, MIB, WINDOW_FREE_RAISE_BYTES
from tests.core.sessions import PLAIN, Mallory, Owner, Pair, replace, tuned

WINDOW = PLAIN.limits.initial_window_bytes


class PoolTests(SynchronousTestCase):
    """Half for growth, half for partial messages; a child's loan is its parent's, too."""

    def setUp(self) -> None:
        self.node = CreditPool(400)
        self.one, self.two = CreditPool(200, self.node), CreditPool(300, self.node)

    def test_growth_has_half(self) -> None:
        self.assertFalse(self.one.grow(101))
        self.assertTrue(self.one.grow(100))
        self.assertFalse(self.one.grow(1))
        self.assertTrue(self.two.grow(100))
        self.assertFalse(self.two.grow(1), "the node's half is used up")
        self.one.shrink(100)
        self.assertTrue(self.two.grow(50))
        self.assertEqual((self.node.grown_bytes, self.node.lent_bytes), (150, 0))

    def test_loans_have_the_other_half(self) -> None:
        self.one.grow(100)
        self.assertFalse(self.one.lend(101))
        self.assertTrue(self.one.lend(100))
        self.assertTrue(self.two.lend(100))
        self.assertFalse(self.two.lend(1))
        self.one.repay(100)
        self.two.repay(100)
        self.assertEqual([pool.lent_bytes for pool in (self.node, self.one, self.two)], [0, 0, 0])

    def test_who_waits_is_called_once_after_each_repayment(self) -> None:
        calls: list[str] = []
        again, other = (lambda: calls.append("one")), (lambda: calls.append("two"))
        self.one.lend(50)
        self.one.wait(again)
        self.one.wait(again)
        self.two.wait(other)
        self.one.repay(10)
        self.assertEqual(calls, ["one", "two"])
        self.one.repay(10)
        self.assertEqual(calls, ["one", "two"])

    def test_who_waits_no_more_is_not_called(self) -> None:
        self.one.lend(50)
        self.one.wait(self.fail)
        self.one.wait_no_more(self.fail)
        self.two.wait_no_more(self.fail)
        self.one.repay(50)


class GrowthTests(SynchronousTestCase):
    """A reader that is fast earns the large window, as long as there are any."""

    def reading(self, pair: Pair, channel: Channel, times: int = 3) -> None:
        """Half of its window each time."""
        for _ in range(times):
            window = next((each.window_bytes for each in pair.bob.offered if each.id == channel.id), WINDOW)
            missing = window // 2
            while missing:
                size = min(missing, WINDOW // 2)
                channel.write(bytes(size))
                pair.pump()
                missing -= size

    def test_a_fast_reader(self) -> None:
        """Twice as much with every half, up to the most, which counts in the pool without what every channel has."""
        pair = Pair()
        most = PLAIN.limits.window_max_bytes
        channel = pair.alice.open(stream=True)
        sizes = []
        for _ in range(8):
            self.reading(pair, channel, 1)
            (theirs,) = pair.bob.offered
            sizes.append(theirs.window_bytes)
        self.assertEqual(sizes, [min(WINDOW << times, most) for times in range(1, 9)])
        self.assertEqual(pair.bob.session.pool.grown_bytes, most - WINDOW)
        self.assertGreaterEqual(channel.send_limit - channel.sent_bytes, most // 2)
        channel.reset()
        pair.pump()
        self.assertEqual(pair.bob.session.pool.grown_bytes, 0)

    def test_a_reader_that_was_fast(self) -> None:
        """Half as much with every half that takes long, down to what every channel has; the others can have it."""
        pair = Pair()
        channel = pair.alice.open(stream=True)
        self.reading(pair, channel, 3)
        (theirs,) = pair.bob.offered
        sizes, held = [theirs.window_bytes], []
        for _ in range(5):
            pair.advance(SHRINK_AFTER * GROW_WITHIN_SECONDS + 0.01)
            self.reading(pair, channel, 1)
            sizes.append(theirs.window_bytes)
            held.append(pair.bob.session.pool.grown_bytes)
        self.assertEqual(sizes, [8 * WINDOW, 4 * WINDOW, 2 * WINDOW, WINDOW, WINDOW, WINDOW])
        self.assertEqual(held, [3 * WINDOW, WINDOW, 0, 0, 0])
        self.assertEqual(theirs.received_bytes, channel.sent_bytes)
        pair.advance(SHRINK_AFTER * GROW_WITHIN_SECONDS / 2)
        self.reading(pair, channel, 1)
        self.assertEqual(theirs.window_bytes, WINDOW)

    def test_a_reader_that_is_neither(self) -> None:
        """Between the two times a window stays."""
        pair = Pair()
        channel = pair.alice.open(stream=True)
        self.reading(pair, channel, 2)
        for _ in range(3):
            pair.advance(SHRINK_AFTER * GROW_WITHIN_SECONDS - 0.01)
            self.reading(pair, channel, 1)
        self.assertEqual(pair.bob.offered[0].window_bytes, 4 * WINDOW)

    def test_a_slow_reader(self) -> None:
        pair = Pair()
        channel = pair.alice.open(stream=True)
        pair.pump()
        for _ in range(5):
            pair.advance(GROW_WITHIN_SECONDS + 0.01)
            self.reading(pair, channel, 1)
        self.assertEqual(pair.bob.offered[0].window_bytes, WINDOW)
        self.assertEqual(pair.bob.session.pool.grown_bytes, 0)

    def test_a_long_way_is_no_slow_reader(self) -> None:
        pair = Pair()
        pair.bob.session.rtt_seconds = 1.0
        channel = pair.alice.open(stream=True)
        pair.pump()
        pair.advance(1.9)
        self.reading(pair, channel, 1)
        self.assertGreater(pair.bob.offered[0].window_bytes, WINDOW)

    def test_a_window_that_is_large_already_takes_nothing_from_the_pool(self) -> None:
        pair = Pair(bob=tuned(window_max_bytes=WINDOW))
        channel = pair.alice.open(stream=True)
        self.reading(pair, channel)
        self.assertEqual((pair.bob.session.pool.grown_bytes, pair.bob.offered[0].window_bytes), (0, WINDOW))

    def test_many_share_what_there_is(self) -> None:
        """Those that grow together have about the same. Found by use: two idle ones had all, and a download crept."""
        pair = Pair()
        channels = [pair.alice.open(stream=True) for _ in range(12)]
        for _ in range(8):
            for channel in channels:
                self.reading(pair, channel, 1)
        sizes = sorted(offered.window_bytes for offered in pair.bob.offered)
        self.assertGreaterEqual(sizes[0], PLAIN.limits.window_max_bytes // 8)
        self.assertEqual(pair.bob.session.pool.grown_bytes, sum(sizes) - 12 * WINDOW)
        channels[0].reset()
        self.reading(pair, channels[1], 2)
        self.assertGreater(sum(offered.window_bytes for offered in pair.bob.offered[1:]), sum(sizes) - sizes[-1])

    def test_a_channel_that_ends_in_its_own_callback_grows_no_more(self) -> None:
        pair = Pair(bob=PLAIN)
        channel = pair.alice.open()
        pair.pump()
        (theirs,) = pair.bob.offered

        def last(message: bytes) -> bool:
            theirs.reset()
            return True

        theirs.on_message = last
        channel.send(bytes(60_000))
        pair.pump()
        self.assertEqual((pair.bob.session.pool.grown_bytes, pair.bob.session.channels), (0, {}))


class LoanTests(SynchronousTestCase):
    """[A41] A message larger than its window is lent the rest, the oldest first, and one at a time for a channel."""

    def part(self, mallory: Mallory, channel: int, total: int, size: int = 1000) -> None:
        data = frames.U32.pack(total) + bytes(size)
        mallory.say(frames.frame(frames.MSG, data, channel, frames.FIRST))

    def limit(self, mallory: Mallory, channel: int) -> int:
        """The newest WINDOW for a channel, or the first window."""
        heard = [data for number, _, data in mallory.heard(frames.WINDOW) if number == channel]
        return int(frames.U64.unpack(heard[-1])[0]) if heard else WINDOW

    def rest(self, mallory: Mallory, channel: int, size: int) -> None:
        while size:
            piece = min(size, 200_000)
            size -= piece
            flags = 0 if size else frames.LAST
            mallory.say(frames.frame(frames.MSG, bytes(piece), channel, flags))

    def mallory(self, channels: int, node: CreditPool | None = None, pool: int = 2 * MIB) -> Mallory:
        """Opens so many channels; one loan of a whole message is all that its pool has, where no other is named."""
        settings = tuned(window_pool_peer_bytes=pool, window_max_bytes=WINDOW)
        mallory = Mallory(settings=replace(settings, node_pool=node or CreditPool(16 * MIB)))
        for number in range(channels):
            mallory.open(2 * number + 1)
        return mallory

    def test_the_whole_rest_and_not_a_byte_more(self) -> None:
        mallory = self.mallory(1)
        self.part(mallory, 1, MIB)
        self.assertEqual(self.limit(mallory, 1), MIB + MESSAGE_CREDIT_BYTES)
        self.rest(mallory, 1, MIB - 1000)
        self.assertEqual([len(message) for message in mallory.side.messages], [MIB])
        session = mallory.side.session
        self.assertEqual((session.pool.lent_bytes, session.settings.node_pool.lent_bytes), (0, 0))

    def test_what_fits_its_window_needs_none(self) -> None:
        mallory = self.mallory(1)
        self.part(mallory, 1, WINDOW - MESSAGE_CREDIT_BYTES)
        self.assertEqual(mallory.heard(frames.WINDOW), [])
        mallory = self.mallory(1)
        self.part(mallory, 1, WINDOW - MESSAGE_CREDIT_BYTES + 1)
        self.assertEqual(self.limit(mallory, 1), WINDOW + WINDOW_FREE_RAISE_BYTES)

    def test_the_second_waits_for_the_first(self) -> None:
        mallory = self.mallory(3)
        for channel in (1, 3, 5):
            self.part(mallory, channel, MIB)
        limits = [self.limit(mallory, channel) for channel in (1, 3, 5)]
        self.assertEqual(limits, [MIB + MESSAGE_CREDIT_BYTES, WINDOW, WINDOW])
        self.rest(mallory, 1, MIB - 1000)
        self.assertEqual(self.limit(mallory, 3), MIB + MESSAGE_CREDIT_BYTES)
        self.assertEqual(self.limit(mallory, 5), WINDOW)

    def test_a_small_one_does_not_overtake(self) -> None:
        mallory = self.mallory(3)
        for channel, total in ((1, MIB // 2 + WINDOW), (3, MIB), (5, 100_000)):
            self.part(mallory, channel, total)
        self.assertEqual(self.limit(mallory, 5), WINDOW)
        mallory.say(frames.frame(frames.CH_RESET, bytes(2), 3))
        self.assertEqual(self.limit(mallory, 5), 100_000 + MESSAGE_CREDIT_BYTES)

    def test_an_end_pays_back(self) -> None:
        mallory = self.mallory(2)
        self.part(mallory, 1, MIB)
        self.part(mallory, 3, MIB)
        mallory.side.offered[0].reset()
        self.assertEqual(self.limit(mallory, 3), MIB + MESSAGE_CREDIT_BYTES)
        mallory.side.connection.close(now=mallory.now, graceful=False)
        self.assertEqual(mallory.side.session.settings.node_pool.lent_bytes, 0)

    def test_another_session_is_woken(self) -> None:
        """Both draw on the node's pool; what the one pays back is the other's."""
        node = CreditPool(2 * MIB)
        one, two = self.mallory(1, node, 16 * MIB), self.mallory(1, node, 16 * MIB)
        self.part(one, 1, MIB)
        self.part(two, 1, MIB)
        self.assertEqual(self.limit(two, 1), WINDOW)
        one.side.connection.eof(one.now)
        self.assertEqual(self.limit(two, 1), MIB + MESSAGE_CREDIT_BYTES)

    def test_a_session_that_is_over_waits_no_more(self) -> None:
        node = CreditPool(2 * MIB)
        one, two = self.mallory(1, node, 16 * MIB), self.mallory(1, node, 16 * MIB)
        self.part(one, 1, MIB)
        self.part(two, 1, MIB)
        two.side.connection.eof(two.now)
        one.side.connection.eof(one.now)
        self.assertEqual(node.lent_bytes, 0)

    def busy(self, owner: Owner) -> Channel:
        """The offered channel, whose guest keeps each message until it is released."""
        (channel,) = owner.offered
        channel.on_message = lambda message: bool(owner.messages.append(message))
        return channel

    def test_one_loan_for_a_channel(self) -> None:
        """A guest that keeps its message keeps one loan, not the pool: the next one waits until it is released."""
        mallory = self.mallory(1, pool=16 * MIB)
        channel, pool = self.busy(mallory.side), mallory.side.session.pool
        mallory.say(mallory.message(1, bytes(60_000)))
        self.part(mallory, 1, 20_000)
        self.assertEqual((self.limit(mallory, 1), pool.lent_bytes), (WINDOW + 16_384, 16_384))
        self.rest(mallory, 1, 19_000)
        channel.release()
        self.assertEqual((self.limit(mallory, 1), pool.lent_bytes), (60_128 + WINDOW, 16_384))
        self.part(mallory, 1, 100_000)
        self.assertEqual((self.limit(mallory, 1), pool.lent_bytes), (60_128 + WINDOW, 16_384))
        channel.release()
        self.assertEqual((self.limit(mallory, 1), pool.lent_bytes), (180_384, 180_384 - 60_128 - WINDOW))

    def test_one_that_needs_its_loan_no_more_stands_in_nobodys_way(self) -> None:
        """Its window was renewed meanwhile and the message came whole: whoever waits behind it is next."""
        mallory = self.mallory(3, pool=2_000_000)
        self.part(mallory, 1, MIB)
        second = mallory.side.offered[1]
        second.on_message = lambda message: bool(mallory.side.messages.append(message))
        mallory.say(mallory.message(3, bytes(60_000)))
        self.part(mallory, 3, 60_000, 2000)
        self.part(mallory, 5, 70_000, 2000)
        self.assertEqual((self.limit(mallory, 3), self.limit(mallory, 5)), (WINDOW, WINDOW))
        second.release()
        self.assertEqual((self.limit(mallory, 3), self.limit(mallory, 5)), (60_128 + WINDOW, WINDOW))
        self.rest(mallory, 3, 58_000)
        self.assertEqual(self.limit(mallory, 5), WINDOW + WINDOW_FREE_RAISE_BYTES)


class SmallTests(SynchronousTestCase):
    def test_a_guest_that_reads_late_gets_no_credit(self) -> None:
        pair = Pair()
        channel = pair.alice.open(stream=True)
        pair.pump()
        (theirs,) = pair.bob.offered
        theirs.on_data = lambda data: None
        channel.write(bytes(100 * KIB))
        pair.pump()
        self.assertEqual((channel.sent_bytes, channel.queued_bytes), (WINDOW, 100 * KIB - WINDOW))
        theirs.consumed(WINDOW // 2 - 1)
        self.assertEqual(pair.pump().alice.session.channels[1].sent_bytes, WINDOW)
        theirs.consumed(1)
        self.assertEqual(pair.pump().alice.session.channels[1].sent_bytes, 100 * KIB)
