"""The overload ladder in whole nodes on a fake clock: who waits, for how long, who solves, and what is said of it."""

from __future__ import annotations

from twisted.internet.address import IPv4Address
from twisted.internet.protocol import Factory, Protocol

from quantumgate.core.overload import Ladder
from quantumgate.core.replay import ReplayWindow
from quantumgate.errors import ConnectFailed
from quantumgate.node.node import Node
from quantumgate.node.turnstile import DOES
from tests.node.world import Drift, NodeCase, memory_world

HOME, AWAY = "192.0.2.1", "198.51.100.1"


class BusyCase(NodeCase):
    def setUp(self) -> None:
        super().setUp()
        self.right = self.node(AWAY, default_access="allow")
        self.left = self.node(HOME, listen=())

    def ladder(self, node: Node | None = None) -> Ladder:
        """Of a node, by default the one that is dialled."""
        found: Ladder = (node or self.right)._parts.connections._ladder  # type: ignore[union-attr]
        return found

    def use(self, share: float) -> None:
        """So much of its budget is used at this moment."""
        ladder = self.ladder()
        ladder.used(self.clock.seconds())
        ladder._spent = share * ladder._general

    def overloads(self) -> list[str]:
        """Lines about it."""
        return [line for line in self.lines("info") if line.startswith("overload")]


class WaitingTests(BusyCase):
    def test_a_stranger_waits_until_half_is_free(self) -> None:
        self.use(0.75)
        dial = self.left.connect(self.address(self.right, AWAY))
        self.settle()
        self.assertNoResult(dial)
        self.assertEqual(self.right.status().overload.waiting, 1)
        self.pass_time(0.24)
        self.assertNoResult(dial)
        self.done(dial, 0.03)
        self.assertEqual(self.right.status().overload.waiting, 0)

    def test_who_leaves_while_it_waits_is_forgotten(self) -> None:
        self.use(0.75)
        self.left.connect(self.address(self.right, AWAY)).addErrback(lambda _: None)
        self.settle()
        self.network.cut()
        self.settle()
        self.assertEqual((self.ladder().waiting, self.right._parts.desk.turnstile._contacts),  # type: ignore[union-attr]
                         (0, {}))
        self.pass_time(1)

    def test_a_puzzle_is_solved_and_the_dial_succeeds(self) -> None:
        self.use(0.9)
        self.done(self.left.connect(self.address(self.right, AWAY)), 1)
        (contact,) = self.left._parts.desk.table  # type: ignore[union-attr]
        self.assertEqual(len(self.left.peers), 1)
        self.assertEqual(self.right.status().overload.puzzles, 1)
        self.assertIsNotNone(contact.solving)

    def test_a_known_peer_needs_no_puzzle(self) -> None:
        self.done(self.left.connect(self.address(self.right, AWAY)))
        self.done(self.left.disconnect(self.right.uuid), 1)
        self.use(0.99)
        self.done(self.left.connect(self.address(self.right, AWAY)))
        self.assertEqual(self.right.status().overload.puzzles, 0)

    def test_an_address_that_did_us_good_goes_first(self) -> None:
        self.right.reputation.set(HOME, 5)
        self.right.reputation.set(f"{HOME.rpartition('.')[0]}.0/24", 1)
        self.use(0.75)
        self.done(self.left.connect(self.address(self.right, AWAY)))

    def test_an_address_that_did_not_waits(self) -> None:
        self.right.reputation.set(HOME, -1)
        self.use(0.75)
        dial = self.left.connect(self.address(self.right, AWAY), keep=False)
        self.settle()
        self.assertNoResult(dial)
        self.done(dial, 10)

    def test_somebody_with_more_to_do_than_it_can_is_told_as_such(self) -> None:
        self.use(0.96)
        error = self.failed(self.left.connect(self.address(self.right, AWAY), keep=False), ConnectFailed, 15)
        self.assertEqual(error.reason, "no-answer")

    def test_a_dial_that_is_given_up_solves_no_more(self) -> None:
        self.ladder()._bits = 16
        self.use(0.9)
        dial = self.left.connect(self.address(self.right, AWAY))
        solver = self.left._parts.desk.solver  # type: ignore[union-attr]
        self.settle()
        self.assertEqual(len(solver), 1)
        dial.addErrback(lambda _: None)
        for contact in list(self.left._parts.desk.contacts):  # type: ignore[union-attr]
            contact.close()
        self.settle()
        self.assertEqual(len(solver), 0)

    def test_a_full_house_refuses_strangers_before_they_say_who_they_are(self) -> None:
        self.ladder().full = lambda: True
        error = self.failed(self.left.connect(self.address(self.right, AWAY)), ConnectFailed, 1)
        self.assertEqual((error.reason, str(error)), ("refused", "198.51.100.1:9999 refused: busy"))
        self.assertEqual(self.right.status().overload.refused_busy, 1)

    def test_an_own_dial_is_counted(self) -> None:
        self.done(self.left.connect(self.address(self.right, AWAY)))
        self.assertGreater(self.ladder(self.left)._spent_reserve, 0)


class BurstTests(BusyCase):
    """A node that was away is dialled by all its friends at one moment: to it all of them are strangers."""

    def test_all_get_in_within_seconds(self) -> None:
        """Two thirds of a second's budget, as a hundred are of the default one."""
        home = self.node("203.0.113.1", default_access="allow", limits={"cpu_share": 0.024})
        friends = [self.node(f"198.18.{number}.1", listen=()) for number in range(12)]
        dials = [friend.connect(self.address(home, "203.0.113.1"), keep=False) for friend in friends]
        self.settle()
        at_once = len(home.peers)
        self.assertTrue(6 <= at_once < 12, at_once)
        for dial in dials:
            self.done(dial, 2)
        self.assertEqual((len(home.peers), home.status().overload.silenced), (12, 0))


class SayingTests(BusyCase):
    def dial_many(self, count: int) -> None:
        for number in range(count):
            node = self.node(f"192.0.2.{number + 10}", listen=())
            node.connect(self.address(self.right, AWAY)).addErrback(lambda _: None)
        self.settle()

    def test_a_line_for_each_step_and_not_for_each_dial(self) -> None:
        self.use(0.6)
        self.dial_many(5)
        self.assertEqual(len(self.overloads()), 1)
        self.assertIn(f"overload: step 1 of 3: {DOES[1]} (60 % of the budget", self.overloads()[0])
        self.use(0.9)
        self.pass_time(0.9)
        self.assertEqual(len(self.overloads()), 1)
        self.use(0.9)
        self.right.status()
        self.pass_time(0.2)
        self.assertIn("overload: step 2 of 3", self.overloads()[1])
        self.pass_time(30)
        self.assertEqual([line[:23] for line in self.overloads()[2:]], ["overload: step 0 of 3: "])

    def test_status(self) -> None:
        calm = self.right.status().overload
        self.assertEqual((calm.step, calm.does, calm.puzzle_bits), (0, DOES[0], 0))
        self.use(0.9)
        self.dial_many(1)
        busy = self.right.status().overload
        self.assertEqual((busy.step, busy.does, busy.puzzle_bits, busy.puzzles), (2, DOES[2], 8, 1))
        self.assertGreater(busy.used_share, 0.8)

    def test_a_node_that_stops_has_no_timer_left(self) -> None:
        self.use(0.7)
        self.dial_many(2)
        self.done(self.right.stopService(), 20)

    def test_without_a_budget_there_is_no_ladder(self) -> None:
        free = self.node("192.0.2.99", default_access="allow", handshake_budget=False)
        self.ladder(free)._spent = 1e9
        self.done(self.left.connect(self.address(free, "192.0.2.99")))
        self.assertEqual(free.status().overload.step, 0)
        replay: ReplayWindow = free._parts.replay  # type: ignore[union-attr]
        self.assertTrue(replay.may_answer(0.0, 0.25))


class ReserveTests(BusyCase):
    """Whoever opens connections and says nothing does not lock friends out."""

    def test_a_friend_gets_in_where_strangers_have_taken_all_they_may(self) -> None:
        home = self.node("203.0.113.1", default_access="allow", limits={"half_open": 8, "half_open_prefix": 8})
        friend, stranger = self.node("198.51.100.9", listen=()), self.node("192.0.2.77", listen=())
        self.done(friend.connect(self.address(home, "203.0.113.1"), keep=False))
        self.done(friend.disconnect(home.uuid), 1)
        intake = home._parts.intake  # type: ignore[union-attr]
        silent = [intake.accept(IPv4Address("TCP", f"10.0.{number}.1", 1)) for number in range(6)]
        self.assertNotIn(None, silent)
        error = self.failed(stranger.connect(self.address(home, "203.0.113.1"), keep=False), ConnectFailed, 15)
        self.assertEqual(error.reason, "unreachable")
        self.done(friend.connect(self.address(home, "203.0.113.1"), keep=False), 1)
        self.assertEqual([peer.uuid for peer in home.peers], [friend.uuid])

    def test_who_opens_and_says_nothing_gives_way_to_a_stranger_who_speaks(self) -> None:
        """Silent from then on, not blamed, and read on until the moment that was drawn at accept. [ADR 0191]"""
        home = self.node("203.0.113.1", default_access="allow", limits={"half_open": 8, "half_open_prefix": 8})
        stranger = self.node("192.0.2.77", listen=())
        for number in range(6):
            silent = memory_world(self.network, f"10.0.{number}.1", Drift())
            silent.host("203.0.113.1", 9999).connect(Factory.forProtocol(Protocol))
        self.settle()
        intake = home._parts.intake  # type: ignore[union-attr]
        self.assertEqual((intake.half_open, intake.drained), (6, 0))
        self.failed(stranger.connect(self.address(home, "203.0.113.1"), keep=False), ConnectFailed, 0.5)
        self.pass_time(1)
        self.done(stranger.connect(self.address(home, "203.0.113.1"), keep=False), 1)
        self.assertEqual((intake.half_open, intake.drained), (5, 1))
        self.assertEqual(list(home.reputation.list()), [])
        self.pass_time(91)
        self.assertEqual((intake.half_open, intake.drained), (0, 0))

    def test_a_network_that_asks_for_little_is_heard_among_many_that_ask_for_much(self) -> None:
        """Two at once and one in five seconds, while answers are short."""
        connections = self.right._parts.connections  # type: ignore[union-attr]
        asked = [connections._is_quiet("4:c00002/24") for _ in range(4)]
        self.assertEqual(asked, [True, True, False, False])
        self.assertTrue(connections._is_quiet("4:c63364/24"))
        self.pass_time(5)
        self.assertEqual([connections._is_quiet("4:c00002/24") for _ in range(2)], [True, False])
        replay = self.right._parts.replay  # type: ignore[union-attr]
        for place, heard in ((self.left, False), (self.node("203.0.113.50", listen=()), True)):
            replay.may_answer(self.clock.seconds())
            replay._answers = 0.4 * replay._rate
            dial = place.connect(self.address(self.right, AWAY), keep=False)
            self.settle()
            self.assertEqual(len(place.peers), int(heard))
            dial.addErrback(lambda _: None)
            self.pass_time(15)
        self.assertEqual(len(connections._askers), 3)
