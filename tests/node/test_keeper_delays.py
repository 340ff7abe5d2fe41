"""Reconnecting as an operator sees it: whole nodes on a fake clock, the delays read off ``status``."""

from __future__ import annotations

from quantumgate.control.api import DialReport
from quantumgate.errors import ConnectFailed
from quantumgate.node.node import Node
from tests.node.world import NodeCase

HOME, AWAY = "192.0.2.1", "198.51.100.1"
ABSENT = "qg://c0ffee00-1234-8abc-9def-0123456789ab@198.51.100.1:9999"


class DelayTests(NodeCase):
    def down(self, node: Node) -> DialReport:
        (report,) = node.status().connecting
        return report

    def delays(self, node: Node, number: int) -> list[float]:
        """The delays before the next ``number`` dials; each of them fails."""
        seen = []
        for _ in range(number):
            left = self.down(node).retry_seconds
            assert left is not None
            seen.append(left)
            self.pass_time(left)
        return seen

    def assert_steps(self, seen: list[float], *steps: float) -> None:
        for delay, step in zip(seen, steps, strict=True):
            self.assertTrue(0.8 * step <= delay <= step, f"{delay} s where the step is {step} s")

    def test_a_second_at_first_then_doubling_to_a_minute_with_jitter(self) -> None:
        node = self.node(HOME, listen=(), connect=(ABSENT,))
        self.settle()
        seen = self.delays(node, 10)
        self.assert_steps(seen, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60)
        self.assertEqual(len(set(seen[6:])), 4, "delays at the cap are drawn, too")

    def test_both_ends_are_settings(self) -> None:
        node = self.node(HOME, listen=(), connect=(ABSENT,), limits={"redial_min_seconds": 5, "redial_max_seconds": 12})
        self.settle()
        self.assert_steps(self.delays(node, 4), 5, 10, 12, 12)

    def test_connect_by_hand_dials_now_and_starts_over(self) -> None:
        node = self.node(HOME, listen=(), connect=(ABSENT,))
        self.settle()
        self.delays(node, 6)
        self.assertGreater(self.down(node).retry_seconds or 0, 40)
        error = self.failed(node.connect(ABSENT), ConnectFailed)
        self.assertEqual(error.reason, "unreachable")
        self.assert_steps(self.delays(node, 2), 1, 2)

    def test_a_session_that_lasted_starts_over_and_one_that_did_not_goes_on(self) -> None:
        right = self.node(AWAY, default_access="allow")
        left = self.node(HOME, listen=(), connect=(self.address(right, AWAY),))
        self.settle()
        for lasted_seconds, step in ((11, 1), (2, 2), (11, 1)):
            self.pass_time(lasted_seconds)
            self.network.cut()
            self.assert_steps(self.delays(left, 1), step)
            self.assertEqual(len(left.peers), 1)

    def test_reason_phase_and_advice_while_it_is_down(self) -> None:
        right = self.node(AWAY, default_access="allow")
        left = self.node(HOME, listen=(), connect=(self.address(right, AWAY),))
        self.settle()
        self.network.part([HOME], [AWAY])
        while left.peers:  # until it is noticed, which is a matter of luck, and not until the next try has failed
            self.pass_time(1)
        report, status = self.down(left), left.status()
        self.assertEqual(status.phase, "connecting")
        self.assertRegex(report.reason, "^the session ended: path lost: no answer for [0-9]+ s$")
        self.assertEqual(status.reason, f"{report.address}: {report.reason}")
        self.assertEqual(status.advice, "wait, it is tried again")
        self.pass_time(120)
        self.assertIn("no answer from", self.down(left).reason)
        self.assertIn("that the node there runs", left.status().advice)
        self.network.heal()
        self.pass_time(70)
        self.assertEqual((left.status().phase, left.status().reason, left.status().advice), ("connected", "1 peer", ""))

    def test_a_goodbye_of_the_peer_is_told_as_such(self) -> None:
        right = self.node(AWAY, default_access="allow")
        left = self.node(HOME, listen=(), connect=(self.address(right, AWAY),))
        self.settle()
        right.disconnect(left.uuid)
        self.settle()
        self.assertEqual(self.down(left).reason, "the session ended: bye")
