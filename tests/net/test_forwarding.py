"""Connections that go on elsewhere: what comes in front, what happens when elsewhere is not there."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.net import forwarding
from quantumgate.net.forwarding import ForwardingFactory
from quantumgate.testing.network import MemoryNetwork
from tests.extender.services import Diaries, Diary


class ForwardingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.network = MemoryNetwork(seed=self.id())
        self.addCleanup(self.network.cut)
        self.target, self.errors = Diaries(), []  # type: ignore[var-annotated]
        self.successResultOf(self.network.server_endpoint("target", 80).listen(self.target))

    def listen(self, port: int = 80, **more: Any) -> ForwardingFactory:
        factory = ForwardingFactory(
            self.network.client_endpoint("gate", "target", port), self.errors.append, **more)
        self.successResultOf(self.network.server_endpoint("gate", 1).listen(factory))
        return factory

    def dial(self) -> Diary:
        dialled: Deferred[Any] = self.network.client_endpoint("user", "gate", 1).connect(Factory.forProtocol(Diary))
        self.settle()
        return self.successResultOf(dialled)  # type: ignore[no-any-return]

    def settle(self) -> None:
        for _ in range(200):
            self.network.clock.advance(0.01)

    def test_goes_on(self) -> None:
        factory = self.listen()
        user = self.dial()
        user.transport.write(b"hello")  # type: ignore[union-attr]
        self.settle()
        (there,) = self.target.made
        self.assertEqual((bytes(there.got), factory.open), (b"hello", 1))
        there.transport.loseConnection()  # type: ignore[union-attr]
        user.transport.loseConnection()  # type: ignore[union-attr]
        self.settle()
        self.assertEqual((user.events[-1], factory.open), ("lost", 0))

    def test_what_comes_in_front(self) -> None:
        self.listen(first=lambda address, transport: f"<{address.host} to {transport.getPeer().host}>".encode())
        self.dial().transport.write(b"hello")  # type: ignore[union-attr]
        self.settle()
        self.assertEqual(bytes(self.target.made[0].got), b"<user to target>hello")

    def test_nobody_there(self) -> None:
        self.listen(port=81)
        user = self.dial()
        self.settle()
        self.assertEqual((user.events, len(self.errors)), (["made", "lost"], 1))

    def test_as_many_as_the_limit(self) -> None:
        self.patch(forwarding, "CONNECTIONS", 2)
        factory = self.listen()
        for _ in range(2):
            self.dial()
        turned_away = self.network.client_endpoint("user", "gate", 1).connect(Factory.forProtocol(Diary))
        self.settle()
        self.assertEqual((factory.open, len(self.target.made)), (2, 2))
        turned_away.addErrback(lambda _: None)

    def test_given_up_while_it_is_dialled(self) -> None:
        """Whoever asked has gone: the dial is cancelled, nobody is told of an error."""
        gone: list[Any] = []

        class Never:
            def connect(self, factory: Any) -> Deferred[Any]:
                return Deferred(gone.append)

        factory = ForwardingFactory(Never(), self.errors.append)  # type: ignore[arg-type]
        self.successResultOf(self.network.server_endpoint("gate", 1).listen(factory))
        self.dial()
        self.network.cut()
        self.settle()
        self.assertEqual((len(gone), self.errors, factory.open), (1, [], 0))
