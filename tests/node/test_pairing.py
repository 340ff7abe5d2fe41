"""Two nodes that never met, an invitation between them: connected, named, pinned, also behind anchors."""

from __future__ import annotations

from pathlib import Path

from quantumgate.core.access.decision import Rule
from quantumgate.errors import ConnectFailed, LocalError
from quantumgate.ids import QgAddress
from quantumgate.node.pairing import PRIVATE_NOTE, near_places
from quantumgate.wire.invitation_text import SCHEME
from tests.node.anchored import AnchoredCase
from tests.node.paired import ELSEWHERE, HOME, PairingCase
from tests.node.world import NodeCase


class JoinTests(PairingCase):
    def test_connected_named_pinned_and_admitted_on_both_sides(self) -> None:
        joined = self.join(self.invite(name="bob", proposed="alice").invitation, take_name=True)
        self.assertEqual((joined.uuid, joined.name, joined.proposed), (self.alice.uuid, "alice", "alice"))
        for one, other, name in ((self.alice, self.bob, "bob"), (self.bob, self.alice, "alice")):
            (report,) = one.peers_snapshot()
            self.assertEqual((report.uuid, report.name), (str(other.uuid), name))
            self.assertIs(one.access.decide(other.uuid).rule, Rule.ALLOW)
            assert one._parts is not None and other._parts is not None
            self.assertEqual(one._parts.state.pins, {other.uuid: other._parts.identity.public.fingerprint_text})

    def test_a_restart_of_either_side_changes_nothing(self) -> None:
        data = {name: Path(self.mktemp()).absolute() for name in ("alice", "bob")}
        alice = self.node(HOME, data=data["alice"], start=False, listen=("tcp:9998",))
        bob = self.node(ELSEWHERE, data=data["bob"], listen=())
        alice.startService()
        text = self.done(alice.pairing.invite([f"{HOME}:9998"], name="bob")).invitation
        self.join(text, bob, name="alice")
        for node in (alice, bob):
            stopping = node.stopService()
            self.pass_time(20)
            self.successResultOf(stopping)
            self.nodes.remove(node)
        alice = self.node(HOME, data=data["alice"], listen=("tcp:9998",))
        bob = self.node(ELSEWHERE, data=data["bob"], listen=())
        self.assertEqual(self.done(bob.connect("alice"), 3).uuid, alice.uuid, "its name is enough")
        self.assertEqual([peer.name for peer in alice.peers], ["bob"])

    def test_it_is_kept_until_it_is_ended_by_hand(self) -> None:
        self.join(self.invite().invitation, name="alice")
        assert self.alice._parts is not None
        for contact in list(self.alice._parts.desk.contacts):
            contact.drop()
        self.pass_time(5)
        self.assertEqual([peer.name for peer in self.bob.peers], ["alice"])

    def test_unnamed_where_nobody_took_a_name(self) -> None:
        joined = self.join(self.invite(proposed="alice").invitation)
        self.assertEqual((joined.name, joined.proposed), ("", "alice"))
        self.assertEqual([peer.name for peer in (*self.alice.peers, *self.bob.peers)], ["", ""])

    def test_only_what_it_says(self) -> None:
        self.join(self.invite(only=("services",)).invitation)
        (rule,) = self.alice.access.list().rules
        self.assertEqual((rule.peer, rule.word, rule.only), (str(self.bob.uuid), "allow", "services"))

    def test_by_the_same_key_again(self) -> None:
        """An interrupted join is made again; it costs nobody anything."""
        made = self.invite()
        for _ in range(3):
            self.join(made.invitation)
        self.pass_time(10)
        (report,) = self.alice.pairing.invitations()
        self.assertEqual((report.state, report.joined), ("used", [str(self.bob.uuid)]))
        self.assertEqual((len(self.alice.peers), len(self.bob.peers)), (1, 1))

    def test_names_are_taken_where_uuids_are(self) -> None:
        self.join(self.invite(name="bob").invitation, name="alice")
        self.assertEqual(self.done(self.bob.ping("alice"), 3).uuid, str(self.alice.uuid))
        self.assertEqual(self.done(self.bob.connect("Alice"), 3).uuid, self.alice.uuid)
        error = self.failed(self.bob.connect("nobody-here"), ConnectFailed)
        self.assertEqual(error.reason, "bad-address")
        self.failed(self.bob.connect("alice", via="nobody-here"), LocalError)

    def test_who_is_admitted_already_is_named_by_it(self) -> None:
        self.done(self.alice.access.allow(self.bob.uuid))
        self.done(self.bob.connect(self.address(self.alice, HOME)), 3)
        self.join(self.invite(name="bob").invitation, name="alice")
        self.assertEqual([peer.name for peer in (*self.alice.peers, *self.bob.peers)], ["bob", "alice"])

    def test_for_several(self) -> None:
        text = self.invite(uses=2).invitation
        carol, dave = self.node(ELSEWHERE, listen=()), self.node("203.0.113.9", listen=())
        self.join(text)
        self.join(text, carol)
        self.assertEqual(self.refused(text, dave).reason, "invitation-used")
        self.assertEqual(len(self.alice.peers), 2)


class PlacesTests(NodeCase):
    def test_addresses_of_this_network_where_there_are_no_others(self) -> None:
        own = ("10.0.0.5", "fd00::5")
        for bound, places in (
            (["tcp:9999"], [("10.0.0.5", 9999), ("fd00::5", 9999)]),
            (["tcp:9998:interface=127.0.0.1", "tcp:9997:interface=10.0.0.5"], [("10.0.0.5", 9997)]),
            (["tcp:9998:interface=127.0.0.1"], [("127.0.0.1", 9998)]),
            (["unix:/run/qg"], []), ([], []),
        ):
            found = near_places(bound, own)
            self.assertEqual([(one.host, one.port) for one in found], places)

    def test_it_is_said(self) -> None:
        made = self.done(self.node("10.0.0.5").pairing.invite())
        self.assertEqual((made.endpoints, made.note), (["10.0.0.5:9999"], PRIVATE_NOTE))


class AnchoredTests(AnchoredCase):
    def test_through_an_anchor_and_by_name_after_it_was_lost(self) -> None:
        made = self.done(self.hidden.pairing.invite(name="friend", proposed="hidden"))
        self.assertEqual((made.endpoints, len(made.anchors)), ([], 2))
        self.assertTrue(made.invitation.startswith(SCHEME))
        self.done(self.hidden.access.set_default("deny"))
        joined = self.done(self.client.pairing.join(made.invitation, take_name=True), 5)
        self.assertEqual((joined.uuid, joined.name), (self.hidden.uuid, "hidden"))
        (report,) = [one for one in self.client.peers_snapshot() if one.name == "hidden"]
        self.assertTrue(report.relayed)
        (there,) = [one for one in self.hidden.peers_snapshot() if one.name == "friend"]
        self.assertEqual((there.uuid, there.relayed), (str(self.client.uuid), True))
        self.done(self.client.disconnect(self.hidden.uuid), 5)
        self.assertEqual(self.done(self.client.connect("hidden"), 5).uuid, self.hidden.uuid)

    def test_the_address_that_is_kept(self) -> None:
        made = self.done(self.hidden.pairing.invite())
        self.done(self.client.pairing.join(made.invitation), 5)
        assert self.client._parts is not None
        kept = QgAddress.parse(self.client._parts.state.addresses[self.hidden.uuid])
        self.assertEqual((kept.uuid, len(kept.anchors)), (self.hidden.uuid, 2))
