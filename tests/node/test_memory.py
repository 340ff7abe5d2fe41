"""Memory by peer and together: who is sent away, in which order, with which word, and that it ends."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from quantumgate.errors import ConnectFailed
from quantumgate.node import memory
from quantumgate.node.memory import LITTLE_BYTES, LOOK_SECONDS, LOOK_SOON_SECONDS
from quantumgate.node.node import Node
from quantumgate.wire.limits import MIB
from tests.node.world import NodeCase

HOME = "192.0.2.1"


class NodeTests(NodeCase):
    """A node that lets everybody in; what its peers hold is said by the test."""

    def setUp(self) -> None:
        super().setUp()
        self.held: dict[Any, int] = {}
        self.patch(memory, "held_bytes", lambda connection: self.held.get(connection, 0))
        self.limits = {"memory_bytes": 100 * MIB, "memory_peer_bytes": 60 * MIB}
        self.home = self.node(HOME, default_access="allow", limits=self.limits)
        self.count = 0

    def peers(self, count: int) -> list[UUID]:
        """So many more, the oldest first."""
        made = []
        for _ in range(count):
            self.count += 1
            node = self.node(f"198.51.100.{self.count}", listen=())
            self.done(node.connect(self.address(self.home, HOME), keep=False))
            self.pass_time(0.01)
            made.append(node.uuid)
        return made

    def holds(self, uuid: UUID, size: int) -> None:
        """This peer holds so much here."""
        for contact in self.home._parts.desk.table.all_of(uuid):  # type: ignore[union-attr]
            self.held[contact.protocol.connection] = size

    def left(self, node: Node | None = None) -> list[UUID]:
        """Who is still here."""
        return [peer.uuid for peer in (node or self.home).peers if peer.uuid is not None]

    def test_below_both_limits_nobody_is_sent_away(self) -> None:
        peers = self.peers(2)
        for uuid in peers:
            self.holds(uuid, 50 * MIB)
        self.pass_time(LOOK_SECONDS)
        self.assertEqual(self.left(), peers)
        report = self.home.status().overload
        self.assertEqual((report.held_bytes, report.sent_away), (100 * MIB, 0))

    def test_who_holds_more_than_a_peer_may(self) -> None:
        greedy, modest = self.peers(2)
        self.holds(greedy, 60 * MIB + 1)
        self.holds(modest, MIB)
        self.pass_time(LOOK_SECONDS)
        self.assertEqual(self.left(), [modest])
        self.assertTrue([line for line in self.lines("warn") if "limit memory_peer_bytes reached" in line])

    def test_over_the_nodes_limit_the_newest_goes_first(self) -> None:
        peers = self.peers(4)
        for uuid in peers:
            self.holds(uuid, 30 * MIB)
        self.pass_time(LOOK_SECONDS)
        self.assertEqual(self.left(), peers[:3])
        self.assertEqual(self.home.status().overload.sent_away, 1)
        self.assertTrue([line for line in self.lines("warn") if "memory_bytes reached (limits.memory_bytes)" in line])

    def test_the_least_esteemed_goes_before_the_newest(self) -> None:
        peers = self.peers(4)
        for uuid in peers:
            self.holds(uuid, 30 * MIB)
        self.home._parts.conduct.set(str(peers[1]), -5)  # type: ignore[union-attr]
        self.pass_time(LOOK_SECONDS)
        self.assertEqual(self.left(), [peers[0], peers[2], peers[3]])

    def test_who_holds_next_to_nothing_is_spared_while_others_hold_more(self) -> None:
        peers = self.peers(3)
        for uuid, size in zip(peers, (55 * MIB, 55 * MIB, LITTLE_BYTES), strict=True):
            self.holds(uuid, size)
        self.pass_time(LOOK_SECONDS)
        self.assertEqual(self.left(), [peers[0], peers[2]])

    def test_the_peer_is_told_out_of_resources(self) -> None:
        (uuid,) = self.peers(1)
        self.holds(uuid, 61 * MIB)
        self.pass_time(LOOK_SECONDS)
        lines = [line for line in self.lines("info") if "is gone" in line]
        self.assertTrue([line for line in lines if "out-of-resources" in line or "out of resources" in line], lines)

    def test_while_it_is_over_strangers_are_refused(self) -> None:
        peers = self.peers(1)
        watch = self.home._parts.memory  # type: ignore[union-attr]
        watch.held_bytes = 100 * MIB + 1
        stranger = self.node("203.0.113.9", listen=())
        error = self.failed(stranger.connect(self.address(self.home, HOME), keep=False), ConnectFailed, 1)
        self.assertEqual(error.reason, "refused")
        self.pass_time(LOOK_SECONDS)
        self.done(stranger.connect(self.address(self.home, HOME), keep=False))
        self.assertEqual(len(self.left()), len(peers) + 1)

    def test_it_looks_more_often_while_more_than_half_is_in_use(self) -> None:
        watch, (uuid,) = self.home._parts.memory, self.peers(1)  # type: ignore[union-attr]
        self.holds(uuid, 51 * MIB)
        self.pass_time(LOOK_SECONDS)
        self.assertEqual(watch._call.getTime() - self.clock.seconds() <= LOOK_SOON_SECONDS, True)
        self.holds(uuid, 61 * MIB)
        self.pass_time(LOOK_SOON_SECONDS)
        self.assertEqual(self.left(), [])

    def test_several_sessions_of_one_peer_count_together(self) -> None:
        one, other = self.peers(2)
        self.holds(one, 31 * MIB)
        contacts = self.home._parts.desk.table.all_of(other)  # type: ignore[union-attr]
        contacts[0].session.peer = self.home._parts.desk.table.all_of(one)[0].session.peer  # type: ignore[union-attr]
        self.held[contacts[0].protocol.connection] = 31 * MIB
        self.pass_time(LOOK_SECONDS)
        self.assertEqual(self.home.status().overload.sent_away, 2)
