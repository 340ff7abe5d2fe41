"""The kept handshakes still run clean, a short fuzz finds nothing, and what is broken on purpose is found."""

from __future__ import annotations

import hmac
import random

from twisted.trial import unittest

from quantumgate.core import peer_records
from quantumgate.core.handshake import responder
from quantumgate.wire import frames
from tests.fuzz import peer_record, tally
from tests.fuzz.guide import Guide, load
from tests.fuzz.handshake import SESSION, Act, HandshakeRun, Setup, run_script
from tests.fuzz.handshake_mutation import HandshakeMutator
from tests.fuzz.script import Step, decode
from tests.fuzz.target import Broken
from tests.fuzz.targets import TARGETS

EXECUTIONS = 1000
ANSWERED = [Step(Act.SETUP), Step(Act.INIT), Step(Act.FIN)]
SESSION_RECORD = frames.frame(frames.SESSION, SESSION.block().encode(), flags=frames.WHOLE)


class HandshakeFuzzTests(unittest.SynchronousTestCase):
    def test_the_corpus_breaks_nothing(self) -> None:
        scripts = load(TARGETS["handshake"].corpus)
        self.assertGreater(len(scripts), 50)
        for script in scripts:
            run_script(script)

    def test_a_short_run_finds_nothing(self) -> None:
        luck = random.Random(20_261_121)
        guide = Guide(luck, HandshakeMutator(luck), run_script)
        guide.pool = load(TARGETS["handshake"].corpus)
        for _ in range(EXECUTIONS):
            run_script(guide.next())

    def test_any_bytes_are_a_script(self) -> None:
        luck = random.Random(1)
        for size in (0, 1, 13, 14, 100, 5000):
            run_script(decode(luck.randbytes(size)))


class CourseTests(unittest.SynchronousTestCase):
    """The peer can do what it should: each of these ends in a session, so that the fuzzer gets beyond every check."""

    def ready(self, *script: Step) -> HandshakeRun:
        run = run_script(list(script))
        self.assertEqual((run.ready_events, run.closed_events), (1, 0))
        return run

    def test_dialling(self) -> None:
        self.ready(*ANSWERED)
        self.ready(Step(Act.SETUP, Setup.SHARED_SECRET | Setup.PREVIOUS), Step(Act.INIT, 1), Step(Act.FIN))
        self.ready(Step(Act.SETUP, Setup.UNADDRESSED), Step(Act.INIT, 1), Step(Act.FIN))

    def test_dialling_without_a_name(self) -> None:
        run = self.ready(Step(Act.SETUP, Setup.ANONYMOUS), Step(Act.INIT), Step(Act.FIN, 1))
        session = run.connection.session
        self.assertTrue(session is not None and session.peer is None)

    def test_dialling_again_after_a_retry(self) -> None:
        self.ready(Step(Act.SETUP), Step(Act.INIT, 1 << 3), Step(Act.INIT), Step(Act.FIN))

    def test_answering(self) -> None:
        self.ready(Step(Act.SETUP, Setup.INITIATOR), Step(Act.RESP), Step(Act.RECORD, 0, 0, SESSION_RECORD))

    def test_answering_with_a_retry(self) -> None:
        course = Step(Act.RETRY, 1), Step(Act.RESP), Step(Act.RECORD, 0, 0, SESSION_RECORD)
        self.ready(Step(Act.SETUP, Setup.INITIATOR), *course)

    def test_dialling_whom_others_dial_too(self) -> None:
        self.ready(Step(Act.SETUP, Setup.QUEUE), Step(Act.INIT), Step(Act.FIN))
        self.ready(Step(Act.SETUP, Setup.PUZZLES), Step(Act.INIT), Step(Act.INIT), Step(Act.FIN))
        self.ready(Step(Act.SETUP, Setup.PUZZLES | Setup.TOKENS), Step(Act.INIT), Step(Act.FIN))

    def test_answering_with_a_puzzle(self) -> None:
        course = Step(Act.RETRY, 1 << 7), Step(Act.RESP), Step(Act.RECORD, 0, 0, SESSION_RECORD)
        self.ready(Step(Act.SETUP, Setup.INITIATOR), *course)

    def test_answering_who_prefers_slow_keys(self) -> None:
        course = Step(Act.RESP), Step(Act.RECORD, 0, 0, SESSION_RECORD)
        self.ready(Step(Act.SETUP, Setup.INITIATOR | Setup.SLOW), *course)


class PlantedBugTests(unittest.SynchronousTestCase):
    """A fuzzer that finds nothing proves nothing: each of these must be found by the script that reaches it."""

    def test_an_error_that_escapes_is_a_finding(self) -> None:
        def broken(*_: object) -> None:
            raise IndexError("planted")

        self.patch(responder, "choose", broken)
        self.assertRaises(IndexError, run_script, ANSWERED)

    def test_an_answer_to_strangers_is_a_finding(self) -> None:
        strange = [Step(Act.SETUP), Step(Act.INIT, 4)]
        run_script(strange)

        def talkative(self: responder.Responder, now: float, detail: str) -> None:
            self._out += b"who are you?"

        self.patch(responder.Responder, "_bad", talkative)
        self.assertRaises(Broken, run_script, strange)

    def test_a_session_after_damage_is_a_finding(self) -> None:
        damaged = [Step(Act.SETUP), Step(Act.INIT), Step(Act.FLIPPED, 8 * 60), Step(Act.FIN)]
        run_script(damaged)
        self.patch(responder.Responder, "_read_fin", _believes)
        self.assertRaises(Broken, run_script, damaged)

    def test_the_confirmation_alone_keeps_forgers_out(self) -> None:
        """What is no crash is for the attack tests; here it is only seen that the peer can be wrong in one place."""
        forged = [Step(Act.SETUP, Setup.ANONYMOUS), Step(Act.INIT), Step(Act.FIN, 1 | 1 << 7)]
        self.assertIsNone(run_script(forged).connection.session)
        self.patch(hmac, "compare_digest", lambda one, other: True)
        self.assertIsNotNone(run_script(forged).connection.session)


def _believes(self: responder.Responder, now: float) -> None:
    """A listener that takes any FIN for one of nobody's."""
    keys = responder.present(self._keys)
    fin = responder.Fin(1, b"", b"", bytes(64), b"")
    secrets = responder.schedule.session_secrets(keys.prk1, bytes(64))
    self._take(self._wanted_bytes)
    self._proved = responder._Proved(None, None, fin, secrets)
    self._establish(responder.Step.PROOF, responder.Verdict(True))


class TallyTests(unittest.SynchronousTestCase):
    def test_the_code_has_a_name_that_stays(self) -> None:
        self.assertEqual(tally.code(), tally.code())
        self.assertEqual(len(tally.code()), 12)

    def test_runs_are_counted_once(self) -> None:
        runs = [row["run"] for row in tally.kept()]
        self.assertEqual(len(runs), len(set(runs)))


class RecordFuzzTests(unittest.SynchronousTestCase):
    """Peer records: good ones pass, the corpus and a short run break nothing, and a lenient judge is found out."""

    def test_good_ones_pass(self) -> None:
        self.assertEqual(len(peer_record.run_script([Step(peer_record.Say.RECORD), Step(peer_record.Say.OWN)])), 2)

    def test_corpus_and_short_run(self) -> None:
        record = TARGETS["record"]
        for script in record.seeds() + load(record.corpus):
            record.run(script)
        guide = record.guide(20_261_121)
        guide.pool = load(record.corpus)
        self.assertGreater(len(guide.pool), 5)
        for _ in range(200):
            record.run(guide.next())

    def test_a_judge_that_skips_the_signature_is_a_finding(self) -> None:
        damaged = [Step(peer_record.Say.RECORD, 0, 400)]
        self.assertEqual(peer_record.run_script(damaged), [])
        self.patch(peer_records, "verify", lambda *_: None)
        found = 0
        for place in range(1, 600):
            try:
                peer_record.run_script([Step(peer_record.Say.RECORD, 0, place)])
            except Broken:
                found += 1
        self.assertGreater(found, 60)
