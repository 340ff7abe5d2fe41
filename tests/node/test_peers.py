"""The table of peers: one announced session per identity, for every way in which two can meet."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from quantumgate.ids import PeerUUID, parse_peer_uuid
from quantumgate.interfaces import IPeer
from quantumgate.node.peers import Peer, PeerTable
from quantumgate.wire.codes import CloseCode

SMALL = parse_peer_uuid("11111111-1234-8abc-9def-0123456789ab")
LARGE = parse_peer_uuid("eeeeeeee-1234-8abc-9def-0123456789ab")


class FakeContact:
    """A contact that writes down what it is asked."""

    def __init__(self, uuid: PeerUUID | None, *, outbound: bool, instance: int = 1, replaces: bytes = b"") -> None:
        self.peer = Peer(uuid, "x", "outbound" if outbound else "inbound")
        self.outbound = outbound
        block = SimpleNamespace(instance=instance, replaces=replaces)
        self.session = SimpleNamespace(sid=bytes(str(id(self)), "ascii"), peer_block=block)
        self.session.peer = SimpleNamespace(uuid=uuid) if uuid is not None else None
        self.path: tuple[PeerUUID, ...] | None = None
        self.succeeds: FakeContact | None = None
        self.stands = True
        self.closed: list[int] = []
        self.pinged = 0

    def take_over(self, peer: Any) -> None:
        self.peer = peer

    def close(self, code: int, text: str = "", *, graceful: bool = True) -> None:
        self.closed.append(code)

    def ping_urgently(self) -> None:
        self.pinged += 1


class TableCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.told: list[tuple[str, Any]] = []

    def table(self, own: PeerUUID = SMALL, per_identity: int = 3) -> PeerTable:
        return PeerTable(
            own,
            announce=lambda contact: self.told.append(("arrived", contact)),
            withdraw=lambda contact, reason: self.told.append(("left", contact)),
            succeed=lambda former, contact: self.told.append(("succeeded", contact)),
            sessions_per_identity=per_identity,
        )


class OneSessionTests(TableCase):
    def test_arrives_and_leaves(self) -> None:
        table, contact = self.table(), FakeContact(LARGE, outbound=True)
        self.assertIs(table.arrived(contact), contact)
        self.assertIs(table.current(LARGE), contact)
        self.assertIs(table.contact_of(contact.peer), contact)
        self.assertEqual(list(table), [contact])
        table.gone(contact, "bye")
        self.assertEqual((len(table), table.sessions, table.current(LARGE)), (0, 0, None))
        self.assertEqual(self.told, [("arrived", contact), ("left", contact)])

    def test_nameless_ones_are_outside_the_rule(self) -> None:
        table = self.table()
        one, two = FakeContact(None, outbound=False), FakeContact(None, outbound=False)
        table.arrived(one)
        table.arrived(two)
        self.assertTrue(table.used(one))
        self.assertEqual(len(table), 2)
        table.gone(one, "bye")
        self.assertEqual(list(table), [two])
        self.assertFalse(table.used(one))

    def test_a_peer_is_what_the_interface_says(self) -> None:
        verifyObject(IPeer, Peer(LARGE, "host:1", "inbound"))
        self.assertTrue(Peer(LARGE, "", "inbound").authenticated)
        self.assertFalse(Peer(None, "", "inbound").authenticated)
        self.assertNotIn("eeeeeeee", repr(Peer(LARGE, "", "inbound")))


class TwoSessionsTests(TableCase):
    def meet(self, table: PeerTable, old: FakeContact, new: FakeContact) -> Any:
        table.arrived(old)
        return table.arrived(new)

    def test_dialled_from_both_ends_the_smaller_dialler_stays_on_both_sides(self) -> None:
        for own, other in ((SMALL, LARGE), (LARGE, SMALL)):
            for first_is_ours in (True, False):
                self.told.clear()
                table = self.table(own)
                old = FakeContact(other, outbound=first_is_ours)
                new = FakeContact(other, outbound=not first_is_ours)
                stays = self.meet(table, old, new)
                dialler = own if stays.outbound else other
                self.assertEqual(dialler, SMALL)
                loser = old if stays is new else new
                self.assertEqual((loser.closed, stays.closed), ([CloseCode.DUPLICATE], []))
                self.assertEqual(table.sessions, 1)
                if stays is new:
                    self.assertEqual(self.told, [("arrived", old), ("left", old), ("arrived", new)])

    def test_the_kept_one_is_checked_to_be_alive(self) -> None:
        old, new = FakeContact(LARGE, outbound=True), FakeContact(LARGE, outbound=False)
        self.meet(self.table(SMALL), old, new)
        self.assertEqual(old.pinged, 1)

    def test_another_instance_replaces(self) -> None:
        table = self.table()
        old, new = FakeContact(LARGE, outbound=True), FakeContact(LARGE, outbound=False, instance=2)
        self.assertIs(self.meet(table, old, new), new)
        self.assertEqual(old.closed, [CloseCode.REPLACED])
        table.gone(old, "replaced")
        self.assertEqual(self.told, [("arrived", old), ("left", old), ("arrived", new)])

    def test_a_redialler_names_what_it_replaces(self) -> None:
        old = FakeContact(LARGE, outbound=False)
        new = FakeContact(LARGE, outbound=False, replaces=old.session.sid)
        self.assertIs(self.meet(self.table(), old, new), new)
        self.assertEqual(old.closed, [CloseCode.REPLACED])

    def test_our_own_newest_dial_counts(self) -> None:
        old, new = FakeContact(LARGE, outbound=True), FakeContact(LARGE, outbound=True)
        self.assertIs(self.meet(self.table(), old, new), new)
        self.assertEqual(old.closed, [CloseCode.REPLACED])


class WaitingTests(TableCase):
    def setUp(self) -> None:
        super().setUp()
        self.peers = self.table()
        self.first, self.second = FakeContact(LARGE, outbound=False), FakeContact(LARGE, outbound=False)
        self.peers.arrived(self.first)
        self.assertIs(self.peers.arrived(self.second), self.first)
        self.told.clear()

    def test_the_second_waits_unannounced_and_the_first_is_pinged(self) -> None:
        self.assertEqual((len(self.peers), self.peers.sessions), (1, 2))
        self.assertEqual((self.first.pinged, self.second.closed, self.told), (1, [], []))
        self.assertEqual(self.peers.all_of(LARGE), [self.first, self.second])

    def test_it_takes_over_when_the_first_is_lost(self) -> None:
        self.peers.gone(self.first, "lost")
        self.assertEqual(self.told, [("left", self.first), ("arrived", self.second)])
        self.assertIs(self.peers.current(LARGE), self.second)
        self.assertEqual(self.peers.sessions, 1)

    def test_it_takes_over_when_the_peer_uses_it(self) -> None:
        self.assertTrue(self.peers.used(self.second))
        self.assertEqual(self.told, [("left", self.first), ("arrived", self.second)])
        self.assertEqual(self.first.closed, [CloseCode.REPLACED])

    def test_it_goes_unnoticed_when_it_was_the_loser_of_a_race(self) -> None:
        self.peers.gone(self.second, "duplicate")
        self.assertEqual((self.told, self.peers.sessions), ([], 1))
        self.assertFalse(self.peers.used(self.second))

    def test_reconnects_never_hold_more_than_the_limit(self) -> None:
        more = [FakeContact(LARGE, outbound=False) for _ in range(20)]
        for contact in more:
            self.peers.arrived(contact)
        self.assertEqual(self.peers.sessions, 3)
        self.assertEqual(self.second.closed, [CloseCode.TOO_MANY_SESSIONS])


class CircuitTests(TableCase):
    """A circuit's successor takes over the peer, at the end that built it and at the other."""

    def circuit(self, uuid: PeerUUID = LARGE, *, outbound: bool = True, **more: Any) -> FakeContact:
        made = FakeContact(uuid, outbound=outbound, **more)
        made.path = (SMALL,)
        made.peer.relayed = True
        return made

    def pair(self, outbound: bool) -> tuple[PeerTable, FakeContact, FakeContact]:
        table, old = self.table(), self.circuit(outbound=outbound)
        table.arrived(old)
        new = self.circuit(outbound=outbound, replaces=b"" if outbound else old.session.sid)
        new.succeeds = old if outbound else None
        return table, old, new

    def test_the_peer_is_the_same_and_the_old_one_stands_beside_it(self) -> None:
        for outbound in (True, False):
            self.told.clear()
            table, old, new = self.pair(outbound)
            peer = old.peer
            self.assertIs(table.arrived(new), new)
            self.assertEqual(self.told, [("arrived", old), ("succeeded", new)])
            self.assertIs(table.contact_of(peer), new)
            self.assertEqual((list(table), table.sessions, table.former_of(new)), ([new], 2, [old]))
            self.assertEqual((old.closed, set(table.all_of(LARGE))), ([], {old, new}))
            self.assertTrue(table.used(old), "what the peer opens there a moment too late is taken")

    def test_the_old_one_ends_without_a_word(self) -> None:
        table, old, new = self.pair(True)
        table.arrived(new)
        table.gone(old, "replaced")
        self.assertEqual(self.told[2:], [])
        self.assertEqual((table.sessions, table.former_of(new)), (1, []))
        table.gone(new, "bye")
        self.assertEqual((self.told[2:], len(table)), ([("left", new)], 0))

    def test_the_old_one_comes_back_where_the_new_one_is_lost(self) -> None:
        table, old, new = self.pair(False)
        table.arrived(new)
        table.gone(new, "lost")
        self.assertEqual(self.told[2:], [("succeeded", old)])
        self.assertIs(table.contact_of(old.peer), old)
        self.assertEqual((table.sessions, table.former_of(old)), (1, []))

    def test_of_several_the_newest_comes_back(self) -> None:
        table, oldest, old = self.pair(True)
        table.arrived(old)
        new = self.circuit()
        new.succeeds = old
        table.arrived(new)
        self.assertEqual((table.sessions, table.former_of(new)), (3, [oldest, old]))
        table.gone(new, "lost")
        self.assertIs(table.contact_of(old.peer), old)
        self.assertEqual(table.former_of(old), [oldest])

    def test_one_that_does_not_stand_any_more_does_not(self) -> None:
        table, old, new = self.pair(True)
        table.arrived(new)
        old.stands = False
        table.gone(new, "lost")
        self.assertEqual((self.told[2:], len(table)), ([("left", new)], 0))

    def test_who_names_somebody_elses_circuit_has_one_of_its_own(self) -> None:
        """Nor a direct session, one dialled by this side, or one that is over; then there are two peers."""
        other = parse_peer_uuid("cccccccc-1234-8abc-9def-0123456789ab")
        for what in ("somebody else's", "direct", "ours", "over", "nobody's"):
            table, old = self.table(), self.circuit(outbound=what == "ours")
            if what == "direct":
                old = FakeContact(LARGE, outbound=False)
            table.arrived(old)
            old.stands = what != "over"
            new = self.circuit(other if what == "somebody else's" else LARGE, outbound=False,
                               replaces=b"x" * 32 if what == "nobody's" else old.session.sid)
            table.arrived(new)
            self.assertEqual((len(table), table.contact_of(old.peer), table.contact_of(new.peer)), (2, old, new), what)

    def test_a_direct_session_succeeds_no_circuit(self) -> None:
        table, old, _ = self.pair(False)
        direct = FakeContact(LARGE, outbound=False, replaces=old.session.sid)
        table.arrived(direct)
        self.assertEqual((len(table), table.former_of(old)), (2, []))

    def test_one_that_comes_when_the_old_one_is_gone_is_new(self) -> None:
        for outbound in (True, False):
            self.told.clear()
            table, old, new = self.pair(outbound)
            table.gone(old, "lost")
            table.arrived(new)
            self.assertEqual(self.told, [("arrived", old), ("left", old), ("arrived", new)])
