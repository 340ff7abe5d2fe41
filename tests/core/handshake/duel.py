"""Two handshakes facing one another in memory, on a clock that tests move, with luck that repeats.

Not for: sessions. Both sides see the same ``now`` unless a test says otherwise.
"""

from __future__ import annotations

import random as stdlib_random
from functools import cache
from typing import Any

from quantumgate.core.handshake import Established, Failed, HandshakeSettings, Initiator, KeyNeeded, Responder, Verdict
from quantumgate.core.handshake.party import Party
from quantumgate.core.overload import Ladder, Turn
from quantumgate.core.puzzle import Search
from quantumgate.core.replay import ReplayWindow
from quantumgate.core.requests import PuzzleNeeded, TurnNeeded
from quantumgate.crypto import kem
from quantumgate.crypto.identity import Identity

WALL_OFFSET_SECONDS = 1_700_000_000.0
START = 1000.0
ADMIT = Verdict(True)


class SeededRandom:
    """A RandomSource that repeats itself."""

    def __init__(self, seed: object) -> None:
        self._source = stdlib_random.Random(repr(seed))

    def bytes(self, n: int) -> bytes:
        """n bytes."""
        return self._source.randbytes(n)

    def uniform(self, low: float, high: float) -> float:
        """U(low, high)."""
        return self._source.uniform(low, high)

    def below(self, n: int) -> int:
        """0 <= x < n."""
        return self._source.randrange(n)


@cache
def identity(name: str, kind: int = 1) -> Identity:
    """The same identity for the same name, in every test."""
    return Identity.generate(kind, SeededRandom((name, kind)))


def settings(name: str, kind: int = 1, **changes: Any) -> HandshakeSettings:
    """Settings of somebody."""
    return HandshakeSettings(identity(name, kind), **changes)


def window(now: float = START, **changes: Any) -> ReplayWindow:
    """A window that began an hour before ``now``."""
    return ReplayWindow(b"w" * 32, int((now + WALL_OFFSET_SECONDS - 3600) * 1000), **changes)


def busy(used: float, now: float = START, **changes: Any) -> Ladder:
    """A ladder on which so much of the general budget is used."""
    made = Ladder(SeededRandom("ladder"), now, **changes)
    made._spent = used * made._general
    return made


def solution_of(request: PuzzleNeeded) -> bytes:
    """The solution of a puzzle, found at once."""
    found = Search(request.puzzle, request.salt).go_on(1 << 24)
    assert found is not None
    return found


class Duel:
    """``initiator`` dials ``responder``. ``wire`` keeps what was sent: (from, bytes)."""

    def __init__(
        self,
        i: HandshakeSettings | None = None,
        r: HandshakeSettings | None = None,
        *,
        replay: ReplayWindow | None = None,
        now: float = START,
        seed: object = 0,
        i_ahead_seconds: float = 0.0,
        r_options: dict[str, Any] | None = None,
        **dial: Any,
    ) -> None:
        self.now = now
        self.verdicts: dict[str, Verdict] = {"i": ADMIT, "r": ADMIT}
        self.wire: list[tuple[str, bytes]] = []
        self.asked: list[tuple[str, Any]] = []
        self.r_settings = r or settings("bob")
        self.replay = replay or window(now)
        self.responder = Responder(
            self.r_settings,
            self.replay,
            random=SeededRandom(("r", seed)),
            now=now,
            wall_offset_seconds=WALL_OFFSET_SECONDS,
            **(r_options or {}),
        )
        dial.setdefault("target", self.r_settings.identity.public.uuid)
        self.initiator = Initiator(
            i or settings("alice"),
            random=SeededRandom(("i", seed)),
            now=now,
            wall_offset_seconds=WALL_OFFSET_SECONDS + i_ahead_seconds,
            **dial,
        )

    def answer_all(self) -> None:
        """Answers whatever either side asked for."""
        for name, party in (("i", self.initiator), ("r", self.responder)):
            while party.requests:
                request = party.requests.pop(0)
                self.asked.append((name, request))
                party.answer(request, self._value(name, request), self.now)

    def _value(self, name: str, request: Any) -> Any:
        match request:
            case KeyNeeded():
                return kem.kem(request.group).generate()
            case PuzzleNeeded():
                return solution_of(request)
            case TurnNeeded():
                return Turn.GO
            case _:
                return self.verdicts[name]

    def flight(self, sender: str) -> bytes:
        """What that side wants to send now, noted down."""
        party: Party = self.initiator if sender == "i" else self.responder
        data = party.output()
        if data:
            self.wire.append((sender, data))
        return data

    def run(self, chunk: int = 1 << 30) -> Duel:
        """Until nobody says anything more; every flight in pieces of ``chunk`` bytes."""
        quiet = False
        while not quiet:
            quiet = True
            for sender, receiver in (("i", self.responder), ("r", self.initiator)):
                self.answer_all()
                data = self.flight(sender)
                quiet = quiet and not data
                for at in range(0, len(data), chunk):
                    receiver.receive(data[at : at + chunk], self.now)
        self.answer_all()
        return self

    @property
    def established(self) -> tuple[Established, Established]:
        """Both outcomes, or AssertionError saying what came instead."""
        i, r = self.initiator.outcome, self.responder.outcome
        if not isinstance(i, Established) or not isinstance(r, Established):
            raise AssertionError(f"not established: {i!r} {r!r}")
        return i, r

    @property
    def failures(self) -> tuple[Failed | None, Failed | None]:
        """Both failures; None for a side that has not failed."""
        i, r = self.initiator.outcome, self.responder.outcome
        return i if isinstance(i, Failed) else None, r if isinstance(r, Failed) else None
