"""Which nodes exchange, which are public, and what is there of it where they do not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from quantumgate.core.delegations import own_delegation
from quantumgate.core.peer_records import KnownRecord
from quantumgate.errors import ConnectFailed
from quantumgate.node.discovering import connections_of, exchanges, is_public
from quantumgate.settings.schema import DiscoveryTable, PrivacyTable, Settings
from quantumgate.wire.directory_frames import FOUND, LEFT
from quantumgate.wire.exchange_frames import PEX, PEX_GET
from quantumgate.wire.limits import DEFAULT_LIMITS
from tests.node.circuits import replace_table
from tests.node.delegated import DelegatedCase
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
        self.assertEqual((parts.discovery, parts.desk.discovery), (None, None))
        self.assertFalse({PEX, PEX_GET} & set(parts.desk.ears))
        self.assertEqual(parts.state.book_key, "")
        self.assertEqual(node.book_snapshot().enabled, False)

    def test_one_that_does_listens_and_keeps_its_key(self) -> None:
        node = self.node("11.1.0.1", settings=wishes(exchange=True))
        parts = node._parts
        assert parts is not None
        self.assertLessEqual({PEX, PEX_GET, FOUND, LEFT}, set(parts.desk.ears))
        self.assertEqual(len(parts.state.book_key), 64)
        self.assertTrue(node.book_snapshot().enabled)


class HeardTests(DelegatedCase):
    """Records that others tell of, when they are about our own identity, or about somebody's newer key."""

    def test_a_record_of_ours_that_we_did_not_write(self) -> None:
        node = self.node("11.1.0.1", settings=wishes(exchange=True))
        parts: Any = node._parts
        tell = parts.discovery.exchanging.verified
        ours = parts.author.write(node.listening)
        tell(KnownRecord(ours, parts.identity.public))
        self.assertEqual(node.status().notices, [])
        newer = replace(ours, record=replace(ours.record, seq_ms=ours.record.seq_ms + 1))
        tell(KnownRecord(newer, parts.identity.public))
        self.assertIn("a record of it that this node did not write", node.status().notices[0])
        self.assertIn("online elsewhere", node.status().reason)

    def test_one_of_before_this_start_is_nobodys_elses(self) -> None:
        node = self.node("11.1.0.1", settings=wishes(exchange=True))
        parts: Any = node._parts
        ours = parts.author.write(node.listening)
        self.stop(node)
        self.pass_time(1)
        node.startService()
        self.settle()
        again: Any = node._parts
        again.discovery.exchanging.verified(KnownRecord(ours, again.identity.public))
        self.assertEqual(node.status().notices, [])

    def test_a_newer_delegation_counts_in_handshakes(self) -> None:
        """Revoked by gossip: the record of the new key is enough, before its owner was met again."""
        node = self.node("11.1.0.1", settings=wishes(exchange=True))
        friend = self.delegated("11.2.0.1", default_access="allow")
        self.done(node.connect(f"qg://{friend.uuid}@11.2.0.1:9999", keep=False))
        old = friend._directory.file("online.key").read_bytes()
        self.rotate(friend)
        parts: Any = friend._parts
        signed, one = parts.author.write(friend.listening), own_delegation(parts.identity)
        desk: Any = node._parts.desk  # type: ignore[union-attr]
        node._parts.discovery.exchanging.verified(KnownRecord(signed, parts.identity.public, one))  # type: ignore[union-attr]
        assert one is not None
        self.assertEqual(desk.least_serial(friend.uuid), one.serial)
        self.stop(friend)
        friend._directory.file("online.key").write_bytes(old)
        friend.startService()
        self.settle()
        error = self.failed(node.connect(f"qg://{friend.uuid}@11.2.0.1:9999", keep=False), ConnectFailed, 60)
        self.assertEqual(error.reason, "delegation")
