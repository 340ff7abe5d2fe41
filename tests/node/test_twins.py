"""Two nodes with one key: seen, told once, and no dance of sessions that replace each other."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from quantumgate.core.events import SecurityNotice
from quantumgate.errors import ConnectFailed
from quantumgate.node.contact import Contact
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

    def staged(self, *, keep: bool | None = None) -> tuple[Node, Node]:
        """A friend who admits all, and us, connected to it (``keep``) or not yet (None)."""
        friend = self.node(AWAY, default_access="allow")
        ours = self.node(HOME, listen=())
        if keep is not None:
            self.done(ours.connect(self.address(friend, AWAY), keep=keep))
        return friend, ours

    def twin_comes(self, ours: Node, friend: Node, *, keep: bool) -> Node:
        """To where we are connected."""
        twin = self.twin(ours, ELSEWHERE, listen=())
        self.done(twin.connect(self.address(friend, AWAY), keep=keep), 2)
        return twin

    def warnings(self, node: Node) -> list[str]:
        return [one for one in node.status().notices if one.startswith("twin: ")]

    def test_a_dial_that_reaches_the_twin_says_nothing(self) -> None:
        """An honest node takes whoever shows its own key for itself, and ends before it has said who it is."""
        ours = self.node("127.0.0.1")
        twin = self.twin(ours, "127.0.0.1", listen=())
        failed = self.failed(twin.connect("tcp:127.0.0.1:9999"), ConnectFailed, 60)
        self.assertEqual((failed.reason, ours.peers, self.warnings(ours)), ("self", (), []))

    def test_somebody_who_proves_our_key_to_us(self) -> None:
        """What the core says of a handshake under our own key (row 11 of the attacks)."""
        ours = self.node(HOME)
        desk: Any = ours._parts.desk  # type: ignore[union-attr]
        desk.security(Contact(desk, "192.0.2.9:1", outbound=False), SecurityNotice("twin", "with our key"))
        self.assertEqual(len(self.warnings(ours)), 1)
        self.assertIn("a node at 192.0.2.9:1 dialled us with our key", ours.status().reason)

    def test_a_peer_that_has_two_of_us(self) -> None:
        friend, ours = self.staged(keep=True)
        self.assertEqual(self.warnings(ours), [])
        self.twin_comes(ours, friend, keep=True)
        self.assertEqual(len(self.warnings(ours)), 1)
        self.assertIn("this identity is online elsewhere", ours.status().reason)
        self.assertIn("stolen", ours.status().advice)
        self.assertTrue([line for line in self.lines("error") if "security: twin" in line])

    def test_no_dance(self) -> None:
        """Each stays away for ten minutes when the other has its place."""
        friend, ours = self.staged(keep=True)
        twin = self.twin_comes(ours, friend, keep=True)
        self.pass_time(3600)
        self.assertLessEqual(len(self.warnings(ours)) + len(self.warnings(twin)), 3600 / TWIN_WAIT_SECONDS * 2 + 1)
        self.assertEqual(len(friend.peers), 1)

    def test_forgotten_after_an_hour(self) -> None:
        friend, ours = self.staged(keep=False)
        self.twin_comes(ours, friend, keep=False)
        self.assertIn("online elsewhere", ours.status().reason)
        self.pass_time(REMEMBERED_SECONDS)
        self.assertNotIn("online elsewhere", ours.status().reason)

    def test_our_own_second_session_is_no_twin(self) -> None:
        """A dial that replaces a session that was lost without a word."""
        _, ours = self.staged(keep=True)
        self.network.cut()
        self.pass_time(120)
        self.assertEqual(self.warnings(ours), [])

    def test_another_start_is_no_twin(self) -> None:
        friend, ours = self.staged()
        self.done(ours.connect(self.address(friend, AWAY)))
        stopping = ours.stopService()
        self.pass_time(30)
        self.successResultOf(stopping)
        ours.startService()
        self.done(ours.connect(self.address(friend, AWAY)), 5)
        self.assertEqual((len(friend.peers), self.warnings(ours)), (1, []))
