"""Keys of invitations, the proof of who has one, and what its maker says: docs/spec/addresses.md sections 4 and 5."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.invitations import Answer, InvitationKeys, Invitations, Issued, check_uses
from quantumgate.errors import LimitError, LocalError
from quantumgate.ids import PeerUUID
from quantumgate.wire.invitation_text import Invitation
from quantumgate.wire.limits import INVITATION_KEPT_SECONDS, INVITATION_USES
from quantumgate.wire.link_frames import LinkEndpoint
from tests.core.handshake.duel import SeededRandom, identity

NOW = 1_800_000_000
ALICE, BOB, CAROL = (identity(name).public for name in ("alice", "bob", "carol"))
TH = bytes(range(64))


def invitation(seed: object = 0, **changes: Any) -> Invitation:
    """One of alice's."""
    made = Invitation(ALICE.uuid, ALICE.fingerprint, b"network!", NOW + 60, SeededRandom(seed).bytes(20), name="alice",
                      endpoints=(LinkEndpoint("192.0.2.7", 9999),))
    return replace(made, **changes)


def issued(made: Invitation, **terms: Any) -> Issued:
    """What alice keeps of it."""
    keys = InvitationKeys(made)
    return Issued(keys.id, keys.key, NOW, made.expires, **terms)


class KeysTests(SynchronousTestCase):
    def test_the_same_from_the_same(self) -> None:
        one, other = InvitationKeys(invitation()), InvitationKeys(invitation())
        self.assertEqual((one.id, one.key, one.proof(TH)), (other.id, other.key, other.proof(TH)))
        self.assertEqual((len(one.id), len(one.key), len(one.proof(TH))), (16, 33, 80))

    def test_every_field_is_bound(self) -> None:
        known = InvitationKeys(invitation())
        for changes in (
            {"uuid": BOB.uuid}, {"fingerprint": BOB.fingerprint}, {"network": b"another!"}, {"expires": NOW + 61},
            {"secret": bytes(20)}, {"shared_secret": True}, {"name": "mallory"}, {"endpoints": ()},
        ):
            other = InvitationKeys(invitation(**changes))
            self.assertNotEqual(other.id, known.id, changes)
            self.assertNotEqual(other.key, known.key, changes)

    def test_what_is_kept_holds_no_secret(self) -> None:
        made = invitation()
        kept = repr(issued(made)) + issued(made).id.hex() + issued(made).key.hex()
        self.assertNotIn(made.secret.hex(), kept)

    def test_wiped(self) -> None:
        keys = InvitationKeys(invitation())
        keys.wipe()
        self.assertRaises(AttributeError, keys.proof, TH)


class ShownTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.made = invitation()
        self.proof = InvitationKeys(self.made).proof(TH)
        self.table = Invitations(8, [issued(self.made)])

    def answer(self, proof: bytes | None = None, th: bytes = TH, who: PeerUUID = BOB.uuid, wall: float = NOW) -> Answer:
        return self.table.shown(self.proof if proof is None else proof, th, who, wall)[0]

    def come_in(self, who: PeerUUID) -> None:
        row = self.table.shown(self.proof, TH, who, NOW)[1]
        assert row is not None
        self.table.put(row.used_by(who))

    def test_accepted_and_asking_changes_nothing(self) -> None:
        for _ in range(3):
            self.assertIs(self.answer(), Answer.ACCEPTED)

    def test_each_changed_bit_of_the_proof_and_every_other_length_is_unknown(self) -> None:
        for at in range(len(self.proof)):
            for bit in (1, 128):
                wrong = self.proof[:at] + bytes([self.proof[at] ^ bit]) + self.proof[at + 1 :]
                self.assertIs(self.answer(wrong), Answer.UNKNOWN, at)
        for wrong in (b"", self.proof[:-1], self.proof + b"\0", self.proof[:16]):
            self.assertIs(self.answer(wrong), Answer.UNKNOWN)

    def test_of_another_handshake(self) -> None:
        self.assertIs(self.answer(th=bytes(64)), Answer.UNKNOWN)

    def test_used_is_used_for_all_but_who_used_it(self) -> None:
        self.come_in(BOB.uuid)
        self.assertIs(self.answer(who=BOB.uuid), Answer.AGAIN)
        self.assertIs(self.answer(who=CAROL.uuid), Answer.USED)
        self.assertIs(self.answer(who=BOB.uuid, wall=NOW + 1e6), Answer.AGAIN)
        self.come_in(BOB.uuid)
        self.assertEqual([row.joined for row in self.table], [(BOB.uuid,)])

    def test_expired_to_the_second(self) -> None:
        self.assertIs(self.answer(wall=NOW + 59.9), Answer.ACCEPTED)
        self.assertIs(self.answer(wall=NOW + 60), Answer.EXPIRED)

    def test_revoked_for_everybody(self) -> None:
        self.come_in(BOB.uuid)
        self.table.revoke(next(iter(self.table)).short.upper())
        for who in (BOB.uuid, CAROL.uuid):
            self.assertIs(self.answer(who=who), Answer.REVOKED)

    def test_revoking_what_is_not_there_or_not_one(self) -> None:
        row = next(iter(self.table))
        self.table.put(replace(row, id=row.id[:8] + bytes(8)))
        for text in (row.id.hex()[:3], row.id.hex()[:8], "00000000", ""):
            self.assertRaises(LocalError, self.table.revoke, text)
        self.assertTrue(self.table.revoke(row.id.hex()).revoked)


class UsesTests(SynchronousTestCase):
    def test_the_most_peers(self) -> None:
        check_uses(INVITATION_USES, "")
        for uses in (0, INVITATION_USES + 1):
            self.assertRaises(LocalError, check_uses, uses, "")

    def test_a_name_is_for_one(self) -> None:
        check_uses(1, "bob")
        self.assertRaises(LocalError, check_uses, 2, "bob")

    def test_so_many_and_no_more(self) -> None:
        row = issued(invitation(), uses=2)
        for who in (ALICE.uuid, BOB.uuid):
            self.assertIs(row.answer(who, NOW), Answer.ACCEPTED)
            row = row.used_by(who)
        self.assertIs(row.answer(CAROL.uuid, NOW), Answer.USED)


class LifeTests(SynchronousTestCase):
    def test_no_more_open_ones_than_a_number(self) -> None:
        table = Invitations(2)
        for seed in (1, 2):
            table.add(issued(invitation(seed)), NOW)
        self.assertRaises(LimitError, table.add, issued(invitation(3)), NOW)
        self.assertEqual(len(list(table)), 2)

    def test_what_is_over_makes_room_the_oldest_first(self) -> None:
        old, older = issued(invitation(1)), replace(issued(invitation(2)), expires=NOW + 50)
        table = Invitations(2, [old, older])
        table.add(issued(invitation(3, expires=NOW + 1000)), NOW + 100)
        self.assertNotIn(older.id, [row.id for row in table])
        self.assertIn(old.id, [row.id for row in table])

    def test_what_is_over_is_remembered_for_a_while(self) -> None:
        table = Invitations(2, [issued(invitation())])
        table.prune(NOW + 60 + INVITATION_KEPT_SECONDS - 1)
        self.assertEqual(len(list(table)), 1)
        table.prune(NOW + 60 + INVITATION_KEPT_SECONDS)
        self.assertEqual(len(list(table)), 0)
