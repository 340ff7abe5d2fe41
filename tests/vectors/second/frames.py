"""Frames in a body, their types, and payloads in pieces (records.md sections 3 and 4, frames.md).

Not for what channels and messages make of them: channels.py.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from .octets import Reader, require, u

PING, PONG, CLOSE = 0x02, 0x03, 0x04
CH_OPEN, CH_ACCEPT, CH_RESET, MSG, WINDOW = 0x10, 0x11, 0x12, 0x13, 0x14
REKEY_REQ, REKEY_RSP, KEY_SWITCH, SESSION, EXT_UPDATE = 0x20, 0x21, 0x22, 0x30, 0x31
FRAMES_MAX = 4096
PAYLOAD_OCTETS_MAX = 65_536
FIRST, LAST, COMPRESSED, FIN = 1, 2, 4, 8


class Form(NamedTuple):
    """What the table of frames.md says of a type."""

    name: str
    least: int
    most: int
    has_channel: bool = False
    flags: int = 0


LONG = FIRST | LAST
ANY = 2**24
FORMS = {
    PING: Form("PING", 8, 8), PONG: Form("PONG", 8, 8), CLOSE: Form("CLOSE", 2, 258),
    CH_OPEN: Form("CH_OPEN", 18, 82, True), CH_ACCEPT: Form("CH_ACCEPT", 0, 0, True),
    CH_RESET: Form("CH_RESET", 2, 130, True), MSG: Form("MSG", 0, ANY, True, 15), WINDOW: Form("WINDOW", 8, 8, True),
    REKEY_REQ: Form("REKEY_REQ", 0, ANY, flags=LONG), REKEY_RSP: Form("REKEY_RSP", 0, ANY, flags=LONG),
    KEY_SWITCH: Form("KEY_SWITCH", 0, 0), SESSION: Form("SESSION", 0, ANY, flags=LONG),
    EXT_UPDATE: Form("EXT_UPDATE", 0, ANY, flags=LONG)}


@dataclass(frozen=True)
class Frame:
    """One frame."""

    kind: int
    data: bytes = b""
    channel: int = 0
    flags: int = 0

    @property
    def name(self) -> str:
        """The name of its type."""
        return FORMS[self.kind].name

    def encode(self) -> bytes:
        """As octets."""
        return u(1, self.kind) + u(3, self.channel) + u(1, self.flags) + u(3, len(self.data)) + self.data

    def check(self) -> None:
        """Refuse what no type allows."""
        require(self.kind in FORMS, "malformed", f"type {self.kind:#x}")
        form = FORMS[self.kind]
        require(form.least <= len(self.data) <= form.most, "malformed", f"{form.name} of {len(self.data)} octets")
        require(self.flags & ~form.flags == 0, "malformed", f"{form.name} with flags {self.flags}")
        if self.kind != MSG:
            require((self.channel != 0) == form.has_channel, "malformed", f"{form.name} on channel {self.channel}")
        if self.kind == CH_OPEN:
            require(self.data[16] in (1, 2) and self.data[17] in (1, 2, 3), "malformed", "CH_OPEN")


def read_frames(body: bytes) -> list[Frame]:
    """The frames of a body; what is behind a type of 00 is padding."""
    reader, frames = Reader(body, "malformed"), []
    while reader.left and body[reader.at] != 0:
        kind, channel, flags = reader.u(1), reader.u(3), reader.u(1)
        frame = Frame(kind, reader.take(reader.u(3)), channel, flags)
        frame.check()
        frames.append(frame)
        require(len(frames) <= FRAMES_MAX, "malformed", "too many frames")
        require(kind != KEY_SWITCH or not reader.left or body[reader.at] == 0, "malformed", "behind KEY_SWITCH")
    return frames


class Pieces:
    """Payloads that come in pieces, one of each type at a time, in one direction."""

    def __init__(self) -> None:
        self._partial: dict[int, bytes] = {}

    def take(self, frame: Frame) -> bytes | None:
        """The whole payload with its last piece."""
        kind, first, last = frame.kind, bool(frame.flags & FIRST), bool(frame.flags & LAST)
        require(first == (kind not in self._partial), "malformed", f"{frame.name}: first piece")
        require(last or frame.data != b"", "malformed", f"{frame.name}: an empty piece")
        payload = self._partial.pop(kind, b"") + frame.data
        require(len(payload) <= PAYLOAD_OCTETS_MAX, "malformed", f"{frame.name}: too long")
        if last:
            return payload
        self._partial[kind] = payload
        return None


def in_pieces(kind: int, payload: bytes, piece_octets: int = 4096) -> list[Frame]:
    """A payload as its sender cuts it."""
    cuts = [payload[at:at + piece_octets] for at in range(0, len(payload), piece_octets)] or [b""]
    ends = len(cuts) - 1
    return [Frame(kind, cut, flags=FIRST * (at == 0) | LAST * (at == ends)) for at, cut in enumerate(cuts)]
