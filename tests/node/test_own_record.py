"""What a node says of itself in its record, for whoever it gives that to."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from quantumgate.core.peer_records import KnownRecord, equivocates, judge, network_of
from quantumgate.core.relay.reservations import check_grant
from quantumgate.errors import AuthenticationError, LocalError
from quantumgate.node.anchors import Anchors
from quantumgate.node.node import Node
from quantumgate.node.own_record import RecordAuthor
from quantumgate.wire.limits import (
    PEER_RECORD_BYTES,
    PEER_RECORD_HYBRID_BYTES,
    PEER_RECORD_LIFE_SECONDS,
    PEER_RECORD_RELAY_LIFE_SECONDS,
)
from quantumgate.wire.link_frames import LinkEndpoint
from quantumgate.wire.peer_records import Anchor
from quantumgate.wire.record_text import from_text
from quantumgate.wire.reservation_frames import Grant
from tests.core.handshake.duel import identity
from tests.node.anchored import AnchoredCase
from tests.node.world import NodeCase
from tests.wire.test_peer_records import name

CHESS, ECHO, OTHER = (UUID(int=n) for n in (7, 3, 5))


def known(node: Node, *endpoints: str) -> KnownRecord:
    """This node's record, as somebody else judges it at that moment."""
    (record,) = from_text(node.own_record(endpoints).record)
    return judge(record, network=network_of(b"QuantumGate"), now_ms=int(node._world.wall_seconds() * 1000))


class PlainTests(NodeCase):
    def test_what_it_says_of_itself(self) -> None:
        node = self.node("45.33.32.1")
        found = known(node)
        self.assertEqual(found.identity, node._parts.identity.public)  # type: ignore[union-attr]
        record = found.record
        self.assertEqual(record.endpoints, (LinkEndpoint("45.33.32.1", 9999),))
        self.assertEqual((record.relay, record.via, record.rendezvous, record.extenders), (False, (), b"", ()))
        self.assertEqual(record.not_after_seconds, record.seq_ms // 1000 + PEER_RECORD_LIFE_SECONDS)

    def test_places_that_only_the_operator_knows(self) -> None:
        """First, for there is room for eight; private ones, too, where the operator says so. None twice."""
        node = self.node("45.33.32.1")
        told = ("bob.example:443", "[2001:db8::7]:9999", "192.168.1.7", "45.33.32.1:9999")
        self.assertEqual(known(node, *told).record.endpoints, (
            LinkEndpoint("bob.example", 443), LinkEndpoint("2001:db8::7", 9999), LinkEndpoint("192.168.1.7", 9999),
            LinkEndpoint("45.33.32.1", 9999)))
        eight = [f"45.33.32.2:{port}" for port in range(1, 9)]
        self.assertEqual([one.port for one in known(node, *eight).record.endpoints], list(range(1, 9)))
        for wrong in (["nonsense:x"], ["a b:1"], ["host:0"], ["[::1%eth0]:1"], [*eight, "45.33.32.2:9"]):
            self.assertRaises(LocalError, node.own_record, wrong)

    def test_a_node_that_knows_no_place(self) -> None:
        for place in ("10.0.0.1", "127.0.0.1"):
            self.assertEqual(known(self.node(place)).record.endpoints, ())

    def test_a_low_port_is_named(self) -> None:
        """In the record alone: without one no relay dials it."""
        node = self.node("45.33.32.1", listen=("tcp:443",), relay=True)
        self.assertEqual(known(node).record.endpoints, (LinkEndpoint("45.33.32.1", 443),))

    def test_a_relay(self) -> None:
        record = known(self.node("45.33.32.1", relay=True)).record
        self.assertTrue(record.relay)
        self.assertEqual(record.not_after_seconds, record.seq_ms // 1000 + PEER_RECORD_RELAY_LIFE_SECONDS)

    def test_two_at_one_moment_do_not_contradict_each_other(self) -> None:
        node = self.node("45.33.32.1")
        one, other = known(node), known(node, "bob.example:1")
        self.assertGreater(other.record.seq_ms, one.record.seq_ms)
        self.assertFalse(equivocates(one, other))

    def test_only_a_node_that_runs(self) -> None:
        self.assertRaises(LocalError, self.node(start=False).own_record)


class AnchorsTests(AnchoredCase):
    def test_anchors_and_what_they_signed(self) -> None:
        record = known(self.hidden).record
        gates = {gate.uuid: gate._parts.identity.public for gate in self.gates[:2]}  # type: ignore[union-attr]
        self.assertEqual({one.uuid: one.fingerprint for one in record.via},
                         {uuid: public.fingerprint for uuid, public in gates.items()})
        for one in record.via:
            check_grant(Grant.decode(one.voucher), gates[one.uuid], self.hidden.uuid)
            self.assertRaises(AuthenticationError, check_grant, Grant.decode(one.voucher), gates[one.uuid],
                              self.client.uuid)
        self.assertEqual(record.rendezvous.hex(), self.hidden._parts.state.rendezvous_key)  # type: ignore[union-attr]

    def test_an_anchor_that_has_gone_is_not_named(self) -> None:
        self.gates[0].stopService()
        self.pass_time(20)
        self.assertEqual([one.uuid for one in known(self.hidden).record.via], [self.gates[1].uuid])
        self.gates[1].stopService()
        self.pass_time(20)
        record = known(self.hidden).record
        self.assertEqual((record.via, record.rendezvous), ((), b""))

    def test_a_reservation_that_is_over_is_not_named(self) -> None:
        self.drifts[self.hidden].seconds = 4000
        self.assertEqual(known(self.hidden).record.via, ())


class ExtenderTests(NodeCase):
    def author(self) -> RecordAuthor:
        node = self.node("45.33.32.1")
        return RecordAuthor(identity("alice"), node._world, b"QuantumGate", Anchors(node.uuid, node._world, (), b""),
                            relay=False, allow_private=False)

    def test_off_nothing_is_in_it(self) -> None:
        author = self.author()
        without = author.write(["tcp:9999:interface=45.33.32.1"])
        self.assertEqual(without.record.extenders, ())
        author.extenders = lambda: (CHESS,)
        named = author.write(["tcp:9999:interface=45.33.32.1"])
        self.assertEqual(len(named.body) - len(without.body), 4 + 16)

    def test_those_by_which_it_is_found_each_hashed_in_order(self) -> None:
        author = self.author()
        author.extenders = lambda: (CHESS, ECHO)
        signed = author.current(["tcp:9999:interface=45.33.32.1"])
        read = judge(signed.encode(), network=network_of(b"QuantumGate"), now_ms=signed.record.seq_ms)
        self.assertEqual([read.runs(one) for one in (CHESS, ECHO, OTHER)], [True, True, False])
        for one in (CHESS, ECHO):
            self.assertNotIn(one.bytes, signed.encode())
        author.extenders = tuple
        self.assertEqual(author.current(["tcp:9999:interface=45.33.32.1"]).record.extenders, ())

    def test_they_go_where_they_do_not_fit(self) -> None:
        author = self.author()
        author.extenders = lambda: tuple(UUID(int=n) for n in range(16))
        long = [f"{'n' * 60}.{'n' * 60}.{'n' * 60}.{'n' * 20}{n}.example:9999" for n in range(8)]
        signed = author.write([], long)
        self.assertLessEqual(len(signed.encode()), PEER_RECORD_BYTES)
        self.assertEqual(len(signed.record.endpoints), 8)
        self.assertTrue(0 < len(signed.record.extenders) < 16, len(signed.record.extenders))


class FittingTests(NodeCase):
    def test_vouchers_that_do_not_fit_are_left_out(self) -> None:
        """Three of hybrid anchors in a hybrid record: the longest go first, until it is as small as it must be."""
        node = self.node("45.33.32.1")
        for kind, sizes, left in ((2, (3400, 3401, 90), (0, 0, 90)), (2, (700, 701, 702), (700, 701, 702)),
                                  (1, (3400, 92, 90), (0, 92, 90)), (1, (600, 600, 600), (0, 600, 600))):
            via = tuple(Anchor(name(n), bytes(32), bytes(size)) for n, size in enumerate(sizes))
            anchors: Any = type("Anchors", (), {"via": lambda _, via=via: via, "rendezvous_key": bytes(32)})()
            author = RecordAuthor(identity("alice", kind), node._world, b"QuantumGate", anchors, relay=False,
                                  allow_private=False)
            signed = author.write(["tcp:9999:interface=45.33.32.1"])
            self.assertEqual(tuple(len(one.voucher) for one in signed.record.via), left, kind)
            self.assertLessEqual(len(signed.encode()), PEER_RECORD_HYBRID_BYTES)
