"""Play scripts: true lines pass, the first false one fails with the script so far."""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Protocol
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.extender.api import Extender, maker
from quantumgate.testing.play import Play

UUID = "5f0c3e52-7a83-4a5f-9d6b-0c1f6f2f9e11"


class Parrot(Extender):
    """Says everything twice, a second later once more, takes streams with a label."""

    def message_received(self, peer: Any, message: bytes) -> None:
        if message == b"fall":
            raise ValueError("fell")
        self.host.send(peer, message)
        self.host.send(peer, message)
        self.host.clock.callLater(1, self.host.offer, peer, message)

    def stream_opened(self, peer: Any, label: bytes) -> Any:
        return Loud() if label else None


class Loud(Protocol):
    """Answers in capitals."""

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data.upper())  # type: ignore[union-attr]


class PlayTests(SynchronousTestCase):
    """A parrot on the stage."""

    def setUp(self) -> None:
        self.play = Play(maker(Parrot, name="parrot", uuid=UUID))
        self.bob = self.play.enter("bob")

    def fails(self, function: Any, *arguments: Any) -> str:
        return str(self.assertRaises(AssertionError, function, *arguments))

    def test_true_to_the_script(self) -> None:
        self.bob.says(b"hello")
        self.bob.hears(b"hello")
        self.bob.hears(b"hello")
        self.bob.hears_nothing()
        self.play.wait(1)
        self.bob.hears(b"hello")
        line = self.bob.opens(b"loud")
        line.writes(b"abc")
        line.reads(b"AB")
        line.reads(b"C")
        line.closes()
        line.closed_with(None)
        self.bob.opens(b"").closed_with(2)
        self.bob.leaves()
        self.assertEqual(self.play.host.peers(), [])
        self.play.ends()

    def test_several_actors(self) -> None:
        """Each hears its own."""
        carol = self.play.enter("carol")
        carol.says(b"a")
        carol.hears(b"a")
        carol.hears(b"a")
        self.bob.hears_nothing()
        self.assertEqual(len(self.play.host.peers()), 2)

    def test_nothing_heard(self) -> None:
        text = self.fails(self.bob.hears, b"x")
        self.assertEqual(text, ">> bob enters\n!! bob should hear b'x', but hears nothing")

    def test_something_else_heard(self) -> None:
        self.bob.says(b"a")
        self.assertIn(">> bob says b'a'\n!! bob should hear b'b', but hears b'a'", self.fails(self.bob.hears, b"b"))

    def test_unheard_at_the_end(self) -> None:
        """What the script does not mention is not overlooked."""
        self.bob.says(b"a")
        self.assertIn("hear nothing more, but hears b'a'", self.fails(self.play.ends))

    def test_wrong_bytes_on_a_line(self) -> None:
        line = self.bob.opens(b"loud")
        line.writes(b"abc")
        self.assertIn("should read b'abc', but reads b'ABC'", self.fails(line.reads, b"abc"))

    def test_wrong_end_of_a_line(self) -> None:
        line = self.bob.opens(b"loud")
        self.assertIn("should be over, but is open", self.fails(line.closed_with, None))
        line.closes()
        self.assertIn("with code 2, but is over with None", self.fails(line.closed_with, 2))

    def test_guest_that_fails(self) -> None:
        """A fault is noticed at the end, although nobody heard of it."""
        self.bob.says(b"fall")
        text = self.fails(self.play.ends)
        self.assertIn("the guest failed 1 times, last: ValueError: fell, in message_received", text)
        self.flushLoggedErrors(ValueError)
