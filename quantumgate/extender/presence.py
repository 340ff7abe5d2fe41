"""One peer as one guest has it: the outboxes to it, the channels from it, the streams between them.

Not for: knowing which peers there are (``guesthost.py``) or what the guest's methods do (``lifecycle.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from twisted.internet.interfaces import IReactorTime

from quantumgate.errors import QuantumGateError
from quantumgate.extender.delivery import Gate, Outbox, Sender
from quantumgate.extender.doors import ChannelDoor, SessionDoor
from quantumgate.extender.endings import reason_of
from quantumgate.extender.streams import StreamAddress, StreamTransport
from quantumgate.wire.codes import ResetCode

BULK = 3
NORMAL = 2


class Presence:
    """``listed``: the peer's own list names this extender; a peer without a list arrives with its first channel."""

    def __init__(
        self,
        peer: Any,
        session: SessionDoor,
        own: tuple[Any, UUID],
        clock: IReactorTime,
        compression: bool,
        fast: Callable[[Any, Sender | None], None],
    ) -> None:
        self.peer, self.session = peer, session
        self.listed = False
        self._own_uuid, self._extender = own
        self._clock, self._compression, self._fast = clock, compression, fast
        self._outboxes: dict[int, Outbox] = {}
        self._incoming: list[ChannelDoor] = []
        self._before: list[ChannelDoor] = []
        self._gates: list[Gate] = []
        self._streams: dict[StreamTransport, SessionDoor] = {}

    def outbox(self, priority: int) -> Outbox:
        """That of one priority, made at first use. Only the normal one feeds the guest's ``offer``."""
        box = self._outboxes.get(priority)
        if box is None:
            address = (self._extender, priority)
            fast = self._set_fast if priority == NORMAL else _not_fast
            box = Outbox(self.session, address, self._clock, self._compression, fast)
            self._outboxes[priority] = box
        return box

    def succeed(self, session: SessionDoor) -> None:
        """The peer is reached over another session: new channels go there, messages behind those that are under way."""
        self.session = session
        self._before = [known for known in self._incoming if not known.closed]
        for channel in self._before:
            channel.on_closed = self._earlier_ended
        for box in self._outboxes.values():
            box.move(session)
        for transport, theirs in self._streams.items():
            transport.superseded = theirs is not session

    def take_messages(self, channel: ChannelDoor, deliver: Callable[[], None]) -> None:
        """A message channel of the peer, ended with this presence. ``deliver()`` makes it call the guest.

        What came over an earlier session is delivered first, priority by priority: the peer has finished sending there.
        """
        self._incoming = [known for known in self._incoming if not known.closed]
        self._incoming.append(channel)
        if self._is_next(channel):
            deliver()
        else:
            self._gates.append(Gate(channel, deliver))

    def _is_next(self, channel: ChannelDoor) -> bool:
        return all(one.closed or one.priority != channel.priority for one in self._before)

    def _earlier_ended(self, _: object) -> None:
        gates, self._gates = self._gates, []
        for gate in gates:
            if self._is_next(gate.channel):
                gate.open()
            else:
                self._gates.append(gate)

    def stream(self, channel: ChannelDoor, fault: Callable[[str, BaseException], None]) -> StreamTransport:
        """The transport over a stream channel of either side."""
        here = StreamAddress(self._own_uuid, self._extender, channel.label)
        there = StreamAddress(self.peer.uuid, self._extender, channel.label)
        transport = StreamTransport(channel, (here, there), self._clock, fault, self._stream_over)
        self._streams[transport] = self.session
        return transport

    def end(self, reason: QuantumGateError, reset_code: int | None = None) -> None:
        """Everything between the guest and this peer is over, every Deferred fired. With a code, all is reset by it."""
        boxes, self._outboxes = self._outboxes, {}
        for box in boxes.values():
            box.end(reason, reset_code)
        code = ResetCode.CANCELLED if reset_code is None else reset_code
        for transport in list(self._streams):
            transport.lose(reason_of(reason), code)
        self.silence(code)

    def silence(self, reset_code: int) -> None:
        """No message of this peer reaches the guest any more."""
        self._gates.clear()
        for channel in self._incoming:
            if not channel.closed:
                channel.reset(reset_code)
        self._incoming.clear()

    def _stream_over(self, transport: StreamTransport) -> None:
        self._streams.pop(transport, None)

    @property
    def stream_count(self) -> int:
        return len(self._streams)

    def _set_fast(self, sender: Sender | None) -> None:
        self._fast(self.peer, sender)


def _not_fast(_: Sender | None) -> None:
    """Priorities that ``offer`` does not use."""
