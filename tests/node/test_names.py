"""Names that a node keeps: given, found, forgotten, never two for one and never two alike."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.control.api import NameReport
from quantumgate.errors import ConnectFailed, LimitError, LocalError
from quantumgate.ids import PeerUUID, parse_peer_uuid
from quantumgate.node.names import Names
from quantumgate.store.memory import MemoryDatabase
from tests.node.remembering import recalled

ONE = parse_peer_uuid("c0ffee00-1234-8abc-9def-0123456789ab")
TWO = parse_peer_uuid("deadbeef-1234-8abc-9def-0123456789ab")
THREE = parse_peer_uuid("00000000-1234-8abc-9def-0123456789ab")


class NamesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.database = MemoryDatabase()
        self.names = Names(recalled(self.database), 2)
        self.told: list[PeerUUID] = []
        self.names.changed = self.told.append

    def call(self, uuid: PeerUUID, name: str) -> None:
        self.successResultOf(self.names.put(uuid, name))

    def test_given_found_and_kept(self) -> None:
        self.call(ONE, "Bob")
        self.assertEqual((self.names.of(ONE), self.names.of(TWO), self.names.of(None)), ("bob", "", ""))
        self.assertEqual((self.names.peer("BOB"), self.names.peer(str(TWO))), (ONE, TWO))
        again = Names(recalled(self.database), 2)
        self.assertEqual(again.report(), [NameReport("bob", str(ONE))])
        self.assertEqual(self.told, [ONE])

    def test_another_name_for_the_same_peer(self) -> None:
        self.call(ONE, "bob")
        self.call(ONE, "b0b")
        self.assertEqual((self.names.of(ONE), self.names.find("bob")), ("b0b", None))

    def test_two_that_are_or_look_alike(self) -> None:
        self.call(ONE, "alice")
        for name in ("alice", "ALICE", "al1ce", "a-lice"):
            with self.assertRaises(LocalError) as caught:
                self.names.put(TWO, name)
            self.assertIn(str(ONE), str(caught.exception))
        self.assertEqual(self.names.of(TWO), "")

    def test_forgotten_by_name_and_by_uuid(self) -> None:
        for text in ("bob", str(ONE)):
            self.call(ONE, "bob")
            self.successResultOf(self.names.forget(text))
            self.assertEqual(self.names.report(), [])
        self.assertRaises(LocalError, self.names.forget, str(ONE))
        self.assertRaises(LocalError, self.names.forget, "bob")

    def test_no_more_than_a_number(self) -> None:
        self.call(ONE, "one")
        self.call(TWO, "two")
        self.assertRaises(LimitError, self.names.put, THREE, "three")
        self.assertRaises(LimitError, self.names.check, None, "three")
        self.call(TWO, "zwei")

    def test_addresses_stay_as_they_are_and_names_become_uuids(self) -> None:
        self.call(ONE, "bob")
        for text in ("tcp:127.0.0.1:9999", f"qg://{TWO}@192.0.2.1:9999", str(TWO), "qgr:AAAA"):
            self.assertEqual(self.names.resolved(text), text)
        self.assertEqual(self.names.resolved("Bob"), str(ONE))
        with self.assertRaises(ConnectFailed) as caught:
            self.names.resolved("carol")
        error = caught.exception
        self.assertEqual((error.reason, str(error)), ("bad-address", "nobody is called carol here"))
