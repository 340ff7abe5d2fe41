"""What both sides of a handshake share: bytes wait for their number, answers for their question, and nothing after."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.handshake.outcome import Failed
from quantumgate.core.handshake.party import NEVER, Party, present, seal_pair
from quantumgate.core.requests import KeyNeeded
from quantumgate.core.state import ResponderState
from quantumgate.errors import BugError, MalformedError
from quantumgate.wire.messages import Header, MessageType
from tests.attacks.mallory import seal
from tests.core.handshake.duel import START, WALL_OFFSET_SECONDS, SeededRandom, settings
from tests.core.test_records import KEY


class Simple(Party):
    """Takes four bytes at a time; ``ask!`` asks, ``bad!`` is wrong."""

    def __init__(self) -> None:
        super().__init__(settings("alice"), SeededRandom(1), WALL_OFFSET_SECONDS, None, ResponderState.AWAIT_INIT)
        self._wanted_bytes = 4
        self.took: list[bytes] = []
        self.waits = 0
        self.answers: list[Any] = []

    def expire(self, now: float) -> None:
        self.outcome = Failed("deadline", "over")

    def eof(self, now: float) -> None:
        self.outcome = Failed("lost", "over")

    def _advance(self, now: float) -> None:
        self.took.append(self._take(4))
        if self.took[-1] == b"ask!":
            self._ask(KeyNeeded(16))
        elif self.took[-1] == b"bad!":
            raise MalformedError("bad")

    def _answered(self, value: Any, now: float) -> None:
        if value == "bad":
            raise MalformedError("a bad answer")
        self.answers.append(value)

    def _bad(self, now: float, detail: str) -> None:
        self._out += b"sorry"
        self._forget()
        self.outcome = Failed("malformed", "over", detail=detail)

    def _waiting(self, now: float) -> None:
        self.waits += 1


class PartyTests(SynchronousTestCase):
    """docs/spec/handshake.md, section 12."""

    def test_bytes_wait_for_their_number(self) -> None:
        party = Simple()
        for data in (b"a", bytearray(b"bcdef"), memoryview(b"ghij")):
            party.receive(data, START)
        self.assertEqual((party.took, party.waits), ([b"abcd", b"efgh"], 3))
        self.assertEqual(party.deadline(), NEVER)

    def test_a_question_stops_everything_behind_it(self) -> None:
        party = Simple()
        party.receive(b"ask!more", START)
        self.assertEqual(party.took, [b"ask!"])
        (request,) = party.requests
        self.assertRaises(BugError, party.answer, KeyNeeded(16), 1, START)
        party.answer(request, 1, START)
        self.assertEqual((party.answers, party.requests), ([1], []))
        self.assertRaises(BugError, party.answer, request, 1, START)
        party.receive(b"", START)
        self.assertEqual(party.took, [b"ask!", b"more"])

    def test_a_question_that_was_taken_off_the_list(self) -> None:
        party = Simple()
        party.receive(b"ask!", START)
        request = party.requests.pop()
        party.answer(request, 2, START)
        self.assertEqual(party.answers, [2])

    def test_what_is_wrong_ends_it_and_what_was_queued_goes_out_once(self) -> None:
        party = Simple()
        party.receive(b"ask!", START)
        request = party.requests[0]
        party.answer(request, "bad", START)
        assert isinstance(party.outcome, Failed)
        self.assertEqual(party.outcome.detail, "a bad answer")
        self.assertFalse(party.quiet)
        self.assertEqual((party.output(), party.output(), party.requests), (b"sorry", b"", []))
        self.assertTrue(party.quiet)

    def test_nothing_after_the_end(self) -> None:
        party = Simple()
        party.receive(b"bad!more", START)
        self.assertEqual(party.took, [b"bad!"])
        ended = party.outcome
        party.receive(b"even more", START)
        party.answer(KeyNeeded(16), "too late", START)
        self.assertEqual((party.took, party.answers, party.outcome), ([b"bad!"], [], ended))

    def test_only_what_is_legal_now(self) -> None:
        party = Simple()
        header = Header(MessageType.INIT, 100)
        self.assertIs(party._legal(header), header)
        error = self.assertRaises(MalformedError, party._legal, Header(MessageType.FIN, 100))
        self.assertIn("FIN", str(error))

    def test_wall_clock(self) -> None:
        self.assertEqual(Simple()._wall_ms(START + 0.0015), int((START + WALL_OFFSET_SECONDS) * 1000) + 1)

    def test_present(self) -> None:
        self.assertEqual(present(0), 0)
        self.assertRaises(BugError, present, None)

    def test_seal_pair(self) -> None:
        self.assertEqual(seal_pair(KEY, b"salt", b"header", b"body"), seal(KEY, b"salt", b"header", b"body"))
