"""Peers with a name that pour out frames: openings and resets, empty messages, PING, WINDOW, lists of extenders.

One of the kinds stays just below what is legal, for ever; the others are cut, and come again as somebody else. What
comes back is thrown away, or never read. Row 17 of docs/attacks.md, against a real process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

from quantumgate.wire import frames
from tests.acceptance.floods.attacker import Strikes, Target
from tests.acceptance.floods.intruder import Intruder, Refused, message, opening
from tests.acceptance.floods.places import anywhere
from tests.acceptance.floods.stage import Flood, flooded
from tests.acceptance.report import Figure

AGAIN_STRIKES = 20
"""Of those that a place is empty for, once its peer was cut: a new one comes there three times a second at most."""

FLOOD = Flood("channel_floods", "60 records a second of six peers: 100 openings with their resets, 400 empty messages, "
                                "400 PINGs, 400 WINDOWs, 100 lists, and one that stays just below the rates")


class Pourer:
    """What one peer says with each strike."""

    def __init__(self) -> None:
        self._channels = count(1, 2)

    def resets(self) -> list[bytes]:
        pairs = [(opening(one), frames.frame(frames.CH_RESET, bytes(2), one)) for one, _ in
                 zip(self._channels, range(100), strict=False)]
        return [frame for pair in pairs for frame in pair]

    def empties(self) -> list[bytes]:
        channel = next(self._channels)
        return [opening(channel), *[message(channel, b"")] * 400]

    def pings(self) -> list[bytes]:
        return [frames.frame(frames.PING, bytes(8))] * 400

    def windows(self) -> list[bytes]:
        channel = next(self._channels)
        window = frames.frame(frames.WINDOW, frames.U64.pack(65_537), channel)
        return [opening(channel, stream=True, label=b"sink"), *[window] * 400]

    def lists(self) -> list[bytes]:
        return [frames.frame(frames.EXT_UPDATE, bytes(range(16)) * (number % 2), flags=frames.WHOLE)
                for number in range(100)]

    def legal(self) -> list[bytes]:
        """18 openings with their resets and 4 PINGs, ten times a second."""
        return [*self.resets()[:36], *self.pings()[:4]]


KINDS: tuple[Callable[[Pourer], list[bytes]], ...] = (
    Pourer.resets, Pourer.empties, Pourer.pings, Pourer.windows, Pourer.lists, Pourer.legal
)


class ChannelFloods(Strikes):
    """Six places in turn, each with its kind; every second peer reads nothing."""

    per_second = 60.0

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._turn = 0
        self._places: dict[int, tuple[Intruder, Pourer]] = {}
        self._empty_until: dict[int, int] = {}

    def strike(self) -> None:
        self._turn += 1
        place = self._turn % len(KINDS)
        try:
            who, pourer = self._places.get(place) or self._come(place)
            if place % 2:
                who.deaf()
            self.counts["records" if who.say(*KINDS[place](pourer)) else "held back"] += 1
        except LookupError:
            self.counts["nobody there"] += 1
        except Refused:
            self.counts["refused"] += 1
            self._empty_until[place] = self._turn + AGAIN_STRIKES
        except OSError:
            self.counts["cut"] += 1
            self._places.pop(place)[0].close()
            self._empty_until[place] = self._turn + AGAIN_STRIKES

    def _come(self, place: int) -> tuple[Intruder, Pourer]:
        if self._turn < self._empty_until.get(place, 0):
            raise LookupError
        self._places[place] = Intruder(self.target, anywhere(self.luck)), Pourer()
        return self._places[place]


attack = ChannelFloods


def figures() -> Iterator[Figure]:
    yield from flooded(FLOOD)
