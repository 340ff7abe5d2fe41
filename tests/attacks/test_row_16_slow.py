"""Row 16 of docs/attacks.md: a peer that says, takes or allows next to nothing, and would like us to wait for ever."""

from __future__ import annotations

from quantumgate.core.connection import Connection
from quantumgate.core.handshake import Failed, Initiator, Responder
from quantumgate.errors import LimitError
from quantumgate.wire import frames
from quantumgate.wire.codes import CloseCode, ResetCode
from quantumgate.wire.limits import DEFAULT_LIMITS, RECORD_OVERHEAD_BYTES
from tests.attacks.reactions import SessionReactionTestCase
from tests.core.handshake.duel import START as HANDSHAKE_START
from tests.core.handshake.duel import Duel, settings
from tests.core.sessions import PLAIN, Mallory, limited, replace

SLOW_SECONDS = 9.0
RETRIED = settings("bob", primaries=(2,))


def dribble(party: Initiator | Responder, data: bytes, now: float) -> float:
    """One byte every nine seconds, with the timers that fall due between them; when the party had enough."""
    for at in range(len(data)):
        arrives = now + SLOW_SECONDS * (at + 1)
        while party.outcome is None and party.deadline() <= arrives:
            due = party.deadline()
            party.expire(due)
            if party.outcome is not None:
                return due
        party.receive(data[at : at + 1], arrives)
        if party.outcome is not None:
            return arrives
    raise AssertionError("it waited to the last byte")


class Row16HandshakeTests(SessionReactionTestCase):
    """Slow in each phase of a handshake: the end comes on time, silently at the listener."""

    def drains(self, duel: Duel, data: bytes, most_seconds: float) -> None:
        """Bob gives up by then, says nothing, and is gone by the timer of his accept."""
        bob = duel.responder
        bob.output()
        given_up = dribble(bob, data, duel.now)
        outcome = bob.outcome
        assert isinstance(outcome, Failed)
        self.assertEqual((outcome.reason, outcome.silent, bob.output()), ("deadline", True, b""))
        self.assertLessEqual(given_up - HANDSHAKE_START, most_seconds)
        self.assertLessEqual(bob.deadline() - HANDSHAKE_START, 90 + DEFAULT_LIMITS.retry_seconds)

    def until(self, flights: int, retried: bool) -> tuple[Duel, bytes]:
        """Bob has got so many of alice's flights; the next one."""
        duel = Duel(r=RETRIED if retried else None)
        for _ in range(flights):
            duel.responder.receive(duel.flight("i"), HANDSHAKE_START)
            duel.initiator.receive(duel.flight("r"), HANDSHAKE_START)
            duel.answer_all()
        return duel, duel.flight("i")

    def test_each_message_from_its_first_byte_and_from_its_body_on(self) -> None:
        """(flights before, retried, seconds): INIT 10; FIN 30 from accept; a second INIT 20; a FIN after it 50."""
        for flights, retried, most in ((0, False, 10), (1, False, 30), (1, True, 20), (2, True, 50)):
            for begun in (0, 32, 64, 70):
                duel, data = self.until(flights, retried)
                duel.responder.receive(data[:begun], HANDSHAKE_START)
                self.drains(duel, data[begun:], most)

    def test_a_body_has_ten_seconds_and_one_more_for_each_kib(self) -> None:
        duel, data = self.until(1, False)
        duel.responder.receive(data[:32], HANDSHAKE_START)
        self.assertEqual(duel.responder.deadline(), HANDSHAKE_START + 10)
        duel.responder.receive(data[32 : 32 + 2048], HANDSHAKE_START + 9)
        self.assertEqual(duel.responder.deadline(), HANDSHAKE_START + 12)

    def test_a_listener_that_answers_slowly(self) -> None:
        for retried in (False, True):
            for begun in (0, 64):
                duel = Duel(r=RETRIED if retried else None)
                duel.responder.receive(duel.flight("i"), HANDSHAKE_START)
                data = duel.flight("r")
                duel.initiator.receive(data[:begun], HANDSHAKE_START)
                given_up = dribble(duel.initiator, data[begun:], HANDSHAKE_START)
                self.assertEqual(given_up, HANDSHAKE_START + DEFAULT_LIMITS.dial_seconds)
                self.assertEqual(duel.flight("i"), b"")

    def test_through_the_door_of_a_connection(self) -> None:
        """Not one byte comes out, and the transport is dropped by the timer drawn at accept."""
        duel = Duel()
        connection = Connection(duel.responder, PLAIN, PLAIN.block(), duel.responder._random, HANDSHAKE_START)
        now, sent = HANDSHAKE_START, []
        for octet in duel.flight("i"):
            now += SLOW_SECONDS
            while not connection.finished and connection.deadline() <= now:
                connection.expire(connection.deadline())
            sent.append(connection.data_to_send(now))
            connection.receive(bytes([octet]), now)
            if connection.finished:
                break
        self.assertTrue(connection.finished)
        self.assertLess(now - HANDSHAKE_START, 90 + SLOW_SECONDS)
        self.assertEqual(set(sent), {None})


class Row16SessionTests(SessionReactionTestCase):
    """Slow in each phase of a session."""

    def dribbled(self, mallory: Mallory, data: bytes) -> float:
        """One byte every nine seconds until somebody is told of an end; how long that took."""
        begun = mallory.now
        for octet in data:
            mallory.wait(SLOW_SECONDS)
            mallory.listen()
            if mallory.side.end is not None:
                break
            mallory.raw(bytes([octet]))
        return mallory.now - begun

    def test_a_session_block_that_does_not_come(self) -> None:
        mallory = Mallory(victim_initiates=True, opened=False)
        block = frames.frame(frames.SESSION, PLAIN.block().encode(), flags=frames.WHOLE)
        self.assertLess(self.dribbled(mallory, mallory.record(block)), 10 + SLOW_SECONDS)
        end = mallory.side.end
        self.assertEqual(end and (end.reason, mallory.side.connection.finished), ("not-accepted", True))

    def test_bytes_that_never_become_a_record_are_no_life(self) -> None:
        """With a channel: PING after 60 s of silence at the latest, lost 20 s later."""
        mallory = Mallory()
        mallory.open(1)
        self.assertLess(self.dribbled(mallory, mallory.record(bytes(1000))), 60 + 20 + SLOW_SECONDS)
        end = mallory.side.end
        self.assertEqual(end and (end.reason, end.clean), ("path-lost", False))
        self.assertEqual(len(mallory.heard(frames.PING)), 1)
        self.assertTrue(mallory.side.connection.finished)

    def test_without_channels_such_bytes_keep_nothing_open(self) -> None:
        mallory = Mallory()
        self.assertLessEqual(self.dribbled(mallory, mallory.record(bytes(5000))), 900 + SLOW_SECONDS)
        self.closed(mallory, CloseCode.IDLE)

    def test_life_without_use_keeps_nothing_open(self) -> None:
        """PINGs are life, but a session without channels is closed all the same."""
        mallory = Mallory()
        for _ in range(100):
            mallory.wait(9.5)
            mallory.listen()
            if mallory.side.end is None:
                mallory.say(frames.frame(frames.PING, bytes(8)))
        self.closed(mallory, CloseCode.IDLE)

    def test_a_partial_record_is_held_in_one_buffer(self) -> None:
        """And many such sessions hold what came, not a buffer each."""
        most = PLAIN.block().max_record
        mallory = Mallory()
        mallory.raw(mallory.record(bytes(most))[: most // 2], chunk=1000)
        storage = mallory.side.connection._storage
        assert storage is not None
        self.assertLess(len(storage), most + RECORD_OVERHEAD_BYTES + 1_000_000)

    def test_a_graceful_close_waits_ten_seconds_for_credit_and_five_for_an_answer(self) -> None:
        mallory = Mallory()
        channel = mallory.side.open(stream=True)
        channel.write(bytes(100_000))
        mallory.listen()
        mallory.side.connection.close(now=mallory.now)
        mallory.wait(9.9)
        self.assertEqual(mallory.heard(frames.CLOSE), [])
        mallory.wait(0.1)
        self.closed(mallory, CloseCode.BYE)


class Row16WindowTests(SessionReactionTestCase):
    """Credit that never comes."""

    def test_a_stream_stops_its_writer_and_then_loses_it(self) -> None:
        """``write`` says stop at the mark; past the cap that channel is reset, and the session lives."""
        mallory = Mallory(settings=replace(PLAIN, limits=limited(queue_error_bytes=2_000_000)))
        stuck, other = mallory.side.open(stream=True), mallory.side.open(stream=True)
        self.assertTrue(stuck.write(bytes(100_000)))
        self.assertFalse(stuck.write(bytes(600_000)))
        mallory.listen()
        with self.assertRaises(LimitError):
            for _ in range(100):
                stuck.write(bytes(100_000))
                self.assertLessEqual(mallory.side.session.queued_bytes, 2_000_000)
        resets = mallory.heard(frames.CH_RESET)
        self.assertEqual([(c, frames.U16.unpack_from(d)[0]) for c, _, d in resets], [(stuck.id, ResetCode.LIMIT)])
        self.assertEqual((mallory.side.session.queued_bytes, len(mallory.side.ends[id(stuck)])), (0, 1))
        other.write(b"as if nothing had been")
        self.assertIn(b"as if nothing had been", [data for _, _, data in mallory.heard(frames.MSG)][-1:])
        self.alive(mallory)

    def test_not_one_byte_more_than_was_granted_is_sent(self) -> None:
        mallory = Mallory()
        channel = mallory.side.open(stream=True)
        channel.write(bytes(400_000))
        granted = mallory.block.initial_window
        self.assertEqual(sum(len(data) for _, _, data in mallory.heard(frames.MSG)), granted)
        for limit in (0, granted - 1, granted):
            mallory.say(frames.frame(frames.WINDOW, frames.U64.pack(limit), channel.id))
            self.assertEqual(sum(len(data) for _, _, data in mallory.heard(frames.MSG)), granted, limit)
        mallory.say(frames.frame(frames.WINDOW, frames.U64.pack(granted + 1), channel.id))
        self.assertEqual(sum(len(data) for _, _, data in mallory.heard(frames.MSG)), granted + 1)

    def test_messages_are_refused_at_the_mark(self) -> None:
        mallory = Mallory(victim_initiates=True)
        channel = mallory.side.open()
        taken = 0
        while channel.send(bytes(10_000)):
            taken += 10_000
            self.assertLess(taken, 1_000_000)
            mallory.listen()
        self.assertLessEqual(mallory.side.session.queued_bytes, 600_000)
        self.alive(mallory)

    def test_a_reader_that_never_takes_costs_its_window_and_no_more(self) -> None:
        """The other way round: our guest is stuck, and Mallory fills what she was granted."""
        mallory = Mallory(accepting=False)
        for number in range(1, 1001, 2):
            mallory.open(number, stream=True)
            mallory.say(frames.frame(frames.MSG, bytes(60_000), number))
            mallory.now += 0.01
        held = sum(channel.received_bytes for channel in mallory.side.session.channels.values())
        limits = mallory.side.session.limits
        self.assertLessEqual(held, limits.initial_window_bytes * limits.max_channels)
        self.assertEqual((mallory.heard(frames.WINDOW), mallory.side.session.pool.lent_bytes), ([], 0))

    def test_partial_messages_borrow_half_of_the_pool_at_most(self) -> None:
        mallory = Mallory()
        for number in range(1, 101, 2):
            mallory.open(number)
            total = frames.U32.pack(1_000_000)
            mallory.say(frames.frame(frames.MSG, total + bytes(60_000), number, frames.FIRST))
        pool = mallory.side.session.pool
        self.assertGreater(pool.lent_bytes, 0)
        self.assertLessEqual(pool.lent_bytes, pool.size_bytes // 2)
        self.alive(mallory)


class Row16ReaderTests(SessionReactionTestCase):
    """Our output is never read."""

    def stalled(self) -> Mallory:
        """Something waits, and the transport took one byte of it."""
        mallory = Mallory()
        channel = mallory.side.open(stream=True)
        channel.write(bytes(300_000))
        self.assertIsNotNone(mallory.side.connection.data_to_send(mallory.now))
        mallory.side.connection.taken(1, mallory.now)
        return mallory

    def test_sixty_seconds_without_a_byte_taken(self) -> None:
        mallory = self.stalled()
        mallory.wait(59.9)
        self.assertIsNone(mallory.side.end)
        mallory.wait(0.1)
        end = mallory.side.end
        self.assertEqual(end and (end.reason, end.clean, mallory.side.connection.finished), ("path-lost", False, True))

    def test_a_byte_taken_is_progress(self) -> None:
        mallory = self.stalled()
        for _ in range(3):
            mallory.wait(59)
            mallory.raw(mallory.record(b"\0"))
            mallory.side.connection.taken(1, mallory.now)
            self.assertIsNone(mallory.side.end)

    def test_one_record_is_sealed_whatever_waits(self) -> None:
        mallory = self.stalled()
        before = mallory.side.session.bytes_sent
        for _ in range(100):
            mallory.side.session.ping(mallory.now)
            self.assertIsNotNone(mallory.side.connection.data_to_send(mallory.now))
            mallory.now += 0.1
        self.assertEqual(mallory.side.session.bytes_sent, before)

    def test_answers_to_what_it_says_meanwhile_are_state_not_a_queue(self) -> None:
        """Fifty seconds of PINGs and of streams that are read: reading goes on, and one answer of each kind waits."""
        mallory = Mallory()
        mallory.open(1, stream=True)
        mallory.listen()
        mallory.side.open(stream=True).write(b"a record that waits to be taken")
        waiting = mallory.side.connection.data_to_send(mallory.now)
        assert waiting is not None
        mallory.say(frames.frame(frames.CH_ACCEPT, channel=2))
        for number in range(400):
            (channel,) = (one for one in mallory.side.session.channels.values() if not one.ours)
            room = min(16_000, channel.receive_limit - channel.received_bytes)
            mallory.say(frames.frame(frames.MSG, bytes(room), 1), frames.frame(frames.PING, frames.U64.pack(number)))
            mallory.now += 0.125
            mallory.side.connection.expire(mallory.now)
        self.assertGreater(channel.received_bytes, 4_000_000)
        self.assertEqual(mallory.side.session.outgoing.controls_waiting, 0)
        kinds = [(kind, data) for kind, _, _, data in mallory.listen() if kind in (frames.PONG, frames.WINDOW)]
        limit = frames.U64.pack(channel.receive_limit)
        self.assertEqual(sorted(kinds), [(frames.PONG, frames.U64.pack(399)), (frames.WINDOW, limit)])
        self.assertIsNone(mallory.side.end)

    def test_openings_whose_answers_are_not_read(self) -> None:
        """At a rate that breaks no budget: after 4096 unread answers the next one is a flood all the same."""
        mallory = Mallory(settings=replace(PLAIN, limits=limited(stall_seconds=1e6)))
        mallory.side.open(stream=True).write(b"something that waits for ever")
        self.assertIsNotNone(mallory.side.connection.data_to_send(mallory.now))
        for number in range(1, 20_001, 2):
            mallory.open(number)
            mallory.say(frames.frame(frames.CH_RESET, bytes(2), number))
            mallory.now += 0.01
            if mallory.side.end is not None:
                break
        end = mallory.side.end
        self.assertEqual(end and end.code, CloseCode.FLOOD)
        self.assertLessEqual(number, 2 * 4100)
