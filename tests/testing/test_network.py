"""Places, listeners, partitions."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import IListeningPort, IStreamClientEndpoint, IStreamServerEndpoint
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from quantumgate.testing.network import MemoryNetwork
from quantumgate.testing.weather import Weather
from tests.testing.test_transport import Keeper


class NetworkTests(SynchronousTestCase):
    """Through endpoints, as programs use them."""

    def setUp(self) -> None:
        self.network = MemoryNetwork(weather=Weather(latency_seconds=0.1))
        self.clock = self.network.clock
        self.served: list[Keeper] = []

    def factory(self, keep: list[Keeper] | None = None) -> Any:
        def build() -> Keeper:
            keeper = Keeper(self.clock)
            if keep is not None:
                keep.append(keeper)
            return keeper

        return Factory.forProtocol(build)  # type: ignore[arg-type]

    def listen(self, place: str = "bob", port: int = 7) -> Any:
        return self.successResultOf(self.network.server_endpoint(place, port).listen(self.factory(self.served)))

    def dial(self, here: str = "alice", port: int = 7) -> Any:
        return self.network.client_endpoint(here, "bob", port).connect(self.factory())

    def test_interfaces(self) -> None:
        verifyObject(IStreamServerEndpoint, self.network.server_endpoint("bob", 7))
        verifyObject(IStreamClientEndpoint, self.network.client_endpoint("alice", "bob", 7))
        verifyObject(IListeningPort, self.listen())

    def test_connect(self) -> None:
        """After a round trip both have a protocol; bytes pass."""
        self.listen()
        dialled = self.dial()
        self.clock.advance(0.1)
        self.assertNoResult(dialled)
        self.clock.advance(0.1)
        client = self.successResultOf(dialled)
        client.transport.write(b"hello")
        self.clock.advance(0.1)
        self.assertEqual(self.served[0].data, b"hello")
        self.assertEqual(self.served[0].transport.getPeer().host, "alice")

    def test_refused(self) -> None:
        """Nobody listens, no longer, or the listener builds nothing."""
        port = self.listen()
        port.stopListening()
        refusing = Factory()
        refusing.buildProtocol = lambda addr: None  # type: ignore[assignment,method-assign]
        self.network.server_endpoint("bob", 8).listen(refusing)
        for number in (7, 8, 9):
            dialled = self.dial(port=number)
            self.clock.advance(0.2)
            self.failureResultOf(dialled, ConnectError)

    def test_ports(self) -> None:
        """One listener for each; 0 takes a free one."""
        self.listen(port=1)
        taken = self.network.server_endpoint("bob", 1).listen(self.factory())
        self.failureResultOf(taken, ConnectError)
        self.assertEqual(self.listen(port=0).getHost().port, 2)
        self.assertEqual(self.listen("carol", 1).getHost().host, "carol")

    def test_cancelled(self) -> None:
        self.listen()
        dialled = self.dial()
        dialled.cancel()
        self.failureResultOf(dialled, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_partition(self) -> None:
        """Nothing passes, dials get no answer; healed, what was under way arrives."""
        self.listen()
        dialled = self.dial()
        self.clock.advance(0.2)
        client = self.successResultOf(dialled)
        self.network.part(["alice"], ["bob", "carol"])
        client.transport.write(b"kept")
        late = self.dial()
        stranger = self.dial("dave")
        self.clock.advance(60)
        self.assertEqual(self.served[0].data, b"")
        self.assertNoResult(late)
        self.successResultOf(stranger)
        self.network.heal()
        self.clock.advance(0.1)
        self.assertEqual(self.served[0].data, b"kept")
        late.cancel()
        self.failureResultOf(late, CancelledError)

    def test_cut(self) -> None:
        """Every connection is lost at both ends."""
        self.listen()
        dialled = self.dial()
        self.clock.advance(0.2)
        self.network.cut()
        self.assertEqual((len(self.served[0].reasons), len(self.successResultOf(dialled).reasons)), (1, 1))

    def test_ended_connections_are_forgotten(self) -> None:
        self.listen()
        for _ in range(5):
            dialled = self.dial()
            self.clock.advance(0.2)
            self.successResultOf(dialled).transport.loseConnection()
            self.clock.pump([0.1] * 5)
        self.assertEqual(len(self.network.connections), 1)
