"""Signed peer records: made, judged, compared. Row 24 of the attacks as far as one record goes."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any
from uuid import UUID

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.delegations import FOR_ALL, FOR_RECORD, delegate
from quantumgate.core.peer_records import equivocates, extender_hash, judge, network_of, sign, supersedes
from quantumgate.crypto import labels
from quantumgate.crypto.identity import Identity, PeerIdentity
from quantumgate.crypto.secret import Secret
from quantumgate.crypto.signatures import KINDS
from quantumgate.errors import AuthenticationError, BadKeyError, BugError, MalformedError, ViolationError
from quantumgate.wire import limits
from quantumgate.wire.link_frames import LinkEndpoint
from quantumgate.wire.peer_records import CAPABLE_OF_RELAY, Anchor, PeerRecord, SignedPeerRecord
from tests.core.handshake.duel import SeededRandom, identity
from tests.wire.test_peer_records import name

NOW_MS = 1_900_000_000_000
DAY = 86_400
NETWORK = network_of(b"QuantumGate")
SLACK_MS = limits.VALIDITY_SLACK_SECONDS * 1000


def record(who: PeerIdentity | None = None, **changes: Any) -> PeerRecord:
    """Alice's, good for an hour, unless changed."""
    bundle = (who or identity("alice").public).bundle
    return replace(PeerRecord(NETWORK, bundle, NOW_MS, NOW_MS // 1000 + 3600), **changes)


def signed(kind: int = 1, **changes: Any) -> bytes:
    """Alice's, as it travels."""
    alice = identity("alice", kind)
    return sign(alice, record(alice.public, **changes)).encode()


def forged(wish: PeerRecord, kind: int = 1) -> bytes:
    """What ``sign`` would not make: signed all the same."""
    body = wish.encode()
    seal = identity("alice", kind).sign(labels.SIGN_PEER_RECORD, hashlib.sha512(body).digest())
    return SignedPeerRecord(wish, body, seal).encode()


class ExtenderTests(SynchronousTestCase):
    """Extenders that a record names: known by who knows their UUID, and whose record it is."""

    CHESS, ECHO = UUID("5f0c3e52-7a83-4a5f-9d6b-0c1f6f2f9e12"), UUID("5f0c3e52-7a83-4a5f-9d6b-0c1f6f2f9e11")

    def test_letter_by_letter(self) -> None:
        """A hash of NETWORK, the owner and the extender, under a name of its own."""
        owner = identity("alice").public.uuid
        said = b"QuantumGate/1 extender" + (32).to_bytes(4, "big") + NETWORK + owner.bytes + self.CHESS.bytes
        self.assertEqual(extender_hash(NETWORK, owner, self.CHESS), hashlib.sha512(said).digest()[:16])

    def test_it_runs_what_it_names(self) -> None:
        owner = identity("alice").public.uuid
        known = judge(signed(extenders=(extender_hash(NETWORK, owner, self.CHESS),)), network=NETWORK, now_ms=NOW_MS)
        self.assertEqual((known.runs(self.CHESS), known.runs(self.ECHO)), (True, False))

    def test_anothers_hash_is_not_its_own(self) -> None:
        """Copied from another record, or of another network, it names nothing."""
        mallory = identity("mallory").public.uuid
        for network, owner in ((NETWORK, mallory), (network_of(b"Other"), identity("alice").public.uuid)):
            names = (extender_hash(network, owner, self.CHESS),)
            self.assertFalse(judge(signed(extenders=names), network=NETWORK, now_ms=NOW_MS).runs(self.CHESS))


class JudgedTests(SynchronousTestCase):
    def judge(self, data: bytes, at_ms: int = NOW_MS) -> Any:
        return judge(data, network=NETWORK, now_ms=at_ms)

    def test_every_kind(self) -> None:
        for kind in (1, 2, 3, 4):
            known = self.judge(signed(kind, endpoints=(LinkEndpoint("192.0.2.7", 9999),)))
            self.assertEqual(known.identity, identity("alice", kind).public)
            self.assertEqual(known.record.endpoints[0].host, "192.0.2.7")

    def test_each_flipped_bit_of_it(self) -> None:
        whole = signed(endpoints=(LinkEndpoint("gate.example", 9999),), family="us")
        refused = (MalformedError, BadKeyError, ViolationError, AuthenticationError)
        for at in range(len(whole)):
            for bit in (0, 3, 7):
                damaged = whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :]
                self.assertRaises(refused, self.judge, damaged)

    def test_another_name_of_a_signature_and_another_signer(self) -> None:
        body = record().encode()
        digest = hashlib.sha512(body).digest()
        for who, label in (("alice", labels.SIGN_VOUCHER), ("mallory", labels.SIGN_PEER_RECORD)):
            wrong = SignedPeerRecord(record(), body, identity(who).sign(label, digest)).encode()
            self.assertRaises(AuthenticationError, self.judge, wrong)

    def test_half_of_a_hybrid_signature(self) -> None:
        whole = SignedPeerRecord.decode(signed(2))
        for seal in (whole.signature[:64], bytes(64) + whole.signature[64:], whole.signature[:64] + bytes(3309)):
            self.assertRaises(AuthenticationError, self.judge, replace(whole, signature=seal).encode())

    def test_another_network(self) -> None:
        self.assertRaises(ViolationError, self.judge, signed(network=network_of(b"Other")))

    def test_a_bundle_that_is_none(self) -> None:
        for bundle in (b"\x01" + bytes(32), b"\x09" * 33, b"\x01" * 34):
            self.assertRaises(BadKeyError, self.judge, forged(record(bundle=bundle)))

    def test_a_seq_from_the_future(self) -> None:
        ahead = {"seq_ms": NOW_MS + SLACK_MS, "not_after_seconds": NOW_MS // 1000 + 4000}
        self.assertEqual(self.judge(signed(**ahead)).record.seq_ms, NOW_MS + SLACK_MS)
        self.assertRaises(ViolationError, self.judge, signed(**ahead | {"seq_ms": NOW_MS + SLACK_MS + 1}))

    def test_expired(self) -> None:
        end_ms = record().not_after_seconds * 1000 + SLACK_MS
        self.assertTrue(self.judge(signed(), end_ms))
        self.assertRaises(ViolationError, self.judge, signed(), end_ms + 1)

    def test_a_life_is_bounded_and_a_relays_is_shorter(self) -> None:
        for capabilities, life in ((0, limits.PEER_RECORD_LIFE_SECONDS),
                                   (CAPABLE_OF_RELAY, limits.PEER_RECORD_RELAY_LIFE_SECONDS)):
            for more in (0, 1):
                wish = record(capabilities=capabilities, not_after_seconds=NOW_MS // 1000 + life + more)
                if more:
                    self.assertRaises(ViolationError, self.judge, forged(wish))
                else:
                    self.assertEqual(self.judge(forged(wish)).record, wish)
        self.assertRaises(ViolationError, self.judge, forged(record(not_after_seconds=NOW_MS // 1000)))

    def test_sizes_by_kind(self) -> None:
        """2 KiB with one key, 8 KiB with two; 70 KiB is not even read."""
        anchor = Anchor(name(1), bytes(32))
        for kind, most in ((1, limits.PEER_RECORD_BYTES), (2, limits.PEER_RECORD_HYBRID_BYTES)):
            alice = identity("alice", kind).public
            room = most - len(forged(record(alice, via=(anchor,)), kind))
            for more in (0, 1):
                wish = record(alice, via=(replace(anchor, voucher=bytes(room + more)),))
                if more:
                    self.assertRaises(MalformedError, self.judge, forged(wish, kind))
                else:
                    self.assertEqual(len(self.judge(forged(wish, kind)).signed.encode()), most)
        self.assertRaises(MalformedError, self.judge, signed() + bytes(70 * limits.KIB))

    def test_nine_endpoints(self) -> None:
        nine = tuple(LinkEndpoint(f"192.0.2.{n}", 9999) for n in range(9))
        self.assertRaises(MalformedError, self.judge, forged(record(endpoints=nine)))

    def test_nobody_signs_what_nobody_takes(self) -> None:
        for wish in (record(identity("mallory").public), record(not_after_seconds=0),
                     record(via=(Anchor(name(1), bytes(32), bytes(3000)),)),
                     record(endpoints=(LinkEndpoint("a.example", 1),) * 2)):
            self.assertRaises(BugError, sign, identity("alice"), wish)


def delegated(kind: int = 1, serial: int = 7, key: str = "alice online", **changes: Any) -> bytes:
    """By alice's online key, which may until an hour after the record ends."""
    end = NOW_MS // 1000 + 7200
    terms = {"serial": serial, "not_before_seconds": end - 30 * DAY, "not_after_seconds": end}
    usages = changes.pop("usages", FOR_ALL)
    online, root = Identity(kind, Secret(seeds_of(key, kind))), identity("alice", kind)
    one = delegate(root, online.public, usages=usages, **terms)
    online.act_for(root.public, one.encode())
    wish = record(root.public, delegation=one.encode(), **changes)
    body = wish.encode()
    return SignedPeerRecord(wish, body, online.sign(labels.SIGN_PEER_RECORD, hashlib.sha512(body).digest())).encode()


def seeds_of(name: str, kind: int) -> bytes:
    """As ``identity(name, kind)`` draws them: for an identity of one's own to change."""
    return SeededRandom((name, kind)).bytes(KINDS[kind].seed_bytes)


class DelegatedTests(SynchronousTestCase):
    """Records that an online key signed. Row 25 as far as records go."""

    def judge(self, data: bytes, at_ms: int = NOW_MS, least: int = 0) -> Any:
        return judge(data, network=NETWORK, now_ms=at_ms, least_serial=lambda uuid: least)

    def test_every_kind_is_its_roots(self) -> None:
        for kind in (1, 2, 3, 4):
            known = self.judge(delegated(kind, endpoints=(LinkEndpoint("192.0.2.7", 9999),)))
            self.assertEqual(known.identity, identity("alice", kind).public)
            self.assertEqual(known.delegation.serial, 7)
            self.assertLess(len(known.signed.encode()), limits.PEER_RECORD_DELEGATED_BYTES)

    def test_sizes(self) -> None:
        """16 KiB for hybrids that delegate, still 2 KiB for the others; vouchers take what is left."""
        anchor = Anchor(name(1), bytes(32))
        for kind, most in ((1, limits.PEER_RECORD_BYTES), (2, limits.PEER_RECORD_DELEGATED_BYTES)):
            room = most - len(delegated(kind, via=(anchor,)))
            for more in (0, 1):
                data = delegated(kind, via=(replace(anchor, voucher=bytes(room + more)),))
                if more:
                    self.assertRaises(MalformedError, self.judge, data)
                else:
                    self.assertEqual(len(self.judge(data).signed.encode()), most)

    def test_not_for_records(self) -> None:
        self.assertTrue(self.judge(delegated(usages=FOR_RECORD)))
        self.assertRaises(ViolationError, self.judge, delegated(usages=FOR_ALL & ~FOR_RECORD))

    def test_an_older_delegation_than_was_seen(self) -> None:
        self.assertTrue(self.judge(delegated(), least=7))
        self.assertRaises(ViolationError, self.judge, delegated(), least=8)

    def test_no_record_outlives_its_delegation(self) -> None:
        end = NOW_MS // 1000 + 7200
        self.assertTrue(self.judge(delegated(not_after_seconds=end)))
        self.assertRaises(ViolationError, self.judge, delegated(not_after_seconds=end + 1))
        self.assertRaises(ViolationError, self.judge, delegated(), (end + 601) * 1000)

    def test_signed_by_the_root_beside_a_delegation(self) -> None:
        """Who delegates signs with the online key: one record has one signer."""
        whole = SignedPeerRecord.decode(delegated())
        by_root = identity("alice").sign(labels.SIGN_PEER_RECORD, hashlib.sha512(whole.body).digest())
        self.assertRaises(AuthenticationError, self.judge, replace(whole, signature=by_root).encode())

    def test_each_flipped_bit(self) -> None:
        whole = delegated()
        refused = (MalformedError, BadKeyError, ViolationError, AuthenticationError)
        for at in range(len(whole)):
            self.assertRaises(refused, self.judge, whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])

    def test_our_own(self) -> None:
        alice = Identity(1, Secret(seeds_of("alice online", 1)))
        one = delegate(identity("alice"), alice.public, serial=1, not_before_seconds=NOW_MS // 1000 - 5,
                       not_after_seconds=NOW_MS // 1000 + DAY)
        alice.act_for(identity("alice").public, one.encode())
        ours = sign(alice, record(delegation=one.encode()))
        self.assertEqual(self.judge(ours.encode()).delegation, one)
        self.assertRaises(BugError, sign, alice, record())
        self.assertRaises(BugError, sign, identity("alice"), record(delegation=one.encode()))

    def test_of_two_the_one_of_the_newer_delegation(self) -> None:
        """A stolen online key writes newer records for as long as it is good; who knows the next one is not misled."""
        stolen, new = self.judge(delegated(serial=7, seq_ms=NOW_MS + 5)), self.judge(delegated(serial=8, key="next"))
        older = self.judge(delegated(serial=8, key="next", seq_ms=NOW_MS - 1))
        by_root = self.judge(signed(seq_ms=NOW_MS + 9))
        for former, latter in ((stolen, new), (older, new), (stolen, older), (new, by_root), (stolen, by_root)):
            self.assertEqual((supersedes(latter, former), supersedes(former, latter)), (True, False))

    def test_nor_can_it_make_its_owner_look_two_faced(self) -> None:
        stolen, new = self.judge(delegated(serial=7)), self.judge(delegated(serial=8, key="next", family="x"))
        self.assertEqual(stolen.record.seq_ms, new.record.seq_ms)
        self.assertFalse(equivocates(stolen, new) or equivocates(new, stolen))
        self.assertTrue(equivocates(new, self.judge(delegated(serial=8, key="next"))))


class ComparedTests(SynchronousTestCase):
    def known(self, kind: int = 1, **changes: Any) -> Any:
        return judge(signed(kind, **changes), network=NETWORK, now_ms=NOW_MS)

    def test_the_newest_counts(self) -> None:
        old, new = self.known(), self.known(seq_ms=NOW_MS + 1)
        self.assertEqual((supersedes(new, old), supersedes(old, new)), (True, False))
        self.assertFalse(supersedes(self.known(), old) or supersedes(old, self.known()))

    def test_two_bodies_under_one_seq(self) -> None:
        one = self.known(2)
        self.assertTrue(equivocates(one, self.known(2, family="other")))
        self.assertFalse(equivocates(one, self.known(2)))
        self.assertFalse(equivocates(one, self.known(2, family="other", seq_ms=NOW_MS + 1)))
        self.assertFalse(equivocates(one, self.known(1, family="other")))
