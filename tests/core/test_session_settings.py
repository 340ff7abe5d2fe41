"""What a node's settings announce, and what a nameless side keeps to itself."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.session_settings import SessionSettings
from quantumgate.wire.features import DIRECTORY
from quantumgate.wire.session_tlvs import SessionBlock
from tests.core.sessions import limited

NAMED = SessionSettings(
    limits=limited(max_record_bytes=16_384, initial_window_bytes=131_072, max_channels=100, max_message_bytes=5000),
    extenders=(UUID(int=1),), instance=7, compression=False, padding="off", endpoints=("a:1",), replaces=bytes(32),
)  # fmt: skip


class BlockTests(SynchronousTestCase):
    def test_all_of_it(self) -> None:
        block = NAMED.block(clock_ms=5)
        self.assertEqual((block.max_record, block.initial_window), (16_384, 131_072))
        self.assertEqual((block.max_channels, block.max_message), (100, 5000))
        self.assertEqual((block.compression, block.padding), ((), 0))
        self.assertEqual((block.extenders, block.endpoints), (frozenset({UUID(int=1)}), ("a:1",)))
        self.assertEqual((block.clock_ms, block.instance, block.replaces), (5, 7, bytes(32)))
        self.assertEqual(SessionBlock.decode(block.encode()), block)

    def test_a_nameless_side_looks_like_any_other(self) -> None:
        self.assertEqual(NAMED.block(anonymous=True, clock_ms=5), SessionSettings().block(anonymous=True))
        self.assertEqual(NAMED.block(anonymous=True), replace(SessionBlock(), features=(DIRECTORY,)))

    def test_sessions_share_a_pool_only_where_they_are_told_to(self) -> None:
        self.assertIsNot(SessionSettings().node_pool, SessionSettings().node_pool)
        self.assertEqual(SessionSettings().node_pool.size_bytes, SessionSettings().limits.window_pool_node_bytes)
