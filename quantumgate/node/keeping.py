"""This node as a keeper: it answers who looks for somebody, and keeps what others leave with it.

Only for nameless sessions of a relay's clients, of which each may ask so much. Records are verified off the reactor
thread. Not for: what is kept (``core/discovery/directory.py``), or asking (``asking.py``). Spec: docs/spec/discovery.md
section 8.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.python.failure import Failure

from quantumgate import logs
from quantumgate.core.budget import FloodGauge
from quantumgate.core.discovery.directory import Directory
from quantumgate.core.peer_records import KnownRecord, judge
from quantumgate.core.places import group_of
from quantumgate.errors import CryptoError, RemoteProtocolError
from quantumgate.ids import PeerUUID
from quantumgate.node.contact import Contact
from quantumgate.node.world import World
from quantumgate.wire import directory_frames as frames
from quantumgate.wire.codes import CloseCode
from quantumgate.wire.limits import DIRECTORY_CHECKS_WAITING, Limits

RELAYED = "through relays"
"""As a network: of all who come through relays."""

TIDY_SECONDS = 600.0
_log = logs.named("discovery")


class Keeping:
    """One keeper's. ``network``: as records name it."""

    def __init__(self, world: World, limits: Limits, directory: Directory, network: bytes) -> None:
        self._world, self._limits, self.directory, self._network = world, limits, directory, network
        self._gauges: dict[Contact, FloodGauge] = {}
        self.least_serial: Callable[[PeerUUID], int] = lambda uuid: 0
        """Of the newest delegation that is known of a peer."""
        self._under_way = 0
        self._timer: Any = None

    def start(self) -> None:
        """What is over is looked for now and then."""
        self.directory.tidy(self._world.wall_seconds())
        self._timer = self._world.clock.callLater(TIDY_SECONDS, self.start)

    def stop(self) -> None:
        """Of the node."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def question(self, contact: Contact, find: frames.Find) -> None:
        """FIND."""
        if not self._admit(contact):
            return
        answer = self.directory.find(find.day, find.key, self._world.wall_seconds())
        records = tuple(known.signed.encode() for known in answer.records)
        nodes = tuple(one.known.signed.encode() for one in answer.nearer if one.known is not None)
        contact.say(frames.FOUND, frames.Found(find.number, records, nodes).encode(), long=True)

    def left(self, contact: Contact, leave: frames.Leave) -> None:
        """LEAVE."""
        if not self._admit(contact):
            return
        if self._under_way >= DIRECTORY_CHECKS_WAITING:
            self._say(contact, leave, frames.Left.FULL)
            return
        self._under_way += 1
        now_ms = int(self._world.wall_seconds() * 1000)
        checking = self._world.elsewhere(_judged, leave.record, self._network, now_ms, self.least_serial)
        checking.addBoth(self._checked, contact, leave)

    def _checked(self, result: KnownRecord | Failure | None, contact: Contact, leave: frames.Leave) -> None:
        self._under_way -= 1
        if isinstance(result, Failure):
            _log.failure("a record could not be looked at", failure=result)
            return
        code = frames.Left.REFUSED
        if result is not None:
            source = RELAYED if contact.address is None else group_of(str(contact.address))
            code = self.directory.leave(leave.kind, leave.day, leave.key, result, source, self._world.wall_seconds())
        self._say(contact, leave, code)

    def _say(self, contact: Contact, leave: frames.Leave, code: frames.Left) -> None:
        contact.say(frames.LEFT, frames.LeftAnswer(leave.number, code).encode())

    def _admit(self, contact: Contact) -> bool:
        """Who asks too much is told so, and has to come again."""
        if contact.outbound:
            contact.close(CloseCode.VIOLATION, "a keeper asks its clients for nothing", graceful=False)
            return False
        gauge = self._gauges.get(contact)
        if gauge is None:
            rate, burst = self._limits.directory_rate
            gauge = self._gauges[contact] = FloodGauge(rate, burst, self._limits.flood_seconds, self._world.now())
            contact.ended().addCallback(lambda _: self._gauges.pop(contact, None))
        if gauge.count(self._world.now()):
            contact.close(CloseCode.FLOOD, "too many questions", graceful=False)
            return False
        return True


def _judged(
    record: bytes, network: bytes, now_ms: int, least_serial: Callable[[PeerUUID], int]
) -> KnownRecord | None:
    """Off the reactor thread."""
    try:
        return judge(record, network=network, now_ms=now_ms, least_serial=least_serial)
    except (RemoteProtocolError, CryptoError):
        return None
