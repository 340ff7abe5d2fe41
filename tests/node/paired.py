"""Two nodes that never met: alice listens, bob does not. For tests of invitations."""

from __future__ import annotations

from typing import Any

from quantumgate.control.api import MadeInvitation
from quantumgate.errors import ConnectFailed
from quantumgate.node.node import Node
from quantumgate.wire.invitation_text import Invitation, read_invitation
from tests.node.world import NodeCase

HOME, AWAY, ELSEWHERE = "192.0.2.1", "198.51.100.1", "198.51.100.2"


class PairingCase(NodeCase):
    def setUp(self) -> None:
        super().setUp()
        self.alice, self.bob = self.node(HOME), self.node(AWAY, listen=())

    def invite(self, node: Node | None = None, place: str = HOME, **terms: Any) -> MadeInvitation:
        """An invitation of alice, who listens at her place."""
        return self.done((node or self.alice).pairing.invite([f"{place}:9999"], **terms))

    def join(self, text: str, node: Node | None = None, **terms: Any) -> Any:
        """Bob uses it."""
        return self.done((node or self.bob).pairing.join(text, **terms), 3)

    def refused(self, text: str, node: Node | None = None, **terms: Any) -> ConnectFailed:
        """Bob tries to use it."""
        error: ConnectFailed = self.failed((node or self.bob).pairing.join(text, **terms), ConnectFailed, 15)
        return error

    def changed(self, text: str, **fields: Any) -> str:
        """The same invitation with something else in it, and a check that fits."""
        old = read_invitation(text)
        kept = {name: getattr(old, name) for name in Invitation.__slots__}
        return Invitation(**{**kept, **fields}).text
