"""The one door: bytes cut anywhere, buffers lent and given back, stalls, dead channels, and handshakes that fail."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.buffers import CROWDED_BUFFERS, BufferPool
from quantumgate.core.connection import READ_BYTES, Connection
from quantumgate.core.events import Closed, Ready, RequestMade, SecurityNotice
from quantumgate.core.handshake import Initiator, Responder, Verdict
from quantumgate.core.handshake.outcome import Failed
from quantumgate.crypto.random import RandomSource
from quantumgate.wire import frames
from quantumgate.wire.codes import CloseCode
from quantumgate.wire.limits import KIB, MIB
from tests.core.handshake.duel import WALL_OFFSET_SECONDS, SeededRandom, identity, settings, window
from tests.core.sessions import (
    PLAIN,
    START,
    Finished,
    Mallory,
    Owner,
    Pair,
    connect,
    established,
    replace,
    tuned,
)

FOREVER = float("inf")


def drained(connection: Connection, now: float = START) -> bytes:
    """All that it has to say."""
    said = b""
    while (data := connection.data_to_send(now)) is not None:
        said += bytes(data)
        connection.taken(len(data), now)
    return said


class BytesInTests(SynchronousTestCase):
    """``buffer`` and ``received``: as a socket reads."""

    def test_every_cut(self) -> None:
        for chunk in (1, 7, 19, 20, 21, 36, 1000):
            pair = Pair()
            channel = pair.alice.open(stream=True)
            channel.write(bytes(range(200)))
            pair.pump(chunk)
            self.assertEqual(bytes(pair.bob.streamed[id(pair.bob.offered[0])]), bytes(range(200)))

    def test_straight_into_the_buffer(self) -> None:
        """Reads of every size that a kernel may give, over more bytes than one buffer holds."""
        big = tuned(max_record_bytes=MIB, initial_window_bytes=4 * MIB, max_channels=32)
        for size in (READ_BYTES, 100_000, 1 << 30):
            buffers = BufferPool()
            pair = Pair(big, big, buffers=buffers)
            channel = pair.alice.open(stream=True)
            data = bytes(range(256)) * 12_000
            channel.write(data)
            wire = drained(pair.alice.connection)
            while wire:
                room = pair.bob.connection.buffer()
                self.assertGreaterEqual(len(room), min(READ_BYTES, len(wire)))
                count = min(len(room), len(wire), size)
                room[:count] = wire[:count]
                pair.bob.connection.received(count, pair.now)
                wire = wire[count:]
                pair.bob.meet()
            self.assertEqual(bytes(pair.bob.streamed[id(pair.bob.offered[0])]), data)
            self.assertIsNone(pair.bob.connection._storage)
            self.assertEqual(buffers._lent, 0)

    def test_idle_holds_no_buffer(self) -> None:
        buffers = BufferPool()
        pair = Pair(buffers=buffers)
        pair.alice.open(stream=True).write(bytes(300_000))
        pair.pump(1234)
        self.assertEqual(buffers._lent, 0)

    def test_in_a_crowd_each_keeps_what_it_has(self) -> None:
        buffers = BufferPool()
        lent = [buffers.borrow() for _ in range(CROWDED_BUFFERS)]
        pair = Pair(buffers=buffers)
        channel = pair.alice.open(stream=True)
        channel.write(bytes(60_000))
        wire = drained(pair.alice.connection)
        pair.bob.connection.receive(wire[:10], pair.now)
        pair.bob.connection.receive(wire[10:1000], pair.now)
        self.assertEqual((buffers._lent, len(pair.bob.connection._storage or b"")), (CROWDED_BUFFERS, 1000))
        pair.bob.connection.receive(wire[1000:], pair.now)
        pair.bob.meet()
        self.assertEqual(len(pair.bob.streamed[id(pair.bob.offered[0])]), 60_000)
        self.assertEqual(buffers._lent, len(lent))

    def test_what_comes_after_the_end_is_not_kept(self) -> None:
        mallory = Mallory()
        mallory.say(frames.frame(frames.CLOSE, bytes(2)))
        mallory.raw(b"whatever" * 1000)
        mallory.listen()
        self.assertTrue(mallory.side.connection.finished)
        mallory.side.connection.received(0, mallory.now)
        self.assertIsNone(mallory.side.connection._storage)


class BytesOutTests(SynchronousTestCase):
    def test_taken_in_pieces(self) -> None:
        buffers = BufferPool()
        pair = Pair(buffers=buffers)
        pair.alice.open(stream=True).write(bytes(50_000))
        first = pair.alice.connection.data_to_send(pair.now)
        assert first is not None
        whole, at = bytes(first), 0
        for count in (1, 0, 100, 40_000):
            pair.alice.connection.taken(count, pair.now)
            at += count
            self.assertEqual(bytes(pair.alice.connection.data_to_send(pair.now) or b""), whole[at:])
        pair.alice.connection.taken(len(whole) - at, pair.now)
        pair.alice.connection.taken(5, pair.now)
        pair.bob.connection.receive(whole, pair.now)
        pair.pump()
        self.assertEqual(len(pair.bob.streamed[id(pair.bob.offered[0])]), 50_000)
        self.assertEqual(buffers._lent, 0)

    def test_in_a_crowd_only_the_rest_is_kept(self) -> None:
        buffers = BufferPool()
        pair = Pair(buffers=buffers)
        for _ in range(CROWDED_BUFFERS):
            buffers.borrow()
        pair.alice.open(stream=True).write(bytes(50_000))
        first = pair.alice.connection.data_to_send(pair.now)
        assert first is not None
        whole = bytes(first)
        pair.alice.connection.taken(10, pair.now)
        self.assertEqual(buffers._lent, CROWDED_BUFFERS)
        self.assertEqual(bytes(pair.alice.connection.data_to_send(pair.now) or b""), whole[10:])

    def test_a_stall_to_the_moment(self) -> None:
        seconds = PLAIN.limits.stall_seconds
        mallory = Mallory(settings=tuned(ping_after_seconds=(1000.0, 1000.0), accept_seconds=1000.0))
        connection = mallory.side.connection
        mallory.side.open(stream=True).write(bytes(50_000))
        connection.deadline()
        self.assertIsNotNone(connection.data_to_send(mallory.now))
        self.assertTrue(connection.timer_moved)
        self.assertEqual(connection.deadline(), mallory.now + seconds)
        mallory.wait(30)
        connection.taken(1, mallory.now)
        mallory.wait(30)
        connection.taken(0, mallory.now)
        mallory.wait(seconds - 30.01)
        self.assertFalse(connection.finished)
        mallory.wait(0.01)
        self.assertTrue(connection.finished)
        self.assertEqual(mallory.side.end and mallory.side.end.clean, False)

    def test_quiet(self) -> None:
        pair = Pair()
        connection = pair.alice.connection
        self.assertTrue(connection.quiet)
        channel = pair.alice.open(stream=True)
        self.assertFalse(connection.quiet)
        pair.pump()
        self.assertTrue(connection.quiet)
        channel.write(b"x")
        connection.data_to_send(pair.now)
        self.assertFalse(connection.quiet)
        pair.pump()
        connection.close(now=pair.now)
        pair.pump()
        self.assertFalse(connection.quiet)


class DeadTests(SynchronousTestCase):
    """docs/spec/session.md, section 5."""

    def dead(self) -> Mallory:
        mallory = Mallory()
        mallory.side.open(stream=True).write(bytes(100_000))
        mallory.raw(bytes(100))
        return mallory

    def test_told_at_once_and_nothing_more_is_sent(self) -> None:
        mallory = self.dead()
        end = mallory.side.end
        self.assertEqual((end and end.reason, end and end.by), ("damaged", "transport"))
        self.assertEqual(mallory.side.session.channels, {})
        self.assertEqual((mallory.listen(), mallory.side.connection.discarding), ([], True))
        mallory.side.connection.close(now=mallory.now)
        mallory.raw(bytes(100_000))
        self.assertEqual(mallory.listen(), [])
        self.assertIsNone(mallory.side.connection._storage)

    def test_a_record_that_was_half_taken_is_dropped(self) -> None:
        mallory = Mallory()
        buffers = mallory.side.connection._buffers
        mallory.side.open(stream=True).write(bytes(50_000))
        mallory.side.connection.data_to_send(mallory.now)
        mallory.side.connection.taken(10, mallory.now)
        mallory.raw(bytes(100))
        self.assertEqual((mallory.listen(), buffers._lent), ([], 0))

    def test_until_a_drawn_moment(self) -> None:
        low, high = PLAIN.limits.dead_seconds
        mallory = self.dead()
        until = mallory.side.connection.deadline()
        self.assertTrue(START + low <= until <= START + high)
        mallory.raw(bytes(1000))
        mallory.wait(until - mallory.now - 0.01)
        self.assertFalse(mallory.side.connection.finished)
        mallory.wait(0.01)
        self.assertTrue(mallory.side.connection.finished)

    def test_or_until_the_peer_closes(self) -> None:
        mallory = self.dead()
        mallory.side.connection.eof(mallory.now)
        mallory.side.meet()
        self.assertTrue(mallory.side.connection.finished)
        self.assertEqual(len(mallory.side.of(Closed)), 1)

    def test_a_violation_first_then_damage(self) -> None:
        mallory = Mallory()
        violation = mallory.record(frames.frame(frames.MSG, b"x", 99))
        mallory.raw(violation + bytes(100))
        self.assertEqual([end.code for end in mallory.side.of(Closed)], [CloseCode.VIOLATION])
        self.assertEqual((mallory.side.connection.discarding, mallory.listen()), (True, []))

    def test_what_follows_a_violation_is_read_for_the_answer(self) -> None:
        mallory = Mallory()
        violation = mallory.record(frames.frame(frames.MSG, b"x", 99))
        mallory.raw(violation + mallory.record(frames.frame(frames.CLOSE, bytes(2))))
        mallory.listen()
        self.assertTrue(mallory.side.connection.finished)
        self.assertEqual(len(mallory.heard(frames.CLOSE)), 1)


class Door:
    """A real handshake through two Connections; requests are answered by the test."""

    def __init__(self, admitted: bool = True, **responder: Any) -> None:
        luck: RandomSource = SeededRandom("door")
        alice, bob = settings("alice"), settings("bob", **responder)
        block = PLAIN.block()
        self.alice = Owner(Connection(
            Initiator(alice, target=identity("bob").public.uuid, pin=None, session_tlvs=block.encode(), random=luck,
                      now=START, wall_offset_seconds=WALL_OFFSET_SECONDS), PLAIN, block, luck, START))  # fmt: skip
        self.bob = Owner(Connection(
            Responder(bob, window(), random=luck, now=START, wall_offset_seconds=WALL_OFFSET_SECONDS),
            PLAIN, block, luck, START))  # fmt: skip
        self.admitted = admitted

    def move(self, source: Owner, target: Owner, chunk: int = 1 << 30) -> bytes:
        data = drained(source.connection)
        for at in range(0, len(data), chunk):
            target.connection.receive(data[at : at + chunk], START)
        for owner in (source, target):
            self.answer(owner)
        return data

    def answer(self, owner: Owner) -> None:
        """Say yes or no to each request."""
        known = len(owner.events)
        owner.meet()
        for event in owner.events[known:]:
            if isinstance(event, RequestMade):
                owner.connection.answer(event.request, Verdict(self.admitted), START)
                owner.meet()

    def run(self, chunk: int = 1 << 30) -> Door:
        while self.move(self.alice, self.bob, chunk) + self.move(self.bob, self.alice, chunk):
            pass
        return self


class HandshakeTests(SynchronousTestCase):
    """What a handshake needs and how it ends, through the same door."""

    def test_to_the_session(self) -> None:
        for chunk in (1 << 30, 1000):
            door = Door().run(chunk)
            for owner in (door.alice, door.bob):
                self.assertEqual(len(owner.of(Ready)), 1)
                self.assertEqual(len(owner.of(RequestMade)), 1)
            channel = door.alice.open()
            channel.send(b"hello")
            door.run()
            self.assertEqual(door.bob.messages, [b"hello"])

    def test_records_right_behind_the_last_message(self) -> None:
        """The responder's verdict comes late: what the initiator has said meanwhile waits and is not lost."""
        door = Door()
        door.move(door.alice, door.bob)
        door.move(door.bob, door.alice)
        self.assertIsNotNone(door.alice.connection.session)
        third = drained(door.alice.connection)
        door.bob.connection.receive(third, START)
        door.bob.meet()
        (check,) = [event.request for event in door.bob.of(RequestMade)]
        door.alice.connection.close(CloseCode.GOING_TO_SLEEP, now=START)
        door.bob.connection.receive(drained(door.alice.connection), START)
        self.assertIsNone(door.bob.connection.session)
        door.bob.connection.answer(check, Verdict(True), START)
        door.bob.meet()
        self.assertEqual(door.bob.end and door.bob.end.code, CloseCode.GOING_TO_SLEEP)
        door.bob.connection.answer(check, Verdict(True), START)

    def test_a_refused_verdict_of_the_dialler(self) -> None:
        door = Door(admitted=False)
        door.run()
        self.assertEqual((door.alice.end and door.alice.end.by, door.alice.connection.finished), ("handshake", True))
        self.assertEqual(drained(door.alice.connection), b"")

    def test_a_responder_that_fails_says_nothing_and_reads_on(self) -> None:
        door = Door(network_id=b"another network")
        drained(door.bob.connection)
        first = drained(door.alice.connection)
        door.bob.connection.receive(first, START)
        door.bob.meet()
        until = door.bob.connection.deadline()
        self.assertTrue(START + 30 <= until <= START + 90)
        self.assertEqual((drained(door.bob.connection), door.bob.connection.discarding), (b"", True))
        door.bob.connection.receive(bytes(10_000), START)
        door.bob.connection.expire(until - 0.01)
        self.assertFalse(door.bob.connection.finished)
        door.bob.connection.expire(until)
        self.assertTrue(door.bob.connection.finished)

    def test_a_deadline_of_the_handshake(self) -> None:
        door = Door()
        drained(door.alice.connection)
        self.assertEqual(door.alice.connection.deadline(), START + 10)
        door.alice.connection.expire(START + 10)
        door.alice.meet()
        self.assertEqual(door.alice.end and door.alice.end.reason, "no-answer")
        self.assertTrue(door.alice.connection.finished)

    def test_cut_during_the_handshake(self) -> None:
        door = Door()
        door.alice.connection.eof(START)
        door.alice.meet()
        self.assertEqual((door.alice.end and door.alice.end.reason, door.alice.connection.finished), ("lost", True))

    def test_closed_by_hand_during_the_handshake(self) -> None:
        door = Door()
        woken: list[int] = []
        door.alice.connection.on_output = lambda: woken.append(1)
        door.alice.connection.close(now=START)
        door.alice.meet()
        self.assertEqual((door.alice.end and door.alice.end.reason, woken), ("cancelled", [1]))
        door.alice.connection.close(now=START)
        door.alice.connection.receive(b"late", START)
        door.alice.connection.expire(START + 100)
        self.assertEqual((len(door.alice.of(Closed)), door.alice.connection.deadline()), (1, FOREVER))

    def failing(self, failed: Failed, output: bytes = b"") -> Owner:
        owner = Owner(Connection(Finished(failed, output, START + 50), PLAIN, PLAIN.block(), SeededRandom(1), START))  # type: ignore[arg-type]
        owner.meet()
        return owner

    def test_last_words_of_a_failed_handshake_go_out(self) -> None:
        for silent in (True, False):
            owner = self.failing(Failed("refused", "no", silent=silent), b"REFUSE")
            self.assertFalse(owner.connection.finished)
            self.assertEqual(drained(owner.connection), b"REFUSE")
            self.assertEqual(owner.connection.finished, not silent)

    def test_last_words_that_nobody_takes(self) -> None:
        owner = self.failing(Failed("refused", "no"), b"REFUSE")
        owner.connection.data_to_send(START)
        self.assertEqual(owner.connection.deadline(), START + PLAIN.limits.stall_seconds)
        owner.connection.expire(START + PLAIN.limits.stall_seconds)
        self.assertTrue(owner.connection.finished)

    def test_an_operator_hears_of_it(self) -> None:
        owner = self.failing(Failed("pin", "another key", advice="look", security_event=True))
        self.assertEqual(owner.events, [SecurityNotice("pin", "another key"),
                                        Closed("pin", "another key", advice="look", by="handshake")])  # fmt: skip
        self.assertTrue(owner.connection.finished)

    def test_what_the_handshake_still_says_goes_first(self) -> None:
        handshake = Finished(established(True), b"FIN")
        owner = Owner(Connection(handshake, PLAIN, PLAIN.block(), SeededRandom(1), START))  # type: ignore[arg-type]
        owner.connection.close(now=START)
        said = drained(owner.connection)
        self.assertTrue(said.startswith(b"FIN") and len(said) > 10)

    def test_a_reader_and_a_writer_of_their_own_size(self) -> None:
        """A peer that announces 16 KiB gets no larger records, whatever we take ourselves."""
        pair = Pair(tuned(max_record_bytes=16 * KIB), replace(PLAIN))
        self.assertEqual([owner.session.record_room_bytes for owner in pair.sides], [16 * KIB] * 2)
        self.assertIsNone(connect(True).end)
