"""Row 13 of docs/attacks.md, its part about overload: tokens, puzzles, and the ladder that hands them out.

A token is a hint for whom to serve first. None of these dials fails for its token; it only counts for nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from quantumgate.core import schedule
from quantumgate.core.connection import Connection
from quantumgate.core.handshake import Failed, HandshakeSettings
from quantumgate.core.overload import PLAIN_COST, SESSION_COST, Ladder, Turn
from quantumgate.core.puzzle import effort_of
from quantumgate.core.replay import ReplayWindow
from quantumgate.core.requests import PeerCheck, PuzzleNeeded, TurnNeeded
from quantumgate.core.state import ResponderState
from quantumgate.core.tokens import TokenMint
from quantumgate.wire.limits import DEFAULT_LIMITS, FIRST_FLIGHT_BYTES, PUZZLE_BITS_MAX, TOKEN_BYTES
from quantumgate.wire.messages import Header, MessageType, Puzzle, Retry, Select
from tests.attacks.mallory import Listener, open_init, seal_init
from tests.attacks.test_rows_01_13_first_flight import SilenceTestCase
from tests.core.handshake.duel import START, Duel, SeededRandom, busy, identity, settings, solution_of, window
from tests.core.sessions import PLAIN

BOB = settings("bob")
WEEK_SECONDS = DEFAULT_LIMITS.token_seconds


class Row13TokenTests(SilenceTestCase):
    """What each kind of false token is taken for."""

    def setUp(self) -> None:
        self.mint = TokenMint(SeededRandom("bob's"), START, life_seconds=WEEK_SECONDS)

    def dial(self, token: bytes, who: str = "alice", now: float = START, seed: object = 0) -> Duel:
        """A whole handshake with bob, with this token in its INIT."""
        return Duel(settings(who), now=now, seed=seed, token=token, r_options={"mint": self.mint}).run()

    def known(self, duel: Duel) -> bool:
        """Whether bob took the dialler for somebody he had met; the session stands in any case."""
        self.assertIsNotNone(duel.established)
        (check,) = (request for who, request in duel.asked if who == "r")
        assert isinstance(check, PeerCheck)
        return check.known

    def test_an_honest_one_counts_once(self) -> None:
        token = self.mint.issue(identity("alice").public.uuid, START)
        first = self.dial(token)
        sent = open_init(first.r_settings.candidates[0], first.wire[0][1]).init.token
        self.assertEqual((sent, self.known(first)), (token, True))
        self.assertFalse(self.known(self.dial(token, seed=1)))

    def test_read_on_the_way_and_sent_by_another(self) -> None:
        """Who knows bob's UUID can read first flights to him: the token of alice makes nobody else alice."""
        token = self.mint.issue(identity("alice").public.uuid, START)
        self.assertFalse(self.known(self.dial(token, "mallory")))
        self.assertFalse(self.known(self.dial(token, seed=1)))

    def test_made_up(self) -> None:
        forger = TokenMint(SeededRandom("forger"), START, life_seconds=WEEK_SECONDS)
        for token in (forger.issue(identity("alice").public.uuid, START), bytes(TOKEN_BYTES), b"\xff" * TOKEN_BYTES):
            self.assertFalse(self.known(self.dial(token)))

    def test_a_second_too_old(self) -> None:
        for age_seconds, fresh in ((WEEK_SECONDS, True), (WEEK_SECONDS + 1, False)):
            self.setUp()
            token = self.mint.issue(identity("alice").public.uuid, START)
            self.assertEqual(self.known(self.dial(token, now=START + age_seconds)), fresh)

    def test_who_brought_one_is_known_before_there_is_a_name(self) -> None:
        """So that who only fills places makes room for it."""
        token = self.mint.issue(identity("alice").public.uuid, START)
        for sent, known in ((token, True), (b"", False)):
            duel = Duel(token=sent, r_options={"mint": self.mint})
            connection = Connection(duel.responder, PLAIN, PLAIN.block(), SeededRandom(0), START)
            self.assertFalse(connection.brought_token)
            connection.receive(duel.flight("i"), START)
            self.assertEqual(connection.brought_token, known)

    def test_a_nameless_dialler_sends_none_and_is_nobody(self) -> None:
        token = self.mint.issue(identity("alice").public.uuid, START)
        open_house = settings("bob", require_authentication=False)
        duel = Duel(r=open_house, anonymous=True, token=token, r_options={"mint": self.mint}).run()
        sent = open_init(open_house.candidates[0], duel.wire[0][1]).init.token
        self.assertNotEqual(sent, token)
        self.assertEqual((len(sent), self.known(duel)), (TOKEN_BYTES, False))

    def test_a_flight_that_is_not_answered_uses_no_token(self) -> None:
        """Else anybody could use up alice's by sending on what he saw: with a share that is none, for example."""
        token = self.mint.issue(identity("alice").public.uuid, START)
        duel = Duel(token=token, r_options={"mint": self.mint})
        duel.replay._answers, duel.replay._at = 0.0, START
        duel.responder.receive(duel.flight("i"), START)
        self.assert_drains(duel.responder, reason="busy")
        self.assertTrue(self.known(self.dial(token, seed=1)))

    def test_the_second_flight_after_a_retry_carries_none_and_is_known_all_the_same(self) -> None:
        token = self.mint.issue(identity("alice").public.uuid, START)
        bob = settings("bob", primaries=(2,))
        duel = Duel(r=bob, token=token, r_options={"mint": self.mint}).run()
        inits = [data for who, data in duel.wire if who == "i"][:2]
        first, second = (open_init(bob.candidates[0], data).init.token for data in inits)
        self.assertEqual((first, second == token, self.known(duel)), (token, False, True))


class PuzzleCase(SilenceTestCase):
    """Bob has more to do than he can; whoever knocks gets a puzzle."""

    def busy_bob(self, seed: object = 0, used: float = 0.9, bob: HandshakeSettings = BOB, **dial: Any) -> Duel:
        """A dial up to the RETRY with its puzzle, which the dialler holds."""
        duel = Duel(r=bob, seed=seed, r_options={"ladder": busy(used)}, **dial)
        duel.responder.receive(duel.flight("i"), START)
        duel.initiator.receive(duel.flight("r"), START)
        return duel

    def asked(self, duel: Duel) -> PuzzleNeeded:
        """What the dialler is to solve."""
        (request,) = duel.initiator.requests
        assert isinstance(request, PuzzleNeeded)
        return request

    def answered(self, duel: Duel, solution: bytes, now: float = START) -> Duel:
        """The second INIT with this solution, at bob's."""
        duel.initiator.answer(self.asked(duel), solution, now)
        duel.responder.receive(duel.flight("i"), now)
        return duel

    def edited(self, duel: Duel, **changes: Any) -> Duel:
        """The second INIT, solved, and then changed by somebody who knows bob's UUID."""
        duel.initiator.answer(self.asked(duel), solution_of(self.asked(duel)), START)
        opened = open_init(BOB.candidates[0], duel.flight("i"))
        body = replace(opened.init, **changes).encode(9)
        header = replace(Header.parse(opened.header), body_bytes=len(body)).encode()
        duel.responder.receive(seal_init(BOB.candidates[0], opened.salt, header, body), START)
        return duel

    def assert_worthless(self, duel: Duel) -> None:
        """Silence, and not one answer's worth of public-key work."""
        self.assert_drains(duel.responder, reason="authentication")


class Row13PuzzleTests(PuzzleCase):
    """Solutions that are none, and puzzles that nobody should solve."""

    def test_an_honest_one(self) -> None:
        duel = self.busy_bob()
        self.answered(duel, solution_of(self.asked(duel)))
        (request,) = duel.responder.requests
        assert isinstance(request, TurnNeeded)
        self.assertGreaterEqual(request.effort, 8)
        i, r = duel.run().established
        self.assertEqual((i.root, i.retried, r.retried), (r.root, True, True))

    def test_numbers_that_are_no_solution(self) -> None:
        for wrong in (bytes(128), b"\xff" * 128):
            self.assert_worthless(self.answered(self.busy_bob(), wrong))

    def test_one_bit_easier_than_asked(self) -> None:
        duel = self.busy_bob()
        request = self.asked(duel)
        seed = request.puzzle.seed
        solution = solution_of(PuzzleNeeded(Puzzle(seed, 7), request.salt))
        self.assertEqual(effort_of(Puzzle(seed, 8), request.salt, solution), 7)
        self.assert_worthless(self.answered(duel, solution))

    def test_without_a_solution_and_with_a_torn_one(self) -> None:
        self.assert_worthless(self.edited(self.busy_bob(), solution=b""))
        for length in (1, 127, 129, 256):
            self.assert_worthless(self.edited(self.busy_bob(), solution=bytes(length)))

    def test_too_late(self) -> None:
        duel = self.busy_bob()
        duel.initiator.answer(self.asked(duel), solution_of(self.asked(duel)), START)
        data = duel.flight("i")
        self.assertEqual(duel.responder.deadline(), START + 20)
        duel.responder.receive(data[:-1], START + 19)
        duel.responder.expire(START + 20)
        self.assert_drains(duel.responder, START + 20, reason="deadline")

    def test_somebody_elses_solution(self) -> None:
        """The seed is the same for all; the salt is not."""
        first, second = self.busy_bob(0), self.busy_bob(1)
        self.assertEqual(self.asked(first).puzzle.seed, self.asked(second).puzzle.seed)
        self.assert_worthless(self.answered(second, solution_of(self.asked(first))))

    def test_the_same_solution_with_the_same_salt_on_another_connection(self) -> None:
        replay, ladder = window(), busy(0.9)
        wires = []
        for seed in (0, 1):
            duel = Duel(seed=seed, replay=replay, r_options={"ladder": ladder})
            duel.responder.receive(duel.flight("i"), START)
            duel.initiator.receive(duel.flight("r"), START)
            if not wires:
                duel.initiator.answer(self.asked(duel), solution_of(self.asked(duel)), START)
                wires.append(duel.flight("i"))
                duel.responder.receive(wires[0], START)
                duel.answer_all()
                self.assertTrue(duel.flight("r"))
            else:
                duel.responder.receive(wires[0], START)
                self.assert_worthless(duel)

    def test_a_solution_where_none_was_asked_for(self) -> None:
        """In a first flight, and behind a RETRY that had no puzzle."""
        first = Duel()
        opened = open_init(BOB.candidates[0], first.flight("i"))
        body = replace(opened.init, solution=bytes(128)).encode(9)
        header = replace(Header.parse(opened.header), body_bytes=len(body)).encode()
        first.responder.receive(seal_init(BOB.candidates[0], opened.salt, header, body), START)
        self.assert_drains(first.responder)
        other = settings("bob", primaries=(2,))
        duel = Duel(r=other)
        duel.responder.receive(duel.flight("i"), START)
        duel.initiator.receive(duel.flight("r"), START)
        opened = open_init(other.candidates[0], duel.flight("i"))
        body = replace(opened.init, solution=bytes(128)).encode(9)
        header = replace(Header.parse(opened.header), body_bytes=len(body)).encode()
        duel.responder.receive(seal_init(other.candidates[0], opened.salt, header, body), START)
        self.assert_worthless(duel)

    def test_a_hostile_listener_asks_for_years_of_work(self) -> None:
        for bits in (PUZZLE_BITS_MAX + 1, 200, 255):
            duel = Duel()
            trap = Listener(BOB)
            trap.read(duel.flight("i"))
            body = Retry(Select(1, 1, 1), Puzzle(bytes(32), bits)).encode(300)
            duel.initiator.receive(trap.plain(MessageType.RETRY, body), START)
            outcome = duel.initiator.outcome
            assert isinstance(outcome, Failed)
            words = f"asks for a puzzle of {bits} bits; nobody has to solve more than 16"
            self.assertEqual((outcome.reason, outcome.message, duel.flight("i")), ("puzzle", words, b""))
            self.assertEqual(duel.initiator.requests, [])

    def test_a_solution_that_takes_too_long(self) -> None:
        duel = self.busy_bob()
        self.assertEqual(duel.initiator.deadline(), START + 15)
        duel.initiator.expire(START + 15)
        outcome = duel.initiator.outcome
        assert isinstance(outcome, Failed)
        self.assertEqual(outcome.message, "asks for a puzzle of 8 bits, which took longer than 15 s")
        self.assertEqual(duel.flight("i"), b"")

    def test_bytes_while_a_puzzle_is_solved(self) -> None:
        duel = self.busy_bob()
        duel.initiator.receive(b"?", START)
        self.assertIsInstance(duel.initiator.outcome, Failed)

    def test_a_puzzle_and_other_groups_in_one_retry(self) -> None:
        duel = self.busy_bob(bob=settings("bob", primaries=(2,)))
        self.answered(duel, solution_of(self.asked(duel)))
        i, _ = duel.run().established
        self.assertEqual((i.suite.primary, [who for who, _ in duel.wire]), (2, ["i", "r", "i", "r", "i"]))

    def test_a_second_puzzle_is_a_second_retry(self) -> None:
        duel, trap = Duel(), Listener(BOB)
        trap.read(duel.flight("i"))
        retry = Retry(Select(1, 1, 1), Puzzle(bytes(32), 1)).encode(300)
        duel.initiator.receive(trap.plain(MessageType.RETRY, retry), START)
        duel.initiator.answer(self.asked(duel), solution_of(self.asked(duel)), START)
        trap.read(duel.flight("i"))
        duel.initiator.receive(trap.plain(MessageType.RETRY, retry, salt=bytes(32)), START)
        self.assertIsInstance(duel.initiator.outcome, Failed)

    def test_the_puzzle_cannot_be_taken_out_on_the_way(self) -> None:
        """It is part of the RETRY, which is in the transcript: who makes it easier gets two keys that differ."""
        duel = Duel(r_options={"ladder": busy(0.9)})
        duel.responder.receive(duel.flight("i"), START)
        answer = duel.flight("r")
        salt = open_init(BOB.candidates[0], duel.wire[0][1]).salt
        key = schedule.answer_key(BOB.candidates[0].obf, salt, answer[:32])
        body = key.open(1, answer[64:], answer[32:64])
        easier = Retry(Retry.parse(body).select, Puzzle(bytes(32), 1)).encode(300)
        header = replace(Header.parse(key.open(0, answer[32:64], answer[:32])), body_bytes=len(easier))
        head = key.seal(0, header.encode(), answer[:32])
        duel.initiator.receive(answer[:32] + head + key.seal(1, easier, head), START)
        request = self.asked(duel)
        true = PuzzleNeeded(Retry.parse(body).puzzle or request.puzzle, request.salt)
        self.answered(duel, solution_of(true))
        duel.answer_all()
        duel.initiator.receive(duel.flight("r"), START)
        self.assertIsInstance(duel.initiator.outcome, Failed)


class Row13LadderTests(PuzzleCase):
    """What a flood of good first flights does to strangers, to friends and to us."""

    def knock(self, ladder: Ladder, replay: ReplayWindow, seed: object, **dial: Any) -> Duel:
        """One dial, as far as it comes by itself."""
        duel = Duel(seed=seed, replay=replay, r_options={"ladder": ladder, "mint": self.mint}, **dial)
        duel.responder.receive(duel.flight("i"), START)
        return duel

    def setUp(self) -> None:
        self.mint = TokenMint(SeededRandom("bob's"), START, life_seconds=WEEK_SECONDS)

    def test_every_step_is_reached_and_a_known_peer_gets_in_on_each(self) -> None:
        """150 strangers at one moment would be a second's budget. Each knock is judged as it stands then."""
        ladder, replay, states = busy(0.0), window(answers_per_second=float("inf")), []
        for share in (0.0, 0.3, 0.51, 0.7, 0.81, 0.9, 0.96, 1.5):
            ladder._spent = share * ladder._general
            duel = self.knock(ladder, replay, share)
            states.append(duel.responder.state)
            token = self.mint.issue(identity("alice").public.uuid, START)
            friend = self.knock(ladder, replay, ("friend", share), token=token)
            self.assertIs(friend.responder.state, ResponderState.AWAIT_FIN, share)
        R = ResponderState
        self.assertEqual(states, [R.AWAIT_FIN] * 2 + [R.AWAIT_TURN] * 2 + [R.AWAIT_SECOND_INIT] * 2 + [R.DRAINING] * 2)
        self.assertEqual(ladder.step(START), 3)

    def test_strangers_cannot_take_the_last_answers(self) -> None:
        """Of eight, two are kept from them; a RETRY is 0.7."""
        ladder, replay = busy(0.9), window(answers_per_second=8)
        strangers = [self.knock(ladder, replay, seed).responder.state for seed in range(10)]
        self.assertEqual(strangers, [ResponderState.AWAIT_SECOND_INIT] * 8 + [ResponderState.DRAINING] * 2)
        token = self.mint.issue(identity("alice").public.uuid, START)
        friend = self.knock(ladder, replay, "friend", token=token)
        self.assertIs(friend.responder.state, ResponderState.AWAIT_FIN)

    def test_a_quiet_network_has_answers_where_busy_ones_have_none(self) -> None:
        """Of eight answers, RETRYs at 0.7 each, busy networks get the half, a quiet one the quarter after them."""
        ladder, replay, states = busy(0.9), window(answers_per_second=8), []
        for seed, quiet in enumerate((False,) * 7 + (True,) * 4):
            options = {"ladder": ladder, "mint": self.mint, "quiet": lambda quiet=quiet: quiet}
            duel = Duel(seed=seed, replay=replay, r_options=options)
            duel.responder.receive(duel.flight("i"), START)
            states.append(duel.responder.state is ResponderState.AWAIT_SECOND_INIT)
        self.assertEqual(states, [True] * 5 + [False] * 2 + [True] * 3 + [False])

    def test_who_solved_has_an_answer_where_strangers_have_none(self) -> None:
        ladder, replay = busy(0.9), window(answers_per_second=8)
        solver = self.knock(ladder, replay, "solver")
        for seed in range(8):
            self.knock(ladder, replay, seed)
        solver.initiator.receive(solver.flight("r"), START)
        self.answered(solver, solution_of(self.asked(solver)))
        solver.answer_all()
        self.assertIs(solver.responder.state, ResponderState.AWAIT_FIN)

    def test_what_is_given_is_charged_and_a_session_on_top(self) -> None:
        """To the ladder, which says how much strangers may have, and to the budget of answers of all kinds."""
        for used, answered, general in ((0.9, PLAIN_COST, 0.0), (0.0, 1.0, 1.0)):
            ladder, replay = busy(used), window()
            before = replay._answers, ladder._spent
            duel = self.knock(ladder, replay, 0)
            self.assertAlmostEqual(before[0] - replay._answers, answered)
            self.assertAlmostEqual(ladder._spent - before[1], general)
        duel.run()
        self.assertAlmostEqual(before[0] - replay._answers, 1.0 + SESSION_COST)
        self.assertAlmostEqual(ladder._spent, 1.0 + SESSION_COST)

    def test_silence_blames_nobody(self) -> None:
        duel = self.knock(busy(1.0), window(), 0)
        outcome = duel.responder.outcome
        assert isinstance(outcome, Failed)
        self.assertEqual((outcome.blame, outcome.silent), ("", True))
        self.assert_drains(duel.responder, reason="busy")

    def test_who_waits_too_long_is_drained(self) -> None:
        duel = self.knock(busy(0.6), window(), 0)
        self.assertEqual(duel.responder.deadline(), START + 5)
        duel.responder.expire(START + 5)
        self.assert_drains(duel.responder, START + 5, reason="deadline")

    def test_who_waits_may_say_no_more_than_a_first_flight(self) -> None:
        for more, waits in ((FIRST_FLIGHT_BYTES, True), (FIRST_FLIGHT_BYTES + 1, False)):
            duel = self.knock(busy(0.6), window(), 0)
            duel.responder.receive(bytes(more), START)
            self.assertEqual(duel.responder.outcome is None, waits)

    def test_what_came_early_is_judged_when_the_turn_comes(self) -> None:
        duel = self.knock(busy(0.6), window(), 0)
        duel.responder.receive(bytes(64), START)
        duel.answer_all()
        self.assertTrue(duel.flight("r"))
        self.assert_drains(duel.responder, reason="authentication")

    def test_who_lost_its_place_meets_silence(self) -> None:
        duel = self.knock(busy(0.6), window(), 0)
        (request,) = duel.responder.requests
        duel.responder.answer(request, Turn.SILENCE, START)
        self.assert_drains(duel.responder, reason="busy")

    def test_a_full_house_is_told_to_strangers_alone(self) -> None:
        ladder, replay = busy(0.0), window()
        ladder.full = lambda: True
        stranger = self.knock(ladder, replay, 0)
        stranger.initiator.receive(stranger.flight("r"), START)
        outcome = stranger.initiator.outcome
        assert isinstance(outcome, Failed)
        self.assertEqual(outcome.message, "refused: busy")
        token = self.mint.issue(identity("alice").public.uuid, START)
        friend = self.knock(ladder, replay, 1, token=token)
        self.assertIs(friend.responder.state, ResponderState.AWAIT_FIN)
