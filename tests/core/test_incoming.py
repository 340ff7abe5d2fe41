"""Taking records apart: frames in one record act in order, late ones are forgiven a few times, budgets are exact.

Shapes that are not legal are in ``tests/attacks/test_row_15_lengths.py``, phases in ``test_state.py``.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.incoming import Incoming
from quantumgate.wire import frames
from quantumgate.wire.codes import CloseCode, ResetCode
from quantumgate.wire.limits import (
    CONTROL_MESSAGE_BYTES,
    CONTROLS_WAITING_MAX,
    FLOOD_BURST_FACTOR,
    LATE_FRAMES_MAX,
    LATE_FRAMES_PER_OPEN,
    MAX_FRAMES_PER_RECORD,
    WINDOW_FREE_RAISE_BYTES,
)
from tests.core.sessions import ECHO, PLAIN, Mallory, replace, tuned

RATE, BURST = PLAIN.limits.control_frame_rate
FLOOD_AT = int(BURST * FLOOD_BURST_FACTOR) + 1
PING = frames.frame(frames.PING, bytes(8))
WHATEVER = frames.frame(frames.CH_OPEN, frames.ChannelOpen(ECHO, False, 2, b"").encode(), 1)


class Case(SynchronousTestCase):
    def code(self, mallory: Mallory) -> int | None:
        end = mallory.side.end
        return end.code if end is not None else None


class RecordTests(Case):
    """docs/spec/records.md, sections 3 and 4."""

    def test_frames_act_in_order(self) -> None:
        """A channel opened, used and finished in one record; the answer to the PING between comes after."""
        mallory = Mallory()
        messages = [mallory.message(1, bytes([n])) for n in range(5)]
        mallory.say(WHATEVER, *messages[:3], PING, *messages[3:], frames.frame(frames.MSG, b"", 1, frames.FIN))
        self.assertEqual(mallory.side.messages, [bytes([n]) for n in range(5)])
        self.assertEqual((len(mallory.side.fins), mallory.side.session.channels), (1, {}))
        self.assertEqual([kind for kind, *_ in mallory.listen()], [frames.CH_ACCEPT, frames.PONG])

    def test_nothing_behind_close(self) -> None:
        mallory = Mallory()
        mallory.open(1)
        mallory.say(frames.frame(frames.CLOSE, bytes(2)), mallory.message(1, b"late"), frames.frame(0x7F))
        self.assertEqual((mallory.side.messages, mallory.side.end and mallory.side.end.reason), ([], "bye"))

    def test_a_guest_may_end_everything_from_inside(self) -> None:
        """Closing the session, or its channel, while more frames of the record wait."""
        for graceful in (True, False):
            mallory = Mallory()
            mallory.open(1)
            (channel,) = mallory.side.offered

            def last(message: bytes, mallory: Mallory = mallory, graceful: bool = graceful) -> bool:
                mallory.side.messages.append(message)
                mallory.side.connection.close(now=mallory.now, graceful=graceful)
                return False

            channel.on_message = last
            mallory.say(*(mallory.message(1, bytes([n])) for n in range(5)))
            self.assertEqual((mallory.side.messages, mallory.side.connection.discarding), ([b"\0"], False))
            self.assertEqual(mallory.side.session.in_hands_bytes, int(graceful))

    def test_a_guest_may_reset_from_inside(self) -> None:
        mallory = Mallory()
        mallory.open(1, stream=True)
        (channel,) = mallory.side.offered
        channel.on_data = lambda data: channel.reset()
        mallory.say(*[frames.frame(frames.MSG, b"x", 1)] * 5, frames.frame(frames.MSG, b"x", 1, frames.FIN))
        self.assertEqual((len(mallory.side.ends[id(channel)]), mallory.side.end), (1, None))

    def test_the_most_frames(self) -> None:
        for more in (0, 1):
            mallory = Mallory()
            mallory.open(1)
            mallory.say(mallory.message(1, b"") * (MAX_FRAMES_PER_RECORD + more))
            self.assertEqual(mallory.side.end is None, not more)
            self.assertEqual(len(mallory.side.messages), MAX_FRAMES_PER_RECORD)

    def test_less_than_a_header_is_padding_or_torn(self) -> None:
        for size in range(1, 8):
            mallory = Mallory()
            mallory.open(1)
            mallory.say(mallory.message(1, b"x"), bytes(size))
            self.assertEqual((mallory.side.messages, mallory.side.end), ([b"x"], None))
            mallory.say(mallory.message(1, b"y"), b"\x13" * size)
            self.assertEqual(mallory.side.end and mallory.side.end.reason, "damaged")

    def test_long_messages_to_their_last_byte(self) -> None:
        for more in (0, 16):
            mallory = Mallory()
            names = b"".join(n.to_bytes(16, "big") for n in range((CONTROL_MESSAGE_BYTES + more) // 16))
            half = CONTROL_MESSAGE_BYTES // 2
            mallory.say(frames.frame(frames.EXT_UPDATE, names[:half], flags=frames.FIRST))
            mallory.say(frames.frame(frames.EXT_UPDATE, names[half:], flags=frames.LAST))
            self.assertEqual(mallory.side.end is None, not more)
            if not more:
                self.assertEqual(len(mallory.side.session.peer_extenders), CONTROL_MESSAGE_BYTES // 16)


class BudgetTests(Case):
    """[A22] Exact bounds: a burst twice the budget is a flood, and so is five seconds above the rate."""

    def test_a_burst(self) -> None:
        mallory = Mallory()
        for _ in range(FLOOD_AT - 1):
            mallory.say(PING)
        self.assertIsNone(mallory.side.end)
        mallory.say(PING)
        self.assertEqual(self.code(mallory), CloseCode.FLOOD)

    def test_an_excess_of_five_seconds(self) -> None:
        mallory = Mallory(settings=tuned(ping_after_seconds=(1000.0, 1000.0)))
        for _ in range(int(BURST)):
            mallory.say(PING)
        begun = mallory.now
        while self.code(mallory) is None:
            mallory.now += 1 / (RATE * 1.1)
            mallory.say(PING)
        self.assertTrue(5 < mallory.now - begun < 6, mallory.now - begun)

    def test_what_is_counted_together(self) -> None:
        """PING, PONG that nobody asked for, lists of extenders, small WINDOWs: one budget."""
        mallory = Mallory()
        channel = mallory.side.open(stream=True)
        mallory.listen()
        limit = channel.send_limit
        said = 0
        while self.code(mallory) is None:
            small = frames.frame(frames.WINDOW, frames.U64.pack(limit + WINDOW_FREE_RAISE_BYTES - 1), 2)
            for frame in (PING, frames.frame(frames.PONG, bytes(8)), mallory.long(frames.EXT_UPDATE, b""), small):
                if self.code(mallory) is None:
                    mallory.say(frame)
                    said += 1
            limit = channel.send_limit
        self.assertEqual(said, FLOOD_AT)

    def test_what_is_free(self) -> None:
        mallory = Mallory()
        channel = mallory.side.open(stream=True)
        mallory.listen()
        for _ in range(FLOOD_AT):
            raised = channel.send_limit + WINDOW_FREE_RAISE_BYTES
            mallory.say(frames.frame(frames.WINDOW, frames.U64.pack(raised), 2))
        self.assertIsNone(mallory.side.session.incoming._control_gauge)

    def test_openings(self) -> None:
        most = int(PLAIN.limits.ch_open_rate[1] * FLOOD_BURST_FACTOR)
        for more in (0, 1):
            mallory = Mallory()
            for number in range(most + more):
                mallory.open(2 * number + 1)
                mallory.listen()
            self.assertEqual(self.code(mallory), CloseCode.FLOOD if more else None)

    def test_answers_that_nobody_reads(self) -> None:
        mallory = Mallory(settings=tuned(ch_open_rate=(1e6, 1e6), max_channels=10))
        mallory.listen()
        for number in range(CONTROLS_WAITING_MAX):
            mallory.open(2 * number + 1)
        self.assertEqual(mallory.side.session.outgoing.controls_waiting, CONTROLS_WAITING_MAX)
        self.assertIsNone(mallory.side.end)
        mallory.open(2 * CONTROLS_WAITING_MAX + 1)
        self.assertEqual(self.code(mallory), CloseCode.FLOOD)


class LateTests(Case):
    """ADR 0011: three frames for each channel that was opened are forgiven after its end."""

    def left(self, mallory: Mallory) -> int:
        return mallory.side.session.incoming._late_left

    def test_three_a_channel(self) -> None:
        mallory = Mallory()
        mallory.open(1)
        mallory.side.open(stream=True)
        mallory.listen()
        for channel in list(mallory.side.session.channels.values()):
            channel.reset()
        self.assertEqual(self.left(mallory), 2 * LATE_FRAMES_PER_OPEN)
        late = [frames.frame(frames.CH_RESET, bytes(2), 1), frames.frame(frames.WINDOW, bytes(8), 2),
                frames.frame(frames.CH_ACCEPT, b"", 2)]  # fmt: skip
        mallory.say(*late, *late)
        self.assertEqual((self.left(mallory), mallory.side.session.incoming._control_gauge), (0, None))
        mallory.say(late[0])
        self.assertIsNotNone(mallory.side.session.incoming._control_gauge)

    def test_refused_ones_count_as_well(self) -> None:
        mallory = Mallory(settings=tuned(max_channels=1))
        for number in range(1, 21, 2):
            mallory.open(number)
        self.assertEqual(self.left(mallory), 10 * LATE_FRAMES_PER_OPEN)
        codes = {frames.U16.unpack_from(data)[0] for _, _, data in mallory.heard(frames.CH_RESET)}
        self.assertEqual((codes, len(mallory.side.offered)), ({ResetCode.LIMIT}, 1))

    def test_only_so_many(self) -> None:
        incoming = Incoming(Mallory().side.session)
        for _ in range(LATE_FRAMES_MAX):
            incoming.channel_opened()
        self.assertEqual(incoming._late_left, LATE_FRAMES_MAX)

    def test_data_for_ended_channels_is_free(self) -> None:
        mallory = Mallory()
        mallory.open(1, stream=True)
        mallory.side.offered[0].reset()
        for _ in range(5000):
            mallory.say(frames.frame(frames.MSG, b"x", 1))
        self.assertIsNone(mallory.side.session.incoming._control_gauge)
        self.assertEqual(self.left(mallory), LATE_FRAMES_PER_OPEN)


class ChannelFrameTests(Case):
    def test_the_most_channels(self) -> None:
        for victim_initiates in (True, False):
            mallory = Mallory(settings=tuned(max_channels=40), victim_initiates=victim_initiates)
            for number in range(41):
                mallory.open(2 * number + 1 + victim_initiates)
            self.assertEqual(len(mallory.side.offered), 40)
            mallory.side.offered[0].reset()
            mallory.open(2 * 41 + 1 + victim_initiates)
            self.assertEqual(len(mallory.side.offered), 41)

    def test_windows(self) -> None:
        mallory = Mallory(block=replace(PLAIN.block(), initial_window=100_000))
        channel = mallory.side.open(stream=True)
        mallory.listen()
        for limit, now in ((50_000, 100_000), (100_000, 100_000), (100_001, 100_001), ((1 << 64) - 1, (1 << 64) - 1)):
            mallory.say(frames.frame(frames.WINDOW, frames.U64.pack(limit), 2))
            self.assertEqual(channel.send_limit, now)

    def test_no_window_for_messages_that_only_the_peer_sends(self) -> None:
        mallory = Mallory()
        mallory.open(1)
        mallory.say(frames.frame(frames.WINDOW, frames.U64.pack(1 << 30), 1))
        self.assertEqual(self.code(mallory), CloseCode.VIOLATION)
