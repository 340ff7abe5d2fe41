"""Extenders for the tests: one that writes down what happens to it, one that breaks where it is told to."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure

from quantumgate.extender.api import Extender, Maker, maker
from quantumgate.extender.host import ExtenderHost
from quantumgate.extender.registry import registered
from quantumgate.testing.clock import OrderedClock
from tests.extender.fakes import Link, started

UUID = "5f0c3e52-7a83-4a5f-9d6b-0c1f6f2f9e11"
OTHER_UUID = "6f0c3e52-7a83-4a5f-9d6b-0c1f6f2f9e12"


class Boom(Exception):
    """What a guest of these tests raises."""


class Recorder(Protocol):
    """A protocol that keeps what happens."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.received = b""
        self.reasons: list[Failure] = []

    def connectionMade(self) -> None:
        self.events.append("made")

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Failure = None) -> None:  # type: ignore[assignment]
        self.events.append("lost")
        self.reasons.append(reason)


class Notes(Extender):
    """Writes down every call. ``protocols`` are those of the streams that peers opened."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.messages: list[bytes] = []
        self.protocols: list[Recorder] = []
        self.answer: Any = None

    def stop(self) -> None:
        self.calls.append(("stop",))

    def peer_arrived(self, peer: Any) -> None:
        self.calls.append(("arrived", peer))

    def peer_left(self, peer: Any, reason: str) -> None:
        self.calls.append(("left", peer, reason))

    def message_received(self, peer: Any, message: bytes) -> Any:
        self.messages.append(message)
        return self.answer() if self.answer is not None else None

    def stream_opened(self, peer: Any, label: bytes) -> Any:
        self.calls.append(("stream", label))
        self.protocols.append(Recorder())
        return self.protocols[-1]


class Broken(Notes):
    """Raises ``error`` in the method called ``where``, in the manner ``how``: "at once", "Deferred" or "async"."""

    where, how, error = "", "at once", Boom

    def __getattribute__(self, name: str) -> Any:
        if name == object.__getattribute__(self, "where"):
            return object.__getattribute__(self, "breaks")
        return object.__getattribute__(self, name)

    def breaks(self, *_: Any) -> Any:
        error = self.error("broken on purpose")
        if self.how == "at once":
            raise error
        if self.how == "async":
            return self.breaks_later(error)
        deferred: Deferred[None] = Deferred()
        deferred.errback(error)
        return deferred

    async def breaks_later(self, error: BaseException) -> None:
        raise error


def making(factory: Any, name: str = "notes", uuid: str = UUID, **more: Any) -> Maker:
    return maker(factory, name=name, uuid=uuid, **more)


class Meeting:
    """Two hosts with one guest each, linked."""

    def __init__(self, left: Any = Notes, right: Any = Notes, *, linked: bool = True, **more: Any) -> None:
        self.clock = OrderedClock()
        anonymous_left = more.pop("anonymous_left", False)
        self.left_host: ExtenderHost = started(self.clock, registered(making(left, **more)), name="left")
        self.right_host: ExtenderHost = started(self.clock, registered(making(right, **more)), name="right")
        self.link: Link | None = None
        if linked:
            self.link = Link(self.left_host, self.right_host, anonymous_left=anonymous_left)
            self.peer, self.back = self.link.peers
        self.left, self.right = self.left_host.instance("notes"), self.right_host.instance("notes")
        self.host, self.other = self.left_host.guest_host("notes"), self.right_host.guest_host("notes")

    def settle(self) -> None:
        """Until nothing moves."""
        assert self.link is not None
        for _ in range(200):
            self.link.pump()
            if not self.clock.due:
                return
            self.clock.advance(0)
        raise AssertionError("the link does not come to rest")
