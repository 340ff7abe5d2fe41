"""The extender that bench_ours.py measures through: what the peers' scripts do with messages, said with the public API.

``Answering`` sits at the responder, ``Driving`` at the initiator; ``installed`` picks which one a process has.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from quantumgate.extender.api import Extender, maker

UUID = "0e5b4a5c-5d1e-4d6b-9a51-7c0a3d2f6b10"
WARM_UP_ECHOES = 200


class Answering(Extender):
    """Greets each peer with one byte; echoes (b), or counts and says the total after ``END`` (a, c)."""

    echoing = False

    def __init__(self) -> None:
        self.total_bytes = 0

    def peer_arrived(self, peer: Any) -> Any:
        return self.host.send(peer, b"R")

    def message_received(self, peer: Any, message: bytes) -> Any:
        if self.echoing:
            if not self.host.offer(peer, message):
                return self.host.send(peer, message)
        elif len(message) == 3:
            answer, self.total_bytes = b"%d" % self.total_bytes, 0
            return self.host.send(peer, answer)
        else:
            self.total_bytes += len(message)
        return None


class Driving(Extender):
    """The measuring side: ``on_greeting(peer)`` is called with each greeted peer, then ``on_message`` gets the rest."""

    on_greeting: Callable[[Any], None]

    def __init__(self) -> None:
        self.on_message: Callable[[bytes], None] | None = None

    def message_received(self, peer: Any, message: bytes) -> None:
        if self.on_message is None:
            self.on_greeting(peer)
        else:
            self.on_message(message)

    def pour(
        self, peer: Any, size_bytes: int, total_bytes: int, max_seconds: float, done: Callable[[int, int], None]
    ) -> None:
        """Offer random messages as fast as they are taken, then END; ``done(sent, counted by the responder)``."""
        data, offer, host = os.urandom(size_bytes), self.host.offer, self.host
        end, sent = time.perf_counter() + max_seconds, 0

        def fill(_taken: Any = None) -> None:
            nonlocal sent
            while sent < total_bytes and time.perf_counter() < end:
                sent += size_bytes
                if not offer(peer, data):
                    host.send(peer, data).addCallback(fill)
                    return
            host.send(peer, b"END")

        self.on_message = lambda message: done(sent, int(message))
        fill()

    def ping_pong(self, peer: Any, size_bytes: int, count: int, done: Callable[[list[float]], None]) -> None:
        """Echo one message at a time; ``done(seconds of each)`` without the warm-up."""
        data, times, start = os.urandom(size_bytes), [], 0.0
        offer, clock = self.host.offer, time.perf_counter

        def echoed(_message: bytes) -> None:
            nonlocal start
            now = clock()
            times.append(now - start)
            if len(times) == count + WARM_UP_ECHOES:
                done(times[WARM_UP_ECHOES:])
                return
            start = clock()
            offer(peer, data)

        self.on_message = echoed
        start = clock()
        offer(peer, data)


installed: Callable[[], Extender] = Answering
made: list[Extender] = []
"""The guests that the node of this process made."""


def chosen() -> Extender:
    made.append(installed())
    return made[-1]


extender = maker(chosen, name="bench", uuid=UUID, version="0", summary="measures the node")
