"""What guests hold at once: one message beyond the limit, never two; who waits has its turn, however it comes free."""

from __future__ import annotations

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.channel import Channel
from quantumgate.wire import frames
from quantumgate.wire.codes import CloseCode
from quantumgate.wire.compressed import deflate
from tests.core.sessions import PLAIN, Mallory, limited, replace

HANDS = 10_000
SETTINGS = replace(PLAIN, limits=limited(inflated_peer_bytes=HANDS), compression=True)


class Case(SynchronousTestCase):
    """Channels 1, 3, 5, ... whose guests keep each message; ``got`` says what came where."""

    def setUp(self) -> None:
        self.mallory = Mallory(settings=SETTINGS)
        self.got: list[tuple[int, int]] = []
        for number in (1, 3, 5):
            self.mallory.open(number)
        for channel in self.mallory.side.offered:
            channel.on_message = self.keeping(channel)

    def keeping(self, channel: Channel) -> Callable[[bytes], bool]:
        """A hook."""
        return lambda message: bool(self.got.append((channel.id, len(message))))

    def channel(self, number: int) -> Channel:
        return self.mallory.side.session.channels[number]

    @property
    def held(self) -> int:
        return self.mallory.side.session.in_hands_bytes

    def say(self, number: int, size: int, parts: int = 1) -> None:
        """One message, plain, in so many parts."""
        data, cut = bytes(size), size // parts
        for part in range(parts):
            piece = data[part * cut : (part + 1) * cut if part < parts - 1 else size]
            flags = (frames.FIRST if part == 0 else 0) | (frames.LAST if part == parts - 1 else 0)
            head = frames.U32.pack(size) if part == 0 else b""
            self.mallory.say(frames.frame(frames.MSG, head + piece, number, flags))


class HandsTests(Case):
    """docs/spec/messages.md, section 4."""

    def test_the_limit_is_exact(self) -> None:
        self.say(1, HANDS - 1)
        self.say(3, 500)
        self.assertEqual((self.held, len(self.got)), (HANDS - 1 + 500, 2))
        self.say(5, 500)
        self.assertEqual((self.held, len(self.got)), (HANDS - 1 + 500, 2))

    def test_at_the_limit_the_next_waits(self) -> None:
        for parts in (1, 2):
            self.setUp()
            self.say(1, HANDS, parts)
            for number in (3, 5):
                self.say(number, 500, 3 - parts)
            self.assertEqual(self.got, [(1, HANDS)])

    def test_released_in_the_order_of_waiting(self) -> None:
        self.say(1, HANDS)
        self.say(5, 500)
        self.say(3, HANDS)
        self.say(3, 1)
        self.channel(1).release()
        self.assertEqual(self.got[1:], [(5, 500), (3, HANDS)])
        self.say(1, 7)
        self.assertEqual(len(self.got), 3)
        self.channel(3).release()
        self.assertEqual(self.got[3:], [(3, 1), (1, 7)])
        self.assertEqual(self.held, 508)

    def test_the_end_of_a_holder_frees_its_hands(self) -> None:
        """Whoever ends it: a reset from the peer, from here, or the guest itself."""
        for end in (
            lambda: self.mallory.say(frames.frame(frames.CH_RESET, bytes(2), 1)),
            lambda: self.channel(1).reset(),
        ):
            self.setUp()
            self.say(1, HANDS)
            self.say(3, 500)
            end()
            self.assertEqual((self.got[1:], self.held), ([(3, 500)], 500))
            self.say(5, 20)
            self.assertEqual(self.got[2:], [(5, 20)])

    def test_who_waits_and_ends_is_forgotten(self) -> None:
        self.say(1, HANDS)
        self.say(3, 500)
        self.say(5, 600)
        self.channel(3).reset()
        self.channel(1).release()
        self.assertEqual(self.got[1:], [(5, 600)])

    def test_nothing_is_delivered_while_a_session_closes(self) -> None:
        for close in (
            lambda: self.mallory.side.connection.close(now=self.mallory.now, graceful=False),
            lambda: self.mallory.say(frames.frame(frames.CLOSE, bytes(2))),
            lambda: self.mallory.side.connection.eof(self.mallory.now),
        ):
            self.setUp()
            self.say(1, HANDS)
            self.say(3, 500)
            close()
            self.assertEqual((self.got, self.held), ([(1, HANDS)], 0))

    def test_not_before_its_channel_is_accepted(self) -> None:
        """Hands come free while a channel waits for its guest's word: its message waits on."""
        self.mallory.side.accepting = False
        self.mallory.open(7)
        late = self.channel(7)
        late.on_message = self.keeping(late)
        self.say(1, HANDS)
        self.say(7, 10)
        self.say(7, 11)
        self.channel(1).release()
        self.assertEqual(self.got[1:], [])
        late.accept()
        self.assertEqual(self.got[1:], [(7, 10)])
        late.release()
        self.assertEqual(self.got[2:], [(7, 11)])

    def test_nothing_is_held_for_a_channel_that_ended_inside(self) -> None:
        for parts in (1, 2):
            self.setUp()
            channel = self.channel(1)
            channel.on_message = lambda message, channel=channel: bool(channel.reset())  # type: ignore[misc]
            self.say(1, HANDS, parts)
            self.assertEqual((channel.closed, self.held), (True, 0))
            self.say(3, 7)
            self.assertEqual(self.got, [(3, 7)])

    def test_accepted_while_all_hands_are_full(self) -> None:
        """What came before the word waits on, then goes in its order, fin last."""
        self.mallory.side.accepting = False
        self.mallory.open(7)
        late = self.channel(7)
        late.on_message = self.keeping(late)
        self.say(7, 10)
        self.mallory.say(frames.frame(frames.MSG, b"", 7, frames.FIN))
        self.say(1, HANDS - 1)
        self.say(3, 1)
        late.accept()
        self.assertEqual(self.got, [(1, HANDS - 1), (3, 1)])
        self.channel(3).release()
        self.assertEqual(self.got[2:], [(7, 10)])
        late.release()
        self.assertTrue(late.closed)

    def test_only_as_many_as_there_are_hands(self) -> None:
        """One message goes, two channels wait: the first of them takes all that came free."""
        self.say(1, HANDS)
        self.say(3, HANDS)
        self.say(5, 5)
        self.channel(1).release()
        self.assertEqual(self.got[1:], [(3, HANDS)])
        self.say(1, 1)
        self.channel(3).release()
        self.assertEqual(self.got[2:], [(5, 5), (1, 1)])

    def test_release_without_a_message(self) -> None:
        channel = self.channel(1)
        channel.release()
        self.say(1, 100)
        channel.release()
        channel.release()
        self.assertEqual(self.held, 0)
        self.say(1, HANDS)
        channel.reset()
        channel.release()
        self.assertEqual(self.held, 0)


class InflatedTests(Case):
    """Compressed messages wait as they came, and count as what they become."""

    def squeezed(self, number: int, size: int) -> None:
        shrunk = deflate(bytes(size))
        assert shrunk is not None
        flags = frames.WHOLE | frames.COMPRESSED
        self.mallory.say(frames.frame(frames.MSG, frames.U32.pack(len(shrunk)) + shrunk, number, flags))

    def test_counted_inflated(self) -> None:
        self.squeezed(1, HANDS)
        self.assertEqual((self.got, self.held), ([(1, HANDS)], HANDS))
        self.squeezed(3, 400)
        self.assertEqual(len(self.got), 1)
        self.channel(1).release()
        self.assertEqual((self.got[1:], self.held), ([(3, 400)], 400))

    def test_one_a_channel(self) -> None:
        for _ in range(3):
            self.squeezed(1, 400)
        self.assertEqual(self.got, [(1, 400)])
        self.channel(1).release()
        self.assertEqual(self.got, [(1, 400)] * 2)

    def test_a_lie_that_is_found_late_is_the_peers_fault(self) -> None:
        """The guest's own call meets it; what it hears of that is the end of its channel, not an error."""
        self.say(1, 5)
        lie = frames.frame(frames.MSG, frames.U32.pack(9) + bytes(9), 1, frames.WHOLE | frames.COMPRESSED)
        self.mallory.say(lie)
        channel = self.channel(1)
        channel.release()
        self.assertTrue(channel.closed)
        (_, _, data), *_ = self.mallory.heard(frames.CLOSE)
        self.assertEqual(frames.U16.unpack_from(data)[0], CloseCode.VIOLATION)

    def test_where_none_is_taken(self) -> None:
        self.channel(1).allow_compressed = False
        self.squeezed(1, 400)
        self.assertEqual((self.got, self.mallory.side.end and self.mallory.side.end.code), ([], CloseCode.VIOLATION))
