"""One connection: what each event sets in motion, and that a mistake of ours costs that connection alone."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.events import Closed, Pong, RequestMade
from quantumgate.core.requests import KeyNeeded, PeerCheck, Verdict
from quantumgate.errors import ConnectFailed, SessionClosed
from quantumgate.node.contact import Contact
from quantumgate.wire.codes import CloseCode
from tests.node.world import NodeCase

HOME, AWAY = "192.0.2.1", "198.51.100.1"


class FakeDesk:
    """Writes down what a contact asks, and answers what the test wants."""

    def __init__(self) -> None:
        self.log: list[Any] = []
        self.keys: list[Deferred[Any]] = []
        self.broken = False

    def now(self) -> float:
        return 5.0

    def key(self, group: int) -> Deferred[Any]:
        self.keys.append(Deferred())
        return self.keys[-1]

    def judge(self, contact: Contact, check: PeerCheck) -> Verdict:
        if self.broken:
            raise ZeroDivisionError("a mistake of ours")
        return Verdict(True)

    def dial_error(self, contact: Contact, event: Closed) -> ConnectFailed:
        return ConnectFailed(event.reason, "in words")

    def closed(self, contact: Contact, event: Closed) -> None:
        self.log.append(("closed", event.reason))

    def left(self, contact: Contact) -> None:
        self.log.append("left")


class FakePump:
    """A PeerProtocol and its Connection in one."""

    def __init__(self) -> None:
        self.log: list[Any] = []
        self.connection = self

    def answer(self, request: Any, value: Any, now: float) -> None:
        self.log.append(("answer", value))

    def close(self, code: int, text: str, *, now: float, graceful: bool) -> None:
        self.log.append(("close", code, graceful))

    def wake(self) -> None:
        """A flush is not looked at here."""

    def abort(self) -> None:
        self.log.append("abort")


class Key:
    wiped = False

    def wipe(self) -> None:
        self.wiped = True


class EventTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.desk, self.pump = FakeDesk(), FakePump()
        self.contact = Contact(self.desk, "h:1", outbound=True)  # type: ignore[arg-type]
        self.contact.protocol = self.pump  # type: ignore[assignment]

    def happens(self, event: Any) -> None:
        self.contact.connection_event(self.pump, event)  # type: ignore[arg-type]

    def test_a_peer_is_judged(self) -> None:
        self.happens(RequestMade(PeerCheck(None, 1, False)))
        self.assertEqual(self.pump.log, [("answer", Verdict(True))])

    def test_a_mistake_of_ours_costs_this_connection(self) -> None:
        self.desk.broken = True
        self.happens(RequestMade(PeerCheck(None, 1, False)))
        self.assertEqual(self.pump.log, ["abort"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_a_slow_key_is_answered_when_it_is_made(self) -> None:
        key = Key()
        self.happens(RequestMade(KeyNeeded(4)))
        self.assertEqual(self.pump.log, [])
        self.desk.keys[0].callback(key)
        self.assertEqual((self.pump.log, key.wiped), ([("answer", key)], False))

    def test_a_key_that_comes_too_late_is_wiped(self) -> None:
        key = Key()
        self.happens(RequestMade(KeyNeeded(4)))
        self.contact.result.addErrback(lambda _: None)
        self.happens(Closed("deadline"))
        self.desk.keys[0].callback(key)
        self.assertEqual((self.pump.log, key.wiped), ([], True))

    def test_a_key_that_cannot_be_made_ends_it(self) -> None:
        self.happens(RequestMade(KeyNeeded(4)))
        self.desk.keys[0].errback(ZeroDivisionError("no such luck"))
        self.assertEqual(self.pump.log, [("close", CloseCode.BYE, True)])

    def test_an_end_fails_the_dial_and_frees_who_waits_for_it(self) -> None:
        ended = self.contact.ended()
        self.assertNoResult(ended)
        self.happens(Closed("no-answer", "nobody"))
        self.assertIsNone(self.successResultOf(ended))
        self.assertEqual(self.failureResultOf(self.contact.result, ConnectFailed).value.reason, "no-answer")
        self.assertEqual((self.contact.over, self.contact.ending), (True, "nobody"))
        self.assertIsNone(self.successResultOf(self.contact.ended()))

    def test_giving_up_stops_the_dial_and_the_handshake(self) -> None:
        self.contact.connecting = connecting = Deferred()
        connecting.addErrback(lambda failure: failure.trap(CancelledError) and None)
        self.contact.result.cancel()
        self.failureResultOf(self.contact.result, CancelledError)
        self.assertTrue(connecting.called)
        self.assertEqual((self.contact.given_up, self.pump.log), (True, [("close", CloseCode.DUPLICATE, False)]))

    def test_an_end_after_giving_up_is_told_to_nobody(self) -> None:
        self.contact.result.cancel()
        self.failureResultOf(self.contact.result, CancelledError)
        self.happens(Closed("cancelled"))
        self.contact.transport_lost()
        self.assertEqual(self.desk.log, [("closed", "cancelled"), "left"])

    def test_without_a_session_a_ping_fails_at_once(self) -> None:
        self.failureResultOf(self.contact.ping(), SessionClosed)
        self.contact.ping_urgently()
        self.happens(Pong(0.1))


class PingTests(NodeCase):
    def test_all_who_asked_get_the_answer_or_the_end(self) -> None:
        left, right = self.node(HOME, listen=()), self.node(AWAY, default_access="allow")
        self.done(left.connect(self.address(right, AWAY)))
        (contact,) = left._parts.desk.contacts  # type: ignore[union-attr]
        first, second = contact.ping(), contact.ping()
        self.settle()
        self.assertEqual(self.successResultOf(first), self.successResultOf(second))
        third, cancelled = contact.ping(), contact.ping()
        cancelled.cancel()
        self.failureResultOf(cancelled, CancelledError)
        self.network.cut()
        self.assertIn("CLOSE", str(self.failureResultOf(third, SessionClosed).value))
