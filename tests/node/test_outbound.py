"""Connections that nodes make by themselves: whom they call, what becomes of it, and whom they call first again."""

from __future__ import annotations

from typing import Any

from quantumgate import logs
from quantumgate.core.peer_records import judge, network_of
from quantumgate.errors import ConnectFailed
from quantumgate.node.node import Node
from quantumgate.node.outbound import REFUSED_SECONDS
from quantumgate.settings.schema import PrivacyTable
from tests.node.circuits import replace_table
from tests.node.test_discovery import PLACES, DiscoveryCase, exchanging
from tests.node.test_exchanging import made_record
from tests.node.world import node_settings


class OutboundCase(DiscoveryCase):
    def out(self, node: Node) -> Any:
        return node._parts.discovery.outbound  # type: ignore[union-attr]

    def mutual(self, *nodes: Node) -> None:
        for node in nodes:
            for other in nodes:
                if other is not node:
                    self.done(node.access.allow(other.uuid))

    def teach(self, node: Node, *others: tuple[Node, str]) -> None:
        """``node`` is given the records of these."""
        for other, place in others:
            record = other._parts.author.write([f"tcp:9999:interface={place}"])  # type: ignore[union-attr]
            now_ms = int(node.wall_seconds() * 1000)
            known = judge(record.encode(), network=network_of(b"QuantumGate"), now_ms=now_ms)
            self.book(node).add(known, "ourselves", node.wall_seconds() - 9999)
        self.out(node).heard([other.uuid for other, _ in others])


class CallTests(OutboundCase):
    def test_a_named_peer_that_is_known_is_called_and_kept(self) -> None:
        one, other = (self.finder(place) for place in PLACES[:2])
        self.mutual(one, other)
        self.teach(one, (other, PLACES[1]))
        self.pass_time(10)
        self.assertEqual(self.seen(one), {other.uuid})
        self.assertEqual([each.uuid for each in self.out(one).standing], [other.uuid])
        (contact,) = one._parts.desk.table  # type: ignore[union-attr]
        self.pass_time(1800)
        self.assertEqual(list(one._parts.desk.table), [contact])  # type: ignore[union-attr]
        self.assertEqual(self.seen(one), {other.uuid}, "an idle session of this kind is held open")
        self.assertEqual(self.book(one).tried_count, 1)

    def test_who_was_disconnected_by_hand_is_left_alone_until_somebody_asks_for_it(self) -> None:
        one, other = (self.finder(place) for place in PLACES[:2])
        self.mutual(one, other)
        other._parts.discovery.outbound.let_go(one.uuid)  # type: ignore[union-attr]
        self.teach(one, (other, PLACES[1]))
        self.pass_time(10)
        self.done(one.disconnect(other.uuid), 1)
        self.pass_time(300)
        self.assertEqual((self.seen(one), self.out(one).against(other.uuid)), (set(), "it was disconnected by hand"))
        self.done(one.connect(str(other.uuid), keep=False), 2)
        self.assertEqual(self.out(one).against(other.uuid), "it is connected")

    def test_nobody_whom_the_rules_do_not_admit(self) -> None:
        one, other = (self.finder(place, default_access="deny") for place in PLACES[:2])
        self.done(one.access.allow(other.uuid))
        self.teach(one, (other, PLACES[1]))
        self.done(one.access.remove(other.uuid))
        self.pass_time(700)
        self.assertEqual((self.seen(one), self.out(one).standing), (set(), []))

    def test_strangers_where_the_default_is_to_allow(self) -> None:
        one, other = (self.finder(place, default_access="allow", discovery={"public": True}) for place in PLACES[:2])
        self.teach(one, (other, PLACES[1]))
        self.pass_time(10)
        self.assertEqual(self.seen(one), {other.uuid})

    def test_who_does_not_admit_us_is_there_and_asked_again_after_an_hour(self) -> None:
        one, other = (self.finder(place) for place in PLACES[:2])
        self.done(one.access.allow(other.uuid))
        self.teach(one, (other, PLACES[1]))
        self.pass_time(10)
        entry = self.book(one).entry(other.uuid)
        self.assertEqual((entry.tried, entry.failures, self.seen(one)), (True, 0, set()))
        self.assertEqual(self.out(one).against(other.uuid), "it does not admit this node")
        self.done(other.access.allow(one.uuid))
        self.pass_time(REFUSED_SECONDS - 60)
        self.assertEqual(self.seen(one), set())
        self.pass_time(180)
        self.assertEqual(self.seen(one), {other.uuid})

    def test_who_does_not_admit_us_beside_a_place_that_is_made_up_stands_in_tried_for_neither(self) -> None:
        one = self.finder(PLACES[0], default_access="allow")
        other = self.finder(PLACES[1], discovery={"public": True})
        record = other._parts.author.write(  # type: ignore[union-attr]
            [f"tcp:9999:interface={place}" for place in ("99.9.9.9", PLACES[1])])
        known = judge(record.encode(), network=network_of(b"QuantumGate"), now_ms=int(one.wall_seconds() * 1000))
        self.book(one).add(known, "ourselves", one.wall_seconds() - 9999)
        self.pass_time(60)
        self.assertEqual(self.out(one).against(other.uuid), "it does not admit this node")
        entry = self.book(one).entry(other.uuid)
        self.assertEqual((entry.groups, entry.tried, entry.failures), (("4:6309", "4:c01"), False, 0))
        self.assertGreater(entry.succeeded_at, 0)

    def test_who_does_not_answer_is_called_seldom(self) -> None:
        one = self.finder(PLACES[0], default_access="allow")
        self.teach_made(one)
        self.pass_time(3600)
        (entry,) = self.book(one)
        self.assertEqual(entry.failures, 1, "nobody answers: it may be our own network")
        calls = [line for line in self.lines() if "is called to stay connected" in line]
        self.assertTrue(5 < len(calls) < 60, len(calls))

    def teach_made(self, one: Node) -> None:
        record = made_record("nobody there", one.wall_seconds())
        known = judge(record, network=network_of(b"QuantumGate"), now_ms=int(one.wall_seconds() * 1000))
        self.book(one).add(known, "ourselves", one.wall_seconds() - 9999)

    def test_a_record_makes_nobody_call_a_name_or_an_address_of_our_own_network(self) -> None:
        """Beside a public address; nor after that has failed."""
        one = self.finder(PLACES[0], default_access="allow")
        asked: list[str] = []
        dial = self.network.client_endpoint
        self.patch(self.network, "client_endpoint", lambda *way: asked.append(way[1]) or dial(*way))
        hosts = ("99.9.9.9", "192.168.1.1", "10.0.0.1", "127.0.0.1", "inside.example")
        record = made_record("nobody there", one.wall_seconds(), *hosts)
        known = judge(record, network=network_of(b"QuantumGate"), now_ms=int(one.wall_seconds() * 1000))
        self.book(one).add(known, "ourselves", one.wall_seconds() - 9999)
        self.pass_time(600)
        self.assertEqual(set(asked), {"99.9.9.9"})
        del asked[:]
        self.failed(one.connect(str(known.identity.uuid)), ConnectFailed, 15)
        self.assertEqual(set(asked), {"99.9.9.9"}, "nor because somebody asks for that peer")

    def test_a_book_of_made_up_places_is_not_called_through_as_fast_as_they_refuse(self) -> None:
        """Nor is it by a node that has no room for one more session, where every call is over at once."""
        for full in (False, True):
            one = self.finder(PLACES[full], default_access="allow")
            if full:
                table = one._parts.desk.table  # type: ignore[union-attr]
                self.patch(type(table), "sessions", property(lambda table: 1 << 20))
            calls: list[Any] = []
            dial = self.out(one)._dial
            self.patch(self.out(one), "_dial", lambda *a, dial=dial, calls=calls, **b: calls.append(a) or dial(*a, **b))
            for n in range(400):
                record = made_record(f"nobody {n}", one.wall_seconds(), f"{30 + n // 200}.{n % 200}.0.1")
                known = judge(record, network=network_of(b"QuantumGate"), now_ms=int(one.wall_seconds() * 1000))
                self.book(one).add(known, f"4:{n:x}", one.wall_seconds() - 9999)
            self.pass_time(60)
            self.assertTrue(16 < len(calls) < 90, (full, len(calls)))
            if full:
                self.assertEqual([entry.failures for entry in self.book(one)], [0] * 400, "nobody's fault but ours")

    def test_a_feeler_leaves_at_once(self) -> None:
        one = self.finder(PLACES[0], default_access="allow", discovery={"connections": 1, "public": True})
        quiet = {"public": True, "connections": 0}
        others = [self.finder(place, default_access="allow", discovery=quiet) for place in PLACES[1:4]]
        self.teach(one, *zip(others, PLACES[1:4], strict=True))
        for _ in range(150):
            self.pass_time(10)
            self.assertLess(len(self.seen(one)), 2)
        self.assertEqual(len(self.out(one).standing), 1)
        self.assertEqual(self.book(one).tried_count, 3)
        self.assertEqual(len(self.seen(one)), 1)

    def test_through_relays_nobody_is_called(self) -> None:
        settings = exchanging(node_settings(default_access="allow"))
        one = self.node(PLACES[0], settings=replace_table(settings, privacy=PrivacyTable(hops=2)))
        self.assertIsNone(self.out(one))
        self.assertIn("privacy.hops", self.why_not(one))

    def why_not(self, one: Node) -> str:
        self.teach_made(one)
        (entry,) = self.book(one)
        return one.book_snapshot(entry.uuid).why_not_called


class RestartTests(OutboundCase):
    def test_who_stood_longest_is_called_first_after_a_restart(self) -> None:
        nodes = [self.finder(place) for place in PLACES[:4]]
        self.mutual(*nodes)
        one, *others = nodes
        for other, place in zip(others, PLACES[1:4], strict=True):
            self.teach(one, (other, place))
            self.pass_time(30)
        firsts = [each.uuid for each in self.out(one).anchors]
        self.assertEqual(firsts, [other.uuid for other in others[:2]])
        data = one.data_directory
        stopping = one.stopService()
        self.pass_time(30)
        self.successResultOf(stopping)
        self.nodes.remove(one)
        for other in others:
            other._parts.discovery.outbound.strategy._most = 0  # type: ignore[union-attr]
        logs.configure("debug", redact=False)
        self.events.clear()
        again = self.finder(PLACES[0], data=data)
        self.pass_time(5)
        called = [line for line in self.lines() if "is called to stay connected" in line]
        self.assertEqual(len(called), 3)
        self.assertEqual([str(one) for one in firsts], [line.split()[0] for line in called[:2]])
        self.assertEqual(self.seen(again), {other.uuid for other in others})
