"""The guide to inviting a friend, followed by hand: its commands in their order, at two real nodes on loopback."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from quantumgate.control.paths import SOCKET_NAME
from quantumgate.control.server import ControlServer
from quantumgate.extender.registry import Registry
from quantumgate.node.node import Node
from quantumgate.settings.schema import NodeTable, Settings
from tests.cli.tool import Outcome, qgate_beside
from tests.control.fakenode import short_directory
from tests.test_guide import GUIDE

_COMMANDS = re.compile(r"<!-- at (?P<who>\w+) -->\n```console\n(?P<text>.*?)^```$", re.M | re.S)


def commands() -> list[tuple[str, str]]:
    """(who, command), in the order of the page."""
    text = (GUIDE / "inviting-a-friend.md").read_text(encoding="utf-8")
    return [(found["who"], line.removeprefix("$ ")) for found in _COMMANDS.finditer(text)
            for line in found["text"].splitlines() if line.startswith("$ ")]


class InvitingTests(TestCase):
    async def at(self, name: str) -> tuple[Node, Path]:
        """A node of its own, that is ready, with its control socket."""
        data = short_directory(self)
        settings = Settings(node=NodeTable(listen=("tcp:0:interface=127.0.0.1",)))
        node = Node(settings, data / "node", registry=Registry({}))
        node.startService()
        self.addCleanup(node.stopService)
        await node.when_ready()
        server = ControlServer(node, data / SOCKET_NAME, reactor, data)
        server.start()
        self.addCleanup(server.stop)
        return node, data

    async def test_the_page(self) -> None:
        places = {name: await self.at(name) for name in ("alice", "bob")}
        said: dict[str, Outcome] = {}
        invitation = ""
        for who, line in commands():
            words = shlex.split(line.replace("INVITATION", invitation))[1:]
            outcome = said[line] = await qgate_beside(*words, "--data", str(places[who][1]))
            self.assertEqual(outcome.code, 0, (line, outcome))
            invitation = invitation or outcome.out.strip()
        self.look(said, {name: str(node.uuid) for name, (node, _) in places.items()})

    def look(self, said: dict[str, Outcome], uuids: dict[str, str]) -> None:
        """Each said what the page says."""
        shown: dict[str, Any] = {line: outcome.out for line, outcome in said.items()}
        self.assertIn("good once, until ", said["qgate invite --name bob --as alice"].err)
        self.assertGreater(len(shown["qgate invite --qr --expires 10m"].splitlines()), 20)
        self.assertIn(f"joined alice ({uuids['alice']}) at 127.0.0.1:", shown["qgate join INVITATION --name alice"])
        self.assertIn(f"alice ({uuids['alice']})", shown["qgate peers"])
        self.assertIn("from alice", shown["qgate ping alice --count 1"])
        self.assertRegex(shown["qgate invite list"], rf"used +.* 1 of 1 +bob +{uuids['bob']}")
        self.assertIn(f"allow  {uuids['bob']}  bob", shown["qgate access list"])
        self.assertIn("bob", shown["qgate name"])
        self.assertIn("robert", shown["qgate name bob robert"])
        self.assertEqual(shown["qgate name --forget robert"], "no peer has a name\n")
