"""Makes scripts: from nothing, by the frames' own grammar, and from other scripts, by changing one thing or several.

Fast rather than clever: which of them are worth keeping is found out by ``guide.py``.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from uuid import UUID

from quantumgate.ids import PeerUUID
from quantumgate.wire import frames, link_frames
from quantumgate.wire.compressed import deflate
from quantumgate.wire.link_frames import LinkEndpoint, LinkTarget
from tests.fuzz.linked import RECORD_TARGET
from tests.fuzz.script import MAX_STEPS, Kind, Option, Script, Step

ODD_NUMBERS = (0, 1, 2, 3, 4, 7, 8, 15, 16, 63, 64, 65, 127, 128, 255, 256, 1000, 4096, 16_348, 16_384, 65_535, 65_536)
FRAME_TYPES = (0, 1, 2, 3, 4, 0x10, 0x11, 0x12, 0x13, 0x14, 0x20, 0x21, 0x22, 0x30, 0x31, 0x7F, 0xFE)
FRAME_TYPES += (0x40, 0x41, 0x42, 0x42, 0x43, 0x44, 0x47)
COMMON_TYPES = (0x10, 0x13, 0x13, 0x13, 0x14, 0x11, 0x12)
EXTENDERS = tuple(bytes([n]) * 16 for n in range(4))
ZEROS = bytes(70_000)
LINK_TARGET = LinkTarget(
    PeerUUID(UUID("00000000-0000-8000-8000-000000000001")),
    (LinkEndpoint("192.0.2.1", 4711), LinkEndpoint("2001:db8::1", 80), LinkEndpoint("relay.example", 443)),
).encode()
SPLIT_MOST = 100
"""A body of padding is not taken apart into thousands of empty frames."""


class Mutator:
    """One seeded source of scripts; ``session_block`` is a valid SESSION payload to start from."""

    def __init__(self, luck: random.Random, session_block: bytes) -> None:
        self.luck, self.session_block = luck, session_block
        self.parity = 1
        self.changes: tuple[Callable[[Script], None], ...] = (
            self._insert, self._insert, self._delete, self._repeat, self._swap, self._numbers, self._numbers,
            self._body, self._body, self._body, self._body,
        )  # fmt: skip

    # -- scripts -------------------------------------------------------------------------------------------------

    def fresh(self) -> Script:
        """Options, mostly some channels that were opened as they should be, then whatever comes."""
        luck = self.luck
        options = Step(Kind.OPTIONS, self._options())
        self._aim(options)
        script = [options]
        if luck.random() < 0.8:
            kinds = [luck.choice((1, 1, 2)) for _ in range(luck.randint(1, 4))]
            opens = (self.opening(self.parity + 2 * at, kind) for at, kind in enumerate(kinds))
            script.append(Step(Kind.RECORD, 0, 0, b"".join(opens)))
        return script + [self.step() for _ in range(luck.randint(1, 6))]

    def _options(self) -> int:
        """The common ones at random, the rare ones one at a time."""
        luck = self.luck
        rare = luck.choice((0, 0, 0, 1 << luck.randrange(6, 14)))
        return luck.getrandbits(6) | rare | (rare >> 6 & 1)

    def _aim(self, options: Step) -> None:
        """The peer of an initiator opens even channels."""
        self.parity = 2 if options.kind == Kind.OPTIONS and options.a & Option.INITIATOR else 1

    def opening(self, channel: int, kind: int) -> bytes:
        data = self.luck.choice(EXTENDERS) + bytes((kind, self.luck.randint(1, 3)))
        return frames.frame(frames.CH_OPEN, data, channel)

    def changed(self, script: Sequence[Step], other: Sequence[Step]) -> Script:
        """A copy of ``script`` with one to four changes, now and then continued by a part of ``other``."""
        luck, result = self.luck, list(script)
        if script:
            self._aim(script[0])
        if luck.random() < 0.1:
            result = result[: luck.randint(0, len(result))] + list(other[luck.randint(0, len(other)) :])
        for _ in range(luck.choice((1, 1, 2, 4))):
            luck.choice(self.changes)(result)
        return result[:MAX_STEPS]

    def _insert(self, script: Script) -> None:
        script.insert(self.luck.randint(0, len(script)), self.step())

    def _delete(self, script: Script) -> None:
        if len(script) > 1:
            del script[self.luck.randrange(len(script))]

    def _repeat(self, script: Script) -> None:
        if script:
            script.insert(self.luck.randint(0, len(script)), self.luck.choice(script))

    def _swap(self, script: Script) -> None:
        if len(script) > 1:
            one, two = self.luck.randrange(len(script)), self.luck.randrange(len(script))
            script[one], script[two] = script[two], script[one]

    def _numbers(self, script: Script) -> None:
        if script:
            at = self.luck.randrange(len(script))
            step = script[at]
            number = self.number()
            script[at] = step._replace(a=number) if self.luck.random() < 0.5 else step._replace(b=number)

    def _body(self, script: Script) -> None:
        records = [at for at, step in enumerate(script) if step.data]
        if records:
            at = self.luck.choice(records)
            script[at] = script[at]._replace(data=self.body_changed(script[at].data))

    def step(self) -> Step:
        luck = self.luck
        if luck.random() < 0.6:
            return Step(Kind.RECORD, 0 if luck.random() < 0.8 else self.number(), 0, self.body())
        kind = Kind(luck.randrange(len(Kind)))
        data = self.body() if kind in (Kind.RECORD, Kind.GARBAGE, Kind.FLIPPED, Kind.CUT) else b""
        return Step(kind, self.number(), self.number(), data)

    def number(self) -> int:
        luck = self.luck
        return luck.choice(ODD_NUMBERS) if luck.random() < 0.6 else luck.getrandbits(luck.choice((2, 4, 8, 17)))

    # -- bodies --------------------------------------------------------------------------------------------------

    def body(self) -> bytes:
        return b"".join(self.frame() for _ in range(self.luck.choice((1, 1, 2, 3, 6))))

    def body_changed(self, body: bytes) -> bytes:
        luck = self.luck
        parts = split_frames(body)
        at = luck.randrange(len(parts))
        way = luck.randrange(6)
        if way == 0:
            parts.insert(at, self.frame())
        elif way == 1:
            parts.insert(at, luck.choice(parts))
        elif way == 2 and len(parts) > 1:
            del parts[at]
        else:
            parts[at] = self.bytes_changed(parts[at]) if way > 3 else self.head_changed(parts[at])
        return b"".join(parts)

    def head_changed(self, part: bytes) -> bytes:
        """Another type, channel or flags, or a length that lies."""
        if len(part) < 8:
            return part + self.frame()
        kind, flags = frames.HEAD.unpack_from(part)
        way = self.luck.randrange(4)
        if way == 0:
            kind = kind & 0xFFFFFF | self.luck.choice(FRAME_TYPES) << 24
        elif way == 1:
            kind = kind & 0xFF000000 | self.channel()
        elif way == 2:
            flags = flags & 0xFFFFFF | self.luck.randrange(16) << 24
        else:
            flags = flags & 0xFF000000 | (flags + self.luck.choice((-1, 1, 4, 1000))) & 0xFFFFFF
        return frames.HEAD.pack(kind, flags) + part[8:]

    def bytes_changed(self, part: bytes) -> bytes:
        luck, copy = self.luck, bytearray(part)
        for _ in range(luck.choice((1, 1, 2, 8))):
            at = luck.randint(0, len(copy))
            way = luck.randrange(4)
            if way == 0 or at == len(copy):
                copy[at:at] = luck.randbytes(luck.choice((1, 1, 2, 4, 16)))
            elif way == 1:
                del copy[at : at + luck.choice((1, 1, 2, 4, 16))]
            elif way == 2:
                copy[at] ^= 1 << luck.randrange(8)
            else:
                copy[at] = luck.choice((0, 1, 0x7F, 0x80, 0xFF))
        return bytes(copy)

    # -- frames --------------------------------------------------------------------------------------------------

    def channel(self) -> int:
        """Mostly one of the peer's first four channels, else one of the session's own, or none at all."""
        luck = self.luck
        way = luck.random()
        if way < 0.05:
            return luck.choice((0, 0xFFFFFF, 0xFFFFFE))
        return luck.randrange(4) * 2 + (self.parity if way < 0.7 else 3 - self.parity)

    def frame(self) -> bytes:
        luck = self.luck
        kind = luck.choice(FRAME_TYPES if luck.random() < 0.3 else COMMON_TYPES)
        if kind in (0x13, 0x10, 0x11, 0x12, 0x14):
            return frames.frame(kind, *self.channel_frame(kind))
        if kind in link_frames.LINK_TYPES:
            flags = frames.WHOLE if kind == link_frames.LINK_CREATE and luck.random() < 0.9 else 0
            return frames.frame(kind, self.link_data(kind), self.channel(), flags)
        flags = 3 if kind in frames.LONG_TYPES else 0
        return frames.frame(kind, self.control_data(kind), 0, flags)

    def link_data(self, kind: int) -> bytes:
        luck = self.luck
        if kind == link_frames.LINK_CREATE:
            target = RECORD_TARGET if luck.random() < 0.2 else LINK_TARGET
            return target if luck.random() < 0.7 else self.bytes_changed(target)
        if kind == link_frames.LINK_STATUS:
            return link_frames.encode_status(luck.choice((1, 1, 1, 2, 5, 77))) + luck.choice((b"", b"", b"", b"x"))
        if kind == link_frames.LINK_DATA:
            return ZEROS[: luck.choice((0, 1, 100, 5000, 16_000, 40_000))]
        if kind == link_frames.LINK_WINDOW:
            return luck.choice((0, 1, 70_000, 1 << 20, 1 << 22, 1 << 62)).to_bytes(8, "big")
        return bytes((luck.randrange(12),)) * (kind == link_frames.LINK_CLOSE) * luck.choice((1, 1, 1, 2))

    def channel_frame(self, kind: int) -> tuple[bytes, int, int]:
        luck, channel = self.luck, self.channel()
        if kind == 0x13:
            data, flags = self.message()
            return data, channel, flags
        if kind == 0x10:
            label = b"" if luck.random() < 0.7 else luck.randbytes(luck.choice((1, 64, 65)))
            return luck.choice(EXTENDERS) + bytes((luck.choice((1, 1, 2, 2, 0)), luck.randrange(5))) + label, channel, 0
        if kind == 0x12:
            code = luck.choice((0, 1, 4, 0x8001)).to_bytes(2, "big")
            return code + ZEROS[: luck.choice((0, 3, 128, 129))], channel, 0
        if kind == 0x14:
            return luck.choice((0, 65_536, 80_000, 1 << 22, (1 << 64) - 1)).to_bytes(8, "big"), channel, 0
        return b"", channel, 0

    def message(self) -> tuple[bytes, int]:
        luck = self.luck
        common = luck.random() < 0.85
        size = luck.choice((0, 1, 5, 100, 1000, 5000) if common else (16_000, 16_000, 40_000, 65_536, 65_537))
        data, way = ZEROS[:size], luck.random()
        if way < 0.5:
            return size.to_bytes(4, "big") + data, 3
        if way < 0.65:
            return (size + luck.choice((0, 1, 100, 1 << 20, 1 << 21))).to_bytes(4, "big") + data, 1
        if way < 0.8:
            return data, luck.choice((0, 2, 8))
        if way < 0.9:
            return self.compressed(), 7
        return data, luck.randrange(16)

    def compressed(self) -> bytes:
        """u32 total, then a message in its compressed form, now and then with a length that lies or a byte changed."""
        luck = self.luck
        wire = bytearray(deflate(ZEROS[: luck.choice((200, 1000, 5000, 60_000))]) or b"")
        way = luck.random()
        if way < 0.2:
            wire[:4] = luck.choice((0, 1, 999, 1 << 20, (1 << 20) + 1, 1 << 30)).to_bytes(4, "big")
        elif way < 0.35:
            wire[4:8] = luck.choice((0, 1, len(wire), 1 << 31)).to_bytes(4, "big")
        elif way < 0.5:
            wire[luck.randrange(len(wire))] ^= 1 << luck.randrange(8)
        return len(wire).to_bytes(4, "big") + wire

    def control_data(self, kind: int) -> bytes:
        luck = self.luck
        if kind == frames.SESSION:
            return self.session_changed() if luck.random() < 0.7 else self.bytes_changed(self.session_block)
        if kind == frames.EXT_UPDATE:
            return b"".join(luck.sample(EXTENDERS, luck.randrange(4)))
        if kind in (frames.PING, frames.PONG):
            return luck.getrandbits(64).to_bytes(8, "big")
        if kind == frames.CLOSE:
            return luck.randrange(14).to_bytes(2, "big") + ZEROS[: luck.choice((0, 1, 256, 257))]
        return ZEROS[: luck.choice((0, 0, 1, 8, 100))]


    def session_changed(self) -> bytes:
        """The SESSION block without some of its entries, or with other numbers in them."""
        luck, parts, at = self.luck, [], 0
        while at < len(self.session_block):
            size = int.from_bytes(self.session_block[at + 1 : at + 4], "big")
            entry = self.session_block[at : at + 4 + size]
            at += 4 + size
            if luck.random() < 0.1:
                continue
            if luck.random() < 0.1 and size:
                entry = entry[:4] + (self.number() % (1 << 8 * size)).to_bytes(size, "big")
            parts.append(entry)
        if luck.random() < 0.2:
            kind, size = luck.choice(((0x4C, 9), (0x4D, 1), (0x4E, 8), (0x4F, 8), (0x50, 32), (0x51, 48), (0x7F, 3)))
            parts.append(bytes((kind, 0, 0, size)) + luck.choice((bytes((size - 1)), ZEROS)) [: size - 1] + b"\x01")
        return b"".join(parts)


def split_frames(body: bytes) -> list[bytes]:
    """The body's frames as far as it has any; the rest, or an empty part, is the last."""
    parts, at = [], 0
    while len(body) - at >= 8 and len(parts) < SPLIT_MOST:
        end = at + 8 + (int.from_bytes(body[at + 4 : at + 8], "big") & 0xFFFFFF)
        if end > len(body):
            break
        parts.append(body[at:end])
        at = end
    if at < len(body) or not parts:
        parts.append(body[at:])
    return parts
