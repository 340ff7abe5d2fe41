"""A hundred real nodes on one fake clock and a memory network: whether the law of the simulation is theirs, too.

Handshakes, sessions, frames, signatures and the book are all real; only sockets and time are not. Not for: sizes that
take minutes, which are the abstract town's (``town.py``).
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred

from quantumgate.core.peer_records import judge, network_of
from quantumgate.node.node import Node
from quantumgate.settings.schema import DiscoveryTable, Settings
from quantumgate.testing.network import MemoryNetwork
from quantumgate.testing.weather import Weather
from tests.node.circuits import replace_table
from tests.node.world import Drift, _Given, memory_world, node_settings
from tests.simulation.law import Law
from tests.simulation.runs import Tally

TOLD = 16
SETTLE_SECONDS = 900.0
DONE_SECONDS = 60.0


@dataclass
class Cores:
    """So many nodes, of which ``relays`` keep records; each in a network of its own, each told of a few relays.

    At most 100: their addresses are all of kinds that are told to strangers (who lives in 100.64/10 is not findable).
    """

    count: int = 100
    relays: int = 60
    seed: int = 1
    nodes: dict[str, Node] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.luck = random.Random(self.seed)
        self.network = MemoryNetwork(seed=("cores", self.seed), weather=Weather(latency_seconds=Law().latency_seconds))
        self.folder = tempfile.TemporaryDirectory(prefix="cores-")
        places = [f"{20 + number // 2}.{number}.0.1" for number in range(self.count)]
        for number, place in enumerate(places):
            self.nodes[place] = self._start(place, number < self.relays)
        for place, node in self.nodes.items():
            told = self.luck.sample(places[: self.relays], min(TOLD, self.relays))
            self._teach(node, [one for one in told if one != place])

    def _start(self, place: str, relay: bool) -> Node:
        world = memory_world(self.network, place, Drift())
        node = Node(_settings(relay), Path(self.folder.name) / place, world=world, registry=_Given(()))
        node.startService()
        self.run_for(0.0)
        return node

    def _teach(self, node: Node, places: Iterable[str]) -> None:
        """Records of these are in its book, as after an exchange."""
        for place in places:
            other: Any = self.nodes[place]._parts
            record = other.author.current(self.nodes[place].listening)
            known = judge(record.encode(), network=network_of(b"QuantumGate"), now_ms=record.record.seq_ms)
            mine: Any = node._parts
            mine.discovery.book.add(known, place, node.wall_seconds())

    def stop(self, places: Iterable[str]) -> None:
        """These go, and are not asked for any more."""
        for stopping in [self.nodes.pop(place).stopService() for place in list(places)]:
            self._until(lambda one=stopping: one.called, DONE_SECONDS)  # type: ignore[misc]

    def close(self) -> None:
        """All of them."""
        self.network.heal()
        self.stop(self.nodes)
        self.folder.cleanup()

    # -- time ----------------------------------------------------------------------------------------------------

    def run_for(self, seconds: float) -> None:
        """Every call at its own moment."""
        self._until(lambda: False, seconds)

    def _until(self, done: Callable[[], bool], most_seconds: float) -> None:
        clock = self.network.clock
        end = clock.seconds() + most_seconds
        while not done() and clock.step(end):
            pass

    # -- look-ups ------------------------------------------------------------------------------------------------

    def look_up(self, tally: Tally, asker: str, target: str) -> None:
        """One, to its end."""
        reports: list[Any] = []
        asked: Deferred[Any] = self.nodes[asker].find(self.nodes[target].uuid)
        asked.addBoth(reports.append)
        self._until(lambda: bool(reports), DONE_SECONDS)
        report = reports[0]
        tally.rows.append((report.end, report.asked, 0, report.seconds))

    def look_ups(self, count: int, fits: Callable[[str, str], bool] = lambda asker, target: True) -> Tally:
        """So many, of any two."""
        tally, places = Tally([]), list(self.nodes)
        while len(tally.rows) < count:
            asker, target = self.luck.sample(places, 2)
            if fits(asker, target):
                self.look_up(tally, asker, target)
        return tally


def _settings(relay: bool) -> Settings:
    discovery = DiscoveryTable(exchange=True, findable=True, connections=0)
    return replace_table(node_settings(relay=relay, default_access="allow"), discovery=discovery)
