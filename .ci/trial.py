"""Run trial over tests/ and over every extender's tests/, and close with one line of counts.

Each tree is a trial process of its own: every extender calls its tests ``tests``, and one interpreter can hold only one
package of that name. The counts come from trial's own closing lines; a run that ends without one counts as one failure.
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_CLOSING = re.compile(r"^(?:PASSED|FAILED)(?: \((?P<counts>[^)]*)\))?$")
_RAN = re.compile(r"^Ran (\d+) tests? in ")
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


def trial(directory: Path, arguments: list[str]) -> Counts:
    """One trial process, its output passed on as it comes."""
    print(f"== {directory.relative_to(ROOT.parent)}: trial {' '.join(arguments)}", flush=True)
    command = [sys.executable, "-m", "twisted.trial", *arguments]
    lines: list[str] = []
    with subprocess.Popen(
        command, cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line.rstrip("\n"))
    return counts_from(lines, process.returncode)


def main(arguments: list[str]) -> int:
    """With arguments: trial with those, in the root only (``make test ARGS=tests.wire``)."""
    total = Counts()
    if arguments:
        total.add(trial(ROOT, arguments))
    else:
        total.add(trial(ROOT, ["--reporter=text", "tests"]))
        for tests in sorted(ROOT.glob("extenders/*/tests/__init__.py")):
            total.add(trial(tests.parent.parent, ["--reporter=text", "tests"]))
    print(total)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
