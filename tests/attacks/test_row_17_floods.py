"""Row 17 of docs/attacks.md: more bytes, channels and control frames than were granted; and two very busy peers."""

from __future__ import annotations

from collections.abc import Callable

from quantumgate.core.events import ChannelOffered
from quantumgate.wire import frames
from quantumgate.wire.codes import CloseCode, ResetCode
from quantumgate.wire.limits import CHANNEL_ID_MAX, DEFAULT_LIMITS, MESSAGE_CREDIT_BYTES, Limits
from tests.attacks.reactions import SessionReactionTestCase
from tests.core.sessions import ECHO, PLAIN, Mallory, Owner, Pair, limited, replace

WINDOW = DEFAULT_LIMITS.initial_window_bytes
PING = frames.frame(frames.PING, bytes(8))


def opening(channel: int, *, stream: bool = False) -> bytes:
    """A CH_OPEN frame."""
    return frames.frame(frames.CH_OPEN, frames.ChannelOpen(ECHO, stream, 2, b"").encode(), channel)


def reset(channel: int) -> bytes:
    """A CH_RESET frame."""
    return frames.frame(frames.CH_RESET, bytes(2), channel)


class Row17CreditTests(SessionReactionTestCase):
    """Windows: to the byte, and for a reader that takes as for one that does not."""

    def test_a_stream_to_the_byte(self) -> None:
        for accepting in (True, False):
            for extra in (0, 1):
                mallory = Mallory(accepting=accepting)
                mallory.side.on_offer = own_and_hold(mallory.side, accepting)
                mallory.open(1, stream=True)
                for _ in range(4):
                    mallory.say(frames.frame(frames.MSG, bytes(WINDOW // 4), 1))
                mallory.say(frames.frame(frames.MSG, bytes(extra), 1, frames.FIN))
                if extra:
                    self.closed(mallory, CloseCode.VIOLATION)
                else:
                    self.alive(mallory)

    def test_messages_to_the_byte(self) -> None:
        """Whole ones and parts; a message costs 128 bytes beside its own, so empty ones are counted too."""
        for extra in (0, 1):
            for parts in (False, True):
                mallory = Mallory(accepting=False)
                mallory.open(1)
                size = WINDOW - MESSAGE_CREDIT_BYTES + extra
                head = frames.U32.pack(size)
                if parts:
                    mallory.say(frames.frame(frames.MSG, head + bytes(size - 5), 1, frames.FIRST))
                    mallory.say(frames.frame(frames.MSG, bytes(5), 1, frames.LAST))
                else:
                    mallory.say(frames.frame(frames.MSG, head + bytes(size), 1, frames.WHOLE))
                if extra and not parts:
                    self.closed(mallory, CloseCode.VIOLATION)
                else:
                    self.alive(mallory)  # of a message under way the rest is lent
        mallory = Mallory(accepting=False)
        mallory.open(1)
        for number in range(WINDOW // MESSAGE_CREDIT_BYTES):
            mallory.say(mallory.message(1, b""))
            self.assertIsNone(mallory.side.end, number)
        mallory.say(mallory.message(1, b""))
        self.closed(mallory, CloseCode.VIOLATION)

    def test_for_an_ear_that_listens_too(self) -> None:
        """The quick way of whole messages to a guest that keeps the first of them."""
        mallory = Mallory()
        mallory.open(1)
        (channel,) = mallory.side.offered
        channel.on_message = lambda message: False
        mallory.say(mallory.message(1, bytes(60_000)), mallory.message(1, bytes(10_000)))
        self.closed(mallory, CloseCode.VIOLATION)
        mallory = Mallory()
        mallory.open(1)
        mallory.say(mallory.message(1, bytes(70_000)))
        self.assertEqual(mallory.side.messages, [])
        self.closed(mallory, CloseCode.VIOLATION)

    def test_a_message_over_max_message(self) -> None:
        mallory = Mallory()
        mallory.open(1)
        total = frames.U32.pack(DEFAULT_LIMITS.max_message_bytes + 1)
        mallory.say(frames.frame(frames.MSG, total + b"x", 1, frames.FIRST))
        self.closed(mallory, CloseCode.VIOLATION)

    def test_more_than_was_lent(self) -> None:
        """After a loan for one message the window is what it was: the next may not use it again."""
        mallory = Mallory(accepting=False)
        mallory.open(1)
        total = 200_000
        mallory.say(frames.frame(frames.MSG, frames.U32.pack(total) + bytes(60_000), 1, frames.FIRST))
        self.assertEqual(len(mallory.heard(frames.WINDOW)), 1)
        mallory.say(frames.frame(frames.MSG, bytes(total - 60_000), 1, frames.LAST))
        self.alive(mallory)
        mallory.say(mallory.message(1, b"x"))
        self.closed(mallory, CloseCode.VIOLATION)


def own_and_hold(side: Owner, accepting: bool) -> Callable[[object], None]:
    """A reader that accepts (or not) and gives no credit back."""

    def offered(channel: object) -> None:
        channel.on_data = lambda data: None  # type: ignore[attr-defined]
        if accepting:
            channel.accept()  # type: ignore[attr-defined]

    return offered


class Row17ChannelTests(SessionReactionTestCase):
    """Frames for channels that never were, were once, or may not be."""

    def test_never_opened(self) -> None:
        """Of either side's numbers, and above what was used."""
        for channel in (1, 2, 3, 4, 5, CHANNEL_ID_MAX):
            for frame in (
                frames.frame(frames.MSG, bytes(4), channel, frames.WHOLE),
                frames.frame(frames.MSG, b"x", channel),
                frames.frame(frames.WINDOW, bytes(8), channel),
                frames.frame(frames.CH_ACCEPT, b"", channel),
                reset(channel),
            ):
                mallory = Mallory()
                mallory.say(frame)
                self.closed(mallory, CloseCode.VIOLATION, (channel, frame.hex()))
        mallory = Mallory()
        mallory.say(frames.frame(frames.MSG, bytes(4), 0, frames.WHOLE))
        self.closed(mallory, CloseCode.VIOLATION)

    def test_ended_ones_are_ignored(self) -> None:
        for ending in ("by mallory", "by the victim", "by fin"):
            mallory = Mallory()
            mallory.open(1)
            (channel,) = mallory.side.offered
            if ending == "by mallory":
                mallory.say(reset(1))
            elif ending == "by the victim":
                channel.reset()
            else:
                mallory.say(frames.frame(frames.MSG, b"", 1, frames.FIN))
            mallory.listen()
            for frame in (mallory.message(1, b"late"), frames.frame(frames.MSG, b"?", 1, frames.FIN), reset(1)):
                mallory.say(frame)
            mallory.say(frames.frame(frames.WINDOW, frames.U64.pack(1 << 60), 1))
            self.assertEqual((mallory.side.messages, len(mallory.side.ends[id(channel)])), ([], 1), ending)
            self.alive(mallory, ending)

    def test_numbers_that_may_not_be_opened(self) -> None:
        """Again, downwards, of the other side, and of a channel that ended."""
        for first, second in ((3, 3), (3, 1), (1, 2)):
            for ended in (False, True):
                mallory = Mallory()
                mallory.say(opening(first))
                if ended:
                    mallory.say(reset(first))
                mallory.say(opening(second))
                self.closed(mallory, CloseCode.VIOLATION, (first, second, ended))

    def test_what_only_the_other_side_may_say_on_a_channel(self) -> None:
        """(stream?, ours?, said before, frame): messages, data before CH_ACCEPT, CH_ACCEPT twice, WINDOW, after fin."""
        accept, window = frames.frame(frames.CH_ACCEPT, b"", 2), frames.frame(frames.WINDOW, bytes(8), 1)
        for stream, ours, before, frame in (
            (False, True, (accept,), frames.frame(frames.MSG, bytes(4), 2, frames.WHOLE)),
            (False, True, (), frames.frame(frames.MSG, b"", 2, frames.FIN)),
            (True, True, (), frames.frame(frames.MSG, b"early", 2)),
            (True, True, (accept,), accept),
            (True, False, (), frames.frame(frames.CH_ACCEPT, b"", 1)),
            (False, False, (), window),
            (True, False, (frames.frame(frames.MSG, b"x", 1, frames.FIN),), frames.frame(frames.MSG, b"y", 1)),
            (False, False, (frames.frame(frames.MSG, b"", 1, frames.FIN),), frames.frame(frames.MSG, bytes(4), 1, 3)),
        ):
            mallory = Mallory(accepting=False)
            if ours:
                mallory.side.open(stream=stream)
                mallory.listen()
            else:
                mallory.open(1, stream=stream)
            if before:
                mallory.say(*before)
            self.assertIsNone(mallory.side.end)
            mallory.say(frame)
            self.assertEqual(mallory.side.messages, [])
            self.closed(mallory, CloseCode.VIOLATION, (stream, ours, frame.hex()))

    def test_more_channels_than_announced(self) -> None:
        """Each one more is reset; the others go on."""
        mallory = Mallory(settings=replace(PLAIN, limits=limited(max_channels=32)))
        for number in range(1, 101, 2):
            mallory.open(number)
        resets = mallory.heard(frames.CH_RESET)
        self.assertEqual([channel for channel, _, _ in resets], list(range(65, 101, 2)))
        self.assertEqual({frames.U16.unpack_from(data)[0] for _, _, data in resets}, {ResetCode.LIMIT})
        self.assertEqual((len(mallory.side.session.channels), len(mallory.side.of(ChannelOffered))), (32, 32))
        mallory.say(mallory.message(1, b"still"))
        self.assertEqual(mallory.side.messages, [b"still"])
        mallory.say(reset(1), opening(101))
        self.assertEqual(len(mallory.side.session.channels), 32)
        self.alive(mallory)


class Row17FloodTests(SessionReactionTestCase):
    """More control frames than honest peers send: a burst twice the budget, or five seconds above it."""

    def test_65536_openings(self) -> None:
        """Also in full records: the end comes within twice the burst, and 512 channels are held at most."""
        rate, burst = DEFAULT_LIMITS.ch_open_rate
        mallory, taken = self.flooded(lambda n: (opening(2 * n + 1),), 1 << 16)
        self.assertEqual((taken, rate), (2 * burst, 200))
        mallory = Mallory()
        mallory.say(*(opening(2 * n + 1) for n in range(4000)))
        self.closed(mallory, CloseCode.FLOOD)
        self.assertLessEqual(len(mallory.side.of(ChannelOffered)), DEFAULT_LIMITS.max_channels)
        self.assertEqual(mallory.side.session.channels, {})

    def test_open_and_reset_10000_times_a_second(self) -> None:
        mallory = Mallory()
        for number in range(10_000):
            mallory.say(opening(2 * number + 1), reset(2 * number + 1))
            mallory.now += 1 / 10_000
            if mallory.side.end is not None:
                break
        self.closed(mallory, CloseCode.FLOOD)
        self.assertLess(number, 2100)

    def sustained(self, frame: Callable[[int], bytes], per_second: float, limits: Limits = DEFAULT_LIMITS) -> float:
        """After how many seconds at this rate it is a flood; 60 where it is none."""
        mallory = Mallory(settings=replace(PLAIN, limits=limits))
        mallory.open(1, stream=True)
        begun = mallory.now
        number = 0
        while mallory.now < begun + 60 and mallory.side.end is None:
            number += 1
            mallory.say(frame(number))
            mallory.listen()
            mallory.now = begun + number / per_second
        seconds = mallory.now - begun
        if mallory.side.end is not None:
            self.closed(mallory, CloseCode.FLOOD)
        return seconds

    def test_small_frames(self) -> None:
        """Every kind that has a budget, each in its own flood."""
        rate, burst = DEFAULT_LIMITS.control_frame_rate
        self.assertEqual((rate, burst), (50, 500))
        kinds: dict[str, Callable[[int], bytes]] = {
            "PING": lambda n: PING,
            "PONG": lambda n: frames.frame(frames.PONG, bytes(8)),
            "WINDOW": lambda n: frames.frame(frames.WINDOW, frames.U64.pack(WINDOW + n), 1),
            "WINDOW that says nothing": lambda n: frames.frame(frames.WINDOW, bytes(8), 1),
            "EXT_UPDATE": lambda n: frames.frame(frames.EXT_UPDATE, b"", flags=frames.WHOLE),
        }
        for name, frame in kinds.items():
            mallory = Mallory()
            mallory.open(1, stream=True)
            for number in range(2 * burst):
                mallory.say(frame(number))
                self.assertIsNone(mallory.side.end, name)
            mallory.say(frame(2 * burst))
            self.closed(mallory, CloseCode.FLOOD, name)

    def test_five_seconds_above_the_rate_and_for_ever_below_it(self) -> None:
        self.assertEqual(self.sustained(lambda n: PING, 40), 60)
        seconds = self.sustained(lambda n: PING, 100)
        self.assertTrue(15 <= seconds <= 16, seconds)  # the burst lasts ten seconds at twice the rate, then five more

    def test_silence_saves_up_one_burst_and_no_more(self) -> None:
        """A quarter of an hour of good behaviour is no licence for a flood."""
        for opens in (False, True):
            rate, burst = DEFAULT_LIMITS.ch_open_rate if opens else DEFAULT_LIMITS.control_frame_rate
            mallory = Mallory()
            mallory.say(opening(1) + reset(1) if opens else PING)
            mallory.wait(800)
            self.assertGreater(800 * rate, 3 * burst)
            for number in range(2 * int(burst)):
                mallory.say(opening(2 * number + 3) + reset(2 * number + 3) if opens else PING)
                self.assertIsNone(mallory.side.end, number)
            mallory.say(opening(9999) if opens else PING)
            self.closed(mallory, CloseCode.FLOOD)

    def test_windows_that_raise_much_are_free(self) -> None:
        def step(number: int) -> bytes:
            return frames.frame(frames.WINDOW, frames.U64.pack(WINDOW + number * 16_384), 1)

        self.assertEqual(self.sustained(step, 200), 60)

    def test_frames_for_ended_channels(self) -> None:
        """Three for each channel cross its end on the way; what goes on is counted."""
        mallory = Mallory()
        mallory.say(opening(1), reset(1))
        for number in range(3 + 2 * 500):
            mallory.say(reset(1))
            self.assertIsNone(mallory.side.end, number)
        mallory.say(reset(1))
        self.closed(mallory, CloseCode.FLOOD)

    def test_with_full_buffers_both_ways(self) -> None:
        """The transport takes nothing, and the flood is ended all the same; nothing of it was queued."""
        for frame in (PING, frames.frame(frames.WINDOW, bytes(8), 2)):
            mallory = Mallory()
            mallory.side.open(stream=True).write(bytes(300_000))
            self.assertIsNotNone(mallory.side.connection.data_to_send(mallory.now))
            for _ in range(1100):
                mallory.say(frame)
                self.assertLessEqual(mallory.side.session.outgoing.controls_waiting, 1)
            end = mallory.side.end
            self.assertEqual(end and end.code, CloseCode.FLOOD)
            mallory.wait(60)
            self.assertTrue(mallory.side.connection.finished)


class NarrowPair(Pair):
    """Two honest sides with a pipe between them that holds ``room`` bytes each way; a full one takes nothing more."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room
        self.pipes: tuple[bytearray, bytearray] = (bytearray(), bytearray())

    def turn(self) -> int:
        """Each side writes what fits and then reads what is there, little by little."""
        moved = 0
        for side, pipe in zip(self.sides, self.pipes, strict=True):
            while len(pipe) < self.room and (data := side.connection.data_to_send(self.now)) is not None:
                taken = bytes(data[: self.room - len(pipe)])
                side.connection.taken(len(taken), self.now)
                pipe.extend(taken)
                moved += len(taken)
        for side, pipe in zip(self.sides, reversed(self.pipes), strict=True):
            side.connection.receive(bytes(pipe), self.now)
            pipe.clear()
            side.meet()
        return moved


class Row17BusyTests(SessionReactionTestCase):
    """Reading never waits for writing."""

    def test_two_busy_peers_never_wait_for_one_another(self) -> None:
        """Megabytes both ways through pipes of a few bytes, with PINGs and re-keys between them: all arrives."""
        size = 1_500_000
        for room in (1000, 70_000):
            pair = NarrowPair(room)
            ways = []
            for side, other in (pair.sides, pair.sides[::-1]):
                channel = side.open(stream=True)
                left = [size]
                ways.append((side, other, channel, left))
            for step in range(10_000):
                for side, _other, channel, left in ways:
                    while left[0] and channel.queued_bytes < 400_000:
                        channel.write(bytes(50_000))
                        left[0] -= 50_000
                    if step % 50 == 0:
                        side.session.ping(pair.now)
                        side.session.set_extenders([ECHO] if step % 100 else [])
                pair.now += 0.01
                if not pair.turn() and not any(left[0] for *_, left in ways):
                    break
            for _side, other, _channel, _left in ways:
                self.assertEqual([len(data) for data in other.streamed.values() if data], [size], room)
            self.assertEqual([side.end for side in pair.sides], [None, None])
            self.assertTrue(all(side.session.rtt_seconds is not None for side in pair.sides))

    def test_a_full_pipe_one_way_does_not_stop_the_other(self) -> None:
        """Alice's bytes are not taken at all for fifty seconds; what bob says arrives meanwhile."""
        pair = Pair()
        pair.alice.open(stream=True).write(bytes(300_000))
        self.assertIsNotNone(pair.alice.connection.data_to_send(pair.now))
        channel = pair.bob.open()
        for number in range(50):
            channel.send(b"%d" % number)
            pair.now += 1
            pair.move(pair.bob, pair.alice, 1 << 30)
            pair.alice.meet()
        self.assertEqual(pair.alice.messages, [b"%d" % number for number in range(50)])
