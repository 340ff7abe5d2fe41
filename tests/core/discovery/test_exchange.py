"""When to ask a peer for records, and what of its answers is one."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.discovery.exchange import Exchange
from quantumgate.errors import FloodError, ViolationError
from quantumgate.wire.exchange_frames import Told
from quantumgate.wire.limits import DEFAULT_LIMITS, FLOOD_BURST_FACTOR, PEX_AGAIN_SECONDS, PEX_TOLD
from tests.core.discovery.people import known, uuid

START = 1000.0
NAMED, STRANGER = DEFAULT_LIMITS.pex_named_seconds, DEFAULT_LIMITS.pex_stranger_seconds
ANSWER = Told((b"record",))


def fresh() -> Exchange:
    return Exchange(DEFAULT_LIMITS, START)


class AskingTests(SynchronousTestCase):
    def test_half_a_minute_with_the_named_ten_with_strangers(self) -> None:
        self.assertEqual((NAMED, STRANGER), (30, 600))
        for named, age in ((True, NAMED), (False, STRANGER)):
            self.assertFalse(fresh().wants_to_ask(START + age - 0.1, named=named))
            self.assertTrue(fresh().wants_to_ask(START + age, named=named))

    def test_one_question_at_a_time(self) -> None:
        one = fresh()
        one.asked(START + 30)
        self.assertFalse(one.wants_to_ask(START + 9999, named=True))
        one.answered(ANSWER)
        self.assertTrue(one.wants_to_ask(START + 9999, named=True))

    def gaps(self, news: list[bool], named: bool) -> list[float]:
        """Between questions, where the answers bring news or none."""
        one, now, found = fresh(), START + 600, []
        for something in news:
            one.asked(now)
            one.answered(ANSWER)
            one.learned(something, named=named)
            asked, step = now, 1.0
            while not one.wants_to_ask(now, named=named):
                now += step
            found.append(now - asked)
        return found

    def test_who_has_news_is_asked_soon_who_has_none_later_and_later(self) -> None:
        self.assertEqual(self.gaps([True, True, False, False, False, True], True), [20, 20, 40, 80, 160, 20])
        self.assertEqual(self.gaps([False] * 12, True)[-1], PEX_AGAIN_SECONDS[1])

    def test_a_stranger_is_asked_once_an_hour(self) -> None:
        self.assertEqual(self.gaps([True, False, True], False), [3600, 3600, 3600])

    def test_an_answer_that_nobody_asked_for(self) -> None:
        one = fresh()
        self.assertRaises(ViolationError, one.answered, ANSWER)
        one.asked(START)
        self.assertEqual(one.answered(ANSWER), (b"record",))
        self.assertRaises(ViolationError, one.answered, ANSWER)
        self.assertEqual(one.answered(Told((b"own",), own=True)), (b"own",), "its own record comes when it likes")


class TellingTests(SynchronousTestCase):
    def test_questions_have_a_budget(self) -> None:
        rate, burst = DEFAULT_LIMITS.pex_get_rate
        one = fresh()
        for _ in range(int(burst * FLOOD_BURST_FACTOR)):
            one.question(START)
        self.assertRaises(FloodError, one.question, START)
        steady = fresh()
        for n in range(1000):
            steady.question(START + n / rate)

    def test_the_budget_is_none_for_who_asks_as_we_do(self) -> None:
        one, rate = fresh(), DEFAULT_LIMITS.pex_get_rate[0]
        self.assertLess(1 / PEX_AGAIN_SECONDS[0], rate * 0.8)
        for n in range(1000):
            one.question(START + n * PEX_AGAIN_SECONDS[0])

    def test_what_was_told_is_remembered_so_far(self) -> None:
        one = fresh()
        one.tell([known(n, seq_s=1000 + n) for n in range(3)])
        self.assertEqual(one.told[uuid(2)], 1_002_000)
        one.tell([known(n % 4000) for n in range(PEX_TOLD + 5)])
        self.assertEqual(len(one.told), PEX_TOLD)
        self.assertNotIn(uuid(0), one.told)

    def test_our_own_record_goes_out_once_and_again_when_it_is_another(self) -> None:
        one = fresh()
        self.assertTrue(one.wants_own(b"first", START, named=True), "at once to who is named")
        self.assertFalse(one.wants_own(b"first", START + 599, named=False))
        self.assertTrue(one.wants_own(b"first", START + 600, named=False))
        one.pushed(b"first")
        self.assertFalse(one.wants_own(b"first", START + 9999, named=True))
        self.assertTrue(one.wants_own(b"second", START + 9999, named=True))
