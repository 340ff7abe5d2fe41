"""Re-keys nobody may ask for yet, and good ones whose answer is left alone. Row 20, against a real process."""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import cycle

from quantumgate.core import schedule
from quantumgate.crypto import agreement, kem, labels
from quantumgate.wire import frames
from quantumgate.wire.limits import DEFAULT_LIMITS
from quantumgate.wire.rekey_messages import RekeyRequest, RekeyResponse, signed_content
from tests.acceptance.floods.attacker import Strikes, Target
from tests.acceptance.floods.intruder import Intruder, Refused
from tests.acceptance.floods.places import anywhere
from tests.acceptance.floods.stage import Flood, flooded
from tests.acceptance.report import Figure

PATIENT = 60
"""Who wait until they may ask, and then do, all within a few seconds."""

FLOOD = Flood("rekey_storms", f"10 sessions a second with a re-key too early, of another epoch, unsigned or out of "
                              f"turn; {PATIENT} peers that ask properly as soon as they may, and then say no more")
_SHARE, _KEY = agreement.primary(1).generate().share, kem.kem(1).generate().public


def _request(who: Intruder, *, signed: bool = True, **changes: int) -> bytes:
    request = RekeyRequest(**{"epoch": 1, "primary": 1, "secondary": 1, "share": _SHARE, "key": _KEY} | changes)  # type: ignore[arg-type]
    session = who.session
    if signed:
        content = signed_content(schedule.rekey_id(session.rekey.root), session.sid, request.epoch,
                                 who.identity.public.bundle, session.peer.bundle, request.signed_part())
        signature = who.identity.sign(labels.SIGN_REKEY_REQUEST, hashlib.sha512(content).digest())
        request = replace(request, signature=signature)
    return frames.frame(frames.REKEY_REQ, request.encode(), flags=frames.WHOLE)


def _response(who: Intruder) -> bytes:
    return frames.frame(frames.REKEY_RSP, RekeyResponse(1, _SHARE, bytes(1088), bytes(64)).encode(), flags=frames.WHOLE)


OFFENCES: tuple[Callable[[Intruder], bytes], ...] = (
    _request, lambda who: _request(who, epoch=2), lambda who: _request(who, signed=False),
    lambda who: _request(who) + _request(who), lambda who: _request(who, primary=2), _response,
    lambda who: frames.frame(frames.KEY_SWITCH),
)  # fmt: skip


class RekeyStorms(Strikes):
    """The patient come first."""

    per_second = 10.0

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._patient: deque[tuple[float, Intruder]] = deque()
        self._came = 0
        self._offences = cycle(OFFENCES)

    def strike(self) -> None:
        try:
            who = Intruder(self.target, anywhere(self.luck))
            self.counts["sessions"] += 1
            if self._came < PATIENT:
                self._came += 1
                self._patient.append((time.monotonic() + DEFAULT_LIMITS.rekey_floor_seconds + 1, who))
            else:
                who.say(next(self._offences)(who))
                who.close()
        except Refused:
            self.counts["refused"] += 1
        except OSError:
            self.counts["cut"] += 1

    def tend(self) -> None:
        while self._patient and self._patient[0][0] <= time.monotonic():
            who = self._patient.popleft()[1]
            try:
                who.say(_request(who))
                self.counts["good requests"] += 1
            except OSError:
                self.counts["cut"] += 1


attack = RekeyStorms


def figures() -> Iterator[Figure]:
    yield from flooded(FLOOD)
