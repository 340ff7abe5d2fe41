"""Peers that ask to be dialled back again and again: where they listen, where nobody does, at ports of services.

A node that dialled wherever it is told would be anybody's to aim. So the crowd listens, too, at every address that it
has: it sees who is dialled without having asked. Spec: docs/spec/discovery.md section 7.
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Iterator
from contextlib import suppress

from quantumgate.wire import frames
from quantumgate.wire.features import REACH
from quantumgate.wire.limits import DEFAULT_LIMITS
from quantumgate.wire.reach_frames import REACH_ASK, encode_ask
from tests.acceptance.floods.attacker import ASKED, UNASKED, Target
from tests.acceptance.floods.intruder import Intruder, Intruders
from tests.acceptance.floods.stage import Flood, flooded
from tests.acceptance.report import Figure

HELD, TAKEN = 200, 50
LISTENS, NOBODY = 9998, 9997
SERVICES = (22, 25, 53, 80, 123, 443, 1023)
EACH = 6
"""So often each of them is asked for."""

FLOOD = Flood("reach_abuse", f"8 peers with a name a second, each asking {EACH} times to be dialled at "
                             f"{len(SERVICES)} ports of services, at one where it listens and says nothing, at one "
                             f"where nobody does, and where it is seen; {HELD} held",
              dials=DEFAULT_LIMITS.reach_rate)


class ReachAbuse(Intruders):
    """All questions in one record."""

    per_second = 8.0
    held_most = HELD
    features = (REACH,)

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._askers: set[str] = set()
        self._taken: deque[socket.socket] = deque()
        self._listening = socket.create_server(("0.0.0.0", LISTENS), backlog=1024)
        self._listening.setblocking(False)

    def offend(self, who: Intruder) -> None:
        self._askers.add(who.socket.getsockname()[0])
        ports = (0, LISTENS, NOBODY, *SERVICES)
        who.say(*[frames.frame(REACH_ASK, encode_ask(port)) for _ in range(EACH) for port in ports])

    def tend(self) -> None:
        with suppress(BlockingIOError):
            while True:
                line, _ = self._listening.accept()
                self.counts[ASKED if line.getsockname()[0] in self._askers else UNASKED] += 1
                self._taken.append(line)
                if len(self._taken) > TAKEN:
                    self._taken.popleft().close()


attack = ReachAbuse


def figures() -> Iterator[Figure]:
    yield from flooded(FLOOD)
