"""Reservations without a node: proofs by the hour, lives, room, and vouchers; and who may send the frames."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.delegations import FOR_ALL, FOR_VOUCHER
from quantumgate.core.relay.reservations import Reservations, check_grant, grant, proof
from quantumgate.errors import AuthenticationError, ViolationError
from quantumgate.wire.limits import RESERVATION_HOURS_APART
from quantumgate.wire.link_frames import RelayTerms
from tests.core.handshake.deputies import delegation, deputy
from tests.core.handshake.duel import identity

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
ANCHOR, CLIENT = identity("anchor"), identity("client")
WHO = CLIENT.public.uuid
WALL = 1_900_000_000.0
SESSION, NEWER = object(), object()


class ProofTests(SynchronousTestCase):
    def test_what_it_is(self) -> None:
        hour = (int(WALL) // 3600).to_bytes(8, "big")
        expected = hmac.new(KEY, ANCHOR.public.uuid.bytes + hour, hashlib.sha512).digest()
        self.assertEqual(proof(KEY, ANCHOR.public.uuid, WALL), expected)


class ReservedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.kept: Reservations[object] = Reservations(ANCHOR.public.uuid, 2, 3600)
        self.assertTrue(self.kept.reserve(WHO, KEY, SESSION, 0.0))

    def find(self, key: bytes = KEY, now: float = 1.0, hours: int = 0) -> object:
        given = proof(key, ANCHOR.public.uuid, WALL, hours)
        return self.kept.find(WHO, given, now, WALL)

    def test_the_hour_may_be_one_off_either_way(self) -> None:
        for hours in range(-RESERVATION_HOURS_APART, RESERVATION_HOURS_APART + 1):
            self.assertIs(self.find(hours=hours), SESSION)
        for hours in (-RESERVATION_HOURS_APART - 1, RESERVATION_HOURS_APART + 1):
            self.assertIsNone(self.find(hours=hours))

    def test_what_finds_nothing(self) -> None:
        self.assertIsNone(self.find(OTHER_KEY))
        self.assertIsNone(self.find(now=3600.0))
        elsewhere = proof(KEY, CLIENT.public.uuid, WALL)
        self.assertIsNone(self.kept.find(WHO, elsewhere, 1.0, WALL))
        zeros = proof(bytes(32), ANCHOR.public.uuid, WALL)
        self.assertIsNone(self.kept.find(ANCHOR.public.uuid, zeros, 1.0, WALL))

    def test_asked_anew_it_lives_on_under_the_newest_key(self) -> None:
        self.kept.reserve(WHO, OTHER_KEY, NEWER, 3000.0)
        self.assertIs(self.find(OTHER_KEY, now=6599.0), NEWER)
        self.assertIsNone(self.find(KEY, now=3001.0))
        self.kept.left(WHO, SESSION)
        self.assertEqual(len(self.kept), 1)
        self.kept.left(WHO, NEWER)
        self.assertEqual(len(self.kept), 0)

    def test_room(self) -> None:
        third = identity("third").public.uuid
        self.assertTrue(self.kept.reserve(ANCHOR.public.uuid, KEY, SESSION, 10.0))
        self.assertFalse(self.kept.reserve(third, KEY, SESSION, 10.0))
        self.assertTrue(self.kept.reserve(WHO, KEY, SESSION, 10.0))
        self.assertTrue(self.kept.reserve(third, KEY, SESSION, 3610.0))


class VoucherTests(SynchronousTestCase):
    def test_by_an_online_key(self) -> None:
        """Under the key that the anchor has in its session: not its root's, nor that of an older delegation."""
        for usages in (FOR_ALL, FOR_VOUCHER):
            one = delegation("anchor", usages=usages)
            given = grant(deputy("anchor", said=one.encode()), WHO, 5, RelayTerms())
            check_grant(given, ANCHOR.public, WHO, one)
            for wrong in (None, delegation("anchor", key="another")):
                self.assertRaises(AuthenticationError, check_grant, given, ANCHOR.public, WHO, wrong)
        without = delegation("anchor", usages=FOR_ALL & ~FOR_VOUCHER)
        self.assertRaises(ViolationError, check_grant, given, ANCHOR.public, WHO, without)

    def test_signed_for_this_client_and_these_terms(self) -> None:
        for kind in (1, 2, 3, 4):
            anchor = identity("anchor", kind)
            made = grant(anchor, WHO, 1_900_003_600, RelayTerms(1, 2, 3))
            check_grant(made, anchor.public, WHO)
            for wrong in (replace(made, expiry_seconds=1_900_003_601), replace(made, terms=RelayTerms(1, 2, 4))):
                self.assertRaises(AuthenticationError, check_grant, wrong, anchor.public, WHO)
            self.assertRaises(AuthenticationError, check_grant, made, anchor.public, ANCHOR.public.uuid)
            self.assertRaises(AuthenticationError, check_grant, made, CLIENT.public, WHO)
