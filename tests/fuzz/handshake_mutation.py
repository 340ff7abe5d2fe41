"""Makes scripts for handshakes: from nothing, by the grammar of messages, and by changing others.

Not for: which of them are worth keeping (``guide.py``), sessions (``mutation.py``).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from quantumgate.wire import frames
from quantumgate.wire.messages import Exchange, Fin, Init, KeyShare, Lists, Proof, Puzzle, Refuse, Retry, Select
from quantumgate.wire.writer import tlv
from tests.fuzz.handshake import SESSION, Act, Setup
from tests.fuzz.mutation import ODD_NUMBERS, Mutator
from tests.fuzz.peer import EXTRA, OURS
from tests.fuzz.script import MAX_STEPS, Script, Step

DIALLERS = (Act.INIT, Act.FIN)
LISTENERS = (Act.RESP, Act.RETRY, Act.REFUSE, Act.PROOF)
DISTURBANCES = (
    Act.HEADER, Act.RAW, Act.FLIPPED, Act.CUT, Act.PIECES, Act.AGAIN, Act.RECORD, Act.TIME, Act.EOF, Act.HOLD,
    Act.ANSWER, Act.CLOSE,
)  # fmt: skip
TLV_TYPES = (0, 1, 2, 3, 6, 7, 8, 9, 0x0A, 0x0B, 0x0C, 0x11, 0x20, 0x21, 0x22, 0x23, 0x24, 0x30, 0x80, 0x81, 0xFF)
TIMES_MS = (1, 1000, 2000, 10_000, 21_000, 40_000, 61_000, 600_000)
SESSION_BYTES = SESSION.block().encode()
_SHARE, _KEY = KeyShare(1, bytes(32)), KeyShare(1, bytes(1184))
_SELECT = Select(1, 1, 1)
TEMPLATES: dict[int, tuple[bytes, ...]] = {
    Act.INIT: (Init(Lists((1, 2), (1, 2), (1, 2)), _SHARE, _KEY, bytes(48)).encode(10),),
    Act.RESP: (Exchange(_SHARE, KeyShare(1, bytes(1088)), _SELECT).encode(),),
    Act.PROOF: (Proof(OURS.public.bundle, bytes(64), bytes(64)).encode(10),),
    Act.FIN: (
        Fin(1, OURS.public.bundle, bytes(64), bytes(64), SESSION_BYTES).encode(10),
        Fin(1, b"", b"", bytes(64), SESSION_BYTES).encode(10),
    ),
    Act.RETRY: (Retry(_SELECT).encode(10), Retry(_SELECT, Puzzle(bytes(32), 2)).encode(10)),
    Act.REFUSE: (Refuse(1, 30, 1_700_000_000).encode(40),),
}


class HandshakeMutator:
    """One seeded source of scripts."""

    def __init__(self, luck: random.Random) -> None:
        self.luck = luck
        self.records = Mutator(luck, SESSION_BYTES)
        self.changes: tuple[Callable[[Script], None], ...] = (
            self._insert, self._insert, self._delete, self._repeat, self._swap, self._shape, self._shape, self._shape,
            self._spoil, self._spoil, self._content, self._content, self._setup,
        )  # fmt: skip

    # -- scripts -------------------------------------------------------------------------------------------------

    def fresh(self) -> Script:
        """A side, mostly what its peer should say in order, and something that disturbs it."""
        luck = self.luck
        setup = Step(Act.SETUP, self._few_bits(18))
        course = [Act.RESP] if setup.a & Setup.INITIATOR else [Act.INIT, Act.FIN]
        if luck.random() < 0.25:
            course.insert(0, Act.RETRY if setup.a & Setup.INITIATOR else Act.INIT)
        script = [setup, *(self.message(kind) for kind in course)]
        if luck.random() < 0.5:
            script.append(Step(Act.RECORD, 0, 0, self.record()))
        for _ in range(luck.choice((0, 1, 1, 2))):
            script.insert(luck.randint(1, len(script)), self.step())
        return script

    def changed(self, script: Sequence[Step], other: Sequence[Step]) -> Script:
        """A copy with one to four changes, now and then continued by a part of ``other``."""
        luck, result = self.luck, list(script)
        if luck.random() < 0.1:
            result = result[: luck.randint(0, len(result))] + list(other[luck.randint(0, len(other)) :])
        for _ in range(luck.choice((1, 1, 2, 4))):
            luck.choice(self.changes)(result)
        return result[:MAX_STEPS]

    def _few_bits(self, width: int) -> int:
        """A number with 0 to 3 of its bits set."""
        number = 0
        for _ in range(self.luck.choice((0, 1, 1, 2, 3))):
            number |= 1 << self.luck.randrange(width)
        return number

    def _insert(self, script: Script) -> None:
        script.insert(self.luck.randint(1, len(script)) if script else 0, self.step())

    def _delete(self, script: Script) -> None:
        if len(script) > 1:
            del script[self.luck.randrange(1, len(script))]

    def _repeat(self, script: Script) -> None:
        if script:
            script.insert(self.luck.randint(1, len(script)), self.luck.choice(script))

    def _swap(self, script: Script) -> None:
        if len(script) > 2:
            one, two = self.luck.randrange(1, len(script)), self.luck.randrange(1, len(script))
            script[one], script[two] = script[two], script[one]

    def _setup(self, script: Script) -> None:
        if script:
            script[0] = Step(Act.SETUP, script[0].a ^ self._few_bits(18))

    def _shape(self, script: Script) -> None:
        if script:
            at = self.luck.randrange(len(script))
            script[at] = script[at]._replace(a=script[at].a ^ self._few_bits(23))

    def _spoil(self, script: Script) -> None:
        if script:
            at = self.luck.randrange(len(script))
            script[at] = script[at]._replace(b=self.luck.choice((0, self.luck.getrandbits(10), self.number())))

    def _content(self, script: Script) -> None:
        if script:
            at = self.luck.randrange(len(script))
            step = script[at]
            kind = step.kind % len(Act)
            data = self.tlvs_changed(step.data) if step.data and kind in TEMPLATES else self.content(kind)
            script[at] = step._replace(data=data)

    # -- steps ---------------------------------------------------------------------------------------------------

    def step(self) -> Step:
        luck = self.luck
        kind = luck.choice((*DIALLERS, *LISTENERS) if luck.random() < 0.4 else DISTURBANCES)
        if kind in TEMPLATES:
            return self.message(kind)
        if kind == Act.TIME:
            return Step(kind, luck.choice(TIMES_MS))
        data = self.content(kind) if kind in (Act.RAW, Act.RECORD) or luck.random() < 0.2 else b""
        return Step(kind, self.number(), luck.getrandbits(8), data)

    def message(self, kind: int) -> Step:
        luck = self.luck
        spoil = luck.getrandbits(11) if luck.random() < 0.1 else 0
        data = self.content(kind) if luck.random() < 0.25 else b""
        shape = self._few_bits(23)
        if data and luck.random() < 0.3:
            shape |= EXTRA
        return Step(kind, shape, spoil, data)

    def number(self) -> int:
        luck = self.luck
        return luck.choice(ODD_NUMBERS) if luck.random() < 0.5 else luck.getrandbits(luck.choice((2, 4, 8, 13)))

    def content(self, kind: int) -> bytes:
        luck = self.luck
        if kind == Act.RECORD:
            return self.record()
        if kind == Act.FIN and luck.random() < 0.4:
            return self.session()
        if kind in TEMPLATES:
            if luck.random() < 0.2:
                return tlv(luck.choice(TLV_TYPES), bytes(luck.choice((0, 1, 4, 100))))
            return self.tlvs_changed(luck.choice(TEMPLATES[kind]))
        return luck.randbytes(luck.choice((1, 16, 32, 64, 300, 2000)))

    def record(self) -> bytes:
        """Frames; mostly SESSION first, which a dialler waits for."""
        first = frames.frame(frames.SESSION, self.session(), flags=frames.WHOLE)
        return first if self.luck.random() < 0.7 else self.records.body()

    def session(self) -> bytes:
        way = self.luck.random()
        if way < 0.3:
            return SESSION_BYTES
        return self.records.session_changed() if way < 0.8 else self.records.bytes_changed(SESSION_BYTES)

    def tlvs_changed(self, body: bytes) -> bytes:
        """One TLV repeated, left out, moved, of another type or length, or bytes of it changed."""
        luck, parts = self.luck, split_tlvs(body)
        at, way = luck.randrange(len(parts)), luck.randrange(8)
        if way == 0:
            parts.insert(at, luck.choice(parts))
        elif way == 1 and len(parts) > 1:
            del parts[at]
        elif way == 2:
            parts.insert(at, tlv(luck.choice(TLV_TYPES), bytes(luck.choice((0, 1, 2, 64)))))
        elif way == 3 and parts[at]:
            parts[at] = bytes((luck.choice(TLV_TYPES),)) + parts[at][1:]
        elif way == 4 and len(parts[at]) > 4:
            value = parts[at][4:]
            value = value[: luck.randint(0, len(value))] if luck.random() < 0.5 else value + luck.randbytes(2)
            parts[at] = tlv(parts[at][0], value)
        else:
            parts[at] = self.records.bytes_changed(parts[at])
        return b"".join(parts)


def split_tlvs(body: bytes) -> list[bytes]:
    """The TLVs as far as there are any; the rest, or an empty part, is the last."""
    parts, at = [], 0
    while len(body) - at >= 4:
        end = at + 4 + int.from_bytes(body[at + 1 : at + 4], "big")
        if end > len(body):
            break
        parts.append(body[at:end])
        at = end
    if at < len(body) or not parts:
        parts.append(body[at:])
    return parts
