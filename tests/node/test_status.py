"""Phases: every situation has a reason, and advice wherever something can be done."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.control.api import AnchorsBrief, DialReport
from quantumgate.node.status import UNDIALLED_ADVICE, Phase, Situation, invitation, judge

RUNNING = Situation(Phase.CONNECTED, 0, 0, (), "qg://U@H:1", False)
DOWN = DialReport(address="A", phase="waiting", reason="no answer", advice="look there")


class PhaseTests(SynchronousTestCase):
    def test_waiting_tells_how_to_begin(self) -> None:
        phase, reason, advice = judge(RUNNING)
        self.assertEqual((phase, reason), (Phase.WAITING, "no peer known yet"))
        self.assertIn("qgate access allow", advice)
        self.assertNotIn("access", judge(replace(RUNNING, admits_strangers=True))[2])
        _, reason, other = judge(replace(RUNNING, invitation=""))
        self.assertIn("nothing listens", reason)
        self.assertTrue(all(UNDIALLED_ADVICE in one for one in (advice, other)))

    def test_a_relay_needs_no_peer(self) -> None:
        phase, reason, advice = judge(replace(RUNNING, relay_links=1))
        self.assertEqual((phase, reason), (Phase.WAITING, "no peer of its own; as a relay it carries 1 link of others"))
        self.assertEqual(advice, "its address for others: qg://U@H:1")

    def test_connecting_names_the_blocker(self) -> None:
        self.assertEqual(judge(replace(RUNNING, down=(DOWN,))), (Phase.CONNECTING, "A: no answer", "look there"))

    def test_connected_still_names_what_is_down(self) -> None:
        self.assertEqual(judge(replace(RUNNING, peers=2)), (Phase.CONNECTED, "2 peers", ""))
        _, reason, advice = judge(replace(RUNNING, peers=1, kept=2, down=(DOWN,)))
        self.assertEqual((reason, advice), ("1 peer; 1 of 2 kept connections are down: A: no answer", "look there"))

    def test_a_node_that_no_anchor_serves_is_told_so(self) -> None:
        """Its peers are the anchors themselves: connected, and yet nobody can reach it."""
        for named, opened, told in ((0, 0, False), (2, 0, True), (2, 1, False)):
            now = replace(RUNNING, peers=2, anchors=AnchorsBrief(named, opened))
            phase, reason, advice = judge(now)
            self.assertEqual(("no anchor" in reason, "qgate relays" in advice), (told, told))
            self.assertIs(phase, Phase.CONNECTED)

    def test_a_node_that_does_not_run_says_why(self) -> None:
        failed = replace(RUNNING, life=Phase.FAILED, blocker="port taken", blocker_advice="free it")
        self.assertEqual(judge(failed), (Phase.FAILED, "port taken", "free it"))

    def test_an_address_to_hand_out(self) -> None:
        self.assertEqual(invitation("U", ["tcp:5:interface=127.0.0.1"]), "qg://U@127.0.0.1:5")
        self.assertEqual(invitation("U", ["tcp:5"]), "qg://U@THIS-HOST:5")
        self.assertEqual(invitation("U", []), "")
