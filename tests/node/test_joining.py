"""Every way in which an invitation is refused, with its reason, and what an interrupted join costs: nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from quantumgate.errors import ConnectFailed, LocalError
from quantumgate.wire.link_frames import LinkEndpoint
from tests.node.anchored import AnchoredCase
from tests.node.circuits import GATES, with_relay
from tests.node.paired import ELSEWHERE, HOME, PairingCase
from tests.node.world import node_settings


class WaysTests(AnchoredCase):
    def test_what_the_inviter_said_stands_and_no_other_way_is_tried(self) -> None:
        """It listens, and has anchors, too: refused where it listens, nobody goes through its anchors."""
        addresses = tuple(self.address(gate, at) for gate, at in zip(self.gates[:2], GATES, strict=False))
        both = self.node("68.9.1.2", settings=with_relay(node_settings(), anchors=addresses))
        made = self.done(both.pairing.invite(["68.9.1.2:9999"]))
        self.assertEqual(len(made.anchors), 2)
        self.done(both.pairing.revoke(made.id))
        error = self.failed(self.client.pairing.join(made.invitation), ConnectFailed, 30)
        self.assertEqual((error.reason, dict(self.client.relays_snapshot().failed)), ("invitation-revoked", {}))

    def test_through_the_anchors_where_nobody_answers_at_its_endpoints(self) -> None:
        made = self.done(self.hidden.pairing.invite(["203.0.113.77:9999"]))
        self.assertEqual((len(made.endpoints), len(made.anchors)), (1, 2))
        joined = self.done(self.client.pairing.join(made.invitation), 30)
        self.assertEqual((joined.uuid, joined.contact.peer.relayed), (self.hidden.uuid, True))
        kept = self.client._parts.state.addresses[self.hidden.uuid]  # type: ignore[union-attr]  # it runs
        self.assertEqual(len(kept.split()), 2, "both ways are kept")


class InterruptedTests(PairingCase):
    def test_an_answer_that_was_lost_on_the_way(self) -> None:
        made = self.invite()
        assert self.alice._parts is not None
        inviting = self.alice._parts.desk.inviting
        let_in = inviting.let_in

        def let_in_and_be_cut_off(*arguments: Any) -> Any:
            kept = let_in(*arguments)
            self.network.cut()
            return kept

        self.patch(inviting, "let_in", let_in_and_be_cut_off)
        self.failed(self.bob.pairing.join(made.invitation), ConnectFailed, 15)
        self.assertEqual((self.bob.access.list().rules, self.alice.pairing.invitations()[0].state), ([], "used"))
        self.join(made.invitation)
        self.assertEqual(len(self.bob.peers), 1)


class RefusalTests(PairingCase):
    def strange(self) -> list[str]:
        """What alice's log says of whoever she did not let in."""
        return [line for line in self.lines("warn") if "access denied" in line]

    def test_used_by_another(self) -> None:
        text = self.invite().invitation
        self.join(text, self.node(ELSEWHERE, listen=()))
        error = self.refused(text)
        self.assertEqual(error.reason, "invitation-used")
        self.assertIn("was used by somebody else already", str(error))
        self.assertEqual(len(self.alice.peers), 1)

    def test_expired_by_the_inviters_clock(self) -> None:
        text = self.invite(seconds=60).invitation
        self.drifts[self.bob].seconds = -61
        self.pass_time(61)
        error = self.refused(text)
        self.assertEqual(error.reason, "invitation-expired")
        self.assertIn("this invitation has expired", str(error))

    def test_expired_by_our_own_clock_is_not_dialled(self) -> None:
        text = self.invite(seconds=60).invitation
        self.drifts[self.bob].seconds = 700
        self.assertIn("was good until", str(self.refused(text)))
        self.assertEqual(self.network.connections, [])

    def test_taken_back(self) -> None:
        made = self.invite()
        self.done(self.alice.pairing.revoke(made.id))
        error = self.refused(made.invitation)
        self.assertEqual(error.reason, "invitation-revoked")
        self.assertIn("was taken back", str(error))

    def test_who_was_removed_does_not_come_back_by_it(self) -> None:
        text = self.invite().invitation
        self.join(text)
        self.done(self.alice.access.remove(self.bob.uuid))
        self.assertEqual(self.refused(text).reason, "invitation-used")

    def test_altered_in_any_field_it_is_none_of_hers(self) -> None:
        text = self.invite(proposed="alice").invitation
        for fields in ({"name": "mallory"}, {"expires": 2_000_000_000}, {"secret": bytes(20)}, {"endpoints": (
                LinkEndpoint(HOME, 9999), LinkEndpoint("198.51.100.77", 9999))}):
            error = self.refused(self.changed(text, **fields), take_name=True)
            self.assertEqual(error.reason, "invitation-unknown", fields)
            self.assertIn("was altered on the way", str(error))
        self.assertEqual((self.alice.peers, self.bob.peers, self.alice.access.list().rules), ((), (), []))
        assert self.bob._parts is not None
        self.assertEqual(self.bob._parts.state.names, {})

    def test_mistyped(self) -> None:
        text = self.invite().invitation
        for wrong in (text[:-1], text[:40] + ("a" if text[40] != "a" else "b") + text[41:], text[: len(text) // 2]):
            error = self.refused(wrong)
            self.assertEqual(error.reason, "bad-invitation")
            self.assertIn("cannot be read", str(error))
        self.assertEqual(self.network.connections, [])

    def test_banned_denied_and_scored_out_hear_what_strangers_hear(self) -> None:
        text = self.invite().invitation
        for refuse in (self.alice.access.ban, self.alice.access.deny):
            self.done(refuse(self.bob.uuid))
            self.assertEqual(self.refused(text).reason, "invitation-unknown")
            self.done(self.alice.access.unban(self.bob.uuid)) if refuse == self.alice.access.ban else None
        self.assertEqual(self.alice.pairing.invitations()[0].state, "open")

    def test_made_up_ones_are_refused_and_paid_for_where_strangers_come_in(self) -> None:
        """With default_access = "allow" bob could connect; with a false invitation he does not join."""
        open_house = self.node("203.0.113.9", default_access="allow")
        text = self.invite(open_house, "203.0.113.9").invitation
        self.assertEqual(self.refused(self.changed(text, secret=bytes(20))).reason, "invitation-unknown")
        scores = {row.of: row.score for row in open_house.reputation.list()}
        self.assertTrue(-20 <= scores[str(self.bob.uuid)] < -19, scores)

    def test_of_another_network_and_of_this_node_itself(self) -> None:
        other = self.node(ELSEWHERE, network="Elsewhere")
        self.assertEqual(self.refused(self.invite(other, ELSEWHERE).invitation).reason, "other-network")
        self.assertEqual(self.refused(self.invite().invitation, self.alice).reason, "self")

    def test_a_shared_secret_is_said_and_not_given(self) -> None:
        secret = Path(self.mktemp()).absolute()
        secret.write_bytes(b"a secret of the whole network, which nobody else knows")
        secret.chmod(0o600)
        closed = self.node(ELSEWHERE, shared_secret_file=str(secret))
        text = self.invite(closed, ELSEWHERE).invitation
        error = self.refused(text)
        self.assertEqual(error.reason, "other-network")
        self.assertIn("with a shared secret, and this node has none", str(error))
        self.assertIn("without the shared secret", str(self.refused(self.invite().invitation, closed)))
        member = self.node("203.0.113.9", shared_secret_file=str(secret), listen=())
        self.assertEqual(self.join(text, member).uuid, closed.uuid)

    def test_another_key_under_a_known_uuid(self) -> None:
        text = self.invite().invitation
        assert self.bob._parts is not None
        self.bob._parts.state.pins[self.alice.uuid] = "a" * 52
        self.assertEqual(self.refused(text).reason, "pin")

    def test_a_name_that_cannot_be_is_said_before_anything_is_dialled(self) -> None:
        text = self.invite(proposed="alice").invitation
        self.done(self.bob.pairing.names.put(self.node(ELSEWHERE).uuid, "al1ce"))
        for terms in ({"name": "me"}, {"name": "alice"}, {"take_name": True}):
            self.failed(self.bob.pairing.join(text, **terms), LocalError)
        self.assertEqual(self.network.connections, [])
        self.assertEqual(self.alice.pairing.invitations()[0].state, "open")

    def test_our_own_rules_come_first(self) -> None:
        self.done(self.bob.access.deny(self.alice.uuid))
        self.assertEqual(self.refused(self.invite().invitation).reason, "denied")
        self.assertEqual(self.network.connections, [])

    def test_nobody_there(self) -> None:
        made = self.done(self.alice.pairing.invite(["203.0.113.77:9999"]))
        self.assertIn(self.refused(made.invitation).reason, ("unreachable", "no-answer"))
