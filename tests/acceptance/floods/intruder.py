"""A hostile peer with a name: it completes the handshake as anybody new may, then seals whatever it likes.

Each has an identity and an address of its own, so that no score of one keeps the next one out. Against the bare sink
of a control run the handshake is with a responder in this process, and what is sealed goes to the sink. Not for: what
is said (the modules of the floods).
"""

from __future__ import annotations

import socket
import time
from abc import abstractmethod
from collections import deque
from typing import Any
from uuid import UUID

from quantumgate.core.connection import Connection
from quantumgate.core.events import RequestMade
from quantumgate.core.handshake.initiator import Initiator
from quantumgate.core.handshake.responder import Responder
from quantumgate.core.handshake.settings import HandshakeSettings
from quantumgate.core.puzzle import Search
from quantumgate.core.replay import ReplayWindow
from quantumgate.core.requests import PuzzleNeeded, Verdict
from quantumgate.core.session_settings import SessionSettings
from quantumgate.crypto.identity import Identity
from quantumgate.crypto.random import SystemRandom
from quantumgate.wire import frames
from quantumgate.wire.limits import RECORD_HEADER_BYTES, RECORD_OVERHEAD_BYTES
from tests.acceptance.floods.attacker import Strikes, Target
from tests.acceptance.floods.places import anywhere
from tests.acceptance.party import UUID as PARTY

ECHO = UUID(PARTY)
SHAKE_SECONDS = 5.0
PENDING_BYTES = 1 << 20
"""Of what it has sealed and the node has not taken: it waits with more."""

LUCK = SystemRandom()
PURSE = [Identity.generate(1, LUCK) for _ in range(256)]
"""Made before the flood, taken in turn: none is banned before it comes again."""


class Refused(Exception):
    """The node let it in no more."""


class _Within:
    """The other side of a handshake that never leaves this process."""

    def __init__(self, who: Identity, now: float) -> None:
        settings = SessionSettings(extenders=(ECHO,))
        replay = ReplayWindow(b"w" * 32, int((time.time() - 3600) * 1000))
        responder = Responder(HandshakeSettings(who), replay, random=LUCK, now=now,
                              wall_offset_seconds=time.time() - now)
        self._connection = Connection(responder, settings, settings.block(), LUCK, now)

    def exchange(self, data: bytes) -> bytes:
        now = time.monotonic()
        self._connection.receive(data, now)
        return _said(self._connection, now)


def _said(connection: Connection, now: float) -> bytes:
    """All that it says now; every question is answered as the kindest node would."""
    said = b""
    while True:
        while (event := connection.next_event()) is not None:
            if isinstance(event, RequestMade):
                request = event.request
                puzzle = isinstance(request, PuzzleNeeded)
                solved = Search(request.puzzle, request.salt).go_on(1 << 24) if puzzle else None
                connection.answer(request, solved or Verdict(True), now)
        data = connection.data_to_send(now)
        if data is None:
            return said
        said += bytes(data)
        connection.taken(len(data), now)


class Intruder:
    """One of them, admitted. ``role`` 2: its session is one that only asks for links."""

    _taken = 0

    def __init__(self, target: Target, source: str, *, role: int = 1, features: tuple[int, ...] = ()) -> None:
        """Raises Refused."""
        Intruder._taken += 1
        self.identity = PURSE[Intruder._taken % len(PURSE)]
        self._pending = b""
        self.socket = socket.socket()
        self.socket.settimeout(SHAKE_SECONDS)
        try:
            self.socket.bind((source, 0))
            self.socket.connect((target.host, target.port))
            self._shake(target, role, features)
        except OSError as error:
            self.socket.close()
            raise Refused(str(error)) from error
        self.socket.setblocking(False)

    def _shake(self, target: Target, role: int, features: tuple[int, ...]) -> None:
        now = time.monotonic()
        settings = SessionSettings(extenders=(ECHO,), padding="off", features=features)
        block = settings.block()
        other = PURSE[Intruder._taken * 7 % len(PURSE)]
        within = _Within(other, now) if target.sink else None
        initiator = Initiator(
            HandshakeSettings(self.identity), target=other.public.uuid if within else target.uuid, role=role,
            session_tlvs=block.encode(), random=LUCK, now=now, wall_offset_seconds=time.time() - now,
        )  # fmt: skip
        self.connection = connection = Connection(initiator, settings, block, LUCK, now)
        while connection.session is None or not connection.session.ready:
            said = _said(connection, time.monotonic())
            self._tell(said, within)
            if connection.finished:
                raise Refused("the handshake came to nothing")
        self._tell(_said(connection, time.monotonic()), None)
        self.session: Any = connection.session

    def _tell(self, said: bytes, within: _Within | None) -> None:
        """Send it; what comes back goes to our side of the connection."""
        if said:
            self.socket.sendall(said)
        if within is None and self.connection.session is not None and self.connection.session.ready:
            return
        heard = within.exchange(said) if within else self.socket.recv(1 << 16)
        if not heard:
            raise Refused("closed during the handshake")
        self.connection.receive(heard, time.monotonic())

    # -- speaking ----------------------------------------------------------------------------------------------------

    def sealed(self, *said: bytes) -> bytes:
        """One record with these frames."""
        body = b"".join(said)
        buffer = bytearray(RECORD_OVERHEAD_BYTES + len(body))
        buffer[RECORD_HEADER_BYTES : RECORD_HEADER_BYTES + len(body)] = body
        self.session._sealer.seal(memoryview(buffer), len(body))
        return bytes(buffer)

    def say(self, *said: bytes) -> bool:
        """One record, or nothing where too much waits already. Raises OSError where the node has cut the line."""
        if len(self._pending) > PENDING_BYTES:
            self._flush(b"")
            return False
        self._flush(self.sealed(*said))
        return True

    def raw(self, data: bytes) -> None:
        """Bytes as they are, behind what waits. Raises OSError."""
        self._flush(data)

    def _flush(self, data: bytes) -> None:
        self._pending += data
        try:
            while self._pending:
                self._pending = self._pending[self.socket.send(self._pending) :]
        except BlockingIOError:
            return

    def deaf(self) -> int:
        """Throw away what came; how many bytes. Raises OSError where the line is cut."""
        heard = 0
        try:
            while data := self.socket.recv(1 << 18):
                heard += len(data)
        except BlockingIOError:
            return heard
        raise ConnectionError("closed")

    def close(self) -> None:
        self.socket.close()


class Intruders(Strikes):
    """One more with each strike: it comes, does its deed and is held, deaf. The oldest leaves where it gets crowded."""

    held_most = 200
    role = 1
    features: tuple[int, ...] = ()

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._held: deque[Intruder] = deque()

    @abstractmethod
    def offend(self, who: Intruder) -> None:
        """What it came for. May raise OSError, where the node cuts the line meanwhile."""

    def strike(self) -> None:
        try:
            who = Intruder(self.target, anywhere(self.luck), role=self.role, features=self.features)
        except Refused:
            self.counts["refused"] += 1
            return
        try:
            self.offend(who)
        except OSError:
            self.counts["cut"] += 1
            who.close()
            return
        self.counts["sessions"] += 1
        self._held.append(who)
        if len(self._held) > self.held_most:
            self._held.popleft().close()


def opening(channel: int, *, stream: bool = False, label: bytes = b"", extender: UUID = ECHO) -> bytes:
    """A CH_OPEN frame."""
    return frames.frame(frames.CH_OPEN, frames.ChannelOpen(extender, stream, 2, label).encode(), channel)


def message(channel: int, data: bytes, flags: int = frames.WHOLE) -> bytes:
    """A whole message."""
    return frames.frame(frames.MSG, frames.U32.pack(len(data)) + data, channel, flags)
