"""The blocking client against a real socket; it runs in a thread, as qgate runs in another process."""

from __future__ import annotations

import socket
import threading
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase

from quantumgate.control import messages
from quantumgate.control.client import ControlClient, NodeRefused, NoNodeRunning
from quantumgate.control.messages import RequestError
from quantumgate.control.server import ControlServer
from quantumgate.errors import LocalError
from tests.control.fakenode import FRIEND, FakeNode, short_directory


class LiveTests(TestCase):
    def setUp(self) -> None:
        folder = short_directory(self)
        self.node, self.path = FakeNode(connected=[FRIEND]), folder / "c.sock"
        server = ControlServer(self.node, self.path, reactor)
        server.start()
        self.addCleanup(server.stop)

    def use(self, work: Any) -> Deferred[Any]:
        def with_client() -> Any:
            with ControlClient(self.path, timeout_seconds=20) as client:
                return work(client)

        return deferToThread(with_client)

    async def test_calls(self) -> None:
        def work(client: ControlClient) -> Any:
            return client.call("status")["phase"], client.call("peers")[0]["uuid"]

        self.assertEqual(await self.use(work), ("up", str(FRIEND)))

    async def test_stream(self) -> None:
        def work(client: ControlClient) -> Any:
            return list(client.stream("ping", target=str(FRIEND), count=3, interval_seconds=0))

        parts = await self.use(work)
        self.assertEqual([last for last, _ in parts], [False, False, False, True])
        self.assertEqual(parts[-1][1]["answered"], 3)

    async def test_refused(self) -> None:
        error = await self.assertFailure(self.use(lambda client: client.call("connect", address="qg://x")), NodeRefused)
        self.assertEqual((error.reason, error.advice), ("no-answer", "is the UUID right?"))

    async def test_large_answer(self) -> None:
        self.node.connected = [FRIEND] * 8192
        self.assertEqual(len(await self.use(lambda client: client.call("peers"))), 8192)


class NobodyTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = short_directory(self)
        self.path = folder / "c.sock"

    def test_no_socket(self) -> None:
        error = self.assertRaises(NoNodeRunning, ControlClient, self.path)
        self.assertEqual(str(error), f"no node is running: there is no control socket at {self.path}")
        self.assertIn("twistd -n qgnode", error.advice)

    def test_socket_of_a_dead_node(self) -> None:
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(self.path))
        self.assertIn("nobody answers", str(self.assertRaises(NoNodeRunning, ControlClient, self.path)))

    def listen(self, answer: bytes) -> None:
        """A node that answers one connection with these bytes and hangs up."""
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(self.path))
        server.listen(1)
        server.settimeout(20)

        def serve() -> None:
            with server, server.accept()[0] as connection:
                connection.recv(100_000)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        self.addCleanup(thread.join)

    def error_after(self, answer: bytes) -> Exception:
        self.listen(answer)
        with ControlClient(self.path, timeout_seconds=20) as client:
            return self.assertRaises(LocalError, client.call, "status")

    def test_hangs_up(self) -> None:
        self.assertIn("closed the connection", str(self.error_after(b"")))

    def test_half_a_line(self) -> None:
        self.assertIn("closed the connection", str(self.error_after(b'{"id":1,')))

    def test_not_json(self) -> None:
        self.assertIsInstance(self.error_after(b"HTTP/1.1 400\n"), RequestError)

    def test_endless_answer(self) -> None:
        self.patch(messages, "MAX_ANSWER_BYTES", 1000)
        self.assertIn("more than 1000 bytes", str(self.error_after(b"x" * 70_000)))

    def test_slow_node(self) -> None:
        server = socket.socket(socket.AF_UNIX)
        self.addCleanup(server.close)
        server.bind(str(self.path))
        server.listen(1)
        with ControlClient(self.path, timeout_seconds=0.01) as client:
            error = self.assertRaises(RequestError, client.call, "status")
        self.assertEqual(error.reason, "timeout")
