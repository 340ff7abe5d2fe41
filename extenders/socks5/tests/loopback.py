"""Two real nodes in this process, joined over loopback: one with a proxy, one an exit; and targets to go to.

Real sockets, real time, bounded: for programs that know no fake clock. Not for: anything that ``stage.py`` can do.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import quantumgate_socks5
from quantumgate_socks5.extender import Socks5
from quantumgate_socks5.settings import Settings
from quantumgate_socks5.world import World
from twisted.internet import reactor
from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import DatagramProtocol, Factory, Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from quantumgate.extender.api import maker as maker_of
from quantumgate.extender.registry import Registry, registered
from quantumgate.node.node import Node
from quantumgate.settings.schema import NodeTable
from quantumgate.settings.schema import Settings as NodeSettings

LOOPBACK = ["127.0.0.0/8:*", "[::1]/128:*"]


class NoNames(World):
    """The world of a near side: a look-up there fails the test."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def resolve(self, name: str) -> Any:
        self.asked.append(name)
        raise AssertionError(f"the near side looked up {name}")


class SomeNames(World):
    """The world of an exit: names from a table, so that no test asks the network."""

    names = {"here.example": ["127.0.0.1"], "six.example": ["::1"], "gone.example": []}

    def resolve(self, name: str) -> Any:
        from ipaddress import ip_address

        return succeed([ip_address(text) for text in self.names.get(name, [])])


class _Given(Registry):
    """The extenders of a test."""

    def __init__(self, maker: Any, table: dict[str, Any]) -> None:
        super().__init__({}, ())
        self._result = (registered(maker, table),)


def extender_in(world: World) -> Any:
    """The maker of the extender, in that world."""
    return maker_of(
        lambda settings: Socks5(settings, world),
        name="socks5", uuid=quantumgate_socks5.UUID, settings=Settings, compression=False,
    )


class Target(Protocol):
    """Answers every line by its length; "stop" by an end, "drop" by a reset; keeps all it gets."""

    transport: Any

    def __init__(self) -> None:
        self.data = bytearray()
        self.lost: Any = None

    def dataReceived(self, data: bytes) -> None:
        self.data += data
        if data.endswith(b"drop\n"):
            self.transport.abortConnection()
        elif data.endswith(b"\n"):
            self.transport.write(b"%d bytes\n" % len(data))

    def connectionLost(self, reason: Any = connectionDone) -> None:
        self.lost = reason.value


class Targets(Factory):
    """Who listens; ``make`` makes what serves a connection."""

    noisy = False

    def __init__(self, make: Callable[[], Protocol] = Target) -> None:
        self._make = make
        self.made: list[Any] = []

    def buildProtocol(self, addr: Any) -> Protocol:
        self.made.append(self._make())
        return self.made[-1]  # type: ignore[no-any-return]


class Shouting(DatagramProtocol):
    """Answers a datagram by the same in capitals."""

    transport: Any

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        self.transport.write(datagram.upper(), addr)


class LoopbackCase(TestCase):
    """``await self.start()`` brings the nodes up. ``port`` is the proxy's, ``near`` and ``far`` are the guests."""

    timeout = 30

    async def start(self, near: dict[str, Any] | None = None, far: dict[str, Any] | None = None) -> None:
        table = {"enabled": True, "udp": True, "bind": True, "bind_address": "127.0.0.1", "allow": LOOPBACK}
        table |= far or {}
        listen = ("tcp:0:interface=127.0.0.1",)
        self.far_node = self.node("far", SomeNames(), {"listen": "", "exit": table}, listen=listen)
        await self.far_node.when_ready()
        address = f"qg://{self.far_node.uuid}@127.0.0.1:{self.far_node.listening[0].split(':')[1]}"
        self.world = NoNames()
        table = {"listen": "tcp:0:interface=127.0.0.1", **(near or {})}
        self.near_node = self.node("near", self.world, table, listen=(), connect=(address,))
        await self.near_node.when_ready()
        self.near: Socks5 = self.guest(self.near_node)
        self.far: Socks5 = self.guest(self.far_node)
        await self.until(self.near.near.exits.status)
        (shown, *_) = self.near.listening
        self.port = getattr(shown, "port", 0)

    def guest(self, node: Node) -> Any:
        return node.guests.instance("socks5")

    def node(self, name: str, world: World, table: dict[str, Any], **settings: Any) -> Node:
        directory = Path(self.mktemp()).absolute() / name
        node_settings = NodeSettings(node=NodeTable(default_access="allow", **settings))
        node = Node(node_settings, directory, registry=_Given(extender_in(world), table))
        self.addCleanup(node.stopService)
        node.startService()
        return node

    def listen(self, factory: Factory, interface: str = "127.0.0.1") -> int:
        """A target's port."""
        port = reactor.listenTCP(0, factory, interface=interface)  # type: ignore[attr-defined]
        self.addCleanup(port.stopListening)
        return port.getHost().port  # type: ignore[no-any-return]

    async def until(self, holds: Callable[[], Any], seconds: float = 10) -> None:
        """Waits for the world; fails if it does not come."""
        for _ in range(int(seconds / 0.01)):
            if holds():
                return
            await deferLater(reactor, 0.01)
        self.fail("it did not happen")

    def thread(self, function: Callable[..., Any], *arguments: Any, **more: Any) -> Deferred[Any]:
        """A blocking client, beside the reactor."""
        return deferToThread(partial(function, *arguments, **more))
