"""The counts that `make test` closes with come from what trial really said. No trial is run here."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.house import ROOT, load_script

trial = load_script(ROOT / ".ci/trial.py")


class CountsTests(SynchronousTestCase):
    def said(self, *lines: str, exit_code: int = 0) -> str:
        return str(trial.counts_from(list(lines), exit_code))

    def test_all_passed(self) -> None:
        self.assertEqual(self.said("Ran 12 tests in 0.5s", "", "PASSED (successes=12)"), "12 passed, 0 failed")

    def test_skips_are_told(self) -> None:
        said = self.said("Ran 12 tests in 0.5s", "PASSED (skips=2, successes=10)")
        self.assertEqual(said, "10 passed, 0 failed, 2 skipped")

    def test_failures_and_errors_add_up(self) -> None:
        said = self.said("Ran 9 tests in 1s", "FAILED (failures=2, errors=3, successes=4)", exit_code=1)
        self.assertEqual(said, "4 passed, 5 failed")

    def test_an_unexpected_success_is_a_failure(self) -> None:
        closing = "FAILED (expectedFailures=1, unexpectedSuccesses=1, successes=1)"
        said = self.said("Ran 3 tests in 1s", closing, exit_code=1)
        self.assertEqual(said, "2 passed, 1 failed")

    def test_no_closing_line_is_a_failure(self) -> None:
        self.assertEqual(self.said("Segmentation fault", exit_code=139), "0 passed, 1 failed")

    def test_no_test_run_is_a_failure(self) -> None:
        self.assertEqual(self.said("Ran 0 tests in 0.0s", "PASSED"), "0 passed, 1 failed")

    def test_a_bad_exit_is_a_failure(self) -> None:
        said = self.said("Ran 3 tests in 1s", "PASSED (successes=3)", exit_code=1)
        self.assertEqual(said, "3 passed, 1 failed")

    def test_several_runs_add_up(self) -> None:
        total = trial.Counts()
        total.add(trial.Counts(passed=3, skipped=1))
        total.add(trial.Counts(passed=2, failed=1))
        self.assertEqual(str(total), "5 passed, 1 failed, 1 skipped")


class SharesTests(SynchronousTestCase):
    """Where trial runs over parts of the tests, the parts are the whole."""

    def test_every_test_file_is_in_one_share_and_no_more(self) -> None:
        taken = [file for directory, names in trial.shares() for name in names
                 for file in trial.files_of(directory, name)]
        every = [*(ROOT / "tests").rglob("test_*.py"), *(ROOT / "extenders").glob("*/tests/**/test_*.py")]
        self.assertEqual(sorted(taken), sorted(every))

    def test_the_longest_comes_first(self) -> None:
        root = Path(self.mktemp())
        for path, size in {"tests/test_a": 20, "tests/b/test_b": 10, "tests/b/c/test_c": 30, "tests/d/d": 90,
                           "extenders/e/tests/__init__": 0, "extenders/e/tests/test_e": 30}.items():
            file = (root / path).with_suffix(".py")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"#" * size)
        floors = [(root, ["tests.b"]), (root / "extenders/e", ["tests"]), (root, ["tests.test_a"])]
        self.assertEqual(trial.shares(root), floors)
