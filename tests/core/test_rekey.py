"""Re-key between honest sides: when it begins, in what order it goes, and what both sides can rely on meanwhile.

What a dishonest side may not do is in ``tests/attacks/test_row_20_rekey.py``.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.events import Rekeyed
from quantumgate.core.session_settings import SessionSettings
from quantumgate.crypto.suites import REKEY_INSTEAD_OF_OPT_IN, SECONDARIES, Suite
from quantumgate.errors import BugError, LimitError
from quantumgate.wire import frames
from quantumgate.wire.limits import BUDGET_PACE
from quantumgate.wire.rekey_messages import RekeyRequest
from tests.core.sessions import PLAIN, START, Mallory, Owner, Pair, tuned

FLOOR = PLAIN.limits.rekey_floor_seconds / BUDGET_PACE
ALWAYS = (1_000_000.0, 1_000_000.0)


def timed(seconds: float, **more: object) -> SessionSettings:
    """Settings with a re-key after exactly so long, without pings and idle ends."""
    quiet = {"ping_after_seconds": ALWAYS, "idle_seconds": 1_000_000.0}
    return tuned(**quiet | {"rekey_seconds": (seconds, seconds)} | more)


class Case(SynchronousTestCase):
    def epochs(self, pair: Pair) -> list[int]:
        return [owner.session.key_epoch for owner in pair.sides]

    def asked(self, mallory: Mallory) -> int:
        mallory.listen()
        return sum(kind == frames.REKEY_REQ for kind, _ in mallory.long_seen)


class OrderTests(Case):
    """docs/spec/rekey.md, section 4."""

    def test_by_either_side_again_and_again(self) -> None:
        pair = Pair()
        channel = pair.alice.open(stream=True)
        for turn in range(1, 5):
            pair.advance(FLOOR)
            pair.sides[turn % 2].session.rekey.request(pair.now)
            channel.write(bytes([turn]) * 100_000)
            pair.pump(1000 if turn % 2 else 1 << 30)
            self.assertEqual(self.epochs(pair), [turn, turn])
        self.assertEqual(pair.alice.of(Rekeyed), [Rekeyed(turn) for turn in range(1, 5)])
        self.assertEqual(pair.alice.of(Rekeyed), pair.bob.of(Rekeyed))
        self.assertEqual(len(pair.bob.streamed[id(pair.bob.offered[0])]), 400_000)

    def test_the_roots_agree_and_the_old_ones_are_gone(self) -> None:
        pair = Pair().advance(FLOOR)
        old = [owner.session.rekey.root for owner in pair.sides]
        pair.alice.session.rekey.request(pair.now)
        pair.pump()
        one, two = (owner.session.rekey.root for owner in pair.sides)
        self.assertEqual(one.reveal(), two.reveal())
        for root in old:
            self.assertRaises(BugError, root.reveal)

    def test_when_both_ask_at_once(self) -> None:
        pair = Pair().advance(FLOOR)
        for owner in pair.sides:
            owner.session.rekey.request(pair.now)
            owner.session.rekey.request(pair.now)
        pair.pump()
        self.assertEqual(self.epochs(pair), [1, 1])

    def test_data_goes_on_under_the_old_key_until_the_switch(self) -> None:
        mallory = Mallory(victim_initiates=True)
        mallory.wait(FLOOR)
        channel = mallory.side.open(stream=True)
        mallory.listen()
        mallory.side.session.rekey.request(mallory.now)
        channel.write(b"before")
        self.assertIn(b"before", [data for *_, data in mallory.listen()])
        request = next(data for kind, data in mallory.long_seen if kind == frames.REKEY_REQ)
        mallory.say(mallory.long(frames.REKEY_RSP, mallory.answer(request)))
        channel.write(b"after")
        self.assertEqual(mallory.next_record()[-1][0], frames.KEY_SWITCH)
        mallory.switch_hearing()
        self.assertEqual([data for *_, data in mallory.listen()], [b"after"])
        mallory.say(frames.frame(frames.KEY_SWITCH))
        self.assertEqual(mallory.side.session.key_epoch, 1)

    def test_a_requester_that_is_faster_than_our_own_switch(self) -> None:
        """The answer is out, KEY_SWITCH waits for the next record because the transport is full: no offence."""
        mallory = Mallory(settings=tuned(max_record_bytes=16_384))
        mallory.wait(FLOOR)
        outgoing, connection = mallory.side.session.outgoing, mallory.side.connection
        mallory.say(mallory.long(frames.REKEY_REQ, mallory.request()))
        outgoing.switch_due = False  # as if the record had no room for it
        mallory.listen()
        outgoing.switch_due = True
        mallory.take_answer()
        mallory.say(frames.frame(frames.KEY_SWITCH))
        mallory.switch_sending()
        mallory.say(frames.frame(frames.PING, bytes(8)))
        self.assertIsNone(mallory.side.end)
        self.assertEqual([kind for kind, *_ in mallory.next_record()], [frames.KEY_SWITCH])
        self.assertEqual((mallory.side.session.key_epoch, connection.discarding), (1, False))

    def test_groups_are_those_of_the_handshake_or_fast_ones(self) -> None:
        slow = next(number for number, row in SECONDARIES.items() if row.opt_in)
        for suite, expected in ((Suite(2, 1, 2), (2, 1)), (Suite(1, slow, 1), (1, REKEY_INSTEAD_OF_OPT_IN))):
            mallory = Mallory(suite=suite)
            mallory.wait(FLOOR)
            mallory.side.session.rekey.request(mallory.now)
            mallory.listen()
            request = RekeyRequest.decode(mallory.long_seen[-1][1])
            self.assertEqual((request.primary, request.secondary), expected)


class WhenTests(Case):
    """docs/spec/rekey.md, sections 5 and 6: triggers, floors, and an idle session."""

    def used(self, mallory: Mallory, seconds: float) -> None:
        """A second after the last change of keys an application byte came."""
        mallory.wait(1)
        mallory.say(mallory.message(1, b"x"))
        mallory.wait(seconds - 1)

    def test_by_time_to_the_moment(self) -> None:
        mallory = Mallory(settings=timed(100))
        mallory.open(1)
        self.used(mallory, 99.99)
        self.assertEqual(self.asked(mallory), 0)
        mallory.wait(0.01)
        self.assertEqual(self.asked(mallory), 1)

    def test_never_sooner_than_the_peer_allows(self) -> None:
        """A time under the floor waits for it, and a margin more."""
        mallory = Mallory(settings=timed(61))
        mallory.open(1)
        self.used(mallory, FLOOR - 0.01)
        self.assertEqual(self.asked(mallory), 0)
        mallory.wait(0.01)
        self.assertEqual(self.asked(mallory), 1)

    def test_an_idle_session_waits_for_its_next_byte(self) -> None:
        mallory = Mallory(settings=timed(100))
        mallory.open(1)
        mallory.wait(200)
        mallory.say(frames.frame(frames.PING, bytes(8)))
        self.assertEqual(self.asked(mallory), 0)
        mallory.say(mallory.message(1, b"x"))
        self.assertEqual(self.asked(mallory), 1)

    def test_what_we_send_counts_as_well(self) -> None:
        mallory = Mallory(settings=timed(100))
        channel = mallory.side.open()
        mallory.listen()
        mallory.say(frames.frame(frames.CH_ACCEPT, b"", 2))
        mallory.wait(200)
        self.assertEqual(self.asked(mallory), 0)
        channel.send(b"x")
        self.assertEqual(self.asked(mallory), 1)

    def test_an_hour_at_most(self) -> None:
        mallory = Mallory(settings=timed(100, accept_seconds=1_000_000.0))
        mallory.wait(3599.99)
        self.assertEqual(self.asked(mallory), 0)
        mallory.wait(0.01)
        self.assertEqual(self.asked(mallory), 1)

    def test_by_volume_both_ways_to_the_record(self) -> None:
        volume = 50_000
        for receiving in (True, False):
            mallory = Mallory(settings=timed(1_000_000, rekey_volume_bytes=volume))
            channel = mallory.side.open(stream=True)
            mallory.open(1, stream=True)
            mallory.listen()
            session = mallory.side.session
            before = after = 0
            while not self.asked(mallory) and after < 2 * volume:
                before = session.bytes_sent + session.bytes_received
                if receiving:
                    mallory.say(frames.frame(frames.MSG, bytes(900), 1))
                else:
                    channel.write(bytes(900))
                    mallory.next_record()
                after = session.bytes_sent + session.bytes_received
            self.assertTrue(before < volume <= after, (before, after))

    def test_asked_for_by_hand(self) -> None:
        mallory = Mallory(settings=timed(1_000_000))
        mallory.wait(FLOOR - 0.01)
        error = self.assertRaises(LimitError, mallory.side.session.rekey.request, mallory.now)
        self.assertEqual(error.name, "rekey_floor_seconds")
        mallory.wait(0.01)
        mallory.side.session.rekey.request(mallory.now)
        self.assertEqual(self.asked(mallory), 1)

    def test_asked_for_by_hand_after_much_traffic(self) -> None:
        """The peer may have counted less than we: a quarter more than its floor must have moved."""
        floor = 20_000
        mallory = Mallory(settings=timed(1_000_000, rekey_floor_bytes=floor))
        session = mallory.side.session
        session.bytes_received = int(floor / BUDGET_PACE) - session.bytes_sent - 1
        self.assertRaises(LimitError, session.rekey.request, mallory.now)
        session.bytes_received += 1
        session.rekey.request(mallory.now)
        self.assertEqual(self.asked(mallory), 1)

    def test_not_while_it_closes(self) -> None:
        mallory = Mallory(settings=timed(1_000_000))
        mallory.wait(FLOOR)
        mallory.side.open(stream=True).write(bytes(100_000))
        mallory.listen()
        mallory.side.connection.close(now=mallory.now)
        mallory.side.session.rekey.request(mallory.now)
        self.assertEqual(self.asked(mallory), 0)

    def test_a_new_epoch_moves_the_timer(self) -> None:
        """The next re-key may be due sooner than the hard stop that the timer was set for."""
        often = timed(2.0, rekey_floor_seconds=0.0, rekey_idle_max_seconds=2.0)
        pair = Pair(often, often)
        owner: Owner = pair.alice
        pair.now += 2
        owner.connection.expire(pair.now)
        self.assertEqual(owner.connection.deadline(), START + 2 + 240)
        self.assertFalse(owner.connection.timer_moved)
        pair.pump()
        self.assertEqual(owner.session.key_epoch, 1)
        self.assertTrue(owner.connection.timer_moved)
        self.assertEqual(owner.connection.deadline(), START + 4)

    def test_every_second_for_a_minute(self) -> None:
        often = tuned(rekey_seconds=(1.0, 1.0), rekey_floor_seconds=0.5, rekey_idle_max_seconds=1.0)
        pair = Pair(often, often)
        channel = pair.alice.open(stream=True)
        for _ in range(20):
            channel.write(bytes(10_000))
            pair.advance(1)
        self.assertGreater(min(self.epochs(pair)), 15)
        self.assertEqual(len(pair.bob.streamed[id(pair.bob.offered[0])]), 200_000)


class EndTests(Case):
    def test_secrets_are_wiped_however_it_ends(self) -> None:
        for end in ("close", "lost", "peer"):
            mallory = Mallory()
            mallory.wait(FLOOR)
            mallory.say(mallory.long(frames.REKEY_REQ, mallory.request()))
            rekey = mallory.side.session.rekey
            roots = [rekey.root, rekey._next_root]
            if end == "close":
                mallory.side.connection.close(now=mallory.now, graceful=False)
                mallory.listen()
                mallory.wait(5)
            elif end == "lost":
                mallory.side.connection.eof(mallory.now)
            else:
                mallory.say(frames.frame(frames.CLOSE, bytes(2)))
            for root in roots:
                assert root is not None
                self.assertRaises(BugError, root.reveal)
