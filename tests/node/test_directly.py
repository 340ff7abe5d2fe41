"""From a relayed session to a direct one: who dials whom, what becomes of both, and who is left alone."""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Protocol

from quantumgate.extender.api import Extender, maker
from quantumgate.node.node import Node
from quantumgate.wire.link_frames import LinkEndpoint
from quantumgate.wire.reach_frames import PLACES, encode_places
from tests.node.lines import INSIDE, OUTSIDE, LinesCase

EXTENDER = "5f0c3e52-7a83-4a5f-9d6b-0c1f6f2f9e12"
PUBLIC, ELSEWHERE = "91.37.113.29", "85.9.9.9"


class DirectTests(LinesCase):
    def setUp(self) -> None:
        super().setUp()
        self.gates = self.relays()
        self.near = Shouting()
        self.hidden_one = self.line(INSIDE, maker(Shouting, name="shout", uuid=EXTENDER), outside=OUTSIDE)
        self.meet(self.hidden_one, *self.gates)

    def sessions(self, node: Node, peer: Node) -> list[tuple[bool, str]]:
        return [(one.relayed, one.why) for one in node.peers_snapshot() if one.uuid == str(peer.uuid)]

    def public(self, **more: Any) -> Node:
        node = self.line(PUBLIC, maker(lambda: self.near, name="shout", uuid=EXTENDER), **more)
        self.meet(node, *self.gates)
        self.pass_time(20)
        return node

    def test_who_cannot_be_dialled_dials_back(self) -> None:
        node = self.public()
        peer = self.done(node.connect(self.hidden_one.own_record().record), 0.2)
        self.assertTrue(peer.relayed)
        self.pass_time(5)
        self.assertEqual(self.sessions(node, self.hidden_one),
                         [(False, "it dialled us; after it was reached through a relay")])
        ((relayed, why),) = self.sessions(self.hidden_one, node)
        self.assertFalse(relayed)
        self.assertIn("a direct way, after one through a relay", why)
        self.assertEqual(self.errors(), [])

    def test_where_neither_can_be_dialled_it_stays_and_says_why(self) -> None:
        other = self.hidden(outside=ELSEWHERE, place="10.0.0.9")
        self.meet(other, *self.gates)
        self.pass_time(20)
        self.done(other.connect(self.hidden_one.own_record().record), 1)
        self.pass_time(600)
        self.assertEqual(self.sessions(other, self.hidden_one),
                         [(True, "through its anchor; nobody can dial it, nor this node")])
        self.assertEqual(self.sessions(self.hidden_one, other)[0][0], True)

    def test_a_circuit_that_was_asked_for_is_left_alone(self) -> None:
        node = self.public()
        record = self.hidden_one.own_record().record
        gate = self.gates[0].uuid
        asked = self.asked()
        self.done(node.connect(record, via=[gate]), 2)
        (theirs,) = self.hidden_one._parts.desk.table.all_of(node.uuid)  # type: ignore[union-attr]
        theirs.say(PLACES, encode_places((LinkEndpoint("93.1.0.1", 9999),)))  # who is there asks to be dialled
        self.pass_time(120)
        self.assertEqual([relayed for relayed, _ in self.sessions(node, self.hidden_one)], [True])
        self.assertNotIn("93.1.0.1", asked)

    def asked(self) -> list[str]:
        """Who is dialled by anybody from now on."""
        asked: list[str] = []
        dial = self.network.client_endpoint
        self.patch(self.network, "client_endpoint", lambda *way: asked.append(way[1]) or dial(*way))
        return asked

    def relayed_to_the_hidden_one(self) -> tuple[list[str], Any]:
        """Who is dialled from now on, and the session through relays of a node that the hidden one cannot reach."""
        node = self.public()
        self.network.part({OUTSIDE}, {PUBLIC})
        asked = self.asked()
        self.done(node.connect(self.hidden_one.own_record().record), 1)
        (relayed,) = node._parts.desk.reaching._directly._relayed  # type: ignore[union-attr]
        self.pass_time(15)
        return asked, relayed

    def test_nobody_makes_us_dial_inside_our_own_network_or_another_service(self) -> None:
        asked, relayed = self.relayed_to_the_hidden_one()
        places = (("10.0.0.7", 9999), ("192.168.1.1", 9999), ("127.0.0.1", 9999), ("93.1.0.1", 22), ("93.1.0.2", 9999))
        relayed.say(PLACES, encode_places(tuple(LinkEndpoint(*place) for place in places)))
        self.pass_time(60)
        self.assertEqual(set(asked) & {host for host, _ in places}, {"93.1.0.2"})

    def test_one_that_hides_is_told_nothing_and_dialled_by_nobody(self) -> None:
        hiding = self.line(ELSEWHERE, hops=1)
        self.assertIsNone(hiding._parts.desk.reaching._directly)  # type: ignore[union-attr]

    def test_a_peer_that_names_place_after_place_makes_us_dial_few_of_them(self) -> None:
        """Each frame names eight addresses of anybody, where nobody listens: no way to call them all."""
        asked, relayed = self.relayed_to_the_hidden_one()
        for number in range(200):
            told = tuple(LinkEndpoint(f"93.{number}.0.{one}", 5000 + one) for one in range(1, 9))
            relayed.say(PLACES, encode_places(told))
            self.pass_time(0.3)
        dialled = [place for place in asked if place.startswith("93.")]
        self.assertTrue(4 * 8 <= len(dialled) <= 10 * 8, len(dialled))
        self.pass_time(120)
        self.assertIn("93.199.0.1", asked, "what came last is tried when it is time")

    def test_the_direct_one_is_lost_and_the_relay_serves_again(self) -> None:
        node = self.public()
        self.done(node.connect(self.hidden_one.own_record().record, keep=True), 1)
        self.pass_time(5)
        ((relayed, _),) = self.sessions(node, self.hidden_one)
        self.assertFalse(relayed)
        contact = node._parts.desk.table.current(self.hidden_one.uuid)  # type: ignore[union-attr]
        contact.drop()
        self.pass_time(30)
        self.assertEqual(len(self.sessions(node, self.hidden_one)), 1)
        self.assertEqual(self.errors(), [])

    def test_what_began_on_the_relayed_one_ends_there(self) -> None:
        """A stream runs on over it while new ones go over the direct session, and it ends with the stream."""
        node = self.public()
        self.network.part({OUTSIDE}, {PUBLIC})
        peer = self.done(node.connect(self.hidden_one.own_record().record), 2)
        line = Line()
        self.done(self.near.host.open_stream(peer, line), 1)
        self.pass_time(30)
        ((_, why),) = self.sessions(self.hidden_one, node)
        self.assertIn("direct failed: no answer from", why)
        self.network.heal()
        self.pass_time(120)
        self.assertEqual(sorted(one for one, _ in self.sessions(node, self.hidden_one)), [False, True])
        line.transport.write(b"still here")
        self.pass_time(1)
        self.assertEqual(bytes(line.data), b"STILL HERE")
        line.transport.loseConnection()
        self.pass_time(10)
        self.assertEqual([one for one, _ in self.sessions(node, self.hidden_one)], [False])
        self.assertEqual(self.errors(), [])


class Line(Protocol):
    """What comes."""

    transport: Any

    def __init__(self) -> None:
        self.data = bytearray()

    def dataReceived(self, data: bytes) -> None:
        self.data += data


class Shout(Protocol):
    """Says louder what it hears."""

    transport: Any

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data.upper())


class Shouting(Extender):
    def stream_opened(self, peer: Any, label: bytes) -> Shout:
        return Shout()
