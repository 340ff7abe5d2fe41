"""A program beside a node, in memory: the socket for streams without a socket, and a node that can be away."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed

from quantumgate.control.attach import AttachedDoor, ProgramLine
from quantumgate.control.client import NoNodeRunning
from quantumgate.control.streamsocket import NodeLine, StreamsFactory
from quantumgate.extender.services import Services
from quantumgate.testing.nodes import MemoryNodes
from quantumgate.testing.seeded import SeededRandom
from tests.extender.services import ServicesCase


class MemoryDoor(AttachedDoor):
    """``streams`` is the node's side, None while the node is away."""

    def __init__(self, nodes: MemoryNodes, services: Services) -> None:
        super().__init__(nodes.clock, lambda: Path("control.sock"), SeededRandom("back-off"))
        self._nodes, self._services = nodes, services
        self.streams: StreamsFactory | None = StreamsFactory(services, nodes.clock)
        self.dials = 0

    def probe(self) -> None:
        if self.streams is None:
            raise NoNodeRunning("no node is running")

    def line(self) -> Deferred[Any]:
        self.dials += 1
        if self.streams is None:
            return fail(NoNodeRunning("no node is running"))
        here, there = ProgramLine(self._nodes.clock), self.streams.buildProtocol(None)
        self._nodes.network.join(there, here, ("node", "program"))
        return succeed(here)

    def node_goes(self) -> None:
        """As if its process ended."""
        streams, self.streams = self.streams, None
        for line in list(streams.lines if streams is not None else ()):
            line.transport.abortConnection()

    def node_comes(self) -> None:
        """Another process in its place."""
        self.streams = StreamsFactory(self._services, self._nodes.clock)

    def node_lines(self) -> set[NodeLine]:
        return set() if self.streams is None else self.streams.lines


class AttachedCase(ServicesCase):
    """A program beside the left node and one beside the right one."""

    def setUp(self) -> None:
        super().setUp()
        self.beside_left = MemoryDoor(self.nodes, self.near)
        self.beside_right = MemoryDoor(self.nodes, self.far)
