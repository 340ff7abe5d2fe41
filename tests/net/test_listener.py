"""A listener: what is bound, who is let in, one line for what cannot be bound, and an end at every moment."""

from __future__ import annotations

from typing import Any

from twisted.internet import tcp
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from quantumgate.net.intake import CROWD_RATE, ROUND_SECONDS, Intake
from quantumgate.net.listener import ACCEPTED_AT_ONCE, WAITING_LEAST, Listener, ListenFailed
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


class SocketPort(tcp.Port):
    """One of Twisted's own, but for the socket."""

    def __init__(self, backlog: int | None = 50) -> None:
        self.reading, self.numberAccepts, self.backlog = True, 1, backlog
        self.socket = self
        self.queue = backlog

    def listen(self, most: int) -> None:  # type: ignore[override]
        self.queue = most

    def startReading(self) -> None:
        self.reading = True

    def stopReading(self) -> None:
        self.reading = False

    def stopListening(self) -> Deferred[None]:
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
        self.clock = Clock()
        self.intake = Intake(Limits(half_open=2), self.clock, SeededRandom(1))
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


class RoundTests(ListenerCase):
    """Many that connect are taken in rounds. Whether there is room for them is another matter."""

    BURST = int(CROWD_RATE[1])

    def knock(self, count: int, network: str = "192.0.2") -> None:
        for number in range(count):
            self.endpoint.factory.buildProtocol(IPv4Address("TCP", f"{network}.{number % 250}", 5))

    def listening(self, lan: bool = False) -> tuple[Listener, SocketPort]:
        port = SocketPort()
        listener = self.listener(succeed(port), lan=lan)
        listener.start()
        return listener, port

    def test_few_are_taken_as_they_come(self) -> None:
        _, port = self.listening()
        self.knock(self.BURST)
        for _ in range(100):
            self.clock.advance(1 / CROWD_RATE[0])
            self.knock(1)
            self.assertTrue(port.reading)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_after_one_too_many_nobody_for_a_moment_then_all_that_wait(self) -> None:
        _, port = self.listening()
        self.knock(self.BURST + 1)
        self.assertFalse(port.reading)
        self.knock(20)
        self.clock.advance(ROUND_SECONDS - 0.001)
        self.assertEqual((port.reading, port.numberAccepts), (False, 1))
        self.clock.advance(0.001)
        self.assertEqual((port.reading, port.numberAccepts), (True, ACCEPTED_AT_ONCE))
        self.knock(10)
        self.assertFalse(port.reading)

    def test_loopback_and_the_local_network_make_no_crowd(self) -> None:
        for lan, network in ((False, "127.0.0"), (True, "192.0.2")):
            _, port = self.listening(lan)
            self.knock(3 * self.BURST, network)
            self.assertTrue(port.reading)

    def test_whoever_waits_for_the_next_round_finds_room_in_the_kernel(self) -> None:
        for asked, given in ((50, WAITING_LEAST), (4096, 4096), (None, None)):  # None: somebody else listens for us
            port = SocketPort(asked)
            self.listener(succeed(port)).start()
            self.assertEqual(port.queue, given)
        self.assertGreaterEqual(WAITING_LEAST, ACCEPTED_AT_ONCE)

    def test_it_stops_while_it_rests(self) -> None:
        listener, port = self.listening()
        self.knock(self.BURST + 1)
        self.successResultOf(listener.stop())
        self.clock.advance(1)
        self.assertFalse(port.reading)

    def test_a_port_that_is_no_socket_takes_everybody(self) -> None:
        self.listener(succeed(Port(HERE))).start()
        self.knock(3 * self.BURST)
        self.assertEqual(self.clock.getDelayedCalls(), [])
