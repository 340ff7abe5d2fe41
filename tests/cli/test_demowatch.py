"""What ``make run`` says of circuits and gateways, from answers of nodes that are made up."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.cli.demowatch import Watch
from quantumgate.control.client import NoNodeRunning

YOU, G1, G2, EXIT = (f"0b51a0f2-3c4d-8100-8888-00000000000{number}" for number in range(4))


class Told:
    """A node that answers what it was told."""

    def __init__(self, name: str, uuid: str) -> None:
        self.name, self.uuid = name, uuid
        self.answers: dict[str, Any] = {"relays": {"circuits": [], "carried": [], "carried_bytes": 0}, "peers": []}

    def ask(self, command: str) -> Any:
        if not self.answers:
            raise NoNodeRunning("gone")
        return self.answers[command]


def link(client: str, target: str) -> dict[str, Any]:
    return {"client": client, "target": target, "endpoint": "127.0.0.1:5000"}


class WatchTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.you, self.one, self.two, self.far = (
            Told(name, uuid) for name, uuid in (("you", YOU), ("g1", G1), ("g2", G2), ("exit", EXIT)))
        self.said: list[str] = []
        nodes: Any = (self.you, [self.one, self.two], self.far)
        self.watch = Watch(*nodes, self.said.append)
        self.watch.look()

    def heard(self) -> list[str]:
        self.said.clear()
        self.watch.look()
        return list(self.said)

    def test_nothing_yet_and_nothing_twice(self) -> None:
        self.assertEqual(self.said, ["  g1 knows: nothing", "  g2 knows: nothing", "  exit knows: nobody"])
        self.assertEqual(self.heard(), [])

    def test_a_circuit_comes_and_goes(self) -> None:
        self.you.answers["relays"]["circuits"] = [{"path": [G2, G1], "peer": EXIT}]
        self.two.answers["relays"]["carried"] = [link("127.0.0.1:4000", G1)] * 2
        self.one.answers["relays"]["carried"] = [link(f"through {G2}", EXIT)]
        self.far.answers["peers"] = [{"uuid": YOU, "endpoint": f"through {G1}"}]
        self.assertEqual(self.heard(), [
            "circuit: you > g2 > g1 > exit",
            "  g1 knows: from through g2 to exit at 127.0.0.1:5000",
            "  g2 knows: from 127.0.0.1:4000 to g1 at 127.0.0.1:5000 (2 links)",
            "  exit knows: peer you through g1",
        ])
        self.you.answers["relays"]["circuits"] = []
        self.assertEqual(self.heard(), ["circuit ended: you > g2 > g1 > exit"])

    def test_two_circuits_on_one_path(self) -> None:
        self.you.answers["relays"]["circuits"] = [{"path": [G1], "peer": EXIT}] * 2
        self.assertEqual(self.heard(), ["circuit: you > g1 > exit"] * 2)

    def test_a_gateway_that_is_gone(self) -> None:
        self.one.answers = {}
        self.assertEqual(self.heard(), ["  g1 knows: nothing: it does not answer any more"])
        self.assertEqual(self.watch.carried(), "g2 0 B")
