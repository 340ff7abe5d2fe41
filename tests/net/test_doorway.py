"""The doorway: a pump is made when the transport is there, gets its bytes, and hears of the end before anybody else."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Protocol
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.net.doorway import Doorway, DoorwayFactory


class Pump(Protocol):
    """Writes down what reaches it."""

    def __init__(self, log: list[Any]) -> None:
        self.log = log

    def connectionMade(self) -> None:
        self.log.append("made")

    def dataReceived(self, data: bytes) -> None:
        self.log.append(data)

    def connectionLost(self, reason: Any = None) -> None:
        self.log.append("pump lost")


class DoorwayTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.log: list[Any] = []
        self.transport = StringTransport()

    def meet(self, transport: Any) -> Any:
        self.log.append(("meet", transport))
        return Pump(self.log), lambda: self.log.append("lost")

    def test_one_life(self) -> None:
        door = Doorway(self.meet)
        self.assertEqual((door.pump, self.log), (None, []))
        door.makeConnection(self.transport)
        door.dataReceived(b"x")
        door.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.log, [("meet", self.transport), "made", b"x", "pump lost", "lost"])

    def test_nothing_reaches_it_after_the_end(self) -> None:
        door = Doorway(self.meet)
        door.makeConnection(self.transport)
        door.connectionLost()
        before = list(self.log)
        door.dataReceived(b"late")
        door.connectionLost()
        self.assertEqual(self.log, before)

    def test_an_end_before_the_beginning(self) -> None:
        Doorway(self.meet).connectionLost()
        self.assertEqual(self.log, [])

    def test_a_factory_may_refuse(self) -> None:
        self.assertIsNone(DoorwayFactory(lambda address: None).buildProtocol(None))
        door = Doorway(self.meet)
        factory = DoorwayFactory(lambda address: door)
        self.assertIs(factory.buildProtocol(None), door)
        self.assertIs(door.factory, factory)
