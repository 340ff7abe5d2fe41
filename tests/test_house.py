"""The house keeps its rules: arrows go down, floors touch only their own, files stay small, every module has its test.

The rules themselves are in docs/dev/house.md; the reading of the tree is tests/house.py. Each rule is also shown a
source that breaks it, so that a rule which sees nothing is noticed.
"""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests import house
from tests.house import ROOT, Source

FILE_LINES, FILE_LINES_USUAL = 600, 400
FUNCTION_LINES, FUNCTION_LINES_USUAL = 60, 25
USUAL_SHARE = 0.9
SKIP_SAYS = re.compile(r"\bruns?\b.*\b(where|install|apt|pip)\b|\b(install|apt|pip|set)\b.*\bruns?\b", re.DOTALL)
"""What a skip that is assigned to a class or a test says on its own lines."""


# Modules whose test stands under another name, with the reason. Empty is best.
TESTED_ELSEWHERE: dict[str, tuple[str, str]] = {}

# Modules without a test file of their own: a debt, to be paid and struck out. No module may be added here.
UNTESTED: frozenset[str] = frozenset()


def assigned_skips(source: Source) -> list[tuple[int, str]]:
    """Line and text, its comment too, of each ``skip = ...`` and ``test.skip = ...``."""
    lines = source.text.splitlines()
    found = (node for node in ast.walk(source.tree) if isinstance(node, ast.Assign))
    skips = [node for node in found if any(house.last_name(target) == "skip" for target in node.targets)]
    return [(node.lineno, "\n".join(lines[node.lineno - 1 : node.end_lineno])) for node in skips]


def planted(module: str, text: str) -> Source:
    """A source that is not on the disk, as if it were ``quantumgate.MODULE``."""
    path = ROOT / "quantumgate" / (module.replace(".", "/") + ".py")
    return Source(path, f"quantumgate.{module}", text)


class ArrowsTests(SynchronousTestCase):
    """Imports go down, and each floor touches only what is its own."""

    def test_imports_go_down(self) -> None:
        self.assertEqual(house.wrong_arrows(house.package()), [])

    def test_outside_imports(self) -> None:
        self.assertEqual(house.wrong_outside(house.package()), [])

    def test_core_touches_nothing(self) -> None:
        core = [s for s in house.package() if house.room_of(house.inside(s)) == "core"]
        self.assertEqual(house.forbidden_in_core(core), [])

    def test_every_room_has_a_floor(self) -> None:
        rooms = {house.room_of(house.inside(s)) for s in house.package()}
        self.assertEqual(rooms - set(house.FLOOR_OF_ROOM), set(), "a new room: give it a floor in tests/house.py")

    def test_nobody_imports_testing(self) -> None:
        """Only tests do; the package itself is covered by the arrows."""
        rest = house.read(path for top in ("twisted", "docs", "bench") for path in (ROOT / top).rglob("*.py"))
        bad = [
            f"{s}:{line}"
            for s in [*house.guests(), *rest]
            for line, name in house.imports(s)
            if name.startswith("quantumgate.testing")
        ]
        self.assertEqual(bad, [])

    def test_guests_use_the_door(self) -> None:
        """An extender imports quantumgate.extender.api and nothing else of ours."""
        bad = [
            f"{s}:{line}: {name}"
            for s in house.guests()
            for line, name in house.imports(s)
            if name.startswith("quantumgate.") and not name.startswith("quantumgate.extender.api")
        ]
        self.assertEqual(bad, [])

    def test_a_wrong_arrow_is_seen(self) -> None:
        wrong = {
            "wire.zz": "from quantumgate.crypto import aead",
            "crypto.zz": "import quantumgate.wire.reader",
            "core.zz": "from ..net import protocol",
            "core.relay.zz": "from quantumgate.core.access import rules",
            "net.zz": "from quantumgate.settings.loader import load",
            "settings.loader": "from quantumgate.net import protocol",
            "extender.api": "from quantumgate.extender.host import Host",
            "extender.host": "def later():\n    from quantumgate.node import node",
            "node.zz": "import quantumgate.testing",
            "errors": "from quantumgate import wire",
        }
        for module, text in wrong.items():
            self.assertEqual(len(house.wrong_arrows([planted(module, text)])), 1, module)

    def test_a_right_arrow_is_not(self) -> None:
        right = {
            "wire.zz": "from quantumgate.errors import MalformedError",
            "core.zz": "from quantumgate.crypto import aead\nfrom quantumgate.wire.limits import Limits",
            "core.yy": "from . import state",
            "core.relay.zz": "from quantumgate.core import events",
            "net.zz": "from quantumgate.core import events\nfrom quantumgate.settings.schema import Node",
            "extender.host": "from quantumgate.extender.api import Extender",
            "cli.zz": "from quantumgate.control import client",
            "testing.zz": "from quantumgate.node import node",
        }
        for module, text in right.items():
            self.assertEqual(house.wrong_arrows([planted(module, text)]), [], module)

    def test_a_wrong_outside_import_is_seen(self) -> None:
        for module, text in {
            "wire.zz": "import time",
            "errors": "import os",
            "ids": "import msgspec",
            "crypto.zz": "from twisted.internet import defer",
        }.items():
            self.assertEqual(len(house.wrong_outside([planted(module, text)])), 1, module)
        self.assertEqual(house.wrong_outside([planted("settings.schema", "import msgspec")]), [])

    def test_a_forbidden_call_names_its_replacement(self) -> None:
        for text, advice in {
            "import time": "take `now`",
            "from time import monotonic": "take `now`",
            "import uuid\nx = uuid.uuid4()": "RandomSource",
            "from random import random": "RandomSource",
            "x = open('f')": "node does",
            "import twisted.internet.defer": "no reactor",
        }.items():
            found = house.forbidden_in_core([planted("core.zz", text)])
            self.assertEqual(len(found), 1, text)
            self.assertIn(advice, found[0])

    def test_luck_has_one_source(self) -> None:
        self.assertEqual(house.other_luck(house.package()), [])

    def test_other_luck_is_seen(self) -> None:
        for text in ("import random", "from os import urandom", "import os\nx = os.urandom(8)", "import secrets as s"):
            self.assertEqual(len(house.other_luck([planted("node.zz", text)])), 1, text)
        self.assertEqual(house.other_luck([planted("crypto.random", "import os\nx = os.urandom(8)")]), [])

    def test_an_argument_named_random_is_no_module(self) -> None:
        self.assertEqual(house.forbidden_in_core([planted("core.zz", "def f(random):\n    random.below(3)")]), [])


class SizesTests(SynchronousTestCase):
    """Sizes are weather, not law; beyond these numbers it is a storm."""

    def test_files(self) -> None:
        everything = [*house.package(), *house.guests(), *house.tests()]
        long = [f"{s}: {s.lines} lines" for s in everything if s.lines > FILE_LINES]
        self.assertEqual(long, [], f"no file has more than {FILE_LINES} lines: split it by meaning")

    def test_most_files_are_shorter(self) -> None:
        files = house.package()
        long = [f"{s}: {s.lines}" for s in files if s.lines > FILE_LINES_USUAL]
        self.assertLessEqual(len(long), (1 - USUAL_SHARE) * len(files), long)

    def test_functions(self) -> None:
        long = [
            f"{s}:{line}: {name} has {length} lines"
            for s in [*house.package(), *house.guests()]
            for line, name, length in house.functions(s)
            if length > FUNCTION_LINES
        ]
        self.assertEqual(long, [], f"no function has more than {FUNCTION_LINES} lines")

    def test_most_functions_are_shorter(self) -> None:
        lengths = sorted(length for s in house.package() for _, _, length in house.functions(s))
        long = [length for length in lengths if length >= FUNCTION_LINES_USUAL]
        self.assertLessEqual(
            len(long), (1 - USUAL_SHARE) * len(lengths), f"nine in ten functions are under {FUNCTION_LINES_USUAL} lines"
        )

    def test_length_is_counted_from_def_to_end(self) -> None:
        source = planted("core.zz", "@x\ndef f():\n    a\n\n    b\n\n\nc = 1\n")
        self.assertEqual(list(house.functions(source)), [(2, "f", 4)])


class NamesTests(SynchronousTestCase):
    """A name says what a thing is; a module says what it is for."""

    def test_no_vague_names(self) -> None:
        found = []
        for source in [*house.package(), *house.guests()]:
            names = [*((1, Path(part).stem) for part in source.path.parts[-2:]), *house.definitions(source)]
            found += [f"{source}:{line}: {name}" for line, name in names if house.VAGUE & set(house.words(name))]
        self.assertEqual(found, [], f"say what it is instead of {sorted(house.VAGUE)}")

    def test_words_of_a_name(self) -> None:
        self.assertEqual(house.words("TCPKeyManager"), ["tcp", "key", "manager"])
        self.assertEqual(house.words("_event_handler2"), ["event", "handler", "2"])

    def test_every_module_says_what_it_is_for(self) -> None:
        silent = [str(s) for s in [*house.package(), *house.guests(), *house.tests()] if not s.introduced]
        self.assertEqual(silent, [])

    def test_what_is_no_introduction(self) -> None:
        for text in ("", "import os", '""" """', "# why\n", 'x = """for"""', 'f"""for"""'):
            self.assertFalse(planted("core.zz", text).introduced, text)
        for text in ('"""For."""', '#!/bin/x\n# y\n\nr"""\nFor\n"""\nimport os'):
            self.assertTrue(planted("core.zz", text).introduced, text)

    def test_a_floor_is_introduced_by_a_docstring_alone(self) -> None:
        """``__init__.py`` says what a floor is for; that of an inner package may also pass its names on."""
        busy = []
        for source in house.package():
            if source.path.name != "__init__.py" or source.name == "quantumgate":
                continue
            inner = source.name.count(".") > 1
            if any(not (inner and isinstance(n, ast.ImportFrom | ast.Assign)) for n in source.tree.body[1:]):
                busy.append(str(source))
        self.assertEqual(busy, [], "what a package offers stands in its modules")

    def test_nothing_is_left_for_later(self) -> None:
        marks = re.compile("|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X", "NotImplemented" + "Error"]))
        found = [
            f"{s}:{number}"
            for s in [*house.package(), *house.guests(), *house.tests()]
            for number, line in enumerate(s.text.splitlines(), 1)
            if marks.search(line)
        ]
        self.assertEqual(found, [])

    def test_no_assert_below_the_door(self) -> None:
        """What a peer sent is refused by an error; ``python -O`` drops asserts."""
        rooms = {"words", "wire", "crypto", "core", "net"}
        found = [
            f"{s}:{line}"
            for s in house.package()
            if house.room_of(house.inside(s)) in rooms
            for line in house.facts(s).asserts
        ]
        self.assertEqual(found, [])


class TestsTests(SynchronousTestCase):
    """Each module has its test file, each test directory can be found, each skip says what makes it run."""

    def test_every_module_has_its_test(self) -> None:
        missing = []
        for source in house.package():
            module = house.inside(source)
            if source.path.name == "__init__.py" or module.startswith("cli.demo"):
                continue
            if not self._has_test(module) and module not in UNTESTED:
                missing.append(module)
        self.assertEqual(missing, [], "write tests/<room>/test_<module>.py, or say in TESTED_ELSEWHERE where and why")

    def _has_test(self, module: str) -> bool:
        if module in TESTED_ELSEWHERE:
            return (ROOT / "tests" / TESTED_ELSEWHERE[module][0]).exists()
        *rooms, name = module.split(".")
        folder = ROOT.joinpath("tests", *rooms)
        return (folder / f"test_{name}.py").exists() or any(folder.glob(f"test_{name}_*.py"))

    def test_the_table_of_exceptions_is_needed(self) -> None:
        modules = {house.inside(s) for s in house.package()}
        self.assertEqual(set(TESTED_ELSEWHERE) - modules, set())
        self.assertEqual([m for m, (_, reason) in TESTED_ELSEWHERE.items() if not reason], [])

    def test_directories_of_tests_are_packages(self) -> None:
        folders = {path.parent for top in ("tests", "extenders") for path in (ROOT / top).rglob("test_*.py")}
        bare = [str(f.relative_to(ROOT)) for f in folders if not (f / "__init__.py").exists()]
        self.assertEqual(bare, [], "trial does not find tests in a folder without __init__.py")

    def test_skips_say_what_makes_them_run(self) -> None:
        silent = []
        for source in house.tests():
            if "skip" not in source.text.lower():
                continue  # no need to read it closely
            for node in ast.walk(source.tree):
                if not isinstance(node, ast.Call) or house.last_name(node.func) not in ("SkipTest", "skipIf", "skip"):
                    continue
                texts = [n.value for a in node.args for n in ast.walk(a) if isinstance(n, ast.Constant)]
                if not any(isinstance(text, str) and len(text) > 15 for text in texts) and not node.keywords:
                    silent.append(f"{source}:{node.lineno}")
            silent += [f"{source}:{number}" for number, line in assigned_skips(source) if not SKIP_SAYS.search(line)]
        self.assertEqual(silent, [], "a skip has a reason that says what makes it run")


class TreeTests(SynchronousTestCase):
    """What the repository as a whole must and must not hold."""

    def test_twisted_stays_twisteds(self) -> None:
        """An __init__.py here would replace Twisted's own when installed, and take it away when uninstalled."""
        self.assertEqual([str(p) for p in (ROOT / "twisted").rglob("__init__.py")], [])
        self.assertEqual([p.name for p in (ROOT / "twisted").rglob("*.py")], ["quantumgate_plugins.py"])

    def test_decisions_are_numbered(self) -> None:
        names = sorted(p.name for p in (ROOT / "docs/adr").glob("*.md") if p.name != "README.md")
        odd = [name for name in names if not re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", name)]
        self.assertEqual(odd, [])
        self.assertEqual(len({name[:4] for name in names}), len(names), "a number stands for one decision")

    def test_decisions_have_their_parts(self) -> None:
        for path in sorted((ROOT / "docs/adr").glob("[0-9]*.md")):
            text = path.read_text(encoding="utf-8")
            self.assertRegex(text, rf"^# {path.name[:4]}:? \w", f"{path.name}: the title starts with its number")

    def test_news_fragments_have_a_kind(self) -> None:
        kinds = "feature|bugfix|security|wire|settings|doc|removal"
        names = [p.name for p in (ROOT / "docs/news").iterdir() if p.name != "README.md"]
        self.assertEqual([n for n in names if not re.fullmatch(rf"[a-z0-9-]+\.({kinds})\.md", n)], [])

    def test_no_path_of_a_machine(self) -> None:
        roots = ["/wo" + "rk/", "/fa" + "rm/", r"/tmp/stu" + "dio", r"\.mir" + "ror/"]
        marks, found = re.compile("|".join(roots)), []
        for path in self._files():
            try:
                text = path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue
            lines = enumerate(text.splitlines(), 1)
            found += [f"{path.relative_to(ROOT)}:{number}" for number, line in lines if marks.search(line)]
        self.assertEqual(found, [])

    def _files(self) -> list[Path]:
        """What git knows; without git (an unpacked archive) everything that a build does not make."""
        try:
            names = subprocess.run(
                ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True
            ).stdout.split("\0")
            return [ROOT / name for name in names if name and (ROOT / name).is_file()]
        except (OSError, subprocess.CalledProcessError):
            made = {".git", ".venv", "build", "dist", "__pycache__", ".mypy_cache", ".ruff_cache", ".hypothesis"}
            return [p for p in ROOT.rglob("*") if p.is_file() and not made & set(p.parts)]

    def test_continuous_integration_calls_the_test_command(self) -> None:
        self.assertIn("make test", (ROOT / ".ci/run").read_text(encoding="utf-8"))
