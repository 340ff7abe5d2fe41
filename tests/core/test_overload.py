"""The ladder of docs/spec/overload.md sections 2 to 4 on a clock that stands still, and under floods of a minute."""

from __future__ import annotations

from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core import overload
from quantumgate.core.overload import (
    CONTROL_SECONDS,
    DIAL_COST,
    KNOWN_EFFORT,
    KNOWN_MOST,
    PLAIN_COST,
    SERVED_AT_ONCE,
    SESSION_COST,
    STEPS,
    Ladder,
    Turn,
    answer_cost,
)
from quantumgate.core.requests import TurnNeeded
from quantumgate.wire.limits import DEFAULT_LIMITS, PUZZLE_BITS_MAX, PUZZLE_BITS_MIN, Limits
from tests.core.handshake.duel import START, busy

GENERAL, RESERVE = 150.0, 50.0
HOLD_SECONDS = DEFAULT_LIMITS.overload_hold_seconds


class LadderCase(SynchronousTestCase):
    """INITs of all sorts to one ladder."""

    favour = 0

    def favoured(self) -> bool:
        """Whether the address did us good; counts who asks."""
        self.asked += 1
        return self.favour > 0

    def setUp(self) -> None:
        self.asked = 0

    def stranger(self, ladder: Ladder, now: float = START, effort: int = 0, last: bool = False,
                 cost: float = 1.0) -> Turn:
        """Somebody without a token."""
        return ladder.judge(now, cost, known=False, favoured=self.favoured, effort=effort, last=last)

    def known(self, ladder: Ladder, now: float = START, cost: float = 1.0) -> Turn:
        """Somebody with a token."""
        return ladder.judge(now, cost, known=True, favoured=self.favoured, effort=0, last=False)


class StepTests(LadderCase):
    def test_the_budget_is_a_fifth_of_a_core_and_a_quarter_of_it_is_kept(self) -> None:
        ladder = busy(0.0)
        self.assertEqual((ladder._general, ladder._reserve), (GENERAL, RESERVE))
        limits = Limits(cpu_share=0.4, cpu_reserve_share=0.5)
        other = busy(0.0, limits=limits)
        self.assertEqual((other._general, other._reserve), (200.0, 200.0))

    def test_each_step_begins_where_more_than_its_share_is_used(self) -> None:
        for used, step in ((0.0, 0), (0.5, 0), (0.501, 1), (0.8, 1), (0.801, 2), (0.95, 2), (0.951, 3), (5.0, 3)):
            self.assertEqual(busy(used).step(START), step, used)

    def test_the_budget_comes_back_within_a_second(self) -> None:
        ladder = busy(1.0)
        self.assertAlmostEqual(ladder.used(START + 0.25), 0.75)
        self.assertEqual(ladder.used(START + 1), 0.0)
        self.assertEqual(ladder.used(START + 0.5), 0.0)  # a clock that steps back gives and takes nothing

    def test_a_step_is_left_when_it_was_not_reached_for_a_while(self) -> None:
        ladder = busy(0.9)
        self.assertEqual(ladder.step(START), 2)
        self.assertEqual(ladder.step(START + HOLD_SECONDS - 0.1), 2)
        ladder._spent = 0.85 * GENERAL
        self.assertEqual(ladder.step(START + HOLD_SECONDS - 0.1), 2)
        self.assertEqual(ladder.step(START + 2 * HOLD_SECONDS - 0.2), 2)
        self.assertEqual(ladder.step(START + 2 * HOLD_SECONDS), 0)

    def test_it_tells_when_it_is_left_alone_no_longer(self) -> None:
        ladder, told = busy(0.0), []
        ladder.stirred = lambda: told.append(ladder.step(START))
        self.stranger(ladder)
        self.assertEqual(told, [])
        ladder._spent = 0.9 * GENERAL
        self.stranger(ladder)
        self.stranger(ladder)
        self.assertEqual(told, [2])

    def test_without_a_budget_everybody_is_answered(self) -> None:
        ladder = busy(50.0, budgeted=False)
        self.assertEqual((self.stranger(ladder), ladder.step(START)), (Turn.GO, 0))

    def test_dials_of_our_own_take_from_the_reserve_and_are_never_held_up(self) -> None:
        ladder = busy(0.0)
        for _ in range(int(RESERVE / DIAL_COST)):
            ladder.dialled(START)
        self.assertEqual(ladder.used(START), 0.0)
        for _ in range(1000):
            ladder.dialled(START)
        self.assertGreater(ladder.used(START), 1.0)

    def test_dearer_answers_cost_more(self) -> None:
        self.assertEqual(answer_cost(1, 1, 1), 1.0)
        dear = [answer_cost(kind, primary, 1) for kind, primary in ((3, 1), (2, 1), (4, 1), (4, 2), (4, 3))]
        self.assertEqual(dear, sorted(dear))
        ladder = busy(0.0)
        self.stranger(ladder, cost=answer_cost(4, 1, 1))
        self.assertAlmostEqual(ladder.used(START), 2.1 / GENERAL)


    def test_a_session_costs_on_top_of_its_answer_those_of_the_known_from_the_reserve(self) -> None:
        ladder = busy(0.0)
        ladder.proved(START, known=False)
        ladder.proved(START, known=True)
        self.assertEqual((ladder._spent, ladder._spent_reserve), (SESSION_COST, SESSION_COST))
        ladder.proved(START + 1, known=True)
        self.assertEqual((ladder._spent, ladder._spent_reserve), (0.0, SESSION_COST))

    def test_an_answer_without_public_key_work_costs_less_than_any_other(self) -> None:
        self.assertTrue(0.5 < PLAIN_COST < min(overload.KIND_COST.values()))


class TurnTests(LadderCase):
    """One INIT at each height."""

    def test_up_to_half_everybody_is_answered_and_nobodys_address_is_looked_up(self) -> None:
        for used in (0.0, 0.3, 0.5):
            self.assertEqual(self.stranger(busy(used)), Turn.GO)
        self.assertEqual(self.asked, 0)

    def test_step_1_strangers_wait_and_the_known_go_first(self) -> None:
        for used in (0.51, 0.8):
            self.assertEqual(self.stranger(busy(used)), Turn.WAIT)
            self.assertEqual(self.known(busy(used)), Turn.GO)

    def test_step_1_an_address_that_did_us_good_goes_first(self) -> None:
        self.favour = 1
        self.assertEqual(self.stranger(busy(0.6)), Turn.GO)
        self.assertEqual(self.stranger(busy(0.9)), Turn.PUZZLE)

    def test_step_2_strangers_get_a_puzzle_once(self) -> None:
        for used in (0.81, 0.95):
            self.assertEqual(self.stranger(busy(used)), Turn.PUZZLE)
            self.assertEqual(self.stranger(busy(used), last=True), Turn.SILENCE)
            self.assertEqual(self.known(busy(used)), Turn.GO)

    def test_step_2_lasts_for_the_hold_however_little_is_used(self) -> None:
        ladder = busy(0.9)
        self.assertEqual(self.stranger(ladder), Turn.PUZZLE)
        self.assertEqual(self.stranger(ladder, START + 5), Turn.PUZZLE)
        self.assertEqual(self.stranger(ladder, START + 5, last=True), Turn.WAIT)
        self.assertEqual(self.stranger(ladder, START + HOLD_SECONDS), Turn.GO)

    def test_step_3_strangers_meet_silence_and_the_known_are_answered(self) -> None:
        self.assertEqual(self.stranger(busy(0.96)), Turn.SILENCE)
        self.assertEqual(self.known(busy(0.96)), Turn.GO)

    def test_step_3_ends_at_once_where_there_is_room(self) -> None:
        ladder = busy(0.96)
        self.assertEqual(self.stranger(ladder), Turn.SILENCE)
        self.assertEqual(self.stranger(ladder, START + 0.02), Turn.PUZZLE)

    def test_the_known_have_the_reserve_then_what_is_for_all_then_they_wait(self) -> None:
        ladder = busy(0.96)
        self.assertEqual([self.known(ladder) for _ in range(50)], [Turn.GO] * 50)
        self.assertEqual(self.known(ladder), Turn.WAIT)
        ladder._spent = 0.0
        self.assertEqual(self.known(ladder), Turn.GO)
        self.assertEqual(ladder._spent, 1.0)
        ladder._spent = (KNOWN_MOST + 0.01) * GENERAL
        self.assertEqual(self.known(ladder), Turn.SILENCE)

    def test_a_solution_is_worth_a_place(self) -> None:
        self.assertEqual(self.stranger(busy(0.4), effort=8, last=True), Turn.GO)
        for used in (0.6, 0.95):
            self.assertEqual(self.stranger(busy(used), effort=8, last=True), Turn.WAIT)
        self.assertEqual(self.stranger(busy(0.96), effort=8, last=True), Turn.SILENCE)

    def test_a_full_node_refuses_whom_it_does_not_know(self) -> None:
        for budgeted in (True, False):
            ladder = busy(0.0, budgeted=budgeted)
            ladder.full = lambda: True
            self.assertEqual(self.stranger(ladder), Turn.BUSY)
            self.assertEqual(self.stranger(ladder, last=True), Turn.SILENCE)
            self.assertEqual(self.known(ladder), Turn.GO)

    def test_a_retry_for_other_groups_costs_nothing(self) -> None:
        ladder = busy(0.3)
        before = ladder.used(START)
        self.assertEqual((self.stranger(ladder, cost=0.0), ladder.used(START)), (Turn.GO, before))

    def test_what_happened_is_counted(self) -> None:
        ladder = busy(0.9)
        self.stranger(ladder)
        self.known(ladder)
        self.assertEqual(ladder.counts, Counter({Turn.PUZZLE: 1, Turn.GO: 1}))


class QueueTests(LadderCase):
    def queued(self, *efforts: int, cost: float = 1.0) -> tuple[Ladder, list[TurnNeeded]]:
        """A queue of these."""
        ladder = busy(0.6)
        requests = [TurnNeeded(effort, cost) for effort in efforts]
        for request in requests:
            self.assertIsNone(ladder.join(request, START))
        return ladder, requests

    def test_by_effort_then_by_time(self) -> None:
        ladder, asked = self.queued(0, 8, 9, 8, KNOWN_EFFORT, 0)
        ladder._spent = 0.0
        served = ladder.serve(START)
        self.assertEqual(served, [asked[at] for at in (4, 2, 1, 3, 0, 5)])

    def test_what_waits_is_used_already(self) -> None:
        ladder, _ = self.queued(0, 0, 0, cost=10.0)
        self.assertAlmostEqual(ladder.used(START), 0.6 + 30 / GENERAL)
        ladder._spent = 0.0
        ladder.serve(START)
        self.assertAlmostEqual(ladder.used(START), 30 / GENERAL)

    def test_nobody_is_served_above_half_and_few_at_once(self) -> None:
        ladder, asked = self.queued(*[0] * 20)
        self.assertEqual(ladder.serve(START), [])
        self.assertAlmostEqual(ladder.next_turn_seconds(START), 0.1)
        self.assertEqual(ladder.serve(START + 0.101), asked[:1])
        self.assertEqual(ladder.serve(START + 1), asked[1 : 1 + SERVED_AT_ONCE])
        self.assertEqual((ladder.waiting, ladder.next_turn_seconds(START + 1)), (20 - 1 - SERVED_AT_ONCE, 0.0))

    def test_who_leaves_makes_room(self) -> None:
        ladder, (first, second) = self.queued(0, 0, cost=30.0)
        ladder.leave(first)
        ladder.leave(first)
        self.assertAlmostEqual(ladder.used(START), 0.6 + 30 / GENERAL)
        ladder._spent = 0.0
        self.assertEqual(ladder.serve(START), [second])

    def test_more_effort_takes_the_place_of_less_where_there_is_none_left(self) -> None:
        ladder, asked = self.queued(8, 9)
        ladder._spent = 0.96 * GENERAL
        self.assertEqual(self.stranger(ladder, effort=8, last=True), Turn.SILENCE)
        self.assertEqual(self.stranger(ladder, effort=9, last=True), Turn.WAIT)
        self.assertEqual(ladder.join(TurnNeeded(9, 1.0), START), asked[0])
        self.assertEqual(self.stranger(ladder, effort=9, last=True), Turn.SILENCE)
        self.assertEqual(ladder.waiting, 2)

    def test_a_known_one_is_served_from_the_reserve(self) -> None:
        ladder, _ = self.queued(KNOWN_EFFORT)
        ladder._spent = 0.0
        ladder.serve(START)
        self.assertEqual((ladder._spent, ladder._spent_reserve), (0.0, 1.0))


class PuzzleTests(LadderCase):
    def test_the_seed_is_another_after_two_minutes(self) -> None:
        ladder = busy(0.9)
        first = ladder.puzzle(START)
        self.assertEqual((len(first.seed), first.bits), (32, PUZZLE_BITS_MIN))
        self.assertEqual(ladder.puzzle(START + 119.9).seed, first.seed)
        self.assertNotEqual(ladder.puzzle(START + 120).seed, first.seed)

    def overflowing(self, ladder: Ladder, now: float) -> int:
        """A second in which solutions find no room."""
        ladder.used(now)
        ladder._spent = 0.96 * GENERAL
        self.assertEqual(self.stranger(ladder, now, effort=1, last=True), Turn.SILENCE)
        return ladder.bits

    def test_a_bit_more_for_each_second_without_room_and_never_more_than_sixteen(self) -> None:
        ladder = busy(0.96)
        seen = [self.overflowing(ladder, START + second * CONTROL_SECONDS) for second in range(12)]
        self.assertEqual(seen, [8, 9, 10, 11, 12, 13, 14, 15, 16, 16, 16, 16])

    def test_a_bit_less_for_each_second_with_all_the_room(self) -> None:
        ladder = busy(0.96)
        for second in range(5):
            self.overflowing(ladder, START + second)
        self.assertEqual(ladder.bits, 12)
        seen = []
        for second in range(5, 9):
            self.stranger(ladder, START + second, effort=16, last=True)
            seen.append(ladder.bits)
        self.assertEqual(seen, [13, 12, 11, 10])
        self.stranger(ladder, START + 30)
        self.assertEqual(ladder.bits, PUZZLE_BITS_MIN)

    def test_it_stays_where_there_is_neither(self) -> None:
        ladder = busy(0.96)
        for second in range(3):
            self.overflowing(ladder, START + second)
        for second in range(3, 8):
            ladder.used(START + second)
            ladder._spent = 0.7 * GENERAL
            self.stranger(ladder, START + second, effort=16, last=True)
        self.assertEqual(ladder.bits, 11)


class FloodTests(LadderCase):
    """Minutes of a flood, judged one INIT at a time."""

    def run_flood(self, seconds: int, rate: int, effort: int = 0) -> tuple[Ladder, Counter[str]]:
        """``rate`` strangers a second, who solve their puzzles if ``effort`` says so; ten known peers a second."""
        ladder, seen = busy(0.0), Counter[str]()
        for tick in range(seconds * 1000):
            now = START + tick / 1000
            for _ in range(rate // 1000):
                turn = self.stranger(ladder, now)
                if turn is Turn.PUZZLE and effort:
                    turn = self.stranger(ladder, now, effort=effort, last=True)
                    seen["solved"] += 1
                self.note(ladder, turn, effort, now, seen)
            if tick % 100 == 0:
                seen[f"known {self.known(ladder, now).name}"] += 1
                honest = self.stranger(ladder, now, effort=ladder.bits + 1, last=True)
                seen[f"honest {honest.name}"] += 1
                self.note(ladder, honest, ladder.bits + 1, now, seen)
            if tick % 10 == 0:
                seen["answered"] += len(ladder.serve(now))
        return ladder, seen

    def note(self, ladder: Ladder, turn: Turn, effort: int, now: float, seen: Counter[str]) -> None:
        if turn is Turn.GO:
            seen["answered"] += 1
        elif turn is Turn.WAIT:
            ladder.join(TurnNeeded(effort, 1.0), now)

    def test_who_does_not_solve_gets_next_to_nothing_and_the_known_notice_nothing(self) -> None:
        _, seen = self.run_flood(60, 2000)
        self.assertEqual(seen["known GO"], 600)
        self.assertEqual(seen["honest SILENCE"], 0)
        self.assertLess(seen["answered"], 60 * 50)

    def test_who_solves_gets_the_general_budget_at_most_and_pays_more_and_more(self) -> None:
        ladder, seen = self.run_flood(30, 2000, effort=PUZZLE_BITS_MIN)
        self.assertEqual(seen["known GO"], 300)
        self.assertEqual(seen["honest SILENCE"], 0)
        self.assertLess(seen["answered"], 32 * GENERAL)
        self.assertGreater(seen["answered"], 25 * GENERAL)
        self.assertEqual(ladder.bits, PUZZLE_BITS_MAX)

    def test_the_queue_is_bounded_by_the_budget(self) -> None:
        ladder = busy(0.0)
        for _ in range(5000):
            turn = self.stranger(ladder, effort=8, last=True)
            self.note(ladder, turn, 8, START, Counter())
            if self.known(ladder) is Turn.WAIT:
                ladder.join(TurnNeeded(KNOWN_EFFORT, 1.0), START)
        self.assertLessEqual(ladder.waiting, KNOWN_MOST * GENERAL + 1)
        self.assertEqual(self.known(ladder), Turn.SILENCE)

    def test_the_shares_are_in_order(self) -> None:
        self.assertEqual(list(STEPS), sorted(STEPS))
        self.assertLess(SERVED_AT_ONCE * max(overload.KIND_COST.values()), 50, "milliseconds in one turn")
