"""Play scripts: one guest on a stage, its peers played line by line. A test that reads like the protocol it checks.

    play = Play(echo)
    bob = play.enter("bob")
    bob.says(b"hello")
    bob.hears(b"hello")
    play.ends()

Below are real sessions on a fake clock (``nodes.py``). A line that does not come true raises AssertionError with the
whole script so far. Not for: two real guests facing each other; that is ``pair``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from quantumgate.extender.api import Extender, maker
from quantumgate.testing.nodes import MemoryNode, MemoryNodes

STAGE = "stage"


class Play:
    """``guest`` is the IExtender on the stage, ``host`` what it sees of its node, ``transcript`` the script so far."""

    def __init__(self, under_test: Any, *, cast: Iterable[str] = ("alice", "bob", "carol"), **more: Any) -> None:
        self.transcript: list[str] = []
        self._actors: dict[str, Actor] = {}
        cast = tuple(cast)
        # the actors' parts take the same table, and make nothing of it
        part = maker(lambda *_: _Part(), name=under_test.name, uuid=under_test.uuid, settings=under_test.settings)
        makers_of = {STAGE: [under_test], **{name: [part] for name in cast}}
        self.nodes = MemoryNodes(names=(STAGE, *cast), makers_of=makers_of, **more)
        self._name = under_test.name
        self.guest = self.nodes[STAGE].guest(self._name)
        self.host = self.nodes[STAGE].host(self._name)

    def enter(self, name: str) -> Actor:
        """This member of the cast connects to the stage."""
        self.note(f">> {name} enters")
        actor = self._actors[name] = Actor(self, self.nodes[name], self._name)
        return actor

    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.note(f"   {seconds:g} seconds pass")
        self.nodes.advance(seconds)

    def ends(self) -> None:
        """Nothing was said that no line of the script heard, and the guest did not fail."""
        self.nodes.settle()
        for actor in self._actors.values():
            actor.hears_nothing()
        (row,) = [row for row in self.nodes[STAGE].extenders.snapshot() if row.name == self._name]
        if row.failures:
            self.fail(f"the guest failed {row.failures} times, last: {row.reason}")
        self.nodes.stop()

    def note(self, line: str) -> None:
        """One more line of the transcript."""
        self.transcript.append(line)

    def fail(self, why: str) -> None:
        """Raises AssertionError with the script so far."""
        raise AssertionError("\n".join([*self.transcript, f"!! {why}"]))


class Actor:
    """A peer that says and hears what the script tells it. ``peer`` is what the guest sees of it."""

    def __init__(self, play: Play, node: MemoryNode, guest_name: str) -> None:
        self._play, self._node, self.name = play, node, node.name
        self._part: _Part = node.guest(guest_name)
        self._host = node.host(guest_name)
        self._stage, self.peer = play.nodes.connect(node, play.nodes[STAGE])

    def says(self, message: bytes) -> None:
        """Sends a message to the guest."""
        self._play.note(f">> {self.name} says {message!r:.200}")
        self._play.nodes.result(self._host.send(self._stage, message))
        self._play.nodes.settle()

    def hears(self, expected: bytes) -> None:
        """The next message from the guest is this one."""
        self._play.nodes.settle()
        heard = self._part.heard
        if not heard:
            self._play.fail(f"{self.name} should hear {expected!r:.200}, but hears nothing")
        if heard[0] != expected:
            self._play.fail(f"{self.name} should hear {expected!r:.200}, but hears {heard[0]!r:.200}")
        self._play.note(f"<< {self.name} hears {heard.popleft()!r:.200}")

    def hears_nothing(self) -> None:
        """No message from the guest waits to be heard."""
        self._play.nodes.settle()
        if self._part.heard:
            self._play.fail(f"{self.name} should hear nothing more, but hears {self._part.heard[0]!r:.200}")

    def opens(self, label: bytes = b"") -> Line:
        """Opens a stream to the guest, which may refuse it: see ``Line.closed_with``."""
        self._play.note(f">> {self.name} opens a stream, label {label!r}")
        line = Line(self._play, f"{self.name}'s stream {label!r}")
        self._host.open_stream(self._stage, line.protocol, label).addErrback(lambda _: None)
        self._play.nodes.settle()
        return line

    def leaves(self) -> None:
        """Says good-bye."""
        self._play.note(f">> {self.name} leaves")
        self._node.contacts[self._stage].close()
        self._play.nodes.settle()


class Line:
    """A stream between an actor and the guest, seen from the actor."""

    def __init__(self, play: Play, name: str) -> None:
        self._play, self._name = play, name
        self.protocol = _Ear()

    def writes(self, data: bytes) -> None:
        """Sends bytes."""
        self._play.note(f">> {self._name}: writes {data!r:.200}")
        self.protocol.transport.write(data)  # type: ignore[union-attr]
        self._play.nodes.settle()

    def reads(self, expected: bytes) -> None:
        """The next bytes from the guest are these."""
        self._play.nodes.settle()
        found = bytes(self.protocol.data[: len(expected)])
        if found != expected:
            self._play.fail(f"{self._name} should read {expected!r:.200}, but reads {found!r:.200}")
        del self.protocol.data[: len(expected)]
        self._play.note(f"<< {self._name}: reads {expected!r:.200}")

    def closes(self) -> None:
        """Closes its side."""
        self._play.note(f">> {self._name}: closes")
        self.protocol.transport.loseConnection()  # type: ignore[union-attr]
        self._play.nodes.settle()

    def closed_with(self, code: int | None) -> None:
        """The stream is over: with this reset code, or cleanly (None)."""
        self._play.nodes.settle()
        if self.protocol.reason is None:
            self._play.fail(f"{self._name} should be over, but is open")
        found = getattr(self.protocol.reason, "code", None)
        if found != code:
            self._play.fail(f"{self._name} should be over with code {code}, but is over with {found}")
        self._play.note(f"<< {self._name}: over, code {code}")


class _Part(Extender):
    """What an actor runs: it keeps what it hears and refuses streams."""

    def __init__(self) -> None:
        self.heard: deque[bytes] = deque()

    def message_received(self, peer: Any, message: bytes) -> None:
        self.heard.append(message)


class _Ear(Protocol):
    """An actor's end of a stream."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.reason: BaseException | None = None

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.reason = reason.value
