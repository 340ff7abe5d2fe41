"""Runs a script against a real Connection whose handshake is still to come, as a peer who holds every key there is.

The peer knows UUIDs, network and shared secrets, seals what the script says with the right keys, and signs it. What
must hold: nothing escapes but events, at most one end, no byte from a listener to whom nothing opened, no session with
somebody whose messages were changed under way. Not for: sessions (``target.py``), making scripts
(``handshake_mutation.py``). Spec: docs/spec/handshake.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import IntEnum, IntFlag
from functools import cache
from typing import Any

from quantumgate.core.connection import Connection
from quantumgate.core.events import Closed, Ready, RequestMade
from quantumgate.core.handshake import HandshakeSettings, Initiator, KeyNeeded, Responder, Verdict
from quantumgate.core.handshake.settings import LibraryKeys
from quantumgate.core.overload import Ladder, Turn
from quantumgate.core.puzzle import Search
from quantumgate.core.replay import ReplayWindow
from quantumgate.core.requests import PuzzleNeeded, TurnNeeded
from quantumgate.core.session_settings import SessionSettings
from quantumgate.core.tokens import Holder, TokenMint
from quantumgate.crypto.identity import Identity
from quantumgate.crypto.random import RandomSource
from quantumgate.crypto.secret import Secret
from quantumgate.crypto.suites import SECONDARIES
from quantumgate.errors import LocalError, RemoteProtocolError
from quantumgate.ids import PeerUUID
from quantumgate.wire.codes import CloseCode
from quantumgate.wire.limits import DEFAULT_LIMITS
from tests.fuzz.known_keys import KnownKeys, known_secondary
from tests.fuzz.peer import NOW_MS, START, WALL_OFFSET_SECONDS, Peer, Unreadable
from tests.fuzz.script import Script, Step
from tests.fuzz.target import Broken

MCELIECE = next(group for group, row in SECONDARIES.items() if row.opt_in)


class Act(IntEnum):
    """What a step does; kinds of a script wrap. ``a`` and ``b`` are its numbers, ``data`` its bytes."""

    SETUP = 0  # only as the first step; a = bits of Setup
    INIT = 1  # a = bits of peer.Shape; b = byte of the body to change + 1; data = the body, or what goes behind it
    FIN = 2
    RESP = 3  # the body is BODY2A
    RETRY = 4
    REFUSE = 5
    PROOF = 6  # data = BODY2B of the next RESP, b = a byte of it to change + 1
    HEADER = 7  # of the next message: byte a, exclusive-or b
    RAW = 8  # data as it is
    FLIPPED = 9  # bit a of the next message
    CUT = 10  # the next message without its last a bytes, with data behind it
    PIECES = 11  # from here on a bytes at a time
    AGAIN = 12  # the last message once more
    RECORD = 13  # a sealed record, once there are keys
    TIME = 14  # a milliseconds pass
    EOF = 15
    HOLD = 16  # requests wait from here on (a odd), or are answered (a even)
    ANSWER = 17  # a = how to answer from here on: odd = admitted, else b is the code
    CLOSE = 18


class Setup(IntFlag):
    """Which side is fuzzed and how it is set up; none = a listener with defaults."""

    INITIATOR = 1
    SHARED_SECRET = 2
    PREVIOUS = 4  # an older UUID and an older shared secret are still taken
    UNADDRESSED = 8  # a listener takes them, a dialler knows no UUID
    ANONYMOUS = 16  # a dialler without identity; a listener that requires none
    FLOOR = 32  # fewer algorithms
    PINNED = 64  # the dialler knows the peer's fingerprint
    WRONG_PIN = 128
    SLOW = 256  # the dialler prefers a group with slow keys; a listener accepts one
    NO_BUDGET = 512  # the listener may not answer any more
    PRINTABLE = 1024
    SELF = 2048  # the peer is the fuzzed node itself
    ITSELF = 4096  # the dialler's target is itself
    NOTHING_LEFT = 8192  # the dialler's floor leaves no algorithm
    LIBRARY = 16_384  # fresh keys, not those made once
    QUEUE = 32_768  # the listener has more to do than it likes: INITs wait
    PUZZLES = 65_536  # and more: it asks for puzzles
    TOKENS = 131_072  # it takes every TOKEN of zeros for one of its own


VICTIM, OLD = Identity.generate(1), Identity.generate(1)
SECRET, OLDER = bytes(range(32)), bytes(range(1, 33))
LIMITS = replace(DEFAULT_LIMITS, max_record_bytes=16_384)
SOLVED_BITS = 4
"""Of puzzles that are really solved; to harder ones some answer is given, for a fuzzer has no time."""
SESSION = SessionSettings(limits=LIMITS)


class Luck:
    """A RandomSource that counts."""

    def __init__(self) -> None:
        self.drawn = 0

    def bytes(self, n: int) -> bytes:
        self.drawn += 1
        return self.drawn.to_bytes(4, "big") * (n // 4) + bytes(n % 4)

    def uniform(self, low: float, high: float) -> float:
        return (low + high) / 2

    def below(self, n: int) -> int:
        self.drawn += 1
        return self.drawn * 7919 % n


@cache
def settings(options: int) -> HandshakeSettings:
    psk = Secret(SECRET) if options & Setup.SHARED_SECRET else None
    previous = bool(options & Setup.PREVIOUS)
    floor = frozenset({1}) if options & Setup.FLOOR else None
    if options & Setup.NOTHING_LEFT:
        floor = frozenset()
    slow = bool(options & Setup.SLOW)
    return HandshakeSettings(
        VICTIM,
        psk=psk,
        previous_psk=Secret(OLDER) if previous else None,
        previous_uuid=OLD.public.uuid if previous else None,
        secondaries=(MCELIECE, 1, 2) if slow else (1, 2),
        minimum_primaries=floor,
        minimum_aeads=floor,
        limits=LIMITS,
        allow_unaddressed=bool(options & Setup.UNADDRESSED),
        require_authentication=not options & Setup.ANONYMOUS,
        salt_style="printable6" if options & Setup.PRINTABLE else "uniform",
        keys=LibraryKeys() if options & Setup.LIBRARY else KnownKeys(),
    )


_SETTINGS_BITS = (
    Setup.SHARED_SECRET | Setup.PREVIOUS | Setup.UNADDRESSED | Setup.ANONYMOUS | Setup.FLOOR | Setup.SLOW
    | Setup.PRINTABLE | Setup.NOTHING_LEFT | Setup.LIBRARY
)  # fmt: skip


@dataclass
class Next:
    """What is wrong with the next message, beside its content."""

    header_at: int = 0
    header_xor: int = 0
    flip: int | None = None
    cut: int = 0
    behind: bytes = b""
    proof: Step | None = None


class HandshakeRun:
    """One script, one connection. ``play`` raises Broken, or whatever the core let escape."""

    def __init__(self, script: Script) -> None:
        options = script[0].a if script and script[0].kind % len(Act) == Act.SETUP else 0
        self.script, self.options, self.now = script, options, START
        self.initiator = bool(options & Setup.INITIATOR)
        self.luck: RandomSource = Luck()
        self.next, self.last, self.piece = Next(), b"", 0
        self.holding, self.verdict = False, Verdict(True)
        self.pending: list[Any] = []
        self.closed_events = self.ready_events = 0
        self.damaged = self.unheard = False
        self._begin(settings(options & _SETTINGS_BITS))

    def _begin(self, ours: HandshakeSettings) -> None:
        self.peer = Peer(ours, VICTIM if self.options & Setup.SELF else None, initiator=not self.initiator)
        try:
            handshake = self._dialling(ours) if self.initiator else self._listening(ours)
        except LocalError:
            handshake, self.script = self._listening(settings(0)), []  # nobody dials: nothing to play
        self.connection = Connection(handshake, SESSION, SESSION.block(), self.luck, self.now)
        self.settle()

    def _dialling(self, ours: HandshakeSettings) -> Initiator:
        target: PeerUUID | None = None if self.options & Setup.UNADDRESSED else self.peer.identity.public.uuid
        if self.options & Setup.ITSELF:
            target = VICTIM.public.uuid
        pin = None
        if self.options & (Setup.PINNED | Setup.WRONG_PIN):
            pin = bytes(32) if self.options & Setup.WRONG_PIN else self.peer.identity.public.fingerprint
        return Initiator(
            ours, target=target, pin=pin, session_tlvs=SESSION.block().encode(), role=1,
            anonymous=bool(self.options & Setup.ANONYMOUS), random=self.luck, now=self.now,
            wall_offset_seconds=WALL_OFFSET_SECONDS,
        )  # fmt: skip

    def _listening(self, ours: HandshakeSettings) -> Responder:
        replay = ReplayWindow(b"w" * 32, NOW_MS - 3_600_000, limits=LIMITS)
        if self.options & Setup.NO_BUDGET:
            while replay.may_answer(self.now):
                replay._answers -= 1000
        ladder = Ladder(self.luck, self.now, LIMITS)
        if self.options & (Setup.QUEUE | Setup.PUZZLES):
            ladder._spent = (0.9 if self.options & Setup.PUZZLES else 0.6) * ladder._general
            ladder._bits = SOLVED_BITS
        return Responder(
            ours, replay, random=self.luck, now=self.now, wall_offset_seconds=WALL_OFFSET_SECONDS,
            allow_unaddressed=None, ladder=ladder,
            mint=_Credulous(self.luck, self.now, life_seconds=1.0) if self.options & Setup.TOKENS else None,
        )  # fmt: skip

    # -- playing -------------------------------------------------------------------------------------------------

    def play(self) -> None:
        for step in self.script:
            if self.connection.finished:
                break
            ACTS[step.kind % len(Act)](self, step)
            self.settle()
        self.check()

    def settle(self) -> None:
        """Requests are answered, the output is read, until nothing comes any more."""
        while True:
            self._meet_events()
            data = self.connection.data_to_send(self.now)
            if data is None:
                break
            whole = bytes(data)
            self.connection.taken(len(whole), self.now)
            self._read(whole)
        self._meet_events()

    def _meet_events(self) -> None:
        while (event := self.connection.next_event()) is not None:
            if isinstance(event, RequestMade):
                self.pending.append(event.request)
            self.closed_events += isinstance(event, Closed)
            self.ready_events += isinstance(event, Ready)
            if not self.holding:
                self.answer_pending()

    def answer_pending(self) -> None:
        while self.pending:
            request = self.pending.pop(0)
            self.connection.answer(request, self._value(request), self.now)

    def _value(self, request: Any) -> Any:
        match request:
            case KeyNeeded():
                return known_secondary(request.group, "fuzzed")
            case PuzzleNeeded():
                easy = request.puzzle.bits <= SOLVED_BITS
                return (easy and Search(request.puzzle, request.salt).go_on(10_000)) or bytes(128)
            case TurnNeeded():
                return Turn.GO if self.verdict.admitted else Turn.SILENCE
            case _:
                return self.verdict

    def _read(self, data: bytes) -> None:
        if not self.initiator and not self.peer.opened_something:
            raise Broken(f"a listener said {len(data)} bytes to somebody of whom nothing opened")
        try:
            self.peer.read(data)
        except Unreadable as error:
            if not self.damaged and not self.unheard:
                raise Broken(f"what was said cannot be read: {error}") from error

    def check(self) -> None:
        if self.closed_events > 1:
            raise Broken(f"{self.closed_events} Closed events")
        if self.ready_events > 1:
            raise Broken(f"{self.ready_events} Ready events")
        if self.damaged and self.connection.session is not None:
            raise Broken("a session after a message that was changed under way")

    # -- delivering ----------------------------------------------------------------------------------------------

    def deliver(self, data: bytes) -> None:
        if not self.piece:
            self.connection.receive(data, self.now)
            return
        size = max(self.piece, len(data) // 30, 1)
        for at in range(0, len(data), size):
            self.connection.receive(data[at : at + size], self.now)

    def message(self, data: bytes | None) -> None:
        """One message of the handshake, with whatever was asked for to be wrong with it."""
        if data is None:
            return
        wrong, self.next = self.next, Next()
        self.last = data
        early = self.connection.session is None and not self.pending
        if any(isinstance(request, TurnNeeded) for request in self.pending):
            self.unheard = True  # it says another INIT while the one before is still to be answered
        if wrong.flip is not None:
            changed = bytearray(data)
            changed[wrong.flip // 8 % len(data)] ^= 1 << wrong.flip % 8
            data = bytes(changed)
            self.damaged = self.damaged or early
            self.peer.accepted_inits -= not self.initiator and self.peer.keys is None
        if wrong.cut or wrong.behind:
            data = data[: max(0, len(data) - wrong.cut)] + wrong.behind
            self.unheard = self.unheard or (early and not data)  # the peer goes on as if it had been heard
        self.deliver(data)


class _Credulous(TokenMint):
    """Knows everybody."""

    def holder(self, token: bytes, now: float) -> Holder | None:
        return Holder(OLD.public.uuid, token[:12], self._batches[0]) if not any(token) else None


# -- steps ---------------------------------------------------------------------------------------------------------


def _nothing(run: HandshakeRun, step: Step) -> None:
    """Met at the beginning."""


def _made_by(make: Callable[[Peer, Step, Next], bytes | None]) -> Callable[[HandshakeRun, Step], None]:
    def act(run: HandshakeRun, step: Step) -> None:
        try:
            data = make(run.peer, step, run.next)
        except RemoteProtocolError:
            return  # a share that the library refuses: nothing to send
        run.message(data)

    return act


def _proof(run: HandshakeRun, step: Step) -> None:
    run.next.proof = step


def _header(run: HandshakeRun, step: Step) -> None:
    run.next.header_at, run.next.header_xor = step.a % 16, step.b % 256


def _raw(run: HandshakeRun, step: Step) -> None:
    run.deliver(step.data)


def _flipped(run: HandshakeRun, step: Step) -> None:
    run.next.flip = step.a


def _cut(run: HandshakeRun, step: Step) -> None:
    run.next.cut, run.next.behind = step.a % 5000, step.data


def _pieces(run: HandshakeRun, step: Step) -> None:
    run.piece = step.a % 5000


def _again(run: HandshakeRun, step: Step) -> None:
    if run.last:
        run.deliver(run.last)


def _record(run: HandshakeRun, step: Step) -> None:
    data = run.peer.record(step.data)
    if data:
        run.deliver(data)


def _time(run: HandshakeRun, step: Step) -> None:
    run.now += step.a % 10_000_000 / 1000
    if step.b & 1:
        run.connection.expire(run.now)  # a timer that was set before something moved
    for _ in range(10):
        if run.connection.finished or run.connection.deadline() > run.now:
            return
        run.connection.expire(run.now)


def _eof(run: HandshakeRun, step: Step) -> None:
    run.connection.eof(run.now)


def _hold(run: HandshakeRun, step: Step) -> None:
    run.holding = bool(step.a & 1)
    if not run.holding:
        run.answer_pending()


def _answer(run: HandshakeRun, step: Step) -> None:
    codes = tuple(CloseCode)
    run.verdict = Verdict(bool(step.a & 1), codes[step.b % len(codes)], "no")


def _close(run: HandshakeRun, step: Step) -> None:
    run.connection.close(step.b % 20, "script", now=run.now, graceful=bool(step.a & 1))


ACTS: dict[int, Callable[[HandshakeRun, Step], None]] = {
    Act.SETUP: _nothing, Act.INIT: _made_by(Peer.init), Act.FIN: _made_by(Peer.fin), Act.RESP: _made_by(Peer.resp),
    Act.RETRY: _made_by(Peer.retry), Act.REFUSE: _made_by(Peer.refuse), Act.PROOF: _proof, Act.HEADER: _header,
    Act.RAW: _raw, Act.FLIPPED: _flipped, Act.CUT: _cut, Act.PIECES: _pieces, Act.AGAIN: _again, Act.RECORD: _record,
    Act.TIME: _time, Act.EOF: _eof, Act.HOLD: _hold, Act.ANSWER: _answer, Act.CLOSE: _close,
}  # fmt: skip


def run_script(script: Script) -> HandshakeRun:
    """Play it. Raises Broken or whatever escaped: a finding."""
    run = HandshakeRun(script)
    run.play()
    return run
