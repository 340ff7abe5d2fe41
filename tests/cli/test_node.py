"""The commands against a node that keeps the law of ``control/api.py``, over a real socket."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.control import api
from quantumgate.control.api import OverloadReport, PortMapReport
from quantumgate.control.paths import SOCKET_NAME
from tests.cli.tool import ServedCase, Terminal, qgate_beside
from tests.control.fakenode import FRIEND, FRIEND_ADDRESS, ME, STRANGER


class NodeTests(ServedCase):
    def setUp(self) -> None:
        super().setUp()
        self.node.connected = [FRIEND]

    async def test_options_before_and_after(self) -> None:
        socket = str(self.data / SOCKET_NAME)
        for line in (("--data", str(self.data), "--json", "peers"), ("peers", "--json", "--control", socket),
                     ("--control", socket, "peers", "--json"),
                     ("--data", "/nonexistent", "peers", "--json", "--data", str(self.data))):
            outcome = await qgate_beside(*line)
            self.assertEqual(outcome.json[0]["uuid"], str(FRIEND), outcome)

    async def test_status(self) -> None:
        self.node.connected = []
        self.assertEqual((await self.qgate("status", "--json")).json["phase"], "up")
        text = (await self.qgate("status")).out
        for part in (str(ME), "no (carries nothing for others)", "1 h 2 min", "tcp:9999", "echo (running)",
                     "is it running?", "in 4.0 s"):
            self.assertIn(part, text)

    async def test_status_says_on_which_step_of_the_ladder_a_node_is(self) -> None:
        self.assertNotIn("overload", (await self.qgate("status")).out)
        self.node.overload = OverloadReport(step=2, does="strangers must solve a puzzle", puzzle_bits=9)
        self.assertIn("note: overload, step 2 of 3: strangers must solve a puzzle\n", (await self.qgate("status")).out)
        self.assertEqual((await self.qgate("status", "--json")).json["overload"]["puzzle_bits"], 9)

    async def test_status_says_what_the_router_gave(self) -> None:
        self.assertNotIn("port map", (await self.qgate("status")).out)
        for report, words in ((PortMapReport(enabled=True), "none yet"),
                              (PortMapReport(enabled=True, why="no router here"), "no router here"),
                              (PortMapReport(enabled=True, protocol="PCP", ports=(9999,)), "PCP, port 9999 of the")):
            self.node.port_mapping = report
            (line,) = [one for one in (await self.qgate("status")).out.splitlines() if one.startswith("port map")]
            self.assertIn(words, line)

    async def test_status_of_a_broken_node(self) -> None:
        self.node.broken = True
        outcome = await self.qgate("status", code=1)
        self.assertIn("unexpected ZeroDivisionError", outcome.err)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    async def test_peers(self) -> None:
        lines = (await self.qgate("peers")).out.splitlines()
        self.assertTrue(lines[0].startswith("PEER "))
        self.assertIn("X25519 + ML-KEM-768, AES-256-GCM, ed25519", lines[1])
        self.assertIn("direct", lines[1])

    async def test_peers_for_a_person(self) -> None:
        outcome = await qgate_beside("peers", "--data", str(self.data), out=Terminal())
        self.assertIn("ML-KEM", outcome.out)

    async def test_no_peers(self) -> None:
        self.node.connected = []
        self.assertEqual((await self.qgate("peers")).out, "no peers\n")
        self.assertEqual((await self.qgate("peers", "--json")).json, [])

    async def test_connect(self) -> None:
        self.node.connected = []
        self.assertEqual((await self.qgate("connect", FRIEND_ADDRESS, "--json")).json["uuid"], str(FRIEND))
        self.assertIn(f"connected to {FRIEND} at", (await self.qgate("connect", FRIEND_ADDRESS)).out)

    async def test_connect_through_relays(self) -> None:
        self.node.relayed = True
        outcome = await self.qgate("connect", FRIEND_ADDRESS, "--hops", "1")
        note = "note: with one relay, that relay sees the address of both ends"
        self.assertIn(f"through {STRANGER}\n{note}", outcome.out)
        await self.qgate("connect", FRIEND_ADDRESS, "--via", f"{STRANGER},{FRIEND}")
        self.assertEqual(self.node.asked, [(FRIEND_ADDRESS, 1, [], True),
                                           (FRIEND_ADDRESS, None, [str(STRANGER), str(FRIEND)], True)])

    async def test_a_path_that_contradicts_itself_is_wrong_use(self) -> None:
        for line in (("--hops", "9"), ("--via", "me"), ("--via", f"{STRANGER},{FRIEND}", "--hops", "3")):
            await self.qgate("connect", FRIEND_ADDRESS, *line, code=2)
        self.assertEqual(self.node.asked, [])

    async def test_peers_tell_path_and_why(self) -> None:
        self.node.relayed = True
        line = (await self.qgate("peers")).out.splitlines()[1]
        self.assertIn(f"through {STRANGER} (we dialled it)", line)

    async def test_connect_fails(self) -> None:
        outcome = await self.qgate("connect", f"qg://{STRANGER}@192.0.2.9:1", "--json", code=1)
        self.assertEqual(outcome.out, "")
        self.assertEqual(outcome.err, f"qgate: nobody answered at qg://{STRANGER}@192.0.2.9:1\n"
                         "  try: is the UUID right?\n")

    async def test_disconnect(self) -> None:
        self.assertEqual((await self.qgate("disconnect", str(FRIEND))).out, f"disconnected from {FRIEND}\n")
        self.assertIn("is not connected", (await self.qgate("disconnect", str(FRIEND), code=1)).err)
        self.assertIn("not a peer UUID", (await self.qgate("disconnect", "me", code=2)).err)

    async def test_what_is_no_address_is_wrong_use(self) -> None:
        for command, code in (("connect", 2), ("ping", 64)):
            outcome = await self.qgate(command, "nonsense", code=code)
            self.assertEqual((outcome.out, outcome.err), ("", "qgate: nonsense: not an endpoint\n"))

    async def test_ping_direct(self) -> None:
        outcome = await self.qgate("ping", str(FRIEND), "--count", "2", "--interval", "0")
        lines = outcome.out.splitlines()
        self.assertEqual(lines[0], f"1: 1.00 ms from {FRIEND} at tcp:192.0.2.7:9999, direct")
        self.assertEqual(lines[-1], "2 sent, 2 answered; least / median / most 1.00 ms / 1.50 ms / 2.00 ms")

    async def test_ping_relayed(self) -> None:
        self.node.relayed = True
        self.assertIn(f"through {STRANGER}", (await self.qgate("ping", str(FRIEND), "--count", "1", code=1)).out)

    async def test_ping_unreachable(self) -> None:
        outcome = await self.qgate("ping", str(STRANGER), "--count", "1", code=2)
        self.assertIn("qgate: unreachable: nobody answered", outcome.err)

    async def test_ping_some_lost(self) -> None:
        self.node.pings_lost = {1}
        outcome = await self.qgate("ping", str(FRIEND), "--count", "2", "--interval", "0", "--json")
        self.assertEqual((outcome.json["answered"], len(outcome.json["replies"])), (1, 2))

    async def test_extenders(self) -> None:
        text = (await self.qgate("extenders")).out
        self.assertIn("raised at import", text)
        self.assertEqual((await self.qgate("extenders", "--json")).json[0]["name"], "echo")


class SchemaTests(SynchronousTestCase):
    """The shapes of --json. Fields may be added (and the file written anew), none renamed or taken away.

    python -m tests.cli.test_node > tests/cli/schemas.json
    """

    def test_as_they_were(self) -> None:
        self.assertEqual(json.loads((Path(__file__).parent / "schemas.json").read_text()), schemas())


def schemas() -> object:
    kinds = (api.StatusReport, api.PeerReport, api.ExtenderReport, api.AccessReport, api.PingReport, api.PingSummary,
             api.RelaysReport, api.RecordReport, api.AccessExplanation, api.ScoreReport, api.MadeInvitation,
             api.InvitationReport, api.JoinReport, api.NameReport, api.SuccessionReport)
    found = msgspec.json.schema_components(kinds)[1]
    for schema in found.values():
        schema.pop("description", None)
    return json.loads(json.dumps(found))


if __name__ == "__main__":
    print(json.dumps(schemas(), indent=1, sort_keys=True))
