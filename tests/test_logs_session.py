"""Whole lives of nodes with the log at debug: no key, no shared secret, no address and no identity is in any line.

Every event counts, Twisted's own too, with all its values: a structured observer would write those down.
"""

from __future__ import annotations

import base64
import traceback
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import formatEvent
from twisted.python.failure import Failure

from quantumgate.crypto.secret import Secret
from quantumgate.errors import ConnectFailed
from quantumgate.extender.api import Extender, maker
from quantumgate.node.node import Node
from tests.node.world import NodeCase

HOME, AWAY, WRONG = "192.0.2.1", "198.51.100.77", "203.0.113.99"
LEAST_BYTES = 16


class Parrot(Extender):
    """Says everything back; raises at one word, reports another."""

    def message_received(self, peer: Any, message: bytes) -> Any:
        if message == b"raise":
            raise ValueError("a guest's own mistake")
        if message == b"nonsense":
            self.host.report(peer, "offence " * 1000 + "\n\x1b[2J")
            return None
        return None if message.startswith(b"again") else self.host.send(peer, b"again " + message)


parrot = maker(Parrot, name="parrot", uuid="5f0c3e52-7a83-4a5f-9d6b-0c1f6f2f9e77")


class SilenceTests(NodeCase):
    def setUp(self) -> None:
        super().setUp()
        self.secrets: set[bytes] = set()
        wipe = Secret.wipe

        def wiped(secret: Secret) -> None:
            """Every secret ends here, be it wiped or dropped."""
            if secret._at >= 0 and len(secret) >= LEAST_BYTES:
                self.secrets.add(secret.reveal())
            wipe(secret)

        self.patch(Secret, "wipe", wiped)

    def secret_file(self, content: bytes) -> str:
        path = Path(self.mktemp()).absolute()
        path.write_bytes(content)
        path.chmod(0o600)
        self.secrets.add(content)
        return str(path)

    def written(self) -> str:
        """Everything that any observer could write down."""
        parts: list[str] = []
        for event in self.events:
            parts += [formatEvent(event), repr({name: value for name, value in event.items() if name != "log_logger"})]
            failure = event.get("log_failure")
            if isinstance(failure, Failure):
                parts += [failure.getTraceback(), "".join(traceback.format_exception(failure.value))]
        return "\n".join(parts)

    def live(self) -> list[Node]:
        """Meet, talk, re-key, err, be refused, be cut, meet again, part."""
        secret = self.secret_file(bytes(range(100, 148)))
        left = self.node(HOME, parrot, listen=(), shared_secret_file=secret)
        right = self.node(AWAY, parrot, default_access="allow", shared_secret_file=secret)
        other = self.node(WRONG, default_access="allow", shared_secret_file=self.secret_file(b"another secret " * 3))
        self.done(left.connect(self.address(right, AWAY)), 1)
        self.talk(left)
        (contact,) = left._parts.desk.contacts  # type: ignore[union-attr]
        self.pass_time(120)
        contact.session.rekey.request(self.clock.seconds())
        contact.protocol.wake()
        self.pass_time(2)
        self.assertEqual(contact.session.key_epoch, 1)
        self.failed(left.connect(self.address(other, WRONG)), ConnectFailed, 60)
        self.failed(other.connect(self.address(right, AWAY, 7)), ConnectFailed, 60)
        self.network.weather.rewrite = lambda data: bytes(len(data))
        left.ping(str(right.uuid)).addErrback(lambda _: None)
        self.pass_time(1)
        self.network.weather.rewrite = None
        self.pass_time(90)
        self.network.cut()
        self.pass_time(90)
        right.access.deny(left.uuid)
        self.pass_time(5)
        return [left, right, other]

    def talk(self, node: Node) -> None:
        host = node.guests.guest_host("parrot")
        (peer,) = host.peers()
        for message in (b"hello", b"nonsense", b"raise"):
            sent: Deferred[Any] = host.send(peer, message)
            self.done(sent.addErrback(lambda _: None), 1)

    def test_nothing_that_must_not_be_there(self) -> None:
        nodes = self.live()
        self.flushLoggedErrors(ValueError)
        text = self.written()
        for line in ("connected", "is gone", "is at key epoch 1", "access denied", "does not understand", "raised in"):
            self.assertIn(line, text, "the session did not go as planned")
        for node in nodes:
            self.assertNotIn(str(node.uuid), text)
            self.assertNotIn(node.status().fingerprint or "no fingerprint", text)
        for place in (HOME, AWAY, WRONG):
            self.assertNotIn(place, text)
        stopping = [node.stopService() for node in nodes]
        self.pass_time(60)
        for each in stopping:
            self.successResultOf(each)
        self.assertGreater(len(self.secrets), 40, "the secrets were not caught")
        text = self.written()
        found = [len(secret) for secret in self.secrets for form in forms(secret) if form in text]
        self.assertEqual(found, [], "lengths of secrets that stand in the log")

    def test_the_search_would_find_them(self) -> None:
        left = self.node(HOME)
        secret = Secret(b"K" * 5 + bytes(range(200, 232)))
        self.events.append({"log_format": "oops {key}", "key": secret.reveal(), "log_level": None})
        secret.wipe()
        text = self.written()
        self.assertTrue(any(form in text for each in self.secrets for form in forms(each)))
        self.assertNotIn(str(left.uuid), text)

    def test_a_guest_that_reports_fills_no_log(self) -> None:
        left, right = self.node(HOME, parrot, listen=()), self.node(AWAY, parrot, default_access="allow")
        self.done(left.connect(self.address(right, AWAY)), 1)
        host = left.guests.guest_host("parrot")
        (peer,) = host.peers()
        for _ in range(50):
            self.done(host.send(peer, b"nonsense"))
        lines = [line for line in self.lines("warn") if "does not understand" in line]
        self.assertEqual(len(lines), 1)
        self.assertLess(len(lines[0]), 400)
        self.assertTrue(lines[0].isprintable())


def forms(secret: bytes) -> list[str]:
    """How bytes get into a line."""
    plain = repr(secret)[2:-1]
    return [secret.hex(), secret.hex().upper(), plain, base64.b64encode(secret).decode().rstrip("="),
            base64.b32encode(secret).decode().rstrip("=").lower(), str(list(secret))[1:-1]]


