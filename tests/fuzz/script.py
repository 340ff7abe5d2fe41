"""Scripts: what a fuzzed peer sends and what the session's own side does meanwhile, as steps with a byte form.

Every byte string decodes to a script, so that any fuzzer can drive it. Not for: running them (``target.py``).
"""

from __future__ import annotations

import struct
from enum import IntEnum, IntFlag
from typing import NamedTuple

_STEP = struct.Struct(">BIII")
MAX_STEPS = 40


class Kind(IntEnum):
    """What a step does. The peer's steps come first; ``a`` and ``b`` are their numbers, ``data`` their bytes."""

    RECORD = 0  # data = a body to seal; a = bytes a piece (0: whole); b = zero bytes of padding behind it
    GARBAGE = 1  # data as it is, unsealed
    FLIPPED = 2  # as RECORD, with bit a of the sealed record flipped
    CUT = 3  # as RECORD, without its last b bytes
    REKEY_REQUEST = 4  # a true one, signed; a = byte of the payload to change after signing + 1, b = epochs ahead
    REKEY_ANSWER = 5  # to the session's own request; a as above
    SWITCH = 6  # KEY_SWITCH and the next key
    EOF = 7
    TIME = 8  # a milliseconds pass, with every deadline in between
    DRAIN = 9  # take the output, the peer reads it; a > 0: take only a bytes of what is next
    HOLD_OUTPUT = 10  # do not drain by itself from here on (a odd), or do (a even)
    OPEN = 11  # open a channel: a odd = a stream, b = priority
    SEND = 12  # a = which channel, b = bytes (odd: of a pattern; 3 modulo 4: that does not compress); a stream: write
    FINISH = 13
    RESET = 14
    CONSUME = 15  # a = which channel, b = bytes; a message channel: release
    MANNERS = 16  # of the guest: a & 1 busy, & 2 does not accept, & 4 resets, & 8 sends in its hooks; more: linked.py
    PING = 17  # a odd: urgently
    REKEY = 18
    CLOSE = 19  # a odd = graceful, b = code
    EXTENDERS = 20  # a = how many
    OPTIONS = 21  # only as the first step; a = bits of Option
    PONG = 22  # the true answer to the last PING
    KEEP = 23  # a odd = an idle session is held open
    EXPORT = 24  # a = bytes
    LINK = 25  # a odd = ask for one, else bring one
    LINK_FEED = 26  # a = which link, b = bytes to send on it
    LINK_END = 27  # a = which, b odd = after what is queued, & 2 = at once, else answered
    LINK_JOIN = 28  # a, b = which two
    PATH = 29  # choose a hops; b = bits of what is wished


class Option(IntFlag):
    """What kind of session the script is run against; none = a responder with defaults and an identified peer."""

    INITIATOR = 1
    ANONYMOUS = 2  # the initiator has no identity
    UNPADDED = 4
    UNCOMPRESSED = 8
    TIGHT = 16  # small limits, so that they are reached
    CHACHA = 32
    OPENING = 64  # an initiator's session that has not seen SESSION yet
    CROWDED = 128  # so many buffers are lent that nobody keeps a whole one
    RICH = 256  # all optional fields stand in the own SESSION
    LARGE = 512  # a node's pool from which windows grow and messages are lent
    STRICT = 1024  # a few seconds are all that anything takes; no opening of channels waits
    CLIENT = 2048  # the initiator comes as a relay's client
    CARRIER = 4096  # the initiator comes as a relay that brings links
    CELLS = 8192  # it runs in cells, over a link


class Step(NamedTuple):
    kind: int
    a: int = 0
    b: int = 0
    data: bytes = b""


Script = list[Step]


def encode(script: Script) -> bytes:
    return b"".join(_STEP.pack(step.kind, step.a, step.b, len(step.data)) + step.data for step in script)


def decode(raw: bytes) -> Script:
    """Total: kinds wrap, data is cut at the end of ``raw``, what is no whole step any more is left away."""
    script: Script = []
    at = 0
    while len(raw) - at >= _STEP.size and len(script) < MAX_STEPS:
        kind, a, b, size = _STEP.unpack_from(raw, at)
        at += _STEP.size
        script.append(Step(kind % len(Kind), a, b, raw[at : at + size]))
        at += size
    return script
