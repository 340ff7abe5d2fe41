"""Two nodes in memory with a services guest each, and protocols that write down what happens to them."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import formatEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from quantumgate.extender.services import Services
from quantumgate.testing.nodes import MemoryNodes


@implementer(IHalfCloseableProtocol)
class Diary(Protocol):
    """One end; closes nothing by itself."""

    def __init__(self) -> None:
        self.got = bytearray()
        self.events: list[str] = []
        self.reason: Any = None

    def connectionMade(self) -> None:
        self.events.append("made")

    def dataReceived(self, data: bytes) -> None:
        self.got += data

    def readConnectionLost(self) -> None:
        self.events.append("read over")

    def writeConnectionLost(self) -> None:
        self.events.append("write over")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.events.append("lost")
        self.reason = reason.value


class Diaries(Factory):
    """Makes them and keeps them; ``takes`` False makes none."""

    noisy = False

    def __init__(self, *, takes: bool = True) -> None:
        self.made: list[Diary] = []
        self.addresses: list[Any] = []
        self.takes = takes
        self.started = 0

    def startFactory(self) -> None:
        self.started += 1

    def stopFactory(self) -> None:
        self.started -= 1

    def buildProtocol(self, addr: Any) -> Diary | None:
        self.addresses.append(addr)
        if not self.takes:
            return None
        self.made.append(Diary())
        return self.made[-1]


class ServicesCase(SynchronousTestCase):
    """``left`` and ``right`` know each other; ``self.near`` and ``self.far`` are their doors."""

    connected = True

    def setUp(self) -> None:
        self.events: list[Any] = []
        observer: Any = self.events.append
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        self.near, self.far = Services(), Services()
        self.nodes = MemoryNodes(makers_of={"left": [self.near.maker()], "right": [self.far.maker()]})
        self.addCleanup(self.nodes.stop)
        if self.connected:
            self.nodes.connect(self.nodes.left, self.nodes.right)

    @property
    def right(self) -> str:
        return str(self.nodes.right.uuid)

    def open(self, name: str = "web", peer: str = "", hops: int | None = None, factory: Any = None) -> Any:
        """The near end's Diary; raises what it failed with."""
        factory = factory or Diaries()
        return self.nodes.result(self.near.open(peer or self.right, name, hops, factory.buildProtocol), 60)

    def speak_by_halves(self, near: Diary, far: Diary) -> None:
        """A question and its end, an answer and its end: each half closes on its own."""
        near.transport.write(b"question")  # type: ignore[union-attr]
        near.transport.loseWriteConnection()  # type: ignore[union-attr]
        self.nodes.settle()
        self.assertEqual((bytes(far.got), far.events), (b"question", ["made", "read over"]))
        far.transport.write(b"answer")  # type: ignore[union-attr]
        far.transport.loseConnection()  # type: ignore[union-attr]
        self.nodes.settle()
        self.assertEqual((bytes(near.got), near.events[-1]), (b"answer", "lost"))
        for diary in (near, far):
            self.assertIsInstance(diary.reason, ConnectionDone)

    def lines(self) -> list[str]:
        return [formatEvent(event) for event in self.events
                if event.get("log_namespace") == "quantumgate.services"]
