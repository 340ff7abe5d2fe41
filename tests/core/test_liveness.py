"""Alive, silent, idle: each timer at its exact moment, and none that rings for nothing."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.events import Pong
from quantumgate.wire import frames
from quantumgate.wire.codes import CloseCode
from quantumgate.wire.limits import PING_GAP_SECONDS
from tests.core.sessions import START, Mallory, Pair, replace, tuned

SILENCE = tuned(ping_after_seconds=(40.0, 40.0), rekey_seconds=(100_000.0, 100_000.0))
NOTHING = b"\x00"


class Case(SynchronousTestCase):
    def mallory(self, **more: object) -> Mallory:
        """A victim with a channel, so that silence matters; it pings after exactly 40 s."""
        mallory = Mallory(settings=tuned(SILENCE, ping_after_seconds=(40.0, 40.0), **more))
        mallory.open(1)
        mallory.listen()
        return mallory

    def pings(self, mallory: Mallory) -> list[bytes]:
        return [data for _, _, data in mallory.heard(frames.PING)]


class SilenceTests(Case):
    """docs/spec/session.md, section 3."""

    def test_ping_after_silence_and_lost_without_an_answer(self) -> None:
        mallory = self.mallory()
        mallory.wait(39.99)
        self.assertEqual(self.pings(mallory), [])
        mallory.wait(0.01)
        self.assertEqual(len(self.pings(mallory)), 1)
        mallory.wait(19.99)
        self.assertIsNone(mallory.side.end)
        mallory.wait(0.01)
        end = mallory.side.end
        self.assertEqual((end and end.by, end and end.clean), ("transport", False))
        self.assertTrue(mallory.side.connection.finished)

    def test_any_record_is_life(self) -> None:
        mallory = self.mallory()
        mallory.wait(39)
        mallory.say(NOTHING)
        mallory.wait(39.99)
        self.assertEqual(self.pings(mallory), [])
        mallory.wait(0.01)
        self.assertEqual(len(self.pings(mallory)), 1)
        mallory.wait(10)
        mallory.say(NOTHING)
        mallory.wait(39)
        self.assertIsNone(mallory.side.end)

    def test_a_late_answer_is_no_answer_but_life(self) -> None:
        mallory = self.mallory()
        mallory.wait(40)
        (first,) = self.pings(mallory)
        mallory.wait(10)
        mallory.say(NOTHING)
        mallory.wait(40)
        self.assertEqual(len(self.pings(mallory)), 2)
        mallory.say(frames.frame(frames.PONG, first))
        self.assertIsNone(mallory.side.session.rtt_seconds)
        mallory.say(frames.frame(frames.PONG, self.pings(mallory)[1]))
        self.assertEqual(mallory.side.session.rtt_seconds, 0)

    def test_the_time_is_drawn_anew(self) -> None:
        mallory = Mallory(settings=tuned(rekey_seconds=(100_000.0, 100_000.0)))
        mallory.open(1)
        gaps, last = set(), mallory.now
        for _ in range(8):
            count = len(self.pings(mallory))
            while len(self.pings(mallory)) == count:
                mallory.wait(0.5)
            gaps.add(mallory.now - last)
            last = mallory.now
            mallory.say(frames.frame(frames.PONG, self.pings(mallory)[-1]))
        self.assertTrue(all(30 <= gap <= 60.5 for gap in gaps))
        self.assertGreater(len(gaps), 4)

    def test_an_unused_session_is_not_pinged_unless_it_is_kept(self) -> None:
        for keep in (False, True):
            mallory = Mallory(settings=replace(SILENCE, keep=keep))
            mallory.wait(40)
            self.assertEqual(len(self.pings(mallory)), int(keep))
            mallory.wait(20)
            self.assertEqual(mallory.side.end is None, not keep)

    def test_kept_from_now_on(self) -> None:
        """The timer is asked again at once: whoever holds it may have set it for the idle end."""
        mallory = Mallory(settings=SILENCE)
        mallory.side.connection.deadline()
        self.assertFalse(mallory.side.connection.timer_moved)
        mallory.side.session.keep = True
        self.assertTrue(mallory.side.connection.timer_moved)
        self.assertEqual(mallory.side.connection.deadline(), START + 40)


class IdleTests(Case):
    def test_closed_after_the_idle_time(self) -> None:
        mallory = Mallory(settings=SILENCE)
        mallory.wait(899.9)
        self.assertEqual(mallory.heard(frames.CLOSE), [])
        mallory.wait(0.1)
        (_, _, data), *_ = mallory.heard(frames.CLOSE)
        self.assertEqual(frames.U16.unpack_from(data)[0], CloseCode.IDLE)

    def test_counted_from_the_end_of_the_last_channel(self) -> None:
        mallory = self.mallory()
        mallory.wait(30)
        mallory.say(frames.frame(frames.CH_RESET, bytes(2), 1))
        mallory.wait(899.9)
        self.assertIsNone(mallory.side.end)
        mallory.wait(0.1)
        self.assertEqual(mallory.side.end and mallory.side.end.code, CloseCode.IDLE)


class AskedTests(Case):
    """A round trip that somebody wants to know."""

    def test_measured(self) -> None:
        pair = Pair()
        pair.alice.session.ping(pair.now)
        data = pair.alice.connection.data_to_send(pair.now)
        assert data is not None
        pair.now += 0.25
        pair.bob.connection.receive(bytes(data), pair.now)
        pair.alice.connection.taken(len(data), pair.now)
        pair.pump()
        self.assertEqual((pair.alice.of(Pong), pair.alice.session.rtt_seconds), ([Pong(0.25)], 0.25))
        self.assertEqual(pair.bob.of(Pong), [])

    def test_one_answer_for_all_who_ask_meanwhile(self) -> None:
        mallory = self.mallory()
        for _ in range(5):
            mallory.side.session.ping(mallory.now)
        (token,) = self.pings(mallory)
        mallory.say(frames.frame(frames.PONG, token))
        self.assertEqual(len(mallory.side.of(Pong)), 1)

    def test_another_waits_for_its_gap(self) -> None:
        mallory = self.mallory()
        mallory.side.session.ping(mallory.now)
        mallory.say(frames.frame(frames.PONG, self.pings(mallory)[0]))
        mallory.side.session.ping(mallory.now)
        mallory.wait(PING_GAP_SECONDS - 0.001)
        self.assertEqual(len(self.pings(mallory)), 1)
        mallory.wait(0.001)
        self.assertEqual(len(self.pings(mallory)), 2)
        self.assertEqual(len(mallory.side.of(Pong)), 1)
        mallory.say(frames.frame(frames.PONG, self.pings(mallory)[1]))
        self.assertEqual(len(mallory.side.of(Pong)), 2)

    def test_urgent_is_sooner(self) -> None:
        mallory = self.mallory()
        mallory.side.session.ping(mallory.now)
        mallory.listen()
        mallory.wait(1)
        mallory.side.session.ping_urgently(mallory.now)
        self.assertEqual(len(self.pings(mallory)), 2)
        mallory.wait(4.99)
        self.assertIsNone(mallory.side.end)
        mallory.wait(0.02)
        self.assertEqual(mallory.side.end and mallory.side.end.by, "transport")

    def test_a_delayed_one_keeps_its_hurry(self) -> None:
        """Urgent, then an ordinary one, both within the gap of a third: the answer is awaited urgently."""
        mallory = self.mallory()
        mallory.side.session.ping(mallory.now)
        mallory.say(frames.frame(frames.PONG, self.pings(mallory)[0]))
        mallory.side.session.ping_urgently(mallory.now)
        mallory.side.session.ping(mallory.now)
        mallory.wait(5 + PING_GAP_SECONDS)
        self.assertEqual(mallory.side.end and mallory.side.end.by, "transport")

    def test_no_timer_rings_for_ever(self) -> None:
        """A delayed one that is not sooner any more when its gap is over does not keep the timer in the past."""
        mallory = self.mallory(ping_seconds=5.0, ping_urgent_seconds=4.97)
        mallory.side.session.ping(mallory.now)
        mallory.now += 0.01
        mallory.side.session.ping_urgently(mallory.now)
        connection, rings = mallory.side.connection, 0
        while mallory.side.end is None:
            rings += 1
            self.assertLess(rings, 10, "the timer rings and rings")
            mallory.now = max(mallory.now, connection.deadline())
            connection.expire(mallory.now)
            mallory.listen()
        self.assertAlmostEqual(mallory.now, START + 5)


class RekeyingTests(Case):
    def test_who_waits_for_new_keys_wants_to_know(self) -> None:
        """A re-key under way on an unused session: silence matters as if it had channels."""
        mallory = Mallory(settings=SILENCE)
        mallory.wait(100)
        mallory.side.session.rekey.request(mallory.now)
        mallory.wait(61)
        end = mallory.side.end
        self.assertEqual(end and end.by, "transport")
