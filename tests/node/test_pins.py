"""Pins: the first contact ties a UUID to a key, nothing re-pins, and a restart knows."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.crypto.identity import Identity, PeerIdentity
from quantumgate.node import pins
from quantumgate.node.pins import SERIAL_MAX, Pins
from quantumgate.store.memory import MemoryDatabase
from tests.core.handshake.deputies import delegation
from tests.core.handshake.duel import identity
from tests.node.remembering import recalled
from tests.node.world import NodeCase


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

    def test_strangers_do_not_fill_the_disk(self) -> None:
        """Whoever may come by himself may come with a thousand new identities a second."""
        self.patch(pins, "PINS_OF_STRANGERS", 2)
        first, second, third = (Identity.generate().public for _ in range(3))
        for one in (first, second, third):
            self.pins.pin(one, stranger=True)
        self.assertEqual(set(self.state.pins), {first.uuid, second.uuid})
        self.pins.heard(third, delegation("alice", serial=9))
        self.assertEqual(self.pins.least_serial(third.uuid), 0)
        self.pins.pin(third)
        self.assertEqual(set(recalled(self.database).pins), {first.uuid, second.uuid, third.uuid})

    def test_only_what_is_new_is_written(self) -> None:
        for _ in range(3):
            self.pins.pin(self.peer)
        self.assertEqual(self.database.transactions, 1)
        self.assertEqual(recalled(self.database).pins, {self.peer.uuid: self.peer.fingerprint_text})


class SerialTests(SynchronousTestCase):
    """Of the newest delegation of a peer: remembered of pinned ones, never a smaller one."""

    def setUp(self) -> None:
        self.database = MemoryDatabase()
        self.pins = Pins(recalled(self.database))
        self.alice = identity("alice").public

    def hear(self, serial: int) -> int:
        self.pins.heard(self.alice, delegation("alice", serial=serial))
        return self.pins.least_serial(self.alice.uuid)

    def test_of_strangers_nothing_is_kept(self) -> None:
        self.assertEqual(self.hear(7), 0)

    def test_the_largest_stays_also_over_a_restart(self) -> None:
        self.pins.pin(self.alice)
        self.pins.heard(self.alice, None)
        self.assertEqual([self.hear(serial) for serial in (7, 9, 8, 9)], [7, 9, 9, 9])
        self.assertEqual(Pins(recalled(self.database)).least_serial(self.alice.uuid), 9)

    def test_larger_ones_than_a_store_holds(self) -> None:
        self.pins.pin(self.alice)
        self.assertEqual(self.hear((1 << 64) - 1), SERIAL_MAX)
        self.assertEqual(Pins(recalled(self.database)).least_serial(self.alice.uuid), SERIAL_MAX)


class MeetingTests(NodeCase):
    def test_who_came_by_himself_is_the_stranger(self) -> None:
        """Not whom we dialled, nor whom a rule names."""
        self.patch(pins, "PINS_OF_STRANGERS", 0)
        here = self.node("45.33.32.1", default_access="allow")
        named, stranger = (self.node(f"45.33.32.{n}", listen=()) for n in (2, 3))
        self.done(here.access.allow(named.uuid))
        for one in (named, stranger):
            self.done(one.connect(f"qg://{here.uuid}@45.33.32.1:9999"))
            self.assertEqual(set(one._parts.state.pins), {here.uuid})  # type: ignore[union-attr]
        self.assertEqual(set(here._parts.state.pins), {named.uuid})  # type: ignore[union-attr]
        self.assertTrue(any("strangers" in line for line in self.lines("warn")))
