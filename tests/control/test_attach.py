"""Programs beside two nodes: what they offer and use, and what happens while their node is away."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionDone, ConnectionLost, NoProtocol
from twisted.trial.unittest import TestCase

from quantumgate.control.attach import CAP_SECONDS, AttachedDoor, ProgramLine
from quantumgate.control.client import NoNodeRunning
from quantumgate.errors import ConnectFailed
from quantumgate.extender.endings import StreamReset
from quantumgate.extender.services import ServiceError
from tests.control.attached import AttachedCase
from tests.control.fakenode import short_directory
from tests.extender.services import Diaries, Diary
from tests.net.test_splice import Pouring


class AttachedTests(AttachedCase):
    def setUp(self) -> None:
        super().setUp()
        self.there = Diaries()
        self.served = self.nodes.result(self.beside_right.serve("web", self.there.buildProtocol))

    def attached(self, name: str = "web", factory: Any = None) -> Diary:
        factory = factory or Diaries()
        opened: Diary = self.nodes.result(self.beside_left.open(self.right, name, None, factory.buildProtocol))
        self.nodes.settle()
        return opened

    def reason(self, name: str = "web") -> str:
        with self.assertRaises(ConnectFailed) as caught:
            self.attached(name)
        return caught.exception.reason

    def test_both_ways_and_by_halves(self) -> None:
        near = self.attached()
        self.speak_by_halves(near, self.there.made[0])

    def test_relays_reach_the_node_only_where_they_were_named(self) -> None:
        """A node of before them knows no such argument."""
        asked: list[Any] = []

        def opened(*arguments: Any) -> Deferred[Any]:
            asked.append(arguments[4])
            return fail(ConnectFailed("no-path", "no gateway"))

        self.patch(self.near, "open", opened)
        lines: list[bytes] = []
        send = ProgramLine.send_line
        self.patch(ProgramLine, "send_line", lambda line, data: (lines.append(data), send(line, data))[1])
        for via in ((), (self.right,)):
            opening = self.beside_left.open(self.right, "web", None, Diaries().buildProtocol, via)
            self.nodes.settle()
            self.failureResultOf(opening, ConnectFailed)
        self.assertEqual(asked, [(), (self.right,)])
        self.assertEqual([b'"via"' in line for line in lines], [False, True])

    def test_the_peer_is_known_at_both_ends(self) -> None:
        near = self.attached()
        self.assertEqual(self.there.addresses[0].uuid, self.nodes.left.uuid)
        self.assertEqual(self.there.made[0].transport.getPeer().uuid, self.nodes.left.uuid)
        self.assertEqual(near.transport.getPeer().uuid, self.nodes.right.uuid)

    def test_an_abort_goes_through(self) -> None:
        near = self.attached()
        self.there.made[0].transport.abortConnection()
        self.nodes.settle()
        self.assertIsInstance(near.reason, StreamReset)

    def test_a_lost_session_is_no_end(self) -> None:
        near = self.attached()
        self.nodes.left.contact().close(graceful=False)
        self.nodes.settle()
        for diary in (near, self.there.made[0]):
            self.assertNotIsInstance(diary.reason, ConnectionDone)
            self.assertEqual(diary.events[-1], "lost")

    def test_a_node_that_ends_is_no_end(self) -> None:
        near = self.attached()
        self.beside_right.node_goes()
        self.nodes.settle()
        self.assertIsInstance(self.there.made[0].reason, ConnectionLost)
        self.assertNotIsInstance(near.reason, ConnectionDone)

    def test_errors_are_exact(self) -> None:
        self.assertEqual(self.reason("mail"), "no-such-service")
        self.there.takes = False
        self.assertEqual(self.reason(), "refused")
        with self.assertRaises(NoProtocol):
            self.there.takes = True
            self.attached(factory=Diaries(takes=False))
        self.beside_left.node_goes()
        with self.assertRaises(NoNodeRunning):
            self.attached()

    def test_only_for_one(self) -> None:
        self.nodes.result(self.beside_right.serve("mail", self.there.buildProtocol, [self.nodes.right.uuid]))
        self.assertEqual(self.reason("mail"), "refused")

    def test_a_taken_name(self) -> None:
        with self.assertRaises(ServiceError) as caught:
            self.nodes.result(self.beside_right.serve("web", self.there.buildProtocol))
        self.assertEqual(caught.exception.reason, "name-taken")

    def test_no_node_at_first_is_an_error_at_once(self) -> None:
        self.beside_right.node_goes()
        with self.assertRaises(NoNodeRunning):
            self.beside_right.serve("mail", self.there.buildProtocol)

    def test_back_pressure_end_to_end(self) -> None:
        near = self.attached()
        (far,) = self.there.made
        far.transport.pauseProducing()
        pouring = Pouring(near)
        for _ in range(300):
            pouring.pour(1 << 26)
            self.nodes.advance(0.01)
        held = pouring.sent
        self.assertLess(held, 16 << 20)
        self.assertEqual(bytes(far.got), b"")
        far.transport.resumeProducing()
        near.transport.unregisterProducer()
        self.nodes.settle()
        self.assertEqual(len(far.got), held)

    def test_offered_again_when_the_node_is_back(self) -> None:
        self.beside_right.node_goes()
        self.nodes.settle()
        self.assertEqual(self.reason(), "no-such-service")
        before = self.beside_right.dials
        self.nodes.advance(120)
        tries = self.beside_right.dials - before
        self.assertTrue(8 <= tries <= 24, tries)
        self.beside_right.node_comes()
        self.nodes.advance(CAP_SECONDS + 1)
        self.assertEqual(self.attached().events, ["made"])

    def test_withdrawn_while_the_node_is_away(self) -> None:
        self.beside_right.node_goes()
        self.nodes.settle()
        self.served.withdraw()
        before = self.beside_right.dials
        self.beside_right.node_comes()
        self.nodes.advance(60)
        self.assertEqual(self.beside_right.dials, before)
        self.assertEqual(self.reason(), "no-such-service")

    def test_a_factory_that_raises_refuses(self) -> None:
        """Found by reading: the peer waited ten seconds for the connection to be taken."""
        self.patch(self.there, "buildProtocol", lambda _: 1 / 0)
        self.served._build = self.there.buildProtocol
        self.assertEqual(self.reason(), "refused")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_withdrawn(self) -> None:
        near = self.attached()
        self.served.withdraw()
        self.nodes.settle()
        self.assertEqual(self.reason(), "no-such-service")
        near.transport.write(b"still here")
        self.nodes.settle()
        self.assertEqual(bytes(self.there.made[0].got), b"still here")

    def test_many_at_once(self) -> None:
        opening = [self.beside_left.open(self.right, "web", None, Diaries().buildProtocol) for _ in range(50)]
        for each in opening:
            self.nodes.result(each)
        self.assertEqual(len(self.there.made), 50)


class PathTests(TestCase):
    """Where the node is looked for, on a real file system."""

    def test_probe(self) -> None:
        path = short_directory(self) / "control.sock"
        door = AttachedDoor(reactor, lambda: path)
        self.assertRaises(NoNodeRunning, door.probe)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            self.assertRaises(NoNodeRunning, door.probe)
            listener.listen()
            door.probe()

    async def test_no_socket(self) -> None:
        door = AttachedDoor(reactor, lambda: Path("/nonexistent/control.sock"))
        with self.assertRaises(NoNodeRunning) as caught:
            await door.line()
        self.assertIn("/nonexistent/control.sock", str(caught.exception))
