"""Whole Nodes in memory on a fake clock: a World over ``quantumgate.testing``'s network, and a case to start them.

Places that look like IP addresses are judged as such: "127.0.0.1" is loopback, "192.0.2.1" is the Internet.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from twisted.internet.defer import Deferred, execute
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from quantumgate import logs
from quantumgate.extender.registry import Registration, Registry, registered
from quantumgate.node.node import Node
from quantumgate.node.world import World
from quantumgate.settings.schema import AccessTable, NodeTable, Settings
from quantumgate.store.memory import MemoryDatabase
from quantumgate.store.opening import STORE_FILE, database_at
from quantumgate.store.sealed import StoreKey
from quantumgate.store.store import Store
from quantumgate.store.thread import Inline
from quantumgate.testing.network import MemoryNetwork

BEGINNING_SECONDS = 1_800_000_000.0
NAMING = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b"
                    r"|\b[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\b")
"""An IPv4 address, or the UUID of a peer."""

T = TypeVar("T")


class Drift:
    """Unix time of one node, which a test may push."""

    def __init__(self) -> None:
        self.seconds = 0.0


def memory_world(network: MemoryNetwork, place: str, drift: Drift) -> World:
    """What a node at ``place`` sees of the network. Endpoint strings: ``tcp:PORT`` and ``tcp:PLACE:PORT``."""
    clock = network.clock
    return World(
        clock=clock,
        random=network.random.branch((place, clock.seconds(), len(network.connections))),
        wall_seconds=lambda: BEGINNING_SECONDS + drift.seconds + clock.seconds(),
        now=clock.seconds,
        elsewhere=execute,
        server=lambda text: network.server_endpoint(place, int(_parts(text)[1])),
        client=lambda text: network.client_endpoint(place, _parts(text)[1], int(_parts(text)[2])),
        host=lambda host, port: network.client_endpoint(place, host, port),
        own_addresses=lambda: (place,),
        store=partial(_store, clock),
    )


def _store(clock: Any, url: str, directory: Path, key: StoreKey | None) -> Store:
    """The node's own file where that is there already (a test of files made it), else memory that outlives the node."""
    if url or (directory / STORE_FILE).exists():
        return Store(database_at(url, directory, key), Inline(), clock)
    return Store(MEMORIES.setdefault(directory, MemoryDatabase()), Inline(), clock)


MEMORIES: dict[Path, MemoryDatabase] = {}
"""What nodes at these data directories remember."""


def _parts(text: str) -> list[str]:
    parts = text.split(":")
    if parts[0] != "tcp":
        raise ValueError(f"Unknown endpoint type: {parts[0]!r}")
    return parts


def node_settings(**node: Any) -> Settings:
    """Settings with these keys of [node], and ``allow``, ``deny``, ``limits``, ``algorithms`` of the others."""
    access = AccessTable(allow=node.pop("allow", ()), deny=node.pop("deny", ()))
    rest = {name: node.pop(name) for name in ("limits", "algorithms", "extenders") if name in node}
    return Settings(node=NodeTable(**{"listen": ("tcp:9999",), **node}), access=access, **rest)


class NodeCase(SynchronousTestCase):
    """Nodes by place; all are stopped at the end, and no timer may be left."""

    def setUp(self) -> None:
        self.patch(os, "fsync", lambda descriptor: None)  # what it is for is played in test_data_directory_crash.py
        self.network = MemoryNetwork(seed=self.id())
        self.clock = self.network.clock
        self.drifts: dict[Node, Drift] = {}
        self.nodes: list[Node] = []
        self.events: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)
        logs.configure("debug")
        self.addCleanup(logs.configure)
        self.addCleanup(self.stop_all)
        self.addCleanup(self.nobody_is_named)

    def nobody_is_named(self) -> None:
        """Whatever a test is about: no line of its log says who a peer is, or where."""
        if logs._switches.redact:
            for line in self.lines():
                self.assertNotRegex(line, NAMING)

    def node(self, place: str = "127.0.0.1", *makers: Any, start: bool = True, data: Path | None = None,
             settings: Settings | None = None, **node: Any) -> Node:
        """A node at that place; it listens at its port 9999 unless told otherwise."""
        directory = data or Path(self.mktemp()).absolute()
        drift = Drift()
        world = memory_world(self.network, place, drift)
        made = Node(settings or node_settings(**node), directory, world=world, registry=_Given(makers))
        self.drifts[made] = drift
        self.nodes.append(made)
        if start:
            made.startService()
        return made

    def stop_all(self) -> None:
        self.network.heal()
        stopping = [node.stopService() for node in self.nodes]
        self.pass_time(40)
        for each in stopping:
            self.successResultOf(each)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    # -- time ----------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Everything that is due now happens."""
        for _ in range(10_000):
            if not self.clock.due:
                return
            self.clock.advance(0)
        self.fail("something goes round in circles")

    def pass_time(self, seconds: float) -> None:
        """Every call that falls due on the way comes at its own moment."""
        end = self.clock.seconds() + seconds
        while self.clock.step(end):
            pass

    def done(self, deferred: Deferred[T], seconds: float = 0.0) -> T:
        """What it fires with, after so much time; raises what it fails with."""
        self.pass_time(seconds) if seconds else self.settle()
        return self.successResultOf(deferred)

    def failed(self, deferred: Deferred[Any], kind: type[BaseException], seconds: float = 0.0) -> Any:
        """What it fails with."""
        self.pass_time(seconds) if seconds else self.settle()
        return self.failureResultOf(deferred, kind).value

    # -- words ---------------------------------------------------------------------------------------------------

    def address(self, node: Node, place: str = "127.0.0.1", port: int = 9999) -> str:
        return f"qg://{node.uuid}@{place}:{port}"

    def lines(self, level: str = "debug") -> list[str]:
        """The log so far, at that level and above."""
        floor = logs.LEVELS[level]
        return [formatEvent(event) for event in self.events
                if str(event.get("log_namespace", "")).startswith("quantumgate.") and event["log_level"] >= floor]

    def errors(self) -> list[str]:
        return [line for line in self.lines("error") if "log.redact" not in line]


class _Given(Registry):
    """A registry of makers, or registrations, that the test brings."""

    def __init__(self, makers: tuple[Any, ...]) -> None:
        super().__init__({})
        self._result = tuple(one if isinstance(one, Registration) else registered(one) for one in makers)


def as_json(value: Any) -> Any:
    """As an operator's program would see it."""
    return msgspec.json.decode(msgspec.json.encode(value))


def count(calls: list[Any]) -> Callable[..., None]:
    """A function that writes its arguments down."""
    return lambda *arguments: calls.append(arguments)
