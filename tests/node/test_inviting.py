"""Making invitations: what they may say, what is told once, what is kept, and what reaches the disk together."""

from __future__ import annotations

from typing import Any

import msgspec
from twisted.internet.defer import Deferred

from quantumgate.errors import LimitError, LocalError
from quantumgate.wire.invitation_text import read_invitation
from tests.node.paired import ELSEWHERE, HOME, PairingCase
from tests.node.world import MEMORIES

DAY_SECONDS = 86_400


class InviteTests(PairingCase):
    def test_what_is_told_once_and_what_is_kept(self) -> None:
        made = self.invite(uses=3, seconds=3600, only=("services",), proposed="Alice")
        found = read_invitation(made.invitation)
        self.assertEqual((found.uuid, found.name, made.proposed_name), (self.alice.uuid, "alice", "alice"))
        self.assertEqual((made.endpoints, made.only, made.expires - made.made), ([f"{HOME}:9999"], ["services"], 3600))
        assert self.alice._parts is not None
        kept = repr(self.alice._parts.state.invitations)
        self.assertNotIn(found.secret.hex(), kept)
        self.assertNotIn("qgi:", msgspec.json.encode(self.alice.pairing.invitations()).decode())

    def test_terms_that_cannot_be(self) -> None:
        wrong: tuple[dict[str, Any], ...] = (
            {"uses": 0}, {"uses": 65}, {"seconds": 59}, {"seconds": 91 * DAY_SECONDS}, {"uses": 2, "name": "bob"},
            {"name": "no name"}, {"proposed": "me"}, {"only": ("nothing-of-ours",)}, {"only": ("relay",)})
        for terms in wrong:
            self.assertRaises(LocalError, self.alice.pairing.invite, [f"{HOME}:9999"], **terms)
        self.assertEqual(self.alice.pairing.invitations(), [])

    def test_the_longest_life(self) -> None:
        made = self.invite(seconds=90 * DAY_SECONDS)
        self.assertEqual(made.expires - made.made, 90 * DAY_SECONDS)

    def test_where_nothing_leads_here(self) -> None:
        with self.assertRaises(LocalError) as caught:
            self.bob.pairing.invite()
        self.assertIn("relay.anchors", caught.exception.advice)

    def test_no_more_open_ones_than_the_limit(self) -> None:
        small = self.node(ELSEWHERE, limits={"invitations": 2})
        for _ in range(2):
            self.invite(small, ELSEWHERE)
        self.assertRaises(LimitError, small.pairing.invite, [f"{ELSEWHERE}:9999"])


class LetInTests(PairingCase):
    def test_the_rule_and_what_it_was_used_for_reach_the_disk_together(self) -> None:
        """Whatever was written, nobody is in by an invitation that is still open for another."""
        written: list[tuple[bool, bool]] = []
        assert self.alice._parts is not None
        state, made = self.alice._parts.state, self.invite(name="bob")
        save = state.save

        def noted() -> Any:
            written.append((self.bob.uuid in state.allow, bool(state.invitations[0].joined)))
            return save()

        self.patch(state, "save", noted)
        self.join(made.invitation)
        self.assertEqual({allowed == used for allowed, used in written}, {True})
        self.assertIn((True, True), written)

    def test_nobody_is_in_before_that_is_on_the_disk(self) -> None:
        """Who was told that he is in must not be forgotten by a kill a moment later."""
        assert self.alice._parts is not None
        made, written = self.invite(), list[Deferred[None]]()
        self.patch(self.alice._parts.state, "save", lambda: written.append(Deferred()) or written[-1])
        joined = self.bob.pairing.join(made.invitation)
        self.settle()
        self.assertNoResult(joined)
        self.assertEqual((len(self.alice.peers), len(written)), (0, 1))
        written[0].callback(None)
        self.done(joined)
        self.assertEqual([peer.uuid for peer in self.alice.peers], [self.bob.uuid])

    def test_who_leaves_meanwhile_is_no_peer(self) -> None:
        assert self.alice._parts is not None and self.bob._parts is not None
        made, written = self.invite(), list[Deferred[None]]()
        self.patch(self.alice._parts.state, "save", lambda: written.append(Deferred()) or written[-1])
        self.bob.pairing.join(made.invitation).addErrback(lambda _: None)
        self.settle()
        for contact in list(self.bob._parts.desk.contacts):
            contact.drop()
        self.settle()
        written[0].callback(None)
        self.settle()
        self.assertEqual((self.alice.peers, self.errors()), ((), []))
        self.assertTrue(self.alice.access.names(self.bob.uuid))

    def test_a_disk_that_takes_nothing_keeps_nobody_out(self) -> None:
        made = self.invite()
        MEMORIES[self.alice.data_directory].trouble = "the disk is full"
        self.join(made.invitation)
        self.assertTrue(any("was not saved" in line for line in self.lines("error")))
        MEMORIES[self.alice.data_directory].trouble = ""

    def test_no_room_for_a_rule_leaves_it_open(self) -> None:
        small = self.node(ELSEWHERE, limits={"peer_rules": 1})
        self.done(small.access.allow(self.alice.uuid))
        made = self.invite(small, ELSEWHERE)
        self.assertEqual(self.refused(made.invitation).reason, "invitation-unknown")
        self.assertEqual(small.pairing.invitations()[0].state, "open")

    def test_a_name_that_was_given_away_meanwhile_keeps_nobody_out(self) -> None:
        made = self.invite(name="bob")
        self.done(self.alice.pairing.names.put(self.node(ELSEWHERE).uuid, "b0b"))
        self.join(made.invitation)
        self.assertEqual([peer.name for peer in self.alice.peers], [""])
        (line,) = (line for line in self.lines("warn") if "is not called" in line)
        for told in ("bob", "b0b", str(self.bob.uuid), str(self.alice.uuid)):
            self.assertNotIn(told, line)

    def test_a_full_house(self) -> None:
        """It filled up while the handshake was under way: before that a newcomer is told that it is busy."""
        made = self.invite()
        assert self.alice._parts is not None
        self.patch(self.alice._parts.desk, "_has_room", lambda *, known: not known)
        self.assertEqual(self.refused(made.invitation).reason, "too-many-sessions")
        self.assertEqual(self.alice.pairing.invitations()[0].state, "open")

    def test_what_is_shown_is_in_the_order_of_making(self) -> None:
        for uses in (1, 2, 3):
            self.invite(uses=uses)
            self.pass_time(2)
        self.assertEqual([one.uses for one in self.alice.pairing.invitations()], [3, 2, 1])
