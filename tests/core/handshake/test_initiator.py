"""The dialler alone: deadlines, words for people, slow keys, a disguise. Attacks are in tests/attacks."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.handshake import Established, Failed, HandshakeSettings, Initiator, KeyNeeded, Verdict
from quantumgate.core.requests import PuzzleNeeded
from quantumgate.core.state import InitiatorState
from quantumgate.crypto import kem
from quantumgate.crypto.kem import KemKey
from quantumgate.crypto.suites import SECONDARIES
from quantumgate.errors import BugError
from quantumgate.wire.messages import MessageType, Retry, Select
from tests.attacks.mallory import Listener, open_init
from tests.core.handshake.duel import START, Duel, busy, identity, settings, solution_of


class WordsTests(SynchronousTestCase):
    """What a dialler is told: docs/spec/dialling.md section 4."""

    def failed(self, party: Initiator) -> Failed:
        """The outcome."""
        assert isinstance(party.outcome, Failed), party.outcome
        return party.outcome

    def test_no_answer(self) -> None:
        duel = Duel()
        self.assertEqual(duel.initiator.deadline(), START + 10)
        duel.initiator.expire(START + 9.9)
        self.assertIs(duel.initiator.outcome, None)
        duel.initiator.expire(START + 10)
        failed = self.failed(duel.initiator)
        self.assertEqual((failed.reason, failed.message), ("no-answer", "no answer"))
        self.assertIn("UUID, shared secret, network name, and this clock", failed.advice)

    def test_half_an_answer(self) -> None:
        duel = Duel()
        duel.responder.receive(duel.flight("i"), START)
        duel.initiator.receive(duel.flight("r")[:-1], START + 9)
        duel.initiator.expire(START + 10)
        self.assertEqual(self.failed(duel.initiator).reason, "deadline")

    def test_closed_before_an_answer(self) -> None:
        duel = Duel()
        duel.initiator.eof(START)
        self.assertEqual(self.failed(duel.initiator).reason, "lost")
        duel.initiator.eof(START)
        duel.initiator.receive(b"late", START)
        duel.initiator.expire(START + 100)
        self.assertEqual(self.failed(duel.initiator).reason, "lost")

    def test_a_retry_starts_the_ten_seconds_again(self) -> None:
        duel = Duel(r=settings("bob", primaries=(2,)))
        duel.responder.receive(duel.flight("i"), START)
        duel.initiator.receive(duel.flight("r"), START + 8)
        self.assertEqual(duel.initiator.deadline(), START + 18)

    def test_a_verdict_that_does_not_come(self) -> None:
        duel = Duel()
        duel.responder.receive(duel.flight("i"), START)
        duel.initiator.receive(duel.flight("r"), START)
        self.assertEqual(duel.initiator.deadline(), START + 30)
        duel.initiator.expire(START + 30)
        self.assertEqual((self.failed(duel.initiator).reason, duel.flight("i")), ("deadline", b""))


class ForgettingTests(SynchronousTestCase):
    """Private halves and handshake keys are wiped, whichever way it ends."""

    def test_keys_after_the_end(self) -> None:
        for admitted in (True, False):
            duel = Duel()
            duel.verdicts["i"] = Verdict(admitted)
            duel.responder.receive(duel.flight("i"), START)
            duel.initiator.receive(duel.flight("r"), START)
            keys = duel.initiator._keys
            assert keys is not None
            self.assertNotIn("wiped", repr(keys.prk1))
            duel.answer_all()
            for secret in (keys.prk1, keys.fin_i, keys.fin_r):
                self.assertIn("wiped", repr(secret))

    def test_private_halves_after_every_end(self) -> None:
        def ended(how: int, duel: Duel) -> None:
            if how == 0:
                duel.initiator.eof(START)
            elif how == 1:
                duel.initiator.expire(START + 10)
            elif how == 2:
                duel.initiator.receive(bytes(64), START)
            else:
                duel.run()

        for how in range(4):
            duel = Duel()
            attempt = duel.initiator._attempt
            assert attempt is not None
            share, (ciphertext, _secret) = attempt.primary.share, kem.kem(1).encapsulate(attempt.secondary.public)
            ended(how, duel)
            self.assertIsNotNone(duel.initiator.outcome)
            self.assertRaises(BugError, attempt.primary.exchange, share)
            self.assertRaises(BugError, attempt.secondary.decapsulate, ciphertext)


class OfferTests(SynchronousTestCase):
    """What the first message says."""

    def offer(self, alice: HandshakeSettings, **dial: object) -> object:
        """The lists in alice's INIT to bob."""
        duel = Duel(alice, **dial)  # type: ignore[arg-type]
        return open_init(duel.r_settings.candidates[0], duel.flight("i"))

    def test_timestamp_is_a_whole_minute(self) -> None:
        opened = open_init(settings("bob").candidates[0], Duel().flight("i"))
        a_ms = int.from_bytes(opened.header[4:12], "big")
        self.assertEqual((a_ms % 60_000, a_ms), (0, 1_700_001_000_000 - 1_700_001_000_000 % 60_000))

    def test_an_anonymous_offer_has_no_traits(self) -> None:
        odd = settings("alice", primaries=(3, 1), secondaries=(2,), aeads=(2, 1))
        for alice in (odd, settings("carol")):
            lists = self.offer(alice, anonymous=True).init.lists  # type: ignore[attr-defined]
            self.assertEqual((lists.primaries, lists.secondaries, lists.aeads), ((1, 2, 3), (1, 2), (1, 2)))

    def test_every_token_is_random(self) -> None:
        tokens = {self.offer(settings("alice"), seed=seed).init.token for seed in range(5)}  # type: ignore[attr-defined]
        self.assertEqual((len(tokens), {len(token) for token in tokens}), (5, {48}))


class SlowKeyTests(SynchronousTestCase):
    """A group whose keys take long: the table says so for McEliece; here ML-KEM-1024 plays it."""

    def setUp(self) -> None:
        rows = dict(SECONDARIES)
        rows[2] = type(rows[2])(2, "slow", 1568, 1568, "test", "", "", slow=True)
        self.patch(__import__("quantumgate.core.handshake.initiator", fromlist=["x"]), "SECONDARIES", rows)

    def key(self) -> KemKey:
        """What the stock would give."""
        return kem.kem(2).generate()

    def test_a_puzzle_is_solved_before_a_slow_key_is_asked_for(self) -> None:
        duel = Duel(r=settings("bob", secondaries=(2,)), r_options={"ladder": busy(0.9)})
        duel.responder.receive(duel.flight("i"), START)
        duel.initiator.receive(duel.flight("r"), START)
        (puzzle,) = duel.initiator.requests
        assert isinstance(puzzle, PuzzleNeeded)
        duel.initiator.answer(puzzle, solution_of(puzzle), START)
        self.assertEqual((duel.flight("i"), duel.initiator.state), (b"", InitiatorState.AWAIT_KEY))
        self.assertIsInstance(duel.run().established[0], Established)

    def test_asked_for_before_the_first_message(self) -> None:
        duel = Duel(settings("alice", secondaries=(2, 1)))
        (request,) = duel.initiator.requests
        assert isinstance(request, KeyNeeded)
        self.assertEqual((request.group, duel.flight("i"), duel.initiator.deadline()), (2, b"", START + 30))
        duel.initiator.answer(request, self.key(), START + 5)
        self.assertEqual(duel.initiator.deadline(), START + 15)
        self.assertIsInstance(duel.run().established[0], Established)

    def test_asked_for_after_a_retry(self) -> None:
        duel = Duel(settings("alice", secondaries=(1, 2)), settings("bob", secondaries=(2,)))
        duel.responder.receive(duel.flight("i"), START)
        duel.initiator.receive(duel.flight("r"), START)
        (request,) = duel.initiator.requests
        self.assertIs(duel.initiator.state, InitiatorState.AWAIT_KEY)
        duel.initiator.answer(request, self.key(), START + 5)
        i, r = duel.run().established
        self.assertEqual((i.root, i.suite.secondary, r.retried), (r.root, 2, True))

    def test_nothing_may_come_while_it_is_made(self) -> None:
        duel = Duel(settings("alice", secondaries=(2, 1)))
        duel.initiator.receive(b"?", START)
        self.assertIsInstance(duel.initiator.outcome, Failed)

    def test_nor_behind_the_retry_that_made_us_wait(self) -> None:
        duel = Duel(settings("alice", secondaries=(1, 2)))
        trap = Listener(settings("bob"))
        trap.read(duel.flight("i"))
        duel.initiator.receive(trap.plain(MessageType.RETRY, Retry(Select(1, 2, 1)).encode(9)), START)
        duel.initiator.receive(trap.resp(identity("bob")), START)
        self.assertIsInstance(duel.initiator.outcome, Failed)

    def test_nothing_may_come_while_we_are_asked(self) -> None:
        duel = Duel()
        duel.responder.receive(duel.flight("i"), START)
        duel.initiator.receive(duel.flight("r"), START)
        duel.initiator.receive(b"?", START)
        self.assertIsInstance(duel.initiator.outcome, Failed)
