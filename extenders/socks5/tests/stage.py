"""The stage of these tests: a world in memory, exits that play by script, and two real nodes on loopback.

Not for: tests of anything else.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from itertools import groupby
from typing import Any

import quantumgate_socks5
from quantumgate_socks5 import wire
from quantumgate_socks5.destination import Address, Destination
from quantumgate_socks5.extender import Socks5
from quantumgate_socks5.settings import Settings
from quantumgate_socks5.wire import FROM_FAR, FROM_NEAR, FrameReader, Kind
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Factory, Protocol, connectionDone
from zope.interface import implementer

from quantumgate.extender.api import Extender
from quantumgate.extender.api import maker as maker_of
from quantumgate.testing.network import MemoryNetwork
from quantumgate.testing.nodes import MemoryNodes
from quantumgate.testing.transport import MemoryAddress

HERE = "192.0.2.99"


class MemoryWorld:
    """The extender's World in a memory network. ``names`` maps names to addresses, or to None: no answer, ever.

    ``resolve`` fails the test where ``names`` is not given: the near side must never look up a name.
    """

    def __init__(self, network: MemoryNetwork, names: dict[str, list[str] | None] | None = None) -> None:
        self.network, self.names = network, names
        self.own: set[str] = set()
        self.asked: list[str] = []
        self.dialled: list[tuple[str, int]] = []

    def listen(self, description: str, factory: Factory) -> Deferred[Any]:
        return succeed(self.network.listen(MemoryAddress("127.0.0.1", int(description.split(":")[1])), factory))

    def listen_tcp(self, factory: Factory, interface: str) -> Any:
        return self.network.listen(MemoryAddress(interface), factory)

    def listen_udp(self, protocol: Any, interface: str) -> tuple[str, int]:
        raise OSError("no datagrams in memory")

    def connect(self, address: Address, port: int, protocol: Any, seconds: float) -> Deferred[Any]:
        self.dialled.append((str(address), port))
        factory = Factory()
        factory.buildProtocol = lambda _: protocol  # type: ignore[method-assign, assignment]
        dialled: Deferred[Any] = self.network.dial(HERE, MemoryAddress(str(address), port), factory)
        return dialled.addTimeout(seconds, self.network.clock)

    def resolve(self, name: str) -> Deferred[Any]:
        if self.names is None:
            raise AssertionError(f"the near side looked up {name}")
        self.asked.append(name)
        found = self.names.get(name, [])
        return Deferred() if found is None else succeed([ip_address(text) for text in found])

    def is_own(self, address: Address) -> bool:
        return str(address) in self.own


@implementer(IHalfCloseableProtocol)
class Ear(Protocol):
    """An end of a connection that keeps what it hears."""

    transport: Any

    def __init__(self) -> None:
        self.data = bytearray()
        self.read_ended = False
        self.lost: Any = None

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def readConnectionLost(self) -> None:
        self.read_ended = True

    def writeConnectionLost(self) -> None:
        """Our doing."""

    def connectionLost(self, reason: Any = connectionDone) -> None:
        self.lost = reason.value


class Ears(Factory):
    """Makes them, and keeps them."""

    noisy = False

    def __init__(self) -> None:
        self.made: list[Ear] = []

    def buildProtocol(self, addr: Any) -> Ear:
        self.made.append(Ear())
        return self.made[-1]


class ScriptedLine(Protocol):
    """One end of a line, the other end of which is under test: reads frames, writes what it is told."""

    transport: Any

    def __init__(self, kinds: Iterable[Kind]) -> None:
        self._reader = FrameReader(kinds)
        self.heard: list[tuple[Kind, bytes]] = []
        self.lost: Any = None

    def dataReceived(self, data: bytes) -> None:
        for kind, body in self._reader.feed(data):
            self.heard.append((kind, body))

    def connectionLost(self, reason: Any = connectionDone) -> None:
        self.lost = reason.value

    def says(self, kind: Kind, body: bytes = b"") -> None:
        self.transport.write(wire.frame(kind, body))

    def hears(self) -> list[tuple[Kind, bytes]]:
        """What came since the last call, DATA joined."""
        heard, self.heard = self.heard, []
        joined: list[tuple[Kind, bytes]] = []
        for kind, run in groupby(heard, lambda each: each[0]):
            bodies = [body for _, body in run]
            joined += [(kind, b"".join(bodies))] if kind is Kind.DATA else [(kind, body) for body in bodies]
        return joined


class ScriptedExit(Extender):
    """A peer that takes lines and does nothing by itself; ``refuses`` turns them away."""

    def __init__(self, *_: Any) -> None:
        self.lines: list[ScriptedLine] = []
        self.refuses = False

    def stream_opened(self, peer: Any, label: bytes) -> Any:
        if self.refuses:
            return None
        self.lines.append(ScriptedLine(FROM_NEAR))
        return self.lines[-1]


def scripted_exit() -> Any:
    return maker_of(ScriptedExit, name="socks5", uuid=quantumgate_socks5.UUID, settings=Settings)


class NearStage:
    """The near side under test as ``left``, scripted exits around it; ``program()`` is a program that connects."""

    def __init__(self, exits: Iterable[str] = ("right",), table: dict[str, Any] | None = None) -> None:
        exits = tuple(exits)
        makers: dict[str, Any] = {name: [scripted_exit()] for name in exits}
        self.world: Any = None

        self.nodes = MemoryNodes(names=("left", *exits), makers_of={**makers, "left": [_later(self)]}, tables={
            "socks5": {"listen": "tcp:1080:interface=127.0.0.1", **(table or {})}})
        self.near: Socks5 = self.nodes.left.guest("socks5")
        self.exits = {name: self.nodes[name].guest("socks5") for name in exits}
        for name in exits:
            self.nodes.connect(self.nodes.left, self.nodes[name])

    def offers(self, name: str = "right", tcp: bool = True, bind: bool = True, udp: bool = True) -> None:
        """This exit says what it does."""
        node = self.nodes[name]
        message = wire.Offer(tcp, bind, udp, 512).encode()
        self.nodes.result(node.host("socks5").send(node.peer(self.nodes.left), message))
        self.nodes.settle()

    def line(self, name: str = "right", at: int = -1) -> ScriptedLine:
        """A line that the near side opened to this exit."""
        self.nodes.advance(0.1)  # not settle: a paused program keeps the network busy
        found: ScriptedLine = self.exits[name].lines[at]
        return found

    def program(self) -> Ear:
        """A program that has connected."""
        factory = Ears()
        self.nodes.result(self.nodes.network.dial("127.0.0.1", MemoryAddress("127.0.0.1", 1080), factory))
        return factory.made[0]

    def asks(self, program: Ear, destination: Destination, command: int = 1, login: bytes = b"") -> None:
        """Greeting, log-in and request, the answers to the first two taken out."""
        program.transport.write(b"\x05\x01\x02" + login if login else b"\x05\x01\x00")
        program.transport.write(bytes((5, command, 0)) + destination.encode())
        self.nodes.settle()
        del program.data[: 4 if login else 2]

    def stop(self) -> None:
        self.nodes.stop()


def _later(stage: NearStage) -> Any:
    """The near side's maker; its world is made from the network of the node that starts it."""

    class Late(Socks5):
        def start(self, host: Any) -> Any:
            network = self._network_of(host)
            self._world = stage.world = MemoryWorld(network)
            return super().start(host)

        @staticmethod
        def _network_of(host: Any) -> MemoryNetwork:
            found: MemoryNetwork = host._landlord.nodes.network
            return found

    return maker_of(Late, name="socks5", uuid=quantumgate_socks5.UUID, settings=Settings, compression=False)


class FarStage:
    """The exit under test as ``right``; ``line()`` is a line that the left side opens, and writes by hand."""

    def __init__(self, names: dict[str, list[str] | None] | None = None, **exit_table: Any) -> None:
        self.offered: list[bytes] = []
        stage = self

        class Asker(Extender):
            def __init__(self, *_: Any) -> None:
                """Takes no settings."""

            def message_received(self, peer: Any, message: bytes) -> None:
                stage.offered.append(message)

        class Exit(Socks5):
            def start(self, host: Any) -> Any:
                self._world = stage.world = MemoryWorld(host._landlord.nodes.network, names or {})  # type: ignore[assignment]
                return super().start(host)

        asker = maker_of(Asker, name="socks5", uuid=quantumgate_socks5.UUID, settings=Settings)
        exit_maker = maker_of(Exit, name="socks5", uuid=quantumgate_socks5.UUID, settings=Settings, compression=False)
        self.world: Any = None
        tables = {"socks5": {"listen": "", "exit": {"enabled": True, "allow": ["*:*"], **exit_table}}}
        self.nodes = MemoryNodes(makers_of={"left": [asker], "right": [exit_maker]}, tables=tables)
        self.nodes.connect(self.nodes.left, self.nodes.right)
        self.exit: Socks5 = self.nodes.right.guest("socks5")
        self.targets: dict[tuple[str, int], Ears] = {}

    def target(self, host: str, port: int) -> Ears:
        """Somebody who listens there."""
        ears = self.targets[host, port] = Ears()
        self.nodes.network.listen(MemoryAddress(host, port), ears)
        return ears

    def line(self, label: bytes = wire.LABEL) -> ScriptedLine:
        """A line of the left side's."""
        left = self.nodes.left
        line = ScriptedLine(FROM_FAR)
        left.host("socks5").open_stream(left.peer(), line, label).addErrback(lambda _: None)
        self.nodes.settle()
        return line

    def call(self, line: ScriptedLine, kind: Kind, host: str, port: int) -> list[tuple[Kind, bytes]]:
        """A request, and what is heard then."""
        try:
            wanted = Destination(ip_address(host), port)
        except ValueError:
            wanted = Destination(host, port)
        line.says(kind, wanted.encode())
        self.nodes.settle()
        return line.hears()

    @property
    def reports(self) -> list[str]:
        """Of what the left side was accused."""
        return [offence for _, _, offence in self.nodes.right.reports]

    def stop(self) -> None:
        self.nodes.stop()
