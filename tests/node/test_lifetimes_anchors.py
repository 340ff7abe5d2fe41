"""A hidden node reaches its anchor through circuits: those have successors, too, and the way to it stays open."""

from __future__ import annotations

from typing import Any

from quantumgate.extender.api import maker
from quantumgate.settings.schema import PrivacyTable, RelayTable
from tests.node.circuits import GATES, CircuitCase, Echo, replace_table
from tests.node.world import node_settings

HOUR_SECONDS = 1200.0


class HiddenTests(CircuitCase):
    def setUp(self) -> None:
        super().setUp()
        self.anchor, others = self.gates[0], list(zip(self.gates, GATES, strict=True))[1:]
        settings = replace_table(
            node_settings(listen=(), default_access="allow", limits={"circuit_lifetime_seconds": HOUR_SECONDS}),
            relay=RelayTable(gateways=tuple(self.address(*one) for one in others),
                             anchors=(self.address(self.anchor, GATES[0]),)),
            privacy=PrivacyTable(hops=2),
        )
        echo = maker(Echo, name="echo", uuid="5f0c3e52-7a83-4a5f-9d6b-0c1f6f2f9e12")
        self.hidden = self.node("67.8.0.1", echo, settings=settings)
        self.done(self.anchor.access.allow(self.hidden.uuid))
        self.pass_time(10)

    @property
    def parts(self) -> Any:
        return self.hidden._parts

    def test_it_has_second_hops_that_are_kept(self) -> None:
        (circuit,) = self.parts.circuits.standing
        self.assertIn(circuit.path[0].uuid, self.parts.state.guards)
        self.assertIn(circuit.path[1].uuid, self.parts.state.middles)
        self.assertEqual(self.client._parts.state.middles, {}, "a client without services has none")  # type: ignore[union-attr]

    def test_a_node_that_offers_a_service_has_them_as_long_as_it_does(self) -> None:
        state = self.client._parts.state  # type: ignore[union-attr]
        self.connect(2)
        self.assertEqual(state.middles, {})
        service = self.client.services.serve("web", lambda _: None)
        self.connect(2)
        self.assertEqual(len(state.middles), 3, "of five gateways two are guards")
        service.withdraw()
        paths = self.client._parts.circuits.paths  # type: ignore[union-attr]
        self.assertFalse(paths._with_middles())

    def test_the_way_stays_open_from_one_circuit_to_the_next(self) -> None:
        """Asked every ten seconds; who came in over the old circuit stays."""
        address = self.hidden.anchored_address
        first = self.done(self.client.connect(address, keep=True), 3)
        seen = set()
        while self.clock.seconds() < 3.5 * HOUR_SECONDS:
            self.pass_time(10)
            seen.add(self.parts.desk.anchors._with[self.anchor.uuid])
            self.assertEqual(list(self.parts.desk.anchors.granted), [self.anchor.uuid])
            self.done(self.guest.host.send(first, b"x"), 1)
        self.assertEqual((self.guest.left, set(self.guest.got)), ([], {b"back:x"}))
        self.assertTrue(3 <= len(seen) <= 5, len(seen))
        again = self.done(self.client.connect(address), 3)
        self.assertEqual((again.uuid, self.errors()), (self.hidden.uuid, []))
