"""The node's side of the socket for streams: each request, each error, each bound."""

from __future__ import annotations

import json
import os
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from quantumgate.control import streamsocket
from quantumgate.control.messages import Request, encode
from quantumgate.control.streamline import StreamLine
from quantumgate.control.streamsocket import StreamsFactory, StreamsSocket
from quantumgate.errors import ChannelReset, LimitError
from quantumgate.extender.services import ServiceError, Services
from quantumgate.wire.codes import ResetCode
from tests.control.attached import AttachedCase
from tests.control.fakenode import short_directory
from tests.extender.services import Diary


class RequestCase(AttachedCase):
    def setUp(self) -> None:
        super().setUp()
        self.factory = StreamsFactory(self.far, self.nodes.clock)
        self.answers: list[Any] = []

    def ask(self, command: str, line: StreamLine | None = None, **arguments: Any) -> StreamLine:
        line = line or self.dial()
        line.send_line(encode(Request(id=1, command=command, arguments=arguments)))
        self.nodes.settle()
        return line

    def dial(self) -> StreamLine:
        line = StreamLine(self.nodes.clock)
        line.on_line = lambda text: self.answers.append(json.loads(text))
        self.nodes.network.join(self.factory.buildProtocol(None), line, ("node", "program"))
        return line

    def reason(self) -> str:
        return str(self.answers[-1]["error"]["reason"])


class RequestTests(RequestCase):
    def test_malformed(self) -> None:
        line = self.dial()
        for text in (b"hello\n", b"{}\n", b"[]\n"):
            line.send_line(text)
            self.nodes.settle()
            self.assertEqual(self.reason(), "malformed")

    def test_wrong(self) -> None:
        for command, arguments, reason in (
            ("dance", {}, "unknown-command"),
            ("open", {}, "wrong-arguments"),
            ("open", {"peer": "x", "service": "web", "hops": 9}, "wrong-arguments"),
            ("open", {"peer": "x", "service": "web", "via": ["x"] * 9}, "wrong-arguments"),
            ("open", {"peer": "x", "service": "web"}, "refused"),
            ("serve", {"service": "web", "to": ["x"]}, "refused"),
            ("serve", {"service": "W"}, "bad-name"),
            ("serve", {"service": "web", "more": 1}, "wrong-arguments"),
            ("take", {"stream": "77"}, "gone"),
            ("refuse", {"stream": "77"}, "gone"),
        ):
            self.ask(command, **arguments)
            self.assertEqual(self.reason(), reason, (command, arguments))

    def test_a_name_is_taken(self) -> None:
        first = self.ask("serve", service="web")
        self.assertEqual(self.answers[-1], {"id": 1, "result": {}})
        self.ask("serve", service="web")
        self.assertEqual(self.reason(), "name-taken")
        first.transport.loseConnection()
        self.nodes.settle()
        self.ask("serve", service="web")
        self.assertEqual(self.answers[-1]["result"], {})

    def test_one_connection_one_thing(self) -> None:
        line = self.ask("serve", service="web")
        for command, arguments in (("serve", {"service": "other"}), ("open", {"peer": self.right, "service": "web"}),
                                   ("take", {"stream": "1"})):
            self.ask(command, line, **arguments)
            self.assertEqual(self.reason(), "busy", command)

    def test_a_stream_that_is_being_opened_is_the_only_one(self) -> None:
        """Found by reading: what was asked for beside it took its place, and the first stream was nobody's."""
        waiting: list[Deferred[Any]] = []
        self.patch(self.far, "open", lambda *_: (waiting.append(Deferred()), waiting[-1])[1])
        line = self.ask("open", peer=self.right, service="web")
        for command, arguments in (("open", {"peer": self.right, "service": "web"}), ("serve", {"service": "other"}),
                                   ("take", {"stream": "1"})):
            self.ask(command, line, **arguments)
            self.assertEqual(self.reason(), "busy", command)
        self.assertEqual(len(waiting), 1)

    def test_who_does_not_read_the_answers_is_not_read_from(self) -> None:
        """Found by reading: ten thousand questions made ten thousand answers wait in the node."""
        line = self.dial()
        line.transport.pauseProducing()
        asked = 0
        for _ in range(200):
            line.send_line(b"what?\n" * 100)
            asked += 100
            self.nodes.clock.advance(0.01)
        (node_line,) = self.factory.lines
        self.assertTrue(node_line._asker.behind)
        self.assertEqual(self.answers, [])
        line.transport.resumeProducing()
        self.nodes.settle()
        self.assertEqual((len(self.answers), node_line._asker.behind), (asked, False))

    def test_as_many_connections_as_the_limit(self) -> None:
        self.patch(streamsocket, "CONNECTIONS", 2)
        for _ in range(2):
            self.dial()
        self.ask("serve", service="web")
        self.assertEqual(self.reason(), "busy")
        self.assertEqual(len(self.factory.lines), 2)


class OfferTests(RequestCase):
    """The left node wants what a program beside the right one serves."""

    def setUp(self) -> None:
        super().setUp()
        self.serving = self.ask("serve", service="web")
        self.here = Diary()

    def wanted(self) -> Any:
        host = self.nodes.left.host("services")
        opening = host.open_stream(self.nodes.left.peer(), self.here, b"web")
        self.nodes.settle()
        return opening

    def code(self, opening: Any) -> int:
        with self.assertRaises(ChannelReset) as caught:
            self.nodes.result(opening)
        return caught.exception.code

    def test_take(self) -> None:
        opening = self.wanted()
        item = self.answers[-1]["item"]
        self.assertEqual(item["peer"], str(self.nodes.left.uuid))
        line = self.ask("take", stream=item["stream"])
        self.assertEqual(self.answers[-1]["result"], {"peer": item["peer"]})
        line.carry()
        there = Diary()
        line.connect(there, (None, None))
        self.nodes.result(opening)
        self.here.transport.write(b"hello")  # type: ignore[union-attr]
        self.nodes.settle()
        self.assertEqual(bytes(there.got), b"hello")
        self.ask("take", stream=item["stream"])
        self.assertEqual(self.reason(), "gone")

    def test_refuse(self) -> None:
        opening = self.wanted()
        self.ask("refuse", self.serving, stream=self.answers[-1]["item"]["stream"])
        self.assertEqual(self.code(opening), ResetCode.REFUSED)

    def test_never_taken(self) -> None:
        opening = self.wanted()
        self.nodes.advance(streamsocket.TAKE_SECONDS + 1)
        self.assertEqual(self.code(opening), ResetCode.TIMEOUT)
        self.assertEqual(self.factory.offers, {})

    def test_the_program_goes(self) -> None:
        opening = self.wanted()
        self.serving.transport.abortConnection()
        self.assertEqual(self.code(opening), ResetCode.NO_SUCH_SERVICE)
        self.assertEqual(self.far.status(), {"services": []})
        self.assertEqual(self.factory.offers, {})

    def test_the_peer_gives_up(self) -> None:
        self.wanted().addErrback(lambda _: None)
        self.here.transport.abortConnection()  # type: ignore[union-attr]
        self.nodes.settle()
        self.ask("take", stream=self.answers[-1]["item"]["stream"])
        self.assertEqual(self.reason(), "gone")

    def test_as_many_as_the_limit_wait(self) -> None:
        self.patch(streamsocket, "OFFERED", 2)
        for _ in range(2):
            self.wanted().addErrback(lambda _: None)
        self.assertEqual(self.code(self.wanted()), ResetCode.LIMIT)
        self.assertEqual(len(self.factory.offers), 2)

    def test_a_program_that_does_not_read_gets_no_more(self) -> None:
        (line,) = self.factory.lines
        line._asker.behind = True
        self.assertEqual(self.code(self.wanted()), ResetCode.LIMIT)
        self.assertEqual(len(self.factory.offers), 0)


class WordsTests(SynchronousTestCase):
    def test_reasons(self) -> None:
        for error, reason in ((ServiceError("name-taken", "x"), "name-taken"), (LimitError("services", 1), "limit"),
                              (ValueError(), "bug")):
            self.assertEqual(streamsocket.words_of(error).reason, reason)


class SocketTests(TestCase):
    """On a real file system."""

    async def test_life(self) -> None:
        path = short_directory(self) / "streams.sock"
        made = StreamsSocket(Services(), path, reactor)
        made.start()
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        await made.stop()
        self.assertFalse(path.exists())
        await made.stop()

    def test_untaken_offers_leave_no_timer(self) -> None:
        clock = Clock()
        factory = StreamsFactory(Services(), clock)
        _, answer = factory.offer(None)  # type: ignore[arg-type]
        answer.callback(None)
        self.assertEqual((clock.getDelayedCalls(), factory.offers), ([], {}))
