"""Sends every message and every byte back to the peer it came from: the smallest extender that does something.

The tutorial docs/guide/first-extender.md builds it line by line. Not for: measuring a node; ``qgate bench`` does that.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Protocol

from quantumgate.extender import api

UUID = "3a3dcb0a-9c0f-4c0e-8d7c-6c1f6e2b7a55"
VERSION = "0.1.0"


class EchoStream(Protocol):
    """One stream, written back."""

    def connectionMade(self) -> None:
        """The stream feeds itself: while its writing half is full, its reading half is paused."""
        self.transport.registerProducer(self.transport, True)  # type: ignore[union-attr]

    def dataReceived(self, data: bytes) -> None:
        """Back."""
        self.transport.write(data)  # type: ignore[union-attr]


class Echo(api.Extender):
    """Sends every message and every byte back."""

    def message_received(self, peer: api.IPeer, message: bytes) -> api.Answer:
        """``offer`` is quick; where it is full, ``send`` waits, and the peer's next message with it."""
        return None if self.host.offer(peer, message) else self.host.send(peer, message)

    def stream_opened(self, peer: api.IPeer, label: bytes) -> Any:
        """Every label is taken."""
        return EchoStream()


maker = api.maker(Echo, name="echo", uuid=UUID, version=VERSION)
