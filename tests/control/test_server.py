"""One connection in memory, and the socket's life on a real file system."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase, TestCase

from quantumgate.control import messages
from quantumgate.control.paths import find_control
from quantumgate.control.server import ControlConnection, ControlFactory, ControlServer, peer_uid
from quantumgate.errors import LocalError
from quantumgate.wire.record_text import TEXT_LETTERS_MAX
from tests.control.fakenode import FRIEND, FakeNode, FakePeer, short_directory


class ConnectionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.node, self.clock = FakeNode(), Clock()
        self.factory = ControlFactory(self.node, self.clock)
        self.connection, self.transport = self.open()

    def open(self) -> tuple[ControlConnection, StringTransport]:
        connection, transport = self.factory.buildProtocol(UNIXAddress(b"")), StringTransport()
        connection.makeConnection(transport)
        return connection, transport

    def send(self, request_id: int, command: str, **arguments: Any) -> None:
        line = messages.encode(messages.Request(id=request_id, command=command, arguments=arguments))
        self.connection.dataReceived(line)

    def answers(self) -> list[dict[str, Any]]:
        lines = self.transport.value().splitlines()
        self.transport.clear()
        return [json.loads(line) for line in lines]

    def test_answer_repeats_the_id(self) -> None:
        self.send(41, "peers")
        self.assertEqual(self.answers(), [{"id": 41, "result": []}])

    def test_byte_by_byte(self) -> None:
        for byte in b'{"id":1,"command":"peers"}\n':
            self.connection.dataReceived(bytes((byte,)))
        self.assertEqual(self.answers(), [{"id": 1, "result": []}])

    def test_two_in_one_read(self) -> None:
        self.connection.dataReceived(b'{"id":1,"command":"peers"}\n{"id":2,"command":"peers"}\n')
        self.assertEqual([answer["id"] for answer in self.answers()], [1, 2])

    def test_the_longest_text_of_records(self) -> None:
        """Found by reading: four hybrid records with delegations were longer than a request might be."""
        text = "qgr:" + "A" * (TEXT_LETTERS_MAX - 4)
        self.send(1, "connect", address=text, hops=8, via=[str(FRIEND)] * 8)
        (answer,) = self.answers()
        self.assertNotIn(answer.get("error", {}).get("reason"), ("too-long", "wrong-arguments"))
        self.assertEqual(self.node.asked[0][0], text)

    def test_malformed_line_keeps_the_connection(self) -> None:
        self.connection.dataReceived(b"hello\n")
        self.assertEqual(self.answers()[0]["error"]["reason"], "malformed")
        self.send(2, "peers")
        self.assertEqual(self.answers()[0]["id"], 2)

    def test_longest_line(self) -> None:
        line = b'{"id":1,"command":"peers"}'
        self.connection.dataReceived(line + b" " * (messages.MAX_REQUEST_BYTES - len(line)) + b"\n")
        self.assertEqual(self.answers()[0]["result"], [])

    def test_too_long_a_line(self) -> None:
        self.connection.dataReceived(b" " * (messages.MAX_REQUEST_BYTES + 1) + b"\n")
        self.assertEqual(self.answers()[0]["error"]["reason"], "too-long")
        self.assertTrue(self.transport.disconnecting)

    def test_endless_line(self) -> None:
        for _ in range(5):
            self.connection.dataReceived(b"x" * (messages.MAX_REQUEST_BYTES // 2))
        self.assertTrue(self.transport.disconnecting)

    def test_a_bug_in_the_node(self) -> None:
        self.node.broken = True
        self.send(1, "status")
        self.assertEqual(self.answers()[0]["error"]["reason"], "bug")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_slow_command_does_not_hold_up_others(self) -> None:
        self.node.hangs = Deferred()
        self.send(1, "connect", address="qg://slow")
        self.send(2, "peers")
        self.assertEqual([answer["id"] for answer in self.answers()], [2])
        self.node.connected.append(FRIEND)
        self.node.hangs.callback(FakePeer(FRIEND))
        self.assertEqual(self.answers()[0]["result"]["uuid"], str(FRIEND))

    def test_too_many_under_way(self) -> None:
        self.node.hangs = Deferred()
        for number in range(messages.MAX_RUNNING):
            self.send(number, "connect", address="qg://slow")
        self.assertEqual(self.answers(), [])
        self.send(99, "peers")
        self.assertEqual(self.answers()[0]["error"]["reason"], "busy")

    def test_gone_operator_cancels_what_is_under_way(self) -> None:
        cancelled: list[bool] = []
        self.node.hangs = Deferred(lambda _: cancelled.append(True))
        self.send(1, "connect", address="qg://slow")
        self.connection.connectionLost()
        self.assertEqual((cancelled, self.answers(), self.factory.connections), ([True], [], set()))

    def test_gone_operator_stops_a_ping(self) -> None:
        self.send(1, "ping", target=str(FRIEND), count=1000)
        self.connection.connectionLost()
        self.clock.pump([1] * 5)
        self.assertEqual(self.node.pings, 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_too_many_connections(self) -> None:
        for _ in range(messages.MAX_CONNECTIONS - 1):
            self.open()
        _, transport = self.open()
        self.assertIn(b'"busy"', transport.value())
        self.assertTrue(transport.disconnecting)
        self.connection.connectionLost()
        self.assertFalse(self.open()[1].disconnecting)

    def test_the_transport_knows_whom_to_pause(self) -> None:
        self.assertIs(self.transport.producer, self.connection)
        self.assertTrue(self.transport.streaming)

    def test_an_operator_who_does_not_read(self) -> None:
        """While its answers pile up, further requests wait, also those already in one read."""
        self.connection.pauseProducing()
        self.connection.dataReceived(b'{"id":1,"command":"peers"}\n' * 1000)
        self.assertEqual(self.transport.producerState, "paused")
        self.assertEqual(self.answers(), [])
        self.connection.resumeProducing()
        self.assertEqual(len(self.answers()), 1000)


class SocketTests(TestCase):
    def setUp(self) -> None:
        self.data = short_directory(self)
        self.path = self.data / "c.sock"

    def start(self, path: Path | None = None) -> ControlServer:
        server = ControlServer(FakeNode(), path or self.path, reactor, self.data)
        server.start()
        self.addCleanup(server.stop)
        return server

    def test_only_the_owner_may_open_it(self) -> None:
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        self.start()
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)
        self.assertEqual(os.umask(0), 0)

    def test_never_open_to_others_not_even_for_a_moment(self) -> None:
        """The mask is tight while the socket is made: its mode is changed only after that."""
        masks: list[int] = []

        class MaskReader:
            def listenUNIX(self, *_arguments: Any, **_options: Any) -> None:
                masks.append(os.umask(0o177))

        ControlServer(FakeNode(), self.path, MaskReader()).start()
        self.assertEqual(masks, [0o177])

    def test_word_is_left_where_it_is(self) -> None:
        self.start()
        self.assertEqual(find_control(self.data), self.path)

    def test_the_file_goes_with_the_node(self) -> Deferred[Any]:
        return self.start().stop().addCallback(lambda _: self.assertFalse(self.path.exists()))

    def test_stale_socket_is_replaced(self) -> None:
        stale = socket.socket(socket.AF_UNIX)
        stale.bind(str(self.path))
        stale.close()
        self.start()

    def test_live_socket_is_not(self) -> None:
        self.start()
        error = self.assertRaises(LocalError, ControlServer(FakeNode(), self.path, reactor).start)
        self.assertIn("another node answers", str(error))
        self.assertTrue(self.path.exists())

    def test_another_kind_of_file_is_not(self) -> None:
        self.path.write_text("mine")
        self.assertRaises(LocalError, ControlServer(FakeNode(), self.path, reactor).start)
        self.assertEqual(self.path.read_text(), "mine")

    def test_directory_that_others_can_write_to(self) -> None:
        self.data.chmod(0o777)
        error = self.assertRaises(LocalError, ControlServer(FakeNode(), self.path, reactor).start)
        self.assertIn("chmod 700", error.advice)

    def test_no_directory(self) -> None:
        error = self.assertRaises(LocalError, ControlServer(FakeNode(), Path("/nonexistent/c.sock"), reactor).start)
        self.assertIn("no such file", str(error))

    def test_the_kernel_knows_who_is_there(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX)
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)
        self.assertEqual(peer_uid(ours), os.geteuid())
