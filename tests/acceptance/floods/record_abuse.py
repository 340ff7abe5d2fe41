"""Peers with a name that break a rule of records or frames in their first breath, and come again as somebody else.

Rows 14, 15 and 17 of docs/attacks.md, against a real process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import cycle

from quantumgate.wire import frames, link_frames
from tests.acceptance.floods.attacker import Target
from tests.acceptance.floods.intruder import Intruder, Intruders, message, opening
from tests.acceptance.floods.stage import Flood, flooded
from tests.acceptance.report import Figure

HELD = 300
FLOOD = Flood("record_abuse", f"15 sessions a second of peers with a name, each with one offence of 15, {HELD} held")


def _flipped(who: Intruder) -> bytes:
    record = bytearray(who.sealed(frames.frame(frames.PING, bytes(8))))
    record[-1] ^= 1
    return bytes(record)


def _header(length: int) -> Callable[[Intruder], bytes]:
    """A header box that says so many bytes."""

    def made(who: Intruder) -> bytes:
        sealer = who.session._sealer
        sealed: bytes = sealer._key.seal(2 * sealer.records, (length << 8).to_bytes(4, "big"))
        return sealed

    return made


def _frames(*said: bytes) -> Callable[[Intruder], bytes]:
    return lambda who: who.sealed(*said)


OFFENCES: tuple[Callable[[Intruder], bytes], ...] = (
    _flipped, _header(0), _header((1 << 24) - 1), lambda who: bytes(5000),
    _frames(frames.HEAD.pack(frames.PING << 24, 5000) + bytes(8)),
    _frames(*[frames.frame(frames.PONG, bytes(8))] * 5000),
    _frames(frames.frame(0x7F)), _frames(frames.frame(0xFE)), _frames(frames.frame(frames.KEY_SWITCH)),
    _frames(message(1, b"never opened")), _frames(opening(2)), _frames(opening(1), opening(1)),
    _frames(opening(1), message(1, bytes(70_000))), _frames(frames.frame(link_frames.LINK_DATA, bytes(100), 1)),
    _frames(opening(1), frames.frame(frames.MSG, frames.U32.pack((1 << 32) - 1) + bytes(100), 1, frames.FIRST)),
)  # fmt: skip


class RecordAbuse(Intruders):
    """One offence each; nobody reads the answer, and the socket is held."""

    per_second = 15.0
    held_most = HELD

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._offences = cycle(OFFENCES)

    def offend(self, who: Intruder) -> None:
        who.raw(next(self._offences)(who))


attack = RecordAbuse


def figures() -> Iterator[Figure]:
    yield from flooded(FLOOD)
