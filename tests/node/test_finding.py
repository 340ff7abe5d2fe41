"""Look-ups as the node has them: which nodes are asked at all, and a peer behind anchors that nothing here knows."""

from __future__ import annotations

from quantumgate.node.discovering import is_findable, keeps_records, looks_up
from quantumgate.wire.features import DIRECTORY
from tests.node.test_discovering import wishes
from tests.node.test_lookups import LEAF, OTHER, RELAYS, LookUpCase


class WishTests(LookUpCase):
    def test_relays_keep_and_are_found_others_ask_where_they_exchange(self) -> None:
        for settings, wanted in (
            (wishes(), (False, False, False)),
            (wishes(relay=True), (True, True, True)),
            (wishes(exchange=True), (True, False, False)),
            (wishes(exchange=True, findable=True), (True, True, False)),
            (wishes(exchange=True, lookup=False, findable=True), (False, False, False)),
            (wishes(relay=True, public=False), (False, False, False)),
            (wishes(relay=True, hops=2), (False, False, False)),
        ):
            self.assertEqual((looks_up(settings), is_findable(settings), keeps_records(settings)), wanted, settings)

    def test_nothing_of_it_is_there_where_it_is_off(self) -> None:
        node = self.finder(OTHER, discovery={"lookup": False})
        parts = node._parts
        assert parts is not None
        self.assertIsNone(parts.discovery.finding)
        self.assertIsNone(parts.circuits.look_up)
        self.assertNotIn(DIRECTORY, parts.connections._sessions.features)


class KnownTests(LookUpCase):
    def test_relays_of_the_book_and_gateways_each_once_never_ourselves(self) -> None:
        relays = self.relays(3)
        asker = self.leaf(OTHER, relays[:2])
        known = self.finding(asker).lookups._known(self.day(asker))
        self.assertEqual({one.uuid for one in known}, {relays[0].uuid, relays[1].uuid})
        self.assertEqual({one.host for one in known}, set(RELAYS[:2]))
        self.assertNotIn(relays[0].uuid, {one.uuid for one in self.finding(relays[0]).lookups._known(self.day(asker))})

    def test_what_was_found_is_in_the_book_and_not_asked_for_again(self) -> None:
        relays = self.relays(9)
        sought, asker = self.leaf(LEAF, relays, public=True), self.leaf(OTHER, relays)
        self.pass_time(60)
        self.done(asker.find(sought.uuid), 30)
        self.assertIsNotNone(self.book(asker).record(sought.uuid))
