"""The ProVerif models of docs/spec/model: the fast ones are run, and all of them can be written.

The others take minutes each: ``make acceptance models``.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.house import ROOT, load_script

MODEL = ROOT / "docs/spec/model"


models = load_script(MODEL / "run.py")


class CasesTests(SynchronousTestCase):
    """The table of cases, without proverif."""

    def test_every_case_is_written(self) -> None:
        """A replacement that finds nothing raises; no hook of a query is left."""
        for case in models.CASES:
            text = case.text()
            self.assertNotIn("(*QUERIES*)", text, case.name)
            self.assertTrue(case.expected or case.must_fail, case.name)
            if case.expected and case.queries:
                self.assertEqual(len(case.expected), len(case.queries), case.name)

    def test_a_replacement_that_finds_nothing_is_refused(self) -> None:
        case = models.Case("x", "handshake", "", (), (), (("no such line", ""),))
        self.assertRaises(KeyError, case.text)

    def test_every_model_is_used(self) -> None:
        self.assertEqual({path.stem for path in MODEL.glob("*.pv")}, {case.model for case in models.CASES})

    def test_the_readme_tells_of_every_case(self) -> None:
        text = (MODEL / "README.md").read_text(encoding="utf-8")
        self.assertEqual([case.name for case in models.CASES if f"| `{case.name}` |" not in text], [])

    def test_what_must_fail_is_not_met_by_proofs(self) -> None:
        case = next(case for case in models.CASES if case.must_fail and not case.expected)
        self.assertFalse(models.Outcome((models.TRUE, models.TRUE), 1.0).meets(case))
        self.assertTrue(models.Outcome((models.TRUE, models.FALSE), 1.0).meets(case))
        self.assertFalse(models.Outcome((), 1.0).meets(case))

    def test_what_must_hold_is_met_only_word_by_word(self) -> None:
        case = next(case for case in models.CASES if case.name == "rekey")
        self.assertTrue(models.Outcome((models.TRUE,) * 4, 1.0).meets(case))
        self.assertFalse(models.Outcome((models.TRUE,) * 3, 1.0).meets(case))
        self.assertFalse(models.Outcome((models.TRUE,) * 3 + (models.UNPROVEN,), 1.0).meets(case))

    def test_result_lines(self) -> None:
        self.assertEqual(models.result_word("RESULT event(A) ==> event(B) is true."), models.TRUE)
        self.assertEqual(models.result_word("RESULT event(A) ==> event(B) is false."), models.FALSE)
        self.assertEqual(models.result_word("RESULT event(A) ==> event(B) cannot be proved."), models.UNPROVEN)


class ProVerifTests(SynchronousTestCase):
    """The fast models, really run."""

    def test_fast_models(self) -> None:
        if not shutil.which("proverif"):
            raise SkipTest("runs where ProVerif 2.05 is on the PATH as `proverif`")
        with tempfile.TemporaryDirectory() as scratch:
            for case in models.CASES:
                if case.fast:
                    outcome = models.run(case, Path(scratch), limit_seconds=90)
                    self.assertTrue(outcome.meets(case), f"{case.name}: {outcome.lines}")
