"""Questions to keepers: nameless sessions that stand while they are used, and answers that come, or do not."""

from __future__ import annotations

from typing import Any

from quantumgate.errors import ConnectFailed
from quantumgate.node.asking import LINGER_SECONDS
from quantumgate.wire import directory_frames as frames
from quantumgate.wire.limits import DEFAULT_LIMITS
from tests.node.test_lookups import OTHER, RELAYS, LookUpCase


class AnswerTests(LookUpCase):
    def setUp(self) -> None:
        super().setUp()
        self.relay = self.relays(1)[0]
        self.asker = self.leaf(OTHER, [self.relay], findable=False)
        self.asking = self.finding(self.asker).lookups.asking
        (self.node_of,) = self.finding(self.asker).lookups._known(self.day(self.asker))

    def ask(self) -> Any:
        return self.asking.find(self.node_of, self.day(self.asker), bytes(32))

    def test_one_session_for_several_questions_and_it_ends_by_itself(self) -> None:
        asked = [self.ask(), self.done(self.ask(), 2) and self.ask()]
        self.pass_time(1)
        self.assertEqual([self.successResultOf(one).number for one in asked], [1, 3])
        self.pass_time(LINGER_SECONDS + 20)
        self.assertEqual(self.asker._parts.desk.contacts, set())  # type: ignore[union-attr]
        self.assertEqual(self.asking._waiting, {})

    def test_who_says_nothing_is_not_waited_for(self) -> None:
        self.relay._parts.desk.ears[frames.FIND] = lambda contact, find: None  # type: ignore[union-attr]
        asked = self.ask()
        self.pass_time(DEFAULT_LIMITS.question_seconds - 0.1)
        self.assertNoResult(asked)
        self.assertEqual(self.failed(asked, ConnectFailed, 0.2).reason, "no-answer")

    def test_a_session_that_ends_fails_what_waits(self) -> None:
        self.relay._parts.desk.ears[frames.FIND] = lambda contact, find: contact.close()  # type: ignore[union-attr]
        self.assertEqual(self.failed(self.ask(), ConnectFailed, 2).reason, "lost")

    def test_a_relay_that_keeps_nothing(self) -> None:
        plain = self.finder(RELAYS[5], relay=True, default_access="allow", discovery={"exchange": False})
        asked = self.asking._ask(self.located(plain), frames.FIND, lambda number: b"")
        self.assertEqual(self.failed(asked, ConnectFailed, 2).reason, "no-directory")

    def located(self, node: Any) -> Any:
        record = node._parts.author.current(node.listening)
        found = self.finding(self.asker).lookups.charts.locate(self.known_of(record), self.day(self.asker))
        assert found is not None
        return found

    def test_an_answer_that_nobody_asked_for(self) -> None:
        contact = self.client(self.relay, self.asker)
        (theirs,) = self.relay._parts.desk.contacts  # type: ignore[union-attr]
        theirs.say(frames.FOUND, frames.Found(77).encode(), long=True)
        self.pass_time(1)
        self.assertTrue(contact.over)

    def test_a_relay_that_answers_a_client_that_asks_nobody_anything(self) -> None:
        """Every nameless side names the number, whether it asks or not."""
        plain = self.node("53.1.0.1")
        parts: Any = plain._parts
        contact = self.done(parts.circuits.relay_to_ask(self.asking._target(self.node_of)), 2)
        theirs = next(one for one in self.relay._parts.desk.contacts if not one.outbound)  # type: ignore[union-attr]
        theirs.say(frames.FOUND, frames.Found(1).encode(), long=True)
        self.pass_time(1)
        self.assertTrue(contact.over)
        self.assertEqual(self.errors(), [])

    def test_nobody_asks_through_a_node_that_stops(self) -> None:
        self.asking.stop()
        self.assertEqual(self.failed(self.ask(), ConnectFailed).reason, "cancelled")
