"""The exit's end of a line: takes one call after the other and lets each kind of call do its work.

Not for: the work (``far.py``, ``farudp.py``). Spec: docs/WIRE.md.
"""

from __future__ import annotations

from typing import Any
from typing import Protocol as Shape

from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from quantumgate.extender import api

from .destination import Destination
from .line import Line
from .replies import Code
from .wire import FROM_NEAR, Kind, MalformedLine, answer, destination


class Office(Shape):
    """What a line needs of the exit."""

    def begin(self, line: FarLine, kind: Kind, wanted: Destination | None) -> None:
        """A call came; sets the line's party, or answers with a failure."""

    def offended(self, peer: api.IPeer, offence: str) -> None:
        """The peer broke the format."""

    def line_gone(self, line: FarLine) -> None:
        """It is over."""


class FarLine(Line):
    """One line of one peer. ``hold`` is its call's place in the exit's books, until a connection takes it over."""

    kinds = FROM_NEAR

    def __init__(self, office: Office, peer: api.IPeer) -> None:
        super().__init__()
        self._office, self.peer = office, peer
        self._kind = Kind.CONNECT
        self.hold: Any = None

    def let_go(self) -> None:
        """The call counts no more."""
        hold, self.hold = self.hold, None
        if hold is not None:
            hold.release()

    def frame_received(self, kind: Kind, body: bytes) -> None:
        """What the near side says, in the order of docs/WIRE.md."""
        if kind in (Kind.CONNECT, Kind.BIND, Kind.ASSOCIATE):
            self._begin(kind, body)
        elif self.heard_end:
            raise MalformedLine(f"{kind.name} outside of a call")
        elif kind is Kind.END:
            self._ended()
        elif (kind is Kind.DATAGRAM) != (self._kind is Kind.ASSOCIATE):
            raise MalformedLine(f"{kind.name} in a call of kind {self._kind.name}")
        elif self.party is not None:  # else the call has failed, and what was sent early is dropped
            if kind is Kind.DATA:
                self.party.line_data(body)
            else:
                self.party.line_datagram(body)

    def _begin(self, kind: Kind, body: bytes) -> None:
        if not self.idle:
            raise MalformedLine(f"{kind.name} inside a call")
        wanted = destination(body) if kind is not Kind.ASSOCIATE else None
        self._kind = kind
        self.said_end = self.heard_end = False
        self._office.begin(self, kind, wanted)

    def _ended(self) -> None:
        self.heard_end = True
        if self.party is not None:
            self.party.line_ended()
        self.settle()

    def granted(self, bound: Destination) -> None:
        """The answer of a call that stands, or the first one of a BIND."""
        if not self.over:
            self.transport.write(answer(Code.GRANTED, bound))

    def failed(self, code: Code) -> None:
        """The answer of a call that does not; it is also this side's end."""
        if self.over or self.said_end:
            return
        self.party = None
        self.transport.resumeProducing()
        self.transport.write(answer(code))
        self.said_end = True
        self.settle()

    def offended(self, offence: str) -> None:
        """Told to the node: the peer's reputation pays."""
        self._office.offended(self.peer, offence)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The call on it breaks off."""
        super().connectionLost(reason)
        self.let_go()
        self._office.line_gone(self)
