"""Run trial over tests/ and over every extender's tests/, and close with one line of counts.

Each floor of tests/ and each extender's tests are a trial process of their own, as many at a time as there are
processors (at most four); what one said is shown when it ends. Extenders need that anyway: each calls its tests
``tests``, and one interpreter can hold only one package of that name. The counts come from trial's own closing lines; a
run that ends without one counts as one failure.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_CLOSING = re.compile(r"^(?:PASSED|FAILED)(?: \((?P<counts>[^)]*)\))?$")
_RAN = re.compile(r"^Ran (\d+) tests? in ")
MOST_AT_A_TIME = 4
_BAD = ("failures", "errors", "unexpectedSuccesses")


@dataclass
class Counts:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, other: Counts) -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed" + (f", {self.skipped} skipped" if self.skipped else "")


def counts_from(lines: list[str], exit_code: int) -> Counts:
    """What trial's closing lines say. No closing line, no test run, or a bad exit with no failure told: one failure."""
    counts, closed, ran = Counts(), False, 0
    for line in lines:
        if found := _RAN.match(line):
            ran = int(found[1])
        if found := _CLOSING.match(line):
            numbers = dict(re.findall(r"(\w+)=(\d+)", found["counts"] or ""))
            counts = Counts(
                passed=int(numbers.get("successes", 0)) + int(numbers.get("expectedFailures", 0)),
                failed=sum(int(numbers.get(word, 0)) for word in _BAD),
                skipped=int(numbers.get("skips", 0)),
            )
            closed = True
    if not closed or ran == 0 or (exit_code != 0 and counts.failed == 0):
        counts.failed += 1
    return counts


def trial(directory: Path, arguments: list[str], *, aside: bool = False) -> Counts:
    """One trial process, its output passed on as it comes; of one that runs ``aside`` others, when it has ended."""
    title = f"== {directory.relative_to(ROOT.parent)}: trial {' '.join(arguments)}"
    print(f"{title} ..." if aside else title, flush=True)
    command = [sys.executable, "-m", "twisted.trial", *arguments]
    # Some fifty processes are started: that each compiles all anew would cost a quarter of a minute.
    surroundings = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    lines: list[str] = []
    with subprocess.Popen(
        command, cwd=directory, env=surroundings, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if not aside:
                print(line, end="", flush=True)
            lines.append(line.rstrip("\n"))
    if aside:
        print("\n".join([title, *lines]), flush=True)
    return counts_from(lines, process.returncode)


def shares(root: Path = ROOT) -> list[tuple[Path, list[str]]]:
    """(directory, what trial is given there) of every tree; together all test files, the longest trees first."""
    found = [*_floors(root), *((path.parent.parent, ["tests"]) for path in root.glob("extenders/*/tests/__init__.py"))]
    return sorted(found, key=lambda share: (-_bytes_in(*share), *share))


def _floors(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Each folder of tests/, and the files beside them together."""
    yield root, sorted(f"tests.{path.stem}" for path in (root / "tests").glob("test_*.py"))
    for folder in sorted((root / "tests").iterdir()):
        if folder.is_dir() and any(folder.rglob("test_*.py")):
            yield root, [f"tests.{folder.name}"]


def _bytes_in(directory: Path, names: list[str]) -> int:
    return sum(file.stat().st_size for name in names for file in files_of(directory, name))


def files_of(directory: Path, name: str) -> list[Path]:
    """The test files that trial finds by a dotted name."""
    path = directory.joinpath(*name.split("."))
    return list(path.rglob("test_*.py")) if path.is_dir() else [path.with_suffix(".py")]


def everything() -> Counts:
    """Every share, as many at a time as there are processors."""
    total, at_a_time = Counts(), min(os.cpu_count() or 1, MOST_AT_A_TIME)
    with ThreadPoolExecutor(at_a_time) as pool:
        for counts in pool.map(lambda share: trial(share[0], ["--reporter=text", *share[1]], aside=True), shares()):
            total.add(counts)
    return total


def main(arguments: list[str]) -> int:
    """With arguments: trial with those, in the root only (``make test ARGS=tests.wire``)."""
    total = trial(ROOT, arguments) if arguments else everything()
    print(total)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
