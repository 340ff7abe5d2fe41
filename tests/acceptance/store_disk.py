"""A disk that is full, and one that is read-only: one clear error, nothing lost, no damage. Needs root (mount).

The disk is a tmpfs of 4 MiB with the data directory on it.
"""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import UUID

from quantumgate.control.client import NodeRefused
from quantumgate.control.paths import find_control
from tests.acceptance.processes import ROOT, QgateFailed, TwistdNode, end, staged, until
from tests.acceptance.report import Figure, at_most, exactly

DISK_BYTES, TRIES = 4 << 20, 2000
CANNOT = "the store cannot be written"
LONGEST_RETRY_SECONDS = 75


def peer(number: int) -> str:
    """A UUID that a peer could have."""
    return str(UUID(f"00000000-0000-8000-8000-{number:012x}"))


class Disk:
    """A tmpfs."""

    def __init__(self, place: Path) -> None:
        self.place, self.filler = place, place / "filler"
        place.mkdir()
        self._mount("-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=0700", "tmpfs")

    def _mount(self, *words: str) -> None:
        subprocess.run(["mount", *words, str(self.place)], check=True, capture_output=True, timeout=20)

    def read_only(self, yes: bool) -> None:
        self._mount("-o", "remount,ro" if yes else "remount,rw")

    def fill(self) -> None:
        with self.filler.open("wb", buffering=0) as opened:
            try:
                while True:
                    opened.write(bytes(4096))
            except OSError:
                return

    def free(self) -> None:
        self.filler.unlink()

    def remove(self) -> None:
        subprocess.run(["umount", "-l", str(self.place)], check=False, capture_output=True, timeout=20)


class Rules:
    """Rules by hand given to a node, one after the other, until it cannot write."""

    def __init__(self, node: TwistdNode) -> None:
        self.node, self.given, self.acknowledged = node, 0, set[str]()

    def give(self, count: int) -> str:
        """Up to so many; what the node says where it refuses, and that is the end of them."""
        from quantumgate.control.client import ControlClient

        with ControlClient(find_control(self.node.data)) as client:
            for _ in range(count):
                self.given += 1
                try:
                    client.call("access.allow", uuid=peer(self.given), only=[])
                except NodeRefused as error:
                    return str(error)
                self.acknowledged.add(peer(self.given))
        return ""

    def there(self) -> set[str]:
        return {rule["peer"] for rule in self.node.json("access", "list")["rules"]}


def full(disk: Disk, node: TwistdNode, rules: Rules) -> Iterator[Figure]:
    """While the node runs."""
    with node:
        rules.give(5)
        disk.fill()
        said = rules.give(TRIES)
        yield exactly("full: a rule by hand is refused, and the reason is", True, "the disk is full: make room" in said)
        try:
            node.qgate("access", "allow", peer(999_999))
            code, lines = 0, 0
        except QgateFailed as failed:
            code, lines = failed.code, len(str(failed).splitlines())
        yield exactly("full: qgate access allow ends with", 1, code)
        yield at_most("full: lines that it says", 2, lines)
        yield exactly("full: qgate status says it", True, any(CANNOT in one for one in node.status()["notices"]))
        yield exactly("full: lines of the log about it", 1, node.said().count(CANNOT))
        disk.free()
        until("the store is written again", lambda: not node.status()["notices"], LONGEST_RETRY_SECONDS)
        node.process.send_signal(signal.SIGKILL)  # type: ignore[union-attr]
        node.process.wait()  # type: ignore[union-attr]
    with node:
        wanted = rules.acknowledged | {peer(rules.given), peer(999_999)}
        yield exactly("full: rules lost, with those that were refused, after room was made and kill -9", 0,
                      len(wanted - rules.there()))


def full_at_the_stop(disk: Disk, node: TwistdNode, rules: Rules) -> Iterator[Figure]:
    """What was acknowledged is there; what was refused was told as lost."""
    with node:
        disk.fill()
        rules.give(TRIES)
        end(node.process)  # type: ignore[arg-type]
        yield exactly("full at the stop: the log says what was not saved", True, "were not saved" in node.said())
        disk.free()
    yield exactly("full at the stop: qgate store check", 0, check(node))
    with node:
        yield exactly("full at the stop: acknowledged rules lost", 0, len(rules.acknowledged - rules.there()))


def read_only(disk: Disk, node: TwistdNode, rules: Rules) -> Iterator[Figure]:
    """From the start: the whole data directory, and the store alone."""
    before = content(node.data)
    disk.read_only(True)
    elsewhere = TwistdNode(disk.place.parent, "elsewhere",
                           f'[node]\nlisten = []\nstore = "sqlite:///{node.data / "store.db"}"\n')
    for words, one in (("data directory", node), ("store alone", elsewhere)):
        code, said = started(one)
        yield exactly(f"read-only, {words}: exit code", 1, code)
        yield exactly(f"read-only, {words}: lines on stderr", 1, said.count("\n"))
        yield exactly(f"read-only, {words}: it says read-only", True, "ead-only" in said)
    yield exactly("read-only: files that changed", 0, len(before.items() ^ content(node.data).items()))
    disk.read_only(False)
    with node:
        yield exactly("read-only: rules lost", 0, len(rules.acknowledged - rules.there()))


def started(node: TwistdNode) -> tuple[int, str]:
    """A start that fails: its exit code and stderr."""
    words = [sys.executable, *node.program, "-n", "--pidfile=", "qgnode", "--config", str(node.config), "--data",
             str(node.data)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stderr


def check(node: TwistdNode) -> int:
    try:
        node.qgate("store", "check", "--config", str(node.config))
    except QgateFailed as failed:
        print(f"  {failed}", flush=True)
        return failed.code
    return 0


def content(place: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in place.iterdir() if path.is_file()}


def _scene(directory: Path, stack: ExitStack) -> Iterator[Figure]:
    disk = Disk(directory / "disk")
    stack.callback(disk.remove)
    node = TwistdNode(directory, "node", "[node]\nlisten = []\n")
    node.data = disk.place / "data"
    rules = Rules(node)
    yield from full(disk, node, rules)
    yield from full_at_the_stop(disk, node, rules)
    yield from read_only(disk, node, rules)


def figures() -> Iterator[Figure]:
    """The point's rows."""
    yield from staged(_scene)
