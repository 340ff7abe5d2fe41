"""Addresses as text: what is written is read again, what is wrong is refused with what was expected."""

from __future__ import annotations

from uuid import UUID

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.errors import LocalError
from quantumgate.ids import DEFAULT_PORT, MAX_HOSTS, NOBODY, QgAddress, host_text, parse_peer_uuid
from quantumgate.wire.limits import ANCHORS_MAX

TEXT = "0f0e0d0c-0b0a-8908-8706-050403020100"
FINGERPRINT = "abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrst"


class UuidTests(SynchronousTestCase):
    def test_taken(self) -> None:
        for text in (TEXT, TEXT.upper()):
            self.assertEqual(parse_peer_uuid(text), UUID(TEXT))

    def test_refused(self) -> None:
        wrong = (
            "", "x", TEXT[:-1], TEXT + "0", TEXT.replace("-", ""), "{" + TEXT + "}", "urn:uuid:" + TEXT,
            TEXT.replace("8908", "4908"), TEXT.replace("8706", "0706"), TEXT.replace("8706", "c706"), str(NOBODY),
            " " + TEXT,
        )  # fmt: skip
        for text in wrong:
            error = self.assertRaises(LocalError, parse_peer_uuid, text)
            self.assertIn(repr(text), str(error))


class AddressTests(SynchronousTestCase):
    def test_more_digits_than_a_number_may_have(self) -> None:
        """Found by fuzzing: int() refuses thousands of digits with an error of its own."""
        for digits in (6, 5000):
            self.assertRaises(LocalError, QgAddress.parse, f"qg://{TEXT}@host:" + "1" * digits)

    def test_anchors_behind_anchors(self) -> None:
        """Found by fuzzing: each was read by the one before it, until Python had enough."""
        self.assertRaises(LocalError, QgAddress.parse, "qg://" + f"{TEXT}?anchor=" * 2000)

    def test_come_back(self) -> None:
        for text in (
            f"qg://{TEXT}", f"qg://{TEXT}.{FINGERPRINT}", f"qg://{TEXT}@host:1", f"qg://{TEXT}@a.example:65535,[::1]:2",
            f"qg://{TEXT}.{FINGERPRINT}@[fe80::1%eth0]:9999",
        ):  # fmt: skip
            self.assertEqual(str(QgAddress.parse(text)), text)

    def test_anchors(self) -> None:
        """1 to 3 of them with hosts, one key, and no hosts of the peer's own."""
        anchor = f"&anchor={TEXT}.{FINGERPRINT}@host:1,[::1]:2"
        head = f"qg://{TEXT}.{FINGERPRINT}?key={FINGERPRINT}"
        for count in range(1, ANCHORS_MAX + 1):
            parsed = QgAddress.parse(head + anchor * count)
            self.assertEqual((str(parsed), len(parsed.anchors)), (head + anchor * count, count))
            self.assertEqual((parsed.key, parsed.hosts), (FINGERPRINT, ()))
            self.assertNotIn("key", repr(parsed))
        for text in (
            head, head + anchor * (ANCHORS_MAX + 1), head + f"&anchor={TEXT}", head + anchor + "&other=1",
            f"qg://{TEXT}?{anchor[1:]}", f"qg://{TEXT}?key={FINGERPRINT}&key={FINGERPRINT}{anchor}",
            f"qg://{TEXT}?key=short{anchor}", f"qg://{TEXT}@host:1?key={FINGERPRINT}{anchor}", head + anchor + "&",
            f"{TEXT}?key={FINGERPRINT}{anchor}", head + f"&anchor={TEXT}?key={FINGERPRINT}", f"qg://?{head}",
        ):  # fmt: skip
            self.assertRaises(LocalError, QgAddress.parse, text)

    def test_what_a_node_is_given_to_dial(self) -> None:
        for text in (TEXT, f"qg://{TEXT}@host:1", f"qg://{TEXT}?key={FINGERPRINT}&anchor={TEXT}@host:1"):
            self.assertEqual(QgAddress.parse(text).to_dial, text)
        self.assertEqual(QgAddress.parse(f"qg://{TEXT}").to_dial, TEXT)
        self.assertEqual(QgAddress.parse(f"{TEXT}.{FINGERPRINT}").to_dial, f"qg://{TEXT}.{FINGERPRINT}")

    def test_short_forms(self) -> None:
        self.assertEqual(QgAddress.parse(TEXT), QgAddress(parse_peer_uuid(TEXT)))
        for host in ("host", "[::1]"):
            self.assertEqual(QgAddress.parse(f"qg://{TEXT}@{host}").hosts, ((host, DEFAULT_PORT),))

    def test_a_host_with_its_port(self) -> None:
        bracketed = "[2001:db8::1]"
        texts = {"a.example": "a.example:7", "2001:db8::1": f"{bracketed}:7", bracketed: f"{bracketed}:7"}
        for host, said in texts.items():
            self.assertEqual(host_text(host, 7), said)

    def test_hosts_are_counted(self) -> None:
        hosts = [f"h{number}" for number in range(MAX_HOSTS + 1)]
        self.assertEqual(len(QgAddress.parse(f"qg://{TEXT}@{','.join(hosts[:-1])}").hosts), MAX_HOSTS)
        self.assertRaises(LocalError, QgAddress.parse, f"qg://{TEXT}@{','.join(hosts)}")

    def test_ports(self) -> None:
        for port, legal in (("0", 0), ("1", 1), ("65535", 1), ("65536", 0), ("-1", 0), ("1x", 0), ("²", 0), ("٣", 0)):
            address = f"qg://{TEXT}@host:{port}"
            if legal:
                self.assertEqual(QgAddress.parse(address).hosts, (("host", int(port)),))
            else:
                self.assertRaises(LocalError, QgAddress.parse, address)

    def test_refused(self) -> None:
        wrong = (
            "", "qg://", f"{TEXT}@host:1", f"qg://{TEXT}@", f"qg://{TEXT}@host:1,", f"qg://{TEXT}.", f"qg://{TEXT}.abc",
            f"qg://{TEXT}.{FINGERPRINT[:-1]}1", f"qg://{TEXT}.{FINGERPRINT.upper()}", f"qg://{TEXT}@::1:2",
            f"qg://{TEXT}@a b:1", f"qg://{TEXT}@{'x' * 254}:1", f"http://{TEXT}@host:1",
        )  # fmt: skip
        for text in wrong:
            self.assertRaises(LocalError, QgAddress.parse, text)
