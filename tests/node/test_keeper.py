"""The keeper: first retry after a second, doubling, reset by hand, and no retry for who was let go."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.errors import ConnectFailed
from quantumgate.ids import parse_peer_uuid
from quantumgate.node.dialling import Route, Target
from quantumgate.node.keeper import Keeper
from quantumgate.testing.network import MemoryNetwork
from quantumgate.wire.limits import DEFAULT_LIMITS
from tests.node.world import Drift, memory_world

ONE = parse_peer_uuid("c0ffee00-1234-8abc-9def-0123456789ab")


class KeeperTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.network = MemoryNetwork()
        self.clock = self.network.clock
        self.dials: list[Deferred[Any]] = []
        self.keeper = Keeper(memory_world(self.network, "x", Drift()), DEFAULT_LIMITS, self.connect)
        self.target = Target(f"qg://{ONE}@h:1", ONE, None, ())
        self.addCleanup(self.keeper.stop)

    def connect(self, target: Target, *, keep: bool) -> Deferred[Any]:
        self.dials.append(Deferred())
        return self.dials[-1]

    def fail_dial(self) -> float:
        self.dials[-1].errback(ConnectFailed("unreachable", "no"))
        (report,) = self.keeper.reports()
        assert report.retry_seconds is not None
        return report.retry_seconds

    def test_a_lost_circuit_is_built_anew_and_another_of_the_same_peer_is_not(self) -> None:
        target = Target(f"qg://{ONE}@h:1", ONE, None, (), (("h", 1),), Route(3))
        contact, other = self.contact(path=("g",)), self.contact(path=("h",))
        self.keeper.keep(target, contact)
        self.keeper.arrived(other)
        self.keeper.gone(other, still_connected=False)
        self.assertEqual(self.keeper.reports(), [])
        self.keeper.gone(contact, still_connected=True)
        (report,) = self.keeper.reports()
        self.assertEqual((report.address, report.reason), (f"qg://{ONE}@h:1 through 3",
                                                           "the session ended: path lost: no answer for 20 s"))
        self.clock.advance(1)
        self.dials[0].callback(other)
        self.assertEqual(self.keeper.reports(), [])
        self.assertFalse(self.keeper.let_go(contact))
        self.assertTrue(self.keeper.let_go(other))
        self.keeper.gone(other, still_connected=False)
        self.clock.advance(500)
        self.assertEqual(len(self.dials), 1)

    def test_a_direct_session_and_a_circuit_are_kept_apart(self) -> None:
        direct, relayed = self.contact(), self.contact(path=("g",))
        self.keeper.keep(self.target, direct)
        self.keeper.keep(Target(f"qg://{ONE}@h:1", ONE, None, (), (("h", 1),), Route(2)), relayed)
        self.assertEqual(len(self.keeper), 2)
        self.keeper.gone(direct, still_connected=False)
        self.keeper.arrived(self.contact(path=("h",)))
        self.assertEqual([report.address for report in self.keeper.reports()], [f"qg://{ONE}@h:1"])
        self.assertTrue(self.keeper.forget(ONE))
        self.assertEqual(len(self.keeper), 0)

    def contact(self, path: Any = None) -> Any:
        return SimpleNamespace(peer=SimpleNamespace(uuid=ONE), the_peer=SimpleNamespace(uuid=ONE), over=False,
                               path=path, session=SimpleNamespace(keep=False), connected_at=self.clock.seconds(),
                               dialled="", ending="path lost: no answer for 20 s")

    def test_retries_double_and_stay_visible(self) -> None:
        self.keeper.keep(self.target)
        for step in (1, 2, 4, 8, 16, 32, 60, 60):
            left = self.fail_dial()
            self.assertTrue(step * 0.8 <= left <= step, (step, left))
            self.clock.advance(left)
        self.assertEqual(len(self.dials), 9)

    def test_retry_now_starts_over(self) -> None:
        self.keeper.keep(self.target)
        for _ in range(4):
            self.clock.advance(self.fail_dial())
        self.fail_dial()
        self.keeper.retry_now()
        self.assertEqual(len(self.dials), 6)
        self.assertLessEqual(self.fail_dial(), 1)

    def test_a_lost_one_is_dialled_after_a_second_and_a_forgotten_one_never(self) -> None:
        contact = self.contact()
        self.keeper.keep(self.target, contact)
        self.assertEqual((contact.session.keep, self.keeper.reports()), (True, []))
        self.keeper.gone(contact, still_connected=False)
        self.clock.advance(1)
        self.assertEqual(len(self.dials), 1)
        self.dials[0].addErrback(lambda _: None)
        self.assertTrue(self.keeper.forget(ONE))
        self.clock.advance(500)
        self.assertEqual(len(self.dials), 1)
        self.assertFalse(self.keeper.forget(ONE))
