"""Anchors of our own: asked, asked again in time, and what they may not say."""

from __future__ import annotations

from quantumgate.control.api import AnchorsBrief
from quantumgate.ids import QgAddress
from quantumgate.node.anchors import REFUSED_SECONDS
from quantumgate.node.contact import Contact
from quantumgate.wire import frames
from quantumgate.wire.link_frames import RelayTerms
from quantumgate.wire.reservation_frames import Grant
from tests.node.anchored import HIDDEN, AnchoredCase


class AnchorsTests(AnchoredCase):
    def contact(self) -> object:
        """The hidden node's session with its first anchor."""
        return next(one for one in self.hidden._parts.desk.table if one.peer.uuid == self.gates[0].uuid)  # type: ignore[union-attr]

    def test_each_grants_and_is_asked_again_before_the_hour_is_over(self) -> None:
        self.assertEqual(set(self.granted(self.hidden)), {gate.uuid for gate in self.gates[:2]})
        anchors = self.hidden._parts.desk.anchors  # type: ignore[union-attr]
        before = dict(anchors.granted)
        self.pass_time(3600 * 0.45)
        self.assertEqual(anchors.granted, before)
        self.pass_time(3600 * 0.36)
        for uuid, grant in anchors.granted.items():
            gained = grant.expiry_seconds - before[uuid].expiry_seconds
            self.assertTrue(0.5 * 3600 - 2 <= gained <= 0.8 * 3600 + 2, gained)
        self.pass_time(4 * 3600)
        for gate in self.gates[:2]:
            kept = gate._parts.relays.anchorage.reservations  # type: ignore[union-attr]
            self.assertTrue(kept._by_uuid[self.hidden.uuid].until > self.clock.seconds())
        self.assertEqual(self.reach(self.hidden.anchored_address, hops=2).uuid, self.hidden.uuid)

    def test_the_address_holds_all_that_is_needed(self) -> None:
        address = QgAddress.parse(self.hidden.anchored_address)
        self.assertEqual(str(address), self.hidden.anchored_address)
        self.assertEqual([one.uuid for one in address.anchors], [gate.uuid for gate in self.gates[:2]])
        self.assertEqual((address.hosts, len(address.key), self.client.anchored_address), ((), 52, ""))
        report = self.hidden.relays_snapshot()
        self.assertEqual((report.anchored_address, len(report.anchors)), (str(address), 2))
        self.assertNotIn(HIDDEN, self.hidden.anchored_address)
        self.assertNotIn(address.key, str(self.lines()) + repr(address) + str(self.hidden.status()))

    def test_what_has_become_of_each_is_told(self) -> None:
        def states() -> list[str]:
            return [one.state for one in self.hidden.relays_snapshot().anchor_states]

        self.assertEqual((states(), self.hidden.status().anchors), (["open", "open"], AnchorsBrief(2, 2)))
        self.assertEqual(list(self.gates[0].relays_snapshot().reserved_here), [str(self.hidden.uuid)])
        self.gates[0]._parts.relays.enabled = False  # type: ignore[union-attr]
        self.contact().drop()  # type: ignore[attr-defined]
        self.gates[1].stopService()
        self.pass_time(10)
        self.assertEqual((states(), self.hidden.status().anchors), (["refused", "not connected"], AnchorsBrief(2, 0)))
        self.assertEqual(list(self.gates[0].relays_snapshot().reserved_here), [])
        self.gates[0]._parts.relays.enabled = True  # type: ignore[union-attr]
        self.pass_time(REFUSED_SECONDS)
        self.assertEqual(states(), ["open", "not connected"])

    def test_the_key_outlives_a_restart(self) -> None:
        before = self.hidden.anchored_address
        self.done(self.hidden.stopService(), 40)
        self.hidden.startService()
        self.pass_time(5)
        self.assertEqual(self.hidden.anchored_address, before)
        self.assertEqual(self.reach(before, 40).uuid, self.hidden.uuid)

    def test_an_anchor_that_comes_back_is_asked_again(self) -> None:
        contact = self.contact()
        contact.drop()  # type: ignore[attr-defined]
        self.pass_time(10)
        self.assertIsNot(self.contact(), contact)
        self.assertEqual(len(self.granted(self.hidden)), 2)

    def test_the_end_of_an_older_session_is_not_the_end_of_the_reservation(self) -> None:
        """Found by reading: it took the newer session's grant with it, and the timer of the next RESERVE."""
        anchors = self.hidden._parts.desk.anchors  # type: ignore[union-attr]
        newer = self.contact()
        older = Contact(newer._desk, newer.where, outbound=True)  # type: ignore[attr-defined]
        older.session = newer.session  # type: ignore[attr-defined]
        anchors.arrived(older)
        anchors.arrived(newer)  # type: ignore[arg-type]
        self.pass_time(0.1)
        grant = anchors.granted[self.gates[0].uuid]
        anchors.answered(older, grant)
        for waiter in older._ends:
            waiter.callback(None)
        self.assertEqual(set(self.granted(self.hidden)), {gate.uuid for gate in self.gates[:2]})
        self.assertEqual(len(anchors.via()), 2)
        self.pass_time(3600 * 0.81)
        self.assertGreater(anchors.granted[self.gates[0].uuid].expiry_seconds, grant.expiry_seconds)

    def test_an_answer_that_nobody_asked_for(self) -> None:
        contact = self.contact()
        here = next(one for one in self.gates[0]._parts.desk.table if one.peer.uuid == self.hidden.uuid)  # type: ignore[union-attr]
        here.say(frames.RESERVED, Grant(0).encode())
        self.pass_time(0.1)
        self.assertTrue(contact.over)  # type: ignore[attr-defined]

    def test_a_voucher_that_does_not_verify(self) -> None:
        contact = self.contact()
        self.hidden._parts.desk.anchors._asked.add(contact)  # type: ignore[union-attr, arg-type]
        here = next(one for one in self.gates[0]._parts.desk.table if one.peer.uuid == self.hidden.uuid)  # type: ignore[union-attr]
        here.say(frames.RESERVED, Grant(1_900_000_000, RelayTerms(), b"s" * 64).encode())
        self.pass_time(0.1)
        self.assertTrue(contact.over)  # type: ignore[attr-defined]
