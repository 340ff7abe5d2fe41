"""The stage of all floods: a node alone on one core; on the other everybody else, each in a network of its own.

An honest peer is connected and echoes as fast as it can with a few messages on the way; new honest peers come every few
seconds. First the attackers go for a bare TCP sink (the control run), then, at the same rate, for the node. Needs root
and two cores. Not for: what is sent (the modules of the floods), or the rate (``attacker.py`` keeps it).
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from bench.installed import pretend_installed
from tests.acceptance.floods.attacker import UNASKED
from tests.acceptance.floods.places import CROWD, NEIGHBOURS, WELL
from tests.acceptance.floods.watch import LOG_WINDOW_SECONDS, LogRead, Watch, descriptors, fastest_source
from tests.acceptance.netns import PORT, Internet, NodeAt, Place, run
from tests.acceptance.processes import PartyProcess, end, staged, start, until
from tests.acceptance.report import ROOT, Figure, at_least, at_most, exactly, noted

FLOOD_SECONDS = float(os.environ.get("FLOOD_SECONDS", "120"))
CONTROL_SECONDS = float(os.environ.get("CONTROL_SECONDS", "30"))
"""The whole run has 120 and 30; shorter ones are for trying things out."""

RECOVERY_SECONDS = 60.0
SETTLE_SECONDS = 4.0
NODE_CORE, OTHER_CORE = 0, 1
FAVOUR = -15
"""Of everybody here before all that runs beside: what is measured is the flood, not the neighbours."""

ECHO_BYTES, ECHOES_WAITING = 1024, 4
RATE_SHARE = 0.8
CONNECT_SECONDS = 5.0
MIB = 1 << 20
MEMORY_BYTES, HALF_OPEN_BYTES = 64 * MIB, 32 * MIB
"""``limits.memory_bytes`` and ``limits.half_open_bytes`` of the node under attack: what it may hold for sessions and
for handshakes. Together they bound what it may grow by, whatever part of it holds the bytes."""

LEVEL_RSS_BYTES = 64 * MIB
"""What a process may keep of the memory that it once used: freed, but in arenas of Python's allocator that are not
quite empty (docs/attacks.md has figures); and the salts of answered first flights, which stay for a day. That nobody
holds anything else is seen by the counts. Scores stay, too: they are forgotten by hand before this is looked at.
"""

NODE = f"""default_access = "allow"
[log]
redact = false
[extenders.party]
[limits]
memory_bytes = {MEMORY_BYTES}
half_open_bytes = {HALF_OPEN_BYTES}
"""
HONEST = '[node]\nlisten = []\ndefault_access = "allow"\n[log]\nlevel = "error"\n[extenders.party]\n'


@dataclass(frozen=True)
class Flood:
    """What is to be judged. ``module`` has the attack, ``says`` what is sent; ``configuration`` is added to the node's.

    With a ``bystander`` there is another node, which the attackers know. ``measured``: it is more than a core can do,
    and what that does to others is told, not judged. ``without`` a defence: see ``weak.py``. ``dials``, a second and
    at once: the node may be asked to make so many connections.
    """

    module: str
    says: str
    relay: bool = False
    configuration: str = ""
    bystander: bool = False
    measured: bool = False
    without: str = ""
    dials: tuple[float, float] | None = None
    seconds: float = FLOOD_SECONDS


@dataclass
class Rates:
    """One run: what the honest peer echoed a second, what the newcomers saw, what the attacker did."""

    echoes: float
    median: float
    newcomers: list[dict[str, Any]]
    attacker: dict[str, Any]

    def and_then(self, other: Rates) -> Rates:
        """Both runs as one; the attacker of this one."""
        median = (self.median + other.median) / 2
        return Rates((self.echoes + other.echoes) / 2, median, self.newcomers + other.newcomers, self.attacker)


@dataclass
class Level:
    """How much of everything there is, in quiet: outside of the node and in its memory."""

    rss: int
    descriptors: int
    sessions: int
    objects: dict[str, int] = field(default_factory=dict)

    def beyond(self, before: Level) -> list[str]:
        """What there is more of than before, as far as it matters."""
        more = [f"{self.sessions - before.sessions} sessions"] if self.sessions > before.sessions else []
        if self.descriptors > before.descriptors:
            more.append(f"{self.descriptors - before.descriptors} descriptors")
        if self.rss > before.rss + LEVEL_RSS_BYTES:
            more.append(f"{(self.rss - before.rss) / MIB:.0f} MiB")
        for name, count in sorted(self.objects.items()):
            if count > before.objects.get(name, 0):
                more.append(f"{count - before.objects.get(name, 0)} {name}")
        return more


def flooded(flood: Flood) -> Iterator[Figure]:
    """The figures of one flood."""
    yield from staged(partial(_scene, flood))


def _scene(flood: Flood, directory: Path, stack: ExitStack) -> Iterator[Figure]:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {OTHER_CORE})
    _favoured(FAVOUR)
    try:
        stage = Stage(flood, directory, stack)
        yield from stage.figures()
    finally:
        os.sched_setaffinity(0, before)
        _favoured(0)


def _favoured(nice: int) -> None:
    """This process, its children and, where the kernel groups tasks by sessions, its session."""
    os.setpriority(os.PRIO_PROCESS, 0, nice)
    with suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(nice), encoding="ascii")


class Stage:
    """Everybody, up and running."""

    def __init__(self, flood: Flood, directory: Path, stack: ExitStack) -> None:
        self.flood, self.directory, self._stack = flood, directory, stack
        world = stack.enter_context(Internet())
        self.crowd = world.place("crowd", "77.20.3.2")
        world.estate(self.crowd, str(CROWD))
        town = world.place("town", "85.10.3.2")
        world.estate(town, str(NEIGHBOURS))
        self.well = world.place("well", WELL)
        self.node = self._node(world.place("node", "51.15.7.2"))
        self._bystander = ""
        if flood.bystander:
            place = world.place("bystander", "37.59.4.2")
            self._bystander = stack.enter_context(NodeAt(directory, place, "bystander")).address(PORT)
        address = self.node.address(PORT)
        home = world.place("home", "82.64.9.2")
        self.honest = stack.enter_context(PartyProcess(
            directory, "honest", HONEST, "steady", address, str(ECHO_BYTES), str(ECHOES_WAITING), before=home.before))
        self._newcomers = directory / "newcomers"
        words = [*town.before, sys.executable, "-m", "tests.acceptance.floods.newcomers", str(directory), address]
        stack.callback(end, start(words, self._newcomers, directory / "newcomers.log"))
        sink = [*self.well.before, sys.executable, "-m", "tests.acceptance.floods.sink", self.well.address, str(PORT)]
        stack.callback(end, start(sink, directory / "sink.log"))
        self.honest.get("echoes", 30)
        until("the first newcomer", self._came, 30)

    def _node(self, place: Place) -> NodeAt:
        guests = pretend_installed(self.directory / "installed", "party = tests.acceptance.floods.victim:extender")
        node = NodeAt(self.directory, place, "node", NODE + self.flood.configuration, relay=self.flood.relay)
        node.before = (*place.before, "taskset", "-c", str(NODE_CORE))
        node.environment = {"PYTHONPATH": f"{guests}:{ROOT}"}
        if self.flood.without:
            node.program = ("-m", "tests.acceptance.floods.weak", self.flood.without)
        return self._stack.enter_context(node)

    # -- what the honest ones say ----------------------------------------------------------------------------------

    def _came(self) -> list[dict[str, Any]]:
        rows = [json.loads(line) for line in self._newcomers.read_text(encoding="utf-8").splitlines()]
        return [row for row in rows if "newcomer" in row]

    def _echoes(self, began: float, ended: float) -> tuple[float, float]:
        """A second: on average over the time, and the median of its quarters of a second."""
        said = [row for row in self.honest.all_said() if "echoes" in row and began <= row["at"] <= ended]
        steps = [(late["echoes"] - early["echoes"]) / (late["at"] - early["at"])
                 for early, late in pairwise(said)]
        mean = (said[-1]["echoes"] - said[0]["echoes"]) / (said[-1]["at"] - said[0]["at"])
        return mean, statistics.median(steps)

    # -- runs ------------------------------------------------------------------------------------------------------

    def run(self, seconds: float, *, sink: bool) -> Rates:
        """The attackers at work for so long."""
        said = self.directory / f"attacker{time.monotonic_ns()}"
        place = self.well if sink else self.node.place
        words = [*self.crowd.before, sys.executable, "-m", "tests.acceptance.floods.attacker", self.flood.module]
        words += [place.address, str(PORT), self.node.uuid, str(seconds), *(["--sink"] if sink else [])]
        words += ["--bystander", self._bystander] if self._bystander else []
        began = time.monotonic()
        process = start(words, said, self.directory / "attacker.log")
        try:
            until("the attackers are done", lambda: process.poll() is not None, seconds + 60)
        finally:
            end(process)
        ended = time.monotonic()
        mean, median = self._echoes(began, ended)
        came = [row for row in self._came() if began <= row["at"] and row["at"] + row["newcomer"] <= ended]
        if not said.read_text():
            raise RuntimeError(f"the attackers failed: {(self.directory / 'attacker.log').read_text()[-1500:]}")
        return Rates(mean, median, came, json.loads(said.read_text()))

    def level(self) -> Level:
        """Now; the newcomers of the moment count, too, so the least of a few looks is taken by whoever waits."""
        row = next(row for row in self.node.ask("extenders") if row["name"] == "party")
        there = row["status"]
        if not there:
            raise RuntimeError(f"the guest of the node is {row['state']}: {row['reason']}\n{self.node.said()[-3000:]}")
        pid = self.node.pid
        sessions = len(self.node.ask("peers"))
        return Level(there["rss_bytes"], descriptors(pid), sessions, there["objects"])

    def quiet_level(self) -> Level:
        """The highest of three looks: with and without a newcomer."""
        looks = []
        for _ in range(3):
            looks.append(self.level())
            time.sleep(1.3)
        names = {name for look in looks for name in look.objects}
        most = {name: max(look.objects.get(name, 0) for look in looks) for name in names}
        return Level(max(look.rss for look in looks), max(look.descriptors for look in looks),
                     max(look.sessions for look in looks), most)

    # -- figures ---------------------------------------------------------------------------------------------------

    def figures(self) -> Iterator[Figure]:
        """A half of the control run before the flood, the other half when all is level again: machines drift."""
        seconds = self.flood.seconds
        control_seconds = min(CONTROL_SECONDS, seconds / 2) / 2
        first = self.run(control_seconds, sink=True)
        time.sleep(SETTLE_SECONDS)
        before = self.quiet_level()
        log, watch = LogRead(self.node.log), Watch(self.node.pid)
        opened = self._opened()
        flood = self.run(seconds, sink=False)
        opened = self._opened() - opened
        watch.close()
        ended = time.monotonic()
        recovered = list(self._recovered(before, ended))
        lines, logged_seconds = log.lines(), time.monotonic() - ended + seconds
        control = first.and_then(self.run(control_seconds, sink=True))
        yield noted("what is sent", f"{self.flood.says}; {seconds:g} s")
        yield noted("what the attackers did, to the sink and to the node", f"{_did(control)}; {_did(flood)}")
        yield from self._kept_up(control, flood)
        yield from self._connected(control, flood)
        yield at_most("memory: MiB more than before, at most", (MEMORY_BYTES + HALF_OPEN_BYTES) / MIB,
                      (watch.most_rss - watch.first_rss) / MIB, digits=1)
        used = f"{watch.cpu_share:.2f}; {watch.most_descriptors}"
        yield noted("of a core used by the node; descriptors, at most", used)
        yield from self._dialled(opened, flood)
        yield from recovered
        yield from _logged(lines, logged_seconds)

    def _kept_up(self, control: Rates, flood: Rates) -> Iterator[Figure]:
        share, name = flood.echoes / control.echoes, "echo rate of a connected peer, share of the control run"
        yield noted(name, f"{share:.2f}") if self.flood.measured else at_least(name, RATE_SHARE, share)
        yield noted("echoes a second, control and flood (medians)",
                    f"{control.echoes:.0f} and {flood.echoes:.0f} ({control.median:.0f} and {flood.median:.0f})")

    def _connected(self, control: Rates, flood: Rates) -> Iterator[Figure]:
        late = [row for row in flood.newcomers if row["failed"] or row["newcomer"] > CONNECT_SECONDS]
        name, seen = "new peers that were not connected within 5 s", f"{len(late)} of {len(flood.newcomers)}"
        yield noted(name, seen) if self.flood.measured else exactly(name, f"0 of {len(flood.newcomers)}", seen)
        times = [sorted(row["newcomer"] for row in rates.newcomers) for rates in (control, flood)]
        shown = [f"{statistics.median(each):.3f} to {each[-1]:.3f}" if each else "-" for each in times]
        tries = max((row["tries"] for row in flood.newcomers), default=0)
        why = f"; {late[0]['failed'][:120]}" if late else ""
        yield noted("seconds for a new peer, median to longest, control and flood; most tries",
                    f"{shown[0]} and {shown[1]}; {tries}{why}")

    def _opened(self) -> int:
        """How many connections were made from where the node is, as its kernel counts them."""
        told = run(*self.node.place.before, "cat", "/proc/net/snmp")
        names, counts = (line.split() for line in told.splitlines() if line.startswith("Tcp:"))
        return int(counts[names.index("ActiveOpens")])

    def _dialled(self, opened: int, flood: Rates) -> Iterator[Figure]:
        if self.flood.dials is not None:
            a_second, at_once = self.flood.dials
            most = int(at_once + a_second * self.flood.seconds) + 1
            yield at_most("connections that the node made because it was asked to", most, opened)
            counts = flood.attacker["counts"]
            yield exactly("of them to addresses that did not ask", "0", f"{counts.get(UNASKED, 0)}")

    def _recovered(self, before: Level, ended: float) -> Iterator[Figure]:
        self.node.ask("reputation.reset", subject="")
        more = self.level().beyond(before)
        while more and time.monotonic() - ended < RECOVERY_SECONDS:
            time.sleep(1.5)
            more = self.level().beyond(before)
        took = time.monotonic() - ended
        yield exactly("more than before, a minute later at most", "nothing", ", ".join(more) or "nothing")
        yield at_most("back at the level from before after, s", RECOVERY_SECONDS + 5, took, digits=1)


def _did(rates: Rates) -> str:
    did = rates.attacker
    counts = ", ".join(f"{count} {name}" for name, count in did["counts"].items())
    return f"{did['per_second']:g}/s on {did['cpu_share']:.2f} of a core ({counts})"


def _logged(lines: list[str], seconds: float) -> Iterator[Figure]:
    fastest, who = fastest_source(lines)
    yield at_most(f"log lines a second of one source, over {LOG_WINDOW_SECONDS} s", 1.0, fastest)
    yield noted("log lines a second, all together; who says most", f"{len(lines) / seconds:.1f}; {who[:90]}")
