"""Two nodes with one key: seen, told once, and no dance of sessions that replace each other."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from quantumgate.node.node import Node
from quantumgate.node.twins import REMEMBERED_SECONDS, TWIN_WAIT_SECONDS
from tests.node.circuits import AWAY, HOME
from tests.node.world import NodeCase

ELSEWHERE = "198.51.100.7"


class TwinsTests(NodeCase):
    def twin(self, of: Node, place: str, **more: Any) -> Node:
        """A node with a copy of its key."""
        data = Path(self.mktemp()).absolute()
        data.mkdir(parents=True, mode=0o700)
        shutil.copy2(of._directory.file("identity.key"), data)
        return self.node(place, data=data, **more)

    def warnings(self, node: Node) -> list[str]:
        return [one for one in node.status().notices if one.startswith("twin: ")]

    def test_a_session_from_our_own_uuid(self) -> None:
        """The twin has another address for us, or it would know itself: it dials without a UUID."""
        ours = self.node("127.0.0.1")
        twin = self.twin(ours, "127.0.0.1", listen=())
        twin.connect("tcp:127.0.0.1:9999").addErrback(lambda _: None)
        self.pass_time(60)
        self.assertEqual((len(ours.peers), len(twin.peers)), (0, 0))

    def test_a_peer_that_has_two_of_us(self) -> None:
        friend = self.node(AWAY, default_access="allow")
        ours = self.node(HOME, listen=())
        twin = self.twin(ours, ELSEWHERE, listen=())
        self.done(ours.connect(self.address(friend, AWAY), keep=True))
        self.assertEqual(self.warnings(ours), [])
        self.done(twin.connect(self.address(friend, AWAY), keep=True), 2)
        self.assertEqual(len(self.warnings(ours)), 1)
        self.assertIn("this identity is online elsewhere", ours.status().reason)
        self.assertIn("stolen", ours.status().advice)
        self.assertTrue([line for line in self.lines("error") if "security: twin" in line])

    def test_no_dance(self) -> None:
        """Each stays away for ten minutes when the other has its place."""
        friend = self.node(AWAY, default_access="allow")
        ours = self.node(HOME, listen=())
        twin = self.twin(ours, ELSEWHERE, listen=())
        self.done(ours.connect(self.address(friend, AWAY), keep=True))
        self.done(twin.connect(self.address(friend, AWAY), keep=True), 2)
        self.pass_time(3600)
        self.assertLessEqual(len(self.warnings(ours)) + len(self.warnings(twin)), 3600 / TWIN_WAIT_SECONDS * 2 + 1)
        self.assertEqual(len(friend.peers), 1)

    def test_forgotten_after_an_hour(self) -> None:
        friend = self.node(AWAY, default_access="allow")
        ours = self.node(HOME, listen=())
        twin = self.twin(ours, ELSEWHERE, listen=())
        self.done(ours.connect(self.address(friend, AWAY), keep=False))
        self.done(twin.connect(self.address(friend, AWAY), keep=False), 2)
        self.assertIn("online elsewhere", ours.status().reason)
        self.pass_time(REMEMBERED_SECONDS)
        self.assertNotIn("online elsewhere", ours.status().reason)

    def test_our_own_second_session_is_no_twin(self) -> None:
        """A dial that replaces a session that was lost without a word."""
        friend = self.node(AWAY, default_access="allow")
        ours = self.node(HOME, listen=())
        self.done(ours.connect(self.address(friend, AWAY), keep=True))
        self.network.cut()
        self.pass_time(120)
        self.assertEqual(self.warnings(ours), [])

    def test_another_start_is_no_twin(self) -> None:
        friend = self.node(AWAY, default_access="allow")
        ours = self.node(HOME, listen=())
        self.done(ours.connect(self.address(friend, AWAY)))
        stopping = ours.stopService()
        self.pass_time(30)
        self.successResultOf(stopping)
        ours.startService()
        self.done(ours.connect(self.address(friend, AWAY)), 5)
        self.assertEqual((len(friend.peers), self.warnings(ours)), (1, []))
