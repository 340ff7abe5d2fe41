"""What a wheel holds: all of the package, one file of Twisted's plugins, and nothing of the workshop.

The wheel is built from a copy, so that no build/ of an older tree can leak into it and none is left behind.
"""

from __future__ import annotations

import configparser
import functools
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests import house
from tests.house import ROOT


def build(source: Path, wanted: list[str], scratch: Path) -> Path:
    """The wheel of a copy of ``source``, built without isolation: setuptools is one of the test requirements."""
    copy = scratch / source.name
    copy.mkdir()
    for name in wanted:
        item = source / name
        if item.is_dir():
            shutil.copytree(item, copy / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "*.cache"))
        elif item.exists():
            shutil.copy(item, copy / name)
    out = scratch / f"{source.name}-wheel"
    words = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    words += ["--disable-pip-version-check", "-w", str(out), str(copy)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    return next(out.glob("*.whl"))


def entry_points(wheel: zipfile.ZipFile) -> dict[str, dict[str, str]]:
    name = next(n for n in wheel.namelist() if n.endswith(".dist-info/entry_points.txt"))
    parser = configparser.ConfigParser()
    parser.read_string(wheel.read(name).decode())
    return {section: dict(parser[section]) for section in parser.sections()}


@functools.cache
def our_wheel() -> tuple[zipfile.ZipFile, tempfile.TemporaryDirectory[str]]:
    """Built once for all tests, since it takes seconds; the directory goes with the process."""
    scratch = tempfile.TemporaryDirectory(prefix="qg-wheel-")
    wanted = ["setup.cfg", "pyproject.toml", "README.md", "LICENSE", "quantumgate", "twisted"]
    return zipfile.ZipFile(build(ROOT, wanted, Path(scratch.name))), scratch


class WheelTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.wheel, _ = our_wheel()

    def test_one_file_below_twisted(self) -> None:
        """Two __init__.py there would replace Twisted's own, and uninstalling would take them away."""
        names = [name for name in self.wheel.namelist() if name.startswith("twisted/")]
        self.assertEqual(names, ["twisted/plugins/quantumgate_plugins.py"])

    def test_every_module_is_in(self) -> None:
        packed = {name for name in self.wheel.namelist() if name.startswith("quantumgate/") and name.endswith(".py")}
        self.assertEqual(packed, {str(s.path.relative_to(ROOT)) for s in house.package()})

    def test_it_is_typed(self) -> None:
        self.assertIn("quantumgate/py.typed", self.wheel.namelist())

    def test_nothing_of_the_workshop_is_in(self) -> None:
        tops = {name.split("/")[0] for name in self.wheel.namelist()}
        self.assertEqual({top for top in tops if not top.endswith(".dist-info")}, {"quantumgate", "twisted"})

    def test_the_licence_is_in(self) -> None:
        self.assertTrue([name for name in self.wheel.namelist() if name.endswith("LICENSE")])

    def test_qgate_is_the_only_command(self) -> None:
        self.assertEqual(entry_points(self.wheel), {"console_scripts": {"qgate": "quantumgate.cli.main:main"}})

    def test_twistd_finds_the_node_in_it(self) -> None:
        """Unpacked, seen from elsewhere: the plugin is found where the checkout is not."""
        elsewhere = Path(self.mktemp()).resolve()
        place = elsewhere / "unpacked"
        self.wheel.extractall(place)
        words = [sys.executable, "-m", "twisted", "--help"]
        environment = {**os.environ, "PYTHONPATH": str(place)}
        done = subprocess.run(words, cwd=elsewhere, env=environment, capture_output=True, text=True, check=False)
        self.assertIn("qgnode", done.stdout)


class ExtenderWheelsTests(SynchronousTestCase):
    """Each extender is a package of its own that names its maker in the group."""

    def test_every_extender_names_its_maker(self) -> None:
        scratch = Path(tempfile.mkdtemp(prefix="qg-wheel-"))
        self.addCleanup(shutil.rmtree, scratch)
        for setup in sorted((ROOT / "extenders").glob("*/setup.cfg")):
            folder = setup.parent
            package = f"quantumgate_{folder.name}"
            with zipfile.ZipFile(build(folder, [p.name for p in folder.iterdir()], scratch)) as wheel:
                self.assertIn(folder.name, entry_points(wheel)["quantumgate.extenders"])
                tops = {name.split("/")[0] for name in wheel.namelist() if ".dist-info/" not in name}
                self.assertIn(tops, [{package}, {f"{package}.py"}])
                self.assertFalse([name for name in wheel.namelist() if "tests/" in name])
