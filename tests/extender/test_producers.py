"""The valve between a channel and the producer that feeds it; with a stream around it, see test_streams.py."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.extender.producers import ProducerTap
from tests.extender.test_streams import Producer


class TapTests(SynchronousTestCase):
    """On its own."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.tap = ProducerTap(self.clock, self.contained)
        self.producer = Producer()

    def contained(self, where: str, function: Callable[[], object]) -> None:
        function()

    def test_nobody(self) -> None:
        """Without a producer nothing happens, but whether it is full is remembered."""
        self.tap.close()
        self.tap.stop()
        self.tap.register(self.producer, True)
        self.assertEqual((self.producer.calls, self.tap.busy), (["pause"], True))
        self.tap.open()
        self.tap.open()
        self.assertEqual(self.producer.calls, ["pause", "resume"])

    def test_paused_once(self) -> None:
        self.tap.register(self.producer, True)
        for _ in range(3):
            self.tap.close()
        self.assertEqual(self.producer.calls, ["pause"])

    def test_pull_once_a_turn(self) -> None:
        """Many writes in one turn ask for one more piece."""
        self.tap.register(self.producer, False)
        for _ in range(3):
            self.tap.wrote()
        self.clock.advance(0)
        self.assertEqual(self.producer.calls, ["resume"])

    def test_pull_is_forgotten_with_its_producer(self) -> None:
        """One that unregistered is not asked; its successor is."""
        self.tap.register(self.producer, False)
        self.tap.unregister()
        self.clock.advance(0)
        self.assertEqual((self.producer.calls, self.tap.busy), ([], False))
        self.tap.register(self.producer, False)
        self.clock.advance(0)
        self.assertEqual(self.producer.calls, ["resume"])

    def test_stopped_once(self) -> None:
        self.tap.register(self.producer, False)
        self.tap.stop()
        self.tap.stop()
        self.clock.advance(0)
        self.assertEqual(self.producer.calls, ["stop"])
