"""A node with listen = [] is reached by its UUID through an anchor; who has no right to it learns nothing."""

from __future__ import annotations

from typing import Any

from quantumgate.core.relay.reservations import proof
from quantumgate.crypto.identity import parse_fingerprint
from quantumgate.errors import ConnectFailed
from quantumgate.ids import QgAddress
from quantumgate.node.contact import Contact
from quantumgate.node.node import Node
from quantumgate.wire import frames
from quantumgate.wire.codes import LinkCode
from quantumgate.wire.limits import DEFAULT_LIMITS
from quantumgate.wire.link_frames import LinkEndpoint, LinkTarget
from tests.node.anchored import HIDDEN, AnchoredCase
from tests.node.circuits import HOME, with_relay
from tests.node.world import node_settings


class ReachedTests(AnchoredCase):
    def try_first(self, gate: Node) -> None:
        """Of the anchors, where luck would choose."""
        paths = self.client._parts.circuits.paths  # type: ignore[union-attr]
        self.patch(paths, "in_order", lambda anchors: sorted(anchors, key=lambda one: one.uuid != gate.uuid))

    def test_by_one_relay_and_by_more(self) -> None:
        anchors = {gate.uuid for gate in self.gates[:2]}
        for hops in (None, 1, 2, 3):
            peer = self.reach(self.hidden.anchored_address, hops=hops)
            self.assertEqual((peer.uuid, peer.relayed, len(peer.path)), (self.hidden.uuid, True, hops or 1))
            self.assertIn(peer.path[-1], anchors)
            self.assertTrue(any(one.uuid == self.client.uuid and one.relayed for one in self.hidden.peers))
            self.done(self.client.disconnect(peer), 2)
        self.assertEqual(self.errors(), [])

    def test_it_answers(self) -> None:
        peer = self.reach(self.hidden.anchored_address, hops=2)
        report = self.done(self.client.ping(self.hidden.anchored_address), 2)
        self.assertEqual((report.uuid, report.relayed, len(report.path)), (str(peer.uuid), True, 2))

    def test_via_names_the_anchor_last(self) -> None:
        wanted = [self.gates[3].uuid, self.gates[1].uuid]
        self.assertEqual(self.reach(self.hidden.anchored_address, via=wanted).path, wanted)
        failed = self.failed(self.client.connect(self.hidden.anchored_address, via=[self.gates[3].uuid]), ConnectFailed)
        self.assertEqual(failed.reason, "bad-path")

    def test_an_anchor_that_is_gone_is_not_the_end(self) -> None:
        """Found behind a NAT: with one of two anchors away every other first attempt failed."""
        gone = self.gates[0]
        gone.stopService()
        self.pass_time(5)
        self.try_first(gone)
        paths = self.client._parts.circuits.paths  # type: ignore[union-attr]
        paths.gateways = [gate for gate in paths.gateways if gate.uuid != gone.uuid]  # it is no hop before an anchor
        for hops in (1, 2, 3):
            failed = paths.blame.bad_seconds(gone.uuid)
            peer = self.reach(self.hidden.anchored_address, 40, hops=hops)
            self.assertEqual((peer.path[-1], len(peer.path)), (self.gates[1].uuid, hops))
            self.assertGreater(paths.blame.bad_seconds(gone.uuid), failed, "it was not tried")
            self.done(self.client.disconnect(peer), 2)
            self.pass_time(400)

    def test_an_anchor_that_carries_nothing_any_more_is_not_the_end(self) -> None:
        """It turns us away, and the peer has said nothing: that is no last word."""
        self.gates[0]._parts.relays.enabled = False  # type: ignore[union-attr]
        self.try_first(self.gates[0])
        for _ in range(2):
            failed = self.client.relays_snapshot().failed.get("access-denied", 0)
            peer = self.reach(self.hidden.anchored_address, 5)
            self.assertEqual(peer.path, [self.gates[1].uuid])
            self.assertEqual(self.client.relays_snapshot().failed["access-denied"], failed + 1, "it was not tried")
            self.done(self.client.disconnect(peer), 2)
            self.pass_time(400)

    def test_what_the_peer_says_is_the_last_word(self) -> None:
        self.hidden._parts.access.judge.default = "deny"  # type: ignore[union-attr]
        error = self.failed(self.client.connect(self.hidden.anchored_address), ConnectFailed, 2)
        self.assertEqual((error.reason, error.by_relay), ("access-denied", False))

    def test_a_peer_that_is_away_is_told_as_such(self) -> None:
        address = self.hidden.anchored_address
        self.hidden.stopService()
        self.pass_time(40)
        error = self.failed(self.client.connect(address), ConnectFailed, 30)
        self.assertEqual(error.reason, "unreachable")
        self.assertIn("it is offline or not reached through this anchor", str(error))
        self.assertIn("qgate relays", error.advice)

    def test_what_is_told_is_what_tells_most(self) -> None:
        """One anchor brings nobody, the other is no relay any more: whichever was asked first."""
        address = self.hidden.anchored_address
        unknown = address.replace(QgAddress.parse(address).key, "a" * 52)
        self.gates[0]._parts.relays.enabled = False  # type: ignore[union-attr]
        for gate in self.gates[:2]:
            self.try_first(gate)
            error = self.failed(self.client.connect(unknown), ConnectFailed, 40)
            self.assertEqual((error.reason, error.by_relay), ("unreachable", False))
            self.pass_time(1000)
        self.gates[1]._parts.relays.enabled = False  # type: ignore[union-attr]
        self.pass_time(1000)
        error = self.failed(self.client.connect(address), ConnectFailed, 40)
        self.assertEqual((error.reason, error.by_relay), ("access-denied", True))
        self.assertIn("carries nothing for us", str(error))

    def test_a_bare_uuid_is_enough_the_second_time(self) -> None:
        name = str(self.hidden.uuid)
        self.assertEqual(self.failed(self.client.connect(name), ConnectFailed).reason, "no-address")
        self.done(self.client.disconnect(self.reach(self.hidden.anchored_address)), 2)
        for hops in (None, 2):
            peer = self.reach(name, hops=hops)
            self.assertEqual((peer.uuid, len(peer.path)), (self.hidden.uuid, hops or 1))
            self.assertIn("(its anchor) through", peer.endpoint)
            self.assertEqual(len(self.client.peers), 1)
            self.assertTrue(self.done(self.client.ping(name), 1).relayed)
            self.done(self.client.disconnect(peer), 2)

    def test_the_anchor_does_not_learn_who_comes_and_the_client_not_where(self) -> None:
        peer = self.reach(self.hidden.anchored_address, hops=2)
        anchor = self.gate_of(peer.path[-1])
        places = [contact.where for contact in anchor._parts.desk.contacts]  # type: ignore[union-attr]
        self.assertFalse(any(HOME in where for where in places))
        uuids = [one.uuid for one in anchor.peers]
        self.assertNotIn(self.client.uuid, uuids)
        self.assertNotIn(HIDDEN, str(self.client.peers_snapshot()))


class AlikeTests(AnchoredCase):
    """Wrong key, old hour, no reservation, one that is over, a peer that left: one code, after the same time."""

    def setUp(self) -> None:
        super().setUp()
        self.anchor = self.gates[0]
        self.answers: list[tuple[int, float]] = []

    def refused(self, target: LinkTarget) -> tuple[int, float]:
        """The anchor's answer to this target, and when it came."""
        entry = self.reach(self.address(self.end, "45.33.32.1"), via=self.anchor.uuid) and self.entry()
        told: list[tuple[int, float]] = []
        began = self.clock.seconds()
        link = entry.session.all_links.ask(target)
        link.on_answer = lambda code, _: told.append((code, self.clock.seconds() - began))
        entry.protocol.wake()  # type: ignore[union-attr]
        self.pass_time(13)
        self.assertEqual(len(told), 1)
        return told[0]

    def entry(self) -> Contact:
        circuits = self.client._parts.circuits  # type: ignore[union-attr]
        return circuits._builder.entries[self.anchor.uuid]

    def target(self, **changes: Any) -> LinkTarget:
        address = QgAddress.parse(self.hidden.anchored_address)
        wish = {"uuid": address.uuid, "key": parse_fingerprint(address.key), "hours": 0, **changes}
        wall = self.client._world.wall_seconds()
        return LinkTarget(wish["uuid"], proof=proof(wish["key"], self.anchor.uuid, wall, wish["hours"]))

    def check(self, told: tuple[int, float]) -> None:
        self.assertEqual(told[0], LinkCode.UNREACHABLE)
        self.assertTrue(8 <= told[1] <= 12, told)

    def test_the_right_one_is_answered_at_once(self) -> None:
        code, seconds = self.refused(self.target())
        self.assertEqual((code, seconds < 1), (LinkCode.CONNECTED, True))

    def test_a_wrong_key(self) -> None:
        self.check(self.refused(self.target(key=b"x" * 32)))

    def test_an_hour_too_old_or_too_young(self) -> None:
        for hours in (-2, 2):
            self.check(self.refused(self.target(hours=hours)))

    def test_nobody_reserved(self) -> None:
        self.check(self.refused(self.target(uuid=self.end.uuid)))

    def test_a_reservation_that_is_over(self) -> None:
        anchorage = self.anchor._parts.relays.anchorage  # type: ignore[union-attr]
        held = anchorage.reservations._by_uuid[self.hidden.uuid]
        held.until = self.clock.seconds()
        self.check(self.refused(self.target()))

    def test_a_peer_that_left(self) -> None:
        target = self.target()
        self.hidden.stopService()
        self.pass_time(20)
        self.check(self.refused(target))
        self.assertEqual(len(self.anchor._parts.relays.anchorage.reservations), 0)  # type: ignore[union-attr]

    def test_an_endpoint_where_nobody_is(self) -> None:
        """What it all has to look like."""
        self.check(self.refused(LinkTarget(self.hidden.uuid, (LinkEndpoint("45.33.32.9", 9999),))))


class AnchorageTests(AnchoredCase):
    def test_a_node_that_relays_nothing_refuses(self) -> None:
        settings = with_relay(node_settings(listen=()), anchors=(self.address(self.end, "45.33.32.1"),))
        hopeful = self.node("68.9.0.1", settings=settings)
        self.pass_time(5)
        self.assertEqual(self.granted(hopeful), [])
        self.assertEqual([one.uuid for one in hopeful.peers], [self.end.uuid])
        self.assertEqual(len(self.end._parts.relays.anchorage.reservations), 0)  # type: ignore[union-attr]

    def test_room_for_so_many(self) -> None:
        gate = self.gates[2]
        self.assertEqual(gate._parts.relays.anchorage.reservations._most, DEFAULT_LIMITS.reservations)  # type: ignore[union-attr]
        gate._parts.relays.anchorage.reservations._most = 1  # type: ignore[union-attr]
        first, second = self.behind("68.1.0.1", [gate]), self.behind("68.2.0.1", [gate])
        self.assertEqual((len(self.granted(first)), len(self.granted(second))), (1, 0))

    def test_so_many_signatures_for_each_session(self) -> None:
        """Found by reading: an admitted peer had fifty signatures a second for the asking."""
        gate = self.gates[0]
        anchorage = gate._parts.relays.anchorage  # type: ignore[union-attr]
        contact = next(one for one in self.hidden._parts.desk.table if one.peer.uuid == gate.uuid)  # type: ignore[union-attr]
        signed, identity = list[str](), anchorage._identity

        class Signer:
            public = identity.public

            def sign(self, name: str, content_hash: bytes) -> bytes:
                signed.append(name)
                return identity.sign(name, content_hash)

        there = next(one for one in gate._parts.desk.table if one.peer.uuid == self.hidden.uuid)  # type: ignore[union-attr]
        signer = Signer()
        self.patch(anchorage, "_identity", signer)
        self.patch(there.session, "signer", signer)
        anchors = self.hidden._parts.desk.anchors  # type: ignore[union-attr]
        for _ in range(40):
            anchors._asked.add(contact)
            contact.say(frames.RESERVE, b"k" * 32)
            self.pass_time(0)
            self.settle()
        self.assertEqual((len(signed), len(anchorage.reservations), contact.over), (8, 1, False))
        self.pass_time(605)  # the last answer was a refusal
        self.assertIn(gate.uuid, self.granted(self.hidden))
        self.hidden.stopService()
        self.pass_time(20)
        self.assertEqual(anchorage._paces, {})

    def test_what_is_not_between_peers_with_names_is_a_violation(self) -> None:
        self.reach(self.address(self.end, "45.33.32.1"), via=self.gates[0].uuid)
        entry = self.client._parts.circuits._builder.entries[self.gates[0].uuid]  # type: ignore[union-attr]
        entry.say(frames.RESERVE, b"k" * 32)
        self.pass_time(2)
        self.assertTrue(entry.over)
        self.assertEqual(len(self.gates[0]._parts.relays.anchorage.reservations), 1)  # type: ignore[union-attr]
