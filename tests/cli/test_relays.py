"""``qgate relays`` over a real socket, against a node that keeps the law of ``control/api.py``."""

from __future__ import annotations

from quantumgate.control.api import AnchorReport, CarriedReport, CircuitReport, GatewayReport, RelaysReport
from quantumgate.ids import parse_peer_uuid
from tests.cli.tool import ServedCase
from tests.control.fakenode import FRIEND, ME, STRANGER

ENEMY = parse_peer_uuid("dddddddd-1234-8abc-9def-0123456789ab")
FULL = RelaysReport(
    enabled=True, accepting=True, carried_bytes=2_000_000, refused={"links_prefix_rate": 3, "not a relay": 1},
    carried=[CarriedReport(client="192.0.2.9:40000", target=str(FRIEND), endpoint="192.0.2.7:9999", state="carrying",
                           seconds=61, bytes=1500)],
    circuits=[CircuitReport(peer=str(FRIEND), path=[str(STRANGER), str(FRIEND)], endpoint="192.0.2.8:9999",
                            why="2 relays asked for", seconds=5, rtt_seconds=None, bytes_sent=1, bytes_received=2,
                            state="running out")],
    failed={"relay-lost": 2},
    gateways=[GatewayReport(uuid=str(STRANGER), hosts=["192.0.2.8:9999"], avoided_seconds=125),
              GatewayReport(uuid=str(FRIEND), hosts=["192.0.2.7:9999"], avoided_seconds=0, deaths=1.5),
              GatewayReport(uuid=str(ENEMY), hosts=["192.0.2.6:9999"], avoided_seconds=0, dropped_seconds=518_400,
                            why="more than 3 circuits died through it")],
    anchor_states=[AnchorReport(str(STRANGER), ["192.0.2.8:9999"], "open"), AnchorReport(str(FRIEND), [], "refused")],
    reserved_here=[str(ME)], anchors=[str(STRANGER)], anchored_address=f"qg://{FRIEND}?key=KEY&anchor={STRANGER}@192.0.2.8",
)


class RelaysTests(ServedCase):
    words = ("relays",)

    def setUp(self) -> None:
        super().setUp()
        self.node.relaying = FULL

    async def test_everything_is_shown(self) -> None:
        text = (await self.qgate()).out
        for part in ("1 links now, 2.0 MB since the start", "3 links_prefix_rate, 1 not a relay", "2 relay-lost",
                     "192.0.2.9:40000", f"{STRANGER} > {FRIEND}", "2 relays asked for", "1 min 1 s",
                     "keeps a way to this node open", "refused: it is no relay", f"anchor for  {ME}",
                     "failed, avoided for 2 min 5 s", "ready, 1.5 circuits died through it within the hour",
                     "dropped for 6 d 0 h: more than 3 circuits died through it", "running out",
                     f"qg://{FRIEND}?key=KEY&anchor={STRANGER}"):
            self.assertIn(part, text)

    async def test_as_json(self) -> None:
        report = (await self.qgate("--json")).json
        self.assertEqual(report["circuits"][0]["path"], [str(STRANGER), str(FRIEND)])
        self.assertEqual(report["refused"], {"links_prefix_rate": 3, "not a relay": 1})

    async def test_a_node_without_any(self) -> None:
        self.node.relaying = RelaysReport()
        text = (await self.qgate()).out
        for part in ("no (node.relay = false)", "no (relay.accept_relayed = false)", "refused                 none"):
            self.assertIn(part, text)
        self.assertEqual(len(text.splitlines()), 5)
