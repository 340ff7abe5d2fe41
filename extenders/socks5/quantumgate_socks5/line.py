"""A line: one stream between the two sides that carries one call after the other. What both ends of it have in common.

A channel of its own for each connection would run into the budget that the kernel has for CH_OPEN; calls on open lines
cost none (ADR 0100). Not for: the order of calls, which ``nearline.py`` and ``farline.py`` know.
"""

from __future__ import annotations

from typing import Any
from typing import Protocol as Shape

from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from .wire import DATA_BYTES, FrameReader, Kind, MalformedLine, frame, header

BROKEN_CODE = 0x8001
"""Reset code: the program's or the target's connection broke off in the middle."""

OFFENCE_CODE = 0x8002
"""Reset code: the other side sent what the wire format forbids."""


class Party(Shape):
    """Whose call is on a line: a connection, one that is being made, or a UDP association."""

    def line_data(self, data: bytes) -> None:
        """Bytes from the other side."""

    def line_ended(self) -> None:
        """The other side sends no more; this one still may."""

    def line_datagram(self, body: bytes) -> None:
        """Address and payload."""

    def line_lost(self) -> None:
        """The line broke; nothing can be said any more."""


@implementer(IPushProducer)
class Valve:
    """Pauses and resumes the reading of a transport, for whoever writes what it reads. ``shut`` ends that for good."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._paused = False

    def pauseProducing(self) -> None:
        """Read no more for now."""
        if self._transport is not None:
            self._paused = True
            self._transport.pauseProducing()

    def resumeProducing(self) -> None:
        """Go on."""
        if self._transport is not None and self._paused:
            self._paused = False
            self._transport.resumeProducing()

    def stopProducing(self) -> None:
        """The writer is gone; its owner hears of that by itself."""

    def shut(self) -> None:
        """Reading ended: the transport must not be woken any more."""
        self._transport = None


class Line(Protocol):
    """``kinds`` are the frames that the other side may send at all. Idle while both ends are said and heard."""

    kinds: frozenset[Kind]
    transport: Any

    def __init__(self) -> None:
        self._reader = FrameReader(self.kinds)
        self.party: Party | None = None
        self.over = False
        self.said_end = self.heard_end = True
        self.moved_bytes = 0

    @property
    def idle(self) -> bool:
        """No call is on it."""
        return self.said_end and self.heard_end

    def dataReceived(self, data: bytes) -> None:
        """Frames, in any pieces."""
        if self.over:
            return
        self.moved_bytes += len(data)
        try:
            for kind, body in self._reader.feed(data):
                self.frame_received(kind, body)
                if self.over:
                    return
        except MalformedLine as error:
            self.offended(str(error))
            self.abort(OFFENCE_CODE)

    def frame_received(self, kind: Kind, body: bytes) -> None:
        """One frame; a DATA frame may come in pieces. Raises MalformedLine where it may not come now."""
        raise MalformedLine(f"{kind.name} is not understood here")

    def offended(self, offence: str) -> None:
        """The other side broke the format."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The stream is over, however."""
        self.over = True
        party, self.party = self.party, None
        if party is not None:
            party.line_lost()

    # -- saying --------------------------------------------------------------------------------------------------------

    def say(self, kind: Kind, body: bytes = b"") -> None:
        """A whole frame."""
        if not self.over and self.transport is not None:
            self.transport.write(frame(kind, body))

    def data(self, data: bytes) -> None:
        """Bytes of the call, in frames."""
        if self.over or self.said_end or self.transport is None:
            return
        self.moved_bytes += len(data)
        write = self.transport.write
        if len(data) <= DATA_BYTES:
            write(header(Kind.DATA, len(data)))
            write(data)
            return
        for at in range(0, len(data), DATA_BYTES):
            piece = data[at : at + DATA_BYTES]
            write(header(Kind.DATA, len(piece)))
            write(piece)

    def end(self) -> None:
        """This side sends no more in this call."""
        if not self.said_end:
            self.said_end = True
            self.say(Kind.END)
            self.settle()

    def settle(self) -> None:
        """Where both sides have ended, the call is over and the line idle again."""
        if self.idle and not self.over and self.transport is not None:
            self.party = None
            self.transport.unregisterProducer()
            self.transport.resumeProducing()
            self.became_idle()

    def became_idle(self) -> None:
        """The call is over."""

    def abort(self, code: int = BROKEN_CODE) -> None:
        """Breaks the line off; ``line_lost`` reaches the party, if it is still there."""
        if not self.over:
            self.over = True
            if self.transport is not None:
                self.transport.abortConnection(code)
