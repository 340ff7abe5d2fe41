"""Where a node can be dialled: asked of peers, dialled back, confirmed, lost; and what a liar can make of it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from twisted.internet.defer import Deferred

from quantumgate.errors import ConnectFailed
from quantumgate.node.dialling import parse_target
from quantumgate.node.node import Node
from quantumgate.wire.features import REACH
from quantumgate.wire.limits import DEFAULT_LIMITS, REACH_DIALS_MAX
from quantumgate.wire.link_frames import LinkEndpoint
from quantumgate.wire.reach_frames import (
    NOT_REACHED,
    REACH_ANSWER,
    REACH_ASK,
    REACHED,
    REFUSED,
    SEEN,
    ReachAnswer,
    encode_ask,
)
from tests.node.lines import INSIDE, OUTSIDE, RELAYS, LinesCase

PUBLIC = "91.37.113.29"


class FindingOutTests(LinesCase):
    def test_a_node_that_can_be_dialled_learns_where(self) -> None:
        relays = self.relays()
        node = self.line(PUBLIC)
        self.meet(node, *relays)
        self.pass_time(8)
        self.assertEqual(self.endpoints(node), [f"{PUBLIC}:9999"])
        self.assertEqual(list(node.own_record().endpoints), [f"{PUBLIC}:9999"])
        self.assertEqual(node.status().reachability, "")
        self.assertEqual([len(one.peers) for one in relays], [1, 1, 1], "a dial back is no peer")
        self.assertEqual(self.errors(), [])

    def test_one_that_hides_does_not_say_so_in_its_record(self) -> None:
        """Who dials it knows where it is; who is given its record need not."""
        for relay, at in ((False, "91.37.113.29"), (True, "92.37.113.29")):
            node = self.line(at, hops=1, relay=relay)
            for place in ("45.33.33.1", "66.6.1.1", "77.7.1.1") if relay else RELAYS:
                self.done(self.line(place, relay=True).connect(self.address(node, at)), 1)
            self.pass_time(60)
            self.assertEqual(self.endpoints(node), [f"{at}:9999"])
            author = node._parts.author  # type: ignore[union-attr]
            self.assertEqual(list(author.public_endpoints()), [f"{at}:9999"] * relay, "a relay is there to be found")

    def test_behind_a_nat_with_a_port_map(self) -> None:
        node = self.hidden(mapped=True)
        self.meet(node, *self.relays())
        self.pass_time(8)
        self.assertEqual(self.endpoints(node), [f"{OUTSIDE}:9999"])

    def test_behind_a_nat_without_one(self) -> None:
        node = self.hidden()
        self.meet(node, *self.relays())
        self.pass_time(60)
        self.assertEqual((self.endpoints(node), node.own_record().endpoints), ([], []))
        self.assertIn("nobody can dial this node", node.status().reachability)

    def test_two_groups_have_to_see_it(self) -> None:
        node = self.line(PUBLIC)
        self.meet(node, *self.relays(1))
        self.pass_time(60)
        self.assertEqual(self.endpoints(node), [])
        self.assertIn("not enough peers", node.status().reachability)

    def test_private_peers_say_nothing_that_counts(self) -> None:
        """Two neighbours see our private address, and would dial it, too."""
        node = self.line("192.168.1.1")
        for place in ("192.168.1.2", "10.9.0.1"):
            self.done(node.connect(self.address(self.line(place), place)), 1)
        self.pass_time(60)
        self.assertEqual((self.endpoints(node), node.own_record().endpoints), ([], []))

    def test_off_is_silence(self) -> None:
        relays = self.relays(2)
        node = self.line(PUBLIC, reach=False)
        self.meet(node, *relays)
        self.pass_time(60)
        self.assertEqual((self.endpoints(node), node.status().reachability), ([], ""))
        for contact in node._parts.desk.table:  # type: ignore[union-attr]
            self.assertNotIn(REACH, contact.session.block.features)
            self.assertNotIn(REACH, contact.session.agreed)

    def test_a_helper_that_answers_late_has_done_nothing_wrong(self) -> None:
        """Ten seconds to connect and thirty for a handshake, where our port leads to somebody else who is slow."""
        limits = DEFAULT_LIMITS
        relays = self.relays()
        for other in relays:
            reach = other._parts.desk.reaching.reach  # type: ignore[union-attr]
            self.patch(reach, "_dial", lambda *_, **__: self.clock_runs(limits.dial_seconds + limits.handshake_seconds))
        node = self.hidden()
        self.meet(node, *relays)
        contacts = list(node._parts.desk.table)  # type: ignore[union-attr]
        self.pass_time(200)
        self.assertEqual([one.ending for one in contacts if one.over], [])
        self.assertEqual((node.reputation.list(), self.endpoints(node)), ([], []))

    def clock_runs(self, seconds: float) -> Deferred[Any]:
        """A dial that comes to nothing after so long."""
        dialled: Deferred[Any] = Deferred()
        self.clock.callLater(seconds, lambda: dialled.called or dialled.errback(ConnectFailed("no-answer", "nobody")))
        return dialled

    def test_it_is_looked_at_again_and_lost(self) -> None:
        relays = self.relays()
        node = self.line(PUBLIC)
        self.meet(node, *relays)
        self.pass_time(8)
        for listener in node._parts.listeners:  # type: ignore[union-attr]
            listener.stop()  # as a port map that is gone: the sessions stand
        node._parts.desk.reaching.reach._listening = lambda: ("tcp:9999",)  # type: ignore[union-attr]
        self.pass_time(1_700)
        self.assertEqual(self.endpoints(node), [f"{PUBLIC}:9999"])
        self.pass_time(300)
        self.assertEqual(self.endpoints(node), [])
        self.assertTrue(any("can no longer be dialled" in line for line in self.lines("warn")))

    def test_it_holds_as_long_as_the_sessions_stand(self) -> None:
        node = self.line(PUBLIC)
        self.meet(node, *self.relays())
        self.pass_time(3 * 3600)
        self.assertEqual(self.endpoints(node), [f"{PUBLIC}:9999"])

    def test_a_nameless_client_of_a_relay_that_waits_for_a_dial_back_is_served(self) -> None:
        """Who comes in meanwhile and is nobody is no dial back, and no mistake of ours either."""
        relays = self.relays()
        for other in relays:
            def seen(contact: Any, port: int) -> None:
                if not port:
                    contact.say(REACH_ANSWER, ReachAnswer(SEEN, 0, LinkEndpoint(PUBLIC, 1)).encode())

            other._parts.desk.ears[REACH_ASK] = seen  # type: ignore[union-attr]
        node, client = self.line(PUBLIC, relay=True), self.line("55.5.5.5")
        self.meet(node, *relays)
        self.pass_time(5)
        reach = node._parts.desk.reaching.reach  # type: ignore[union-attr]
        self.assertTrue(any(ask.place for ask in reach._asks.values()), "somebody was asked, and dials for long")
        target = parse_target(self.address(node, PUBLIC), client._world)
        contact = self.done(client._parts.circuits.relay_to_ask(target), 2)  # type: ignore[union-attr]
        self.pass_time(1)
        self.assertTrue(contact.stands)
        self.assertEqual(self.errors(), [])


class LiarTests(LinesCase):
    """Peers that answer what they like: by the frames themselves."""

    def setUp(self) -> None:
        super().setUp()
        self.others = self.relays()
        self.node_here = self.hidden()
        self.meet(self.node_here, *self.others)

    def contact(self, node: Node, peer: Node) -> Any:
        return next(one for one in node._parts.desk.table if one.peer.uuid == peer.uuid)  # type: ignore[union-attr]

    def hear(self, node: Node, kind: int) -> list[Any]:
        """What it is told of this kind from now on, instead of acting on it."""
        heard: list[Any] = []
        node._parts.desk.ears[kind] = lambda contact, content: heard.append(content)  # type: ignore[union-attr]
        return heard

    def say(self, liar: Node, kind: int, data: bytes) -> None:
        self.contact(liar, self.node_here).say(kind, data)
        self.settle()

    def test_a_word_without_a_dial_is_nothing(self) -> None:
        """All three say REACHED and none of them dialled."""
        for liar in self.others:
            self._answers(liar, REACHED, OUTSIDE)
        self.pass_time(120)
        self.assertEqual(self.endpoints(self.node_here), [])

    def _answers(self, liar: Node, code: int, host: str) -> None:
        def answer(contact: Any, port: int) -> None:
            seen = LinkEndpoint(host, 1)
            contact.say(REACH_ANSWER, ReachAnswer(code if port else SEEN, port, seen).encode())

        liar._parts.desk.ears[REACH_ASK] = answer  # type: ignore[union-attr]

    def test_nobody_makes_us_believe_a_private_or_foreign_place(self) -> None:
        for at, liar in enumerate(self.others):
            self._answers(liar, REACHED, ("127.0.0.1", "10.0.0.9", PUBLIC)[at])
        self.pass_time(120)
        self.assertEqual((self.endpoints(self.node_here), self.node_here.own_record().endpoints), ([], []))

    def test_an_answer_that_nobody_asked_for_ends_the_session(self) -> None:
        self.pass_time(60)
        contact = self.contact(self.node_here, self.others[0])
        answer = ReachAnswer(SEEN, 0, LinkEndpoint(OUTSIDE, 1)).encode()
        self.say(self.others[0], REACH_ANSWER, answer)
        self.assertEqual((contact.over, contact.ending), (True, "REACH_ANSWER without REACH_ASK"))

    def test_a_dial_back_goes_to_the_session_s_own_address_and_nowhere_else(self) -> None:
        heard = self.hear(self.node_here, REACH_ANSWER)
        before = len(self.network.connections)
        self.contact(self.node_here, self.others[0]).say(REACH_ASK, encode_ask(9999))
        self.pass_time(15)
        self.assertEqual([(one.code, one.seen.host) for one in heard if one.port], [(NOT_REACHED, OUTSIDE)])
        made = self.network.connections[before:]
        self.assertEqual([one for one in made if INSIDE in str(one)], [])

    def test_low_ports_are_refused_and_dials_are_paced(self) -> None:
        heard = self.hear(self.node_here, REACH_ANSWER)
        asking = self.contact(self.node_here, self.others[0])
        for port in (22, 443, 1023):
            asking.say(REACH_ASK, encode_ask(port))
        self.settle()
        self.assertEqual([one.code for one in heard if one.port], [REFUSED] * 3)
        del heard[:]
        for _ in range(12):
            asking.say(REACH_ASK, encode_ask(9999))
            self.pass_time(1)
        codes = [one.code for one in heard if one.port]
        before = 1 + 3  # what the node asked by itself, and the low ports
        self.assertEqual(codes, [NOT_REACHED] * (8 - before) + [REFUSED] * (4 + before))

    def test_private_addresses_are_refused(self) -> None:
        neighbour = self.line("10.9.0.1")
        self.done(neighbour.connect(self.address(self.others[0], RELAYS[0])), 1)
        heard = self.hear(neighbour, REACH_ANSWER)
        self.contact(neighbour, self.others[0]).say(REACH_ASK, encode_ask(9999))
        self.pass_time(2)
        self.assertEqual([one.code for one in heard if one.port], [REFUSED])

    def test_so_many_dials_at_a_time(self) -> None:
        """One more is refused, whoever asks."""
        helper = self.others[0]._parts.desk.reaching.reach  # type: ignore[union-attr]
        heard = self.hear(self.node_here, REACH_ANSWER)
        helper._helping.update(Deferred() for _ in range(REACH_DIALS_MAX))
        self.contact(self.node_here, self.others[0]).say(REACH_ASK, encode_ask(9999))
        self.pass_time(1)
        helper._helping.clear()
        self.assertEqual([one.code for one in heard if one.port], [REFUSED])

    def test_a_group_and_the_node_are_paced_too(self) -> None:
        """Peers of one group share a budget, and all groups share one."""
        limits = {"reach_group_rate": [0.001, 2], "reach_rate": [0.001, 5]}
        helper = self.line("55.5.5.5", relay=True, limits=limits)
        heard: list[Any] = []
        for number in range(10):
            host = f"90.{number // 4}.1.{number + 1}"
            asker = self.line(host, reach=True)
            self.done(asker.connect(self.address(helper, "55.5.5.5")), 1)
            asker._parts.desk.ears[REACH_ANSWER] = (  # type: ignore[union-attr]
                lambda contact, content: heard.append(content))
            self.contact(asker, helper).say(REACH_ASK, encode_ask(9998))
            self.pass_time(1)
        self.pass_time(12)
        codes = [one.code for one in heard if one.port == 9998]
        self.assertEqual(codes, [NOT_REACHED, NOT_REACHED, REFUSED, REFUSED] * 2 + [NOT_REACHED, REFUSED])

    def test_one_peer_is_asked_so_often(self) -> None:
        """With one peer that dials and a place that fails, the next question waits."""
        asked: list[float] = []
        for other in self.others:
            reach = other._parts.desk.reaching.reach  # type: ignore[union-attr]
            other._parts.desk.ears[REACH_ASK] = (  # type: ignore[union-attr]
                lambda contact, port, reach=reach: (asked.append(self.clock.seconds()) if port else None,
                                                    reach.asked(contact, port)))
        self.pass_time(7_200)
        gaps = [later - earlier for earlier, later in pairwise(asked)]
        self.assertGreater(len(asked), 4)
        self.assertGreaterEqual(min(gaps), 20)
