"""What operators are told of relaying, read off whole nodes: neighbours, sums, refusals, circuits, gateways."""

from __future__ import annotations

from typing import Any

from quantumgate.errors import ConnectFailed
from quantumgate.node import relay_reports
from tests.node.circuits import AWAY, GATES, CircuitCase
from tests.node.world import as_json


class ReportTests(CircuitCase):
    def relays(self, node: Any) -> Any:
        return as_json(node.relays_snapshot())

    def place(self, uuid: Any) -> str:
        return f"{GATES[self.gates.index(self.gate_of(uuid))]}:9999"

    def test_a_gateway_knows_its_neighbours(self) -> None:
        path = self.connect(3).path
        for position, uuid in enumerate(path):
            report = self.relays(self.gate_of(uuid))
            (link,) = report["carried"]
            following = path[position + 1] if position < 2 else self.end.uuid
            self.assertEqual((link["target"], link["state"]), (str(following), "carrying"))
            self.assertEqual(link["endpoint"], self.place(following) if position < 2 else f"{AWAY}:9999")
            self.assertEqual("31.3.0.1" in link["client"], position == 0)
            self.assertEqual(str(path[position - 1]) in link["client"], position > 0)
            self.assertGreater(link["bytes"], 1000)
            status = self.gate_of(uuid).status().relay
            self.assertEqual((status.enabled, status.links, status.refused), (True, 1, 0))
            self.assertGreaterEqual(status.bytes, link["bytes"])

    def test_the_client_knows_its_circuits(self) -> None:
        peer = self.connect(3)
        self.pass_time(5)
        report = self.relays(self.client)
        (circuit,) = report["circuits"]
        self.assertEqual((circuit["peer"], circuit["path"]), (str(self.end.uuid), [str(one) for one in peer.path]))
        self.assertEqual((circuit["endpoint"], circuit["why"]), (self.place(peer.path[0]), "3 relays asked for"))
        self.assertGreaterEqual(circuit["seconds"], 5)
        self.assertEqual((report["enabled"], report["accepting"], report["carried"]), (False, True, []))
        self.assertEqual([one["avoided_seconds"] for one in report["gateways"]], [0.0] * 5)
        self.done(self.client.disconnect(peer), 2)
        self.assertEqual(self.relays(self.client)["circuits"], [])

    def test_what_was_refused_and_failed_has_its_reason(self) -> None:
        connecting = self.client.connect(f"qg://{self.end.uuid}@10.0.0.1:9999", via=self.gates[0].uuid)
        self.pass_time(2)
        self.failureResultOf(connecting)
        self.assertEqual(self.relays(self.gates[0])["refused"], {"policy": 1})
        self.assertEqual(self.gates[0].status().relay.refused, 1)
        report = self.relays(self.client)
        self.assertEqual(report["failed"], {"policy": 1})
        self.assertEqual([one["avoided_seconds"] for one in report["gateways"]], [0.0] * 5, "the target's fault")
        self.gates[1]._parts.relays.enabled = False  # type: ignore[union-attr]
        self.failed(self.client.connect(self.address(self.end, AWAY), via=[self.gates[0].uuid, self.gates[1].uuid]),
                    ConnectFailed, 13)
        report = self.relays(self.client)
        self.assertEqual([one["avoided_seconds"] > 0 for one in report["gateways"]], [False, True, False, False, False])

    def test_a_node_that_does_not_run(self) -> None:
        self.gates[0].stopService()
        self.pass_time(20)
        self.assertEqual(self.relays(self.gates[0])["carried"], [])
        self.assertTrue(relay_reports.brief(None, True).enabled)
