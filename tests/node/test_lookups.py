"""Real nodes that look for one another: who is found, what is said of who is not, and what keepers learn."""

from __future__ import annotations

from typing import Any

from quantumgate.core.discovery.positions import day_of
from quantumgate.core.peer_records import KnownRecord, judge, network_of
from quantumgate.errors import ConnectFailed, LocalError
from quantumgate.node.node import Node
from tests.node.test_discovery import DiscoveryCase

RELAYS = tuple(f"{11 + n}.{n}.0.1" for n in range(12))
LEAF, OTHER = "51.1.0.1", "52.1.0.1"
NOBODY_THERE = "0b51a0f2-3c4d-8100-8888-000000000001"


class LookUpCase(DiscoveryCase):
    """Relays that know of one another by what the first one tells them; leaves that admit each other."""

    def relays(self, count: int = 10) -> list[Node]:
        nodes = [self.finder(place, relay=True, default_access="allow", discovery={"exchange": True, "connections": 0})
                 for place in RELAYS[:count]]
        for node in nodes:
            for other in nodes:
                if other is not node:
                    self.teach(node, other)
        return nodes

    def teach(self, node: Node, other: Node) -> None:
        """``node`` has the record of ``other`` in its book."""
        record = other._parts.author.current(other.listening)  # type: ignore[union-attr]
        self.book(node).add(self.known_of(record), "ourselves", node.wall_seconds())

    def known_of(self, record: Any) -> KnownRecord:
        """As it is once it was verified."""
        return judge(record.encode(), network=network_of(b"QuantumGate"), now_ms=record.record.seq_ms)

    def leaf(self, place: str, taught: list[Node], *makers: Any, **discovery: Any) -> Node:
        node = self.finder(place, *makers, default_access="allow",
                           discovery={"connections": 0, "findable": True, "public": False, **discovery})
        for relay in taught:
            self.teach(node, relay)
        return node

    def finding(self, node: Node) -> Any:
        return node._parts.discovery.finding  # type: ignore[union-attr]

    def client(self, relay: Node, asker: Node) -> Any:
        """A nameless session of a relay's client."""
        lookups = self.finding(asker).lookups
        (node,) = [one for one in lookups._known(self.day(asker)) if one.uuid == relay.uuid]
        return self.done(lookups.asking._session(node), 5)

    def day(self, node: Node) -> int:
        return day_of(node.wall_seconds())

    def kept(self, nodes: list[Node]) -> int:
        return sum(len(self.finding(node).keeping.directory) for node in nodes)


class FoundTests(LookUpCase):
    def test_a_bare_uuid_is_found_and_dialled(self) -> None:
        relays = self.relays()
        sought, asker = self.leaf(LEAF, relays), self.leaf(OTHER, relays[:3])
        self.pass_time(60)
        self.assertGreaterEqual(self.kept(relays), 8)
        self.assertIsNone(self.book(asker).record(sought.uuid))
        peer = self.done(asker.connect(str(sought.uuid), keep=False), 30)
        self.assertEqual(peer.uuid, sought.uuid)
        self.assertEqual(self.errors(), [])

    def test_keepers_learn_neither_who_asks_nor_become_peers(self) -> None:
        relays = self.relays()
        sought, asker = self.leaf(LEAF, relays), self.leaf(OTHER, relays)
        self.pass_time(60)
        report = self.done(asker.find(sought.uuid), 30)
        self.assertEqual((report.found, report.endpoints), (True, [f"{LEAF}:9999"]))
        self.assertEqual(asker.peers, ())
        for relay in relays:
            self.assertEqual([peer.uuid for peer in relay.peers], [])
        pins = asker._parts.state.pins  # type: ignore[union-attr]
        self.assertEqual(dict(pins), {})

    def test_who_does_not_want_to_be_found_is_not(self) -> None:
        relays = self.relays()
        shy, asker = self.leaf(LEAF, relays, findable=False), self.leaf(OTHER, relays)
        self.pass_time(60)
        report = self.done(asker.find(shy.uuid), 30)
        self.assertEqual((report.found, report.end), (False, "nobody knows it"))
        error = self.failed(asker.connect(str(shy.uuid), keep=False), ConnectFailed, 30)
        self.assertEqual(error.reason, "not-found")

    def test_who_knows_nobody_says_so(self) -> None:
        asker = self.leaf(OTHER, [])
        error = self.failed(asker.connect(NOBODY_THERE, keep=False), ConnectFailed, 30)
        self.assertEqual(error.reason, "too-few")
        self.assertIn("gateways", error.advice)

    def test_where_nobody_answers_it_is_said_that_answers_were_withheld(self) -> None:
        relays = self.relays()
        asker = self.leaf(OTHER, relays)
        self.network.part([OTHER], RELAYS[:9])
        error = self.failed(asker.connect(NOBODY_THERE, keep=False), ConnectFailed, 40)
        self.assertEqual(error.reason, "withheld")

    def test_giving_up_ends_every_question(self) -> None:
        asker = self.leaf(OTHER, self.relays())
        connecting = asker.connect(NOBODY_THERE, keep=False)
        self.pass_time(0.01)
        connecting.cancel()
        self.failed(connecting, ConnectFailed, 1)
        self.assertEqual(self.finding(asker).lookups._runs, set())

    def test_a_node_that_hides_asks_nobody(self) -> None:
        hidden = self.node(OTHER)
        self.assertIn("discovery.lookup", self.failed(hidden.find(hidden.uuid), LocalError).advice)
