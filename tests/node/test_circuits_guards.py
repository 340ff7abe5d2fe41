"""Guards of a whole node: the same two first hops in every circuit, over a restart, until they fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.node.circuits import HOME, CircuitCase
from tests.node.remembering import recalled
from tests.node.world import MEMORIES


class GuardTests(CircuitCase):
    def guards(self) -> set[Any]:
        return set(self.client._parts.state.guards)  # type: ignore[union-attr]

    def firsts(self, count: int) -> set[Any]:
        found = set()
        for _ in range(count):
            peer = self.connect(2)
            found.add(peer.path[0])
            self.done(self.client.disconnect(peer), 1)
            self.pass_time(8)  # eight links a minute
        return found

    def test_every_circuit_begins_at_one_of_two(self) -> None:
        firsts = self.firsts(12)
        self.assertEqual((firsts, len(firsts)), (self.guards(), 2))

    def test_they_are_kept_over_a_restart(self) -> None:
        self.connect(2)
        guards, data = self.guards(), Path(self.client._directory.path)
        settings = self.client.settings
        self.done(self.client.stopService(), 40)
        self.client = self.node(HOME, settings=settings, data=data)
        self.assertEqual((self.guards(), len(guards)), (guards, 2))
        self.assertIn(self.connect(2).path[0], guards)
        self.assertEqual(self.guards(), guards)

    def test_they_are_written_down_when_they_are_drawn(self) -> None:
        self.connect(2)
        guards = self.guards()
        self.assertEqual(len(guards), 2)
        kept = recalled(MEMORIES[self.client.data_directory])
        self.assertEqual(set(kept.guards), guards)

    def test_one_that_fails_leaves_it_to_the_other_and_both_to_anybody(self) -> None:
        self.connect(1)
        guards = list(self.guards())
        blame = self.client._parts.circuits.blame  # type: ignore[union-attr]
        blame._bad_until[guards[0]] = self.clock.seconds() + 1000
        self.assertEqual(self.connect(1).path[0], guards[1])
        blame._bad_until[guards[1]] = self.clock.seconds() + 1000
        self.assertNotIn(self.connect(1).path[0], guards)
        self.assertEqual(self.guards(), set(guards))
        blame._bad_until.clear()
        self.assertIn(self.connect(1).path[0], guards)

    def test_a_named_path_needs_no_guard(self) -> None:
        self.connect(1)
        other = next(gate.uuid for gate in self.gates if gate.uuid not in self.guards())
        self.assertEqual(self.connect(via=other).path, [other])


class ForgivenessTests(CircuitCase):
    """Where too few gateways are left that did not fail of late, those that failed longest ago are taken first."""

    def taken(self, failed: list[Any], count: int = 1) -> set[Any]:
        """The relays of ``count`` circuits of three, while these have failed, the first one first."""
        blame = self.client._parts.circuits.blame  # type: ignore[union-attr]
        blame._bad_until = {uuid: self.clock.seconds() + 1000 + at for at, uuid in enumerate(failed)}
        found = set()
        for _ in range(count):
            peer = self.connect(3)
            found |= set(peer.path)
            self.done(self.client.disconnect(peer), 1)
            self.pass_time(8)
        return found

    def test_who_failed_last_is_taken_last(self) -> None:
        self.connect(1)
        gates = [gate.uuid for gate in self.gates]
        for failed in (gates, gates[::-1]):
            self.assertEqual(self.taken(failed, 4), set(failed[:3]))
