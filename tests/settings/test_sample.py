"""``conf/`` is what the schema writes, and what it writes loads."""

from __future__ import annotations

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import quantumgate
from quantumgate.settings import sample
from quantumgate.settings.loader import loads
from quantumgate.settings.schema import Settings
from quantumgate.wire.limits import Limits

CONF = Path(quantumgate.__file__).parent.parent / "conf"
KEY_LINE = re.compile(r"#([a-z_0-9]+ = .*)")


def parse(text: str) -> Settings:
    return loads(text, "FILE", offerable=tuple)


class StepTests(SynchronousTestCase):
    def test_conf_is_in_step(self) -> None:
        """After a change of the schema: python -m quantumgate.settings.sample conf"""
        again = Path(self.mktemp())
        again.mkdir()
        names = {path.name for path in sample.write(again)}
        self.assertEqual(names, {path.name for path in CONF.glob("*.toml")})
        for name in names:
            self.assertEqual((CONF / name).read_text(), (again / name).read_text(), name)


class FullTests(SynchronousTestCase):
    def test_as_it_is_it_changes_nothing(self) -> None:
        self.assertEqual(parse(sample.full_text()), Settings())

    def test_each_key_alone_may_be_uncommented(self) -> None:
        table, seen = "", 0
        for line in sample.full_text().splitlines():
            table = line if line.startswith("[") else table
            if match := KEY_LINE.fullmatch(line):
                parse(f"{table}\n{match[1]}")
                seen += 1
        self.assertGreater(seen, 70)

    def test_all_keys_uncommented_are_the_defaults_but_for_the_level_spelled_out(self) -> None:
        lines = (KEY_LINE.sub(r"\1", line) for line in sample.full_text().splitlines())
        settings = parse("\n".join(lines))
        self.assertEqual((settings.node, settings.access, settings.algorithms),
                         (Settings().node, Settings().access, Settings().algorithms))
        self.assertEqual(settings.security.rekey_seconds, (300, 1200))

    def test_no_key_is_forgotten(self) -> None:
        text = sample.full_text()
        for table in Settings.__struct_fields__:
            for key in getattr(getattr(Settings(), table), "__struct_fields__", ()):
                self.assertIn(f"\n#{key} = ", text)
        for name in Limits.__dataclass_fields__:
            self.assertIn(f"\n#{name} = ", text)


class RecipeTests(SynchronousTestCase):
    def test_each_loads_and_says_something(self) -> None:
        for name in sample.RECIPES:
            self.assertNotEqual(parse(sample.recipe_text(name)), Settings(), name)


class UnitTests(SynchronousTestCase):
    """The systemd unit, as far as it can be read without systemd."""

    def test_promises(self) -> None:
        text = (CONF / "quantumgate.service").read_text()
        for line in ("Type=notify", "RestartPreventExitStatus=2", "StateDirectoryMode=0700", "UMask=0077"):
            self.assertIn(f"\n{line}\n", text)
        self.assertRegex(text, r"\nExecStart=\S*/twistd --nodaemon --pidfile= qgnode --config \S+ --data \S+\n")
