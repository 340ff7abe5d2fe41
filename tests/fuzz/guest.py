"""The owner of a fuzzed session's channels: it keeps books, and behaves as the script's MANNERS say.

Not for: links (``linked.py``), what must hold (``target.py``).
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from quantumgate.errors import ChannelReset, LocalError, SessionClosed


class Guest:
    """The owner of the session's channels: keeps books, and behaves as the script's MANNERS say."""

    def __init__(self) -> None:
        self.channels: list[Any] = []
        self.ends: dict[int, int] = {}
        self.manners = 0
        self.unread: dict[int, int] = {}

    def own(self, channel: Any) -> None:
        if channel.closed:
            return
        number = len(self.channels)
        self.channels.append(channel)
        self.ends[number] = self.unread[number] = 0
        channel.on_message = lambda message: self._message(channel)
        channel.on_data = lambda data: self._data(number, channel, len(data))
        channel.on_closed = lambda reason: self._closed(number)
        if not channel.ours and not self.manners & 2:
            channel.accept()

    def _message(self, channel: Any) -> bool:
        self._rude(channel)
        return not self.manners & 1

    def _data(self, number: int, channel: Any, size: int) -> None:
        self._rude(channel)
        if self.manners & 1:
            self.unread[number] += size
        else:
            channel.consumed(size)

    def _rude(self, channel: Any) -> None:
        """What it asks for in its hooks may fail, which is for the guest to catch."""
        if self.manners & 4:
            channel.reset(0x8001, "rude")
        if self.manners & 8:
            for other in self.channels[:3]:
                with suppress(LocalError, ChannelReset, SessionClosed):
                    other.write(b"more") if other.stream else other.ours and other.send(b"more")

    def _closed(self, number: int) -> None:
        self.ends[number] += 1
