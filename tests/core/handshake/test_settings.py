"""Settings: floors, candidate keys, the cap of a first flight."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.crypto.secret import Secret
from quantumgate.ids import NOBODY
from tests.core.handshake.duel import identity, settings


class SettingsTests(SynchronousTestCase):
    """What follows from what a node says."""

    def test_nothing_below_the_floor_is_offered(self) -> None:
        lists = settings("alice", minimum_primaries=frozenset({2}), minimum_aeads=frozenset()).lists
        self.assertEqual((lists.primaries, lists.aeads), ((2,), ()))
        self.assertEqual(settings("alice", secondaries=(2, 1)).lists.secondaries, (2, 1))

    def test_at_most_four_candidates_the_likeliest_first(self) -> None:
        old = identity("old").public.uuid
        uuid = identity("bob").public.uuid
        psk, previous = Secret(b"p" * 32), Secret(b"q" * 32)
        full = settings("bob", psk=psk, previous_psk=previous, previous_uuid=old).candidates
        self.assertEqual([one.target for one in full], [uuid.bytes, old.bytes, NOBODY.bytes, uuid.bytes])
        self.assertEqual([one.addressed for one in full], [True, True, False, True])
        self.assertNotEqual(full[0].obf, full[3].obf)
        self.assertTrue(all(one.shared_secret for one in full))
        self.assertEqual(len(settings("bob").candidates), 2)
        self.assertFalse(settings("bob").candidates[0].shared_secret)

    def test_a_dialler_and_a_listener_meet(self) -> None:
        psk = Secret(b"p" * 32)
        bob = settings("bob", psk=psk)
        dialled = settings("alice", psk=psk).dial_candidate(bob.identity.public.uuid)
        self.assertEqual((dialled.obf, dialled.ke_salt), (bob.candidates[0].obf, bob.candidates[0].ke_salt))
        self.assertEqual(settings("alice", psk=psk).dial_candidate(None).obf, bob.candidates[1].obf)

    def test_only_mceliece_makes_first_flights_large(self) -> None:
        self.assertEqual(settings("bob").first_flight_bytes, 65_536)
        self.assertEqual(settings("bob", secondaries=(1, 32)).first_flight_bytes, 1_572_864)
