"""Pins: the first contact ties a UUID to a key, nothing re-pins, and a restart knows."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.crypto.identity import Identity, PeerIdentity
from quantumgate.node.pins import Pins
from quantumgate.store.memory import MemoryDatabase
from tests.node.remembering import recalled


class PinTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.database = MemoryDatabase()
        self.state = recalled(self.database)
        self.pins = Pins(self.state)
        self.peer, self.other = Identity.generate().public, Identity.generate().public

    def forged(self) -> PeerIdentity:
        """The peer's UUID with another's key, which 118 bits of a hash should make impossible."""
        return PeerIdentity(self.peer.uuid, self.other.kind, self.other.bundle, self.other.fingerprint)

    def test_a_stranger_contradicts_nothing(self) -> None:
        self.assertIsNone(self.pins.of(self.peer.uuid))
        self.assertFalse(self.pins.contradicts(self.peer))

    def test_the_first_contact_pins_for_good(self) -> None:
        self.pins.pin(self.peer)
        self.assertEqual(self.pins.of(self.peer.uuid), self.peer.fingerprint)
        self.assertFalse(self.pins.contradicts(self.peer))
        self.assertFalse(self.pins.contradicts(self.other))

    def test_another_key_contradicts_and_does_not_re_pin(self) -> None:
        self.pins.pin(self.peer)
        self.assertTrue(self.pins.contradicts(self.forged()))
        self.pins.pin(self.forged())
        self.assertEqual(self.pins.of(self.peer.uuid), self.peer.fingerprint)

    def test_only_what_is_new_is_written(self) -> None:
        for _ in range(3):
            self.pins.pin(self.peer)
        self.assertEqual(self.database.transactions, 1)
        self.assertEqual(recalled(self.database).pins, {self.peer.uuid: self.peer.fingerprint_text})
