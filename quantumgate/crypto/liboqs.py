"""Whether liboqs 0.16 is here and gives the right answers, and its Python module if so.

Importing liboqs-python blindly would clone and build a library, print, or end the process; a damaged library kills
whoever loads it. So: the package is identified by its metadata, a child process finds, loads and examines the library
(``liboqs_probe.py``), and only then is it imported, with its installer switched off. Nothing is ever installed.
Not for: key exchanges (``kem.py``). Spec: docs/spec/crypto.md (backends).
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.metadata
import importlib.util
import io
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from quantumgate.crypto.known_answers import LIBOQS_ANSWERS
from quantumgate.crypto.suites import LIBOQS, SECONDARIES, SecondaryRow

SUPPORTED = "0.16."
"""Its installer can be switched off, and functions keep their meaning (HQC changed between versions): both tried."""
PROBE_SECONDS = 30
NEVER_INSTALL = "never-install"
"""No version: the installer of liboqs-python 0.16 refuses it before it counts down, clones or builds."""
ADVICE = "optional: install liboqs 0.16 as a shared library (OQS_INSTALL_PATH names its prefix)"
_PROBE = Path(__file__).with_name("liboqs_probe.py")


@dataclass(frozen=True, slots=True)
class Finding:
    """What there is. ``module`` is None unless all is well; ``reason`` says why not; ``problems`` by algorithm id."""

    module: ModuleType | None
    version: str = ""
    path: str = ""
    reason: str = ""
    broken: bool = False
    problems: dict[int, str] = field(default_factory=dict)

    def offers(self, id_: int) -> bool:
        """Whether that row of SECONDARIES can be used through this library."""
        return self.module is not None and id_ in LIBOQS_ANSWERS and id_ not in self.problems


@functools.cache
def find() -> Finding:
    """Look once (up to 1 s with a library, 0.1 s without), best before the reactor runs. Never raises."""
    reason = _wrong_package()
    if reason:
        return Finding(None, reason=reason)
    if not sys.executable or getattr(sys, "frozen", False):  # then it names the program itself, which would start again
        return Finding(None, reason="there is no Python interpreter to examine a library with")
    seen = run_probe([sys.executable, "-I", str(_PROBE)])
    if seen.reason:
        return seen
    return _import_module(seen)


def rows() -> list[SecondaryRow]:
    """The rows that liboqs provides."""
    return [row for row in SECONDARIES.values() if row.backend == LIBOQS]


def _wrong_package() -> str:
    """"" or why the name ``oqs`` must not be imported: another project on PyPI owns it too."""
    try:
        distribution = importlib.metadata.distribution("liboqs-python")
    except importlib.metadata.PackageNotFoundError:
        return "liboqs-python is not installed"
    if not distribution.version.startswith(SUPPORTED):
        return f"liboqs-python {distribution.version} is installed, {SUPPORTED}x is needed"
    spec = importlib.util.find_spec("oqs")
    ours = Path(str(distribution.locate_file("oqs/__init__.py")))
    if spec is None or spec.origin is None or not ours.exists() or not ours.samefile(spec.origin):
        return "the module oqs is not liboqs-python's"
    return ""


def run_probe(command: Sequence[str]) -> Finding:
    """Run the child (``command`` and the rows) and judge what it said. Never raises."""
    table = [(row.id, row.maker, row.user, row.public_bytes, row.ciphertext_bytes) for row in rows()]
    try:
        done = subprocess.run(
            [*command, json.dumps(table)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PROBE_SECONDS,
            check=False,
        )
    except (OSError, ValueError, subprocess.SubprocessError) as problem:
        return Finding(None, reason=f"the probe could not run: {type(problem).__name__}", broken=True)
    return judge(done.returncode, done.stdout)


def judge(exit_status: int, output: bytes) -> Finding:
    """The finding in a probe's exit status and output, without a module yet."""
    lines: list[dict[str, Any]] = []
    for line in output.splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:
            return Finding(None, reason="the probe's words make no sense", broken=True)
    path = next((str(line["path"]) for line in reversed(lines) if line["kind"] in ("trying", "loaded")), "")
    if exit_status != 0:
        how = f"signal {-exit_status}" if exit_status < 0 else f"exit status {exit_status}"
        return Finding(None, path=path, reason=f"{path or 'the probe'} ends its process ({how})", broken=True)
    loaded = [line for line in lines if line["kind"] == "loaded"]
    if not loaded:
        reason = f"{path} does not load" if path else "no liboqs library was found"
        return Finding(None, path=path, reason=reason, broken=bool(path))
    version, path = str(loaded[0]["version"]), str(loaded[0]["path"])
    if not version.startswith(SUPPORTED):
        return Finding(None, version, path, reason=f"liboqs {version} was found, {SUPPORTED}x is needed")
    return Finding(None, version, path, problems=_problems([line for line in lines if line["kind"] == "answer"]))


def _problems(answers: list[dict[str, Any]]) -> dict[int, str]:
    said = {line["id"]: line for line in answers}
    problems = {}
    for id_, digest in LIBOQS_ANSWERS.items():
        line = said.get(id_, {"problem": "not examined"})
        if line.get("digest") != digest:
            problems[id_] = str(line.get("problem", "known answer differs"))
    return problems


def _import_module(seen: Finding) -> Finding:
    """Import liboqs-python with its installer off and its talk silenced: it logs to the stdout that it finds."""
    before = os.environ.get("PYOQS_VERSION")
    os.environ["PYOQS_VERSION"] = NEVER_INSTALL
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(_Nowhere()):
            warnings.simplefilter("ignore")
            module = importlib.import_module("oqs")
        path = module.native()._name
    except (Exception, SystemExit) as problem:  # its installer exits the process on failure
        for name in ("oqs", "oqs.oqs"):
            sys.modules.pop(name, None)
        return Finding(None, seen.version, seen.path, f"liboqs-python: {type(problem).__name__}", True)
    finally:
        if before is None:
            del os.environ["PYOQS_VERSION"]
        else:
            os.environ["PYOQS_VERSION"] = before
    if path != seen.path:
        return Finding(None, seen.version, seen.path, f"another library was loaded than examined: {path}", True)
    return Finding(module, seen.version, seen.path, problems=seen.problems)


class _Nowhere(io.TextIOBase):
    """Takes every word and keeps none. The module's log handler holds on to it for good."""

    def write(self, text: str) -> int:
        return len(text)
