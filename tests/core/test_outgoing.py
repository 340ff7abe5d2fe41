"""What goes into the next record: control, classes, shares, turns, and whose CH_OPEN is next."""

from __future__ import annotations

from uuid import UUID

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.channel import QUEUE_MARK_BYTES, Channel
from quantumgate.core.outgoing import CONTROL_PIECE_BYTES, MOST_CONTROL_FRAMES, QUANTUM_BYTES, Piece
from quantumgate.errors import LimitError, LocalError
from quantumgate.wire import frames
from quantumgate.wire.codes import ResetCode
from quantumgate.wire.limits import (
    BUDGET_PACE,
    CONTROL_MESSAGE_BYTES,
    EXT_UPDATE_GAP_SECONDS,
    FRAME_HEADER_BYTES,
    INTERACTIVE_SHARE,
    LABEL_BYTES,
    MAX_FRAMES_PER_RECORD,
    OPENS_WAITING_MAX,
    RECORD_OVERHEAD_BYTES,
)
from tests.core.sessions import ECHO, PLAIN, Mallory, replace

ROOM = 262_144 - RECORD_OVERHEAD_BYTES
WIDE = replace(PLAIN.block(), initial_window=1 << 30, max_channels=10_000)


class Case(SynchronousTestCase):
    def mallory(self, **more: object) -> Mallory:
        """Gives credit without end."""
        return Mallory(block=replace(WIDE, **more))

    def shares(self, said: list[tuple[int, int, int, bytes]]) -> dict[int, int]:
        """Payload bytes of each channel."""
        found: dict[int, int] = {}
        for kind, channel, _, data in said:
            if kind == frames.MSG:
                found[channel] = found.get(channel, 0) + len(data)
        return found

    def stream(self, mallory: Mallory, priority: int = 2) -> Channel:
        channel = mallory.side.open(stream=True, priority=priority)
        mallory.listen()
        return channel


class ClassTests(Case):
    """docs/spec/channels.md, section 4."""

    def test_control_goes_first(self) -> None:
        mallory = self.mallory()
        channel = self.stream(mallory, 1)
        channel.write(bytes(1000))
        mallory.say(frames.frame(frames.PING, bytes(8)))
        mallory.open(1)
        self.assertEqual([kind for kind, *_ in mallory.next_record()], [frames.CH_ACCEPT, frames.PONG, frames.MSG])

    def test_the_first_class_leaves_a_quarter(self) -> None:
        mallory = self.mallory()
        first, third = self.stream(mallory, 1), self.stream(mallory, 3)
        first.write(bytes(500_000))
        third.write(bytes(500_000))
        shares = self.shares(mallory.next_record())
        self.assertLess(abs(shares[first.id] - ROOM * INTERACTIVE_SHARE), 20)
        self.assertLess(abs(shares[third.id] - ROOM * (1 - INTERACTIVE_SHARE)), 20)

    def test_what_is_left_over_is_used(self) -> None:
        mallory = self.mallory()
        first, second = self.stream(mallory, 1), self.stream(mallory, 2)
        first.write(bytes(500_000))
        second.write(bytes(100))
        said = mallory.next_record()
        self.assertEqual(self.shares(said)[second.id], 100)
        self.assertEqual(sum(len(data) + FRAME_HEADER_BYTES for *_, data in said), ROOM)

    def test_alone_it_has_everything(self) -> None:
        mallory = self.mallory()
        channel = self.stream(mallory, 3)
        channel.write(bytes(500_000))
        self.assertEqual(self.shares(mallory.next_record()), {channel.id: ROOM - FRAME_HEADER_BYTES})

    def test_turns_inside_a_class(self) -> None:
        mallory = self.mallory()
        channels = [self.stream(mallory) for _ in range(4)]
        for channel in channels:
            channel.write(bytes(500_000))
        total: dict[int, int] = {}
        for _ in range(4):
            for number, size in self.shares(mallory.next_record()).items():
                total[number] = total.get(number, 0) + size
        self.assertEqual(set(total), {channel.id for channel in channels})
        self.assertLessEqual(max(total.values()) - min(total.values()), 2 * QUANTUM_BYTES)

    def test_who_waits_for_credit_is_in_nobodys_way(self) -> None:
        mallory = self.mallory(initial_window=65_536)
        stuck, other = self.stream(mallory), self.stream(mallory)
        stuck.write(bytes(70_000))
        mallory.listen()
        other.write(b"through")
        self.assertEqual(self.shares(mallory.next_record()), {other.id: 7})
        mallory.say(frames.frame(frames.WINDOW, frames.U64.pack(200_000), stuck.id))
        self.assertEqual(self.shares(mallory.next_record()), {stuck.id: 70_000 - 65_536})
        mallory.say(frames.frame(frames.WINDOW, frames.U64.pack(100_000), stuck.id))
        self.assertEqual(stuck.send_limit, 200_000)

    def test_what_is_half_in_a_record_can_still_be_written_to(self) -> None:
        """Filling a record may call others, who write: a link asks the connection that it carries."""
        mallory = self.mallory(initial_window=65_536)
        channel = self.stream(mallory)
        channel.write(bytes(65_536 - 10))
        mallory.listen()
        channel.write(b"gathered " * 3)
        parts: list[Piece] = []
        mallory.side.session.outgoing._fill_data(parts, memoryview(bytearray(ROOM)))
        channel.write(b"more")
        self.assertEqual((b"".join(parts)[FRAME_HEADER_BYTES:], channel.queued_bytes), (b"gathered g", 21))

    def test_a_record_has_not_too_many_frames(self) -> None:
        mallory = self.mallory()
        channels = [mallory.side.open() for _ in range(300)]
        streams = [mallory.side.open(stream=True) for _ in range(300)]
        for _ in range(30):
            for channel in channels:
                channel.send(b"")
        for stream in streams:
            stream.write(b"x")
            stream.finish()
        told = []
        while said := mallory.next_record():
            told.append(len(said))
        self.assertLessEqual(max(told), MAX_FRAMES_PER_RECORD)
        self.assertGreater(max(told), MAX_FRAMES_PER_RECORD // 2)
        self.assertEqual(sum(told), 600 + 9000 + 300)

    def test_nor_where_many_channels_have_little(self) -> None:
        mallory = self.mallory()
        channels = [mallory.side.open() for _ in range(700)]
        mallory.listen()
        for channel in channels:
            for _ in range(12):
                channel.send(b"x")
        told = []
        while said := mallory.next_record():
            told.append(len(said))
        self.assertEqual((sum(told), max(told) <= MAX_FRAMES_PER_RECORD), (8400, True))

    def test_room_is_told_at_half_of_the_mark(self) -> None:
        mallory = self.mallory(initial_window=65_536)
        channel = self.stream(mallory)
        channel.write(bytes(QUEUE_MARK_BYTES + 65_536))
        for left, rooms in ((QUEUE_MARK_BYTES // 2 + 1, 0), (QUEUE_MARK_BYTES // 2, 1), (0, 1)):
            limit = frames.U64.pack(QUEUE_MARK_BYTES + 65_536 - left)
            mallory.say(frames.frame(frames.WINDOW, limit, channel.id))
            mallory.listen()
            self.assertEqual((channel.queued_bytes, mallory.side.rooms), (left, rooms))

    def test_a_stream_of_bytes_written_singly_is_one_frame(self) -> None:
        mallory = self.mallory()
        channel = self.stream(mallory)
        for _ in range(5000):
            channel.write(b"x" * 2000 if channel.queued_bytes < 100_000 else b"y")
        self.assertEqual(len(mallory.next_record()), 1)


class OpenTests(Case):
    """CH_OPEN within the peer's max_channels and its budget; one kind does not stand in the way of the other."""

    def kinds(self, mallory: Mallory) -> str:
        """The next opened channels: m, s."""
        opened = [frames.ChannelOpen.decode(data) for kind, _, _, data in mallory.listen() if kind == frames.CH_OPEN]
        return "".join("s" if one.stream else "m" for one in opened)

    def test_messages_go_ahead_and_streams_have_their_turn(self) -> None:
        mallory = self.mallory()
        for kind in "sssssmmms":
            mallory.side.open(stream=kind == "s")
        self.assertEqual(self.kinds(mallory), "msmsmssss")

    def test_behind_a_thousand_streams(self) -> None:
        mallory = self.mallory()
        for _ in range(1000):
            mallory.side.open(stream=True)
        self.assertEqual(self.kinds(mallory), "s" * int(1000 * BUDGET_PACE))
        mallory.side.open().send(b"what they are for")
        self.assertEqual(self.kinds(mallory), "")
        mallory.wait(0.01)
        self.assertEqual(self.kinds(mallory), "m")
        mallory.wait(1)
        self.assertEqual(self.kinds(mallory), "s" * 160)

    def test_the_peers_max_channels(self) -> None:
        mallory = self.mallory(max_channels=32)
        channels = [mallory.side.open(stream=True) for _ in range(40)]
        message = mallory.side.open()
        self.assertEqual(self.kinds(mallory), "m" + "s" * 31)
        channels[0].reset()
        self.assertEqual(self.kinds(mallory), "s")
        message.finish()
        self.assertEqual(self.kinds(mallory), "s")
        self.assertEqual(mallory.side.session.outgoing.opens_waiting, 40 - 33)

    def test_what_was_queued_before_follows_at_once(self) -> None:
        mallory = self.mallory()
        channel = mallory.side.open()
        channel.send(b"first words")
        channel.finish()
        said = mallory.next_record()
        self.assertEqual([kind for kind, *_ in said], [frames.CH_OPEN, frames.MSG, frames.MSG])
        self.assertTrue(channel.closed)

    def test_bounds(self) -> None:
        mallory = self.mallory()
        session = mallory.side.session
        session.open_channel(ECHO, stream=True, label=b"x" * LABEL_BYTES)
        self.assertRaises(LimitError, session.open_channel, ECHO, stream=True, label=b"x" * (LABEL_BYTES + 1))
        for priority in (0, 4):
            self.assertRaises(LocalError, session.open_channel, ECHO, stream=True, priority=priority)
        waiting = [session.open_channel(ECHO, stream=True) for _ in range(OPENS_WAITING_MAX - 1)]
        error = self.assertRaises(LimitError, session.open_channel, ECHO, stream=True)
        self.assertEqual((error.name, error.value), ("opens_waiting", OPENS_WAITING_MAX))
        for channel in waiting:
            channel.reset()
        self.assertEqual(session.outgoing.opens_waiting, 1)

    def test_a_full_transport_is_not_asked_again_and_again(self) -> None:
        """The bytes of a record are not taken, channels wait with a token: no timer rings until they are."""
        for what in ("open", "announce"):
            mallory = self.mallory()
            session, connection = mallory.side.session, mallory.side.connection
            mallory.listen()
            mallory.now += 5
            self.stream(mallory).write(bytes(400_000))
            data = connection.data_to_send(mallory.now)
            assert data is not None
            connection.taken(10, mallory.now)
            if what == "open":
                mallory.side.open(stream=True)
            else:
                session.set_extenders([ECHO])
            connection.expire(mallory.now)
            self.assertGreater(connection.deadline(), mallory.now)
            connection.taken(len(data) - 10, mallory.now)
            mallory.opener.records += 1
            kind = frames.CH_OPEN if what == "open" else frames.EXT_UPDATE
            self.assertEqual([kind for kind, *_ in mallory.listen()][:1], [kind])


class ControlTests(Case):
    """Long messages in pieces, one answer of each sort, nothing after the end."""

    def test_pieces(self) -> None:
        mallory = self.mallory()
        for size in (0, 1, CONTROL_PIECE_BYTES, CONTROL_PIECE_BYTES + 1, CONTROL_MESSAGE_BYTES):
            data = bytes(range(256)) * (size // 256) + bytes(size % 256)
            mallory.side.session.outgoing.long_control(frames.EXT_UPDATE, data)
            pieces = [len(piece) for kind, _, _, piece in mallory.listen() if kind == frames.EXT_UPDATE]
            self.assertEqual(mallory.long_seen[-1], (frames.EXT_UPDATE, data))
            self.assertEqual(len(pieces), max(1, -(-size // CONTROL_PIECE_BYTES)))
        too_long = bytes(CONTROL_MESSAGE_BYTES + 1)
        self.assertRaises(ValueError, mallory.side.session.outgoing.long_control, frames.EXT_UPDATE, too_long)

    def test_a_list_of_extenders_has_an_end(self) -> None:
        mallory = self.mallory()
        most = CONTROL_MESSAGE_BYTES // 16
        mallory.side.session.set_extenders(UUID(int=n) for n in range(most))
        error = self.assertRaises(
            LimitError, mallory.side.session.set_extenders, [UUID(int=n) for n in range(most + 1)]
        )
        self.assertEqual(error.name, "control_message_bytes")
        mallory.listen()
        self.assertEqual(len(mallory.long_seen[-1][1]), CONTROL_MESSAGE_BYTES)

    def test_only_the_newest_list_and_one_a_second(self) -> None:
        mallory = self.mallory()
        names = [UUID(int=n) for n in range(1, 5)]
        for name in names[:2]:
            mallory.side.session.set_extenders([name])
        mallory.listen()
        self.assertEqual(mallory.long_seen[1:], [(frames.EXT_UPDATE, names[1].bytes)])
        for name in names[2:]:
            mallory.side.session.set_extenders([name])
        mallory.wait(EXT_UPDATE_GAP_SECONDS - 0.01)
        self.assertEqual(mallory.listen(), [])
        mallory.wait(0.01)
        mallory.listen()
        self.assertEqual(mallory.long_seen[2:], [(frames.EXT_UPDATE, names[3].bytes)])

    def test_one_pong_for_many_pings(self) -> None:
        mallory = self.mallory()
        mallory.say(*(frames.frame(frames.PING, frames.U64.pack(n)) for n in range(100)))
        self.assertEqual([data for *_, data in mallory.listen()][-1:], [frames.U64.pack(99)])
        self.assertEqual(len(mallory.heard(frames.PONG)), 1)

    def test_many_controls_take_many_records(self) -> None:
        mallory = self.mallory()
        mallory.next_record()
        channel = self.stream(mallory)
        channel.write(b"behind them")
        for number in range(1, 2 * MOST_CONTROL_FRAMES + 20, 2):
            mallory.open(number)
            mallory.side.session.channels[number].reset(ResetCode.LIMIT)
        self.assertEqual(len(mallory.next_record()), MOST_CONTROL_FRAMES)
        self.assertEqual(mallory.next_record()[-1][0], frames.CH_RESET)

    def test_after_close_nothing(self) -> None:
        mallory = self.mallory()
        self.stream(mallory).write(bytes(100))
        mallory.say(frames.frame(frames.PING, bytes(8)))
        session = mallory.side.session
        session.set_extenders([ECHO])
        mallory.side.connection.close(now=mallory.now, graceful=False)
        session.set_extenders([UUID(int=5)])
        session.ping(mallory.now)
        session.outgoing.pong(1)
        session.outgoing.switch()
        self.assertEqual([kind for kind, *_ in mallory.listen()], [frames.CLOSE])
        mallory.now += 2
        self.assertEqual(mallory.listen(), [])
