"""One channel: opening, messages, streams, halves, ends, queues, and what a peer may not do with it."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.channel import GATHER_BYTES, GATHERED_BYTES, HEADS_KEPT, QUEUE_MARK_BYTES, Channel
from quantumgate.errors import ChannelReset, LimitError, LocalError, SessionClosed
from quantumgate.wire import frames
from quantumgate.wire.codes import CloseCode, ResetCode
from quantumgate.wire.limits import MESSAGE_CREDIT_BYTES, MIB, RESET_TEXT_BYTES
from tests.core.handshake.duel import SeededRandom
from tests.core.sessions import ECHO, PLAIN, Mallory, Pair, replace, tuned

WINDOW = PLAIN.limits.initial_window_bytes


class Case(SynchronousTestCase):
    def damaged(self, mallory: Mallory) -> None:
        end = mallory.side.end
        self.assertEqual(end and end.reason, "damaged")

    def closed(self, mallory: Mallory, code: CloseCode = CloseCode.VIOLATION) -> None:
        end = mallory.side.end
        self.assertEqual((end and end.code, end and end.by), (code, "local"))

    def both(self, pair: Pair, stream: bool = True, **more: Any) -> tuple[Channel, Channel]:
        """A channel from alice to bob, at both ends."""
        channel = pair.alice.open(stream=stream, **more)
        pair.pump()
        return channel, pair.bob.offered[-1]


class OpeningTests(Case):
    """docs/spec/channels.md, section 2."""

    def test_what_the_other_side_sees(self) -> None:
        pair = Pair()
        told: list[str] = []
        channel = pair.alice.open(stream=True, priority=1, label=b"here")
        channel.on_accepted = lambda: told.append("accepted")
        self.assertFalse(channel.opened or channel.answered)
        pair.pump()
        (theirs,) = pair.bob.offered
        self.assertEqual((theirs.id, theirs.stream, theirs.priority, theirs.label), (1, True, 1, b"here"))
        self.assertEqual((channel.ours, theirs.ours, channel.answered, told), (True, False, True, ["accepted"]))

    def test_accepted_once_and_by_whom_it_was_offered_to(self) -> None:
        pair = Pair()
        channel, theirs = self.both(pair)
        for wrong in (channel, theirs):
            self.assertRaises(LocalError, wrong.accept)
        channel.reset()
        pair.pump()
        self.assertRaises(LocalError, theirs.accept)

    def test_what_came_before_the_word_waits_for_it(self) -> None:
        pair = Pair()
        pair.bob.accepting = False
        stream, messages = pair.alice.open(stream=True), pair.alice.open()
        for piece in (b"a", b"b", b"c"):
            stream.write(piece)
            messages.send(piece)
            pair.pump()
        stream.finish()
        messages.finish()
        pair.pump()
        self.assertEqual((pair.bob.messages, pair.bob.fins), ([], []))
        for theirs in pair.bob.offered:
            theirs.accept()
        self.assertEqual(pair.bob.messages, [b"a", b"b", b"c"])
        (theirs,) = (offered for offered in pair.bob.offered if offered.stream)
        self.assertEqual(pair.bob.streamed[id(theirs)], b"abc")
        self.assertEqual(len(pair.bob.fins), 2)

    def test_nothing_is_sent_before_the_word(self) -> None:
        """What an acceptor writes or finishes ahead of its CH_ACCEPT follows it, and loses nothing that waits here."""
        mallory = Mallory(accepting=False)
        mallory.open(1, stream=True)
        mallory.say(frames.frame(frames.MSG, b"question", 1, frames.FIN))
        (channel,) = mallory.side.offered
        channel.write(b"answer")
        channel.finish()
        self.assertEqual((mallory.listen(), channel.closed), ([], False))
        channel.accept()
        self.assertEqual(mallory.side.streamed[id(channel)], b"question")
        said = [(kind, data) for kind, _, _, data in mallory.listen()]
        self.assertEqual(said, [(frames.CH_ACCEPT, b""), (frames.MSG, b"answer")])
        self.assertEqual((channel.closed, mallory.side.ends[id(channel)]), (True, [None]))

    def test_an_answer_that_nobody_asked_for(self) -> None:
        for channel in (1, 2):
            mallory = Mallory(accepting=False)
            mallory.side.open(stream=True)
            mallory.open(1)
            mallory.listen()
            if channel == 2:
                mallory.say(frames.frame(frames.CH_ACCEPT, b"", 2))
                self.assertIsNone(mallory.side.end)
            mallory.say(frames.frame(frames.CH_ACCEPT, b"", channel))
            self.closed(mallory)


class MessageTests(Case):
    """docs/spec/messages.md."""

    def test_order_and_sizes(self) -> None:
        for chunk in (1 << 30, 1000):
            pair = Pair()
            channel, _ = self.both(pair, stream=False)
            sent = [bytes([n]) * size for n, size in enumerate((0, 1, 127, 128, 70_000, MIB, 3, 300_000, 0))]
            for message in sent:
                while not channel.send(message):
                    pair.pump(chunk)
            pair.pump(chunk)
            self.assertEqual(pair.bob.messages, sent)
            self.assertEqual((channel.queued_bytes, pair.alice.session.queued_bytes), (0, 0))

    def test_compressed_on_the_way_only(self) -> None:
        pair = Pair(replace(PLAIN, compression=True), replace(PLAIN, compression=True))
        channel, _ = self.both(pair, stream=False)
        text = b"again and again " * 1000
        channel.send(text)
        self.assertLess(channel.queued_bytes, 1000)
        channel.send(text, compress=False)
        self.assertGreater(channel.queued_bytes, len(text))
        pair.pump()
        self.assertEqual(pair.bob.messages, [text, text])

    def test_every_size_once(self) -> None:
        """More sizes than heads are kept for."""
        pair = Pair()
        channel, _ = self.both(pair, stream=False)
        for size in range(HEADS_KEPT + 10):
            while not channel.send(bytes(size)):
                pair.pump()
        pair.pump()
        self.assertEqual([len(message) for message in pair.bob.messages], list(range(HEADS_KEPT + 10)))
        self.assertLessEqual(len(channel._heads), HEADS_KEPT)

    def test_larger_ones_compressed_in_parts(self) -> None:
        pair = Pair(replace(PLAIN, compression=True), replace(PLAIN, compression=True))
        channel, _ = self.both(pair, stream=False)
        noise = SeededRandom("parts")
        text = b"".join(noise.bytes(300) + bytes(200) for _ in range(1000))
        channel.send(text)
        pair.pump()
        self.assertEqual(pair.bob.messages, [text])
        self.assertTrue(300_000 < pair.alice.session.bytes_sent < 400_000)

    def test_max_message_is_the_peers(self) -> None:
        pair = Pair(PLAIN, tuned(max_message_bytes=1000))
        channel, _ = self.both(pair, stream=False)
        self.assertTrue(channel.send(bytes(1000)))
        error = self.assertRaises(LimitError, channel.send, bytes(1001))
        self.assertEqual((error.name, error.value), ("max_message_bytes", 1000))
        pair.pump()
        self.assertEqual(len(pair.bob.messages), 1)

    def test_only_its_opener_sends_and_finishes(self) -> None:
        pair = Pair()
        channel, theirs = self.both(pair, stream=False)
        self.assertRaises(LocalError, theirs.send, b"x")
        self.assertRaises(LocalError, theirs.finish)
        self.assertRaises(LocalError, channel.write, b"x")
        channel.finish()
        self.assertRaises(ChannelReset, channel.send, b"x")
        pair.pump()
        self.assertTrue(channel.closed and theirs.closed)
        self.assertRaises(ChannelReset, channel.send, b"x")
        self.assertRaises(ChannelReset, theirs.send, b"x")

    def test_full_and_room(self) -> None:
        pair = Pair()
        channel, _ = self.both(pair, stream=False)
        message = bytes(QUEUE_MARK_BYTES - MESSAGE_CREDIT_BYTES)
        self.assertTrue(channel.send(message))
        self.assertEqual(channel.queued_bytes, QUEUE_MARK_BYTES)
        self.assertFalse(channel.send(b"x"))
        self.assertEqual(pair.alice.rooms, 0)
        pair.pump()
        self.assertEqual((pair.alice.rooms, channel.send(b"x")), (1, True))
        pair.pump()
        self.assertEqual((pair.bob.messages, pair.alice.rooms), ([message, b"x"], 1))

    def test_one_message_is_always_taken(self) -> None:
        pair = Pair()
        channel, _ = self.both(pair, stream=False)
        self.assertTrue(channel.send(bytes(MIB)))
        self.assertFalse(channel.send(b""))

    def test_a_full_session_refuses_more(self) -> None:
        pair = Pair(tuned(queue_pause_bytes=100_000))
        one, _ = self.both(pair, stream=False)
        two, _ = self.both(pair, stream=False)
        one.send(bytes(100_001))
        self.assertTrue(two.send(b"first"))
        self.assertFalse(two.send(b"second"))
        pair.pump()
        self.assertEqual(pair.alice.rooms, 1)
        self.assertTrue(two.send(b"second"))

    def wrong(self, *said: tuple[bytes, int]) -> Mallory:
        """Frames on a channel of messages; (data, flags)."""
        mallory = Mallory()
        mallory.open(1)
        for data, flags in said:
            mallory.say(frames.frame(frames.MSG, data, 1, flags))
        return mallory

    def test_forms(self) -> None:
        first, last, fin, squeezed = frames.FIRST, frames.LAST, frames.FIN, frames.COMPRESSED
        four = frames.U32.pack(4)
        half, whole = (four + b"ab", first), first | last
        for said in (
            [(b"abcd", 0)], [(b"abcd", last)], [half, (b"", 0)], [half, (b"c", last)], [half, (b"cde", last)],
            [(four + b"abcde", first)], [(four, first)], [(bytes(3), whole)], [(four + b"abcde", whole)],
            [(four + b"abc", whole)], [half, (b"cd", last | squeezed)], [half, (four + b"abcd", whole)], [half, half],
            [(four + b"ab", first | fin)], [(b"x", fin)], [half, (b"", fin)], [(four + b"abcd", whole | 16)],
            [(b"", 0)], [(b"", last)],
        ):  # fmt: skip
            mallory = self.wrong(*said)
            self.damaged(mallory)
            self.assertEqual(mallory.side.messages, [], said)

    def test_right_forms(self) -> None:
        first, last, fin = frames.FIRST, frames.LAST, frames.FIN
        four, zero, whole = frames.U32.pack(4), bytes(4), first | last
        half = (four + b"ab", first)
        for said, message, ended in (
            ([(four + b"abcd", whole)], b"abcd", False), ([half, (b"cd", last)], b"abcd", False),
            ([half, (b"cd", 0), (b"", last)], b"abcd", False), ([(zero, whole)], b"", False),
            ([(four + b"abcd", whole | fin)], b"abcd", True), ([half, (b"cd", last | fin)], b"abcd", True),
            ([(zero, whole), (b"", fin)], b"", True),
        ):  # fmt: skip
            mallory = self.wrong(*said)
            self.assertEqual((mallory.side.messages, mallory.side.end), ([message], None))
            self.assertEqual((len(mallory.side.fins) == 1, mallory.side.session.channels == {}), (ended, ended), said)

    def test_too_large_is_a_violation_whole_or_not(self) -> None:
        for flags, size in ((frames.WHOLE, 1001), (frames.FIRST, 10)):
            mallory = Mallory(settings=tuned(max_message_bytes=1000))
            mallory.open(1)
            mallory.say(frames.frame(frames.MSG, frames.U32.pack(1000) + bytes(1000), 1, frames.WHOLE))
            self.assertEqual(len(mallory.side.messages), 1)
            mallory.say(frames.frame(frames.MSG, frames.U32.pack(1001) + bytes(size), 1, flags))
            self.closed(mallory)

    def test_nothing_comes_on_our_own(self) -> None:
        mallory = Mallory()
        mallory.side.open()
        mallory.listen()
        mallory.say(mallory.message(2, b"x"))
        self.closed(mallory)

    def test_window_is_exact(self) -> None:
        """A message costs its bytes and 128 more; the last byte of the window may be used, the next may not."""
        for more in (0, 1):
            mallory = Mallory(accepting=False)
            mallory.open(1)
            size = WINDOW - 2 * MESSAGE_CREDIT_BYTES - 1000
            mallory.say(mallory.message(1, bytes(1000)), mallory.message(1, bytes(size + more)))
            if more:
                self.closed(mallory)
            else:
                self.assertIsNone(mallory.side.end)

    def test_the_window_counts_for_listening_channels_too(self) -> None:
        for more in (0, 1):
            mallory = Mallory()
            mallory.open(1)
            mallory.say(mallory.message(1, bytes(WINDOW - MESSAGE_CREDIT_BYTES + more)))
            self.assertEqual((len(mallory.side.messages), mallory.side.end is None), (1 - more, not more))


class StreamTests(Case):
    """Bytes, both ways, each way with its own end."""

    def test_both_ways_at_once(self) -> None:
        for chunk in (1 << 30, 777):
            pair = Pair()
            mine, theirs = self.both(pair)
            there, back = bytes(range(256)) * 3000, bytes(range(255, -1, -1)) * 1000
            mine.write(there)
            theirs.write(back)
            pair.pump(chunk)
            self.assertEqual(pair.bob.streamed[id(theirs)], there)
            self.assertEqual(pair.alice.streamed[id(mine)], back)

    def test_halves(self) -> None:
        pair = Pair()
        mine, theirs = self.both(pair)
        mine.write(b"question")
        mine.finish()
        mine.finish()
        self.assertRaises(ChannelReset, mine.write, b"more")
        pair.pump()
        self.assertEqual((pair.bob.fins, mine.closed, theirs.closed), ([id(theirs)], False, False))
        theirs.write(b"answer")
        theirs.finish()
        pair.pump()
        self.assertEqual((pair.alice.fins, pair.alice.streamed[id(mine)]), ([id(mine)], b"answer"))
        self.assertEqual((pair.alice.ends[id(mine)], pair.bob.ends[id(theirs)]), ([None], [None]))
        self.assertEqual((pair.alice.session.channels, pair.bob.session.channels), ({}, {}))

    def test_halves_that_cross(self) -> None:
        pair = Pair()
        mine, theirs = self.both(pair)
        mine.finish()
        theirs.finish()
        pair.pump()
        self.assertEqual((pair.alice.ends[id(mine)], pair.bob.ends[id(theirs)]), ([None], [None]))

    def test_finished_from_inside_the_news_of_the_other_half(self) -> None:
        pair = Pair()
        mine, theirs = self.both(pair)
        theirs.on_fin = theirs.finish
        mine.finish()
        pair.pump()
        self.assertEqual((pair.alice.ends[id(mine)], pair.bob.ends[id(theirs)]), ([None], [None]))

    def test_reset_from_inside_the_news_of_the_other_half(self) -> None:
        pair = Pair()
        mine, theirs = self.both(pair)
        theirs.on_fin = theirs.reset
        mine.write(b"x")
        mine.finish()
        pair.pump()
        self.assertEqual([type(end) for end in pair.alice.ends[id(mine)]], [ChannelReset])
        self.assertEqual(len(pair.bob.ends[id(theirs)]), 1)

    def test_fin_needs_no_credit(self) -> None:
        pair = Pair()
        mine, theirs = self.both(pair)
        theirs.on_data = lambda data: None
        mine.write(bytes(WINDOW))
        pair.pump()
        self.assertEqual(mine.credit_bytes, 0)
        mine.finish()
        pair.pump()
        self.assertEqual(pair.bob.fins, [id(theirs)])

    def test_an_end_is_told_when_no_record_is_being_filled(self) -> None:
        """Who hears of it may write on another stream, whose bytes are just on their way into the record."""
        pair = Pair()
        first, _ = self.both(pair, priority=1)
        second, theirs = self.both(pair)
        theirs.on_data = lambda data: None
        pair.bob.offered[0].finish()
        pair.pump()
        second.write(bytes(WINDOW - 10))
        pair.pump()
        for _ in range(20):
            second.write(b"x")
        first.on_closed = lambda reason: second.write(b"more")
        first.finish()
        pair.pump()
        self.assertEqual((first.closed, second.queued_bytes), (True, 14))

    def test_small_writes_are_gathered(self) -> None:
        pair = Pair()
        mine, theirs = self.both(pair)
        for _ in range(GATHERED_BYTES + 1):
            mine.write(b"x")
        self.assertEqual(len(mine.outbox), 2)
        large = bytes(GATHER_BYTES)
        mine.write(large)
        self.assertIs(mine.outbox[-1], large)
        mine.write(b"y" * (GATHER_BYTES - 1))
        self.assertEqual(len(mine.outbox), 4)
        pair.pump()
        expected = b"x" * (GATHERED_BYTES + 1) + large + b"y" * (GATHER_BYTES - 1)
        self.assertEqual(pair.bob.streamed[id(theirs)], expected)

    def test_pause_mark(self) -> None:
        pair = Pair()
        mine, _ = self.both(pair)
        self.assertTrue(mine.write(bytes(QUEUE_MARK_BYTES)))
        self.assertFalse(mine.write(b"x"))
        pair.pump()
        self.assertEqual(pair.alice.rooms, 1)

    def test_no_word_of_room_to_one_that_has_ended(self) -> None:
        """Two are to hear of it; the first that does resets the other."""
        pair = Pair()
        channels, told = [self.both(pair)[0] for _ in range(2)], []
        for mine, other in (channels, channels[::-1]):
            mine.on_room = lambda mine=mine, other=other: (told.append(mine), other.reset())  # type: ignore[misc]
        pair.alice.session.outgoing.roomy += channels
        pair.pump()
        self.assertEqual((len(told), [channel.closed for channel in channels].count(True)), (1, 1))

    def test_an_empty_write_asks_for_nothing(self) -> None:
        """With the session full, but nothing of this stream waiting: no word of room would ever come."""
        pair = Pair(tuned(queue_pause_bytes=100_000))
        one, two = self.both(pair)[0], self.both(pair)[0]
        one.write(bytes(100_001))
        self.assertTrue(two.write(b""))
        self.assertFalse(two.write(b"x"))
        self.assertFalse(two.write(b""))
        pair.pump()
        self.assertEqual(pair.alice.rooms, 2)

    def test_a_writer_that_goes_on_is_stopped(self) -> None:
        for more in (0, 1):
            pair = Pair(tuned(queue_error_bytes=MIB))
            mine, _ = self.both(pair)
            self.assertFalse(mine.write(bytes(MIB)))
            if more:
                error = self.assertRaises(LimitError, mine.write, b"x")
                self.assertEqual(error.name, "queue_error_bytes")
                pair.pump()
            self.assertEqual((mine.closed, pair.alice.session.queued_bytes), (bool(more), (1 - more) * MIB))

    def test_a_writer_pays_for_itself_only(self) -> None:
        """The session is at its error mark: who is over its own mark is stopped, who is not goes on."""
        pair = Pair(tuned(queue_pause_bytes=2 * MIB, queue_error_bytes=3 * MIB))
        channels = [self.both(pair)[0] for _ in range(4)]
        for channel in channels[:3]:
            channel.write(bytes(MIB))
        self.assertFalse(channels[3].write(b"small"))
        self.assertFalse(channels[3].closed)
        self.assertRaises(LimitError, channels[0].write, b"x")
        self.assertEqual([channel.closed for channel in channels], [True, False, False, False])

    def test_forms(self) -> None:
        for data, flags in ((b"", 0), (b"x", frames.FIRST), (b"x", frames.WHOLE), (b"x", frames.FIN | frames.LAST)):
            mallory = Mallory()
            mallory.open(1, stream=True)
            mallory.say(frames.frame(frames.MSG, data, 1, flags))
            self.damaged(mallory)

    def test_more_after_the_end(self) -> None:
        for stream in (True, False):
            mallory = Mallory()
            mallory.open(1, stream=stream)
            (channel,) = mallory.side.offered
            channel.on_message = lambda message: False
            if not stream:
                mallory.say(mallory.message(1, b"kept"))
            mallory.say(frames.frame(frames.MSG, b"", 1, frames.FIN))
            mallory.say(frames.frame(frames.MSG, b"x" * 4, 1, frames.FIN))
            self.closed(mallory)

    def test_window_is_exact(self) -> None:
        for more in (0, 1):
            mallory = Mallory(accepting=False)
            mallory.open(1, stream=True)
            mallory.say(frames.frame(frames.MSG, bytes(WINDOW + more), 1))
            self.assertEqual(mallory.side.end is None, not more)

    def test_data_before_the_word(self) -> None:
        mallory = Mallory()
        mallory.side.open(stream=True)
        mallory.listen()
        mallory.say(frames.frame(frames.MSG, b"x", 2))
        self.closed(mallory)

    def test_a_stream_takes_bytes(self) -> None:
        mine, _ = self.both(Pair())
        self.assertRaises(LocalError, mine.send, b"x")


class EndTests(Case):
    """Each channel ends once, and leaves nothing behind."""

    def test_reset_by_either(self) -> None:
        for code, text, words in (
            (ResetCode.REFUSED, "not today", "reset by the peer: refused: not today"),
            (0x8001, "", "extender code 0x8001"), (77, "", "unknown reason 77"),
        ):  # fmt: skip
            pair = Pair()
            mine, theirs = self.both(pair)
            mine.write(bytes(MIB))
            theirs.reset(code, text)
            theirs.reset(code, text)
            pair.pump()
            (end,) = pair.alice.ends[id(mine)]
            self.assertIn(words, str(end))
            self.assertEqual((end.code, [end.code for end in pair.bob.ends[id(theirs)]]), (code, [code]))
            self.assertEqual((mine.queued_bytes, pair.alice.session.queued_bytes), (0, 0))
            self.assertRaises(ChannelReset, mine.write, b"x")

    def test_a_text_is_cut(self) -> None:
        for size in (RESET_TEXT_BYTES, RESET_TEXT_BYTES + 1):
            pair = Pair()
            mine, theirs = self.both(pair)
            theirs.reset(0, "x" * size)
            pair.pump()
            self.assertTrue(str(pair.alice.ends[id(mine)][0]).endswith(": " + "x" * RESET_TEXT_BYTES))
            mallory = Mallory()
            mallory.open(1)
            mallory.say(frames.frame(frames.CH_RESET, bytes(2) + b"x" * size, 1))
            self.assertEqual(mallory.side.end is None, size == RESET_TEXT_BYTES)

    def test_reset_before_it_was_opened(self) -> None:
        """Nobody hears of it."""
        mallory = Mallory(block=replace(PLAIN.block(), max_channels=32))
        waiting = [mallory.side.open(stream=bool(n % 2)) for n in range(40)]
        mallory.listen()
        (last,) = [channel for channel in waiting if not channel.opened][-1:]
        last.finish()
        last.reset()
        self.assertEqual((last.closed, mallory.listen(), mallory.side.session.outgoing.opens_waiting), (True, [], 7))

    def test_reset_crosses_data(self) -> None:
        pair = Pair()
        mine, theirs = self.both(pair)
        mine.write(bytes(50_000))
        mine.finish()
        theirs.reset()
        pair.pump()
        self.assertEqual([owner.end for owner in pair.sides], [None, None])
        self.assertEqual([owner.session.channels for owner in pair.sides], [{}, {}])

    def test_resets_cross(self) -> None:
        pair = Pair()
        mine, theirs = self.both(pair)
        mine.reset(0x8001)
        theirs.reset(0x8002)
        pair.pump()
        ends = [[end.code for end in owner.ends[id(c)]] for owner, c in ((pair.alice, mine), (pair.bob, theirs))]
        self.assertEqual(ends, [[0x8001], [0x8002]])

    def test_the_session_ends(self) -> None:
        pair = Pair()
        mine, theirs = self.both(pair)
        waiting = pair.alice.open()
        pair.alice.connection.close(3, "gone", now=pair.now, graceful=False)
        pair.pump()
        for owner, channel in ((pair.alice, mine), (pair.alice, waiting), (pair.bob, theirs)):
            (end,) = owner.ends[id(channel)]
            self.assertEqual((type(end), end.code), (SessionClosed, 3))
        self.assertRaises(ChannelReset, mine.write, b"x")

    def test_hooks_that_nobody_set(self) -> None:
        pair = Pair()
        channels = [pair.alice.session.open_channel(ECHO, stream=stream) for stream in (True, False)]
        theirs: list[Channel] = []
        pair.bob.own = theirs.append  # type: ignore[method-assign,assignment]
        pair.bob.on_offer = Channel.accept
        pair.pump()
        self.assertEqual(len(theirs), 2)
        channels[0].write(b"x")
        channels[1].send(b"x")
        for channel in channels:
            channel.finish()
        pair.pump()
        self.assertEqual(sorted(channel.closed for channel in theirs), [False, True])

    def test_late_calls_change_nothing(self) -> None:
        pair = Pair()
        mine, theirs = self.both(pair)
        theirs.on_data = lambda data: None
        mine.write(bytes(WINDOW))
        pair.pump()
        theirs.reset()
        theirs.consumed(WINDOW)
        theirs.finish()
        theirs.release()
        theirs.renew()
        theirs.end(None)
        pair.pump()
        self.assertEqual(pair.alice.session.outgoing.controls_waiting, 0)
        self.assertEqual(len(pair.bob.ends[id(theirs)]), 1)
