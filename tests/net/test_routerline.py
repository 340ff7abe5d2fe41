"""Questions to a router: how often they are asked, whose answers count, and the sockets below, on loopback."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, inlineCallbacks
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import DatagramProtocol
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase

from quantumgate.errors import LocalError, MalformedError
from quantumgate.net.routerline import Asker, lines
from quantumgate.wire.limits import MAP_ANSWER_BYTES, MAP_ANSWERS_READ, MAP_TRIES, MAP_TRY_SECONDS

ROUTER, OWN = "10.0.0.1", "10.0.0.2"


def good(data: bytes) -> bytes:
    if not data.startswith(b"good"):
        raise MalformedError("no answer")
    return data


class FakeLine:
    """What was sent, when; a test brings the answers."""

    own = OWN

    def __init__(self, clock: Clock) -> None:
        self.clock, self.sent, self.closed = clock, list[tuple[float, bytes]](), 0
        self.heard: Any = None
        self.refused: Any = None

    def __call__(self, router: str, heard: Any, refused: Any) -> FakeLine:
        self.heard, self.refused = heard, refused
        return self

    def send(self, datagram: bytes) -> None:
        self.sent.append((self.clock.seconds(), datagram))

    def close(self) -> None:
        self.closed += 1


class QuestionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.line = FakeLine(self.clock)
        self.answered = Asker(self.clock, self.line, ROUTER).ask(lambda own: own.encode(), good)

    def over(self) -> None:
        self.assertEqual((self.line.closed, self.clock.getDelayedCalls()), (1, []))

    def test_asked_again_after_twice_the_time_and_not_for_ever(self) -> None:
        self.clock.pump([0.01] * 1000)
        self.assertIn("it does not answer", str(self.failureResultOf(self.answered, LocalError).value))
        waits = [MAP_TRY_SECONDS * (2**at - 1) for at in range(MAP_TRIES)]
        self.assertEqual([data for _, data in self.line.sent], [OWN.encode()] * MAP_TRIES)
        for (moment, _), wanted in zip(self.line.sent, waits, strict=True):
            self.assertAlmostEqual(moment, wanted, delta=0.02)
        self.over()

    def test_the_first_answer_ends_it(self) -> None:
        self.clock.advance(0.3)
        self.line.heard(b"good one")
        self.line.heard(b"good two")
        self.assertEqual(self.successResultOf(self.answered), b"good one")
        self.over()

    def test_what_is_no_answer_does_not(self) -> None:
        for _ in range(MAP_ANSWERS_READ):
            self.line.heard(b"noise")
        self.assertNoResult(self.answered)
        self.line.heard(b"good")
        self.successResultOf(self.answered)

    def test_a_flood_of_them_does(self) -> None:
        for _ in range(MAP_ANSWERS_READ + 1):
            self.line.heard(b"noise")
        self.assertIn("what comes is no answer", str(self.failureResultOf(self.answered, LocalError).value))
        self.over()

    def test_nobody_listens_there(self) -> None:
        self.line.refused()
        self.assertIn("nobody listens there", str(self.failureResultOf(self.answered, LocalError).value))
        self.over()

    def test_given_up(self) -> None:
        self.answered.cancel()
        self.failureResultOf(self.answered, CancelledError)
        self.over()

    def test_no_network_and_no_socket_to_be_had(self) -> None:
        unreachable = OSError(101, "Network is unreachable")
        for error, words in ((unreachable, "Network is unreachable"), (
                CannotListenError("", 0, OSError(24, "Too many open files")), "Too many open files")):
            def nowhere(router: str, heard: Any, refused: Any, error: Exception = error) -> Any:
                raise error

            asked: Deferred[bytes] = Asker(self.clock, nowhere, ROUTER).ask(lambda own: b"", good)
            self.assertIn(words, str(self.failureResultOf(asked, LocalError).value))


class Echo(DatagramProtocol):
    """Answers with what it was asked, and a word in front."""

    def __init__(self) -> None:
        self.asked: list[tuple[bytes, Any]] = []
        self.word = b"good "

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        self.asked.append((datagram, addr))
        self.transport.write(self.word + datagram, addr)


class LoopbackTests(TestCase):
    timeout = 20

    def setUp(self) -> None:
        self.echo = Echo()
        self.port = reactor.listenUDP(0, self.echo, interface="127.0.0.1")  # type: ignore[attr-defined]
        self.addCleanup(self.port.stopListening)
        self.asker = Asker(reactor, lines(reactor, self.port.getHost().port), "127.0.0.1")

    @inlineCallbacks
    def test_asked_and_answered(self) -> Any:
        answer = yield self.asker.ask(lambda own: own.encode(), good)
        self.assertEqual(answer, b"good 127.0.0.1")

    @inlineCallbacks
    def test_somebody_else_is_not_heard(self) -> Any:
        """Not from another port of the router, either."""
        heard: list[bytes] = []
        line = lines(reactor, self.port.getHost().port)("127.0.0.1", heard.append, lambda: None)
        here = line._socket.getHost().port  # type: ignore[attr-defined]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.sendto(b"good, says a stranger", ("127.0.0.1", here))
        line.datagramReceived(b"good, came before", ("127.0.0.2", 5351))  # type: ignore[attr-defined]
        line.send(b"?")
        while not heard:
            yield deferLater(reactor, 0.01, lambda: None)
        self.assertEqual(heard, [b"good ?"])
        yield line.close()

    @inlineCallbacks
    def test_what_is_too_long_is_no_answer(self) -> Any:
        """It is cut behind the first octet that is too many: so nobody takes it for a shorter one."""
        heard: list[bytes] = []
        line = lines(reactor, self.port.getHost().port)("127.0.0.1", heard.append, lambda: None)
        self.echo.word = bytes(5000)
        line.send(b"?")
        while not heard:
            yield deferLater(reactor, 0.01, lambda: None)
        self.assertEqual(len(heard[0]), MAP_ANSWER_BYTES + 1)
        yield line.close()

    @inlineCallbacks
    def test_a_machine_where_nobody_listens_says_so(self) -> Any:
        yield self.port.stopListening()
        error = yield self.assertFailure(self.asker.ask(lambda own: b"?", good), LocalError)
        self.assertIn("nobody listens there", str(error))
