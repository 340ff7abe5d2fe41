"""``python -m tests.fuzz``: fuzz one Session after another with the keys in hand, for so many executions.

An execution is one script (a handful of sealed records, re-keys, local calls, time) against a fresh Session. Findings
and new scripts are written to ``--work``; a finding makes the exit code 1.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import time
import traceback
from pathlib import Path

from tests.fuzz import target
from tests.fuzz.guide import Guide, from_line, load, smallest_cover, to_line
from tests.fuzz.mutation import Mutator
from tests.fuzz.script import Kind, Script, Step

CORPUS = Path(__file__).resolve().parent / "corpus" / "session.txt"
SHOWN_FINDINGS = 20


def report_finding(place: Path, script: Script, error: Exception) -> None:
    with place.open("a", encoding="utf-8") as file:
        file.write(f"== {type(error).__name__}: {error}\n")
        file.write("".join(traceback.format_exception(error, limit=-6)))
        file.write("".join(f"   {describe(step)}\n" for step in script) + f"script {to_line(script)}\n\n")


def describe(step: Step) -> str:
    data = step.data[:48].hex() + ("..." if len(step.data) > 48 else "")
    return f"{Kind(step.kind).name} a={step.a} b={step.b} {len(step.data)} bytes {data}"


def where(error: Exception) -> str:
    """Findings at one place are one finding."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} {last.filename}:{last.lineno} {str(error)[:60] if last.name == 'check' else ''}"


def shortest(script: Script, place: str) -> Script:
    """Leave steps away as long as the same finding remains."""
    at = 0
    while at < len(script):
        fewer = script[:at] + script[at + 1 :]
        try:
            target.run_script(fewer)
        except Exception as error:
            if where(error) == place:
                script = fewer
                continue
        at += 1
    return script


def fuzz(seed: int, executions: int, work: Path) -> int:
    """One process. Returns the number of different findings."""
    target.share_first_keys()
    luck = random.Random(seed)
    guide = Guide(luck, Mutator(luck, target.THEIRS_BYTES), target.run_script)
    for script in load(CORPUS):
        guide.learn(script)
    findings: set[str] = set()
    start = said = time.monotonic()
    while guide.executions < executions:
        try:
            guide.once()
        except Exception as error:
            place = where(error)
            if place not in findings and len(findings) < SHOWN_FINDINGS:
                report_finding(work / f"findings-{seed}.txt", shortest(guide.last, place), error)
            findings.add(place)
        if guide.executions % 1000 == 0 and time.monotonic() - said > 10:
            said = time.monotonic()
            save(work, seed, guide, start, len(findings))
    save(work, seed, guide, start, len(findings))
    return len(findings)


def save(work: Path, seed: int, guide: Guide, start: float, findings: int) -> None:
    state = {
        "executions": guide.executions, "steps": guide.steps, "seconds": round(time.monotonic() - start, 1),
        "arcs": len(guide.seen), "new_scripts": len(guide.found), "findings": findings,
    }  # fmt: skip
    (work / f"state-{seed}.json").write_text(json.dumps(state))
    (work / f"found-{seed}.txt").write_text("\n".join(map(to_line, guide.found)) + "\n", encoding="ascii")


def fuzz_many(processes: int, seed: int, executions: int, work: Path) -> int:
    """Several processes with a share each; the highest exit code."""
    words = [sys.executable, "-m", "tests.fuzz", "--executions", str(-(-executions // processes)), "--work", str(work)]
    children = [subprocess.Popen([*words, "--seed", str(seed + n)]) for n in range(processes)]
    return max(child.wait() for child in children)


def merge(work: Path) -> None:
    """Corpus and new scripts together, as few as reach the same, become the corpus."""
    scripts = load(CORPUS)
    for path in work.glob("found-*.txt"):
        scripts += [from_line(line) for line in path.read_text(encoding="ascii").split()]
    kept = smallest_cover(scripts, target.run_script)
    CORPUS.parent.mkdir(exist_ok=True)
    CORPUS.write_text("\n".join(map(to_line, kept)) + "\n", encoding="ascii")
    print(f"{len(kept)} of {len(scripts)} scripts kept, {CORPUS.stat().st_size} bytes")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--executions", type=int, default=100_000)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--work", type=Path, default=Path("_fuzz"), help="where findings and new scripts are written")
    parser.add_argument("--merge", action="store_true", help="put what was found in --work into the kept corpus")
    wanted = parser.parse_args()
    wanted.work.mkdir(exist_ok=True)
    if wanted.merge:
        merge(wanted.work)
        return 0
    if wanted.processes > 1:
        return fuzz_many(wanted.processes, wanted.seed, wanted.executions, wanted.work)
    findings = fuzz(wanted.seed, wanted.executions, wanted.work)
    print(f"pid {os.getpid()}: {wanted.executions} executions, {findings} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    raise SystemExit(main())
