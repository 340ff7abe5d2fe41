"""A listener: what is bound, who is let in, one line for what cannot be bound, and an end at every moment."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from quantumgate.net.intake import Intake
from quantumgate.net.listener import Listener, ListenFailed
from quantumgate.testing.seeded import SeededRandom
from quantumgate.wire.limits import Limits


class Port:
    """A bound port."""

    def __init__(self, host: Any) -> None:
        self.host = host
        self.open = True

    def getHost(self) -> Any:
        return self.host

    def stopListening(self) -> Deferred[None]:
        self.open = False
        return succeed(None)


@implementer(IStreamServerEndpoint)
class Endpoint:
    """Gives what the test wants; keeps the factory."""

    def __init__(self, outcome: Deferred[Any]) -> None:
        self.outcome = outcome
        self.factory: Any = None

    def listen(self, factory: Any) -> Deferred[Any]:
        self.factory = factory
        return self.outcome


HERE = IPv4Address("TCP", "127.0.0.1", 4711)


class ListenerCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.intake = Intake(Limits(half_open=2), Clock(), SeededRandom(1))
        self.arrived: list[Any] = []

    def arrive(self, transport: Any, place: Any, lan: bool) -> Any:
        self.arrived.append((transport, place, lan))
        return Protocol(), lambda: None

    def listener(self, outcome: Deferred[Any], text: str = "tcp:0", lan: bool = False) -> Listener:
        self.endpoint = Endpoint(outcome)
        return Listener(text, self.endpoint, self.intake, self.arrive, lan=lan)


class BindTests(ListenerCase):
    def test_what_was_bound_is_told_with_its_real_port(self) -> None:
        for text, host, bound in (
            ("tcp:0", IPv4Address("TCP", "0.0.0.0", 4711), "tcp:4711"),
            ("tcp:0:interface=127.0.0.1", HERE, "tcp:4711:interface=127.0.0.1"),
            ("tcp6:0", IPv6Address("TCP", "::", 7), "tcp6:7"),
            ("tcp6:0:interface=\\:\\:1", IPv6Address("TCP", "::1", 7), "tcp6:7:interface=\\:\\:1"),
            ("unix:x", UNIXAddress(b"/run/x"), "unix:/run/x"),
            ("odd:thing", object(), "odd:thing"),
        ):
            listener = self.listener(succeed(Port(host)), text)
            self.assertEqual(listener.bound, "")
            self.successResultOf(listener.start())
            self.assertEqual(listener.bound, bound)
            self.assertEqual(listener.host, host.host if "interface" in text else "", text)

    def test_what_cannot_be_bound_is_one_line(self) -> None:
        taken = OSError(98, "Address already in use")
        for problem, words in (
            (CannotListenError("", 1, taken), "cannot listen on tcp:1: address already in use"),
            (OSError(13, "Permission denied"), "cannot listen on tcp:1: permission denied"),
            (ValueError("two\nlines"), "cannot listen on tcp:1: two lines"),
        ):
            listener = self.listener(fail(problem), "tcp:1")
            error = self.failureResultOf(listener.start(), ListenFailed).value
            self.assertEqual((str(error), listener.bound), (words, ""))
            self.successResultOf(listener.stop())

    def test_stopping_frees_the_port(self) -> None:
        port = Port(HERE)
        listener = self.listener(succeed(port))
        listener.start()
        self.successResultOf(listener.stop())
        self.assertEqual((port.open, listener.bound), (False, ""))
        self.successResultOf(listener.stop())

    def test_stopped_while_binding_it_does_not_stay_bound(self) -> None:
        outcome: Deferred[Any] = Deferred()
        listener, port = self.listener(outcome), Port(HERE)
        started = listener.start()
        self.successResultOf(listener.stop())
        outcome.callback(port)
        self.successResultOf(started)
        self.assertEqual((port.open, listener.bound), (False, ""))


class ArrivalTests(ListenerCase):
    def test_each_has_a_place_until_there_is_no_room(self) -> None:
        self.listener(succeed(Port(HERE)), lan=True).start()
        doors = [self.endpoint.factory.buildProtocol(HERE) for _ in range(3)]
        self.assertEqual([door is None for door in doors], [False, False, True])
        self.assertEqual((self.intake.half_open, self.arrived), (2, []))
        transport = StringTransport()
        doors[0].makeConnection(transport)
        ((came, place, lan),) = self.arrived
        self.assertEqual((came, lan), (transport, True))
        place.left()
        self.assertEqual(self.intake.half_open, 1)
