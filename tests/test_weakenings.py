"""The weakenings of ``tests/acceptance/weakenings.py`` still find what they change, and name tests that exist."""

from __future__ import annotations

import importlib
import shutil
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.acceptance.weakenings import WEAKENINGS, Change
from tests.house import ROOT


class WeakeningsTests(SynchronousTestCase):
    """They are run by ``make acceptance weakenings``."""

    def test_every_change_applies_to_the_code_of_today(self) -> None:
        for weakening in WEAKENINGS:
            with tempfile.TemporaryDirectory() as scratch:
                root = Path(scratch)
                for file in {change.file for change in weakening.changes}:
                    (root / file).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(ROOT / file, root / file)
                for change in weakening.changes:
                    change.apply(root)
                    compile((root / change.file).read_text(encoding="utf-8"), change.file, "exec")

    def test_a_change_that_finds_nothing_or_too_much_is_refused(self) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            (Path(scratch) / "x.py").write_text("a = 1\na = 1\n", encoding="utf-8")
            for old in ("a = 1", "b"):
                self.assertRaises(ValueError, Change("x.py", old, "").apply, Path(scratch))

    def test_the_tests_they_name_exist(self) -> None:
        for weakening in WEAKENINGS:
            module, case, name = weakening.attack.rsplit(".", 2)
            self.assertTrue(hasattr(getattr(importlib.import_module(module), case), name), weakening.attack)

    def test_every_weakened_model_has_one_here(self) -> None:
        page = (ROOT / "docs/spec/model/README.md").read_text(encoding="utf-8")
        told = {line.split("`")[1] for line in page.splitlines() if line.startswith("| `M")}
        self.assertEqual(told - {weakening.name for weakening in WEAKENINGS}, {"M9"})
