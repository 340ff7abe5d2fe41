"""All states of the core, enum by enum, and the tables that say what follows what.

Data only: the code that moves along a table looks the next state up here and nowhere else; ``docs/spec`` shows the
tables as drawn by a script. Not for: what is done on the way. Spec: docs/spec/handshake.md sections 11 and 12,
docs/spec/session.md section 2.
"""

from __future__ import annotations

from enum import Enum

from quantumgate.wire import frames, link_frames
from quantumgate.wire.messages import MessageType


class _Member(Enum):
    """Each member is there once, so identity is hash enough: a look-up in the tables makes no call in Python."""

    __hash__ = object.__hash__


# -- handshake -----------------------------------------------------------------------------------------------------


class InitiatorState(_Member):
    """Where a dialler stands."""

    AWAIT_KEY = "waits for a slow key of its own"
    AWAIT_ANSWER = "sent INIT, waits for 64 bytes of an answer"
    AWAIT_ANSWER_BODY = "knows the answer's type and length"
    AWAIT_SOLUTION = "got RETRY with a puzzle, waits for its solution"
    AWAIT_VERDICT = "verified R, has revealed nothing, asks whether to go on"
    ESTABLISHED = "sent FIN"
    FAILED = "over; the transport is closed"


class ResponderState(_Member):
    """Where a listener stands with one connection."""

    AWAIT_INIT = "waits for 64 bytes"
    AWAIT_INIT_BODY = "knows the length of the INIT"
    AWAIT_SECOND_INIT = "sent RETRY, waits for 64 bytes"
    AWAIT_SECOND_INIT_BODY = "knows the length of the second INIT"
    AWAIT_TURN = "opened an INIT, waits in the queue for its turn"
    AWAIT_FIN = "sent RESP, waits for 32 bytes"
    AWAIT_FIN_BODY = "knows the length of the FIN"
    AWAIT_VERDICT = "verified FIN, asks whom to admit"
    ESTABLISHED = "over to the session, which says SESSION or CLOSE"
    DRAINING = "sends nothing, reads and discards until the timer drawn at accept"
    CLOSED = "over; the transport is closed"


class Step(_Member):
    """What moves either side."""

    KEY = "the slow key came"
    HEADER = "a legal header opened"
    RETRY = "a RETRY (sent by R, accepted by I)"
    RETRY_SLOW = "an accepted RETRY for a slow group"
    PUZZLE = "an accepted RETRY with a puzzle"
    SOLVED = "the solution came"
    WAIT = "others go first"
    ANSWER = "R sent RESP / I verified R"
    REFUSE = "a REFUSE (sent by R, accepted by I)"
    PROOF = "R verified FIN"
    DENIED = "R verified FIN, and policy says no without asking"
    ADMIT = "the verdict is to go on (R: any verdict)"
    DENY = "I's verdict is not to go on"
    BAD = "anything that is not allowed here"
    DEADLINE = "the time for this state is over"
    EOF = "the peer closed"


_I, _R, _S = InitiatorState, ResponderState, Step

INITIATOR: dict[tuple[InitiatorState, Step], InitiatorState] = {
    (_I.AWAIT_KEY, _S.KEY): _I.AWAIT_ANSWER,
    (_I.AWAIT_ANSWER, _S.HEADER): _I.AWAIT_ANSWER_BODY,
    (_I.AWAIT_ANSWER_BODY, _S.RETRY): _I.AWAIT_ANSWER,
    (_I.AWAIT_ANSWER_BODY, _S.RETRY_SLOW): _I.AWAIT_KEY,
    (_I.AWAIT_ANSWER_BODY, _S.PUZZLE): _I.AWAIT_SOLUTION,
    (_I.AWAIT_SOLUTION, _S.SOLVED): _I.AWAIT_ANSWER,
    (_I.AWAIT_SOLUTION, _S.RETRY_SLOW): _I.AWAIT_KEY,
    (_I.AWAIT_ANSWER_BODY, _S.REFUSE): _I.FAILED,
    (_I.AWAIT_ANSWER_BODY, _S.ANSWER): _I.AWAIT_VERDICT,
    (_I.AWAIT_VERDICT, _S.ADMIT): _I.ESTABLISHED,
    (_I.AWAIT_VERDICT, _S.DENY): _I.FAILED,
}
RESPONDER: dict[tuple[ResponderState, Step], ResponderState] = {
    (_R.AWAIT_INIT, _S.HEADER): _R.AWAIT_INIT_BODY,
    (_R.AWAIT_INIT_BODY, _S.ANSWER): _R.AWAIT_FIN,
    (_R.AWAIT_INIT_BODY, _S.RETRY): _R.AWAIT_SECOND_INIT,
    (_R.AWAIT_INIT_BODY, _S.REFUSE): _R.DRAINING,
    (_R.AWAIT_SECOND_INIT, _S.HEADER): _R.AWAIT_SECOND_INIT_BODY,
    (_R.AWAIT_SECOND_INIT_BODY, _S.ANSWER): _R.AWAIT_FIN,
    (_R.AWAIT_INIT_BODY, _S.WAIT): _R.AWAIT_TURN,
    (_R.AWAIT_SECOND_INIT_BODY, _S.WAIT): _R.AWAIT_TURN,
    (_R.AWAIT_TURN, _S.ANSWER): _R.AWAIT_FIN,
    (_R.AWAIT_FIN, _S.HEADER): _R.AWAIT_FIN_BODY,
    (_R.AWAIT_FIN_BODY, _S.PROOF): _R.AWAIT_VERDICT,
    (_R.AWAIT_FIN_BODY, _S.DENIED): _R.ESTABLISHED,
    (_R.AWAIT_VERDICT, _S.ADMIT): _R.ESTABLISHED,
    (_R.DRAINING, _S.DEADLINE): _R.CLOSED,
    (_R.DRAINING, _S.EOF): _R.CLOSED,
}
INITIATOR_FINAL = frozenset({_I.ESTABLISHED, _I.FAILED})
RESPONDER_FINAL = frozenset({_R.ESTABLISHED, _R.CLOSED})
for _i in set(InitiatorState) - INITIATOR_FINAL:
    INITIATOR |= dict.fromkeys(((_i, _S.BAD), (_i, _S.DEADLINE), (_i, _S.EOF)), _I.FAILED)
for _r in set(ResponderState) - RESPONDER_FINAL - {_R.DRAINING}:
    RESPONDER |= dict.fromkeys(((_r, _S.BAD), (_r, _S.DEADLINE)), _R.DRAINING) | {(_r, _S.EOF): _R.CLOSED}

LEGAL: dict[InitiatorState | ResponderState, dict[MessageType, tuple[str, ...]]] = {
    _R.AWAIT_INIT: {MessageType.INIT: ("o1", "o1")},
    _R.AWAIT_SECOND_INIT: {MessageType.INIT: ("o1", "o1")},
    _R.AWAIT_FIN: {MessageType.FIN: ("hi", "hi")},
    _I.AWAIT_ANSWER: {
        MessageType.RESP: ("o2", "o2", "hr"),
        MessageType.RETRY: ("o2", "o2"),
        MessageType.REFUSE: ("o2", "o2"),
    },
}
"""In which state which message may begin, and the keys of its boxes in order (header, bodies)."""

# -- session -------------------------------------------------------------------------------------------------------


class SessionPhase(_Member):
    """Where a session stands after its handshake. Only the initiator is ever OPENING."""

    OPENING = "waits for the responder's SESSION"
    READY = "both SESSION blocks are known"
    DRAINING = "closes gracefully: no new channels, what is queued goes out"
    CLOSING = "sent CLOSE, waits for the peer's"
    OVER = "got CLOSE, lost the path, or met damage: nothing is delivered any more"


class Change(_Member):
    """What moves a session."""

    AGREE = "both SESSION blocks are known"
    CLOSE_GRACEFULLY = "the own side closes, and something is queued"
    CLOSE_NOW = "the own side closes and nothing is queued, or a peer broke a rule"
    DRAINED = "nothing is queued any more, or close_drain_seconds are over"
    PEER_CLOSED = "CLOSE came"
    ANSWER_TIME = "close_answer_seconds are over"
    LOST = "EOF, silence, stall, damage, or no SESSION in time"


class FrameRule(Enum):
    """What happens to a well-formed frame of some type in some phase. What is in no table is malformed: dead."""

    TAKEN = "acted on"
    IGNORED = "its form is checked, then it is dropped"


_P, _C = SessionPhase, Change

SESSION: dict[tuple[SessionPhase, Change], SessionPhase] = {
    (_P.OPENING, _C.AGREE): _P.READY,
    (_P.READY, _C.CLOSE_GRACEFULLY): _P.DRAINING,
    (_P.DRAINING, _C.DRAINED): _P.CLOSING,
    (_P.CLOSING, _C.ANSWER_TIME): _P.OVER,
}
for _p in (_P.OPENING, _P.READY, _P.DRAINING):
    SESSION[_p, _C.CLOSE_NOW] = _P.CLOSING
for _p in (_P.OPENING, _P.READY, _P.DRAINING, _P.CLOSING):
    SESSION |= dict.fromkeys(((_p, _C.PEER_CLOSED), (_p, _C.LOST)), _P.OVER)

_CHANNEL_FRAMES = frozenset({frames.CH_OPEN, frames.CH_ACCEPT, frames.CH_RESET, frames.MSG, frames.WINDOW})
_KEY_FRAMES = frozenset({frames.REKEY_REQ, frames.REKEY_RSP, frames.KEY_SWITCH})
_ALWAYS = frozenset({frames.PING, frames.PONG, frames.EXT_UPDATE, frames.RESERVE, frames.RESERVED})
_OPEN_FRAMES = _CHANNEL_FRAMES | link_frames.LINK_TYPES | _KEY_FRAMES | _ALWAYS | {frames.CLOSE}
FRAMES: dict[SessionPhase, dict[int, FrameRule]] = {
    _P.OPENING: dict.fromkeys((frames.SESSION, frames.CLOSE), FrameRule.TAKEN),
    _P.READY: dict.fromkeys(_OPEN_FRAMES, FrameRule.TAKEN),
    _P.DRAINING: dict.fromkeys(_OPEN_FRAMES, FrameRule.TAKEN),
    _P.CLOSING: dict.fromkeys(_OPEN_FRAMES | {frames.SESSION}, FrameRule.IGNORED)
    | dict.fromkeys((frames.CLOSE, frames.REKEY_RSP, frames.KEY_SWITCH), FrameRule.TAKEN),
    _P.OVER: {},
}
"""Which frame types are legal in which phase of the receiver. OVER: nothing is parsed any more, so nothing is illegal.

CLOSING still follows a re-key, or the peer's answering CLOSE could not be read. SESSION is the responder's alone: only
an initiator is OPENING, and one that closes early may still meet it. NOISE is reserved, in no phase legal until
FEATURES can agree on it. Which side may send which LINK frame depends on ROLE: ``core/relay/links.py``.
"""
