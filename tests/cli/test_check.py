"""check: the node's own line for a broken configuration, and what a right one comes to."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.cli.tool import Outcome, qgate


class CheckTests(SynchronousTestCase):
    def check(self, text: str, *options: str, code: int = 0) -> Outcome:
        self.file = Path(self.mktemp()).absolute()
        self.file.write_text(text)
        outcome = qgate("check", "--config", str(self.file), *options)
        self.assertEqual(outcome.code, code, outcome)
        return outcome

    def test_right(self) -> None:
        text = self.check('[node]\nlisten = []\n[limits]\nsessions = 5\n').out
        self.assertIn(f"{self.file}: right\n", text)
        self.assertIn("dial only", text)
        self.assertIn("sessions = 5", text)

    def test_json(self) -> None:
        report = self.check('[algorithms]\nprimary = ["X448"]\n', "--json").json
        self.assertEqual((report["ok"], report["algorithms"]["primary"]), (True, ["X448"]))
        self.assertEqual(report["limits"]["sessions"], 8192)

    def test_wrong(self) -> None:
        outcome = self.check("[node]\nlissen = []\n", code=1)
        self.assertEqual((outcome.out, outcome.err), (
            "", f"{self.file}: node.lissen: expected a known key (did you mean listen?), found lissen\n"))

    def test_wrong_as_json(self) -> None:
        outcome = self.check("[node]\nlissen = []\n", "--json", code=1)
        self.assertEqual(outcome.json, {"file": str(self.file), "ok": False, "error": outcome.err.rstrip("\n")})

    def test_what_only_twisted_knows(self) -> None:
        outcome = self.check('[node]\nlisten = ["tpc:9999"]\n', code=1)
        self.assertIn(f"{self.file}: node.listen[0]: expected a Twisted endpoint string", outcome.err)

    def test_secret_file_is_read(self) -> None:
        self.assertIn("no such file", self.check('[node]\nshared_secret_file = "/nonexistent"\n', code=1).err)

    def test_extender_that_no_package_provides(self) -> None:
        outcome = self.check("[extenders.never_written]\n", code=1)
        self.assertIn(f"{self.file}: extenders.never_written: expected the name of an installed extender", outcome.err)

    def test_no_file(self) -> None:
        self.assertEqual(qgate("check", "--config", "/nonexistent.toml").err,
                         "/nonexistent.toml: expected a readable file, found no such file or directory\n")

    def test_limits(self) -> None:
        lines = self.check("[limits]\nsessions = 5\n", "--limits").out.splitlines()
        self.assertTrue(any(line.split() == ["sessions", "5", "8192", "1", "10000000"] for line in lines))
