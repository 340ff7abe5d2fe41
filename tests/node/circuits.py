"""A client, an end and five gateways in memory, each in a network of its own, with an extender at both ends."""

from __future__ import annotations

from typing import Any, ClassVar

from quantumgate.extender.api import Extender, maker
from quantumgate.node.node import Node
from quantumgate.settings.schema import RelayTable, Settings
from tests.node.world import NodeCase, node_settings

HOME, AWAY = "31.3.0.1", "45.33.32.1"
GATES = ("11.1.0.1", "12.2.0.1", "13.3.0.1", "14.4.0.1", "15.5.0.1")


class Echo(Extender):
    """Sends back what it gets; keeps what comes back."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.left: list[str] = []

    def message_received(self, peer: Any, message: bytes) -> Any:
        if message.startswith(b"back:"):
            self.got.append(message)
            return None
        return self.host.send(peer, b"back:" + message)

    def peer_left(self, peer: Any, reason: str) -> None:
        self.left.append(reason)


class CircuitCase(NodeCase):
    """A client, an end, and gateways, each in a network of its own; ``self.path(n)`` connects through n of them.

    ``limits`` are everybody's.
    """

    limits: ClassVar[dict[str, Any]] = {}

    def setUp(self) -> None:
        super().setUp()
        self.guest = Echo()
        self.end_guest = Echo()
        own = maker(lambda: self.guest, name="echo", uuid="5f0c3e52-7a83-4a5f-9d6b-0c1f6f2f9e12")
        other = maker(lambda: self.end_guest, name="echo", uuid="5f0c3e52-7a83-4a5f-9d6b-0c1f6f2f9e12")
        limits = {"link_fail_seconds": [8, 12], **self.limits}
        self.gates = [self.node(place, relay=True, limits=limits) for place in GATES]
        addresses = tuple(self.address(gate, place) for gate, place in zip(self.gates, GATES, strict=True))
        settings = with_relay(node_settings(listen=(), limits=self.limits), gateways=addresses)
        self.client = self.node(HOME, own, settings=settings)
        self.end = self.node(AWAY, other, default_access="allow", limits=self.limits)

    def connect(self, hops: int = 0, via: Any = None, seconds: float = 1.0, keep: bool | None = None) -> Any:
        return self.done(self.client.connect(self.address(self.end, AWAY), hops=hops, via=via, keep=keep), seconds)

    def gate_of(self, uuid: Any) -> Node:
        return next(gate for gate in self.gates if gate.uuid == uuid)


def with_relay(settings: Settings, **relay: Any) -> Settings:
    return replace_table(settings, relay=RelayTable(**relay))


def replace_table(settings: Settings, **tables: Any) -> Settings:
    values = {name: getattr(settings, name) for name in settings.__struct_fields__}
    return Settings(**{**values, **tables})
