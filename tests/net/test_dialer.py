"""One dial: its time limit, giving up, and the words for each way to fail."""

from __future__ import annotations

from typing import Any
from weakref import ref

from twisted.internet import error
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.defer import TimeoutError as TooLate
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Protocol
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from quantumgate.errors import ConnectFailed
from quantumgate.net.dialer import dial, unreachable
from quantumgate.testing.clock import OrderedClock
from quantumgate.testing.network import MemoryNetwork


@implementer(IStreamClientEndpoint)
class Silent:
    """An endpoint that never answers, or raises."""

    def __init__(self, problem: Exception | None = None) -> None:
        self.problem = problem
        self.given_up = 0

    def connect(self, factory: Any) -> Deferred[Any]:
        if self.problem is not None:
            raise self.problem
        return Deferred(self._give_up)

    def _give_up(self, _: object) -> None:
        self.given_up += 1


@implementer(IStreamClientEndpoint)
class Keeping:
    """One that connects at once, or fails, and keeps the factory."""

    def __init__(self, problem: Exception | None) -> None:
        self.problem = problem
        self.factory: Any = None

    def connect(self, factory: Any) -> Deferred[Any]:
        self.factory = factory
        if self.problem is not None:
            return fail(self.problem)
        protocol = factory.buildProtocol(None)
        protocol.makeConnection(StringTransport())
        protocol.connectionLost(Failure(error.ConnectionDone()))
        return succeed(None)


class Meeting:
    """Whoever waits for a transport."""

    def __call__(self, transport: Any) -> Any:
        return Pump(), lambda: None


class Pump(Protocol):
    """Stands for a PeerProtocol."""


class DialTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = OrderedClock()
        self.met: list[Any] = []

    def meet(self, transport: Any) -> Any:
        self.met.append(transport)
        return Pump(), lambda: None

    def test_gives_the_transport_to_whoever_meets_it(self) -> None:
        network = MemoryNetwork(self.clock)
        network.listen(network.client_endpoint("a", "b", 1).there, _Plain())
        door = dial(network.client_endpoint("a", "b", 1), self.meet, clock=self.clock, seconds=5)
        self.clock.advance(1)
        self.assertEqual([self.successResultOf(door).transport], self.met)
        self.clock.advance(10)

    def test_within_its_time(self) -> None:
        endpoint = Silent()
        dialled = dial(endpoint, self.meet, clock=self.clock, seconds=5)
        self.clock.advance(4.9)
        self.assertNoResult(dialled)
        self.clock.advance(0.2)
        self.failureResultOf(dialled, TooLate)
        self.assertEqual((endpoint.given_up, self.met), (1, []))

    def test_the_factory_keeps_nobody(self) -> None:
        """Twisted keeps it in a circle with the transport, so what it holds would wait for a collection."""
        for problem in (None, error.ConnectError()):
            endpoint = Keeping(problem)
            meet = Meeting()
            gone = ref(meet)
            dialled = dial(endpoint, meet, clock=self.clock, seconds=5)
            dialled.addErrback(lambda _: None)
            del meet
            self.assertIsNone(gone())
            self.assertIsNone(endpoint.factory.buildProtocol(None))

    def test_cancelling_gives_up_and_leaves_no_timer(self) -> None:
        endpoint = Silent()
        dialled = dial(endpoint, self.meet, clock=self.clock, seconds=5)
        dialled.cancel()
        self.failureResultOf(dialled, CancelledError)
        self.assertEqual((endpoint.given_up, self.clock.getDelayedCalls()), (1, []))

    def test_an_endpoint_that_raises_is_a_failed_dial(self) -> None:
        self.failureResultOf(dial(Silent(OSError("no")), self.meet, clock=self.clock, seconds=5), OSError)


class WordsTests(SynchronousTestCase):
    CASES = (
        (error.ConnectionRefusedError(), "unreachable", "h:1 refused the connection: nothing listens there"),
        (error.DNSLookupError(), "unreachable", "h:1 cannot be found: no such name"),
        (error.NoRouteError(), "unreachable", "there is no way to h:1 from here"),
        (error.ConnectError(string=Failure(error.ConnectionDone())), "unreachable", "there is no way to h:1 from here"),
        (error.TCPTimedOutError(), "no-answer", "nobody said a word"),
        (TooLate(), "no-answer", "nobody said a word"),
        (CancelledError(), "no-answer", "nobody said a word"),
        (error.ConnectError(osError=OSError(5, "odd\n  thing")), "unreachable", "odd thing"),
        (ZeroDivisionError(), "unreachable", "h:1 cannot be reached: ZeroDivisionError"),
    )

    def test_each_failure_has_its_sentence(self) -> None:
        for problem, reason, words in self.CASES:
            told = unreachable(Failure(problem), "h:1", "nobody said a word")
            self.assertEqual(told.reason, reason, problem)
            self.assertIn(words, str(told))
            self.assertNotIn("\n", str(told))

    def test_what_has_words_keeps_them(self) -> None:
        said = ConnectFailed("pin", "another key")
        self.assertIs(unreachable(Failure(said), "h:1", ""), said)


class _Plain:
    """A factory of protocols that do nothing."""

    def buildProtocol(self, address: Any) -> Protocol:
        return Protocol()

    def doStart(self) -> None:
        """For the network."""
