"""One session: how it begins, what it tells, how it ends, and what it does when its channel ids are used up."""

from __future__ import annotations

from uuid import UUID

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.events import Closed, ExtendersChanged, Ready
from quantumgate.core.requests import Verdict
from quantumgate.core.session import IDS_USED_UP, RATE_WINDOW_SECONDS
from quantumgate.core.state import SessionPhase
from quantumgate.errors import SessionClosed
from quantumgate.wire import frames
from quantumgate.wire.codes import CloseCode, ResetCode
from quantumgate.wire.limits import CHANNEL_ID_MAX, FIRST_RECORD_BYTES, SLOW_PATH_BYTES_PER_SECOND
from quantumgate.wire.session_tlvs import SessionBlock
from tests.core.sessions import ECHO, PLAIN, START, Mallory, Pair, connect, replace, tuned


class BeginningTests(SynchronousTestCase):
    """docs/spec/session.md, sections 1 and 2."""

    def test_both_know_what_the_other_said(self) -> None:
        alice, bob = replace(PLAIN, instance=1), replace(tuned(max_message_bytes=5000), instance=2, compression=True)
        pair = Pair(alice, bob)
        one, two = (owner.session for owner in pair.sides)
        self.assertEqual((one.peer_block, two.peer_block), (bob.block(), alice.block()))
        self.assertEqual((one.peer_extenders, two.peer_extenders), (frozenset({ECHO}), frozenset({ECHO})))
        self.assertEqual((one.compressing, two.compressing), (False, False))
        self.assertEqual([len(owner.of(Ready)) for owner in pair.sides], [1, 1])

    def test_compression_is_what_both_take(self) -> None:
        both = replace(PLAIN, compression=True)
        self.assertTrue(Pair(both, both).alice.session.compressing)
        mallory = Mallory(settings=both, block=replace(PLAIN.block(), compression=(7,)))
        self.assertFalse(mallory.side.session.compressing)

    def test_a_version_too_low(self) -> None:
        mallory = Mallory(victim_initiates=True, block=replace(PLAIN.block(), version=0))
        self.assertEqual(mallory.side.end and mallory.side.end.reason, "damaged")
        self.assertIsNone(Mallory(block=replace(PLAIN.block(), version=2)).side.end)

    def test_no_channels_before(self) -> None:
        mallory = Mallory(victim_initiates=True, opened=False)
        session = mallory.side.session
        self.assertRaises(SessionClosed, session.open_channel, ECHO, stream=True)
        self.assertFalse(session.ready or session.closing)

    def test_ten_seconds_for_a_session_block(self) -> None:
        mallory = Mallory(victim_initiates=True, opened=False)
        mallory.wait(9.99)
        self.assertIsNone(mallory.side.end)
        mallory.wait(0.01)
        self.assertEqual(mallory.side.end and mallory.side.end.reason, "not-accepted")
        self.assertTrue(mallory.side.connection.finished)

    def test_a_malformed_block_in_the_handshake(self) -> None:
        side = connect(False, peer_session=b"\x41")
        side.meet()
        self.assertEqual((side.end and side.end.reason, side.connection.data_to_send(START)), ("damaged", None))

    def test_who_is_not_admitted_hears_why(self) -> None:
        verdict = Verdict(False, CloseCode.TOO_MANY_SESSIONS, "full")
        pair = Pair()
        bob = connect(False, told=pair.alice.session.block, verdict=verdict)
        alice = connect(True)
        data = bob.connection.data_to_send(START)
        assert data is not None
        alice.connection.receive(bytes(data), START)
        alice.meet()
        self.assertEqual((alice.end and alice.end.code, alice.end and alice.end.text), (5, "full"))
        self.assertEqual(alice.of(Ready), [])

    def test_the_record_size_is_the_smaller(self) -> None:
        small = tuned(max_record_bytes=20_000)
        for alice, bob in ((small, PLAIN), (PLAIN, small)):
            pair = Pair(alice, bob)
            self.assertEqual([owner.session.record_room_bytes for owner in pair.sides], [20_000, 20_000])
            pair.alice.open(stream=True).write(bytes(60_000))
            sizes = []
            while (data := pair.alice.connection.data_to_send(pair.now)) is not None:
                sizes.append(len(data))
                pair.alice.connection.taken(len(data), pair.now)
            self.assertEqual(max(sizes), 20_000)


class TellingTests(SynchronousTestCase):
    def test_extenders(self) -> None:
        pair = Pair()
        names = {UUID(int=n) for n in (5, 3)}
        pair.alice.session.set_extenders([*names, *names])
        pair.pump()
        self.assertEqual(pair.bob.of(ExtendersChanged), [ExtendersChanged(frozenset(names))])
        self.assertEqual(pair.bob.session.peer_extenders, names)

    def test_export_is_the_same_on_both_sides_and_nowhere_else(self) -> None:
        pair = Pair()
        one, two = (owner.session for owner in pair.sides)
        self.assertEqual(one.export(b"label", b"context", 40), two.export(b"label", b"context", 40))
        self.assertEqual(len({one.export(label, b"c", 32) for label in (b"a", b"b")}), 2)

    def test_a_slow_path_has_small_records(self) -> None:
        pair = Pair()
        channel = pair.alice.open(stream=True)
        pair.pump()
        pair.bob.session.pool.grow(0)
        sizes = []
        for pause in (0.0, 1.0, 1.0, 0.001):
            pair.now += pause
            channel.write(bytes(60_000))
            data = pair.alice.connection.data_to_send(pair.now)
            assert data is not None
            sizes.append(len(data))
            pair.bob.connection.receive(bytes(data), pair.now)
            pair.alice.connection.taken(len(data), pair.now)
            pair.pump()
        self.assertGreater(sizes[0], 60_000)
        self.assertEqual(min(sizes), FIRST_RECORD_BYTES)
        self.assertLess(60_000 / RATE_WINDOW_SECONDS, SLOW_PATH_BYTES_PER_SECOND)


class EndTests(SynchronousTestCase):
    """docs/spec/session.md, section 4: each side says CLOSE once, and each user is told once."""

    def ends(self, pair: Pair) -> list[tuple[str, int | None, bool, str]]:
        return [(end.reason, end.code, end.clean, end.by) for owner in pair.sides for end in owner.of(Closed)]

    def test_immediate(self) -> None:
        pair = Pair()
        pair.alice.open(stream=True).write(bytes(300_000))
        pair.alice.connection.close(CloseCode.UPGRADE, "new version", now=pair.now, graceful=False)
        pair.pump()
        self.assertEqual(self.ends(pair), [("upgrade", 11, True, "local"), ("upgrade", 11, True, "remote")])
        self.assertTrue(all(owner.connection.finished for owner in pair.sides))
        self.assertEqual(pair.bob.streamed, {})

    def test_graceful_waits_for_what_is_queued(self) -> None:
        pair = Pair()
        channel = pair.alice.open(stream=True)
        channel.write(bytes(300_000))
        pair.alice.connection.close(now=pair.now)
        self.assertRaises(SessionClosed, pair.alice.session.open_channel, ECHO, stream=True)
        pair.pump().pump()
        self.assertEqual(len(pair.bob.streamed[id(pair.bob.offered[0])]), 300_000)
        self.assertEqual(self.ends(pair), [("bye", 0, True, "local"), ("bye", 0, True, "remote")])

    def test_close_follows_what_it_waited_for_without_another_call(self) -> None:
        """The piece that has the last of it ends with CLOSE, and nobody is woken for that."""
        pair = Pair()
        pair.alice.open().send(b"the last")
        pair.alice.connection.close(now=pair.now)
        calls: list[None] = []
        pair.alice.connection.on_output = lambda: calls.append(None)
        data = pair.alice.connection.data_to_send(pair.now)
        assert data is not None
        pair.alice.connection.taken(len(data), pair.now)
        for half in (bytes(data[:-1]), bytes(data[-1:])):
            pair.bob.connection.receive(half, pair.now)
            pair.bob.meet()
        self.assertEqual((pair.bob.messages, len(pair.bob.of(Closed)), calls), ([b"the last"], 1, []))
        self.assertIsNone(pair.alice.connection.data_to_send(pair.now))

    def test_graceful_at_once_where_nothing_waits(self) -> None:
        pair = Pair()
        pair.alice.connection.close(now=pair.now)
        self.assertIs(pair.alice.session.phase, SessionPhase.CLOSING)

    def test_closes_that_cross(self) -> None:
        pair = Pair()
        for owner in pair.sides:
            owner.connection.close(CloseCode.IDLE, now=pair.now, graceful=False)
        pair.pump()
        self.assertEqual(self.ends(pair), [("idle", 1, True, "local")] * 2)
        self.assertTrue(all(owner.connection.finished for owner in pair.sides))

    def test_a_second_close_changes_nothing_but_its_hurry(self) -> None:
        mallory = Mallory()
        mallory.side.open(stream=True).write(bytes(100_000))
        mallory.listen()
        for code in (CloseCode.IDLE, CloseCode.UPGRADE):
            mallory.side.connection.close(code, now=mallory.now)
        self.assertEqual(mallory.heard(frames.CLOSE), [])
        mallory.side.connection.close(CloseCode.DUPLICATE, now=mallory.now, graceful=False)
        mallory.side.connection.close(CloseCode.REPLACED, now=mallory.now, graceful=False)
        (_, _, data), *more = mallory.heard(frames.CLOSE)
        self.assertEqual((frames.U16.unpack_from(data)[0], more), (CloseCode.DUPLICATE, []))

    def test_five_seconds_for_an_answer(self) -> None:
        mallory = Mallory()
        mallory.side.connection.close(now=mallory.now)
        mallory.listen()
        mallory.wait(4.99)
        self.assertFalse(mallory.side.connection.finished)
        mallory.wait(0.01)
        self.assertTrue(mallory.side.connection.finished)
        self.assertEqual(len(mallory.side.of(Closed)), 1)

    def test_nothing_to_wait_for_when_it_is_over(self) -> None:
        mallory = Mallory()
        mallory.say(frames.frame(frames.CLOSE, bytes(2)))
        self.assertEqual(mallory.side.connection.deadline(), float("inf"))
        mallory.side.connection.expire(mallory.now + 1000)
        self.assertEqual([kind for kind, *_ in mallory.listen()], [frames.CLOSE])

    def test_a_peer_that_cuts_instead_of_answering(self) -> None:
        mallory = Mallory()
        mallory.side.connection.close(now=mallory.now)
        mallory.side.connection.eof(mallory.now)
        mallory.side.meet()
        self.assertEqual([end.clean for end in mallory.side.of(Closed)], [True])

    def test_cut(self) -> None:
        pair = Pair()
        channel = pair.alice.open(stream=True)
        pair.alice.connection.eof(pair.now)
        pair.alice.meet()
        (end,) = pair.alice.ends[id(channel)]
        self.assertEqual((pair.alice.end and pair.alice.end.reason, end.code), ("lost", None))

    def test_unanswered_opens_end_after_thirty_seconds(self) -> None:
        mallory = Mallory(settings=tuned(ping_after_seconds=(1000.0, 1000.0)))
        channels = [mallory.side.open(stream=True)]
        mallory.listen()
        mallory.wait(10)
        channels.append(mallory.side.open())
        channels.append(mallory.side.open(stream=True))
        mallory.listen()
        mallory.say(frames.frame(frames.CH_ACCEPT, b"", 6))
        mallory.wait(19.99)
        self.assertEqual([channel.closed for channel in channels], [False, False, False])
        mallory.wait(0.01)
        self.assertEqual([channel.closed for channel in channels], [True, False, False])
        mallory.wait(10)
        self.assertEqual([channel.closed for channel in channels], [True, True, False])
        codes = {channel: frames.U16.unpack_from(data)[0] for channel, _, data in mallory.heard(frames.CH_RESET)}
        self.assertEqual(codes, {2: ResetCode.TIMEOUT, 4: ResetCode.TIMEOUT})

    def test_a_closing_session_refuses_channels(self) -> None:
        mallory = Mallory()
        mallory.side.open(stream=True).write(bytes(100_000))
        mallory.listen()
        mallory.side.connection.close(now=mallory.now)
        for number in range(1, 41, 2):
            mallory.open(number)
            mallory.say(*[frames.frame(frames.CH_RESET, bytes(2), number)] * 3)
        codes = {frames.U16.unpack_from(data)[0] for _, _, data in mallory.heard(frames.CH_RESET)}
        self.assertEqual((codes, mallory.side.offered), ({ResetCode.REFUSED}, []))
        self.assertIsNone(mallory.side.session.incoming._control_gauge, "late words about them are nobody's fault")


class IdsTests(SynchronousTestCase):
    """ADR 0013: the last id is used, and whoever wants one more has the session renewed."""

    def near_the_end(self, left: int, **more: int) -> Mallory:
        mallory = Mallory(block=replace(SessionBlock(), **more))
        mallory.side.session._next_id = CHANNEL_ID_MAX + 1 - 2 * left
        return mallory

    def code(self, mallory: Mallory) -> int:
        (_, _, data), *_ = mallory.heard(frames.CLOSE)
        self.assertIn(IDS_USED_UP, data.decode("latin-1"))
        return int(frames.U16.unpack_from(data)[0])

    def test_the_last_one_lives(self) -> None:
        mallory = self.near_the_end(2)
        channels = [mallory.side.open(stream=True) for _ in range(2)]
        mallory.listen()
        self.assertEqual([channel.id for channel in channels], [CHANNEL_ID_MAX - 3, CHANNEL_ID_MAX - 1])
        mallory.wait(20)
        self.assertIsNone(mallory.side.end)
        channels[1].write(b"still here")
        self.assertEqual(mallory.listen()[-1][3], b"still here")

    def test_who_wants_one_more(self) -> None:
        mallory = self.near_the_end(1)
        channel = mallory.side.open(stream=True)
        mallory.listen()
        connection = mallory.side.connection
        connection.deadline()
        woken: list[int] = []
        connection.on_output = lambda: woken.append(1)
        error = self.assertRaises(SessionClosed, mallory.side.session.open_channel, ECHO, stream=True)
        self.assertEqual((error.code, woken, connection.timer_moved), (CloseCode.OUT_OF_RESOURCES, [1], True))
        self.assertLessEqual(connection.deadline(), mallory.now)
        channel.write(b"last words")
        mallory.wait(0)
        self.assertEqual(mallory.listen()[0][3], b"last words")
        mallory.wait(0)
        self.assertEqual(self.code(mallory), CloseCode.OUT_OF_RESOURCES)

    def test_those_who_waited_are_told(self) -> None:
        mallory = self.near_the_end(2, max_channels=32)
        channels = [mallory.side.open(stream=True) for _ in range(5)]
        mallory.listen()
        mallory.wait(0)
        ends = [mallory.side.ends[id(channel)] for channel in channels[2:]]
        self.assertEqual([[end.code for end in each] for each in ends], [[CloseCode.OUT_OF_RESOURCES]] * 3)
        self.assertEqual(self.code(mallory), CloseCode.OUT_OF_RESOURCES)

    def test_the_peers_last_one(self) -> None:
        mallory = Mallory()
        mallory.open(CHANNEL_ID_MAX)
        self.assertEqual([channel.id for channel in mallory.side.offered], [CHANNEL_ID_MAX])
        mallory.open(CHANNEL_ID_MAX)
        self.assertEqual(mallory.side.end and mallory.side.end.code, CloseCode.VIOLATION)
