"""Messages between one guest and one peer: an outbox for each priority, and what an incoming channel calls.

Both directions have a fast path that makes no object per message: ``offer`` goes straight to ``Channel.send``, and an
incoming message straight to the guest's ``message_received``. Only what cannot go at once, or a guest that answers with
a Deferred, takes the slow way. Not for: streams. Spec: docs/spec/channels.md.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from quantumgate.errors import LimitError, LocalError, QuantumGateError
from quantumgate.extender.answers import as_deferred
from quantumgate.extender.doors import ChannelDoor, CloseReason, SessionDoor
from quantumgate.wire.limits import MIB

WAITING_MESSAGES = 1024
WAITING_BYTES = 4 * MIB
"""What may wait in one outbox, beside the channel's own queue; one larger message waits alone."""

REOPEN_SECONDS = 1.0
"""After the peer ended a channel: how long sends fail with its reason before the next one opens another."""

Fault = Callable[[str, BaseException], None]
Sender = Callable[[bytes], bool]


class Letter:
    """A message that waits. ``taken`` fires when the channel has it; cancelling it takes the message back."""

    __slots__ = ("compress", "message", "taken", "timer")

    def __init__(self, message: bytes, compress: bool, withdraw: Callable[[Letter], None]) -> None:
        self.message, self.compress = message, compress
        self.taken: Deferred[None] = Deferred(lambda _: withdraw(self))
        self.timer: IDelayedCall | None = None

    def settle(self, error: QuantumGateError | None = None) -> None:
        """Taken, or never will be."""
        if self.taken.called:
            return
        if error is None:
            self.taken.callback(None)
        else:
            self.taken.errback(error)


class Outbox:
    """What one guest sends to one peer in one priority. ``fast`` gets the channel's sender while nothing waits."""

    def __init__(
        self,
        session: SessionDoor,
        address: tuple[UUID, int],
        clock: IReactorTime,
        compression: bool,
        fast: Callable[[Sender | None], None],
    ) -> None:
        self._session, self._address, self._clock = session, address, clock
        self._compression, self._fast = compression, fast
        self._channel: ChannelDoor | None = None
        self._waiting: deque[Letter] = deque()
        self._waiting_bytes = 0
        self._delayed: set[Letter] = set()
        self._refusal: QuantumGateError | None = None
        self._reopen_at = 0.0

    def send(self, message: bytes, compress: bool = True) -> Deferred[None]:
        """Fires when the channel took the message; fails with a QuantumGateError."""
        try:
            if self._try(message, compress):
                return succeed(None)
            self._check_room(len(message))
        except QuantumGateError as error:
            return fail(error)
        return self._enqueue(Letter(message, compress, self._withdraw))

    def send_later(self, delay_seconds: float, message: bytes, compress: bool = True) -> Deferred[None]:
        """As ``send``, after a while."""
        if len(self._delayed) >= WAITING_MESSAGES:
            return fail(_limit("waiting_messages", WAITING_MESSAGES))
        letter = Letter(message, compress, self._withdraw)
        letter.timer = self._clock.callLater(delay_seconds, self._due, letter)
        self._delayed.add(letter)
        return letter.taken

    def offer(self, message: bytes) -> bool:
        """The slow way of a guest's ``offer``: opens the channel at first use, and never overtakes what waits."""
        try:
            return self._try(message, True)
        except QuantumGateError:
            return False

    def end(self, reason: QuantumGateError, reset_code: int | None = None) -> None:
        """The peer or the guest is gone: what waits fails. What the channel took is still sent, unless it is reset."""
        self._refusal, self._reopen_at = reason, float("inf")
        channel, self._channel = self._channel, None  # from here on its own words about its end are not heard
        if channel is not None and not channel.closed:
            channel.finish() if reset_code is None else channel.reset(reset_code)
        self._fast(None)
        self._fail_all(reason)

    def move(self, session: SessionDoor) -> None:
        """The peer is reached over another session: what the channel took is sent where it is, what waits goes there.
        """
        self._session, self._refusal = session, None
        old, self._channel = self._channel, None
        if old is None:
            return
        old.on_closed, old.on_room = _unheard, _unheard
        old.finish()
        self._fast(None)
        try:
            self._opened()
        except QuantumGateError as error:
            self._fail_all(error)
        else:
            self._room()
            self._fast(self._sender())

    # -- the channel ---------------------------------------------------------------------------------------------------

    def _try(self, message: bytes, compress: bool) -> bool:
        if self._waiting:
            return False
        channel = self._channel or self._opened()
        return channel.send(message, compress and self._compression)

    def _opened(self) -> ChannelDoor:
        if self._refusal is not None and self._clock.seconds() < self._reopen_at:
            raise self._refusal.with_traceback(None)  # else each raise would add to it what it came through
        extender, priority = self._address
        channel: ChannelDoor = self._session.open_channel(extender, stream=False, priority=priority)
        channel.on_room = self._room
        channel.on_closed = self._closed
        self._channel = channel
        self._fast(self._sender())
        return channel

    def _sender(self) -> Sender | None:
        if self._channel is None or self._waiting:
            return None
        return self._channel.send if self._compression else partial(self._channel.send, compress=False)

    def _room(self) -> None:
        """First come, first served."""
        while self._waiting and self._channel is not None:
            letter = self._waiting[0]
            try:
                if not self._channel.send(letter.message, letter.compress and self._compression):
                    return
            except QuantumGateError as error:
                self._withdraw(letter)
                letter.settle(error)
            else:
                self._withdraw(letter)
                letter.settle()

    def _closed(self, reason: CloseReason) -> None:
        """What the channel had taken may be lost with it; what waits fails; a later send opens another channel."""
        if self._channel is None:
            return
        self._channel = None
        self._refusal = reason or LocalError("the channel was finished")
        self._reopen_at = self._clock.seconds() + REOPEN_SECONDS
        self._fast(None)
        self._fail_all(self._refusal)

    # -- what waits ----------------------------------------------------------------------------------------------------

    def _check_room(self, size: int) -> None:
        if len(self._waiting) >= WAITING_MESSAGES:
            raise _limit("waiting_messages", WAITING_MESSAGES)
        if self._waiting and self._waiting_bytes + size > WAITING_BYTES:
            raise _limit("waiting_bytes", WAITING_BYTES)

    def _enqueue(self, letter: Letter) -> Deferred[None]:
        self._waiting.append(letter)
        self._waiting_bytes += len(letter.message)
        self._fast(None)
        return letter.taken

    def _due(self, letter: Letter) -> None:
        self._delayed.discard(letter)
        letter.timer = None
        try:
            if self._try(letter.message, letter.compress):
                letter.settle()
                return
            self._check_room(len(letter.message))
        except QuantumGateError as error:
            letter.settle(error)
            return
        self._enqueue(letter)

    def _withdraw(self, letter: Letter) -> None:
        """Takes a letter out, from wherever it waits: its turn has come, or its sender has thought better of it."""
        if letter in self._delayed:
            self._delayed.discard(letter)
            if letter.timer is not None:
                letter.timer.cancel()
        elif letter in self._waiting:
            self._waiting.remove(letter)
            self._waiting_bytes -= len(letter.message)
            self._fast(self._sender())

    def _fail_all(self, reason: QuantumGateError) -> None:
        letters = [*self._waiting, *self._delayed]
        self._waiting.clear()
        self._waiting_bytes = 0
        for letter in letters:
            self._withdraw(letter)
            letter.settle(reason)


def _unheard(*_: object) -> None:
    """The channel is not ours any more."""


def _limit(name: str, value: int) -> LimitError:
    return LimitError(name, value, "none: it is fixed")


class Gate:
    """Holds back a channel's first message, and so all of them, until ``open``: others were sent before them."""

    def __init__(self, channel: ChannelDoor, deliver: Callable[[], None]) -> None:
        self.channel, self._deliver = channel, deliver
        self._message: bytes | None = None
        channel.on_message = self._keep

    def _keep(self, message: bytes) -> bool:
        self._message = message
        return False

    def open(self) -> None:
        """Its turn has come."""
        if self.channel.closed:
            return
        self._deliver()
        if self._message is not None and self.channel.on_message(self._message):
            self.channel.release()


def deliver_messages(channel: ChannelDoor, peer: Any, received: Callable[[Any, bytes], Any], fault: Fault) -> None:
    """Makes ``channel`` call the guest's ``message_received``. What that raises costs the guest, not the peer."""

    def on_message(message: bytes) -> bool:
        try:
            result = received(peer, message)
        except BaseException as error:
            fault("message_received", error)
            return not channel.closed
        return True if result is None else finished(result, channel, fault)

    channel.on_message = on_message


def finished(result: Any, channel: ChannelDoor, fault: Fault) -> bool:
    """Whether what ``message_received`` returned is done. If not, the channel waits until it is: back-pressure."""
    done = returned = False

    def settle(outcome: Any) -> None:
        nonlocal done
        done = True
        if isinstance(outcome, Failure) and outcome.value is not None:
            fault("message_received", outcome.value)
        if returned:
            channel.release()

    try:
        deferred = as_deferred(result)
    except TypeError as error:
        fault("message_received", error)
        return True
    if deferred is None:
        return True
    deferred.addBoth(settle)
    returned = True
    return done
