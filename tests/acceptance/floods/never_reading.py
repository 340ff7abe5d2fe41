"""Peers with a name that let everything be echoed, over as many streams as there may be, and never read a byte of it.

Row 16 of docs/attacks.md, against a real process: what waits for them is bounded for each and for all.
"""

from __future__ import annotations

from collections.abc import Iterator

from quantumgate.wire import frames
from tests.acceptance.floods.attacker import Strikes, Target
from tests.acceptance.floods.intruder import Intruder, Refused, opening
from tests.acceptance.floods.places import anywhere
from tests.acceptance.floods.stage import Flood, flooded
from tests.acceptance.report import Figure

PEERS = 12
STREAM_BYTES = 65_536
STREAMS = 500
LIFE_STRIKES = 45 * 30
FLOOD = Flood("never_reading", f"{PEERS} peers with a name, 45 new streams a second with {STREAM_BYTES} bytes each to "
                               f"be echoed, {STREAMS} for each peer, nothing is read; every 30 s a peer is another one")


class NeverReading(Strikes):
    """In turns; who has no stream left waits, and one peer after another is replaced."""

    per_second = 45.0

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._peers: list[tuple[Intruder, int] | None] = [None] * PEERS
        self._turn = 0

    def strike(self) -> None:
        self._turn += 1
        place = self._turn % PEERS
        if self._turn % LIFE_STRIKES == 0:
            self._leave(place)
        try:
            who, streams = self._peers[place] or (Intruder(self.target, anywhere(self.luck)), 0)
            if streams < STREAMS:
                channel = 2 * streams + 1
                data = frames.frame(frames.MSG, bytes(STREAM_BYTES // 8), channel)
                said = who.say(opening(channel, stream=True, label=b"echo"), *[data] * 8)
                self.counts["streams"] += said
                streams += said
            self._peers[place] = who, streams
        except Refused:
            self.counts["refused"] += 1
        except OSError:
            self.counts["cut"] += 1
            self._leave(place)

    def _leave(self, place: int) -> None:
        former, self._peers[place] = self._peers[place], None
        if former is not None:
            former[0].close()


attack = NeverReading


def figures() -> Iterator[Figure]:
    yield from flooded(FLOOD)
