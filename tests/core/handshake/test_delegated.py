"""Handshakes of online keys: who it is stays the root, who signs is told, and nobody sees it from outside."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.handshake import Established
from quantumgate.core.handshake.responder import RELAY_CLIENT
from quantumgate.wire.limits import MSG2_TOTAL_BYTES, MSG3_TOTAL_BYTES
from quantumgate.wire.session_tlvs import SessionBlock
from tests.core.handshake.deputies import NOW_SECONDS, delegated, delegation, online
from tests.core.handshake.duel import Duel, identity, settings


class DelegatedTests(SynchronousTestCase):
    def test_either_side_and_both_of_every_kind(self) -> None:
        for kind in (1, 2, 3, 4):
            for i, r in ((delegated("alice", kind), settings("bob")), (settings("alice"), delegated("bob", kind)),
                         (delegated("alice", kind), delegated("bob", kind))):
                duel = Duel(i, r).run()
                at_i, at_r = duel.established
                self.assertEqual((at_i.peer, at_r.peer), (r.identity.public, i.identity.public))
                for outcome, other in ((at_i, r), (at_r, i)):
                    one = outcome.peer_delegation
                    self.assertEqual(b"" if one is None else one.encode(), other.identity.delegation)
                self.assertEqual(at_i.root.reveal(), at_r.root.reveal())

    def test_the_uuid_that_is_dialled_is_the_roots(self) -> None:
        duel = Duel(r=delegated("bob"), target=identity("bob").public.uuid, pin=identity("bob").public.fingerprint)
        self.assertEqual(duel.run().established[0].peer, identity("bob").public)
        stranger = Duel(r=delegated("bob"), target=online("bob").public.uuid).run()
        self.assertNotIsInstance(stranger.initiator.outcome, Established)

    def test_nobody_sees_it_from_outside(self) -> None:
        """Totals are drawn as always, of every kind that the draw is large enough for, with a full SESSION."""
        session = SessionBlock(clock_ms=1, instance=2).encode()
        for kind in (1, 2, 3):
            for seed in range(6):
                duel = Duel(delegated("alice", kind), delegated("bob", kind), seed=seed, session_tlvs=session).run()
                (_, resp), (_, fin) = duel.wire[1:]
                self.assertTrue(MSG2_TOTAL_BYTES[0] <= len(resp) <= MSG2_TOTAL_BYTES[1], (kind, len(resp)))
                self.assertTrue(MSG3_TOTAL_BYTES[0] <= len(fin) <= MSG3_TOTAL_BYTES[1], (kind, len(fin)))

    def test_what_is_larger_goes_to_the_next_step(self) -> None:
        duel = Duel(delegated("alice", 4), delegated("bob", 4)).run()
        (_, resp), (_, fin) = duel.wire[1:]
        self.assertEqual((len(resp) % 4096, len(fin) % 4096), (0, 0))

    def test_a_nameless_side_says_nothing_of_it(self) -> None:
        duel = Duel(delegated("alice"), delegated("bob"), anonymous=True, role=RELAY_CLIENT).run()
        at_i, at_r = duel.established
        self.assertEqual((at_r.peer, at_r.peer_delegation, at_i.peer), (None, None, identity("bob").public))

    def test_after_a_retry(self) -> None:
        duel = Duel(delegated("alice", primaries=(2, 1)), delegated("bob", primaries=(1,))).run()
        self.assertTrue(duel.established[0].retried)
        self.assertEqual(duel.established[1].peer, identity("alice").public)

    def test_a_serial_that_was_seen_is_good_again(self) -> None:
        seen = settings("alice", least_serial=lambda uuid: NOW_SECONDS * 1000)
        self.assertEqual(Duel(seen, delegated("bob")).run().established[0].peer_delegation, delegation("bob"))
