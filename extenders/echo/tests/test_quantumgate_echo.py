"""Echo gives back what it gets, over real sessions on a fake clock, in every size, and however slowly it is read."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

import quantumgate_echo
from twisted.internet.protocol import Protocol
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.extender.api import Extender
from quantumgate.extender.api import maker as maker_of
from quantumgate.testing.nodes import pair
from quantumgate.testing.play import Play
from quantumgate.testing.seeded import SeededRandom
from quantumgate.testing.weather import Weather
from quantumgate.wire.limits import DEFAULT_LIMITS

INSTALLED = bool(entry_points(group="quantumgate.extenders", name="echo"))


class Caller(Extender):
    """The side that calls."""

    def __init__(self) -> None:
        self.answers: list[bytes] = []

    def message_received(self, peer: Any, message: bytes) -> None:
        self.answers.append(message)


class Reader(Protocol):
    """Keeps what comes back."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.over = False

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def connectionLost(self, reason: Any = None) -> None:
        self.over = True


class EchoTests(SynchronousTestCase):
    """One caller, one echo."""

    def setUp(self) -> None:
        self.network()

    def network(self, weather: Weather | None = None) -> None:
        caller = maker_of(Caller, name="echo", uuid=quantumgate_echo.UUID)
        self.nodes = pair(makers_of={"left": [caller], "right": [quantumgate_echo.maker]}, weather=weather)
        self.addCleanup(self.nodes.stop)
        self.host, self.caller = self.nodes.left.host("echo"), self.nodes.left.guest("echo")
        self.peer = self.nodes.left.peer()

    def test_script(self) -> None:
        """As the tutorial tells it."""
        play = Play(quantumgate_echo.maker)
        bob = play.enter("bob")
        bob.says(b"hello")
        bob.hears(b"hello")
        line = bob.opens(b"any label")
        line.writes(b"stream")
        line.reads(b"stream")
        line.closes()
        line.closed_with(None)
        play.ends()

    def test_every_size(self) -> None:
        """Messages from nothing to the limit come back whole and in order."""
        sizes = [0, 1, 100, 65_535, 65_536, 300_000, DEFAULT_LIMITS.max_message_bytes, 5]
        messages = [SeededRandom(size).bytes(size) for size in sizes]
        for message in messages:
            self.nodes.result(self.host.send(self.peer, message))
        self.nodes.settle()
        self.assertEqual(self.caller.answers, messages)

    def test_many_at_once(self) -> None:
        """Ten thousand small ones, as fast as they are taken, over a line with latency and loss."""
        self.network(Weather(latency_seconds=0.02, jitter_seconds=0.01, loss=0.05))
        messages = [b"%d" % number for number in range(10_000)]
        for message in messages:
            if not self.host.offer(self.peer, message):
                self.nodes.result(self.host.send(self.peer, message))
        self.nodes.settle()
        self.assertEqual(self.caller.answers, messages)

    def test_stream(self) -> None:
        """Five megabytes come back; closing ends both halves cleanly."""
        reader, data = Reader(), SeededRandom("stream").bytes(5_000_000)
        self.nodes.result(self.host.open_stream(self.peer, reader, b"label"))
        reader.transport.write(data)
        reader.transport.loseWriteConnection()
        self.nodes.settle()
        self.assertEqual((bytes(reader.data), reader.over), (data, True))

    def test_reader_that_stops(self) -> None:
        """It stops the echo, which stops reading; nothing else stops, and nothing is lost when it reads again."""
        reader = Reader()
        self.nodes.result(self.host.open_stream(self.peer, reader))
        reader.transport.pauseProducing()
        data = SeededRandom("paused").bytes(12_000_000)
        reader.transport.write(data)
        self.nodes.settle()
        (stuck,) = self.nodes.left.contact().session.channels.values()
        self.assertEqual(reader.data, b"")
        self.assertGreater(stuck.queued_bytes, 1_000_000, "the echo has gone on reading")
        self.nodes.result(self.host.send(self.peer, b"still here?"))
        self.nodes.settle()
        self.assertEqual(self.caller.answers, [b"still here?"])
        reader.transport.resumeProducing()
        self.nodes.settle()
        self.assertEqual(bytes(reader.data), data)

    def test_thousand_streams(self) -> None:
        """A thousand streams: over the limit of open channels the rest wait, and none is lost."""
        readers = [Reader() for _ in range(1000)]
        opened = [self.host.open_stream(self.peer, reader) for reader in readers]
        for number, reader in enumerate(readers):
            reader.transport.write(b"stream %d" % number)
            reader.transport.loseWriteConnection()
        for each in opened:
            self.nodes.result(each)
        self.nodes.settle()
        self.assertEqual([bytes(reader.data) for reader in readers], [b"stream %d" % n for n in range(1000)])
        self.assertTrue(all(reader.over for reader in readers))

    def test_found_by_its_entry_point(self) -> None:
        """The installed package names this maker."""
        (point,) = entry_points(group="quantumgate.extenders", name="echo")
        self.assertIs(point.load(), quantumgate_echo.maker)

    if not INSTALLED:
        test_found_by_its_entry_point.skip = (  # type: ignore[attr-defined]
            "quantumgate-echo is not installed: `pip install -e . -e ./extenders/echo` makes it run"
        )
