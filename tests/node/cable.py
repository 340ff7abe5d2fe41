"""A cable in memory on which everybody hears everybody, and nodes of ``world.py`` that are plugged into it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, succeed

from quantumgate.net.multicast import Heard, Make
from quantumgate.node.node import Node
from quantumgate.settings.schema import AccessTable, DiscoveryTable, NodeTable, PrivacyTable, Settings
from tests.node.world import NodeCase


class Plug:
    """One node's end of it; provides ``net.multicast.Multicasting``."""

    def __init__(self, cable: Cable, place: str, groups: tuple[str, str], heard: Heard) -> None:
        self.cable, self.place, self.groups, self.heard = cable, place, groups, heard
        self.changed: Callable[[], object] = lambda: None
        self.troubled: Callable[[str], object] = lambda _: None
        self.running = False

    @property
    def addresses(self) -> tuple[str, ...]:
        return (self.place,) if self.running else ()

    def start(self) -> None:
        self.running = True
        self.cable.plugs.append(self)
        self.changed()

    def send(self, make: Make) -> None:
        datagram = make(self.place)
        if datagram is not None and self.running:
            self.cable.carry(datagram, self.place, self.groups)

    def stop(self) -> Deferred[Any]:
        self.running = False
        if self in self.cable.plugs:
            self.cable.plugs.remove(self)
        return succeed(None)


class Cable:
    """``said``: every datagram, with the place that it came from and the groups that it went to."""

    def __init__(self) -> None:
        self.plugs: list[Plug] = []
        self.said: list[tuple[bytes, str, tuple[str, str]]] = []

    def carry(self, datagram: bytes, place: str, groups: tuple[str, str]) -> None:
        self.said.append((datagram, place, groups))
        for plug in list(self.plugs):
            if plug.groups == groups:
                plug.heard(datagram, place)

    def plug_for(self, place: str) -> Callable[[tuple[str, str], Heard], Plug]:
        return lambda groups, heard: Plug(self, place, groups, heard)


class CableCase(NodeCase):
    """Nodes on one cable."""

    def setUp(self) -> None:
        super().setUp()
        self.cable = Cable()

    def neighbour(self, place: str, *makers: Any, access: str = "allow", allow: tuple[str, ...] = (), hops: int = 0,
                  limits: dict[str, Any] | None = None, data: Path | None = None, **node: Any) -> Node:
        settings = Settings(
            node=NodeTable(**{"listen": ("tcp:9999",), "default_access": access, **node}), limits=limits or {},
            access=AccessTable(allow=allow), discovery=DiscoveryTable(lan=True), privacy=PrivacyTable(hops=hops),
        )
        made = self.node(place, *makers, start=False, settings=settings, data=data)
        made._world = replace(made._world, multicast=self.cable.plug_for(place))
        made.startService()
        return made

    def heard(self, node: Node) -> dict[str, str]:
        """Who is heard, and in what state."""
        return {one.uuid: one.state for one in node.lan_snapshot().heard}

    def connected(self, node: Node) -> set[str]:
        return {str(peer.uuid) for peer in node.peers}
