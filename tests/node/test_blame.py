"""Relays that are left alone: for minutes, for days, over restarts; never more than half of them for days."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.relay.bias import SETTLED_SECONDS
from quantumgate.core.relay.path import Gateway
from quantumgate.ids import PeerUUID
from quantumgate.node.blame import BAD_RELAY_SECONDS, Blame
from quantumgate.store.memory import MemoryDatabase
from quantumgate.wire.limits import DEFAULT_LIMITS
from tests.node.circuits import AWAY, GATES, HOME, CircuitCase
from tests.node.remembering import recalled

KNOWN = [Gateway(PeerUUID(UUID(f"{number:08x}-1234-8abc-9def-0123456789ab")), ((f"{number}.1.0.1", 9999),))
         for number in range(1, 7)]
END = PeerUUID(UUID(int=99))
WEEK_SECONDS = 7 * 86_400


class BlameCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.wall_seconds, self.known = Clock(), 1_800_000_000.0, list(KNOWN)
        self.world: Any = SimpleNamespace(
            clock=self.clock, now=self.clock.seconds, wall_seconds=lambda: self.wall_seconds + self.clock.seconds(),
        )
        self.database = MemoryDatabase()
        self.state = recalled(self.database)
        self.blame = self.made()

    def made(self) -> Blame:
        blame = Blame(self.world, DEFAULT_LIMITS, self.state, lambda: self.known)
        self.addCleanup(blame.stop)
        return blame

    def dies(self, first: int, second: int, third: int) -> None:
        """A circuit behind whose first relay the second one is lost."""
        self.clock.advance(20)
        path = [KNOWN[first], KNOWN[second], KNOWN[third]]
        passage = self.blame.begin()
        passage.met.update(one.uuid for one in path)
        self.blame.unexplained(passage, path, END, 3, 1)

    def lives(self, *path: int) -> None:
        self.clock.advance(20)
        passage = self.blame.begin()
        passage.met.update(KNOWN[one].uuid for one in path)
        self.blame.explained(passage)

    def ruin(self, relay: int, *others: int) -> None:
        """Four circuits die there."""
        for number in range(4):
            self.dies(others[number % 2], relay, others[2])
            self.lives(*others)
            self.lives(*others)


class MinutesTests(BlameCase):
    def test_five_of_them(self) -> None:
        one, other = KNOWN[0].uuid, KNOWN[1].uuid
        self.blame.failed(one)
        self.clock.advance(10)
        self.blame.failed(other)
        self.assertEqual([set(each) for each in self.blame.failed_lately()], [{one, other}, {other}, set()])
        self.clock.advance(BAD_RELAY_SECONDS - 10)
        self.assertEqual([set(each) for each in self.blame.failed_lately()], [{other}, set()])
        self.assertEqual((self.blame.bad_seconds(one), self.blame.bad_seconds(other)), (0, 10))


class DaysTests(BlameCase):
    def test_the_fourth_death_drops_it_for_a_week(self) -> None:
        bad = KNOWN[2].uuid
        self.ruin(2, 0, 1, 3)
        self.assertEqual(self.blame.dropped(), frozenset())
        self.clock.advance(SETTLED_SECONDS)
        self.assertEqual((self.blame.dropped(), self.blame.dropped_seconds(bad)), ({bad}, WEEK_SECONDS - 0.0))
        self.assertIn("more than 3 circuits died through it", self.blame.why_dropped)
        self.clock.advance(WEEK_SECONDS - 1)
        self.assertEqual(self.blame.dropped(), {bad})
        self.clock.advance(2)
        self.assertEqual((self.blame.dropped(), self.blame.dropped_seconds(bad)), (frozenset(), 0.0))

    def test_over_a_restart(self) -> None:
        self.ruin(2, 0, 1, 3)
        self.clock.advance(SETTLED_SECONDS)
        self.state = recalled(self.database)
        self.assertEqual(self.made().dropped(), {KNOWN[2].uuid})

    def test_a_time_that_nobody_set_is_over(self) -> None:
        """Of a clock that was ahead when it was written."""
        self.state.dropped[KNOWN[0].uuid] = int(self.wall_seconds + WEEK_SECONDS + 100)
        self.assertEqual(self.blame.dropped(), frozenset())

    def test_at_most_half_of_the_gateways(self) -> None:
        """A client that would drop more has another trouble, or is led."""
        for relay in (2, 3, 4):
            self.ruin(relay, 0, 1, 5)
            self.clock.advance(SETTLED_SECONDS)
            self.clock.advance(4000)
        self.assertEqual(len(self.blame.dropped()), 3)
        self.ruin(5, 0, 1, 1)
        self.clock.advance(SETTLED_SECONDS)
        self.assertEqual((len(self.blame.dropped()), self.blame.deaths(KNOWN[5].uuid)), (3, 4.0))

    def test_one_that_is_no_gateway_of_ours_is_not_written_down(self) -> None:
        """An anchor that stands in an address, say."""
        del self.known[2]
        self.ruin(2, 0, 1, 3)
        self.clock.advance(SETTLED_SECONDS)
        self.assertEqual((self.blame.dropped(), self.state.dropped), (frozenset(), {}))

    def test_stopped_it_judges_nobody(self) -> None:
        self.ruin(2, 0, 1, 3)
        self.blame.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class NodeTests(CircuitCase):
    """Between whole nodes: which ends count, and what a dropped relay is good for."""

    def charges(self) -> dict[int, float]:
        self.pass_time(SETTLED_SECONDS)
        self.assertEqual(self.client._parts.state.dropped, {})  # type: ignore[union-attr]
        return {number: one.deaths for number, one in enumerate(self.client.relays_snapshot().gateways) if one.deaths}

    def cut(self, gate: Any) -> None:
        """It ends every link that it carries, as a relay may at any time."""
        for carried in list(gate._parts.relays.carried):
            carried.close(10)
        self.pass_time(0.5)

    def through(self, *gates: int, cut: int | None = None) -> None:
        peer = self.connect(via=[self.gates[one].uuid for one in gates])
        if cut is not None:
            self.cut(self.gates[cut])
            self.assertEqual(self.client.peers, ())
        else:
            self.done(self.client.disconnect(peer), 1)
        self.pass_time(16)  # eight links a minute

    def test_a_relay_that_cuts_circuits_is_dropped_and_said_to_be(self) -> None:
        for number in range(4):
            self.through(number % 2, 2, 3, cut=2)
            self.through(number % 2, 3, 4)
        self.pass_time(SETTLED_SECONDS)
        report = self.client.relays_snapshot().gateways
        self.assertEqual([one.dropped_seconds > 0 for one in report], [False, False, True, False, False])
        self.assertIn("more than 3 circuits died through it", report[2].why)
        self.assertTrue([line for line in self.lines("warn") if "is dropped for 7.0 days" in line])
        self.pass_time(400)
        for _ in range(12):
            self.assertNotIn(self.gates[2].uuid, self.connect(3).path)
            self.done(self.client.disconnect(self.end.uuid), 1)
            self.pass_time(16)
        self.assertEqual(self.connect(via=self.gates[2].uuid).path, [self.gates[2].uuid], "by name it may be asked for")

    def test_dropped_relays_do_not_come_back_for_want_of_others(self) -> None:
        wall_seconds = self.client._world.wall_seconds()
        state = self.client._parts.state  # type: ignore[union-attr]
        state.dropped = {gate.uuid: int(wall_seconds + 1000) for gate in self.gates[:3]}
        error = self.failureResultOf(self.client.connect(self.address(self.end, AWAY), hops=3)).value
        self.assertEqual(cast(Any, error).reason, "no-path")
        self.assertEqual(len(self.connect(2).path), 2)

    def test_a_dropped_guard_is_none(self) -> None:
        self.connect(1)
        state = self.client._parts.state  # type: ignore[union-attr]
        one, other = state.guards
        state.dropped[one] = int(self.client._world.wall_seconds() + 1000)
        self.connect(1)
        self.assertTrue(one not in state.guards and other in state.guards and len(state.guards) == 2)

    def test_what_has_an_explanation(self) -> None:
        """Ours, the target's, a first hop that is gone, a target that admits nobody."""
        for _ in range(5):
            self.through(0, 1, 2)
        for _ in range(5):
            self.connect(via=[self.gates[0].uuid, self.gates[1].uuid])
            self.done(self.end.disconnect(self.client.uuid), 1)
            self.pass_time(16)
        for _ in range(5):
            self.connect(via=[self.gates[0].uuid, self.gates[1].uuid])
            for contact in list(self.gates[0]._parts.desk.contacts):  # type: ignore[union-attr]
                contact.drop()
            self.pass_time(16)
        self.end.access.deny(self.client.uuid)
        for _ in range(5):
            self.failed_through(0, 1)
        self.assertEqual(self.charges(), {})

    def test_a_relay_that_says_that_it_is_full(self) -> None:
        """It may be lying, but an honest one says so as often as we ask too much of it."""
        self.connect(via=self.gates[1].uuid, keep=True)
        limits = self.gates[1]._parts.relays.quota._limits  # type: ignore[union-attr]
        self.patch(self.gates[1]._parts.relays.quota, "_limits", _without_room(limits))  # type: ignore[union-attr]
        for number in range(8):
            self.failed_through(number % 2 * 3, 1)
            self.through(2, 3)
            self.through(2, 4)
        self.assertEqual((self.client.relays_snapshot().failed, self.charges()), ({"limit": 8}, {}))

    def failed_through(self, *gates: int) -> None:
        connecting = self.client.connect(self.address(self.end, AWAY), via=[self.gates[one].uuid for one in gates])
        self.pass_time(16)
        self.failureResultOf(connecting)

    def test_a_target_that_is_gone(self) -> None:
        """Ten circuits to it die, and ten cannot be built; whoever was last is not charged."""
        for number in range(10):
            self.connect(via=[self.gates[one].uuid for one in (0, 1 + number % 3)])
            self.pass_time(16)
        for contact in list(self.end._parts.desk.contacts):  # type: ignore[union-attr]
            contact.drop()
        self.pass_time(1)
        self.network.part([AWAY], [HOME, *GATES])
        self.pass_time(30)
        for number in range(10):
            self.failed_through(0, 1 + number % 3)
        self.assertEqual(self.charges(), {})

    def test_our_own_network_is_gone(self) -> None:
        """Circuits through all of them time out in whatever order; nobody is charged, however long it lasts."""
        for number in range(8):
            self.connect(via=[self.gates[one].uuid for one in (number % 2, 2 + number % 3)], keep=True)
            self.pass_time(16)
        self.network.part([HOME], GATES)
        self.pass_time(1500)
        self.assertEqual(self.charges(), {})

    def test_a_relay_that_was_started_anew(self) -> None:
        """Six circuits die at once; that is one."""
        for number in range(6):
            self.connect(via=[self.gates[one].uuid for one in (number % 2, 2, 3)])
            self.pass_time(16)
            self.through(number % 2, 3, 4)
        self.cut(self.gates[2])
        self.assertEqual(self.charges(), {2: 1.0})


def _without_room(limits: Any) -> Any:
    return cast(Any, type(limits))(**{**{name: getattr(limits, name) for name in limits.__slots__}, "links_node": 1})
