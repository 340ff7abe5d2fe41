"""Tests of quantumgate.crypto.liboqs: its judgement of a probe's words, and the import that follows."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from quantumgate.crypto import liboqs
from quantumgate.crypto.known_answers import LIBOQS_ANSWERS
from quantumgate.crypto.liboqs import Finding, judge
from tests.crypto.scripts import run_script

LOADED = {"kind": "loaded", "path": "/lib/liboqs.so", "version": "0.16.0"}


def lines(*objects: dict[str, object]) -> bytes:
    """A probe's output."""
    return b"".join(json.dumps(one).encode() + b"\n" for one in objects)


def answers(**changed: object) -> list[dict[str, object]]:
    """All the right answers, with those of ``changed`` (by id, as ``i17``) replaced."""
    return [
        {"kind": "answer", "id": id_, "digest": changed.get(f"i{id_}", known)} for id_, known in LIBOQS_ANSWERS.items()
    ]


class JudgeTests(SynchronousTestCase):
    """What a probe's words mean."""

    def test_all_well(self) -> None:
        """Loaded, of the right version, every answer known."""
        found = judge(0, lines({"kind": "trying", "path": "/lib/liboqs.so"}, LOADED, *answers()))
        self.assertEqual(found, Finding(None, "0.16.0", "/lib/liboqs.so"))

    def test_a_wrong_or_missing_answer(self) -> None:
        """Closes that row, and no other."""
        found = judge(0, lines(LOADED, *answers(i17="00" * 32)))
        self.assertEqual(found.problems, {17: "known answer differs"})
        said = [*answers()[:-1], {"kind": "answer", "id": 34, "problem": "not in this build of liboqs"}]
        self.assertEqual(judge(0, lines(LOADED, *said)).problems, {34: "not in this build of liboqs"})
        self.assertEqual(judge(0, lines(LOADED, *answers()[1:])).problems, {16: "not examined"})

    def test_nothing_found(self) -> None:
        """Absent, not broken."""
        self.assertEqual(judge(0, b""), Finding(None, reason="no liboqs library was found"))

    def test_does_not_load(self) -> None:
        """Broken, with the path that was tried last."""
        found = judge(0, lines({"kind": "trying", "path": "/a"}, {"kind": "trying", "path": "/b"}))
        self.assertEqual((found.reason, found.broken), ("/b does not load", True))

    def test_a_dead_child(self) -> None:
        """Broken, with the path that killed it, whatever it said before."""
        found = judge(-7, lines({"kind": "trying", "path": "/a"}))
        self.assertEqual((found.reason, found.broken), ("/a ends its process (signal 7)", True))
        found = judge(-11, lines(LOADED, *answers()))
        self.assertEqual(found.reason, "/lib/liboqs.so ends its process (signal 11)")
        self.assertEqual(judge(1, b"").reason, "the probe ends its process (exit status 1)")

    def test_another_version(self) -> None:
        """0.15 and 0.17 are told apart from 0.16."""
        for version in ("0.15.0", "0.17.0", "1.0", "0.160.0"):
            found = judge(0, lines({**LOADED, "version": version}, *answers()))
            self.assertEqual(found.reason, f"liboqs {version} was found, 0.16.x is needed")
        self.assertEqual(judge(0, lines({**LOADED, "version": "0.16.1"}, *answers())).reason, "")

    def test_nonsense(self) -> None:
        """A library that writes to stdout, or no JSON at all."""
        self.assertEqual(judge(0, b"hello\n").reason, "the probe's words make no sense")


class ImportTests(SynchronousTestCase):
    """The import of liboqs-python, in a process of its own each time."""

    def setUp(self) -> None:
        """Skip where the package is missing."""
        if importlib.util.find_spec("oqs") is None:
            raise SkipTest("liboqs-python is not installed: pip install 'liboqs-python>=0.16,<0.17'")
        self.traps = Path(self.mktemp()).absolute()
        self.traps.mkdir()
        for name in ("git", "cmake"):
            trap = self.traps / name
            trap.write_text(f"#!/bin/sh\necho {name} >> {self.traps}/sprung\nexit 1\n")
            trap.chmod(0o755)

    def script(self, text: str, **more: str) -> str:
        """Run with traps in front of everything else and an empty prefix."""
        path = f"{self.traps}{os.pathsep}{os.environ['PATH']}"
        return run_script(text, PATH=path, OQS_INSTALL_PATH=str(self.traps), **more)

    def test_nothing_is_ever_installed(self) -> None:
        """Should the library vanish between probe and import: no clone, no build, no countdown, no words, no exit."""
        said = self.script(
            "import os, sys, time\n"
            "from quantumgate.crypto import liboqs\n"
            "before = time.monotonic()\n"
            "found = liboqs._import_module(liboqs.Finding(None, '0.16.0', '/nowhere'))\n"
            "quick = time.monotonic() - before < 4\n"
            "print(found.reason, found.broken, quick, 'oqs' in sys.modules, 'PYOQS_VERSION' in os.environ)"
        )
        self.assertEqual(said, "liboqs-python: ValueError True True False False")
        self.assertFalse((self.traps / "sprung").exists())

    def test_without_a_library_nothing_is_imported(self) -> None:
        """find() looks, finds nothing and leaves oqs alone."""
        said = self.script(
            "import sys\n"
            "from quantumgate.crypto import liboqs\n"
            "found = liboqs.find()\n"
            "print(found.module, found.version == '' and 'oqs' in sys.modules)"
        )
        if "module" in said:
            raise SkipTest("liboqs is installed system-wide: run where it is not")
        self.assertEqual(said, "None False")
        self.assertFalse((self.traps / "sprung").exists())

    def test_a_program_without_an_interpreter_starts_nothing(self) -> None:
        """A frozen program would start itself again as the probe."""
        for change in ("sys.executable = ''", "sys.frozen = True"):
            said = self.script(
                "import sys, subprocess\n"
                "from quantumgate.crypto import liboqs\n"
                f"{change}\n"
                "subprocess.run = None\n"
                "print(liboqs.find().reason)"
            )
            self.assertEqual(said, "there is no Python interpreter to examine a library with")

    def test_a_setting_of_the_user_is_put_back(self) -> None:
        """PYOQS_VERSION keeps its value."""
        said = self.script(
            "import os\n"
            "from quantumgate.crypto import liboqs\n"
            "liboqs._import_module(liboqs.Finding(None, '0.16.0', '/nowhere'))\n"
            "print(os.environ['PYOQS_VERSION'])",
            PYOQS_VERSION="0.16.0",
        )
        self.assertEqual(said, "0.16.0")

    def test_another_project_called_oqs(self) -> None:
        """Is recognised by where it lies, and never imported."""
        impostor = self.traps / "site" / "oqs"
        impostor.mkdir(parents=True)
        (impostor / "__init__.py").write_text(f"open({str(self.traps / 'sprung')!r}, 'w').close()\n")
        said = run_script(
            "import sys\nfrom quantumgate.crypto import liboqs\nprint(liboqs.find().reason, 'oqs' in sys.modules)",
            first_on_path=str(impostor.parent),
        )
        self.assertEqual(said, "the module oqs is not liboqs-python's False")
        self.assertFalse((self.traps / "sprung").exists())

    def test_another_version_of_the_package(self) -> None:
        """Only 0.16 is known to have an installer that can be switched off."""
        site = self.traps / "site"
        info = site / "liboqs_python-0.17.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: liboqs-python\nVersion: 0.17.0\n")
        said = run_script(
            "import sys\nfrom quantumgate.crypto import liboqs\nprint(liboqs.find().reason, 'oqs' in sys.modules)",
            first_on_path=str(site),
        )
        self.assertEqual(said, "liboqs-python 0.17.0 is installed, 0.16.x is needed False")


class RealLibraryTests(SynchronousTestCase):
    """With a liboqs 0.16 at hand."""

    def setUp(self) -> None:
        """Skip where there is none."""
        if liboqs.find().module is None:
            raise SkipTest(f"{liboqs.find().reason}; set OQS_INSTALL_PATH to the prefix of a shared liboqs 0.16")

    def test_found_examined_imported(self) -> None:
        """Version, path and no problem with any row that the library was built with."""
        found = liboqs.find()
        self.assertTrue(found.version.startswith("0.16."))
        self.assertEqual([id_ for id_, why in found.problems.items() if why != "not in this build of liboqs"], [])
        self.assertTrue(hasattr(found.module, "KeyEncapsulation"))

    def test_says_nothing(self) -> None:
        """liboqs-python talks on stdout; with us it does not, which --json relies on."""
        said = run_script("from quantumgate.crypto import liboqs\nprint(liboqs.find().module is not None)")
        self.assertEqual(said, "True")

    def test_another_library_than_the_examined_one_is_refused(self) -> None:
        """What was examined and what is used must be one file."""
        found = liboqs._import_module(Finding(None, "0.16.0", "/another/liboqs.so"))
        self.assertIsNone(found.module)
        self.assertTrue(found.broken)
        self.assertIn("another library was loaded than examined", found.reason)

    def test_the_generator_of_this_process_is_untouched(self) -> None:
        """The fixed stream was the child's: keys made here differ."""
        module = liboqs.find().module
        assert module is not None
        name = module.get_enabled_kem_mechanisms()[0]
        self.assertNotEqual(*(module.KeyEncapsulation(name).generate_keypair() for _ in range(2)))
