"""A keeper, and somebody at its door who says anything: what is kept, what is refused, and what ends the session."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred

from quantumgate.crypto.identity import Identity
from quantumgate.node.node import Node
from quantumgate.testing.nodes import seeded_identity
from quantumgate.wire import directory_frames as frames
from quantumgate.wire.limits import (
    DEFAULT_LIMITS,
    DIRECTORY_CHECKS_WAITING,
    DIRECTORY_TO_MEET,
    PEER_RECORD_DELEGATED_BYTES,
)
from quantumgate.wire.peer_records import SignedPeerRecord
from tests.node.delegated import online_record
from tests.node.test_lookups import OTHER, RELAYS, LookUpCase
from tests.simulation.people import record_of


class KeeperCase(LookUpCase):
    def scene(self) -> tuple[Node, Node, Any]:
        """(a relay, somebody who asks, the session between them)."""
        relay = self.relays(1)[0]
        asker = self.leaf(OTHER, [relay])
        return relay, asker, self.client(relay, asker)

    def hear(self, node: Node, kind: int) -> list[Any]:
        """What comes of this type."""
        heard: list[Any] = []
        node._parts.desk.ears[kind] = lambda contact, answer: heard.append(answer)  # type: ignore[union-attr]
        return heard

    def own_record(self, node: Node) -> bytes:
        encoded: bytes = node._parts.author.current(node.listening).encode()  # type: ignore[union-attr]
        return encoded

    def own_key(self, node: Node) -> bytes:
        key: bytes = self.finding(node).lookups.charts.chart(self.day(node)).peer(node.uuid)
        return key


class KeepingTests(KeeperCase):
    def test_what_is_left_is_told_to_who_asks(self) -> None:
        _, asker, contact = self.scene()
        left, found = self.hear(asker, frames.LEFT), self.hear(asker, frames.FOUND)
        key, record = self.own_key(asker), self.own_record(asker)
        contact.say(frames.LEAVE, frames.Leave(1, self.day(asker), frames.Kind.PEER, key, record).encode(), long=True)
        self.pass_time(1)
        contact.say(frames.FIND, frames.Find(2, self.day(asker), key).encode())
        self.pass_time(1)
        self.assertEqual(left, [frames.LeftAnswer(1, frames.Left.KEPT)])
        self.assertEqual(found, [frames.Found(2, (record,))])

    def test_a_forged_record_is_refused(self) -> None:
        relay, asker, contact = self.scene()
        record = bytearray(self.own_record(asker))
        record[-1] ^= 1
        heard, key = self.hear(asker, frames.LEFT), self.own_key(asker)
        leave = frames.Leave(1, self.day(asker), frames.Kind.PEER, key, bytes(record))
        contact.say(frames.LEAVE, leave.encode(), long=True)
        self.pass_time(1)
        self.assertEqual(heard, [frames.LeftAnswer(1, frames.Left.REFUSED)])
        self.assertEqual(self.kept([relay]), 0)

    def test_a_record_by_a_key_that_was_replaced_is_refused(self) -> None:
        """The newer delegation is remembered with the owner's pin, or stands in the keeper's own book."""
        relay, asker, contact = self.scene()
        heard, parts = self.hear(asker, frames.LEFT), relay._parts
        assert parts is not None and parts.discovery is not None
        for number, known_by in enumerate(("pin", "book")):
            root = seeded_identity(known_by)
            key = self.finding(asker).lookups.charts.chart(self.day(asker)).peer(root.public.uuid)
            old, _ = online_record(root, relay.wall_seconds(), ("99.9.9.9", 9999), public=True)
            new, serial = online_record(root, relay.wall_seconds(), ("99.9.9.9", 9999), public=True, later_serial=1)
            ask = frames.Leave(2 * number, self.day(asker), frames.Kind.PEER, key, old)
            contact.say(frames.LEAVE, ask.encode(), long=True)
            self.pass_time(1)
            if known_by == "pin":
                parts.state.pins[root.public.uuid] = root.public.fingerprint_text
                parts.state.serials[root.public.uuid] = serial
            else:
                parts.discovery.book.add(self.known_of(SignedPeerRecord.decode(new)), "4:1", relay.wall_seconds())
            contact.say(frames.LEAVE, replace(ask, number=2 * number + 1).encode(), long=True)
            self.pass_time(1)
        self.assertEqual([one.code for one in heard], [frames.Left.KEPT, frames.Left.REFUSED] * 2)

    def test_the_longest_record_there_is(self) -> None:
        relay, asker, contact = self.scene()
        left, found = self.hear(asker, frames.LEFT), self.hear(asker, frames.FOUND)
        root = Identity.generate(4)
        key = self.finding(asker).lookups.charts.chart(self.day(asker)).peer(root.public.uuid)
        record, _ = online_record(root, relay.wall_seconds(), ("99.9.9.9", 9999), fill=PEER_RECORD_DELEGATED_BYTES)
        contact.say(frames.LEAVE, frames.Leave(1, self.day(asker), frames.Kind.PEER, key, record).encode(), long=True)
        self.pass_time(1)
        contact.say(frames.FIND, frames.Find(2, self.day(asker), key).encode())
        self.pass_time(1)
        self.assertEqual(([one.code for one in left], found), ([frames.Left.KEPT], [frames.Found(2, (record,))]))

    def test_what_is_over_is_dropped_now_and_then(self) -> None:
        relay, asker, contact = self.scene()
        leave = frames.Leave(1, self.day(asker), frames.Kind.PEER, self.own_key(asker), self.own_record(asker))
        contact.say(frames.LEAVE, leave.encode(), long=True)
        self.pass_time(1)
        self.assertEqual(self.kept([relay]), 1)
        self.nodes.remove(asker)
        stopping = asker.stopService()
        self.pass_time(26 * 3600)
        self.successResultOf(stopping)
        self.assertEqual(self.kept([relay]), 0)

    def test_ordinary_peers_do_not_speak_of_it(self) -> None:
        relay = self.relays(1)[0]
        asker = self.leaf(OTHER, [relay])
        self.done(asker.connect(self.address(relay, RELAYS[0]), keep=False), 5)
        (contact,) = asker._parts.desk.table  # type: ignore[union-attr]
        contact.say(frames.FIND, frames.Find(1, self.day(asker), bytes(32)).encode())
        self.pass_time(70)
        self.assertTrue(contact.over)


class BoundsTests(KeeperCase):
    def test_too_many_questions_are_a_flood(self) -> None:
        relay, asker, contact = self.scene()
        rate, burst = DEFAULT_LIMITS.directory_rate
        heard = self.hear(asker, frames.FOUND)
        for number in range(int(2 * burst + rate) + 1):
            contact.say(frames.FIND, frames.Find(number, self.day(asker), bytes(32)).encode())
        self.pass_time(2)
        self.assertTrue(contact.over)
        self.assertEqual(contact.ending, "too many questions")
        self.assertLess(len(heard), 2 * burst + rate)
        self.assertEqual(self.finding(relay).keeping._gauges, {})

    def test_so_many_records_are_looked_at(self) -> None:
        relay, asker, contact = self.scene()
        keeping, heard = self.finding(relay).keeping, self.hear(asker, frames.LEFT)
        never: Deferred[Any] = Deferred()
        keeping._under_way = DIRECTORY_CHECKS_WAITING - 1
        object.__setattr__(keeping._world, "elsewhere", lambda *_: never)
        for number in (1, 2):
            leave = frames.Leave(number, self.day(asker), frames.Kind.PEER, bytes(32), b"record")
            contact.say(frames.LEAVE, leave.encode(), long=True)
        self.pass_time(1)
        self.assertEqual(heard, [frames.LeftAnswer(2, frames.Left.FULL)])
        never.callback(None)
        self.pass_time(1)
        self.assertEqual(heard[1:], [frames.LeftAnswer(1, frames.Left.REFUSED)])

    def test_so_many_nodes_are_to_be_met(self) -> None:
        relay = self.relays(1)[0]
        lookups = self.finding(relay).lookups
        for number in range(DIRECTORY_TO_MEET + 9):
            lookups.meet(record_of(number, f"60.{number}.0.1", relay.wall_seconds(), keeper=True))
        self.assertEqual(len(lookups._to_meet), DIRECTORY_TO_MEET)
        self.pass_time(30)
        self.assertEqual((len(lookups._to_meet), len(lookups.acquaintances)), (0, 0))
