"""Rows 1 to 4 of docs/attacks.md: first flights that must not be answered, and how alike the silence is."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.connection import Connection
from quantumgate.core.handshake import Failed, Responder
from quantumgate.core.replay import ReplayWindow
from quantumgate.core.state import ResponderState
from quantumgate.crypto.agreement import PrimaryKey
from quantumgate.crypto.kem import KemKey
from quantumgate.crypto.secret import Secret
from quantumgate.errors import BugError
from quantumgate.wire.limits import FIRST_FLIGHT_BYTES
from tests.attacks.mallory import A_MS, MINUTE_MS, Dialler
from tests.core.handshake.duel import START, WALL_OFFSET_SECONDS, Duel, SeededRandom, identity, settings, window
from tests.core.sessions import PLAIN

HOUR_MS = 60 * MINUTE_MS


class NoKeys:
    """Keys for a listener that must not do any public-key work."""

    def primary(self, group: int) -> PrimaryKey:
        """Never."""
        raise BugError("public-key work before the cheap checks")

    def secondary(self, group: int) -> KemKey:
        """Never."""
        raise BugError("public-key work before the cheap checks")

    def encapsulate(self, group: int, public: bytes) -> tuple[bytes, Secret]:
        """Never."""
        raise BugError("public-key work before the cheap checks")


BOB = settings("bob", keys=NoKeys())


def listener(replay: ReplayWindow | None = None, now: float = START, seed: object = 0) -> Responder:
    """Bob, who must not answer."""
    return Responder(
        BOB, replay or window(), random=SeededRandom(seed), now=now, wall_offset_seconds=WALL_OFFSET_SECONDS
    )


class SilenceTestCase(SynchronousTestCase):
    """The reaction that rows 1 to 4 ask for."""

    def assert_drains(self, party: Responder, now: float = START, reason: str = "unrecognised") -> None:
        """Nothing sent, nothing asked, reading on until a timer; whatever follows changes nothing."""
        outcome, deadline = party.outcome, party.deadline()
        self.assertIsInstance(outcome, Failed)
        self.assertEqual((outcome.silent, outcome.reason), (True, reason))  # type: ignore[union-attr]
        self.assertEqual((party.output(), party.requests, party.state), (b"", [], ResponderState.DRAINING))
        party.receive(bytes(100_000), now)
        party.expire(deadline - 0.001)
        self.assertEqual((party.output(), party.deadline(), party.state), (b"", deadline, ResponderState.DRAINING))
        self.assertEqual(len(party._in), 0)
        party.expire(deadline)
        self.assertIs(party.state, ResponderState.CLOSED)


class Row1Tests(SilenceTestCase):
    """Random bytes of every length, then FIN or nothing."""

    def test_same_timer_whatever_came(self) -> None:
        for seed in range(5):
            deadlines = set()
            for count in (0, 1, 31, 63, 64, 1400, 70_000):
                party = listener(seed=seed)
                party.receive(SeededRandom(count).bytes(count), START)
                if party.outcome is None:
                    self.assertLess(count, 64)
                    self.assertEqual(party.deadline(), START + 10)
                    party.expire(START + 10)
                deadlines.add(party.deadline())
                self.assert_drains(party, reason="unrecognised" if count >= 64 else "deadline")
            (deadline,) = deadlines
            self.assertEqual(deadline, START + SeededRandom(seed).uniform(30, 90))  # drawn first of all, at accept

    def test_two_hundred_kinds_of_bad_first_flight_look_alike(self) -> None:
        """Through the door of a connection: when it ends is the same with the same luck, and no byte is ever sent."""
        good = Dialler(BOB).init()
        luck = SeededRandom("kinds")
        kinds = [luck.bytes(luck.below(3000)) for _ in range(60)]
        kinds += [good[:at] + bytes([good[at] ^ 1 << luck.below(8)]) + good[at + 1 :] for at in range(0, 700, 10)]
        kinds += [good[: luck.below(len(good))] for _ in range(30)] + [luck.bytes(70_000)]
        kinds += [Dialler(BOB).init(header={"a": A_MS + 7 * MINUTE_MS * (number + 1)}) for number in range(20)]
        kinds += [Dialler(BOB).init(header={"body_bytes": number}) for number in range(19)]
        self.assertEqual(len(kinds), 200)
        for seed in range(2):
            seen = {self.reaction(data, seed, chunk) for data in kinds for chunk in (1 << 20, 500)}
            self.assertEqual(len(seen), 1)
            (closed_at,) = seen
            self.assertTrue(START + 30 <= closed_at <= START + 90)

    def reaction(self, data: bytes, seed: int, chunk: int) -> float:
        """When the transport is dropped, where the sender waits for that; a piece comes every second."""
        connection = Connection(listener(seed=seed), PLAIN, PLAIN.block(), SeededRandom("session"), START)
        now = START
        for at in range(0, len(data), chunk):
            connection.receive(data[at : at + chunk], now)
            self.assertIsNone(connection.data_to_send(now))
            now += 0.02
        while not connection.finished:
            now = max(now, connection.deadline())
            connection.expire(now)
            self.assertIsNone(connection.data_to_send(now))
        return now

    def test_timers_differ_between_connections(self) -> None:
        found = set()
        for seed in range(20):
            party = listener(seed=seed)
            party.receive(bytes(64), START)
            found.add(party.deadline())
        self.assertEqual(len(found), 20)

    def test_fin_closes_at_once(self) -> None:
        for count in (0, 1, 31, 63, 64, 1400, 70_000):
            party = listener()
            party.receive(SeededRandom(count).bytes(count), START)
            party.eof(START)
            self.assertIs(party.state, ResponderState.CLOSED)
            self.assertEqual((party.output(), party.deadline()), (b"", float("inf")))

    def test_half_a_first_flight_of_somebody_who_knows_us(self) -> None:
        data = Dialler(BOB).init()
        for count in (64, 65, len(data) - 1):
            party = listener()
            party.receive(data[:count], START)
            self.assertEqual((party.outcome, party.deadline()), (None, START + 10))
            party.expire(START + 10)
            self.assert_drains(party, reason="deadline")


class Row2Tests(SilenceTestCase):
    """A valid first flight replayed from another connection."""

    def test_replay_within_and_after_the_window(self) -> None:
        replay = window()
        duel = Duel(replay=replay)
        first_flight = duel.flight("i")
        duel.responder.receive(first_flight, START)
        self.assertTrue(duel.responder.output())
        for later in (0.0, 1.0, 3600.0, 26 * 3600.0, 30 * 3600.0):
            party = listener(replay, now=START + later)
            party.receive(first_flight, START + later)
            self.assert_drains(party, now=START + later)

    def test_the_original_peer_pays_nothing(self) -> None:
        """Its session goes on, it may dial again; what is blamed is the address that sent the copy, never a UUID."""
        replay = window()
        duel = Duel(replay=replay)
        first_flight = duel.flight("i")
        duel.responder.receive(first_flight, START)
        party = listener(replay)
        party.receive(first_flight, START)
        outcome = party.outcome
        self.assertEqual(isinstance(outcome, Failed) and (outcome.blame, outcome.security_event), ("address", False))
        duel.run().established
        Duel(replay=replay, seed="again").run().established

    def test_it_is_the_answer_that_counts(self) -> None:
        """A flight that was not answered may come again: else anybody who sees it could lock its sender out."""
        replay = window()
        data = Dialler(BOB).init(token=b"")
        for _ in range(2):
            party = listener(replay)
            party.receive(data, START)
            self.assertIn("token", party.outcome.detail)  # type: ignore[union-attr]
        self.assertEqual(replay.count, 0)

    def test_a_restart_does_not_reopen_it(self) -> None:
        duel = Duel()
        first_flight = duel.flight("i")
        later = START + 120
        fresh = ReplayWindow(b"other key of this new process....", int((later + WALL_OFFSET_SECONDS) * 1000))
        party = listener(fresh, now=later)
        party.receive(first_flight, later)
        self.assert_drains(party, now=later)


class Row3Tests(SilenceTestCase):
    """Timestamps outside the window."""

    def test_outside(self) -> None:
        replay = ReplayWindow(b"k", A_MS - 40 * HOUR_MS)
        for a in (
            A_MS - 26 * HOUR_MS - MINUTE_MS,
            A_MS + 7 * MINUTE_MS,
            A_MS + 27 * HOUR_MS,
            A_MS + 1,
            A_MS - 30_000,
            0,
            (1 << 64) - 1,
        ):
            party = listener(replay)
            party.receive(Dialler(BOB).init(header={"a": a}), START)
            self.assert_drains(party)
        self.assertEqual(replay.count, 0)

    def test_inside(self) -> None:
        for a in (A_MS - 26 * HOUR_MS + MINUTE_MS, A_MS, A_MS + 6 * MINUTE_MS):
            duel = Duel(replay=ReplayWindow(b"k", A_MS - 40 * HOUR_MS))
            duel.responder.receive(Dialler(duel.r_settings).init(header={"a": a}), START)
            self.assertTrue(duel.responder.output())

    def test_at_or_below_the_floor(self) -> None:
        party = listener(ReplayWindow(b"k", A_MS, saved_floor_ms=A_MS))
        party.receive(Dialler(BOB).init(), START)
        self.assert_drains(party)

    def test_from_the_far_future_when_its_time_comes(self) -> None:
        """At most one answer, then; no state before; the real peer is not locked out."""
        duel = Duel(i_ahead_seconds=3600.0)
        first_flight, replay = duel.flight("i"), duel.replay
        party = listener(replay)
        party.receive(first_flight, START)
        self.assert_drains(party)
        self.assertEqual(replay.count, 0)
        answers = 0
        for _ in range(3):
            later = Duel(replay=replay, now=START + 3600)
            later.responder.receive(first_flight, START + 3600)
            answers += bool(later.responder.output())
        self.assertEqual(answers, 1)
        Duel(replay=replay, now=START + 3600, seed="the real one").run().established

    def test_a_dialler_whose_clock_is_wrong_still_gets_in(self) -> None:
        for ahead in (300.0, -25 * 3600.0):
            Duel(replay=ReplayWindow(b"k", A_MS - 40 * HOUR_MS), i_ahead_seconds=ahead).run().established


class Row4Tests(SilenceTestCase):
    """First flights for somebody else."""

    def test_for_somebody_else(self) -> None:
        psk = Secret(b"p" * 32)
        bob = identity("bob").public.uuid
        for dialler, target in (
            (settings("alice"), identity("carol").public.uuid),
            (settings("alice"), None),
            (settings("alice", psk=psk), bob),
            (settings("alice", network_id=b"elsewhere"), bob),
        ):
            party = listener()
            party.receive(Duel(dialler, target=target).flight("i"), START)
            self.assert_drains(party)

    def test_without_our_shared_secret(self) -> None:
        duel = Duel(settings("alice"), settings("bob", psk=Secret(b"p" * 32))).run()
        self.assertEqual([sender for sender, _data in duel.wire], ["i"])
        self.assert_drains(duel.responder)
        duel.initiator.expire(START + 10)
        failed = duel.failures[0]
        self.assertEqual(failed and failed.reason, "no-answer")
        self.assertIn("shared secret", failed.advice if failed else "")

    def test_unaddressed_where_it_is_not_allowed(self) -> None:
        duel = Duel(r=BOB, target=None).run()
        self.assert_drains(duel.responder)

    def test_the_addressed_bit_must_fit_the_key(self) -> None:
        party = listener()
        party.receive(Dialler(BOB).init(header={"flags": 0}), START)
        self.assert_drains(party)


class CapTests(SilenceTestCase):
    """Section 1.3: the cap of the first flight, and the budget of answers."""

    def test_a_header_that_announces_too_much(self) -> None:
        party = listener()
        party.receive(Dialler(BOB).init(header={"body_bytes": FIRST_FLIGHT_BYTES - 79})[:64], START)
        self.assert_drains(party)
        party = listener()
        party.receive(Dialler(BOB).init(header={"body_bytes": FIRST_FLIGHT_BYTES - 80})[:64], START)
        self.assertIs(party.outcome, None)

    def test_bytes_behind_it_count(self) -> None:
        data = Dialler(BOB).init()
        party = listener()
        party.receive(data + bytes(FIRST_FLIGHT_BYTES - len(data) + 1), START)
        self.assert_drains(party)
        duel = Duel()
        duel.responder.receive(data + bytes(FIRST_FLIGHT_BYTES - len(data)), START)
        self.assertTrue(duel.responder.output())

    def test_over_the_budget_of_answers(self) -> None:
        """A session costs two answers and a little."""
        replay = window(answers_per_second=5)
        for number in range(2):
            Duel(replay=replay, seed=number).run().established
        for offer in ({}, {"aeads": (9,)}):
            busy = settings("bob", keys=NoKeys(), **offer)
            duel = Duel(r=busy, replay=replay, seed=str(offer)).run()
            self.assert_drains(duel.responder, reason="busy")
        Duel(replay=replay, now=START + 1, seed="later").run().established

    def test_refusals_and_retries_are_answers_too(self) -> None:
        replay = window(answers_per_second=2)
        Duel(r=settings("bob", aeads=(9,)), replay=replay, seed=1).run()
        retried = Duel(r=settings("bob", primaries=(2,)), replay=replay, seed=2).run()
        self.assertEqual(len(retried.wire), 3)
        self.assert_drains(retried.responder, reason="busy")
