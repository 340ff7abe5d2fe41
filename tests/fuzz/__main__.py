"""``python -m tests.fuzz``: fuzz one session or handshake after another with the keys in hand, for so many executions.

An execution is one script (a handful of sealed records or messages, re-keys, local calls, time) against a fresh
Connection. State, findings and new scripts are written to ``--work`` all the time, so that a run may be ended at any
moment and the next one learns from it; a finding makes the exit code 1.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path

from tests.fuzz import tally
from tests.fuzz import target as session
from tests.fuzz.guide import from_line, load, smallest_cover, to_line
from tests.fuzz.script import Script, Step
from tests.fuzz.target import Broken
from tests.fuzz.targets import KEYED, TARGETS, Target
from tests.house import ROOT

SHOWN_FINDINGS = 20
SAVE_SECONDS = 10


def report_finding(place: Path, target: Target, script: Script, error: Exception) -> None:
    with place.open("a", encoding="utf-8") as file:
        file.write(f"== {type(error).__name__}: {error}\n")
        file.write("".join(traceback.format_exception(error, limit=-6)))
        file.write("".join(f"   {describe(target, step)}\n" for step in script) + f"script {to_line(script)}\n\n")


def describe(target: Target, step: Step) -> str:
    data = step.data[:48].hex() + ("..." if len(step.data) > 48 else "")
    kind = target.kinds(step.kind % len(target.kinds))
    return f"{kind.name} a={step.a} b={step.b} {len(step.data)} bytes {data}"


def where(error: Exception) -> str:
    """Findings at one place are one finding."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    said = str(error)[:60] if isinstance(error, Broken) else ""
    return f"{type(error).__name__} {last.filename}:{last.lineno} {said}"


def shortest(target: Target, script: Script, place: str) -> Script:
    """Leave steps away as long as the same finding remains."""
    at = 0
    while at < len(script):
        fewer = script[:at] + script[at + 1 :]
        try:
            target.run(fewer)
        except Exception as error:
            if where(error) == place:
                script = fewer
                continue
        at += 1
    return script


class Campaign:
    """One process: a target, a seed, a directory where its state and what it found are kept."""

    def __init__(self, target: Target, seed: int, work: Path) -> None:
        self.target, self.work, self.name = target, work, f"{target.name}-{seed}"
        self.guide = target.guide(seed)
        self.findings: set[str] = set()
        self.began = time.monotonic()
        self.code, self.commit = tally.code(target.parts), commit()
        for script in target.seeds():
            self.learn(script)
        for path in (target.corpus, *sorted(work.glob(f"found-{target.name}-*.txt"))):
            for script in load(path):
                self.learn(script)

    def learn(self, script: Script) -> None:
        try:
            self.guide.learn(script)
        except Exception as error:
            self.found(script, error)

    def run(self, executions: int) -> int:
        """Returns the number of different findings."""
        said = time.monotonic()
        while self.guide.executions < executions:
            self.once()
            if self.guide.executions % 1000 == 0 and time.monotonic() - said > SAVE_SECONDS:
                said = time.monotonic()
                self.save()
        self.save()
        return len(self.findings)

    def once(self) -> None:
        try:
            self.guide.once()
        except Exception as error:
            self.found(self.guide.last, error)

    def found(self, script: Script, error: Exception) -> None:
        place = where(error)
        if place not in self.findings and len(self.findings) < SHOWN_FINDINGS:
            script = shortest(self.target, script, place)
            report_finding(self.work / f"findings-{self.name}.txt", self.target, script, error)
        self.findings.add(place)

    def save(self) -> None:
        guide = self.guide
        state = {
            "run": self.name, "target": self.target.name, "code": self.code, "commit": self.commit,
            "executions": guide.executions, "steps": guide.steps, "seconds": round(time.monotonic() - self.began, 1),
            "arcs": len(guide.seen), "new_scripts": len(guide.found), "findings": len(self.findings),
            "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        }  # fmt: skip
        (self.work / f"state-{self.name}.json").write_text(json.dumps(state))
        (self.work / f"found-{self.name}.txt").write_text("\n".join(map(to_line, guide.found)) + "\n", encoding="ascii")


def commit() -> str:
    words = ["git", "rev-parse", "--short", "HEAD"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def fuzz_many(processes: int, wanted: argparse.Namespace) -> int:
    """Several processes with a share each; the highest exit code."""
    words = [sys.executable, "-m", "tests.fuzz", "--target", wanted.target, "--work", str(wanted.work)]
    words += ["--executions", str(-(-wanted.executions // processes))]
    children = [subprocess.Popen([*words, "--seed", str(wanted.seed + n)]) for n in range(processes)]
    return max(child.wait() for child in children)


def merge(target: Target, work: Path) -> None:
    """Corpus and new scripts together, as few as reach the same, become the corpus."""
    scripts = target.seeds() + load(target.corpus)
    for path in work.glob(f"found-{target.name}-*.txt"):
        scripts += [from_line(line) for line in path.read_text(encoding="ascii").split()]
    kept = smallest_cover(scripts, target.run, target.parts)
    target.corpus.parent.mkdir(exist_ok=True)
    target.corpus.write_text("\n".join(map(to_line, kept)) + "\n", encoding="ascii")
    print(f"{target.name}: {len(kept)} of {len(scripts)} scripts kept, {target.corpus.stat().st_size} bytes")


def chosen(word: str) -> list[Target]:
    """Targets by name, or all of them."""
    groups = {"all": TARGETS, "keyed": KEYED}
    return list(groups[word].values()) if word in groups else [TARGETS[word]]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--target", choices=tuple(TARGETS), default="session")
    parser.add_argument("--executions", type=int, default=100_000)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="a run is its target and seed")
    parser.add_argument("--work", type=Path, default=Path("_fuzz"), help="where findings and new scripts are written")
    parser.add_argument("--merge", nargs="?", const="all", choices=("all", *TARGETS),
                        help="put what was found in --work into the kept corpora, or one")
    parser.add_argument("--tally", action="store_true", help="put the runs of --work into tally.json")
    parser.add_argument("--replay", nargs="?", const="all", choices=("all", "keyed", *TARGETS),
                        help="run the kept corpora, or one, to measure what they reach")
    wanted = parser.parse_args()
    wanted.work.mkdir(exist_ok=True)
    if wanted.merge:
        for target in chosen(wanted.merge):
            merge(target, wanted.work)
    if wanted.tally:
        print(f"{sum(row['executions'] for row in tally.add(wanted.work)):,} executions in all")
    if wanted.replay:
        for target in chosen(wanted.replay):
            for script in target.seeds() + load(target.corpus):
                target.run(script)
    if wanted.merge or wanted.tally or wanted.replay:
        return 0
    if wanted.processes > 1:
        return fuzz_many(wanted.processes, wanted)
    session.share_first_keys()
    findings = Campaign(TARGETS[wanted.target], wanted.seed, wanted.work).run(wanted.executions)
    print(f"pid {os.getpid()}: {wanted.executions} executions, {findings} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    raise SystemExit(main())
