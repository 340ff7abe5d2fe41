"""How many inflated bytes guests hold at once, over all channels of a session. Spec: docs/spec/messages.md, section 4.

A compressed message is opened when its guest is free to take it, never earlier; so what guests hold is bounded by
``inflated_peer_bytes`` and one message more. [A21] Not for: credit, which counts what is on the wire (``credit.py``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from quantumgate.core.state import SessionPhase

if TYPE_CHECKING:
    from quantumgate.core.channel import Channel
    from quantumgate.core.session import Session


class Hands:
    """The guests' hands of one session. ``held_bytes`` = messages that were handed over and not released."""

    __slots__ = ("_full", "_session", "_waiting", "held_bytes")

    def __init__(self, session: Session) -> None:
        self._session = session
        self._full = False
        self._waiting: dict[Channel, None] = {}
        self.held_bytes = 0

    @property
    def free(self) -> bool:
        """Whether one more message may be handed over."""
        return self.held_bytes < self._session.limits.inflated_peer_bytes

    def are_full(self) -> None:
        """No channel hands over at once until a message is released."""
        self._full = True
        for channel in self._session.channels.values():
            channel.ear = False

    def wait(self, channel: Channel) -> None:
        """The channel has a message for its guest and may not hand it over now."""
        self._full = True
        self._waiting[channel] = None

    def forget(self, channel: Channel) -> None:
        """The channel ended."""
        self._waiting.pop(channel, None)

    def freed(self) -> None:
        """A message is in hand no more: the channels that wait have their turn, oldest first."""
        if not self._full or self._session.phase in (SessionPhase.CLOSING, SessionPhase.OVER):
            return
        for channel in list(self._waiting):
            if not self.free:
                return
            if channel in self._waiting:
                del self._waiting[channel]
                channel.drain_inbox()
        if self.free:
            self._full = False
            for channel in list(self._session.channels.values()):
                channel.listen()
