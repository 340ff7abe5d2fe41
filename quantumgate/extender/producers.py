"""The producer that feeds a stream: paused while the channel is full, pulled while it is not. Push and pull kinds.

Not for: the stream's own side as a producer, ``pauseProducing`` of ``streams.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorTime

Contained = Callable[..., None]
"""``contained(where, function, *arguments)`` calls a guest's function and survives it."""


class ProducerTap:
    """At most one producer. ``full`` is kept by the stream through ``close`` and ``open``."""

    def __init__(self, clock: IReactorTime, contained: Contained) -> None:
        self._clock, self._contained = clock, contained
        self._producer: Any = None
        self._streaming = self._paused = self._pulling = False
        self.full = False

    @property
    def busy(self) -> bool:
        """Whether a producer is registered."""
        return self._producer is not None

    def register(self, producer: Any, streaming: bool) -> None:
        """Raises RuntimeError where one is registered already."""
        if self._producer is not None:
            raise RuntimeError("a producer is registered already; unregister it first")
        self._producer, self._streaming, self._paused = producer, streaming, False
        if self.full:
            self.close()
        else:
            self.wrote()

    def unregister(self) -> None:
        self._producer = None

    def close(self) -> None:
        """The channel is full."""
        self.full = True
        if self._producer is not None and self._streaming and not self._paused:
            self._paused = True
            self._contained("pauseProducing", self._producer.pauseProducing)

    def open(self) -> None:
        """The channel has room again."""
        self.full = False
        if self._producer is None:
            return
        if not self._streaming:
            self.wrote()
        elif self._paused:
            self._paused = False
            self._contained("resumeProducing", self._producer.resumeProducing)

    def wrote(self) -> None:
        """Something was written and there is room: a pull producer is asked for the next piece, in the next turn.

        One that had nothing to write when it was asked is asked again after its next write: no turning in circles.
        """
        if self._producer is not None and not self._streaming and not self._pulling:
            self._pulling = True
            self._clock.callLater(0, self._pull)

    def _pull(self) -> None:
        self._pulling = False
        if self._producer is not None and not self.full:
            self._contained("resumeProducing", self._producer.resumeProducing)

    def let_go(self) -> None:
        """The stream is over: it is not called any more."""
        self._contained = _ignore

    def stop(self) -> None:
        """Nothing more is wanted, ever."""
        producer, self._producer = self._producer, None
        if producer is not None:
            self._contained("stopProducing", producer.stopProducing)


def _ignore(*_: object) -> None:
    return None
