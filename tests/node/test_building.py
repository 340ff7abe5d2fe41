"""Circuits while they are built: relays that say nothing, time that runs out, nobody who waits any more."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from quantumgate.errors import ConnectFailed
from tests.node.circuits import AWAY, CircuitCase


class SilenceTests(CircuitCase):
    def test_a_gateway_that_says_nothing(self) -> None:
        """The client waits 30 s for each step, and 60 s for the whole."""
        gate = self.gates[0]
        gate._parts.desk.relays = _Mute()  # type: ignore[union-attr]
        connecting = self.client.connect(self.address(self.end, AWAY), via=gate.uuid)
        self.pass_time(29)
        self.assertNoResult(connecting)
        self.assertEqual(self.failed(connecting, ConnectFailed, 2).reason, "no-answer")
        self.assertEqual(len(self.client._parts.circuits._builder.entries), 1)  # type: ignore[union-attr]
        builder = self.client._parts.circuits._builder  # type: ignore[union-attr]
        builder._limits = replace(builder._limits, link_connect_seconds=100)
        connecting = self.client.connect(self.address(self.end, AWAY), via=gate.uuid)
        self.pass_time(59)
        self.assertNoResult(connecting)
        self.assertEqual(self.failed(connecting, ConnectFailed, 2).reason, "no-answer")

    def test_a_relay_that_says_nothing_is_the_one_to_blame(self) -> None:
        """Found by reading: the hop that it was to reach was left alone, and the silent one chosen again."""
        silent, innocent = self.gates[0], self.gates[1]
        silent._parts.desk.relays = _Mute()  # type: ignore[union-attr]
        connecting = self.client.connect(self.address(self.end, AWAY), via=[silent.uuid, innocent.uuid])
        self.failed(connecting, ConnectFailed, 31)
        circuits = self.client._parts.circuits  # type: ignore[union-attr]
        self.assertEqual([circuits.bad_seconds(one.uuid) > 0 for one in (silent, innocent)], [True, False])

    def test_what_was_built_goes_when_the_rest_takes_too_long(self) -> None:
        """The second gateway carries nothing and says nothing: after 60 s no link is left at the first."""
        first, mute = self.gates[:2]
        mute._parts.relays.asked = _Mute().asked  # type: ignore[union-attr, method-assign]
        builder = self.client._parts.circuits._builder  # type: ignore[union-attr]
        builder._limits = replace(builder._limits, link_connect_seconds=100)
        connecting = self.client.connect(self.address(self.end, AWAY), via=[first.uuid, mute.uuid])
        self.pass_time(30)
        self.assertEqual(len(first._parts.relays.carried), 1)  # type: ignore[union-attr]
        self.assertEqual(self.failed(connecting, ConnectFailed, 31).reason, "no-answer")
        self.pass_time(5)
        self.assertEqual(len(first._parts.relays.carried), 0)  # type: ignore[union-attr]

    def test_a_circuit_that_nobody_waits_for_any_more(self) -> None:
        """Given up while each of its relays in turn says nothing: no link is left, and no relay is to blame."""
        path = self.gates[:3]
        for position, mute in enumerate(path):
            relays: Any = mute._parts.relays  # type: ignore[union-attr]
            asked, relays.asked = relays.asked, _Mute().asked
            connecting = self.client.connect(self.address(self.end, AWAY), via=[gate.uuid for gate in path])
            self.pass_time(5)
            carried = [len(gate._parts.relays.carried) for gate in path]  # type: ignore[union-attr]
            self.assertEqual(sum(carried), position)
            connecting.addErrback(lambda _: None)
            connecting.cancel()
            self.pass_time(5)
            self.assertEqual([len(gate._parts.relays.carried) for gate in path], [0] * 3)  # type: ignore[union-attr]
            relays.asked = asked
        self.assertEqual([one.avoided_seconds for one in self.client.relays_snapshot().gateways], [0.0] * 5)


class _Mute:
    """A relay that takes everything and answers nothing."""

    enabled = accepting = True

    def session_ready(self, contact: Any) -> None:
        """Nothing."""

    def asked(self, contact: Any, link: Any, target: Any) -> None:
        """Nothing."""
