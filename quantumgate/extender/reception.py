"""What peers bring to one guest: their arrival, their departure, and the channels that they open.

Not for: peers without permission: no extender hears of those. Spec: docs/spec/channels.md.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IProtocol
from twisted.python.failure import Failure

from quantumgate.errors import ChannelReset, LocalError, QuantumGateError
from quantumgate.extender.answers import as_deferred
from quantumgate.extender.delivery import deliver_messages
from quantumgate.extender.doors import ChannelDoor, SessionDoor
from quantumgate.extender.lifecycle import Guest
from quantumgate.extender.presence import Presence
from quantumgate.extender.streams import StreamTransport
from quantumgate.wire.codes import ResetCode


def meet(guest: Guest, peer: Any, session: SessionDoor, listed: bool) -> Presence | None:
    """Announces the peer, once. None where the guest does not run, the peer may not use it, or left meanwhile."""
    host = guest.host
    if host is None or not guest.running or not guest.admits(peer):
        return None
    presence = host.presence(peer)
    if presence is None:
        presence = host.arrive(peer, session)
        guest.call("peer_arrived", guest.instance.peer_arrived, peer)
    presence.listed = presence.listed or listed
    return presence if guest.running and host.presence(peer) is presence else None


def part(guest: Guest, peer: Any, reason: QuantumGateError, words: str) -> None:
    """The peer is gone: its sends fail and its streams end first, then the guest is told."""
    if guest.host is not None and guest.host.leave(peer, reason) and guest.running:
        guest.call("peer_left", guest.instance.peer_left, peer, words)


def expel(guest: Guest, peer: Any) -> None:
    """The peer may not use it any more: all between the two is reset."""
    if guest.host is not None and guest.host.leave(peer, LocalError("forbidden by this node's rules"),
                                                   ResetCode.REFUSED) and guest.running:
        guest.call("peer_left", guest.instance.peer_left, peer, "forbidden by our rules")


def admit(guest: Guest, peer: Any, session: SessionDoor, channel: ChannelDoor) -> None:
    """A channel that the peer opened. Its first one is also its arrival, where it sends no list of extenders."""
    if peer.uuid is None and not guest.registration.anonymous:
        channel.reset(ResetCode.IDENTITY_NEEDED)
        return
    presence = meet(guest, peer, session, listed=False)
    if presence is None:
        channel.reset(ResetCode.NO_SUCH_SERVICE if guest.admits(peer) else ResetCode.REFUSED)
    elif channel.closed:
        return
    elif channel.stream:
        _offer_stream(guest, presence, channel)
    else:
        received = guest.instance.message_received
        presence.take_messages(channel, lambda: deliver_messages(channel, peer, received, guest.fault))
        channel.accept()


def _offer_stream(guest: Guest, presence: Presence, channel: ChannelDoor) -> None:
    transport = presence.stream(channel, guest.fault)
    try:
        result = guest.instance.stream_opened(presence.peer, channel.label)
        deferred = as_deferred(result)
    except BaseException as error:
        _fail_stream(guest, transport, error)
        return
    if deferred is None:
        _answer(guest, transport, channel, result)
    else:
        deferred.addCallback(lambda protocol: _answer(guest, transport, channel, protocol))
        deferred.addErrback(lambda failure: _fail_stream(guest, transport, _error_of(failure)))


def _answer(guest: Guest, transport: StreamTransport, channel: ChannelDoor, protocol: Any) -> None:
    if transport.ended:
        return
    if protocol is None:
        transport.refuse(ResetCode.REFUSED)
    elif not IProtocol.providedBy(protocol):
        found = f"stream_opened returned {type(protocol).__name__}; expected an IProtocol or None"
        _fail_stream(guest, transport, TypeError(found))
    else:
        channel.accept()
        transport.connect(protocol)


def _fail_stream(guest: Guest, transport: StreamTransport, error: BaseException) -> None:
    """A ChannelReset is a refusal with that code, anything else a fault (docs/adr/0115)."""
    if isinstance(error, ChannelReset):
        transport.refuse(error.code, str(error))
        return
    transport.refuse(ResetCode.GUEST_FAILED)
    guest.fault("stream_opened", error)


def _error_of(failure: Failure) -> BaseException:
    return failure.value or Exception("unknown")
