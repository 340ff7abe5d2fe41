"""Real sockets on loopback: every kind of Twisted endpoint carries a session, and the pump closes what it should."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import tempfile
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import clientFromString
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.trial.unittest import SkipTest, TestCase

from quantumgate.errors import ConnectFailed, LocalError
from quantumgate.extender.registry import Registry
from quantumgate.node.node import Node
from quantumgate.settings.schema import NodeTable, Settings


def certificate(directory: Path) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1: (certificate, key), PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = directory / "node.pem", directory / "node.key"
    certificate_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    return certificate_file, key_file


class EndpointTests(TestCase):
    timeout = 20

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir(parents=True)
        self.nodes: list[Node] = []

    async def tearDown(self) -> None:
        for node in self.nodes:
            await node.stopService()

    def node(self, *listen: str, **more: Any) -> Node:
        settings = Settings(node=NodeTable(listen=listen, default_access="allow", **more))
        node = Node(settings, self.directory / f"node{len(self.nodes)}", registry=Registry({}, ()))
        self.nodes.append(node)
        node.startService()
        return node

    async def meet(self, listen: str, dial: str) -> tuple[Node, Node]:
        """Two nodes with a session over this endpoint; ``PORT`` and ``UUID`` in ``dial`` are those of the listener."""
        right, left = self.node(listen), self.node()
        port = next((part for part in right.listening[0].split(":")[1:2] if part.isdigit()), "")
        await left.connect(dial.replace("PORT", port).replace("UUID", str(right.uuid)))
        await left.ping(str(right.uuid))
        (report,) = right.peers_snapshot()
        self.assertEqual((report.uuid, report.authenticated), (str(left.uuid), True))
        return left, right

    async def part(self, left: Node, right: Node) -> None:
        """A good-bye reaches the other side, and no transport is left."""
        await left.disconnect(right.uuid)
        for _ in range(200):
            if not left._parts.desk.contacts and not right._parts.desk.contacts:
                return
            await deferLater(reactor, 0.02)
        self.fail("a transport was left open")

    async def test_tcp(self) -> None:
        await self.part(*await self.meet("tcp:0:interface=127.0.0.1", "qg://UUID@127.0.0.1:PORT"))

    async def test_tcp_by_name(self) -> None:
        await self.part(*await self.meet("tcp:0:interface=127.0.0.1", "qg://UUID@localhost:PORT"))

    async def test_tcp6(self) -> None:
        if not socket.has_ipv6 or not _has_loopback6():
            raise SkipTest("this machine has no ::1; give its loopback interface an IPv6 address to run this")
        await self.part(*await self.meet("tcp6:0:interface=\\:\\:1", "qg://UUID@[::1]:PORT"))

    async def test_unix(self) -> None:
        path = Path(tempfile.mkdtemp(prefix="qg-")) / "s"
        await self.part(*await self.meet(f"unix:{path}", f"unix:{path}"))

    async def test_ssl(self) -> None:
        public, private = certificate(self.directory)
        listen = f"ssl:0:interface=127.0.0.1:privateKey={private}:certKey={public}"
        await self.part(*await self.meet(listen, "ssl:127.0.0.1:PORT"))

    async def test_tls_with_a_checked_certificate(self) -> None:
        public, private = certificate(self.directory)
        listen = f"ssl:0:interface=127.0.0.1:privateKey={private}:certKey={public}"
        await self.part(*await self.meet(listen, f"tls:127.0.0.1:PORT:trustRoots={self.directory}"))

    async def test_a_port_in_use_is_told_at_once(self) -> None:
        right = self.node("tcp:0:interface=127.0.0.1")
        port = right.listening[0].split(":")[1]
        settings = Settings(node=NodeTable(listen=(f"tcp:{port}:interface=127.0.0.1",)))
        second = Node(settings, self.directory / "second", registry=Registry({}, ()))
        with self.assertRaises(LocalError) as caught:
            second.startService()
        expected = f"cannot listen on tcp:{port}:interface=127.0.0.1: address already in use"
        self.assertEqual(str(caught.exception), expected)

    async def test_a_refused_port_is_told_at_once(self) -> None:
        free = socket.socket()
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        left, right = self.node(), self.node("tcp:0:interface=127.0.0.1")
        with self.assertRaises(ConnectFailed) as caught:
            await left.connect(f"qg://{right.uuid}@127.0.0.1:{port}")
        self.assertEqual(caught.exception.reason, "unreachable")

    async def test_a_drained_socket_is_read_and_closes_with_the_peer(self) -> None:
        right = self.node("tcp:0:interface=127.0.0.1")
        port = right.listening[0].split(":")[1]
        knocker = _Knocker()
        await clientFromString(reactor, f"tcp:127.0.0.1:{port}").connect(Factory.forProtocol(lambda: knocker))
        knocker.transport.write(bytes(3000))
        intake = right._parts.intake
        for _ in range(200):
            if intake.drained:
                break
            await deferLater(reactor, 0.01)
        self.assertEqual((intake.half_open, intake.drained), (0, 1))
        knocker.transport.loseConnection()
        await knocker.lost
        for _ in range(200):
            if not intake.drained:
                break
            await deferLater(reactor, 0.01)
        self.assertEqual((intake.drained, knocker.received), (0, b""))


class _Knocker(Protocol):
    def __init__(self) -> None:
        self.received = b""
        self.lost: Deferred[None] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Any = None) -> None:
        self.lost.callback(None)


def _has_loopback6() -> bool:
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            return False
    return True
