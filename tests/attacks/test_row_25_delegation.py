"""Row 25 of docs/attacks.md, delegation: out of time, of another root or kind, revoked, for other uses, altered.

Cores are real on both sides: the attacker's is ours with a delegation that it should not have, and a good signature by
its online key in every case but the last ones.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from quantumgate.core.delegations import FOR_ALL, FOR_HANDSHAKE, FOR_RECORD, FOR_VOUCHER, delegate
from quantumgate.core.handshake import Established, Failed, HandshakeSettings
from quantumgate.core.handshake.initiator import Initiator
from quantumgate.core.handshake.responder import Responder
from quantumgate.crypto.identity import Identity
from quantumgate.errors import ConnectFailed
from quantumgate.wire.limits import DELEGATION_SECONDS, VALIDITY_SLACK_SECONDS
from tests.attacks.test_rows_01_13_exchange import ReactionTestCase
from tests.core.handshake.deputies import DAY, NOW_SECONDS, delegated, delegation, deputy, online
from tests.core.handshake.duel import Duel, identity, settings
from tests.node.circuits import AWAY, HOME
from tests.node.delegated import DelegatedCase

SEEN = NOW_SECONDS * 1000 + 1
"""A serial that is newer than those of ``delegation``."""


def altered() -> dict[str, Identity]:
    """What no root has signed like this: one generic error, and nothing is said."""
    good = delegation("bob").encode()
    mallory = identity("mallory")
    theirs = delegate(mallory, online("bob").own, serial=1, not_before_seconds=NOW_SECONDS - DAY,
                      not_after_seconds=NOW_SECONDS + DAY)
    renamed = replace(theirs, root_fingerprint=identity("bob").public.fingerprint)
    said = {
        "for another root": theirs.encode(),
        "by another root": renamed.encode(),
        "with a byte more": good + b"\0",
        "with a byte less": good[:-1],
        "empty but for its kind": good[:1],
        "of a kind that is none": b"\x09" + good[1:],
        "of another kind by its first byte": b"\x03" + good[1:],
        **{f"with bit {bit} of byte {at} flipped": good[:at] + bytes([good[at] ^ 1 << bit]) + good[at + 1 :]
           for at, bit in ((1, 0), (40, 3), (66, 0), (74, 7), (82, 1), (90, 2), (91, 1), (92, 0), (155, 7))},
    }
    made = {name: deputy("bob", said=data) for name, data in said.items()}
    made["by whose online key somebody else signs"] = deputy("bob", key="mallory", said=good)
    made["of too long a life"] = deputy("bob", not_after_seconds=NOW_SECONDS - DAY + DELEGATION_SECONDS + 1)
    made["of no life"] = deputy("bob", not_after_seconds=NOW_SECONDS - DAY)
    made["whose online key has a small order"] = deputy("bob", online_bundle=b"\x01\x01" + bytes(31))
    return made


def unfit() -> dict[str, Identity]:
    """Signed by its root and brought by whom it names, and yet not good: whoever it is proves to hold the key first."""
    slack = VALIDITY_SLACK_SECONDS + 1
    return {
        "expired": deputy("bob", not_after_seconds=NOW_SECONDS - slack),
        "of tomorrow": deputy("bob", not_before_seconds=NOW_SECONDS + slack),
        "not for handshakes": deputy("bob", usages=FOR_ALL & ~FOR_HANDSHAKE),
        "for records alone": deputy("bob", usages=FOR_RECORD),
        "for vouchers alone": deputy("bob", usages=FOR_VOUCHER),
        "for nothing that we know": deputy("bob", usages=0x8000),
    }


class Row25DelegationTests(ReactionTestCase):
    def dialled(self, bad: Identity, **victim: Any) -> Initiator:
        """Alice dials who answers as bob by this delegation."""
        return Duel(settings("alice", **victim), HandshakeSettings(bad)).run().initiator

    def dialling(self, bad: Identity, **victim: Any) -> Responder:
        """Who dials as bob by this delegation reaches alice."""
        return Duel(HandshakeSettings(bad), settings("alice", **victim)).run().responder

    def assert_unfit(self, outcome: Established | Failed | None, name: str) -> Failed:
        """A reason of its own, for operators: the peer's key is its own, and the clock may be ours."""
        assert isinstance(outcome, Failed), name
        self.assertEqual((outcome.reason, outcome.blame), ("delegation", ""), name)
        self.assertTrue(outcome.advice, name)
        return outcome

    def test_altered_or_anothers(self) -> None:
        for name, bad in altered().items():
            self.assert_initiator_fails(self.dialled(bad), name)
            self.assert_responder_drains(self.dialling(bad), name)
            failed = self.dialling(bad).outcome
            self.assertEqual((failed.reason, failed.blame), ("authentication", "address"), name)  # type: ignore[union-attr]

    def test_out_of_time_or_for_other_uses(self) -> None:
        for name, bad in unfit().items():
            party = self.dialled(bad)
            self.assert_unfit(party.outcome, name)
            self.assertEqual((party.output(), party.requests), (b"", []), name)  # nothing of ourselves was said
            answering = self.dialling(bad)
            self.assert_unfit(answering.outcome, name)
            self.assert_responder_drains(answering, name)

    def test_the_tolerance_is_ten_minutes_either_way(self) -> None:
        for name, good in {
            "just over": deputy("bob", not_after_seconds=NOW_SECONDS - VALIDITY_SLACK_SECONDS),
            "almost there": deputy("bob", not_before_seconds=NOW_SECONDS + VALIDITY_SLACK_SECONDS),
        }.items():
            for party in (self.dialled(good), self.dialling(good)):
                self.assertIsInstance(party.outcome, Established, name)

    def test_a_lower_serial_than_was_seen(self) -> None:
        """Revoked: a security event, for who has that key has it although its owner made another."""
        for party in (self.dialled(deputy("bob"), least_serial=lambda uuid: SEEN),
                      self.dialling(deputy("bob"), least_serial=lambda uuid: SEEN)):
            self.assertTrue(self.assert_unfit(party.outcome, "revoked").security_event)
        for others in (lambda uuid: SEEN - 1, lambda uuid: SEEN * (uuid != identity("bob").public.uuid)):
            self.assertIsInstance(self.dialled(deputy("bob"), least_serial=others).outcome, Established)

    def test_a_hybrid_root_is_not_stripped_to_its_classical_half(self) -> None:
        """Who broke Ed25519 alone, and has a classical online key signed by that half."""
        hybrid = identity("bob", 2)
        classical = online("bob", 1)
        forged = replace(delegation("bob", 1), root_fingerprint=hybrid.public.fingerprint)
        for kind in (1, 2):
            said = bytes((kind,)) + forged.encode()[1:]
            bad = Identity(1, classical._seeds).act_for(replace(hybrid.public, kind=1), said)  # its lengths are right
            self.assert_initiator_fails(self.dialled(bad), str(kind))
            self.assert_responder_drains(self.dialling(bad), str(kind))

    def test_a_delegation_beside_a_signature_of_the_root(self) -> None:
        """One side has one signer: who delegates signs with the key that it delegated to."""
        root = identity("bob")
        bad = Identity(1, root._seeds).act_for(root.public, delegation("bob").encode())
        self.assert_initiator_fails(self.dialled(bad))
        self.assert_responder_drains(self.dialling(bad))

    def test_taken_out_on_the_way(self) -> None:
        """The online key's signature under the root's bundle alone."""
        bare = online("bob").act_for(identity("bob").public, b"")
        self.assert_initiator_fails(self.dialled(bare))
        self.assert_responder_drains(self.dialling(bare))

    def test_a_good_one_still_is(self) -> None:
        duel = Duel(delegated("alice"), delegated("bob")).run()
        self.assertEqual(duel.established[0].peer, identity("bob").public)


class Row25DelegationNodeTests(DelegatedCase):
    """Whole nodes: what is refused is told to whoever looks after them, and a day's jump closes no session."""

    def test_a_clock_that_jumps_by_a_day(self) -> None:
        """Steady time counts for sessions; a delegation that is out of its time by our clock begins none."""
        client, node = self.delegated(HOME, days=1, listen=()), self.delegated(AWAY, default_access="allow")
        self.done(client.connect(self.address(node, AWAY)))
        self.drifts[node].seconds += DAY
        self.pass_time(30)
        self.assertEqual((len(client.peers), len(node.peers)), (1, 1))
        self.drifts[client].seconds += DAY + 3600  # now its own key has run out
        self.pass_time(30)
        self.assertEqual((len(client.peers), len(node.peers)), (1, 1))

    def test_refused_by_the_one_whose_clock_is_ahead(self) -> None:
        client, node = self.delegated(HOME, days=1, listen=()), self.delegated(AWAY, default_access="allow")
        for both in (client, node):
            self.drifts[both].seconds += 20 * 3600
        self.drifts[node].seconds += 5 * 3600
        error = self.failed(client.connect(self.address(node, AWAY)), ConnectFailed, 60)
        self.assertEqual((error.reason, len(node.peers)), ("not-accepted", 0))
        told = [line for line in self.lines("warn") if "a delegation that ended" in line]
        self.assertEqual(len(told), 1, self.lines("warn"))

    def test_refused_by_the_dialler(self) -> None:
        client, node = self.node(HOME, listen=()), self.delegated(AWAY, days=1, default_access="allow")
        self.drifts[node].seconds += DAY + 8 * 60
        self.drifts[client].seconds += DAY + 13 * 60
        error = self.failed(client.connect(self.address(node, AWAY)), ConnectFailed, 60)
        self.assertEqual(error.reason, "delegation")
        self.assertIn("a delegation that ended", str(error))
        self.assertIn("qgate id rotate", error.advice)

    def test_revoked_by_a_newer_one(self) -> None:
        """The old online key is stolen; its owner makes another, and who has met that one takes the old one no more."""
        client, node = self.node(HOME, listen=()), self.delegated(AWAY, default_access="allow")
        stolen = node._directory.file("online.key").read_bytes()
        self.done(client.connect(self.address(node, AWAY)))
        self.rotate(node)
        self.done(client.connect(self.address(node, AWAY)), 5)
        self.stop(node)
        node._directory.file("online.key").write_bytes(stolen)
        node.startService()
        self.settle()
        error = self.failed(client.connect(self.address(node, AWAY)), ConnectFailed, 60)
        self.assertEqual(error.reason, "delegation")
        self.assertTrue(any(one.startswith("delegation: ") for one in client.status().notices))
