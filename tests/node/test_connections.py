"""Making connections: addresses for people, and who stays nameless or may be dialled without a UUID."""

from __future__ import annotations

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.requests import PeerCheck, Verdict
from quantumgate.errors import ConnectFailed
from quantumgate.node.connections import address_text
from quantumgate.node.contact import Contact
from quantumgate.node.node import Node
from quantumgate.settings.schema import Listen
from tests.node.world import NodeCase

HOME, AWAY, LOOPBACK = "192.0.2.1", "198.51.100.1", "127.0.0.1"


class AddressTests(SynchronousTestCase):
    def test_for_people(self) -> None:
        for address, text in (
            (IPv4Address("TCP", "192.0.2.7", 9999), "192.0.2.7:9999"),
            (IPv6Address("TCP", "2001:db8::7", 9999), "[2001:db8::7]:9999"),
            (UNIXAddress(b"/run/qg"), "unix:/run/qg"),
            (UNIXAddress(b"\xff"), "unix:\ufffd"),
            (UNIXAddress(None), "unix"),
            (object(), "unix"),
        ):
            self.assertEqual(address_text(address), text)


class NamelessTests(NodeCase):
    """An address without a UUID: whom does the dialler tell its name, and who answers at all?"""

    def test_on_one_machine_both_are_named(self) -> None:
        left, right = self.node(LOOPBACK, listen=()), self.node(LOOPBACK, default_access="allow")
        peer = self.done(left.connect("tcp:127.0.0.1:9999"))
        self.assertEqual((peer.uuid, right.peers[0].uuid), (right.uuid, left.uuid))

    def test_elsewhere_nobody_answers_however_open_it_is(self) -> None:
        left = self.node(HOME, listen=())
        self.node(AWAY, default_access="allow", require_authentication=False)
        error = self.failed(left.connect(f"tcp:{AWAY}:9999"), ConnectFailed, 60)
        self.assertEqual(error.reason, "no-answer")
        self.assertIn("without a UUID", error.advice)

    def test_a_lan_listener_answers_and_the_dialler_stays_nameless(self) -> None:
        left = self.node(HOME, listen=())
        right = self.node(AWAY, listen=(Listen(endpoint="tcp:9999", lan=True),), require_authentication=False)
        peer = self.done(left.connect(f"tcp:{AWAY}:9999"))
        self.assertEqual((peer.uuid, [each.uuid for each in right.peers]), (right.uuid, [None]))


class SettingsTests(NodeCase):
    def test_every_session_of_a_process_shows_one_instance_and_another_process_another(self) -> None:
        right = self.node(AWAY, default_access="allow")
        diallers = [self.node(place, listen=()) for place in (HOME, "192.0.2.2")]
        for node in diallers:
            self.done(node.connect(self.address(right, AWAY)))
        table = right._parts.desk.table  # type: ignore[union-attr]
        seen = [contact.session.peer_block.instance for contact in table]
        mine = {contact.session.block.instance for contact in table}
        self.assertEqual((len(set(seen)), len(mine)), (2, 1))
        self.assertNotIn(next(iter(mine)), seen)


class TokenTests(NodeCase):
    """Each contact hands over a token for the next one; nameless peers give and get none. [A14]"""

    def setUp(self) -> None:
        super().setUp()
        self.right = self.node(AWAY, default_access="allow")
        self.checks: list[PeerCheck] = []
        desk = self.right._parts.desk  # type: ignore[union-attr]
        judge = desk.judge

        def judged(contact: Contact, check: PeerCheck) -> Verdict:
            self.checks.append(check)
            return judge(contact, check)

        desk.judge = judged  # type: ignore[method-assign]

    def meet(self, left: Node) -> bool:
        """A dial from left and its end; whether right knew it by a token."""
        self.done(left.connect(self.address(self.right, AWAY)))
        self.done(left.disconnect(self.right.uuid), 1)
        return self.checks.pop().known

    def test_the_second_time_one_is_known(self) -> None:
        left = self.node(HOME, listen=())
        self.assertEqual([self.meet(left) for _ in range(4)], [False, True, True, True])

    def test_a_listener_that_was_started_anew_knows_nobody(self) -> None:
        left = self.node(HOME, listen=())
        self.meet(left)
        mint = self.right._parts.connections._tokens.mint  # type: ignore[union-attr]
        mint._batches.clear()
        self.assertFalse(self.meet(left))

    def test_who_was_dialled_has_one_for_dialling_back(self) -> None:
        left = self.node(HOME, default_access="allow")
        self.done(left.connect(self.address(self.right, AWAY)))
        purse = self.right._parts.connections._tokens.purse  # type: ignore[union-attr]
        holder = left._parts.connections._tokens.mint.holder(purse.take(left.uuid, 0), 0)  # type: ignore[union-attr]
        self.assertEqual(holder and holder.uuid, self.right.uuid)

    def test_who_is_not_admitted_gets_none(self) -> None:
        left = self.node(HOME, listen=())
        self.right.access.deny(left.uuid)
        self.failed(left.connect(self.address(self.right, AWAY)), ConnectFailed, 1)
        self.assertEqual(len(left._parts.connections._tokens.purse), 0)  # type: ignore[union-attr]

    def test_nameless_peers_have_nothing_to_do_with_it(self) -> None:
        left = self.node(HOME, listen=())
        right = self.node("192.0.2.9", listen=(Listen(endpoint="tcp:9999", lan=True),), require_authentication=False)
        self.done(left.connect("tcp:192.0.2.9:9999"))
        for node in (left, right):
            self.assertEqual(len(node._parts.connections._tokens.purse), 0)  # type: ignore[union-attr]
            (contact,) = node._parts.desk.table  # type: ignore[union-attr]
            self.assertEqual((contact.session.block.token, contact.session.peer_block.token), (b"", b""))
