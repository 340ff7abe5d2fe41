"""The guide to one's identity, followed by hand: its commands in their order, in two data directories."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.cli.tool import qgate
from tests.crypto.cheap import cheapen
from tests.test_guide import GUIDE

_COMMANDS = re.compile(r"<!-- at (?P<who>\w+) -->\n```console\n(?P<text>.*?)^```$", re.M | re.S)
_FILES = ("backup.key", "root.key", "heir.qgs", "words")
_CARRIED = {"online.key": "drawer/online.key"}


class IdentityGuideTests(SynchronousTestCase):
    def test_the_page(self) -> None:
        cheapen(self)
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        (folder / "words").write_text("correct horse\n")
        made = qgate("init", "--data", str(folder / "alice"), "--config", str(folder / "q.toml"), "--json").json
        said: dict[str, str] = {}
        text = (GUIDE / "your-identity.md").read_text(encoding="utf-8")
        for found in _COMMANDS.finditer(text):
            for line in found["text"].splitlines():
                words = [str(folder / _CARRIED.get(word, word)) if word in (*_FILES, *_CARRIED) else word
                         for word in shlex.split(line)[2:]]
                outcome = qgate(*words, "--data", str(folder / found["who"]))
                self.assertEqual(outcome.code, 0, (line, outcome))
                said[line] = outcome.out
        self.assertRegex(said["$ qgate id"], "root +elsewhere")
        self.assertIn(made["uuid"], said["$ qgate id rotate --root root.key --passphrase-file words"])
        self.assertEqual(qgate("id", "--data", str(folder / "bob"), "--json").json["uuid"], made["uuid"])
        self.assertIn(f"identity {made['uuid']} is succeeded by", said[list(said)[-1]])
