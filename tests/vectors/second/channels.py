"""What both sides say to each other: phases, channels, credit, PING, CLOSE (session.md, channels.md, frames.md).

One Dialogue hears both directions and judges either sender alike; it knows nothing of records and keys. Not for times,
budgets and re-keys.
"""
from __future__ import annotations

from dataclasses import dataclass, field

from . import frames
from .frames import FIN, Frame, Pieces
from .messages import MALFORMED, VIOLATION, Parts
from .octets import Reader, require
from .session import Block

OTHER = {"I": "R", "R": "I"}
MESSAGES, STREAM = 1, 2
MESSAGE_CREDIT_OCTETS = 128
LEAST_WINDOW = 65_536
READY_I = {frames.PING, frames.PONG, frames.CLOSE, frames.CH_OPEN, frames.CH_ACCEPT, frames.CH_RESET, frames.MSG,
           frames.WINDOW, frames.REKEY_REQ, frames.REKEY_RSP, frames.KEY_SWITCH, frames.EXT_UPDATE}


@dataclass
class Direction:
    """One direction of a channel in which data may flow."""

    limit: int
    sent: int = 0
    fin: bool = False

    def charge(self, cost: int) -> None:
        """Data went this way."""
        require(not self.fin, VIOLATION, "MSG behind fin")
        self.sent += cost
        require(self.sent <= self.limit, VIOLATION, "beyond the credit")


@dataclass
class Channel:
    """One channel; `ways` by sender."""

    opener: str
    kind: int
    extender: bytes
    ways: dict[str, Direction]
    parts: Parts
    accepted: bool = False
    over: bool = False


@dataclass
class Delivered:
    """A whole message, or all bytes of one direction of a stream, in the order in which they began to arrive."""

    to: str
    channel: int
    kind: str
    data: bytes


@dataclass
class Dialogue:
    """Everything that is said in a session."""

    blocks: dict[str, Block]
    channels: dict[int, Channel] = field(default_factory=dict)
    highest: dict[str, int] = field(default_factory=lambda: {"I": 0, "R": 0})
    pieces: dict[str, Pieces] = field(default_factory=lambda: {"I": Pieces(), "R": Pieces()})
    pinged: dict[str, bytes] = field(default_factory=dict)
    closed: dict[str, int] = field(default_factory=dict)
    delivered: list[Delivered] = field(default_factory=list)

    def take(self, sender: str, frame: Frame) -> bytes | None:
        """One frame; gives the payload of a long control message when it is whole."""
        require(sender not in self.closed, MALFORMED, "something behind CLOSE")
        self._check_phase(sender, frame.kind)
        if frames.FORMS[frame.kind].flags == frames.LONG:
            return self._take_long(sender, frame)
        if frame.kind == frames.CH_OPEN:
            self._open(sender, frame)
        elif frames.FORMS[frame.kind].has_channel:
            self._on_channel(sender, frame)
        elif frame.kind == frames.PING:
            self.pinged[sender] = frame.data
        elif frame.kind == frames.PONG and self.pinged.get(OTHER[sender]) == frame.data:
            del self.pinged[OTHER[sender]]
        elif frame.kind == frames.CLOSE:
            self.closed[sender] = int.from_bytes(frame.data[:2], "big")
        return None

    def _check_phase(self, sender: str, kind: int) -> None:
        """I is READY with R's SESSION; R when it has sent it. I need not wait for it, except with REKEY_REQ."""
        ready = "R" in self.blocks
        if sender == "R":
            allowed = READY_I if ready else {frames.SESSION, frames.CLOSE}
        else:
            allowed = READY_I - (set() if ready else {frames.REKEY_REQ})
        require(kind in allowed, MALFORMED, f"{frames.FORMS[kind].name} in this phase")

    def _take_long(self, sender: str, frame: Frame) -> bytes | None:
        payload = self.pieces[sender].take(frame)
        if payload is not None and frame.kind == frames.SESSION:
            self.blocks[sender] = Block.decode(payload)
        if payload is not None and frame.kind == frames.EXT_UPDATE:
            entries = [payload[at:at + 16] for at in range(0, len(payload), 16)]
            require(len(payload) % 16 == 0 and len(set(entries)) == len(entries), MALFORMED, "EXT_UPDATE")
            self.blocks[sender].lists["extenders"] = entries
        return payload

    def _window_of(self, side: str) -> int:
        return self.blocks[side].numbers["initial_window"] if side in self.blocks else LEAST_WINDOW

    def _open(self, sender: str, frame: Frame) -> None:
        number, reader = frame.channel, Reader(frame.data, MALFORMED)
        require(number % 2 == (sender == "I") and number > self.highest[sender], VIOLATION, "id of a channel")
        self.highest[sender] = number
        extender, kind = reader.take(16), reader.u(1)
        ways = {side: Direction(self._window_of(OTHER[side])) for side in (OTHER if kind == STREAM else sender)}
        block = self.blocks.get(OTHER[sender], Block())
        parts = Parts(block.numbers["max_message"], b"\0\1" in block.lists["compression"])
        self.channels[number] = Channel(sender, kind, extender, ways, parts)

    def _on_channel(self, sender: str, frame: Frame) -> None:
        owner = "I" if frame.channel % 2 else "R"
        require(0 < frame.channel <= self.highest[owner], VIOLATION, "a channel that was never opened")
        channel = self.channels.get(frame.channel)
        if channel is None or channel.over:
            return
        if frame.kind == frames.CH_ACCEPT:
            require(sender != channel.opener and not channel.accepted, VIOLATION, "CH_ACCEPT")
            channel.accepted = True
        elif frame.kind == frames.CH_RESET:
            channel.over = True
        elif frame.kind == frames.WINDOW:
            require(OTHER[sender] in channel.ways, VIOLATION, "WINDOW of the sender")
            way = channel.ways[OTHER[sender]]
            way.limit = max(way.limit, int.from_bytes(frame.data, "big"))
        else:
            self._on_data(sender, channel, frame)

    def _on_data(self, sender: str, channel: Channel, frame: Frame) -> None:
        require(sender in channel.ways, VIOLATION, "a message of the acceptor")
        require(sender == channel.opener or channel.accepted, VIOLATION, "data before CH_ACCEPT")
        way = channel.ways[sender]
        if channel.kind == STREAM:
            require(frame.flags & ~FIN == 0 and (frame.data != b"" or frame.flags == FIN), MALFORMED, "stream")
            way.charge(len(frame.data))
            self._deliver_stream(sender, frame)
        else:
            first = frame.flags & frames.FIRST != 0
            message = channel.parts.take(frame)
            way.charge(len(frame.data) - 4 + MESSAGE_CREDIT_OCTETS if first else len(frame.data))
            if message is not None:
                self.delivered.append(Delivered(OTHER[sender], frame.channel, "message", message))
        way.fin = frame.flags & FIN != 0
        channel.over = all(one.fin for one in channel.ways.values())

    def _deliver_stream(self, sender: str, frame: Frame) -> None:
        if frame.data == b"":
            return
        for entry in self.delivered:
            if (entry.to, entry.channel) == (OTHER[sender], frame.channel):
                entry.data += frame.data
                return
        self.delivered.append(Delivered(OTHER[sender], frame.channel, "stream", frame.data))
