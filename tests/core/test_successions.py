"""Successions: signed by both roots, told as text, refused where anything in them is wrong."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.successions import SCHEME, TEXT_LETTERS_MAX, Succession, judge, succeed
from quantumgate.crypto import labels
from quantumgate.errors import AuthenticationError, BadKeyError, BugError, MalformedError, ViolationError
from quantumgate.wire.limits import SUCCESSION_SECONDS, VALIDITY_SLACK_SECONDS
from tests.core.handshake.duel import identity

NOW = 1_900_000_000
REFUSED = (MalformedError, BadKeyError, ViolationError, AuthenticationError)


def made(old_kind: int = 1, new_kind: int = 1) -> Succession:
    """Alice's next key."""
    return succeed(identity("alice", old_kind), identity("alice next", new_kind), now_seconds=NOW)


def forged(**changes: Any) -> str:
    """What ``succeed`` would not make: signed by both all the same."""
    wish = replace(made(), **changes)
    digest = hashlib.sha512(wish.signed_part()).digest()
    old, new = (identity(name).sign(labels.SIGN_SUCCESSION, digest) for name in ("alice", "alice next"))
    return replace(wish, old_signature=old, new_signature=new).text


class SuccessionTests(SynchronousTestCase):
    def judge(self, text: str, at: float = NOW) -> Succession:
        return judge(text, now_ms=int(at * 1000))

    def test_from_any_kind_to_any(self) -> None:
        for old in (1, 2, 3, 4):
            for new in (1, 4):
                one = made(old, new)
                self.assertEqual(self.judge(f"\n {one.text} "), one)
                self.assertLessEqual(len(one.text), TEXT_LETTERS_MAX)
        self.assertEqual(len(made(4, 4).text), TEXT_LETTERS_MAX)

    def test_when(self) -> None:
        text, end = made().text, NOW + SUCCESSION_SECONDS
        for good in (NOW - VALIDITY_SLACK_SECONDS, NOW, end + VALIDITY_SLACK_SECONDS):
            self.judge(text, good)
        for bad in (NOW - VALIDITY_SLACK_SECONDS - 0.001, end + VALIDITY_SLACK_SECONDS + 0.001):
            self.assertRaises(ViolationError, self.judge, text, bad)
        for wrong in (NOW, NOW - 1, NOW + SUCCESSION_SECONDS + 1):
            self.assertRaises(ViolationError, self.judge, forged(not_after_seconds=wrong))

    def test_one_of_the_two_did_not_sign(self) -> None:
        one, mallory = made(), identity("mallory")
        other = mallory.sign(labels.SIGN_SUCCESSION, hashlib.sha512(one.signed_part()).digest())
        for wrong in ({"old_signature": other}, {"new_signature": other},
                      {"old_signature": one.new_signature, "new_signature": one.old_signature}):
            self.assertRaises(AuthenticationError, self.judge, replace(one, **wrong).text)

    def test_under_another_name(self) -> None:
        one = made()
        digest = hashlib.sha512(one.signed_part()).digest()
        wrong = replace(one, old_signature=identity("alice").sign(labels.SIGN_DELEGATION, digest))
        self.assertRaises(AuthenticationError, self.judge, wrong.text)

    def test_of_a_key_to_itself(self) -> None:
        alice = identity("alice")
        self.assertRaises(BugError, succeed, alice, alice, now_seconds=NOW)
        self.assertRaises(ViolationError, self.judge, replace(made(), new=alice.public).text)

    def test_each_flipped_bit(self) -> None:
        whole = made().encode()
        for at in range(len(whole)):
            damaged = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
            text = SCHEME + base64.urlsafe_b64encode(damaged).decode().rstrip("=")
            self.assertRaises(REFUSED, self.judge, text)

    def test_texts_that_are_none(self) -> None:
        text = made().text
        for wrong in ("", SCHEME, text[:-1], text + "A", text.replace(SCHEME, "qgr:"), text[:80], text + "=",
                      text + " " + text, SCHEME + "A" * TEXT_LETTERS_MAX, SCHEME + "\u00e4", SCHEME + "AQ",
                      SCHEME + "AQE"):
            self.assertRaises(MalformedError, self.judge, wrong)
