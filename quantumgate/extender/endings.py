"""Why a stream ended, as ``connectionLost`` says it: Twisted's exceptions that also carry our codes.

Not for: the codes themselves (``wire/codes.py``). Spec: docs/spec/codes.md.
"""

from __future__ import annotations

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.python.failure import Failure

from quantumgate.errors import ChannelReset, SessionClosed
from quantumgate.extender.doors import CloseReason


class StreamReset(ChannelReset, ConnectionLost):
    """The stream was reset, by the peer or by a limit. ``code`` is a CH_RESET code; from 0x8000 on the extender's."""

    def __str__(self) -> str:
        return Exception.__str__(self)


class StreamLost(SessionClosed, ConnectionLost):
    """The stream's session is over; ``code`` is that of its CLOSE, None where the transport was lost."""

    def __str__(self) -> str:
        return Exception.__str__(self)


def failed(error: BaseException) -> Failure:
    """Twisted's Failure, which has no type hints, around an exception."""
    return Failure(error)  # type: ignore[no-untyped-call]


def reason_of(error: CloseReason) -> Failure:
    """What ``connectionLost`` gets for what a channel's ``on_closed`` said."""
    if error is None:
        return failed(ConnectionDone("both sides finished the stream"))
    if isinstance(error, ChannelReset):
        return failed(StreamReset(str(error), error.code))
    if isinstance(error, SessionClosed):
        return failed(StreamLost(str(error), error.code))
    return failed(error)
