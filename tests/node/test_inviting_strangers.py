"""What strangers learn from a node that has made invitations: nothing; and what it costs them to try."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

from quantumgate.core.access.decision import Rule
from quantumgate.core.events import Closed
from quantumgate.errors import ConnectFailed
from quantumgate.node.contact import Contact
from quantumgate.node.desk import FrontDesk
from quantumgate.node.node import Node
from tests.node.paired import AWAY, HOME, PairingCase

TRIES = 60


class StrangerTests(PairingCase):
    def setUp(self) -> None:
        super().setUp()
        self.sent: list[int] = []
        self.heard: list[tuple[int | None, str]] = []
        alice, bob = self.desk(self.alice), self.desk(self.bob)
        left, closed = alice.left, bob.closed

        def noting_bytes(contact: Contact) -> None:
            assert contact.protocol is not None
            session = contact.protocol.connection.session
            if session is not None and contact in alice.contacts:
                self.sent.append(session.bytes_sent)
            left(contact)

        def noting_words(contact: Contact, event: Closed) -> None:
            self.heard.append((event.code, event.text))
            closed(contact, event)

        self.patch(alice, "left", noting_bytes)
        self.patch(bob, "closed", noting_words)

    def desk(self, node: Node) -> FrontDesk:
        assert node._parts is not None
        return node._parts.desk

    def turned_away(self, text: str = "") -> None:
        """Bob comes with this invitation, or with none."""
        coming = self.bob.pairing.join(text) if text else self.bob.connect(self.address(self.alice, HOME))
        self.failed(coming, ConnectFailed, 15)

    def all_alike(self, times: int) -> None:
        """Each time one record after the handshake, of one length, with one code and no word."""
        self.assertEqual((len(self.sent), len(set(self.sent))), (times, 1), self.sent)
        self.assertEqual(self.heard, [(4, "")] * times)

    def test_a_made_up_one_is_answered_like_none_whatever_there_is(self) -> None:
        """With and without open invitations; and a good one in the hands of who is banned."""
        self.turned_away()
        made = self.invite().invitation
        self.turned_away()
        self.turned_away(self.changed(made, secret=b"\x05" * 20))
        self.done(self.alice.access.ban(self.bob.uuid))
        self.turned_away()
        self.turned_away(made)
        self.all_alike(5)

    def test_a_right_name_with_a_wrong_signature_is_no_other_stranger(self) -> None:
        """Who read what alice keeps knows the names of her invitations, and still learns nothing by them."""
        made = self.invite().invitation
        self.turned_away()
        assert self.bob._parts is not None
        joining = self.bob._parts.pairing.joining
        reach = joining._reach

        def without_a_good_signature(target: Any, *, keep: bool) -> Any:
            right = target.prove
            return reach(replace(target, prove=lambda bound: right(bound)[:-64] + bytes(64)), keep=keep)

        self.patch(joining, "_reach", without_a_good_signature)
        self.turned_away(made)
        self.all_alike(2)
        self.assertEqual(self.alice.pairing.invitations()[0].state, "open")

    def test_trying_is_paid_for_until_nobody_listens(self) -> None:
        made = self.invite().invitation
        false = self.changed(made, secret=b"\x05" * 20)
        for _ in range(TRIES):
            self.failed(self.bob.pairing.join(false), ConnectFailed, 11)
        self.assertIs(self.alice.access.decide(self.bob.uuid).rule, Rule.SCORE)
        self.assertIs(self.alice.access.knock(ip_address(AWAY)).rule, Rule.SCORE)
        self.assertLess(len(self.sent), TRIES)
        self.turned_away(made)
        self.assertEqual(self.alice.pairing.invitations()[0].state, "open")
