"""The front desk: verdicts and what everybody is told of them, clocks, notices, and the line that is read no more."""

from __future__ import annotations

from typing import Any

from quantumgate.core.requests import PeerCheck
from quantumgate.crypto.identity import Identity
from quantumgate.errors import ConnectFailed
from quantumgate.node.contact import Contact
from quantumgate.node.desk import CLOCK_OPINIONS_KEPT, NOTICES_KEPT, FrontDesk
from quantumgate.node.node import Node
from quantumgate.wire.codes import CloseCode
from tests.node.world import NodeCase

HOME, AWAY, ELSEWHERE = "192.0.2.1", "198.51.100.1", "198.51.100.2"


class DeskCase(NodeCase):
    def desk(self, node: Node) -> FrontDesk:
        parts = node._parts
        assert parts is not None
        return parts.desk

    def contact(self, desk: FrontDesk, outbound: bool = False) -> Contact:
        return Contact(desk, "203.0.113.5:77", outbound=outbound)


class VerdictTests(DeskCase):
    def verdict(self, node: Node, identity: Any, role: int = 1) -> Any:
        desk = self.desk(node)
        return desk.judge(self.contact(desk), PeerCheck(identity, role, True))

    def test_a_stranger_a_friend_and_somebody_with_another_role(self) -> None:
        friend, stranger = Identity.generate().public, Identity.generate().public
        node = self.node(HOME, allow=(str(friend.uuid),))
        self.assertTrue(self.verdict(node, friend).admitted)
        for identity, role in ((stranger, 1), (friend, 2), (None, 1), (None, 2)):
            denied = self.verdict(node, identity, role)
            self.assertEqual((denied.admitted, denied.code), (False, CloseCode.ACCESS_DENIED))

    def test_the_nameless_come_in_where_they_may(self) -> None:
        self.assertTrue(self.verdict(self.node(HOME, require_authentication=False), None).admitted)

    def test_why_is_for_our_log_alone(self) -> None:
        stranger = Identity.generate().public
        denied = self.verdict(self.node(HOME), stranger)
        self.assertEqual(denied.text, "")
        (line,) = [line for line in self.lines("warn") if "access denied" in line]
        self.assertIn('node.default_access = "deny" and no rule names it', line)
        self.assertNotIn(str(stranger.uuid), line)
        self.assertNotIn("203.0.113.5", line)

    def test_a_knocker_fills_no_log(self) -> None:
        node, stranger = self.node(HOME), Identity.generate().public
        for _ in range(50):
            self.verdict(node, stranger)
        self.assertEqual(len([line for line in self.lines("warn") if "access denied" in line]), 1)

    def test_a_full_house(self) -> None:
        node = self.node(HOME, default_access="allow", limits={"sessions": 1, "sessions_per_identity": 1})
        left = self.node(AWAY, listen=())
        self.done(left.connect(self.address(node, HOME)))
        late = self.node(ELSEWHERE, listen=())
        error = self.failed(late.connect(self.address(node, HOME)), ConnectFailed, 5)
        self.assertEqual((error.reason, str(error)), ("refused", f"{HOME}:9999 refused: busy"))
        self.assertTrue([line for line in self.lines("warn") if "limits.sessions" in line])
        self.assertEqual(len(node.peers), 1)

    def test_a_full_house_tells_those_whom_it_knows_who_it_is(self) -> None:
        node = self.node(HOME, default_access="allow", limits={"sessions": 1, "sessions_per_identity": 1})
        friend, other = self.node(AWAY, listen=()), self.node(ELSEWHERE, listen=())
        self.done(friend.connect(self.address(node, HOME)))
        self.done(friend.disconnect(node.uuid), 1)
        self.done(other.connect(self.address(node, HOME)))
        error = self.failed(friend.connect(self.address(node, HOME)), ConnectFailed, 5)
        self.assertEqual(error.reason, "too-many-sessions")

    def test_the_last_sessions_are_for_those_whom_we_know(self) -> None:
        """Ten sessions, two of them kept: strangers fill eight; then a token, a rule, or our own dial is needed."""
        limits = {"sessions": 10, "sessions_per_identity": 1, "sessions_reserve_share": 0.2}
        node = self.node(HOME, default_access="allow", limits=limits)
        friend = self.node(AWAY, listen=())
        self.done(friend.connect(self.address(node, HOME)))
        self.done(friend.disconnect(node.uuid), 1)
        strangers = [self.node(f"192.0.2.{number}", listen=()) for number in range(100, 109)]
        for stranger in strangers[:8]:
            self.done(stranger.connect(self.address(node, HOME)))
        error = self.failed(strangers[8].connect(self.address(node, HOME)), ConnectFailed, 5)
        self.assertEqual(error.reason, "refused")
        self.done(friend.connect(self.address(node, HOME)), 1)
        self.assertEqual(len(node.peers), 9)
        desk, named = self.desk(node), Identity.generate().public
        self.assertFalse(self.verdict(node, named).admitted)
        node.access.allow(named.uuid)
        self.assertTrue(self.verdict(node, named).admitted)
        self.assertTrue(desk.full())

    def test_another_key_for_a_pinned_uuid_is_a_notice_and_no_entry(self) -> None:
        node, friend, forger = self.node(HOME, default_access="allow"), Identity.generate().public, Identity.generate()
        node._parts.pins.pin(friend)  # type: ignore[union-attr]
        forged = type(friend)(friend.uuid, forger.public.kind, forger.public.bundle, forger.public.fingerprint)
        self.assertFalse(self.verdict(node, forged).admitted)
        (notice,) = node.status().notices
        self.assertIn("pin: another key than the pinned one", notice)
        self.assertTrue([line for line in self.lines("error") if line.startswith("security: pin")])
        for _ in range(NOTICES_KEPT + 10):
            self.verdict(node, forged)
        self.assertEqual(len(node.status().notices), NOTICES_KEPT)


class ClockTests(DeskCase):
    def test_what_peers_say_of_our_clock(self) -> None:
        left = self.node(HOME, listen=())
        self.assertIsNone(self.desk(left).clock_off_seconds)
        for place, drift in ((AWAY, 300.0), (ELSEWHERE, 310.0), ("198.51.100.3", -5.0)):
            right = self.node(place, default_access="allow")
            self.drifts[right].seconds = drift
            self.done(left.connect(self.address(right, place)))
        off = self.desk(left).clock_off_seconds
        self.assertAlmostEqual(off or 0, 300, places=0)
        self.assertTrue([line for line in self.lines("warn") if "says that this clock is 300 s off" in line])
        error = self.failed(left.connect("qg://c0ffee00-1234-8abc-9def-0123456789ab@198.51.100.3:9999"),
                            ConnectFailed, 60)
        self.assertIn("(peers say 300 s off)", str(error))

    def test_no_more_opinions_are_kept_than_a_number(self) -> None:
        desk = self.desk(self.node(HOME))
        for number in range(CLOCK_OPINIONS_KEPT + 5):
            desk._hear_clock(number, int((number + self.drifts[self.nodes[0]].seconds) * 1000))  # type: ignore[arg-type]
        self.assertEqual(len(desk._clock_opinions), CLOCK_OPINIONS_KEPT)


class EndTests(DeskCase):
    def test_a_denied_peer_loses_the_session_it_has(self) -> None:
        left, right = self.node(HOME, listen=()), self.node(AWAY, default_access="allow")
        self.done(left.connect(self.address(right, AWAY)))
        right.access.deny(left.uuid)
        self.settle()
        self.assertEqual((left.peers, right.peers), ((), ()))
        (down,) = left.status().connecting
        self.assertIn("access denied", down.reason)

    def test_a_dialler_names_the_session_that_it_lost(self) -> None:
        left, right = self.node(HOME, listen=()), self.node(AWAY, default_access="allow")
        self.done(left.connect(self.address(right, AWAY)))
        (contact,) = self.desk(left).contacts
        sid = contact.session.sid
        self.network.cut()
        self.assertEqual(self.desk(left).last_sid, {right.uuid: sid})
        self.pass_time(5)
        (again,) = self.desk(right).contacts
        self.assertEqual(again.session.peer_block.replaces, sid)

    def test_stopping_waits_for_the_last_line(self) -> None:
        left, right = self.node(HOME, listen=()), self.node(AWAY, default_access="allow")
        self.done(left.connect(self.address(right, AWAY)))
        gone = self.desk(left).all_left()
        self.assertNoResult(gone)
        self.network.cut()
        self.successResultOf(gone)
