"""The ``IExtenderHost`` of one guest: all that it sees of the node, and nothing that outlives it.

Not for: calling the guest (``lifecycle.py``). The contract, as authors read it: docs/guide/extender-host.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from pathlib import Path
from typing import Any
from uuid import UUID

from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.internet.interfaces import IProtocol, IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from quantumgate.errors import LocalError, PeerAbsent, QuantumGateError
from quantumgate.extender.delivery import Sender
from quantumgate.extender.doors import Landlord, Provider, SessionDoor
from quantumgate.extender.guestclock import GuestClock
from quantumgate.extender.presence import BULK, NORMAL, Presence
from quantumgate.extender.registry import Registration
from quantumgate.extender.streams import StreamTransport
from quantumgate.ids import PeerUUID
from quantumgate.interfaces import IExtenderHost
from quantumgate.wire.codes import ResetCode
from quantumgate.wire.limits import LABEL_BYTES

OFFENCE_CHARACTERS = 128
Fault = Callable[[str, BaseException], None]


class Senders(dict[Any, Sender]):
    """What ``offer`` looks up: the peer's ``Channel.send``. A peer without one takes the slow way."""

    def __init__(self, slow: Callable[[Any], Sender]) -> None:
        super().__init__()
        self._slow = slow

    def __missing__(self, peer: Any) -> Sender:
        return self._slow(peer)

    def put(self, peer: Any, sender: Sender | None) -> None:
        if sender is None:
            self.pop(peer, None)
        else:
            self[peer] = sender


@implementer(IExtenderHost)
class GuestHost:
    """Made anew for each start of a guest; after ``close`` every call fails."""

    def __init__(
        self, registration: Registration, landlord: Landlord, store: MutableMapping[str, bytes], fault: Fault
    ) -> None:
        self._row, self._landlord, self._fault = registration, landlord, fault
        self._node_clock: IReactorTime = landlord.clock
        self._presences: dict[Any, Presence] = {}
        self._senders = Senders(self._slow_sender)
        self._closed: QuantumGateError | None = None
        self.uuid = landlord.uuid
        self.clock = GuestClock(landlord.clock, fault)
        self.log = Logger(namespace=f"quantumgate.extenders.{registration.name}")
        self.store = store

    # -- what the guest calls ------------------------------------------------------------------------------------------

    @property
    def data_directory(self) -> Path:
        """The guest's own, for its owner's eyes only; made at first use."""
        path = self._landlord.data_directory / "extenders" / self._row.name
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path

    def peers(self, query: Callable[[Any], bool] | None = None) -> list[Any]:
        """Live peers that run this extender, those for which ``query`` is true."""
        return [peer for peer in self._presences if query is None or query(peer)]

    def connect(self, address: str, hops: int | None = None, via: Any = None) -> Deferred[Any]:
        """The IPeer at ``address``; ``hops`` None = as the operator configured it. Fails with ConnectFailed."""
        if self._closed is not None:
            return fail(self._closed)
        return maybeDeferred(self._landlord.connect, address, hops, via)

    def find_providers(self) -> Deferred[list[Provider]]:
        """Peers that let themselves be found by this extender, at most 64, in an order of luck; nobody is dialled."""
        if self._closed is not None:
            return fail(self._closed)
        finding: Deferred[Any] = maybeDeferred(self._landlord.find_providers, self._extender)
        return finding.addCallback(lambda report: [
            Provider(PeerUUID(UUID(one.uuid)), one.record if one.endpoints else one.uuid, one.age_seconds)
            for one in report.providers])

    def disconnect(self, peer: Any) -> Deferred[None]:
        """Closes the session with this peer gracefully."""
        if self._closed is not None:
            return fail(self._closed)
        return maybeDeferred(self._landlord.disconnect, peer)

    def send(
        self, peer: Any, message: bytes, compress: bool = True, priority: int = NORMAL, delay: float = 0
    ) -> Deferred[None]:
        """Fires when the message was taken; waits while the channel is full; fails with a QuantumGateError."""
        try:
            presence = self._present(peer)
            message = _message(message)
            _check_sending(priority, delay)
        except QuantumGateError as error:
            return fail(error)
        if delay > 0:
            return presence.outbox(BULK).send_later(delay, message, compress)
        return presence.outbox(priority).send(message, compress)

    def offer(self, peer: Any, message: bytes) -> bool:
        """True = taken; False = not now: ``send`` waits, or says why it cannot."""
        try:
            if type(message) is not bytes:  # the core tells its own kinds of bytes apart by their exact type
                message = _message(message)
            return self._senders[peer](message)
        except QuantumGateError:
            return False

    def open_stream(self, peer: Any, protocol: Any, label: bytes = b"") -> Deferred[Any]:
        """Connects ``protocol`` at once; fires with it when the peer has taken the stream.

        What is written before that goes out without waiting for the answer. If the peer refuses, the Deferred fails
        with ChannelReset and ``connectionLost`` is called. Cancelling the Deferred resets the stream.
        """
        try:
            presence = self._present(peer)
            _check_opening(protocol, label)
            channel = presence.session.open_channel(self._extender, stream=True, priority=NORMAL, label=label)
        except QuantumGateError as error:
            return fail(error)
        transport = presence.stream(channel, self._fault)
        answered = _answer(transport, channel, protocol)
        transport.connect(protocol)
        return answered

    def report(self, peer: Any, offence: str) -> None:
        """The peer sent what this extender does not understand."""
        if self._closed is None:
            text = "".join(character if character.isprintable() else "?" for character in str(offence))
            self._landlord.report(peer, self._row.name, text[:OFFENCE_CHARACTERS])

    # -- what the host of all guests calls -----------------------------------------------------------------------------

    def arrive(self, peer: Any, session: SessionDoor) -> Presence:
        """A peer that the guest is about to be told of."""
        own = (self.uuid, self._extender)
        presence = Presence(peer, session, own, self._node_clock, self._row.compression, self._senders.put)
        self._presences[peer] = presence
        return presence

    def leave(self, peer: Any, reason: QuantumGateError, reset_code: int | None = None) -> bool:
        """Whether the peer had been here. When this returns, nothing of the guest waits for it any more."""
        presence = self._presences.pop(peer, None)
        if presence is None:
            return False
        presence.end(reason, reset_code)
        self._senders.put(peer, None)
        return True

    def presence(self, peer: Any) -> Presence | None:
        return self._presences.get(peer)

    def presences(self) -> Iterator[Presence]:
        return iter(list(self._presences.values()))

    def close(self, reason: QuantumGateError, reset_code: int | None = None) -> None:
        """The guest is over: channels end, timers are cancelled, every Deferred it holds from us fires."""
        self._closed = reason
        for peer in list(self._presences):
            self.leave(peer, reason, reset_code)
        self.clock.cancel_all()

    @property
    def _extender(self) -> UUID:
        assert self._row.uuid is not None
        return self._row.uuid

    def _present(self, peer: Any) -> Presence:
        presence = self._presences.get(peer)
        if presence is not None:
            return presence
        raise self._closed or PeerAbsent(
            f"the peer is not connected, or does not run {self._row.name}",
            advice="wait for peer_arrived, or look at host.peers()",
        )

    def _slow_sender(self, peer: Any) -> Sender:
        presence = self._presences.get(peer)
        return _nowhere if presence is None else presence.outbox(NORMAL).offer


def _nowhere(message: bytes) -> bool:
    return False


def _message(message: Any) -> bytes:
    if isinstance(message, bytes | bytearray | memoryview):
        return bytes(message)
    raise LocalError(f"a message is bytes, found {type(message).__name__}")


def _check_sending(priority: Any, delay: Any) -> None:
    if priority not in (1, 2, 3):
        raise LocalError(f"a priority is 1 (interactive), 2 (normal) or 3 (bulk), found {priority!r:.80}")
    if not 0 <= delay < float("inf"):
        raise LocalError(f"a delay is seconds from 0 on, found {delay!r:.80}")


def _check_opening(protocol: Any, label: Any) -> None:
    if not IProtocol.providedBy(protocol):
        raise LocalError(f"a stream needs an IProtocol, found {type(protocol).__name__}")
    if not isinstance(label, bytes) or len(label) > LABEL_BYTES:
        raise LocalError(f"a label is at most {LABEL_BYTES} bytes, found {label!r:.80}")


def _answer(transport: StreamTransport, channel: Any, protocol: Any) -> Deferred[Any]:
    """Fires with the protocol at the peer's CH_ACCEPT, or fails with what ended the stream before it."""
    answered: Deferred[Any] = Deferred(lambda _: transport.abortConnection(ResetCode.CANCELLED))

    def accepted() -> None:
        transport.on_end = None
        if not answered.called:
            answered.callback(protocol)

    def ended(failure: Any) -> None:
        if not answered.called:
            answered.errback(failure)

    channel.on_accepted = accepted
    transport.on_end = ended
    return answered
