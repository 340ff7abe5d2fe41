"""Delegations: made, judged, refused. Row 25 of the attacks as far as one delegation goes."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core import delegations
from quantumgate.core.delegations import (
    FOR_ALL,
    FOR_HANDSHAKE,
    FOR_RECORD,
    FOR_VOUCHER,
    Delegation,
    delegate,
    delegation_bytes,
    judge,
    signing_bundle,
)
from quantumgate.crypto import labels
from quantumgate.crypto.identity import Identity
from quantumgate.errors import AuthenticationError, BadKeyError, BugError, MalformedError, ViolationError
from quantumgate.wire.limits import DELEGATION_SECONDS, VALIDITY_SLACK_SECONDS
from tests.core.handshake.duel import identity

NOW = 1_900_000_000
DAY = 86_400


def made(kind: int = 1, **changes: Any) -> Delegation:
    """Alice's root lets her online key act for a month, unless changed."""
    values: dict[str, Any] = {
        "serial": 7, "not_before_seconds": NOW, "not_after_seconds": NOW + 30 * DAY, "usages": FOR_ALL,
    }
    return delegate(identity("alice", kind), identity("alice online", kind).public, **values | changes)


def forged(root: Identity | None = None, **changes: Any) -> bytes:
    """What ``delegate`` would not make, signed by alice's root (or another) all the same."""
    wish = replace(made(), **changes)
    signer = root or identity("alice")
    seal = signer.sign(labels.SIGN_DELEGATION, hashlib.sha512(wish.signed_part()).digest())
    return replace(wish, signature=seal).encode()


class JudgeTests(SynchronousTestCase):
    def judge(self, data: bytes, at: float = NOW, usage: int = FOR_HANDSHAKE, least: int = 0) -> Delegation:
        return judge(data, identity("alice").public, usage=usage, now_ms=int(at * 1000), least_serial=least)

    def test_every_kind(self) -> None:
        for kind in (1, 2, 3, 4):
            one = made(kind)
            self.assertEqual(len(one.encode()), delegation_bytes(kind))
            found = judge(one.encode(), identity("alice", kind).public, usage=FOR_RECORD, now_ms=NOW * 1000)
            self.assertEqual(found, one)
            self.assertEqual(found.online_bundle, identity("alice online", kind).public.bundle)

    def test_when(self) -> None:
        data, end = made().encode(), NOW + 30 * DAY
        for good in (NOW, NOW - VALIDITY_SLACK_SECONDS, end, end + VALIDITY_SLACK_SECONDS):
            self.judge(data, good)
        for bad in (NOW - VALIDITY_SLACK_SECONDS - 0.001, end + VALIDITY_SLACK_SECONDS + 0.001, NOW - DAY, end + DAY):
            self.assertRaises(ViolationError, self.judge, data, bad)

    def test_for_what(self) -> None:
        for usage in (FOR_HANDSHAKE, FOR_RECORD, FOR_VOUCHER):
            self.judge(made(usages=usage).encode(), usage=usage)
            self.judge(made(usages=usage | 0x8000).encode(), usage=usage)  # bits that are not ours are ignored
            self.assertRaises(ViolationError, self.judge, made(usages=0xFFFF & ~usage).encode(), usage=usage)

    def test_an_older_one_than_was_seen(self) -> None:
        data = made(serial=7).encode()
        for least in (0, 6, 7):
            self.assertEqual(self.judge(data, least=least).serial, 7)
        self.assertRaises(ViolationError, self.judge, data, least=8)

    def test_a_life_that_is_none_or_too_long(self) -> None:
        self.judge(made(not_after_seconds=NOW + DELEGATION_SECONDS).encode())
        for end in (NOW, NOW - 1, 0, NOW + DELEGATION_SECONDS + 1, (1 << 64) - 1):
            self.assertRaises(ViolationError, self.judge, forged(not_after_seconds=end))
        self.assertRaises(BugError, made, not_after_seconds=NOW + DELEGATION_SECONDS + 1)

    def test_by_another_root(self) -> None:
        mallory = identity("mallory")
        theirs = delegate(mallory, mallory.public, serial=9, not_before_seconds=NOW, not_after_seconds=NOW + DAY)
        self.assertRaises(ViolationError, self.judge, theirs.encode())
        renamed = forged(mallory, root_fingerprint=identity("alice").public.fingerprint)
        self.assertRaises(AuthenticationError, self.judge, renamed)

    def test_of_another_kind(self) -> None:
        """A hybrid root is not stripped to its classical half, nor by a classical key that says it were hybrid."""
        hybrid, classical = identity("alice", 2), identity("alice online", 1).public
        self.assertRaises((BugError, MalformedError), delegate, hybrid, classical, serial=1, not_before_seconds=NOW,
                          not_after_seconds=NOW + DAY)
        root, wish = hybrid.public, made(1)
        data = replace(wish, root_fingerprint=root.fingerprint).encode()
        self.assertRaises(ViolationError, judge, data, root, usage=FOR_HANDSHAKE, now_ms=NOW * 1000)
        inside = b"\x03" + identity("alice online").public.bundle[1:]
        self.assertRaises(ViolationError, self.judge, forged(online_bundle=inside))

    def test_an_online_key_that_must_not_be_used(self) -> None:
        self.assertRaises(BadKeyError, self.judge, forged(online_bundle=b"\x01" + bytes(32)))

    def test_each_flipped_bit(self) -> None:
        whole = made().encode()
        refused = (MalformedError, BadKeyError, ViolationError, AuthenticationError)
        for at in range(len(whole)):
            for bit in (0, 3, 7):
                self.assertRaises(refused, self.judge, whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :])

    def test_other_lengths(self) -> None:
        whole = made().encode()
        for data in (b"", whole[:-1], whole + b"\0", whole[:1], b"\x05" + whole[1:], made(2).encode()[:-1]):
            self.assertRaises(MalformedError, Delegation.decode, data)

    def test_signed_under_another_name_or_by_the_online_key(self) -> None:
        one = replace(made(), signature=b"")
        digest = hashlib.sha512(one.signed_part()).digest()
        for who, label in ((identity("alice"), labels.SIGN_PEER_RECORD),
                           (identity("alice online"), labels.SIGN_DELEGATION)):
            self.assertRaises(AuthenticationError, self.judge, replace(one, signature=who.sign(label, digest)).encode())

    def test_half_of_a_hybrid_signature(self) -> None:
        one, root = made(2), identity("alice", 2).public
        for seal in (bytes(64) + one.signature[64:], one.signature[:64] + bytes(3309)):
            self.assertRaises(AuthenticationError, judge, replace(one, signature=seal).encode(), root,
                              usage=FOR_HANDSHAKE, now_ms=NOW * 1000)

    def test_a_good_one_is_verified_once(self) -> None:
        asked: list[Any] = []
        verify = delegations.verify
        self.patch(delegations, "verify", lambda *given: (asked.append(given), verify(*given))[1])
        data = made(serial=1234567).encode()
        asked.clear()
        for _ in range(3):
            self.judge(data)
        self.assertEqual(asked, [])
        other = forged(serial=7654321)
        asked.clear()
        self.judge(other)
        self.judge(other)
        self.assertEqual(len(asked), 1)


class SigningBundleTests(SynchronousTestCase):
    def test_whose_key(self) -> None:
        alice, one = identity("alice").public, made(usages=FOR_RECORD)
        self.assertEqual(signing_bundle(alice, None, FOR_VOUCHER), alice.bundle)
        self.assertEqual(signing_bundle(alice, one, FOR_RECORD), one.online_bundle)
        self.assertRaises(ViolationError, signing_bundle, alice, one, FOR_VOUCHER)
