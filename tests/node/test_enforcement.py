"""Rules in force: who is let in at accept, what a change ends and how soon, whatever way a peer comes by."""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Protocol

from quantumgate.core.access.addresses import address_of
from quantumgate.errors import ChannelReset, ConnectFailed
from quantumgate.extender.api import Extender, maker
from quantumgate.node.node import Node
from quantumgate.settings.schema import AccessTable, PeerRule, PrefixLimit, Settings
from quantumgate.wire.codes import CloseCode
from quantumgate.wire.link_frames import LinkEndpoint, LinkTarget
from tests.node.asking import AskingCase
from tests.node.circuits import AWAY as END
from tests.node.circuits import GATES, CircuitCase, Echo, replace_table, with_relay
from tests.node.circuits import HOME as CLIENT
from tests.node.world import NodeCase, node_settings

HOME, AWAY, ELSEWHERE = "192.0.2.1", "198.51.100.1", "198.51.100.2"
ECHO, NOTES = "5f0c3e52-7a83-4a5f-9d6b-0c1f6f2f9e12", "5f0c3e52-7a83-4a5f-9d6b-0c1f6f2f9e13"


def with_access(settings: Settings, **access: Any) -> Settings:
    return replace_table(settings, access=AccessTable(**access))


class Talker(Extender):
    """Sends every hundredth of a second to everybody, and counts what comes."""

    def __init__(self) -> None:
        self.got = 0
        self.talking = True
        self.left: list[str] = []

    def peer_arrived(self, peer: Any) -> None:
        self.talk(peer)

    def talk(self, peer: Any) -> None:
        if self.talking and peer in self.host.peers():
            self.host.offer(peer, b"x" * 20_000)
            self.host.clock.callLater(0.01, self.talk, peer)

    def message_received(self, peer: Any, message: bytes) -> None:
        self.got += 1

    def peer_left(self, peer: Any, reason: str) -> None:
        self.left.append(reason)


def talking(guest: Extender, uuid: str = ECHO, name: str = "talk") -> Any:
    return maker(lambda: guest, name=name, uuid=uuid)


class AcceptTests(NodeCase):
    def test_one_address_with_ever_new_names_is_one_line_a_second(self) -> None:
        node = self.node(HOME)
        for at in range(5):
            dialler = self.node(AWAY, listen=(f"tcp:{7000 + at}",))
            self.failed(dialler.connect(self.address(node, HOME), keep=False), ConnectFailed, 0.1)
        other = self.node(ELSEWHERE)
        self.failed(other.connect(self.address(node, HOME), keep=False), ConnectFailed, 0.1)
        said = [line for line in self.lines("warn") if "no rule names it" in line]
        self.assertEqual(len(said), 2, said)

    def refused(self, dialler: Node, node: Node, place: str = HOME) -> str:
        return str(self.failed(dialler.connect(self.address(node, place), keep=False), ConnectFailed, 70).reason)

    def counts(self, node: Node) -> dict[str, int]:
        assert node._parts is not None
        return dict(node._parts.intake.refused)

    def test_a_blocked_network_is_closed_before_any_work(self) -> None:
        node, stranger = self.node(HOME, default_access="allow"), self.node(AWAY, listen=())
        self.done(node.access.add_filter("198.51.100.0/24", block=True))
        self.assertEqual(self.refused(stranger, node), "unreachable")
        self.assertEqual(self.counts(node), {"block-filter": 1})
        self.assertEqual(node.access.explained(AWAY).rule, "block-filter")
        self.assertEqual(node._parts.intake.half_open, 0)  # type: ignore[union-attr]
        self.done(node.access.unban("198.51.100.0/24"))
        self.done(stranger.connect(self.address(node, HOME)))

    def test_where_only_some_may_dial(self) -> None:
        settings = with_access(node_settings(default_access="allow"), allow_from=("192.0.2.0/24", "198.51.100.2"))
        node = self.node(HOME, settings=settings)
        self.assertEqual(self.refused(self.node(AWAY, listen=()), node), "unreachable")
        self.assertEqual(node.access.explained(AWAY).rule, "no-allow-filter")
        self.done(self.node(ELSEWHERE, listen=()).connect(self.address(node, HOME)))

    def test_a_low_score_stays_outside_for_its_time_and_standing_sessions_stay(self) -> None:
        node, friend = self.node(HOME, default_access="allow"), self.node(AWAY, listen=())
        self.done(friend.connect(self.address(node, HOME)))
        node.reputation.set(AWAY, -1200)
        neighbour = self.node(AWAY, listen=())
        self.assertEqual(self.refused(neighbour, node), "unreachable")
        self.assertEqual(node.access.explained(AWAY).rule, "score")
        self.assertEqual(len(node.peers), 1)
        self.pass_time(1000)
        self.done(neighbour.connect(self.address(node, HOME)))

    def test_so_many_connections_from_one_prefix(self) -> None:
        limits = (PrefixLimit(prefix="ipv4/24", connections=1),)
        node = self.node(HOME, settings=with_access(node_settings(default_access="allow"), limits=limits))
        first = self.node(AWAY, listen=())
        self.done(first.connect(self.address(node, HOME)))
        second = self.node(ELSEWHERE, listen=())
        self.assertEqual(self.refused(second, node), "unreachable")
        self.assertEqual(node.access.explained(ELSEWHERE).rule, "prefix-connections")
        self.done(first.disconnect(node.uuid), 20)
        self.done(second.connect(self.address(node, HOME)))

    def test_attempts_over_a_limit_cost_the_address(self) -> None:
        node = self.node(HOME, default_access="allow")
        self.done(node.access.set_limit("ipv4/24", attempts=2))
        intake = node._parts.intake  # type: ignore[union-attr]
        places = [intake.accept(_At(AWAY)) for _ in range(4)]
        self.assertEqual([place is None for place in places], [False, False, True, True])
        self.assertEqual(node.access.explained(ELSEWHERE).rule, "prefix-attempts")
        self.assertEqual(self.scores(node), {f"{AWAY}/32": -20.0, "198.51.100.0/24": -5.0})
        for place in places[:2]:
            place.left()  # type: ignore[union-attr]

    def test_the_built_in_rate_costs_too(self) -> None:
        node = self.node(HOME, default_access="allow")
        intake = node._parts.intake  # type: ignore[union-attr]
        for _ in range(22):
            place = intake.accept(_At(AWAY))
            if place is not None:
                place.left()
        self.assertEqual(self.scores(node), {f"{AWAY}/32": -20.0, "198.51.100.0/24": -5.0})
        self.assertEqual(node.access.explained(AWAY).why, "limits.accepts_per_window is reached at the moment")
        self.assertTrue(node.access.explained(ELSEWHERE).admitted)

    def test_loopback_and_trusted_listeners_pay_nothing_and_are_filtered(self) -> None:
        node = self.node(HOME, default_access="allow")
        intake = node._parts.intake  # type: ignore[union-attr]
        for place in [intake.accept(_At("127.0.0.1")) for _ in range(40)]:
            place.left()
        for place in [intake.accept(_At(AWAY), lan=True) for _ in range(40)]:
            place.left()
        self.assertEqual(self.scores(node), {})
        node.reputation.set(AWAY, -2000)
        node.reputation.set("127.0.0.1", -2000)
        self.done(node.access.set_limit("ipv4/8", connections=1, attempts=1))
        for place in [intake.accept(_At(host), lan=True) for host in (AWAY, "127.0.0.1") for _ in range(3)]:
            place.left()
        self.assertIsNone(intake.accept(_At(AWAY)))
        self.done(node.access.add_filter("127.0.0.0/8", block=True))
        self.done(node.access.add_filter(AWAY, block=True))
        self.assertIsNone(intake.accept(_At("127.0.0.1")))
        self.assertIsNone(intake.accept(_At("::ffff:127.0.0.1")))
        self.assertIsNone(intake.accept(_At(AWAY), lan=True))

    def scores(self, node: Node) -> dict[str, float]:
        return {one.of: one.score for one in node.reputation.list()}

    def test_garbage_costs_the_address_five(self) -> None:
        node = self.node(HOME)
        stranger = self.node(AWAY, listen=())
        wrong = f"qg://c0ffee00-1234-8abc-9def-0123456789ab@{HOME}:9999"
        self.failed(stranger.connect(wrong, keep=False), ConnectFailed, 70)
        (address, _) = node.reputation.list()
        self.assertEqual(address.of, f"{AWAY}/32")
        self.assertTrue(-5 <= address.score < -4)


class _At:
    """What Twisted says of the other end."""

    def __init__(self, host: str) -> None:
        self.host, self.port = host, 77


class DialTests(NodeCase):
    def test_nothing_is_sent_to_a_blocked_address(self) -> None:
        node, other = self.node(HOME, listen=()), self.node(AWAY, default_access="allow")
        self.done(node.access.add_filter("198.51.100.0/24", block=True))
        error = self.failed(node.connect(self.address(other, AWAY), keep=False), ConnectFailed)
        self.assertEqual((error.reason, error.advice), ("denied", "qgate access filters remove block 198.51.100.0/24"))
        self.assertEqual(self.network.connections, [])

    def test_nor_where_the_address_is_known_only_at_the_end(self) -> None:
        node, other = self.node(HOME, listen=()), self.node(AWAY, default_access="allow")
        self.done(node.access.add_filter(AWAY, block=True))
        error = self.failed(node.connect(f"tcp:{AWAY}:9999", keep=False), ConnectFailed)
        self.assertEqual(error.reason, "denied")
        self.settle()
        self.assertEqual(self.desk_contacts(other), [])

    def desk_contacts(self, node: Node) -> list[Any]:
        return [one for one in node._parts.desk.contacts if one.session is not None]  # type: ignore[union-attr]

    def test_a_relay_dials_no_blocked_address(self) -> None:
        gate = self.node(GATES[0], relay=True)
        self.done(gate.access.add_filter(AWAY, block=True))
        self.assertIsNotNone(gate.access.filtered(address_of(AWAY), outbound=True))


class BanTests(NodeCase):
    def setUp(self) -> None:
        super().setUp()
        self.guests = Talker(), Talker()
        self.node_, self.friend = (
            self.node(HOME, talking(self.guests[0]), default_access="allow"),
            self.node(AWAY, talking(self.guests[1]), listen=()))
        self.done(self.friend.connect(self.address(self.node_, HOME), keep=False))
        self.pass_time(1)

    def end_it(self) -> None:
        for guest in self.guests:
            guest.talking = False

    def test_during_traffic_everything_ends_in_the_same_turn(self) -> None:
        self.assertGreater(min(guest.got for guest in self.guests), 50)
        self.node_.access.ban(self.friend.uuid)
        self.assertEqual((self.node_.peers, self.guests[0].left), ((), ["access-denied"]))
        heard = [guest.got for guest in self.guests]
        self.pass_time(0.2)
        self.assertEqual([pair for pair in self.network.connections if not (pair[0].over and pair[1].over)], [])
        self.assertEqual(self.guests[0].got, heard[0])
        later = self.guests[1].got
        self.pass_time(5)
        self.assertEqual((self.guests[0].got, self.guests[1].got), (heard[0], later))
        self.end_it()

    def test_where_the_other_side_takes_no_byte(self) -> None:
        self.network.part([HOME], [AWAY])
        self.pass_time(1)
        self.node_.access.ban(self.friend.uuid)
        self.pass_time(0.15)
        self.assertEqual(list(self.node_._parts.desk.contacts), [])  # type: ignore[union-attr]
        self.network.heal()
        heard = self.guests[1].got
        self.pass_time(1)
        self.assertLessEqual(self.guests[1].got - heard, 0)
        self.end_it()

    def test_a_second_address_and_the_other_direction(self) -> None:
        self.done(self.node_.access.ban(self.friend.uuid))
        self.end_it()
        self.done(self.friend.stopService(), 30)
        again = self.node(ELSEWHERE, data=self.friend._directory.path, default_access="allow")
        self.assertEqual(again.uuid, self.friend.uuid)
        error = self.failed(again.connect(self.address(self.node_, HOME), keep=False), ConnectFailed, 5)
        self.assertEqual(error.reason, "access-denied")
        error = self.failed(self.node_.connect(self.address(again, ELSEWHERE), keep=False), ConnectFailed, 5)
        self.assertEqual((error.reason, error.advice), ("denied", f"qgate access unban {again.uuid}"))

    def test_of_its_network(self) -> None:
        self.done(self.node_.access.ban("198.51.100.0/24"))
        self.pass_time(0.2)
        self.assertEqual((self.node_.peers, self.friend.peers), ((), ()))
        self.end_it()

    def test_a_new_limit_closes_what_is_beyond_it_the_newest_first(self) -> None:
        self.end_it()
        late = self.node(ELSEWHERE, listen=())
        self.done(late.connect(self.address(self.node_, HOME), keep=False))
        self.done(self.node_.access.set_limit("ipv4/24", connections=1))
        self.pass_time(0.2)
        self.assertEqual([peer.uuid for peer in self.node_.peers], [self.friend.uuid])
        self.assertEqual(late.peers, ())

    def test_a_default_that_becomes_deny_ends_strangers(self) -> None:
        self.done(self.node_.access.set_default("deny"))
        self.pass_time(0.2)
        self.assertEqual(self.node_.peers, ())
        self.end_it()

    def test_a_score_ends_no_session(self) -> None:
        self.node_.reputation.set(str(self.friend.uuid), -3000)
        self.node_.access.changed(None)
        self.assertEqual(len(self.node_.peers), 1)
        self.end_it()
        self.done(self.friend.disconnect(self.node_.uuid), 20)
        error = self.failed(self.friend.connect(self.address(self.node_, HOME), keep=False), ConnectFailed, 5)
        self.assertEqual(error.reason, "access-denied")

    def test_a_ban_ends_by_itself(self) -> None:
        self.end_it()
        until = self.node_.wall_seconds() + 3600
        self.done(self.node_.access.ban(self.friend.uuid, until))
        self.failed(self.friend.connect(self.address(self.node_, HOME), keep=False), ConnectFailed, 5)
        self.pass_time(3600)
        self.done(self.friend.connect(self.address(self.node_, HOME), keep=False))


class ExtenderTests(NodeCase):
    """Rules about one extender: channels are reset, the rest of the session goes on, and everything comes back."""

    def setUp(self) -> None:
        super().setUp()
        self.talk, self.notes = Talker(), Echo()
        self.far_talk, self.far_notes = Talker(), Echo()
        self.node_ = self.node(HOME, talking(self.talk), talking(self.notes, NOTES, "notes"), default_access="allow")
        self.friend = self.node(AWAY, talking(self.far_talk), talking(self.far_notes, NOTES, "notes"), listen=())
        self.done(self.friend.connect(self.address(self.node_, HOME), keep=False))
        self.pass_time(1)
        self.talk.talking = False

    def tearDown(self) -> None:
        self.far_talk.talking = False

    def test_its_channels_are_reset_at_once_and_the_others_stay(self) -> None:
        self.assertGreater(self.talk.got, 50)
        self.node_.access.deny(self.friend.uuid, ["talk"])
        heard = self.talk.got
        self.assertEqual(self.talk.left, ["forbidden by our rules"])
        self.pass_time(1)
        self.assertEqual(self.talk.got, heard)
        (peer,) = self.friend.peers
        self.done(self.far_notes.host.send(peer, b"still here"))
        self.pass_time(1)
        self.assertEqual(self.far_notes.got, [b"back:still here"])
        self.assertEqual(self.node_.access.explained(str(self.friend.uuid), "talk").rule, "deny")
        self.assertTrue(self.node_.access.explained(str(self.friend.uuid), "notes").admitted)

    def test_a_stream_that_is_opened_then_is_refused(self) -> None:
        self.node_.access.deny(self.friend.uuid, ["notes"])
        self.settle()
        (peer,) = self.friend.peers
        error = self.failed(self.far_notes.host.open_stream(peer, Protocol()), ChannelReset, 1)
        self.assertEqual(error.code, 2)

    def test_allowed_again_the_peer_arrives_again(self) -> None:
        self.done(self.node_.access.deny(self.friend.uuid, ["talk"]))
        self.pass_time(1)
        self.done(self.node_.access.remove(self.friend.uuid, ["talk"]))
        self.pass_time(1)
        heard = self.talk.got
        self.pass_time(1)
        self.assertEqual(len(self.talk.host.peers()), 1)
        self.assertGreaterEqual(self.talk.got, heard)

    def test_allowed_for_one_alone(self) -> None:
        only = (PeerRule(peer=str(self.friend.uuid), only=("notes",)),)
        settings = with_access(node_settings(), allow=only)
        talk, notes = Talker(), Echo()
        node = self.node(ELSEWHERE, talking(talk), talking(notes, NOTES, "notes"), settings=settings)
        self.done(self.friend.connect(self.address(node, ELSEWHERE), keep=False))
        self.pass_time(1)
        self.assertEqual((len(talk.host.peers()), len(notes.host.peers()), talk.got), (0, 1, 0))


class RelayedTests(CircuitCase):
    """Through relays a peer is who it is, and a relay that is forbidden carries nothing more."""

    def test_a_peer_that_is_denied_is_denied_through_one_to_three_relays(self) -> None:
        for hops in (1, 2, 3):
            via = [gate.uuid for gate in self.gates[:hops]]
            self.connect(via=via)
            self.assertEqual(len(self.end.peers), 1)
            self.done(self.end.access.deny(self.client.uuid))
            self.pass_time(0.2)
            self.assertEqual(self.end.peers, (), hops)
            self.pass_time(2)
            dial = self.client.connect(self.address(self.end, END), via=via, keep=False)
            self.assertEqual(self.failed(dial, ConnectFailed, 70).reason, "access-denied", hops)
            self.assertEqual(self.client.peers, ())
            self.done(self.end.access.remove(self.client.uuid))

    def test_nor_does_the_carrier_pay_for_it(self) -> None:
        self.done(self.end.access.deny(self.client.uuid))
        via = [gate.uuid for gate in self.gates[:2]]
        self.failed(self.client.connect(self.address(self.end, END), via=via, keep=False), ConnectFailed, 70)
        wrong = f"qg://c0ffee00-1234-8abc-9def-0123456789ab@{END}:9999"
        self.failed(self.client.connect(wrong, via=via, keep=False), ConnectFailed, 90)
        self.assertNotIn(f"{GATES[1]}/32", [one.of for one in self.end.reputation.list() if one.score < -5])

    def test_a_ban_cuts_circuits_during_traffic(self) -> None:
        peer = self.connect(via=[gate.uuid for gate in self.gates[:3]])
        self.done(self.guest.host.send(peer, b"one"))
        self.pass_time(1)
        self.assertEqual(self.guest.got, [b"back:one"])
        self.end.access.ban(self.client.uuid)
        self.assertEqual((self.end.peers, len(self.end_guest.left)), ((), 1))
        self.pass_time(0.2)
        self.assertEqual(self.client.peers, ())

    def test_a_relay_that_is_banned_by_the_client_carries_nothing_more(self) -> None:
        for number in range(3):
            self.connect(via=[gate.uuid for gate in self.gates[:3]], keep=False)
            self.client.access.ban(self.gates[number].uuid)
            self.pass_time(0.2)
            self.assertEqual(self.client.peers, (), number)
            self.done(self.client.access.unban(self.gates[number].uuid))
            self.pass_time(1)

    def test_a_relay_that_is_banned_by_the_end_brings_nothing_more(self) -> None:
        self.connect(via=[gate.uuid for gate in self.gates[:2]], keep=False)
        self.end.access.ban(self.gates[1].uuid)
        self.pass_time(0.2)
        self.assertEqual(self.end.peers, ())
        error = self.failed(self.client.connect(self.address(self.end, END), via=self.gates[1].uuid, keep=False),
                            ConnectFailed, 70)
        self.assertIn(error.reason, ("unreachable", "no-answer", "relay"))

    def test_a_gateway_that_may_only_relay_relays(self) -> None:
        gate = self.gates[0]
        self.done(self.client.access.deny(gate.uuid, ["connect"]))
        self.connect(via=gate.uuid, keep=False)
        error = self.failed(self.client.connect(self.address(gate, GATES[0]), hops=0, keep=False), ConnectFailed, 5)
        self.assertEqual(error.reason, "denied")
        self.done(self.client.access.deny(self.gates[1].uuid, ["relay"]))
        dial = self.client.connect(self.address(self.end, END), via=self.gates[1].uuid, keep=False)
        self.failed(dial, ConnectFailed, 70)

    def test_a_client_whose_address_has_a_low_score_gets_no_link(self) -> None:
        gate = self.gates[0]
        gate.reputation.set(CLIENT, -300)
        self.failed(self.client.connect(self.address(self.end, END), via=gate.uuid, keep=False), ConnectFailed, 70)
        self.assertEqual(gate._parts.relays.refused["access"], 1)  # type: ignore[union-attr]

    def test_links_over_a_limit_per_prefix(self) -> None:
        gate = self.gates[0]
        self.done(gate.access.set_limit("ipv4/16", links=1))
        self.connect(via=gate.uuid, keep=False)
        wrong = f"qg://c0ffee00-1234-8abc-9def-0123456789ab@{END}:9999"
        self.failed(self.client.connect(wrong, via=gate.uuid, keep=False), ConnectFailed, 70)
        self.assertEqual(gate._parts.relays.refused["access"], 1)  # type: ignore[union-attr]
        self.assertEqual({one.of for one in gate.reputation.list()}, {f"{CLIENT}/32", "31.3.0.0/24"})

    def test_a_score_ends_no_link(self) -> None:
        peer = self.connect(via=self.gates[0].uuid, keep=False)
        self.gates[0].reputation.set(CLIENT, -3000)
        self.gates[0].access.changed(None)
        self.pass_time(1)
        self.assertEqual(self.client.peers, (peer,))

    def test_links_that_stand_end_when_their_client_may_have_none(self) -> None:
        gate = self.gates[0]
        self.done(gate.access.allow(self.client.uuid))
        self.done(self.client.connect(self.address(gate, GATES[0]), hops=0))
        session = self.client._parts.desk.table.current(gate.uuid)  # type: ignore[union-attr]
        link = session.session.all_links.ask(LinkTarget(self.end.uuid, (LinkEndpoint(END, 9999),)))
        session.protocol.wake()
        self.pass_time(1)
        (carried,) = gate._parts.relays.carried  # type: ignore[union-attr]
        self.assertFalse(link.closed or carried.asked.closed)
        self.done(gate.access.deny(self.client.uuid, ["relay"]))
        self.assertEqual((carried.asked.closed, link.closed, len(gate.peers)), (True, True, 1))


class RateTests(AskingCase):
    def test_links_over_the_built_in_rate_cost_the_address(self) -> None:
        for _ in range(10):
            self.ask(("10.0.0.1", 9999))
        self.pass_time(1)
        (address, network) = self.gate.reputation.list()
        self.assertEqual((address.of, network.of), (f"{CLIENT}/32", "31.3.0.0/24"))
        self.assertTrue(-25 <= address.score <= -4)


class ReserveTests(NodeCase):
    def test_who_may_not_reserve(self) -> None:
        gate = self.node(GATES[0], relay=True)
        hidden = self.node(AWAY, settings=with_relay(node_settings(listen=()), anchors=(self.address(gate, GATES[0]),)))
        self.done(gate.access.deny(hidden.uuid, ["reserve"]))
        self.done(gate.access.allow(hidden.uuid))
        self.pass_time(5)
        anchors = hidden._parts.desk.anchors  # type: ignore[union-attr]
        self.assertEqual((len(hidden.peers), dict(anchors.granted)), (1, {}))
        self.done(gate.access.remove(hidden.uuid, ["reserve"]))
        self.done(gate.access.allow(hidden.uuid))
        self.pass_time(700)
        self.assertEqual(list(anchors.granted), [gate.uuid])
        held = gate._parts.desk.anchorage.reservations  # type: ignore[union-attr]
        self.assertEqual(len(held), 1)
        self.done(gate.access.deny(hidden.uuid, ["reserve"]))
        self.assertEqual((len(held), len(hidden.peers)), (0, 1))


class CutTests(NodeCase):
    def test_twice_is_once(self) -> None:
        node, friend = self.node(HOME, default_access="allow"), self.node(AWAY, listen=())
        self.done(friend.connect(self.address(node, HOME), keep=False))
        (contact,) = node._parts.desk.contacts  # type: ignore[union-attr]
        door = node._parts.desk.enforcement  # type: ignore[union-attr]
        for _ in range(3):
            door.cut(contact, CloseCode.ACCESS_DENIED)
        self.assertEqual(len(door._cuts), 1)
        self.pass_time(1)
        self.assertEqual((door._cuts, list(node._parts.desk.contacts)), ({}, []))  # type: ignore[union-attr]
