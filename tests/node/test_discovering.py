"""Which nodes exchange, which are public, and what is there of it where they do not."""

from __future__ import annotations

from typing import Any

from quantumgate.node.discovering import connections_of, exchanges, is_public
from quantumgate.settings.schema import DiscoveryTable, PrivacyTable, Settings
from quantumgate.wire.exchange_frames import PEX, PEX_GET
from quantumgate.wire.limits import DEFAULT_LIMITS
from tests.node.circuits import replace_table
from tests.node.world import NodeCase, node_settings


def wishes(relay: bool = False, hops: int = 0, **discovery: Any) -> Settings:
    settings = replace_table(node_settings(relay=relay), discovery=DiscoveryTable(**discovery))
    return replace_table(settings, privacy=PrivacyTable(hops=hops))


class DefaultTests(NodeCase):
    def test_relays_are_public_and_exchange_others_neither(self) -> None:
        for relay in (True, False):
            self.assertEqual((is_public(wishes(relay)), exchanges(wishes(relay))), (relay, relay))

    def test_what_is_said_counts(self) -> None:
        self.assertTrue(exchanges(wishes(exchange=True)))
        self.assertFalse(is_public(wishes(exchange=True)))
        self.assertTrue(exchanges(wishes(public=True)))
        self.assertFalse(exchanges(wishes(relay=True, exchange=False)))
        self.assertFalse(is_public(wishes(relay=True, public=False)))

    def test_who_dials_through_relays_calls_nobody_by_itself(self) -> None:
        self.assertEqual(connections_of(wishes(), DEFAULT_LIMITS), DEFAULT_LIMITS.outbound)
        self.assertEqual(connections_of(wishes(connections=3), DEFAULT_LIMITS), 3)
        self.assertEqual(connections_of(wishes(connections=64), DEFAULT_LIMITS), DEFAULT_LIMITS.outbound)
        self.assertEqual(connections_of(wishes(hops=2), DEFAULT_LIMITS), 0)

    def test_a_node_that_does_not_exchange_has_nothing_of_it(self) -> None:
        node = self.node("11.1.0.1")
        parts = node._parts
        assert parts is not None
        self.assertEqual((parts.discovery, parts.desk.discovery, parts.desk.ears), (None, None, {}))
        self.assertEqual(parts.state.book_key, "")
        self.assertEqual(node.book_snapshot().enabled, False)

    def test_one_that_does_listens_and_keeps_its_key(self) -> None:
        node = self.node("11.1.0.1", settings=wishes(exchange=True))
        parts = node._parts
        assert parts is not None
        self.assertEqual(set(parts.desk.ears), {PEX, PEX_GET})
        self.assertEqual(len(parts.state.book_key), 64)
        self.assertTrue(node.book_snapshot().enabled)
