"""Nodes that find one another: a chain that closes, a book that outlives its node, and nothing where it is off."""

from __future__ import annotations

from typing import Any

from quantumgate.core.peer_records import judge, network_of
from quantumgate.errors import ConnectFailed, LocalError
from quantumgate.node.node import Node
from quantumgate.settings.schema import DiscoveryTable, RelayTable, Settings
from quantumgate.store.tables import BOOK
from tests.node.circuits import replace_table
from tests.node.world import NodeCase, node_settings

PLACES = tuple(f"{11 + n}.{n}.0.1" for n in range(10))


def exchanging(settings: Settings, **discovery: Any) -> Settings:
    """The same, and it exchanges."""
    return replace_table(settings, discovery=DiscoveryTable(**{"exchange": True, **discovery}))


class DiscoveryCase(NodeCase):
    def finder(self, place: str, *makers: Any, data: Any = None, discovery: Any = None, **node: Any) -> Node:
        """A node that exchanges."""
        return self.node(place, *makers, data=data, settings=exchanging(node_settings(**node), **(discovery or {})))

    def book(self, node: Node) -> Any:
        return node._parts.discovery.book  # type: ignore[union-attr]

    def chain(self, count: int) -> list[Node]:
        """Nodes that admit one another; each is told to connect to the one before."""
        nodes: list[Node] = []
        for place in PLACES[:count]:
            before = (self.address(nodes[-1], PLACES[len(nodes) - 1]),) if nodes else ()
            nodes.append(self.finder(place, connect=before))
        for node in nodes:
            for other in nodes:
                if other is not node:
                    self.done(node.access.allow(other.uuid))
        return nodes

    def seen(self, node: Node) -> set[Any]:
        return {peer.uuid for peer in node.peers}


class ChainTests(DiscoveryCase):
    def test_ten_nodes_know_one_another_within_two_minutes(self) -> None:
        nodes = self.chain(10)
        everybody = {node.uuid for node in nodes}
        self.pass_time(120)
        for node in nodes:
            self.assertEqual({entry.uuid for entry in self.book(node)}, everybody - {node.uuid})
        for node in nodes:
            for other in nodes:
                if other is not node:
                    self.assertEqual(self.done(node.connect(str(other.uuid)), 2).uuid, other.uuid)
        self.assertEqual(self.errors(), [])


class DiallingTests(DiscoveryCase):
    """A bare UUID, and an address that leads nowhere any more, are looked up at every try."""

    def known_to(self, node: Node, other: Node, place: str, port: int = 9999) -> None:
        """``node`` has the record of ``other``, who listens there."""
        record = other._parts.author.write([f"tcp:{port}:interface={place}"])  # type: ignore[union-attr]
        now_s = node.wall_seconds()
        self.done(node.access.allow(other.uuid))
        known = judge(record.encode(), network=network_of(b"QuantumGate"), now_ms=int(now_s * 1000))
        self.book(node).add(known, "ourselves", now_s)

    def quiet(self, place: str, **node: Any) -> Node:
        return self.finder(place, discovery={"connections": 0}, default_access="allow", **node)

    def test_a_bare_uuid(self) -> None:
        one, other = self.quiet(PLACES[0]), self.quiet(PLACES[1])
        self.failed(one.connect(str(other.uuid)), ConnectFailed, 2)
        self.known_to(one, other, PLACES[1])
        self.assertEqual(self.done(one.connect(str(other.uuid)), 2).uuid, other.uuid)

    def test_one_that_was_kept_before_anything_was_known_of_it(self) -> None:
        other = self.quiet(PLACES[1])
        one = self.quiet(PLACES[0], connect=(str(other.uuid),))
        self.pass_time(100)
        self.assertEqual(self.seen(one), set())
        self.known_to(one, other, PLACES[1])
        self.pass_time(70)
        self.assertEqual(self.seen(one), {other.uuid})

    def test_an_address_that_leads_nowhere_any_more(self) -> None:
        one, other = self.quiet(PLACES[0]), self.quiet(PLACES[1])
        old = f"qg://{other.uuid}@99.9.9.9:9999"
        self.failed(one.connect(old), ConnectFailed, 15)
        self.known_to(one, other, PLACES[1])
        self.assertEqual(self.done(one.connect(old), 15).uuid, other.uuid)

    def test_a_record_of_another_key_is_not_what_was_asked_for(self) -> None:
        one, other = self.quiet(PLACES[0]), self.quiet(PLACES[1])
        self.known_to(one, other, PLACES[1])
        self.failed(one.connect(f"qg://{other.uuid}.{'a' * 52}"), ConnectFailed, 2)

    def test_a_record_that_leads_nowhere_counts_for_nothing(self) -> None:
        one, other = self.quiet(PLACES[0]), self.quiet(PLACES[1])
        self.known_to(one, other, "99.9.9.9")
        error = self.failed(one.connect(str(other.uuid)), ConnectFailed, 15)
        self.assertNotEqual(error.reason, "no-address")

    def test_behind_an_anchor_whose_record_is_known(self) -> None:
        anchor = self.quiet(PLACES[2], relay=True)
        settings = exchanging(node_settings(listen=(), default_access="allow"), connections=0)
        hidden = self.node(PLACES[3], settings=replace_table(
            settings, relay=RelayTable(anchors=(self.address(anchor, PLACES[2]),))))
        one = self.quiet(PLACES[0])
        self.done(anchor.access.allow(hidden.uuid))
        self.pass_time(5)
        for node, place in ((anchor, PLACES[2]), (hidden, "")):
            listening = [f"tcp:9999:interface={place}"] if place else []
            record = node._parts.author.write(listening)  # type: ignore[union-attr]
            now_ms = int(one.wall_seconds() * 1000)
            self.done(one.access.allow(node.uuid))
            self.book(one).add(judge(record.encode(), network=network_of(b"QuantumGate"), now_ms=now_ms), "4:c000",
                               one.wall_seconds())
        peer = self.done(one.connect(str(hidden.uuid)), 30)
        self.assertEqual((peer.uuid, peer.path), (hidden.uuid, [anchor.uuid]))


class RestartTests(DiscoveryCase):
    def test_the_book_outlives_its_node(self) -> None:
        nodes = self.chain(4)
        self.pass_time(120)
        before = {row[0]: row for row in self.book(nodes[1]).rows()}
        stopping = [node.stopService() for node in nodes]
        self.pass_time(30)
        for each in stopping:
            self.successResultOf(each)
        self.nodes.clear()
        again = [self.finder(place, data=node.data_directory) for node, place in
                 zip(nodes[1:], PLACES[1:4], strict=True)]
        self.assertEqual(set(before), {row[0] for row in self.book(again[0]).rows()})
        self.pass_time(60)
        everybody = {node.uuid for node in again}
        for node in again:
            self.assertEqual(self.seen(node), everybody - {node.uuid}, "without the first, and without an address")

    def test_what_was_learnt_is_kept_without_a_good_bye(self) -> None:
        """A node that is killed has saved its book within half a minute."""
        nodes = self.chain(3)
        self.pass_time(100)
        kept = self.done(nodes[2]._parts.state.store.load(BOOK))  # type: ignore[union-attr]
        self.assertEqual({uuid for (uuid,) in kept}, {node.uuid for node in nodes[:2]})
        self.book(nodes[2]).remove(nodes[0].uuid)
        self.pass_time(31)
        kept = self.done(nodes[2]._parts.state.store.load(BOOK))  # type: ignore[union-attr]
        self.assertNotIn((nodes[0].uuid,), kept)
        firsts = [set(node._parts.state.firsts) for node in nodes]  # type: ignore[union-attr]
        self.assertIn({nodes[2].uuid}, firsts, "the first one has called the third, or the third the first")


class ReportTests(DiscoveryCase):
    def test_numbers_and_one_peer(self) -> None:
        nodes = self.chain(3)
        self.pass_time(100)
        report = nodes[0].book_snapshot()
        self.assertEqual((report.known, report.named, report.public, report.exchanging), (2, 2, 0, 2))
        self.assertEqual(set(report.peers), {str(node.uuid) for node in nodes[1:]})
        entry = nodes[0].book_snapshot(nodes[1].uuid)
        self.assertEqual((entry.endpoints, entry.why_not_called), ([f"{PLACES[1]}:9999"], "it is connected"))
        self.assertRaises(LocalError, nodes[0].book_snapshot, nodes[0].uuid)

    def test_a_node_without_a_book(self) -> None:
        node = self.node(PLACES[0])
        self.assertFalse(node.book_snapshot().enabled)
        self.assertRaises(LocalError, node.book_snapshot, node.uuid)
