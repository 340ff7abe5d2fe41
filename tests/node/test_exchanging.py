"""Records that nodes tell one another: who gets whose, when, and how much is looked at. Lies: tests/attacks, row 24."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from quantumgate.core.peer_records import judge, network_of, sign
from quantumgate.crypto.identity import Identity
from quantumgate.node.exchanging import FRIENDS_WAITING, RELAYED
from quantumgate.node.node import Node
from quantumgate.testing.nodes import seeded_identity
from quantumgate.wire import exchange_frames as frames
from quantumgate.wire.features import EXCHANGE
from quantumgate.wire.limits import PEER_RECORD_DELEGATED_BYTES, PEX_CHECKS_WAITING, PEX_RECORDS
from quantumgate.wire.link_frames import LinkEndpoint
from quantumgate.wire.peer_records import PUBLIC, PeerRecord
from quantumgate.wire.record_text import as_text, from_text
from tests.node.delegated import online_record
from tests.node.test_discovery import DiscoveryCase

HERE, THERE, ELSEWHERE = "11.1.0.1", "12.2.0.1", "13.3.0.1"


def made_record(name: str, at_s: float, *hosts: str, public: bool = True, life_s: int = 3600,
                network: bytes = b"QuantumGate") -> bytes:
    """The record of somebody who is no node here."""
    identity = seeded_identity(name)
    endpoints = tuple(LinkEndpoint(host, 9999) for host in hosts or ("99.9.9.9",))
    wish = PeerRecord(network_of(network), identity.public.bundle, int(at_s * 1000), int(at_s) + life_s,
                      capabilities=PUBLIC * public, endpoints=endpoints)
    return sign(identity, wish).encode()


class ExchangeCase(DiscoveryCase):
    """Two that exchange, one connected to the other; ``left`` can be made to say anything."""

    def pair(self, *, named: bool = True, public: bool = False, keep: bool = False, **node: Any) -> tuple[Node, Node]:
        discovery = {"public": public, "connections": 0}
        left = self.finder(HERE, discovery=discovery, default_access="allow", **node)
        right = self.finder(THERE, discovery=discovery, default_access="allow", **node)
        if named:
            self.done(left.access.allow(right.uuid))
            self.done(right.access.allow(left.uuid))
        self.done(left.connect(self.address(right, THERE), keep=keep), 1)
        return left, right

    def contact(self, node: Node) -> Any:
        (contact,) = node._parts.desk.table  # type: ignore[union-attr]
        return contact

    def tell(self, node: Node, *records: bytes, own: bool = False) -> None:
        """``node`` says PEX, whatever its own rules are."""
        self.contact(node).say(frames.PEX, frames.Told(records, own).encode(), long=True)
        self.pass_time(1)

    def answering(self, node: Node, *records: bytes) -> None:
        """Whatever it is asked, these are its answer."""
        def question(contact: Any, count: int) -> None:
            contact.say(frames.PEX, frames.Told(records).encode(), long=True)

        node._parts.desk.ears[frames.PEX_GET] = question  # type: ignore[union-attr]

    def ask(self, node: Node) -> None:
        """``node`` asks now, whatever the time is."""
        exchanging = node._parts.discovery.exchanging  # type: ignore[union-attr]
        exchanging._with[self.contact(node)]._asked_at = None
        exchanging._with[self.contact(node)]._since = float("-inf")
        exchanging.turn()
        self.pass_time(1)

    def learn(self, node: Node, record: bytes, source: str = "ourselves") -> None:
        """It has this record."""
        known = judge(record, network=network_of(b"QuantumGate"), now_ms=int(self.wall(node) * 1000))
        self.book(node).add(known, source, self.wall(node))

    def wall(self, node: Node) -> float:
        return node.wall_seconds()

    def outcomes(self, node: Node) -> Any:
        return node._parts.discovery.exchanging.outcomes  # type: ignore[union-attr]

    def scores(self, node: Node) -> dict[str, float]:
        return {row.of: row.score for row in node.reputation.list()}


class OwnTests(ExchangeCase):
    def test_a_named_peer_has_our_record_at_once(self) -> None:
        left, right = self.pair()
        for one, other, host in ((left, right, THERE), (right, left, HERE)):
            record = self.book(one).record(other.uuid).record
            self.assertEqual([each.host for each in record.endpoints], [host])
            self.assertFalse(record.public)

    def test_a_stranger_gets_it_after_ten_minutes_and_only_if_it_is_public(self) -> None:
        left, right = self.pair(named=False, public=True)
        self.pass_time(590)
        self.assertIsNone(self.book(left).record(right.uuid))
        self.pass_time(20)
        self.assertTrue(self.book(left).record(right.uuid).record.public)

    def test_a_stranger_never_gets_one_that_is_not(self) -> None:
        left, right = self.pair(named=False)
        self.pass_time(3600)
        self.assertEqual((len(self.book(left)), len(self.book(right))), (0, 0))
        self.assertEqual([sum(self.outcomes(node).values()) for node in (left, right)], [0, 0], "none was even sent")

    def test_a_new_one_goes_out_when_something_changes_and_at_half_its_life(self) -> None:
        left, right = self.pair(keep=True, relay=True)
        first = self.book(left).record(right.uuid).record
        self.pass_time(3 * 3600 - 60)
        self.assertEqual(self.book(left).record(right.uuid).record, first)
        self.pass_time(120)
        second = self.book(left).record(right.uuid).record
        self.assertGreater(second.seq_ms, first.seq_ms)
        right._parts.author._capabilities |= PUBLIC  # type: ignore[union-attr]
        self.pass_time(10)
        self.assertTrue(self.book(left).record(right.uuid).record.public)

    def test_one_that_leads_nowhere_any_more_is_not_told(self) -> None:
        """The last anchor is gone, or the last place: that is no record of no bytes, which would be a violation."""
        left, right = self.pair(keep=True)
        first = self.book(left).record(right.uuid).record
        right._parts.author._endpoints = lambda listening, more: ()  # type: ignore[union-attr]
        self.pass_time(60)
        self.assertEqual(self.seen(left), {right.uuid})
        self.assertEqual(self.book(left).record(right.uuid).record, first)
        self.assertEqual(self.scores(left), {})

    def test_who_has_not_heard_of_a_newer_key_pays_nothing(self) -> None:
        left, right = self.pair()
        root = seeded_identity("somebody")
        (old, _), (new, _) = (online_record(root, self.wall(left), ("99.9.9.9", 9999), public=True, later_serial=more)
                              for more in (0, 1))
        self.learn(right, new)
        before = self.scores(right)
        self.answering(left, old)
        self.ask(right)
        self.assertEqual((self.outcomes(right)["bad"], self.scores(right)), (1, before))
        self.assertEqual(self.book(right).record(root.public.uuid).signed.encode(), new)

    def test_the_longest_record_there_is_comes_stays_and_is_there_after_a_restart(self) -> None:
        left, right = self.pair()
        root = Identity.generate(4)
        longest, _ = online_record(root, self.wall(left), ("99.9.9.9", 9999), public=True,
                                   fill=PEER_RECORD_DELEGATED_BYTES)
        self.assertEqual(len(longest), PEER_RECORD_DELEGATED_BYTES)
        self.answering(left, longest)
        self.ask(right)
        self.assertEqual(self.book(right).record(root.public.uuid).signed.encode(), longest)
        self.nodes.remove(right)
        self.done(right.stopService(), 30)
        again = self.finder(THERE, data=right.data_directory, discovery={"connections": 0})
        self.pass_time(1)
        self.assertEqual(self.book(again).record(root.public.uuid).signed.encode(), longest)
        (text,) = from_text(as_text(longest))
        self.assertEqual(text, longest)

    def test_somebody_elses_as_its_own(self) -> None:
        left, right = self.pair()
        self.tell(left, made_record("nobody", self.wall(left)), own=True)
        self.assertEqual(self.outcomes(right)["bad"], 1)
        self.assertLess(self.scores(right)[str(left.uuid)], 0)
        self.assertEqual(len(self.book(right)), 1)


    def test_over_circuits_one_that_hides_gives_it_to_nobody(self) -> None:
        left, right = self.pair()
        exchanging, contact = left._parts.discovery.exchanging, self.contact(left)  # type: ignore[union-attr]
        given = []
        for exchanging._hidden in (False, True):
            for contact.path in (None, (right.uuid,)):
                given.append(exchanging._may_have_ours(contact, True))
        contact.path = None
        self.assertEqual(given, [True, True, True, False])

    def test_all_that_comes_through_relays_is_one_group(self) -> None:
        left, _ = self.pair()
        exchanging, contact = left._parts.discovery.exchanging, self.contact(left)  # type: ignore[union-attr]
        self.assertEqual(exchanging._group(contact), "4:c02")
        contact.address = None
        self.assertEqual(exchanging._group(contact), RELAYED)


class PassingOnTests(ExchangeCase):
    def test_what_is_public_reaches_strangers_what_is_not_does_not(self) -> None:
        left, right = self.pair(named=False)
        for name, public in (("open", True), ("closed", False)):
            uuid = seeded_identity(name).public.uuid
            self.done(right.access.allow(uuid))
            self.learn(right, made_record(name, self.wall(right), public=public, life_s=86_400))
        self.pass_time(620)
        self.assertEqual([entry.uuid for entry in self.book(left)], [seeded_identity("open").public.uuid])

    def test_a_named_peer_hears_of_other_named_peers_if_it_names_them_too(self) -> None:
        left, right = self.pair()
        for name in ("friend of both", "friend of one"):
            self.done(right.access.allow(seeded_identity(name).public.uuid))
            self.learn(right, made_record(name, self.wall(right), public=False))
        self.done(left.access.allow(seeded_identity("friend of both").public.uuid))
        self.pass_time(40)
        heard = {entry.uuid for entry in self.book(left)} - {right.uuid}
        self.assertEqual(heard, {seeded_identity("friend of both").public.uuid})
        self.assertEqual(self.outcomes(left)["private"], 1)


class BoundsTests(ExchangeCase):
    def test_so_many_records_of_one_peer(self) -> None:
        _, right = self.pair()
        exchanging = right._parts.discovery.exchanging  # type: ignore[union-attr]
        told = frames.Told((b"x",) * PEX_RECORDS)
        looked_at: list[int] = []
        exchanging._check_next = lambda: looked_at.append(len(exchanging._waiting.pop()[1]))
        for _ in range(20):
            exchanging._with[self.contact(right)].asked(0)
            exchanging.told(self.contact(right), told)
        self.assertEqual(sum(looked_at), 999, "one of the burst of 1000 was its own record")
        self.pass_time(100)
        exchanging._with[self.contact(right)].asked(0)
        exchanging.told(self.contact(right), told)
        self.assertLessEqual(sum(looked_at), 999 + 11)

    def test_so_many_messages_wait(self) -> None:
        _, right = self.pair()
        exchanging = right._parts.discovery.exchanging  # type: ignore[union-attr]
        never: Deferred[Any] = Deferred()
        object.__setattr__(exchanging._world, "elsewhere", lambda *_: never)
        exchanging._named = lambda uuid: False
        for _ in range(PEX_CHECKS_WAITING + 5):
            exchanging._with[self.contact(right)].asked(0)
            exchanging.told(self.contact(right), frames.Told((b"x",)))
        self.assertEqual(len(exchanging._waiting), PEX_CHECKS_WAITING)
        exchanging._waiting.clear()
        never.callback([])

    def test_what_friends_say_goes_before_what_strangers_say(self) -> None:
        """Strangers in any number can keep the queue full: else no friend's record would come through."""
        _, right = self.pair()
        exchanging, contact = right._parts.discovery.exchanging, self.contact(right)  # type: ignore[union-attr]
        never: Deferred[Any] = Deferred()
        object.__setattr__(exchanging._world, "elsewhere", lambda *_: never)
        exchanging._named = lambda uuid: False
        for _ in range(PEX_CHECKS_WAITING + 5):
            exchanging.told(contact, frames.Told((b"stranger",), own=True))
        exchanging._named = lambda uuid: True
        for _ in range(5 * PEX_CHECKS_WAITING):
            exchanging.told(contact, frames.Told((b"friend",), own=True))
        waiting = [records[0] for _, records, _ in exchanging._waiting]
        self.assertEqual(waiting, [b"friend"] * (FRIENDS_WAITING - PEX_CHECKS_WAITING)
                         + [b"stranger"] * PEX_CHECKS_WAITING)
        exchanging._waiting.clear()
        never.callback([])

    def test_a_peer_that_does_not_exchange_hears_nothing_of_it(self) -> None:
        left = self.finder(HERE, default_access="allow")
        plain = self.node(ELSEWHERE, default_access="allow")
        self.done(left.access.allow(plain.uuid))
        self.done(left.connect(self.address(plain, ELSEWHERE)), 1)
        self.pass_time(700)
        self.assertEqual(len(left._parts.discovery.exchanging), 0)  # type: ignore[union-attr]
        self.assertNotIn(EXCHANGE, self.contact(plain).session.agreed)
        self.assertEqual([peer.uuid for peer in plain.peers], [left.uuid])
