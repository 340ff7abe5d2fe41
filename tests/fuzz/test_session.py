"""The kept corpus still runs clean, a short fuzz finds nothing, and the fuzzer finds what is broken on purpose."""

from __future__ import annotations

import random

from twisted.trial import unittest

from quantumgate.core import incoming
from quantumgate.wire import frames, session_tlvs
from tests.fuzz import target
from tests.fuzz.guide import Guide, from_line, load, to_line
from tests.fuzz.mutation import Mutator
from tests.fuzz.script import Kind, Option, Step, decode, encode
from tests.fuzz.target import run_script
from tests.fuzz.targets import TARGETS

EXECUTIONS = 1500
CORPUS = TARGETS["session"].corpus


class SessionFuzzTests(unittest.SynchronousTestCase):
    def test_the_corpus_breaks_nothing(self) -> None:
        scripts = load(CORPUS)
        self.assertGreater(len(scripts), 100)
        for script in scripts:
            run_script(script)

    def test_a_short_run_finds_nothing(self) -> None:
        luck = random.Random(20_261_121)
        guide = Guide(luck, Mutator(luck, target.THEIRS_BYTES), run_script)
        guide.pool = load(CORPUS)
        for _ in range(EXECUTIONS):
            run_script(guide.next())

    def test_any_bytes_are_a_script(self) -> None:
        luck = random.Random(1)
        for size in (0, 1, 13, 14, 100, 5000):
            run_script(decode(luck.randbytes(size)))

    def test_scripts_survive_their_line(self) -> None:
        script = [Step(Kind.OPTIONS, 5), Step(Kind.RECORD, 1, 2, b"abc"), Step(Kind.EOF)]
        self.assertEqual(from_line(to_line(script)), script)
        self.assertEqual(decode(encode(script)), script)


class PlantedBugTests(unittest.SynchronousTestCase):
    """A fuzzer that finds nothing proves nothing: each of these must be found by the script that reaches it."""

    def test_an_error_that_escapes_is_a_finding(self) -> None:
        def broken(_data: bytes) -> object:
            raise IndexError("planted")

        self.patch(session_tlvs.SessionBlock, "decode", staticmethod(broken))
        block = frames.frame(frames.SESSION, target.THEIRS_BYTES, flags=frames.WHOLE)
        opening = Step(Kind.OPTIONS, Option.INITIATOR | Option.OPENING)
        self.assertRaises(IndexError, run_script, [opening, Step(Kind.RECORD, 0, 0, block)])

    def test_credit_that_leaks_is_a_finding(self) -> None:
        name = target.NAMES[0].bytes
        opened = frames.frame(frames.CH_OPEN, name + b"\x01\x02", 1)
        part = frames.frame(frames.MSG, (90_000).to_bytes(4, "big") + bytes(60_000), 1, frames.FIRST)
        script = [Step(Kind.RECORD, 0, 0, opened), Step(Kind.RECORD, 0, 0, part), Step(Kind.EOF)]
        run_script(script)
        self.patch(target.CreditPool, "repay", lambda pool, size: None)
        self.assertRaises(target.Broken, run_script, script)

    def test_an_ignored_overrun_is_seen_by_the_session_alone(self) -> None:
        """What is no crash is for the attack tests; here the run must only stay clean."""
        self.patch(incoming, "MAX_FRAMES_PER_RECORD", 1)
        body = frames.frame(frames.PING, bytes(8)) * 2
        run = run_script([Step(Kind.RECORD, 0, 0, body)])
        self.assertTrue(run.connection.session is not None and run.connection.session.over)
