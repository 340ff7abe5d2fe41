"""An extender that holds what it can of every peer behind relays: Deferreds that wait, a stream that nobody reads.

Its status says when it was told of each end, and what the whole process has in memory. The same module is both sides:
whoever is dialled never finishes with a message. Not for: judging (``gateway_loss.py``).
"""

from __future__ import annotations

import gc
import os
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from msgspec import Struct
from twisted.internet import protocol
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from quantumgate.extender.api import Extender, maker
from tests.acceptance.processes import rss_bytes

UUID = "5c1d3e0a-3b44-4d0e-9a77-0b1c2d3e4f50"
SENDS, SEND_BYTES = 24, 65_536
TYPES_TOLD = 40
ENDS_KEPT = 32
COUNTED = frozenset({
    "Call", "Channel", "Circuit", "Connection", "Contact", "Link", "LinkPump", "NearConnection", "NearLine", "Peer",
    "PeerProtocol", "Presence", "Session",
})  # fmt: skip


def inventory() -> dict[str, Any]:
    """What this process has in memory, after a collection: what is there is held by somebody."""
    from twisted.internet import reactor

    gc.unfreeze()
    gc.collect()
    objects = gc.get_objects()
    types = Counter(type(one).__name__ for one in objects)
    return {
        "objects": {name: types[name] for name in COUNTED if name in types}, "types": types.most_common(TYPES_TOLD),
        "all_objects": len(objects), "rss_bytes": rss_bytes(os.getpid()),
        "deferreds": sum(1 for one in objects if type(one) is Deferred and not one.called),
        "timers": len(reactor.getDelayedCalls()),  # type: ignore[attr-defined]
    }


class Stream(protocol.Protocol):
    """Reads nothing; ``told`` hears of its end."""

    transport: Any

    def __init__(self, told: Any = None) -> None:
        self._told = told

    def connectionMade(self) -> None:
        self.transport.pauseProducing()

    def connectionLost(self, reason: Failure = protocol.connectionDone) -> None:
        if self._told is not None:
            self._told()


class Held:
    """What waits of one peer: its sends, more than it has room for, and a stream, which is refused or ends."""

    def __init__(self, host: Any, peer: Any, over: Callable[[Held], None]) -> None:
        self.waiting, self._left, self._over = SENDS + 2, False, over
        host.open_stream(peer, Stream(self._told), b"held").addBoth(self._told)
        for _ in range(SENDS):
            host.send(peer, bytes(SEND_BYTES), compress=False).addBoth(self._told)

    def _told(self, _: object = None) -> None:
        self.waiting -= 1
        self._look()

    def left(self) -> None:
        """The peer is gone."""
        self._left = True
        self._look()

    def _look(self) -> None:
        if self._left and not self.waiting:
            self._over(self)


class Settings(Struct, forbid_unknown_fields=True, frozen=True):
    """``dial``: an address to which a circuit of our own is kept."""

    dial: str = ""


class Holding(Extender):
    """Of all peers."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._held: dict[Any, Held] = {}
        self._own: Any = None
        self._dials = 0
        self._over = False
        self._ends: list[dict[str, Any]] = []
        self._untold = 0

    def start(self, host: Any) -> None:
        super().start(host)
        if self._settings.dial:
            self._dial()

    def stop(self) -> None:
        self._over = True

    # -- peers ---------------------------------------------------------------------------------------------------------

    def peer_arrived(self, peer: Any) -> None:
        if not (self._settings.dial and peer.relayed):
            return
        path = [str(one) for one in peer.path]
        self._untold += 1
        self._held[peer] = Held(self.host, peer, lambda held: self._ended(path))

    def _ended(self, path: list[str]) -> None:
        self._untold -= 1
        self._ends = [*self._ends[1 - ENDS_KEPT :], {"path": path, "at": time.monotonic()}]

    def peer_left(self, peer: Any, reason: str) -> None:
        held = self._held.pop(peer, None)
        if held is not None:
            held.left()
        if peer is self._own and not self._over:
            self._dial()

    def message_received(self, peer: Any, message: bytes) -> Any:
        return None if self._settings.dial else Deferred()

    def stream_opened(self, peer: Any, label: bytes) -> Any:
        return Stream()

    # -- a circuit of its own ------------------------------------------------------------------------------------------

    def _dial(self) -> None:
        self._own = None
        self._dials += 1
        self.host.connect(self._settings.dial).addCallbacks(self._dialled, self._not_dialled)

    def _dialled(self, peer: Any) -> None:
        self._dials -= 1
        self._own = peer
        if peer not in self.host.peers() and not self._over:
            self.host.clock.callLater(0.1, self._dial)

    def _not_dialled(self, _: Failure) -> None:
        self._dials -= 1
        if not self._over:
            self.host.clock.callLater(1, self._dial)

    # -- what there is -------------------------------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """``untold``: peers of which something still waits."""
        return inventory() | {
            "ends": self._ends, "untold": self._untold, "peers": len(self._held), "dials": self._dials,
            "waiting": sum(one.waiting for one in self._held.values()),
        }


extender = maker(Holding, name="held", uuid=UUID, settings=Settings, summary="holds what it can, for acceptance runs")
